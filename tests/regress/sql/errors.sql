-- One example of each error that a caller can get, as psql shows it.
select rhythm.enqueue(null);
\echo :LAST_ERROR_SQLSTATE
select rhythm.enqueue('');
\echo :LAST_ERROR_SQLSTATE
select rhythm.enqueue('a', delay => '-1 second');
\echo :LAST_ERROR_SQLSTATE
select rhythm.enqueue('a', retry => '{"maxAttempts": 0}');
\echo :LAST_ERROR_SQLSTATE
select rhythm.enqueue('a', retry => '{"attempts": 3}');
\echo :LAST_ERROR_SQLSTATE
select * from rhythm.enqueue_many('{"name": "a"}');
\echo :LAST_ERROR_SQLSTATE
select * from rhythm.enqueue_many('[{"name": "a", "colour": "red"}]');
\echo :LAST_ERROR_SQLSTATE
select rhythm.register('w', '["a", {"name": "b", "timeout": "soon"}]');
\echo :LAST_ERROR_SQLSTATE
select * from rhythm.claim('w', max => -1);
\echo :LAST_ERROR_SQLSTATE
select * from rhythm.claim('w', lease => '1 year');
\echo :LAST_ERROR_SQLSTATE
begin isolation level repeatable read;
select * from rhythm.claim('w', wait => '1s');
\echo :LAST_ERROR_SQLSTATE
rollback;
select rhythm.complete('00000000-0000-7000-8000-000000000000', 1);
\echo :LAST_ERROR_SQLSTATE
select rhythm.fail('00000000-0000-7000-8000-000000000000', 1, '{"message": "no name"}');
\echo :LAST_ERROR_SQLSTATE
select * from rhythm.finish('w', '[{"token": 1}]');
\echo :LAST_ERROR_SQLSTATE
select * from rhythm.heartbeat('{00000000-0000-7000-8000-000000000000}', '{1,2}');
\echo :LAST_ERROR_SQLSTATE
select rhythm.start('order');
\echo :LAST_ERROR_SQLSTATE
select * from rhythm.result('00000000-0000-7000-8000-000000000000');
\echo :LAST_ERROR_SQLSTATE
select rhythm.cleanup(older_than => '1 day', status => 'running');
\echo :LAST_ERROR_SQLSTATE
