-- Control: result, wait, cancel, terminate, retry.
--
-- Locks: cancel takes a waiting task's row with SKIP LOCKED and never waits, terminate also one that runs; retry takes the row of the archive and the
-- key. A cancel of what somebody holds at the moment is recorded, and applied after the holder's commit.

-- Requests to cancel.
create table rhythm.cancels (
  execution_id uuid not null,
  seq bigint generated always as identity,
  reason text,
  at timestamptz not null,
  -- How long the program may go on once it has been told; null: as long as it likes.
  grace interval,
  -- Whether it ends without being told.
  at_once bool not null default false,
  -- Who runs it, or has run it until it was terminated, and has not heard of this in a claim (see _heard_cancel).
  worker text
);
comment on table rhythm.cancels is 'Requests to cancel that are not yet done.';
create index cancels_execution on rhythm.cancels (execution_id);
create index cancels_worker on rhythm.cancels (worker) where worker is not null;

-- Returns whether an execution that is not alive is in the archive; raises if it was never here or has been swept. No locks.
create function rhythm._check_known(p_id uuid) returns void
language plpgsql as $$
declare
  v_key rhythm.keys;
begin
  if not exists (select from rhythm.live l where l.id = p_id)
    and not exists (select from rhythm.archive a where a.id = p_id and a.expires_on > rhythm._today())
  then
    select k.* into v_key from rhythm.keys k where k.id = p_id and k.until > rhythm._now();
    if found then
      perform rhythm._raise('RH301', format('execution %s has completed, and its result is not kept', p_id),
        format('Its task_id %L is remembered until %s, so it is not done again.', left(v_key.task_id, 100), v_key.until),
        'Results are kept for the retention of the queue: rhythm.configure_queue(name, retention => ''1 day'').');
    end if;
    perform rhythm._raise('RH301', format('execution %s does not exist', p_id), null,
      'Check the id; finished executions are kept for the retention of their queue.');
  end if;
end
$$;

-- Gives state, result and error; no row: unknown. No locks.
create function rhythm._result(p_id uuid) returns table (state text, result jsonb, error jsonb)
language plpgsql as $$
#variable_conflict use_column
begin
  return query select l.state::text, null::jsonb, null::jsonb from rhythm.live l where l.id = p_id;
  if not found then
    return query select a.state::text, a.result, a.error
      from rhythm.archive a where a.id = p_id and a.expires_on > rhythm._today();
  end if;
end
$$;

-- Gives the state of an execution. No locks.
create function rhythm.result(id uuid, out state text, out result jsonb, out error jsonb)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
begin
  perform rhythm._check_given('id', result.id is not null);
  select r.state, r.result, r.error into state, result, error from rhythm._result(result.id) r;
  if state is null then
    perform rhythm._check_known(result.id);
  end if;
end
$$;
comment on function rhythm.result(uuid) is
'Gives the state of an execution, and its result or error when it has ended. Example: select * from rhythm.result(''0190a1b2-0000-7000-8000-000000000000'')';

-- Waits for the end of an execution, in a slot of shared memory. No locks; a cancelled wait leaves nothing.
create function rhythm.wait(id uuid, timeout interval default '5s', out state text, out result jsonb, out error jsonb)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
declare
  v_until timestamptz;
  v_left int;
  v_parked bool;
begin
  perform rhythm._check_given('id', wait.id is not null), rhythm._check_given('timeout', wait.timeout is not null),
    rhythm._check_duration('timeout', wait.timeout);
  select r.state, r.result, r.error into state, result, error from rhythm._result(wait.id) r;
  if state is null then
    perform rhythm._check_known(wait.id);
  end if;
  if state in ('completed', 'failed', 'cancelled', 'timed_out') or wait.timeout = interval '0' then
    return;
  end if;
  if not rhythm._sees_commits() then
    perform rhythm._raise('RH201', 'wait cannot wait in a REPEATABLE READ or SERIALIZABLE transaction', null,
      'Such a transaction never sees the end: use rhythm.result(id), or READ COMMITTED.');
  end if;
  v_until := rhythm._wait_until(wait.timeout);
  v_parked := rhythm._park_results_begin(array[wait.id]);
  loop
    select r.state, r.result, r.error into state, result, error from rhythm._result(wait.id) r;
    exit when state is null or state in ('completed', 'failed', 'cancelled', 'timed_out');
    v_left := (extract(epoch from v_until - clock_timestamp()) * 1000)::int;
    exit when v_left <= 0;
    if v_parked then
      perform rhythm._park_wait(v_left);
    else
      perform pg_sleep(least(v_left, 50) / 1000.0);
    end if;
  end loop;
  if v_parked then
    perform rhythm._park_end(null, true);
  end if;
  if state is null then
    perform rhythm._check_known(wait.id);
  end if;
end
$$;
comment on function rhythm.wait(uuid, interval) is
'Waits until an execution has ended (at most 5 s in one call: call again), and gives what result gives; at the timeout the state of that moment. Example: select * from rhythm.wait(''0190a1b2-0000-7000-8000-000000000000'', ''5s'')';

-- Ends tasks that wait and are to be cancelled (`p_at_once`: and those that run, whose workers are told), as far as their rows are free;
-- gives whom to look at. Locks: the tasks, skipping those that others hold, then as _settle. Dying halfway ends none.
create function rhythm._cancel_waiting(p_ids uuid[], p_reason text, p_at_once bool default false)
returns table (id uuid, parent_id uuid, wake_group int)
language plpgsql as $$
#variable_conflict use_column
declare
  v_ids uuid[] := array(
    select l.id from rhythm.live l
    where l.id = any (p_ids) and l.kind = 'task' and (p_at_once or l.state in ('pending', 'scheduled'))
    order by l.id for update skip locked);
  v_running uuid[];
  v_workers text[];
begin
  if p_at_once then
    select array_agg(l.id), array_agg(l.worker) into v_running, v_workers
    from rhythm.live l where l.id = any (v_ids) and l.state = 'running';
  end if;
  return query
  select * from rhythm._settle(v_ids, null, array_fill('cancelled'::rhythm.state, array[cardinality(v_ids)]), null,
    array_fill(jsonb_build_object('name', 'CancelledError', 'message', p_reason), array[cardinality(v_ids)]));
  if v_running is not null then
    -- For the worker alone, which hears of it in a claim and then asks for all of its tasks.
    insert into rhythm.cancels (execution_id, reason, at, at_once, worker)
    select r.id, p_reason, rhythm._now(), true, r.worker from unnest(v_running, v_workers) r (id, worker);
    perform rhythm._wake_queue(rhythm._cancel_topic(w.worker), 1) from (select distinct r as worker from unnest(v_workers) r) w;
  end if;
end
$$;

-- Looks again at what somebody held when it was cancelled: tasks, of which those that run hear it from heartbeat, and workflows that
-- were to begin or to go on later, whose roots the caller has locked; among them those that were to hold a mutex first.
create function rhythm._apply_cancels(p_ids uuid[]) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_one record;
  v_parents uuid[];
  v_groups int[];
begin
  select array_agg(s.parent_id), array_agg(s.wake_group) into v_parents, v_groups
  from (select array_agg(distinct c.execution_id) as ids, coalesce(c.reason, 'cancelled') as reason, c.at_once
      from rhythm.cancels c where c.execution_id = any (p_ids) group by 2, 3) c
    cross join lateral rhythm._cancel_waiting(c.ids, c.reason, c.at_once) s
  where s.parent_id is not null;
  if v_parents is not null then
    perform rhythm._mark(v_parents, v_groups, false);
  end if;
  for v_one in
    select l.id, l.parent_id, exists (select from rhythm.saves s where s.id = l.id and s.save is not null) as has_begun
    from rhythm.live l
    where l.id = any (p_ids) and l.kind = 'workflow' and l.state = 'scheduled'
      and (exists (select from rhythm.cancels c where c.execution_id = l.id)
        -- One that was retried, and waits for the mutexes that it held.
        or exists (select from rhythm.mutex_claims m where m.execution_id = l.id and m.told and not m.parked))
    order by l.id
  loop
    if v_one.has_begun then
      perform rhythm._promote(array[v_one.id]);
      continue;
    end if;
    perform rhythm._finish_workflow(v_one.id, 'cancelled', null, null);
    if v_one.parent_id is not null then
      perform rhythm._mark(array[v_one.parent_id], array[null::int], false);
    end if;
  end loop;
end
$$;

-- Notes requests to cancel. The commit wakes a worker that runs one of them and waits in a claim. No locks: a request is an
-- insert.
create function rhythm._note_cancels(p_ids uuid[], p_reason text, p_grace interval default null, p_at_once bool default false)
returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_worker text;
begin
  for v_worker in
    with noted as (
      insert into rhythm.cancels (execution_id, reason, at, grace, at_once, worker)
      select l.id, p_reason, rhythm._now(), p_grace, p_at_once, case when l.kind = 'task' and l.state = 'running' then l.worker end
      from rhythm.live l where l.id = any (p_ids)
      returning worker
    )
    select distinct n.worker from noted n where n.worker is not null
  loop
    perform rhythm._wake_queue(rhythm._cancel_topic(v_worker), 1);
  end loop;
end
$$;

-- Returns what lives below a workflow, whoever of those above it has ended; what is below others that live is theirs to see to, and what
-- was started to run on is nobody's. A walk over the ended workflows, level by level. No locks.
create function rhythm._left_below(p_id uuid) returns uuid[]
language plpgsql as $$
declare
  v_ended uuid[] := array[p_id];
  v_alive uuid[] := '{}';
  v_found uuid[];
begin
  while v_ended <> '{}' loop
    -- In one look, or what is just ending or being retried could be missed in both tables.
    select coalesce(array_agg(c.id) filter (where c.lives), '{}'), coalesce(array_agg(c.id) filter (where not c.lives), '{}')
    into v_found, v_ended
    from (
      select l.id, true as lives from rhythm.live l
      where l.parent_id = any (v_ended) and l.parent_close is distinct from 'abandon'
      union all
      select a.id, false from rhythm.archive a
      where a.parent_id = any (v_ended) and a.kind = 'workflow' and a.parent_close is distinct from 'abandon') c;
    v_alive := v_alive || v_found;
  end loop;
  return v_alive;
end
$$;

-- Cancels what a workflow has started, but for children that are to run on; `p_at_once`: ends it, and what ended children have left
-- running. `p_is_over`: the parent's time for cleaning up is over; so is that of its tasks and of child workflows that know, and others
-- are told. Locks: as
-- _cancel_started. Dying halfway cancels nothing.
create function rhythm._cancel_children(p_id uuid, p_reason text, p_grace interval, p_at_once bool, p_is_over bool) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_told uuid[];
  v_ended uuid[];
begin
  if p_at_once then
    perform rhythm._cancel_started(rhythm._left_below(p_id), p_reason, null, true);
    return;
  end if;
  select array_agg(l.id) filter (where not e.ends), array_agg(l.id) filter (where e.ends) into v_told, v_ended
  from rhythm.live l
  cross join lateral (select p_is_over and (l.kind = 'task' or l.cancelling is true) as ends) e
  where l.parent_id = p_id and l.parent_close is distinct from 'abandon';
  if v_ended is not null then
    perform rhythm._cancel_started(v_ended, p_reason, null, true);
  end if;
  if v_told is not null then
    perform rhythm._cancel_started(v_told, p_reason, p_grace, false);
  end if;
end
$$;

-- Cancels what a workflow has started and nobody has begun; what runs is told: at once if its worker waits, or at a heartbeat. A
-- child workflow is told by a step of its own, which goes on down. Locks: tasks, and workflows that have not begun, skipping those that
-- others hold. Dying halfway cancels nothing.
create function rhythm._cancel_started(p_ids uuid[], p_reason text, p_grace interval, p_at_once bool) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_ids uuid[] := p_ids;
  -- Tasks that end here.
  v_stopped uuid[];
  -- Who awaits one of them although he is not its parent: it has the same task_id.
  v_watching uuid[];
begin
  select coalesce(array_agg(c.id), '{}'), coalesce(array_agg(c.parent_id) filter (where c.id = c.parent_id), '{}')
  into v_stopped, v_watching
  from rhythm._cancel_waiting(p_ids, p_reason, p_at_once) c;
  if v_watching <> '{}' then
    perform rhythm._mark(v_watching, array_fill(null::int, array[cardinality(v_watching)]), false);
  end if;
  perform rhythm._finish_workflow(s.id, 'cancelled', null, jsonb_build_object('name', 'CancelledError', 'message', p_reason))
  from (
    select l.id from rhythm.live l
    where l.id = any (v_ids) and l.kind = 'workflow' and l.state = 'scheduled'
      and not exists (select from rhythm.saves s where s.id = l.id and s.save is not null)
    order by l.id for update skip locked) s;
  perform rhythm._note_cancels(v_ids, p_reason, p_grace, p_at_once);
  insert into rhythm.runnable (root_id, execution_id)
  select l.id, l.id from rhythm.live l where l.id = any (v_ids);
  if found then
    perform rhythm._wake_steps(false);
  end if;
  if p_at_once then
    -- What ends by itself from here on has been noted above, and is seen to when its mark is. What had ended before was not there
    -- to be noted, and has left running what it has started.
    perform rhythm._cancel_children(i, p_reason, null, true, false)
    from (select unnest(v_ids) except select unnest(v_stopped)) u (i)
    where exists (select from rhythm.archive a where a.id = i and a.kind = 'workflow')
      and not exists (select from rhythm.cancels c where c.execution_id = i);
  end if;
end
$$;

-- Stops what is behind promises that a step has given up: [{promises, reason}]. The program has settled them itself, so what
-- comes of them is of no interest. Timers and waits that are just firing in another transaction go with it. Locks: timers, waits, claims
-- and watchers with SKIP LOCKED, then as _cancel_started; the caller has the tree. Dying halfway undoes the step.
create function rhythm._give_up(p_id uuid, p_cancels jsonb) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_promises int[] := array(select p::int from jsonb_array_elements(p_cancels) e, jsonb_array_elements_text(e -> 'promises') p);
  v_children record;
begin
  delete from rhythm.timers t where t.ctid = any (array(
    select o.ctid from rhythm.timers o where o.execution_id = p_id and o.promise = any (v_promises) for update skip locked));
  delete from rhythm.signal_waits w where w.ctid = any (array(
    select o.ctid from rhythm.signal_waits o where o.execution_id = p_id and o.promise = any (v_promises)
    for update skip locked));
  delete from rhythm.watchers w where w.ctid = any (array(
    select o.ctid from rhythm.watchers o where o.execution_id = p_id and o.promise = any (v_promises) for update skip locked));
  delete from rhythm.deferred_starts d
  where d.execution_id = p_id and (d.item ->> 'promise')::int = any (v_promises);
  if exists (select from rhythm.mutex_claims c where c.execution_id = p_id and c.promise = any (v_promises)) then
    perform rhythm._give_up_mutexes(p_id, v_promises);
  end if;
  for v_children in
    -- One look at all children, however many are given up.
    select array_agg(l.id order by l.id) as ids, e ->> 'reason' as reason
    from jsonb_array_elements(p_cancels) e
    cross join lateral (select array_agg(p::int) as promises from jsonb_array_elements_text(e -> 'promises') p) g
    join rhythm.live l on l.parent_id = p_id and l.promise = any (g.promises)
    group by 2
  loop
    perform rhythm._cancel_started(v_children.ids, v_children.reason, null, false);
  end loop;
  -- What ended just now would bring a step about in which nothing happens.
  delete from rhythm.events e where e.execution_id = p_id and e.promise = any (v_promises);
end
$$;

-- Requests that an execution ends: what cancel and terminate share. Locks: as these say.
create function rhythm._cancel(p_id uuid, p_reason text, p_grace interval, p_at_once bool) returns bool
language plpgsql as $$
#variable_conflict use_column
declare
  v_live record;
  v_reason text := coalesce(p_reason, case when p_at_once then 'terminated' else 'cancelled' end);
  v_ended bool;
  v_parents uuid[];
  v_groups int[];
begin
  perform rhythm._check_given('id', p_id is not null);
  if octet_length(p_reason) > 10000 then
    perform rhythm._raise('RH002', format('reason must have at most 10000 bytes, not %s', octet_length(p_reason)), null,
      'Give a short reason.');
  end if;
  select l.kind, l.state, l.root_id, l.parent_id into v_live from rhythm.live l where l.id = p_id;
  if not found then
    perform rhythm._check_known(p_id);
    return false;
  end if;
  if v_live.kind = 'task' then
    select count(*) > 0, array_agg(s.parent_id) filter (where s.parent_id is not null),
      array_agg(s.wake_group) filter (where s.parent_id is not null)
    into v_ended, v_parents, v_groups
    from rhythm._cancel_waiting(array[p_id], v_reason, p_at_once) s;
    if v_parents is not null then
      perform rhythm._advance(v_parents, v_groups);
    end if;
    if v_ended then
      return true;
    end if;
    perform rhythm._note_cancels(array[p_id], v_reason, null, p_at_once);
    -- It runs (then heartbeat tells it), or somebody holds it just now and may leave it waiting, though it runs to us: who looks at
    -- the mark needs the row, and so comes after him.
    insert into rhythm.runnable (root_id, execution_id) select l.id, l.id from rhythm.live l where l.id = p_id;
    if found then
      perform rhythm._wake_steps(true);
    end if;
    return true;
  end if;
  perform rhythm._note_cancels(array[p_id], v_reason, p_grace, p_at_once);
  insert into rhythm.history (execution_id, at, event, data)
  values (p_id, rhythm._now(), case when p_at_once then 'terminate_requested' else 'cancel_requested' end,
    jsonb_build_object('reason', v_reason) || case when p_grace is not null then jsonb_build_object('grace', p_grace) else '{}' end);
  if p_at_once and rhythm._sees_commits() and not rhythm._in_step() then
    -- Runs no program, so it need not wait for the end of a pause.
    perform from rhythm.live l where l.id = p_id for update skip locked;
    if found then
      perform rhythm._finish_workflow(p_id, 'cancelled', null, null);
      if v_live.parent_id is not null then
        perform rhythm._advance(array[v_live.parent_id], array[null::int]);
      end if;
      return true;
    end if;
  elsif v_live.state = 'scheduled' and rhythm._sees_commits() then
    perform from rhythm.live l where l.id = p_id and l.state = 'scheduled' for update skip locked;
    if found and exists (select from rhythm.saves s where s.id = p_id and s.save is not null) then
      -- It was to be retried later: its program goes on now, and is told.
      perform rhythm._promote(array[p_id]);
      return true;
    elsif found then
      -- Its program has not begun: there is nothing to tell it.
      perform rhythm._finish_workflow(p_id, 'cancelled', null, null);
      if v_live.parent_id is not null then
        perform rhythm._advance(array[v_live.parent_id], array[null::int]);
      end if;
      return true;
    end if;
  end if;
  perform rhythm._advance(array[p_id], array[null::int]);
  return true;
end
$$;

-- Cancels. Locks: the row of a waiting task, or the root of a workflow's tree, if nobody holds it; else the request is kept,
-- and the database's worker sees to it. Dying halfway leaves no request.
create function rhythm.cancel(id uuid, reason text default null, grace interval default null) returns bool
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  perform rhythm._check_duration('grace', cancel.grace);
  return rhythm._cancel(cancel.id, cancel.reason, cancel.grace, false);
end
$$;
comment on function rhythm.cancel(uuid, text, interval) is
'Cancels: a task that waits ends, one that runs is told (at once where its worker waits in a claim, or at its next heartbeat), a workflow gets a CancelledError at its await, and may clean up: for ever, or as long as grace says, then it is terminated; its children get the same grace. A second cancel says nothing new, but may give or shorten the grace. False: it has ended before. Example: select rhythm.cancel(''0190a1b2-0000-7000-8000-000000000000'', ''customer left'', grace => ''10 minutes'')';

-- Ends an execution and all that it has started. Locks: the rows of tasks, also of those that run, and the root of a workflow's tree.
-- If somebody holds them the request is kept, and the database's worker sees to it after the holder's commit; so it does with child
-- workflows, a level a round. Dying halfway leaves no request.
create function rhythm.terminate(id uuid, reason text default null) returns bool
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  return rhythm._cancel(terminate.id, terminate.reason, null, true);
end
$$;
comment on function rhythm.terminate(uuid, text) is
'Ends an execution at once, as cancelled: a workflow runs neither catch nor finally, and all below it that is alive ends with it, also what a child that has ended has left running; a task that runs ends too, and its worker is told (at once where it waits in a claim, or at its next heartbeat) that it has lost it. Undoes nothing: cancel first, and give it a grace. Commit soon: workers that hand in outcomes of such tasks wait. False: it has ended before. Example: select rhythm.terminate(''0190a1b2-0000-7000-8000-000000000000'', ''runs in circles'')';

-- Lets a failed execution go on; a workflow steps here, or is left to the worker. Locks: its row of `archive`, its key, then its tree's root if nobody holds it. Of two who
-- retry at once the second waits for the first, and is told that it goes on already. Dying halfway leaves it failed.
create function rhythm._retry_one(p_id uuid, p_delay interval, p_step bool) returns uuid
language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_old rhythm.archive;
  v_holder uuid;
  v_end_by timestamptz;
  v_start_timeout interval;
  v_start_by timestamptz;
  v_run_at timestamptz;
  v_state text;
begin
  loop
    delete from rhythm.archive a
    where a.id = p_id and a.expires_on > rhythm._today()
      and (a.state in ('failed', 'timed_out') or (a.state = 'cancelled' and a.kind = 'task'))
    returning a.* into v_old;
    exit when v_old.id is not null;
    perform rhythm._check_known(p_id);
    v_state := (select r.state from rhythm._result(p_id) r);
    -- Somebody else has retried it, and it has failed again: once more.
    continue when v_state in ('failed', 'timed_out');
    perform rhythm._raise('RH302', format('execution %s is %s', p_id, v_state), null,
      'Only what has failed can be retried: failed or timed out, and cancelled tasks.');
  end loop;
  if v_old.task_id is not null then
    v_holder := (rhythm._take_keys(array[v_old.kind], array[v_old.name], array[v_old.task_id], array[v_old.id]))[1];
    if v_holder <> v_old.id then
      perform rhythm._raise('RH304', format('execution %s holds the task_id %L now', v_holder, left(v_old.task_id, 100)),
        null, 'Look at the newer execution; there can be only one that is alive or completed.');
    end if;
  end if;
  if p_delay > interval '0' then
    v_run_at := v_now + p_delay;
  elsif v_old.kind = 'workflow' and exists (select from rhythm.mutex_claims c where c.execution_id = p_id) then
    -- It goes on when it holds again what it held: _promote sees to that.
    v_run_at := v_now;
  end if;
  v_end_by := coalesce(v_run_at, v_now) + v_old.timeout;
  -- The time for the start begins again too: no attempt came before its end, so run_at is that of the enqueue, unless an earlier retry noted it.
  if v_old.start_by is not null then
    v_start_timeout := coalesce((
      select (h.data ->> 'start_timeout')::interval from rhythm.history h
      where h.execution_id = v_old.id and h.event = 'retried' order by h.seq desc limit 1),
      v_old.start_by - greatest(v_old.created_at, case when v_old.run_at < v_old.start_by then v_old.run_at end));
    v_start_by := coalesce(v_run_at, v_now) + v_start_timeout;
  end if;
  -- A task gets all its attempts anew; a workflow goes on from its last await, and a timeout begins again.
  insert into rhythm.live (id, seq, root_id, parent_id, definition_id, due_at, run_at, started_at, start_by, end_by, state, attempt,
    priority, promise, wake_group, kind, name, queue, beat, attempt_timeout, timeout, remember, discard, created_at, inputs,
    task_id, retry, trace, error, progress, parent_close)
  overriding system value
  values (v_old.id, v_old.seq, v_old.root_id, v_old.parent_id, v_old.definition_id, least(v_run_at, v_start_by, v_end_by), v_run_at,
    v_old.started_at, v_start_by, v_end_by,
    case when v_run_at is not null then 'scheduled'::rhythm.state when v_old.kind = 'workflow' and exists (select from rhythm.saves s where s.id = v_old.id and s.save is not null)
      then 'waiting'::rhythm.state else 'pending' end,
    0, v_old.priority, v_old.promise, v_old.wake_group, v_old.kind, v_old.name, v_old.queue, v_old.beat,
    v_old.attempt_timeout, v_old.timeout, v_old.remember, v_old.discard, v_old.created_at, v_old.inputs, v_old.task_id, v_old.retry,
    v_old.trace, v_old.error, v_old.progress, v_old.parent_close);
  delete from rhythm.cancels c where c.execution_id = v_old.id;
  if v_old.parent_id is not null then
    perform rhythm._await_again(v_old.parent_id, v_old.promise);
  end if;
  if v_old.kind = 'workflow' then
    -- Its tree stands again.
    perform rhythm._keep_members(v_old.id, rhythm._today() + 31, 10000);
  end if;
  if (v_old.kind = 'task' or v_old.retry is not null) and v_old.attempt > 0 and v_old.state <> 'cancelled' and (
    select h.event = 'attempt_failed' and (h.data ->> 'attempt')::int = v_old.attempt
    from rhythm.history h where h.execution_id = v_old.id and h.event in ('attempt_failed', 'retried')
    order by h.seq desc limit 1) is not true
  then
    -- The last attempt, which the archive knew, unless a timeout of the whole came after it.
    insert into rhythm.history (execution_id, at, event, name, data)
    values (v_old.id, v_old.finished_at, 'attempt_failed', v_old.worker,
      jsonb_build_object('attempt', v_old.attempt, 'error', v_old.error, 'next_at', coalesce(v_run_at, v_now),
        'started_at', v_old.attempt_at));
  end if;
  insert into rhythm.history (execution_id, at, event, data)
  values (v_old.id, v_now, 'retried', jsonb_build_object('error', v_old.error)
    || case when v_start_timeout is not null then jsonb_build_object('start_timeout', v_start_timeout) else '{}' end);
  if v_run_at is not null then
    perform rhythm._wake_due(v_run_at);
  elsif v_old.kind = 'task' then
    perform rhythm._wake_queue(v_old.queue, 1);
  elsif p_step then
    perform rhythm._advance(array[v_old.id], array[null::int]);
  else
    perform rhythm._mark(array[v_old.id], array[null::int], false);
  end if;
  if coalesce(v_start_by, v_end_by) is not null then
    perform rhythm._wake_due(least(v_start_by, v_end_by));
  end if;
  return v_old.id;
end
$$;
-- Lets a failed execution go on, with what it has failed of. Locks: as 81_retry.sql and _retry_one say, children before their run. Dying
-- halfway leaves all of it failed.
create function rhythm.retry(id uuid, delay interval default null, version int default null) returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
begin
  perform rhythm._check_given('id', retry.id is not null), rhythm._check_duration('delay', retry.delay);
  perform rhythm._retry_below(array[retry.id], array[retry.delay]);
  if retry.version is not null then
    -- A client starts the newest version, and no other; an older one may run its SQL as somebody with more rights.
    if not pg_has_role(session_user, 'rhythm_admin', 'member') then
      raise insufficient_privilege using message = 'only members of rhythm_admin may choose the version of a run',
        hint = 'Retry without version: the run goes on in the one that it began with.';
    end if;
    perform rhythm._move(retry.id, nullif(retry.version, 0));
  end if;
  return rhythm._retry_one(retry.id, retry.delay, true);
end
$$;
comment on function rhythm.retry(uuid, interval, int) is
'Lets a failed execution go on under its id: a task is claimable again, with all its attempts, and a run that has failed with it, or has not taken its failure, awaits it again; a workflow goes on from its last await before the step that failed, which has left nothing behind, and the tasks and child workflows that it failed of are retried with it (not those that were given a result by resolve, and none where its own code has failed: a TypeError, RangeError, ReferenceError, SqlError or LimitError). With a delay it waits that long first; with a version (0: the newest) it goes on in that one, as move allows. Refused when a newer execution holds its task_id. Example: select rhythm.retry(''0190a1b2-0000-7000-8000-000000000000'')';
