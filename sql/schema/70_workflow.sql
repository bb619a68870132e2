-- Workflows: saves, and the step. A step takes the events that have arrived, runs the program until every coroutine
-- waits (in the library: `_step`), and commits state, started tasks, timers and SQL together with the event.
--
-- Locks. A tree is guarded by its root's row in `live`, only ever taken by FOR UPDATE SKIP LOCKED: nobody waits for a
-- root. Who has recorded an event tries the root; if it is free, steps; if not, leaves a mark in `runnable`, and the
-- database's worker (or tick()) steps after the holder's commit. Whether everything is there that the workflow awaits
-- is asked in a statement after the root was locked, so it sees what earlier holders committed: no wake-up is lost.
-- In REPEATABLE READ and above that statement would see an old snapshot, so there everything is left to the worker, and so
-- is what the SQL of a step brings about.

create table rhythm.saves (
  id uuid primary key,
  -- Null: failed in its first step, and may be retried from the start.
  save bytea
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
  autovacuum_vacuum_cost_delay = 0);
comment on table rhythm.saves is 'State of workflows between two steps; of failed ones, before the step that failed.';
alter table rhythm.saves alter column save set storage external;

-- Marks: somebody must look at this execution. Only inserted and deleted, so that leaving one conflicts with nobody.
create table rhythm.runnable (
  seq bigint generated always as identity,
  root_id uuid not null,
  execution_id uuid not null,
  -- As in _advance: look only if no live child of this group is left; null: look in any case.
  wake_group int,
  -- Not before this time, and in a transaction of its own: the step met a deadlock.
  alone_at timestamptz,
  -- How often it has met one in a row.
  tries int not null default 0
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
comment on table rhythm.runnable is 'Executions that somebody must look at.';
create index runnable_root on rhythm.runnable (root_id);

-- Children that a step started under a task_id which another transaction was just taking.
create table rhythm.deferred_starts (
  seq bigint generated always as identity primary key,
  execution_id uuid not null,
  item jsonb not null
);
comment on table rhythm.deferred_starts is 'Started tasks that wait until it is known who holds their task_id.';
create index deferred_starts_execution on rhythm.deferred_starts (execution_id);

-- Leaves marks for the database's worker.
create function rhythm._mark(p_ids uuid[], p_groups int[], p_contended bool) returns void
language plpgsql as $$
begin
  insert into rhythm.runnable (root_id, execution_id, wake_group)
  select l.root_id, l.id, c.wake_group
  from (select distinct * from unnest(p_ids, p_groups) as c (id, wake_group)) c
  join rhythm.live l on l.id = c.id and l.kind = 'workflow';
  if found then
    perform rhythm._wake_steps(p_contended);
  end if;
end
$$;

-- Looks at workflows for which something was recorded: (execution, group) pairs, where a group means "if no child of
-- that group is left alive", and null "in any case". Steps those that are ready and whose tree is free.
--
-- A loop, not recursion: a workflow that ends is an event of its parent. At most 32 steps of definitions that use SQL
-- happen in one call (each is a subtransaction); the rest is left to the worker.
create function rhythm._advance(p_ids uuid[], p_groups int[]) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_ids uuid[] := p_ids;
  v_groups int[] := p_groups;
  v_roots uuid[];
  v_busy uuid[];
  v_busy_groups int[];
  v_ready uuid[];
  v_at int;
  v_one record;
  v_outcome text;
  v_guarded int := 0;
  v_left uuid[];
begin
  -- The SQL of a step may call what leads here. Its own tree counts as locked to it, but its state is in the air.
  if not rhythm._sees_commits() or rhythm._in_step() or rhythm._stopped() is not null then
    perform rhythm._mark(p_ids, p_groups, false);
    return;
  end if;
  while cardinality(v_ids) > 0 loop
    v_roots := (select array_agg(r.id) from (
      select g.id from rhythm.live g
      where g.id = any (array(select l.root_id from rhythm.live l where l.id = any (v_ids) and l.kind = 'workflow'))
      order by g.id for update skip locked) r);
    select array_agg(c.id), array_agg(c.wake_group) into v_busy, v_busy_groups
    from unnest(v_ids, v_groups) as c (id, wake_group)
    join rhythm.live l on l.id = c.id and l.kind = 'workflow' and l.root_id <> all (coalesce(v_roots, '{}'));
    if v_busy is not null then
      perform rhythm._mark(v_busy, v_busy_groups, true);
    end if;
    exit when v_roots is null;

    v_ready := array(
      select distinct l.id
      from unnest(v_ids, v_groups) as c (id, wake_group)
      join rhythm.live l on l.id = c.id
      where l.root_id = any (v_roots) and l.kind = 'workflow' and l.state in ('waiting', 'pending')
        and (c.wake_group is null or not exists (
          select from rhythm.live k where k.parent_id = c.id and k.wake_group = c.wake_group))
        and (l.state = 'pending'
          or exists (select from rhythm.events e where e.execution_id = l.id)
          or exists (select from rhythm.cancels x where x.execution_id = l.id)
          or exists (select from rhythm.signal_waits w join rhythm.signals s using (execution_id, name)
            where w.execution_id = l.id))
      order by l.id);
    v_ids := '{}';
    v_groups := '{}';
    for v_at in 1 .. cardinality(v_ready) loop
      select l.id, l.parent_id, l.wake_group, d.uses_sql into v_one
      from rhythm.live l join rhythm.definitions d on d.id = l.definition_id where l.id = v_ready[v_at];
      continue when v_one.id is null;
      if v_one.uses_sql then
        v_guarded := v_guarded + 1;
        if v_guarded > 32 then
          v_left := v_left || v_one.id;
          continue;
        end if;
      end if;
      v_outcome := rhythm._step_one(v_one.id, v_one.uses_sql);
      if v_outcome in ('completed', 'failed', 'cancelled') and v_one.parent_id is not null then
        v_ids := v_ids || v_one.parent_id;
        v_groups := v_groups || case when v_outcome = 'completed' then v_one.wake_group end;
      end if;
    end loop;
  end loop;
  if v_left is not null then
    perform rhythm._mark(v_left, array_fill(null::int, array[cardinality(v_left)]), false);
  end if;
end
$$;

-- Steps one workflow, whose tree the caller has locked. A definition that uses SQL runs in a subtransaction, so that
-- an uncaught error or a limit undoes its SQL; the failure is recorded outside of it. Others have nothing to undo: the
-- library writes only when the step has succeeded. Gives suspended, completed, cancelled, failed or abandon.
--
-- A step that meets a deadlock or a serialisation failure is left to the worker, which runs it again, alone, after
-- pauses that grow; the eleventh in a row fails the workflow, since its SQL may raise such an error for ever.
create function rhythm._step_one(p_id uuid, p_guarded bool) returns text
language plpgsql as $$
#variable_conflict use_column
declare
  v_done jsonb;
  v_state text;
  v_message text;
  v_detail text;
  v_tries int;
begin
  if p_guarded then
    begin
      v_done := rhythm._step(p_id);
      if v_done ->> 'outcome' in ('failed', 'abandon') then
        raise exception using errcode = 'RH999', message = 'undo';
      end if;
    exception
      when sqlstate 'RH999' then
        null;
      when serialization_failure or deadlock_detected or lock_not_available then
        v_done := jsonb_build_object('outcome', 'abandon', 'error', jsonb_build_object('name', 'SqlError',
          'message', sqlerrm, 'code', sqlstate));
      when others then
        get stacked diagnostics v_state = returned_sqlstate, v_message = message_text, v_detail = pg_exception_detail;
        v_done := jsonb_build_object('outcome', 'failed', 'error', jsonb_build_object('name', 'InternalError',
          'message', v_message, 'code', v_state, 'data', v_detail));
    end;
  else
    v_done := rhythm._step(p_id);
  end if;
  if v_done ->> 'outcome' = 'abandon' then
    -- Events may step it before the pause is over: those tries do not count, or a burst of them would use all up.
    with tried as (
      delete from rhythm.runnable r
      where r.root_id = (select l.root_id from rhythm.live l where l.id = p_id) and r.execution_id = p_id
        and r.alone_at is not null
      returning r.tries, r.alone_at
    )
    select coalesce(max(t.tries) + (max(t.alone_at) <= rhythm._now())::int, 1) into v_tries from tried t;
    if v_tries > 10 then
      v_done := v_done || '{"outcome": "failed"}';
    else
      insert into rhythm.runnable (root_id, execution_id, alone_at, tries)
      select l.root_id, l.id, rhythm._now() + interval '5 milliseconds' * 2 ^ v_tries, v_tries
      from rhythm.live l where l.id = p_id;
      perform rhythm._wake_steps(false);
    end if;
  end if;
  if v_done ->> 'outcome' = 'failed' then
    perform rhythm._keep_logs(p_id, v_done -> 'logs'),
      rhythm._finish_workflow(p_id, 'failed', null, v_done -> 'error');
  end if;
  return v_done ->> 'outcome';
end
$$;

-- Gives what a step starts from; no row: the execution has ended.
create function rhythm._load_step(p_id uuid)
returns table (definition_id bigint, save bytea, inputs text, workflow text, version int, task_id text,
  started_at_ms float8, trace_id text, cancel_reason text, cancelling bool, cancels bigint[])
language plpgsql as $$
#variable_conflict use_column
begin
  return query
  select l.definition_id, s.save, l.inputs::text, l.name, d.version, l.task_id,
    floor(extract(epoch from coalesce(l.started_at, rhythm._now())) * 1000)::float8,
    coalesce(l.trace ->> 'traceId', nullif(split_part(l.trace ->> 'traceparent', '-', 2), '')),
    c.reason, l.cancelling or c.reason is not null, c.cancels
  from rhythm.live l
  join rhythm.definitions d on d.id = l.definition_id
  left join rhythm.saves s on s.id = l.id
  left join lateral (
    select (array_agg(coalesce(x.reason, 'cancelled') order by x.at))[1] as reason, array_agg(x.seq) as cancels
    from rhythm.cancels x where x.execution_id = p_id) c on true
  where l.id = p_id;
end
$$;

-- Gives the events that have arrived, in their order, after matching stored signals to waits. They stay: a step that
-- fails leaves them for a retry. The library hands those it took to _store_save.
create function rhythm._take_events(p_id uuid)
returns table (seq bigint, promise int, ok bool, value text, error text)
language plpgsql as $$
#variable_conflict use_column
begin
  if exists (select from rhythm.signal_waits w where w.execution_id = p_id) then
    perform rhythm._match_signals(p_id);
  end if;
  return query
  select e.seq, e.promise, e.ok, e.value::text, e.error::text
  from rhythm.events e where e.execution_id = p_id order by e.seq;
end
$$;

-- Stores lines of the log.
create function rhythm._keep_logs(p_id uuid, p_logs jsonb) returns void
language plpgsql as $$
begin
  insert into rhythm.history (execution_id, at, event, name, data)
  select p_id, to_timestamp((e ->> 'at_ms')::float8 / 1000), 'log', e ->> 'level', e -> 'message'
  from jsonb_array_elements(case jsonb_typeof(p_logs) when 'array' then p_logs end) with ordinality as x (e, at)
  order by x.at;
end
$$;

-- Returns the child that a step asked for; raises for options that cannot be.
create function rhythm._read_child(p_item jsonb, p_parent rhythm.live, p_now timestamptz)
returns rhythm.new_execution
language plpgsql as $$
declare
  v_options jsonb := coalesce(nullif(p_item -> 'options', 'null'), '{}');
  v_child rhythm.new_execution;
begin
  v_child.kind := coalesce(p_item ->> 'kind', 'task');
  perform rhythm._check_name(v_child.kind || ' name', p_item ->> 'name');
  v_child.id := rhythm._new_id();
  v_child.name := p_item ->> 'name';
  v_child.inputs := coalesce(p_item -> 'inputs', '{}');
  v_child.priority := p_parent.priority;
  v_child.trace := p_parent.trace;
  if v_child.kind = 'workflow' then
    -- The root of a tree of its own: it may outlive its parent. Its end is an event of its parent, as a task's is.
    v_child.definition_id := rhythm._current_definition(v_child.name, v_child.inputs);
  else
    v_child.root_id := p_parent.root_id;
  end if;
  v_child.parent_id := p_parent.id;
  v_child.promise := (p_item ->> 'promise')::int;
  v_child.wake_group := (p_item ->> 'group')::int;
  if v_options <> '{}' then
    v_child.queue := v_options ->> 'queue';
    v_child.task_id := v_options ->> 'taskId';
    v_child.priority := coalesce((v_options ->> 'priority')::int, p_parent.priority);
    v_child.retry := rhythm._retry(v_options -> 'retry');
    v_child.timeout := rhythm._duration(v_options -> 'timeout');
    v_child.start_timeout := rhythm._duration(v_options -> 'startTimeout');
    v_child.heartbeat_timeout := rhythm._duration(v_options -> 'heartbeatTimeout');
    v_child.attempt_timeout := rhythm._duration(v_options -> 'attemptTimeout');
    v_child.run_at := case jsonb_typeof(v_options -> 'runAt')
      when 'number' then to_timestamp((v_options ->> 'runAt')::float8 / 1000)
      when 'string' then (v_options ->> 'runAt')::timestamptz
      else p_now + rhythm._duration(v_options -> 'delay') end;
    perform rhythm._check_enqueue(v_child.kind, v_child.name, '{}', v_child.queue, v_child.task_id, v_child.priority, null,
      v_child.run_at, null, null, null, null, null);
  end if;
  return v_child;
end
$$;

-- Starts the children of a workflow: [{promise, kind, name, inputs, options, group}]. True: a promise is settled at once.
-- A child workflow takes its first step after the commit: this step has not stored its own state yet.
-- A child whose task_id another execution holds is not made: its promise gets that one's outcome. One whose task_id is
-- being taken at this moment is put off, since a step must not wait for somebody's transaction. One with impossible
-- options rejects its promise: nothing that a program says may abort the transaction in which it steps.
create function rhythm._start_children(p_id uuid, p_items jsonb) returns bool
language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_parent rhythm.live;
  v_item jsonb;
  v_items rhythm.new_execution[];
  v_held uuid[];
  v_settled bool := false;
  v_timeout text;
  v_workflows uuid[];
begin
  select l.* into v_parent from rhythm.live l where l.id = p_id;
  begin
    v_items := array(select rhythm._read_child(e, v_parent, v_now)
      from jsonb_array_elements(p_items) with ordinality as x (e, at) order by x.at);
  exception when others then
    v_items := '{}';
    for v_item in select e from jsonb_array_elements(p_items) e loop
      begin
        v_items := v_items || rhythm._read_child(v_item, v_parent, v_now);
      exception when others then
        insert into rhythm.events (execution_id, promise, ok, error)
        values (p_id, (v_item ->> 'promise')::int, false,
          jsonb_build_object('name', 'TaskError', 'message', sqlerrm, 'code', sqlstate));
        v_settled := true;
      end;
    end loop;
  end;
  if exists (select from unnest(v_items) i where i.task_id is not null) then
    v_timeout := current_setting('lock_timeout');
    begin
      perform set_config('lock_timeout', '50ms', true);
      v_held := (select rhythm._take_keys(array_agg(i.kind), array_agg(i.name), array_agg(i.task_id), array_agg(i.id))
        from unnest(v_items) i);
      perform set_config('lock_timeout', v_timeout, true);
    exception when lock_not_available or deadlock_detected then
      insert into rhythm.deferred_starts (execution_id, item)
      select p_id, e from jsonb_array_elements(p_items) e where e #>> '{options,taskId}' is not null;
      perform rhythm._wake_due(v_now + interval '100 milliseconds');
      v_items := array(select i from unnest(v_items) i where i.task_id is null);
    end;
    if v_held is not null then
      insert into rhythm.watchers (id, execution_id, promise)
      select h.held, p_id, h.promise
      from rows from (unnest(v_held), unnest(v_items)) as h (held, id, kind, name, inputs, queue, task_id, priority, run_at,
        retry, timeout, start_timeout, heartbeat_timeout, attempt_timeout, remember, discard, trace, definition_id, root_id,
        parent_id, promise, wake_group)
      where h.held <> h.id
      on conflict do nothing;
      if found then
        perform rhythm._wake_due(v_now);
        v_items := array(select i from unnest(v_items) i where i.id = any (v_held));
      end if;
    end if;
  end if;
  if v_items <> '{}' then
    perform rhythm._create(v_items, v_now);
    v_workflows := array(select i.id from unnest(v_items) i where i.kind = 'workflow' and coalesce(i.run_at <= v_now, true));
    if v_workflows <> '{}' then
      perform rhythm._mark(v_workflows, array_fill(null::int, array[cardinality(v_workflows)]), false);
    end if;
  end if;
  return v_settled;
end
$$;

-- Starts what was put off because its task_id was being taken, as far as the trees are free.
create function rhythm._start_deferred(p_max int) returns int
language plpgsql as $$
#variable_conflict use_column
declare
  v_one record;
  v_items jsonb;
  v_count int := 0;
begin
  if not exists (select from rhythm.deferred_starts) then
    return 0;
  end if;
  delete from rhythm.deferred_starts d where d.ctid = any (array(
    select o.ctid from rhythm.deferred_starts o
    where not exists (select from rhythm.saves s where s.id = o.execution_id)
      and not exists (select from rhythm.live l where l.id = o.execution_id)
    for update skip locked));
  for v_one in
    select l.id from rhythm.live l
    where l.id in (select d.execution_id from rhythm.deferred_starts d)
      and exists (select from rhythm.live r where r.id = l.root_id for update skip locked)
    limit p_max
  loop
    with taken as (
      delete from rhythm.deferred_starts d where d.execution_id = v_one.id returning d.seq, d.item
    )
    select jsonb_agg(t.item order by t.seq) into v_items from taken t;
    if rhythm._start_children(v_one.id, v_items) then
      perform rhythm._mark(array[v_one.id], array[null::int], false);
    end if;
    v_count := v_count + 1;
  end loop;
  return v_count;
end
$$;

-- Confirms watchers: under a lock that no ending of the watched execution can hold at the same time, looks whether it is
-- still alive. If it has ended meanwhile, its outcome is in the archive.
create function rhythm._confirm_watchers(p_max int) returns int
language plpgsql as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_alive uuid[];
  v_told uuid[];
begin
  v_ids := array(select w.id from rhythm.watchers w where not w.confirmed limit p_max for update skip locked);
  if v_ids = '{}' then
    return 0;
  end if;
  v_alive := array(select l.id from rhythm.live l where l.id = any (v_ids) order by l.id for key share skip locked);
  update rhythm.watchers w set confirmed = true where w.ctid = any (array(
    select o.ctid from rhythm.watchers o where o.id = any (v_alive) and not o.confirmed for update skip locked));
  -- Gone, and not merely locked by somebody.
  v_ids := array(select i from unnest(v_ids) i where not exists (select from rhythm.live l where l.id = i));
  with done as (
    delete from rhythm.watchers w where w.ctid = any (array(
      select o.ctid from rhythm.watchers o where o.id = any (v_ids) for update skip locked))
    returning w.id, w.execution_id, w.promise
  ), told as (
    insert into rhythm.events (execution_id, promise, ok, value, error)
    select d.execution_id, d.promise, coalesce(a.state = 'completed', false), a.result,
      case when a.state is distinct from 'completed' then coalesce(rhythm._task_error(a.error),
        '{"name": "TaskError", "message": "the execution that held the task_id has been swept"}') end
    from done d left join rhythm.archive a on a.id = d.id
  )
  select array_agg(d.execution_id) into v_told from done d;
  if v_told is not null then
    perform rhythm._advance(v_told, array_fill(null::int, array[cardinality(v_told)]));
  end if;
  return cardinality(v_ids);
end
$$;

-- Writes what a step wants from the world: {tasks, timers, signals, attributes, logs}. True: an event is there already
-- (a stored signal, say), so the step may take events again and run on.
create function rhythm._apply_effects(p_id uuid, p_effects jsonb) returns bool
language plpgsql as $$
#variable_conflict use_column
declare
  v_settled bool := false;
begin
  if jsonb_array_length(p_effects -> 'tasks') > 0 then
    v_settled := rhythm._start_children(p_id, p_effects -> 'tasks');
  end if;
  if jsonb_array_length(p_effects -> 'timers') > 0 then
    perform rhythm._start_timers(p_id, p_effects -> 'timers');
  end if;
  if jsonb_array_length(p_effects -> 'logs') > 0 then
    perform rhythm._keep_logs(p_id, p_effects -> 'logs');
  end if;
  if p_effects -> 'attributes' not in ('{}', 'null') then
    update rhythm.live l set attributes = coalesce(l.attributes, '{}') || (p_effects -> 'attributes') where l.id = p_id;
  end if;
  if jsonb_array_length(p_effects -> 'signals') > 0 then
    perform rhythm._await_signals(p_id, p_effects -> 'signals');
    v_settled := v_settled or exists (
      select from rhythm.signal_waits w join rhythm.signals s using (execution_id, name) where w.execution_id = p_id);
  end if;
  return v_settled;
end
$$;

-- Keeps the state after a step, and deletes exactly the events that it took and the requests to cancel that it told its
-- program: others may have arrived meanwhile.
create function rhythm._store_save(p_id uuid, p_save bytea, p_taken bigint[], p_told bigint[]) returns void
language plpgsql as $$
#variable_conflict use_column
begin
  insert into rhythm.saves as s (id, save) values (p_id, p_save)
  on conflict (id) do update set save = excluded.save;
  if cardinality(p_taken) > 0 then
    delete from rhythm.events e where e.execution_id = p_id and e.seq = any (p_taken);
  end if;
  update rhythm.live l set state = 'waiting', attempt = 1
  where l.id = p_id and l.state = 'pending';
  if cardinality(p_told) > 0 then
    delete from rhythm.cancels c where c.execution_id = p_id and c.seq = any (p_told);
    -- A step that goes on at once saves more than once.
    if found then
      insert into rhythm.history (execution_id, at, event) values (p_id, rhythm._now(), 'cancelling');
      update rhythm.live l set cancelling = true where l.id = p_id;
    end if;
  end if;
end
$$;

-- Ends a workflow, whose tree the caller has locked. One that was told to cancel ends cancelled, whatever its program
-- made of it. A failed one keeps its save, its events and its timers: it may be retried.
create function rhythm._finish_workflow(p_id uuid, p_state text, p_result jsonb, p_error jsonb) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_reason text;
  v_cancelled bool;
  v_state rhythm.state := p_state;
  v_error jsonb := p_error;
  v_watching uuid[];
begin
  select c.reason into v_reason from (
    select coalesce(x.reason, 'cancelled') as reason from rhythm.cancels x where x.execution_id = p_id order by x.at limit 1) c;
  v_cancelled := v_reason is not null
    or exists (select from rhythm.live l where l.id = p_id and l.cancelling);
  if v_cancelled then
    v_state := 'cancelled';
    v_error := coalesce(case when p_error ->> 'name' = 'CancelledError' then p_error end,
      jsonb_build_object('name', 'CancelledError', 'message', coalesce(v_reason, 'cancelled')));
  end if;
  v_watching := array(
    select s.parent_id from rhythm._settle(array[p_id], null, array[v_state],
      array[case when v_state = 'completed' then coalesce(p_result, 'null') end], array[v_error]) s
    where s.id = s.parent_id);
  if v_watching <> '{}' then
    perform rhythm._mark(v_watching, array_fill(null::int, array[cardinality(v_watching)]), false);
  end if;
  if v_state in ('failed', 'timed_out') then
    insert into rhythm.saves (id) values (p_id) on conflict do nothing;
  else
    perform rhythm._forget(array[p_id]);
  end if;
  if v_state in ('cancelled', 'timed_out') then
    perform rhythm._cancel_children(p_id, coalesce(v_error ->> 'message', 'cancelled'));
  end if;
end
$$;

-- Deletes what belonged to workflows that are over. Timers and waits may be firing in another transaction, which then
-- deletes them itself.
create function rhythm._forget(p_ids uuid[]) returns void
language plpgsql as $$
begin
  delete from rhythm.saves s where s.id = any (p_ids);
  delete from rhythm.events e where e.execution_id = any (p_ids);
  delete from rhythm.timers t where t.ctid = any (array(
    select o.ctid from rhythm.timers o where o.execution_id = any (p_ids) for update skip locked));
  delete from rhythm.signal_waits w where w.ctid = any (array(
    select o.ctid from rhythm.signal_waits o where o.execution_id = any (p_ids) for update skip locked));
  delete from rhythm.signals s where s.execution_id = any (p_ids);
  delete from rhythm.cancels c where c.execution_id = any (p_ids);
  delete from rhythm.watchers w where w.execution_id = any (p_ids);
  delete from rhythm.deferred_starts d where d.execution_id = any (p_ids);
end
$$;

-- Runs the SQL of a program, as the user and with the settings that the library has put in place. The exception block
-- is the subtransaction that makes an SQL error catchable. The search_path is the deployer's, so everything is qualified.
-- Gives JSON text, which keeps the order of the columns:
-- {ok: true, rows, string_columns}, {ok: false, sqlstate, message, detail, hint}, or {ok: false, timed_out: true} when the
-- step's time was up (rhythm.step_timeout, whose timer cancels the statement).
create function rhythm._sql_query(p_query text, p_params jsonb) returns text
language plpgsql as $$
declare
  v_plan pg_catalog.jsonb;
  v_text pg_catalog.text;
  v_count int;
  v_row record;
  v_rows pg_catalog.text[];
  v_state pg_catalog.text;
  v_message pg_catalog.text;
  v_detail pg_catalog.text;
  v_hint pg_catalog.text;
begin
  v_plan := rhythm._sql_analyze(p_query);
  v_text := pg_catalog.jsonb_extract_path_text(v_plan, 'text');
  v_count := pg_catalog.jsonb_extract_path_text(v_plan, 'params');
  if pg_catalog.jsonb_array_length(p_params) operator(pg_catalog.<>) v_count then
    raise exception using errcode = '08P01',
      message = pg_catalog.format('the query has %s parameters, but %s values were given', v_count,
        pg_catalog.jsonb_array_length(p_params));
  end if;
  if pg_catalog.jsonb_extract_path_text(v_plan, 'returns_rows')::pg_catalog.bool then
    -- A loop, since not every statement that gives rows may stand inside another.
    for v_row in execute v_text using p_params loop
      v_rows := pg_catalog.array_append(v_rows, pg_catalog.row_to_json(v_row)::pg_catalog.text);
    end loop;
  else
    execute v_text using p_params;
  end if;
  return pg_catalog.format('{"ok":true,"rows":[%s],"string_columns":%s}', pg_catalog.array_to_string(v_rows, ','),
    pg_catalog.jsonb_extract_path(v_plan, 'string_columns'));
exception
  when serialization_failure or deadlock_detected then
    raise;
  when query_canceled then
    if rhythm._step_timed_out() then
      return '{"ok":false,"timed_out":true}';
    end if;
    raise;
  when others then
    get stacked diagnostics v_state = returned_sqlstate, v_message = message_text, v_detail = pg_exception_detail,
      v_hint = pg_exception_hint;
    return pg_catalog.jsonb_build_object('ok', false, 'sqlstate', v_state, 'message', v_message,
      'detail', case when pg_catalog.length(v_detail) operator(pg_catalog.>) 0 then v_detail end,
      'hint', case when pg_catalog.length(v_hint) operator(pg_catalog.>) 0 then v_hint end)::pg_catalog.text;
end
$$;
