select rhythm.enqueue('noop', '{"n": 1}');
