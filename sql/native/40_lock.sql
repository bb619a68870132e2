-- Locks that end with the transaction and that no other role can take, as it can advisory ones. `class`: a table of the schema, whose
-- oid tells kinds of locks apart; `key`: a hash, of which 48 bits count.

-- Whether the lock is held now; never waits. `shared`: together with others who share it.
create function rhythm._try_lock(class oid, key bigint, shared bool) returns bool
language c strict volatile as 'MODULE_PATHNAME', 'try_lock_wrapper';
-- The same, not shared; false also when this transaction has taken `most` others so: one that comes upon any number of things must not
-- fill the server's table of locks.
create function rhythm._try_lock_few(class oid, key bigint, most int) returns bool
language c strict volatile as 'MODULE_PATHNAME', 'try_lock_few_wrapper';
create function rhythm._lock(class oid, key bigint) returns void
language c strict volatile as 'MODULE_PATHNAME', 'lock_wrapper';
