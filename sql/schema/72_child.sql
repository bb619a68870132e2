-- Children: the tasks and workflows that a step starts. A task belongs to the tree of its parent; a workflow is the root of a tree of
-- its own, and its end is an event of its parent, as a task's is.
--
-- Locks: keys of task_ids, under a lock_timeout of 50 ms, since a step must not wait for somebody's transaction; rows of watchers and
-- watched executions with SKIP LOCKED.

-- Children that a step started under a task_id which another transaction was just taking.
create table rhythm.deferred_starts (
  seq bigint generated always as identity primary key,
  execution_id uuid not null,
  item jsonb not null,
  -- Has failed, and is not tried again before this.
  not_before timestamptz
);
comment on table rhythm.deferred_starts is 'Started tasks that wait until it is known who holds their task_id.';
create index deferred_starts_execution on rhythm.deferred_starts (execution_id);

-- Returns the child that a step asked for; raises for options that cannot be. No locks.
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
  -- One that nobody has raised leaves it to what is registered of the task, or set of its queue.
  v_child.priority := nullif(p_parent.priority, 0);
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
    v_child.priority := coalesce((v_options ->> 'priority')::int, v_child.priority);
    v_child.retry := rhythm._retry(v_options -> 'retry');
    v_child.timeout := rhythm._duration(v_options -> 'timeout');
    v_child.start_timeout := rhythm._duration(v_options -> 'startTimeout');
    v_child.heartbeat_timeout := rhythm._duration(v_options -> 'heartbeatTimeout');
    v_child.attempt_timeout := rhythm._duration(v_options -> 'attemptTimeout');
    v_child.run_at := case jsonb_typeof(v_options -> 'runAt')
      when 'number' then to_timestamp((v_options ->> 'runAt')::float8 / 1000)
      when 'string' then (v_options ->> 'runAt')::timestamptz
      else p_now + rhythm._duration(v_options -> 'delay') end;
    v_child.discard := v_options ->> 'result' = 'discard';
    perform rhythm._check_enqueue(v_child.kind, v_child.name, '{}', v_child.queue, v_child.task_id, v_child.priority, null,
      v_child.run_at, null, null, v_child.heartbeat_timeout, v_child.attempt_timeout, v_options ->> 'result');
  end if;
  return v_child;
end
$$;

-- Compares children, whose keys are taken, with the schemas of their tasks; returns those that start. What is refused rejects its
-- promise, and those of others of its task_id in its parent's step, and gives its key back. A warning is a line of the workflow's log.
-- Locks: none but rows that these steps have made. Dying halfway undoes the steps.
create function rhythm._fitting_children(p_items rhythm.new_execution[]) returns rhythm.new_execution[]
language plpgsql as $$
declare
  v_one record;
  v_wrong text;
  v_refused uuid[] := '{}';
begin
  for v_one in
    select i.id, i.parent_id, i.promise, i.kind, i.name, i.task_id, i.inputs, t.input_schema, t.schema_check
    from unnest(p_items) with ordinality as i (id, kind, name, inputs, queue, task_id, priority, run_at, retry, timeout,
      start_timeout, heartbeat_timeout, attempt_timeout, remember, discard, trace, definition_id, root_id, parent_id, promise,
      wake_group, at)
    join rhythm.served_tasks t on t.name = i.name and i.kind = 'task' and t.schema_check is not null
    order by i.at
  loop
    v_wrong := rhythm._misfits(v_one.input_schema, v_one.inputs);
    continue when v_wrong is null;
    v_wrong := format('inputs do not fit task "%s": %s', v_one.name, left(replace(v_wrong, E'\n', '; '), 1000));
    if v_one.schema_check = 'warn' then
      perform rhythm._keep_logs(array[v_one.parent_id], jsonb_build_array(jsonb_build_object('logs', jsonb_build_array(
        jsonb_build_object('level', 'warn', 'message', v_wrong, 'at_ms', extract(epoch from rhythm._now()) * 1000)))));
      continue;
    end if;
    v_refused := v_refused || v_one.id;
    delete from rhythm.keys k
    where k.kind = v_one.kind and k.name = v_one.name and k.task_id = v_one.task_id and k.id = v_one.id;
    with others as (
      delete from rhythm.watchers w where w.id = v_one.id and w.execution_id = v_one.parent_id returning w.promise
    )
    insert into rhythm.events (execution_id, promise, ok, error)
    select v_one.parent_id, n.promise, false, jsonb_build_object('name', 'TaskError', 'message', v_wrong, 'code', 'RH104')
    from (select v_one.promise union all select o.promise from others o) n;
  end loop;
  return array(select i from unnest(p_items) i where i.id <> all (v_refused));
end
$$;

-- Notes what the end of their parent does to child workflows that were just made, where their calls say it. Locks: none but rows that
-- this step has made. Dying halfway undoes the step.
create function rhythm._note_parent_closes(p_ids uuid[], p_parents uuid[], p_effects jsonb) returns void
language plpgsql as $$
declare
  v_one record;
begin
  for v_one in
    select o.id, e #>> '{options,onParentClose}' as close, array_agg((e ->> 'promise')::int) as promises
    from rows from (unnest(p_parents), jsonb_array_elements(p_effects)) as o (id, effects), jsonb_array_elements(o.effects -> 'tasks') e
    where e #>> '{options,onParentClose}' in ('cancel', 'abandon')
    group by 1, 2
  loop
    update rhythm.live l set parent_close = v_one.close
    where l.id = any (p_ids) and l.parent_id = v_one.id and l.promise = any (v_one.promises);
  end loop;
end
$$;

-- Starts the children of workflows: those of the i-th are p_effects[i].tasks, [{promise, kind, name, inputs, options, group}]. Gives
-- the workflows of which a promise is settled at once. A child workflow takes its first step after the commit: this step has not
-- stored its own state yet.
--
-- A child whose task_id another execution holds is not made: its promise gets that one's outcome. One whose task_id is
-- being taken at this moment is put off, since a step must not wait for somebody's transaction. One with impossible
-- options, or inputs that its task refuses, rejects its promise: nothing that a program says may abort the transaction in
-- which it steps. Locks: keys for 50 ms at most, as the head of this file says; the caller has the tree. Dying halfway undoes
-- the step.
create function rhythm._start_children(p_ids uuid[], p_effects jsonb) returns uuid[]
language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_one record;
  v_items rhythm.new_execution[];
  v_made rhythm.new_execution[];
  v_held uuid[];
  v_settled uuid[] := '{}';
  v_timeout text;
  v_workflows uuid[];
  -- Whether some have a task_id, something registered or configured, or are workflows.
  v_keyed bool;
  v_special bool;
  v_nested bool;
begin
  begin
    v_items := array(select rhythm._read_child(e, l, v_now)
      from rows from (unnest(p_ids), jsonb_array_elements(p_effects)) with ordinality as o (id, effects, number)
      join rhythm.live l on l.id = o.id, jsonb_array_elements(o.effects -> 'tasks') with ordinality as x (e, at)
      order by o.number, x.at);
  exception when others then
    v_items := '{}';
    for v_one in
      select l as parent, e as item
      from rows from (unnest(p_ids), jsonb_array_elements(p_effects)) with ordinality as o (id, effects, number)
      join rhythm.live l on l.id = o.id, jsonb_array_elements(o.effects -> 'tasks') with ordinality as x (e, at)
      order by o.number, x.at
    loop
      begin
        v_items := v_items || rhythm._read_child(v_one.item, v_one.parent, v_now);
      exception when others then
        insert into rhythm.events (execution_id, promise, ok, error)
        values ((v_one.parent).id, (v_one.item ->> 'promise')::int, false,
          jsonb_build_object('name', 'TaskError', 'message', sqlerrm, 'code', sqlstate));
        v_settled := v_settled || (v_one.parent).id;
      end;
    end loop;
  end;
  select bool_or(i.task_id is not null), bool_or(i.kind = 'task' and not rhythm._is_plain(i.name, coalesce(i.queue, 'default'))),
    bool_or(i.kind = 'workflow')
  into v_keyed, v_special, v_nested
  from unnest(v_items) i;
  if v_keyed then
    v_timeout := current_setting('lock_timeout');
    begin
      perform set_config('lock_timeout', '50ms', true);
      v_held := (select rhythm._take_keys(array_agg(i.kind), array_agg(i.name), array_agg(i.task_id), array_agg(i.id))
        from unnest(v_items) i);
      perform set_config('lock_timeout', v_timeout, true);
    exception when lock_not_available or deadlock_detected then
      insert into rhythm.deferred_starts (execution_id, item)
      select o.id, e
      from rows from (unnest(p_ids), jsonb_array_elements(p_effects)) with ordinality as o (id, effects, number),
        jsonb_array_elements(o.effects -> 'tasks') with ordinality as x (e, at)
      where e #>> '{options,taskId}' is not null
      order by o.number, x.at;
      perform rhythm._wake_due(v_now + interval '100 milliseconds');
      v_items := array(select i from unnest(v_items) i where i.task_id is null);
    end;
    if v_held is not null then
      insert into rhythm.watchers (id, execution_id, promise)
      select h.held, h.parent_id, h.promise
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
  -- Only now, as what another execution holds starts nothing, and what is put off is not compared again and again.
  if v_special then
    v_made := rhythm._fitting_children(v_items);
    if cardinality(v_made) < cardinality(v_items) then
      v_settled := v_settled || array(select i.parent_id from unnest(v_items) i except all select i.parent_id from unnest(v_made) i);
      v_items := v_made;
    end if;
  end if;
  if v_items <> '{}' then
    perform rhythm._create(v_items, v_now);
    if v_nested then
      v_workflows := array(select i.id from unnest(v_items) i where i.kind = 'workflow');
      perform rhythm._note_parent_closes(v_workflows, p_ids, p_effects);
      v_workflows := array(select i.id from unnest(v_items) i where i.kind = 'workflow' and coalesce(i.run_at <= v_now, true));
      perform rhythm._mark(v_workflows, array_fill(null::int, array[cardinality(v_workflows)]), false);
    end if;
  end if;
  return v_settled;
end
$$;

-- Starts what was put off because its task_id was being taken, as far as the trees are free; gives of how many workflows. `p_only`: of
-- this one. Locks: roots, skipping those that others hold, then keys as _start_children. Dying halfway leaves all of it put off.
create function rhythm._start_deferred(p_max int, p_only uuid default null) returns int
language plpgsql as $$
#variable_conflict use_column
declare
  v_ids uuid[] := array[p_only];
  v_one record;
  v_items jsonb;
  v_count int := 0;
begin
  if p_only is null then
    if not exists (select from rhythm.deferred_starts) then
      return 0;
    end if;
    delete from rhythm.deferred_starts d where d.ctid = any (array(
      select o.ctid from rhythm.deferred_starts o
      where not exists (select from rhythm.saves s where s.id = o.execution_id)
        and not exists (select from rhythm.live l where l.id = o.execution_id)
      for update skip locked));
    v_ids := array(select distinct d.execution_id from rhythm.deferred_starts d where coalesce(d.not_before <= rhythm._now(), true));
  end if;
  for v_one in
    select l.id from rhythm.live l
    where l.id = any (v_ids) and exists (select from rhythm.live r where r.id = l.root_id for update skip locked)
    limit p_max
  loop
    with taken as (
      delete from rhythm.deferred_starts d where d.execution_id = v_one.id returning d.seq, d.item
    )
    select jsonb_agg(t.item order by t.seq) into v_items from taken t;
    if rhythm._start_children(array[v_one.id], jsonb_build_array(jsonb_build_object('tasks', v_items))) <> '{}' then
      perform rhythm._mark(array[v_one.id], array[null::int], false);
    end if;
    v_count := v_count + 1;
  end loop;
  return v_count;
end
$$;

-- Confirms watchers: under a lock that no ending of the watched execution can hold at the same time, looks whether it is
-- still alive. If it has ended meanwhile, its outcome is in the archive. Gives how many executions are alive or have ended. `p_only`:
-- watchers of this workflow. Locks: watchers, what they watch, then roots, skipping those that others hold. Dying halfway confirms nothing.
create function rhythm._confirm_watchers(p_max int, p_only uuid default null) returns int
language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_ids uuid[];
  v_alive uuid[];
  v_told uuid[];
begin
  if p_only is null then
    v_ids := array(select w.id from rhythm.watchers w where not w.confirmed and coalesce(w.not_before <= v_now, true)
      limit p_max for update skip locked);
  else
    v_ids := array(select w.id from rhythm.watchers w where w.execution_id = p_only and not w.confirmed for update skip locked);
  end if;
  if v_ids = '{}' then
    return 0;
  end if;
  v_alive := array(select l.id from rhythm.live l where l.id = any (v_ids) order by l.id for key share skip locked);
  update rhythm.watchers w set confirmed = true where w.ctid = any (array(
    select o.ctid from rhythm.watchers o where o.id = any (v_alive) and not o.confirmed
      and o.execution_id = coalesce(p_only, o.execution_id) and coalesce(o.not_before <= v_now, true) for update skip locked));
  -- Gone, and not merely locked by somebody.
  v_ids := array(select i from unnest(v_ids) i where not exists (select from rhythm.live l where l.id = i));
  with done as (
    delete from rhythm.watchers w where w.ctid = any (array(
      select o.ctid from rhythm.watchers o where o.id = any (v_ids)
        and o.execution_id = coalesce(p_only, o.execution_id) and coalesce(o.not_before <= v_now, true) for update skip locked))
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
  return cardinality(v_alive) + cardinality(v_ids);
end
$$;
