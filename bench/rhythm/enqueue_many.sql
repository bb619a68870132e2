select count(*) from rhythm.enqueue_many((select jsonb_agg('{"name": "noop", "inputs": {"n": 1}}'::jsonb) from generate_series(1, 100)));
