-- Waiting and waking, in the shared memory of the server. Without shared_preload_libraries all of these do nothing, and
-- the functions that say so return false.

create function rhythm._library_version() returns text
language c strict stable as 'MODULE_PATHNAME', 'library_version_wrapper';

-- Noted in the transaction, announced by its commit.
create function rhythm._wake_queue(queue text, n int) returns void
language c strict volatile as 'MODULE_PATHNAME', 'wake_queue_wrapper';
create function rhythm._wake_result(id uuid) returns void
language c strict volatile as 'MODULE_PATHNAME', 'wake_result_wrapper';
create function rhythm._wake_due(at timestamptz) returns void
language c strict volatile as 'MODULE_PATHNAME', 'wake_due_wrapper';
-- `contended`: a root is taken, so that its holder's commit has to wake the worker too.
create function rhythm._wake_steps(contended bool) returns void
language c strict volatile as 'MODULE_PATHNAME', 'wake_steps_wrapper';
create function rhythm._wake_launcher() returns void
language c volatile as 'MODULE_PATHNAME', 'wake_launcher_wrapper';

-- Publish what this session waits for; look once more; sleep; take it back. False: nobody can wake it, so it polls.
create function rhythm._park_begin(queues text[]) returns bool
language c strict volatile as 'MODULE_PATHNAME', 'park_begin_wrapper';
create function rhythm._park_results_begin(ids uuid[]) returns bool
language c strict volatile as 'MODULE_PATHNAME', 'park_results_begin_wrapper';
create function rhythm._park_wait(milliseconds int) returns bool
language c strict volatile as 'MODULE_PATHNAME', 'park_wait_wrapper';
-- Ends this session if its client has gone.
create function rhythm._check_client() returns void
language c volatile as 'MODULE_PATHNAME', 'check_client_wrapper';
-- `took`: the queue from which it has got work, if it has; `is_done`: there is nothing else that it waits for.
create function rhythm._park_end(took text, is_done bool) returns void
language c volatile as 'MODULE_PATHNAME', 'park_end_wrapper';

-- The oid of this database: what a look into pg_database would give, for a twentieth of the time.
create function rhythm._database() returns oid
language c stable as 'MODULE_PATHNAME', 'database_wrapper';

create function rhythm._has_worker() returns bool
language c volatile as 'MODULE_PATHNAME', 'has_worker_wrapper';

-- The installation's commit lets the launcher find this database.
do $$ begin perform rhythm._wake_launcher(); end $$;
