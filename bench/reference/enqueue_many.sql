insert into jobs (name, payload) select 'noop', '{"n": 1}' from generate_series(1, 100);
