-- Executions: one run of a task or a workflow. While it lives it is one row of `live`; when it ends, that becomes a row of
-- `archive`, partitioned by the week in which it expires.
--
-- The state machine:
--
--   task       pending -> running -> completed | failed | cancelled | timed_out
--                 ^          |
--              scheduled <---+  (a failed attempt that is retried; an expired lease goes to pending at once)
--   workflow   [scheduled ->] pending -> waiting (-> waiting)* -> completed | failed | cancelled | timed_out
--
-- Locks: the row of a tree's root in `live` guards the whole tree and is only ever taken with SKIP LOCKED (see
-- 70_workflow.sql). Rows of tasks are locked in the order of ids.

create table rhythm.live (
  id uuid primary key,
  seq bigint generated always as identity,
  root_id uuid not null,
  parent_id uuid,
  definition_id bigint,
  token bigint,
  -- When time must do something next: the earliest of run_at (scheduled), lease_until and attempt_until (running), start_by
  -- (not running) and end_by.
  due_at timestamptz,
  run_at timestamptz,
  lease_until timestamptz,
  started_at timestamptz,
  attempt_at timestamptz,
  -- Deadlines of startTimeout, timeout, and attemptTimeout; null costs nothing. The first stays while a worker holds the task,
  -- who may give it back, and goes with the first attempt that counts.
  start_by timestamptz,
  end_by timestamptz,
  attempt_until timestamptz,
  state rhythm.state not null,
  attempt int not null default 0,
  priority int not null default 0,
  -- Which promise of the parent this settles, and the number of the Promise.all to which that belongs.
  promise int,
  wake_group int,
  kind text collate "C" not null,
  name text collate "C" not null,
  queue text collate "C" not null,
  worker text,
  -- heartbeatTimeout: the lease that claims and heartbeats of this task get, whatever they ask for.
  beat interval,
  attempt_timeout interval,
  -- As it was given: end_by is that from when it could start, and from when it is retried.
  timeout interval,
  -- How long a completed execution keeps its task_id, where that is not as long as it is kept itself.
  remember interval,
  -- Whether the result is thrown away.
  discard bool,
  -- Set in queues with limits by key, both: the slots that it takes and the bucket that it draws from. In a queue with a
  -- limit for the whole, concurrency_key alone, of what runs.
  concurrency_key text collate "C",
  rate_key text collate "C",
  -- Whether the program of a workflow has been told that it is cancelled.
  cancelling bool,
  -- What its parent's end does to a child workflow: `cancel` (whatever end) or `abandon` (nothing, whatever end); null: it is
  -- cancelled where the parent was cancelled or timed out.
  parent_close text,
  created_at timestamptz not null,
  inputs jsonb not null,
  task_id text,
  retry jsonb,
  trace jsonb,
  -- The error of the last failed attempt.
  error jsonb,
  -- What a handler has saved with its heartbeat, for the next attempt.
  progress jsonb
  -- No CHECK: Postgres reads and plans one anew for every statement that writes here, which costs more than the write. The
  -- tests hold what would stand in it. No parallel scans: a claim that looks for one row would start processes for it.
) with (fillfactor = 70, parallel_workers = 0, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
  autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000);
comment on table rhythm.live is 'Executions that have not ended: what claims and locks touch. Seen through the view rhythm.executions.';
create index live_pending on rhythm.live (queue, priority desc, seq)
  where state = 'pending' and kind = 'task' and rate_key is null;
create index live_grouped on rhythm.live (queue, priority desc, concurrency_key, rate_key, seq)
  where state = 'pending' and kind = 'task' and rate_key is not null;
create index live_counted on rhythm.live (queue, concurrency_key) where state = 'running' and concurrency_key is not null;
create index live_due on rhythm.live (due_at) where due_at is not null;
-- By the promise, so that whoever asks for one that is left begins with the newest: the oldest ones are mostly dead.
create index live_children on rhythm.live (parent_id, wake_group, promise) where parent_id is not null;
-- Runs by their version, some 40 bytes each; a task is not in it.
create index live_definition on rhythm.live (definition_id, id) where definition_id is not null;

-- The caller's idempotency keys. A row is here as long as a duplicate must be refused: until the execution fails, is
-- cancelled or timed out, or is swept; with `until`, exactly until then.
create table rhythm.keys (
  kind text collate "C" not null,
  name text collate "C" not null,
  task_id text collate "C" not null,
  id uuid not null,
  until timestamptz,
  primary key (kind, name, task_id)
);
create index keys_until on rhythm.keys (until) where until is not null;
-- What is remembered for longer than it is kept is asked for by its id.
create index keys_remembered on rhythm.keys (id) where until is not null;
comment on table rhythm.keys is 'Which execution holds a task_id.';

-- Steps whose effect started a task under a task_id that another execution holds: they get its outcome.
create table rhythm.watchers (
  id uuid not null,
  execution_id uuid not null,
  promise int not null,
  -- Whether a look under a lock has found the watched execution alive since this row was committed.
  confirmed bool not null default false,
  -- That look has failed, and is not tried again before this.
  not_before timestamptz,
  primary key (id, execution_id, promise)
);
create index watchers_execution on rhythm.watchers (execution_id);
create index watchers_unconfirmed on rhythm.watchers (not_before) where not confirmed;
comment on table rhythm.watchers is 'Promises that are settled by an execution which is not their child (same task_id).';

create table rhythm.archive (
  id uuid not null,
  seq bigint not null,
  root_id uuid not null,
  parent_id uuid,
  definition_id bigint,
  created_at timestamptz not null,
  run_at timestamptz,
  started_at timestamptz,
  attempt_at timestamptz,
  finished_at timestamptz not null,
  start_by timestamptz,
  end_by timestamptz,
  beat interval,
  attempt_timeout interval,
  timeout interval,
  remember interval,
  discard bool,
  parent_close text,
  expires_on date not null,
  state rhythm.state not null,
  attempt int not null,
  priority int not null,
  promise int,
  wake_group int,
  kind text not null,
  name text not null,
  queue text not null,
  worker text,
  task_id text,
  inputs jsonb not null,
  result jsonb,
  error jsonb,
  retry jsonb,
  trace jsonb,
  progress jsonb
) partition by range (expires_on);
comment on table rhythm.archive is 'Executions that have ended, by the week in which they expire. Seen through the view rhythm.executions.';

-- Takes what has no partition of its own. Weeks are attached ahead by the background worker or tick(), never here.
-- Each partition is indexed alone: an index on the parent breaks pg_restore of an extension's tables.
create table rhythm.archive_default partition of rhythm.archive default;
comment on table rhythm.archive_default is 'Finished executions that expire in a week which has no partition yet.';
create index archive_default_id on rhythm.archive_default (id);
create index archive_default_parent on rhythm.archive_default (parent_id) where parent_id is not null;
-- Child workflows, for walks down a tree: their parent may have a million tasks besides.
create index archive_default_children on rhythm.archive_default (parent_id) where parent_id is not null and kind = 'workflow';
-- Dead letters, for their counts and for retry_many; what has completed is not in it.
create index archive_default_failed on rhythm.archive_default (queue, state, expires_on) where state in ('failed', 'timed_out');
create index archive_default_expires on rhythm.archive_default (expires_on);

-- What never expires stands apart: whoever attaches a week has the server read the whole default partition under a lock.
create table rhythm.archive_forever partition of rhythm.archive for values from ('infinity') to (maxvalue);
comment on table rhythm.archive_forever is 'Finished executions that are kept for ever.';
create index archive_forever_id on rhythm.archive_forever (id);
create index archive_forever_parent on rhythm.archive_forever (parent_id) where parent_id is not null;
create index archive_forever_children on rhythm.archive_forever (parent_id) where parent_id is not null and kind = 'workflow';
create index archive_forever_failed on rhythm.archive_forever (queue, state, expires_on) where state in ('failed', 'timed_out');

-- What happened to an execution and cannot be read from its rows: failed attempts, timers, signals, the log.
create table rhythm.history (
  execution_id uuid not null,
  seq bigint generated always as identity,
  at timestamptz not null,
  event text not null,
  name text,
  data jsonb
);
comment on table rhythm.history is 'Facts for timeline(id) and the log; swept with the execution.';
create index history_execution on rhythm.history (execution_id, seq);

-- Settled promises of workflows, until the step that takes them. Only ever inserted and deleted: recording an outcome
-- conflicts with nobody.
create table rhythm.events (
  execution_id uuid not null,
  seq bigint generated always as identity,
  promise int not null,
  ok bool not null,
  value jsonb,
  error jsonb,
  check (ok = (error is null))
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
comment on table rhythm.events is 'Outcomes that a workflow has not yet taken.';
create index events_execution on rhythm.events (execution_id, seq);

-- Returns what a workflow sees of a child's error: a TaskError, with the child's own as its cause.
create function rhythm._task_error(p_error jsonb) returns jsonb
language sql immutable as $$
  select case when p_error is not null then
    jsonb_build_object('name', 'TaskError', 'message', p_error -> 'message', 'cause', p_error)
    || case when p_error ? 'code' then jsonb_build_object('code', p_error -> 'code') else '{}' end
    || case when p_error ? 'data' then jsonb_build_object('data', p_error -> 'data') else '{}' end
  end
$$;

-- Ends executions and moves them to the archive: the one definition of this change of state.
--
-- `p_tokens[i]` null: the caller has the row locked, or need not fence. Otherwise the token must hold the lease, else
-- the i-th is left alone. Gives the executions that have ended; for a child also whom to look at: (parent, group),
-- where the group is null if the parent must be looked at whatever its other children do.
--
-- Locks the rows of `live` in the order of ids (a nested loop over sorted ids: functions that settle batches switch other joins
-- off), then the keys of those that did not complete, or have a time of their own for being remembered. What only children and
-- holders of a task_id need are statements of their own, which cost others nothing. The events for parents are inserts. A parent
-- that failed gets them too (it has a save): it may be retried.
create function rhythm._settle(p_ids uuid[], p_tokens bigint[], p_states rhythm.state[], p_results jsonb[],
  p_errors jsonb[])
returns table (id uuid, parent_id uuid, wake_group int)
language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  -- As _member_expires_on of one whose root lives.
  v_with_root date := (v_now at time zone 'UTC')::date + 31;
  v_ids uuid[];
  v_parents uuid[];
  v_groups int[];
  -- Of children: whose they are, and what they tell.
  v_told uuid[];
  v_promises int[];
  v_told_states rhythm.state[];
  v_told_results jsonb[];
  v_told_errors jsonb[];
  -- Of holders of a task_id; `v_until`: until when it is remembered, where that is not as long as it is kept.
  v_keyed uuid[];
  v_kinds text[];
  v_names text[];
  v_task_ids text[];
  v_until timestamptz[];
  v_states rhythm.state[];
  v_results jsonb[];
  v_errors jsonb[];
  v_cancels bool;
  -- Of those that are not kept, the ones that may have a history.
  v_gone uuid[];
  v_count int;
begin
  with o as materialized (
    select * from unnest(p_ids, p_tokens, p_states, p_results, p_errors) as o (id, token, state, result, error) order by o.id
  ), cold as (
    delete from rhythm.live l using o
    where l.id = o.id and (o.token is null or (l.token = o.token and l.state = 'running'))
    returning l.id, l.seq, l.root_id, l.parent_id, l.definition_id, l.created_at, l.run_at, l.started_at, l.attempt_at, l.start_by,
      l.end_by, l.beat, l.attempt_timeout, l.timeout, l.remember, l.discard, l.parent_close, case when l.id = l.root_id then rhythm._expires_on(l.kind,
          (select q.retention from rhythm.queue_settings q where q.name = l.queue), v_now)
        when exists (select from rhythm.live r where r.id = l.root_id) then v_with_root
        else rhythm._member_expires_on(l.root_id) end as expires_on, o.state as ended,
      l.attempt, l.priority, l.promise, l.wake_group, l.kind, l.name, l.queue, l.worker, l.task_id, l.inputs, o.result,
      o.error, l.retry, l.trace, l.progress, l.kind = 'workflow' or l.attempt > 1 or l.error is not null as noticed,
      -- A slot of its key is free.
      case when l.concurrency_key is not null then rhythm._wake_queue(l.queue, 1) end as noted
  ), kept as (
    insert into rhythm.archive (id, seq, root_id, parent_id, definition_id, created_at, run_at, started_at, attempt_at, finished_at,
      start_by, end_by, beat, attempt_timeout, timeout, remember, discard, parent_close, expires_on, state, attempt, priority, promise, wake_group,
      kind, name, queue, worker, task_id, inputs, result, error, retry, trace, progress)
    select c.id, c.seq, c.root_id, c.parent_id, c.definition_id, c.created_at, c.run_at, c.started_at, c.attempt_at, v_now,
      c.start_by, c.end_by, c.beat, c.attempt_timeout, c.timeout, c.remember, c.discard, c.parent_close, c.expires_on, c.ended, c.attempt, c.priority,
      c.promise, c.wake_group, c.kind, c.name, c.queue, c.worker, c.task_id, c.inputs,
      case when c.discard is not true then c.result end, c.error, c.retry, c.trace, c.progress
    from cold c where c.expires_on is not null
  )
  select array_agg(c.id), array_agg(c.parent_id), array_agg(case when c.ended = 'completed' then c.wake_group end),
    array_agg(c.parent_id) filter (where c.parent_id is not null), array_agg(c.promise) filter (where c.parent_id is not null),
    array_agg(c.ended) filter (where c.parent_id is not null), array_agg(c.result) filter (where c.parent_id is not null),
    array_agg(c.error) filter (where c.parent_id is not null),
    array_agg(c.id) filter (where c.task_id is not null), array_agg(c.ended) filter (where c.task_id is not null),
    array_agg(c.result) filter (where c.task_id is not null), array_agg(c.error) filter (where c.task_id is not null),
    array_agg(c.kind) filter (where c.task_id is not null), array_agg(c.name) filter (where c.task_id is not null),
    array_agg(c.task_id) filter (where c.task_id is not null),
    array_agg(case when c.ended <> 'completed' or (c.expires_on is null and c.remember is null) then v_now
      else v_now + c.remember end) filter (where c.task_id is not null),
    exists (select from rhythm.cancels x where x.execution_id = any (p_ids)),
    array_agg(c.id) filter (where c.expires_on is null and c.noticed), count(rhythm._wake_result(c.id))
  into v_ids, v_parents, v_groups, v_told, v_promises, v_told_states, v_told_results, v_told_errors, v_keyed, v_states,
    v_results, v_errors, v_kinds, v_names, v_task_ids, v_until, v_cancels, v_gone, v_count
  from cold c;

  if v_ids is null then
    return;
  end if;
  if v_cancels then
    delete from rhythm.cancels c where c.execution_id = any (v_ids);
  end if;
  if v_gone is not null then
    delete from rhythm.history h where h.execution_id = any (v_gone);
  end if;
  if v_told is not null then
    insert into rhythm.events (execution_id, promise, ok, value, error)
    select t.parent_id, t.promise, t.state = 'completed', t.result, rhythm._task_error(t.error)
    from unnest(v_told, v_promises, v_told_states, v_told_results, v_told_errors) t (parent_id, promise, state, result, error)
    where exists (select from rhythm.saves s where s.id = t.parent_id);
  end if;
  return query select * from unnest(v_ids, v_parents, v_groups);
  if v_keyed is not null then
    return query select k.execution_id, k.execution_id, null::int
      from rhythm._settle_keys(v_keyed, v_states, v_results, v_errors, v_kinds, v_names, v_task_ids, v_until, v_now)
        k (execution_id);
  end if;
end
$$;

-- Frees or dates the task_ids of what has ended, and tells who waits for it although it is not his child. In statements of their own,
-- after the rows were locked: so they see every watcher that was confirmed before.
create function rhythm._settle_keys(p_ids uuid[], p_states rhythm.state[], p_results jsonb[], p_errors jsonb[],
  p_kinds text[], p_names text[], p_task_ids text[], p_until timestamptz[], p_now timestamptz)
returns setof uuid
language plpgsql as $$
#variable_conflict use_column
begin
  if exists (select from unnest(p_task_ids) t where t like 'schedule:%') then
    -- Its schedule may hold back the next one (78_schedule_start.sql); that is for the worker, after the commit.
    perform rhythm._wake_steps(false);
  end if;
  -- What did not complete, or is neither kept nor remembered, gives its key back.
  delete from rhythm.keys k using unnest(p_ids, p_kinds, p_names, p_task_ids, p_until) as o (id, kind, name, task_id, until)
  where o.until <= p_now and k.kind = o.kind and k.name = o.name and k.task_id = o.task_id and k.id = o.id;
  update rhythm.keys k set until = o.until
  from unnest(p_ids, p_kinds, p_names, p_task_ids, p_until) as o (id, kind, name, task_id, until)
  where o.until > p_now and k.kind = o.kind and k.name = o.name and k.task_id = o.task_id and k.id = o.id;
  return query
  with done as (
    delete from rhythm.watchers w using unnest(p_ids, p_states, p_results, p_errors) as o (id, state, result, error)
    where w.id = o.id
    returning w.execution_id, w.promise, o.state, o.result, o.error
  ), told as (
    insert into rhythm.events (execution_id, promise, ok, value, error)
    select d.execution_id, d.promise, d.state = 'completed', d.result, rhythm._task_error(d.error) from done d
    where exists (select from rhythm.saves s where s.id = d.execution_id)
  )
  select d.execution_id from done d;
end
$$;
