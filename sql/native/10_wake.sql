-- The seam to shared memory: who waits, and who is woken when this transaction commits.
--
-- All of these do nothing, and say so where they return something, when the library is not in
-- `shared_preload_libraries`: then sessions poll, and `tick()` does what the background worker would do.

-- Notes that n executions of this queue became claimable.
create function rhythm._wake_queue(queue text, n int) returns void
language c strict as 'MODULE_PATHNAME', 'wake_queue_wrapper';

-- Notes that this execution has ended.
create function rhythm._wake_result(id uuid) returns void
language c strict as 'MODULE_PATHNAME', 'wake_result_wrapper';

-- Notes that something new is due at this time of Rhythm's clock.
create function rhythm._wake_due(at timestamptz) returns void
language c strict as 'MODULE_PATHNAME', 'wake_due_wrapper';

-- Notes that something is left to the database's worker; contended: until whoever holds the root commits.
create function rhythm._wake_steps(contended bool) returns void
language c strict as 'MODULE_PATHNAME', 'wake_steps_wrapper';

-- Notes that this database has got the extension.
create function rhythm._wake_launcher() returns void
language c strict as 'MODULE_PATHNAME', 'wake_launcher_wrapper';

-- Returns whether a background worker serves this database.
create function rhythm._has_worker() returns bool
language c strict as 'MODULE_PATHNAME', 'has_worker_wrapper';

-- Publishes that this session waits for work of these queues. False: nobody could wake it, so it has to poll.
create function rhythm._park_begin(queues text[]) returns bool
language c strict as 'MODULE_PATHNAME', 'park_begin_wrapper';

-- The same for the end of an execution.
create function rhythm._park_result_begin(id uuid) returns bool
language c strict as 'MODULE_PATHNAME', 'park_result_begin_wrapper';

-- Sleeps until woken (true) or for this long (false).
create function rhythm._park_wait(milliseconds int) returns bool
language c strict as 'MODULE_PATHNAME', 'park_wait_wrapper';

-- Takes back what `_park_begin` published.
create function rhythm._park_end() returns void
language c strict as 'MODULE_PATHNAME', 'park_end_wrapper';

select rhythm._wake_launcher();
