insert into jobs (name, payload) values ('noop', '{"n": 1}');
