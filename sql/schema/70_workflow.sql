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

-- Leaves marks for the database's worker. No locks: a mark is an insert. Dying halfway leaves none, nor what it was about.
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
-- happen in one call (each is a subtransaction); the rest is left to the worker. Locks: roots with SKIP LOCKED, as the head of
-- this file says. Dying halfway undoes the steps together with what the caller recorded.
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
  v_guarded int := 0;
  v_left uuid[];
  -- Steps that are done together: those without SQL.
  v_plain uuid[];
  v_chunk uuid[];
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
      where l.root_id = any (v_roots) and l.kind = 'workflow' and (l.state in ('waiting', 'pending')
          -- One that was to go on later is not told, but it may be ended.
          or exists (select from rhythm.cancels x where x.execution_id = l.id and x.at_once))
        and (c.wake_group is null or not exists (
          select from rhythm.live k where k.parent_id = c.id and k.wake_group = c.wake_group))
        and (l.state = 'pending'
          or exists (select from rhythm.events e where e.execution_id = l.id)
          or exists (select from rhythm.cancels x where x.execution_id = l.id)
          or exists (
            select from rhythm.signal_waits w
            join rhythm.signals s on s.execution_id = w.execution_id and s.name = w.name and (w.key is null or s.key = w.key)
            where w.execution_id = l.id))
      order by l.id);
    v_ids := '{}';
    v_groups := '{}';
    v_plain := '{}';
    for v_one in
      select l.id, l.parent_id, d.uses_sql,
        exists (select from rhythm.cancels x where x.execution_id = l.id and x.at_once) as ends
      from rhythm.live l join rhythm.definitions d on d.id = l.definition_id where l.id = any (v_ready) order by l.id
    loop
      if v_one.ends then
        -- Unless one before it in this loop has ended it.
        continue when not exists (select from rhythm.live l where l.id = v_one.id);
        perform rhythm._finish_workflow(v_one.id, 'cancelled', null, null);
        if v_one.parent_id is not null then
          v_ids := v_ids || v_one.parent_id;
          v_groups := v_groups || null::int;
        end if;
      elsif not v_one.uses_sql then
        v_plain := v_plain || v_one.id;
      elsif v_guarded = 32 then
        v_left := v_left || v_one.id;
      else
        v_guarded := v_guarded + 1;
        select v_ids || coalesce(array_agg(s.parent_id), '{}'), v_groups || coalesce(array_agg(s.wake_group), '{}')
        into v_ids, v_groups from rhythm._step_many(array[v_one.id], true) s;
      end if;
    end loop;
    -- A large state counts as many: those of a chunk are in memory together.
    for v_chunk in
      select array_agg(c.id order by c.id) from (
        select p.id, (sum(1 + coalesce(octet_length(s.save), 0) / 131072) over (order by p.id) - 1) / 64 as number
        from unnest(v_plain) p (id) left join rhythm.saves s on s.id = p.id) c
      group by c.number order by c.number
    loop
      select v_ids || coalesce(array_agg(s.parent_id), '{}'), v_groups || coalesce(array_agg(s.wake_group), '{}')
      into v_ids, v_groups from rhythm._step_many(v_chunk, false) s;
    end loop;
  end loop;
  if v_left is not null then
    perform rhythm._mark(v_left, array_fill(null::int, array[cardinality(v_left)]), false);
  end if;
end
$$;

-- Steps workflows, whose trees the caller has locked: in the library, all of them in one call. Gives whom to look at, as _advance
-- takes it: the parents of those that have ended.
--
-- One whose definition uses SQL is guarded, and alone: it runs in a subtransaction, so that an uncaught error or a limit undoes its
-- SQL; the failure is recorded outside of it. Others have nothing to undo: the library writes only what has succeeded. Locks: as what
-- the library calls; the caller has the trees. Dying halfway undoes the steps together with what the caller recorded.
create function rhythm._step_many(p_ids uuid[], p_guarded bool) returns table (parent_id uuid, wake_group int)
language plpgsql as $$
#variable_conflict use_column
declare
  v_parents uuid[];
  v_promises int[];
  v_groups int[];
  v_done jsonb;
  v_outcomes text[];
  v_at int;
  v_state text;
  v_message text;
  v_detail text;
begin
  -- Of those that end no row is left.
  select array_agg(l.parent_id order by p.at), array_agg(l.promise order by p.at), array_agg(l.wake_group order by p.at)
  into v_parents, v_promises, v_groups
  from unnest(p_ids) with ordinality as p (id, at) left join rhythm.live l on l.id = p.id;
  if p_guarded then
    begin
      v_done := rhythm._step(p_ids);
      if v_done -> 0 ->> 'outcome' in ('failed', 'abandon') then
        raise exception using errcode = 'RH999', message = 'undo';
      end if;
    exception
      when sqlstate 'RH999' then
        null;
      when serialization_failure or deadlock_detected or lock_not_available then
        v_done := jsonb_build_array(jsonb_build_object('outcome', 'abandon', 'error', jsonb_build_object('name', 'SqlError',
          'message', sqlerrm, 'code', sqlstate)));
      when others then
        get stacked diagnostics v_state = returned_sqlstate, v_message = message_text, v_detail = pg_exception_detail;
        v_done := jsonb_build_array(jsonb_build_object('outcome', 'failed', 'error', jsonb_build_object('name', 'InternalError',
          'message', v_message, 'code', v_state, 'data', v_detail)));
    end;
  else
    v_done := rhythm._step(p_ids);
  end if;
  v_outcomes := array(select e ->> 'outcome' from jsonb_array_elements(v_done) with ordinality as d (e, at) order by d.at);
  for v_at in 1 .. cardinality(p_ids) loop
    if v_outcomes[v_at] in ('failed', 'abandon') then
      v_outcomes[v_at] := rhythm._end_of_step(p_ids[v_at], v_done -> (v_at - 1));
    end if;
  end loop;
  return query
  select o.parent_id,
    -- One that was cancelled while it did its last step rejects, whatever it has returned.
    case when o.outcome = 'completed' and coalesce((
      -- Its event is the newest, or nearly so, of maybe many.
      select e.ok from rhythm.events e where e.execution_id = o.parent_id and e.promise = o.promise
      order by e.seq desc limit 1), true)
    then o.wake_group end
  from unnest(v_outcomes, v_parents, v_promises, v_groups) as o (outcome, parent_id, promise, wake_group)
  where o.parent_id is not null and o.outcome in ('completed', 'failed', 'cancelled');
end
$$;

-- What becomes of a workflow whose step has failed, or was given up; gives the outcome. The caller has its tree.
--
-- A step that meets a deadlock or a serialisation failure is left to the worker, which runs it again, alone, after
-- pauses that grow; the eleventh in a row fails the workflow, since its SQL may raise such an error for ever. Locks: marks of the run,
-- which are its tree's. Dying halfway undoes it together with the step.
create function rhythm._end_of_step(p_id uuid, p_done jsonb) returns text
language plpgsql as $$
#variable_conflict use_column
declare
  v_tries int;
begin
  if p_done ->> 'outcome' = 'abandon' then
    -- Events may step it before the pause is over: those tries do not count, or a burst of them would use all up.
    with tried as (
      delete from rhythm.runnable r
      where r.root_id = (select l.root_id from rhythm.live l where l.id = p_id) and r.execution_id = p_id
        and r.alone_at is not null
      returning r.tries, r.alone_at
    )
    select coalesce(max(t.tries) + (max(t.alone_at) <= rhythm._now())::int, 1) into v_tries from tried t;
    if v_tries <= 10 then
      insert into rhythm.runnable (root_id, execution_id, alone_at, tries)
      select l.root_id, l.id, rhythm._now() + interval '5 milliseconds' * 2 ^ v_tries, v_tries
      from rhythm.live l where l.id = p_id;
      perform rhythm._wake_steps(false);
      return 'abandon';
    end if;
  end if;
  perform rhythm._keep_logs(array[p_id], jsonb_build_array(jsonb_build_object('logs', p_done -> 'logs'))),
    rhythm._finish_workflow(p_id, 'failed', null, p_done -> 'error');
  return 'failed';
end
$$;

-- Gives what steps start from; no row: the execution has ended. No locks: the caller has the trees.
create function rhythm._load_steps(p_ids uuid[])
returns table (id uuid, definition_id bigint, save bytea, inputs text, workflow text, version int, task_id text,
  started_at_ms float8, trace_id text, cancel_reason text, cancelling bool, cancels bigint[])
language plpgsql as $$
#variable_conflict use_column
begin
  return query
  select l.id, l.definition_id, s.save, l.inputs::text, l.name, d.version, l.task_id,
    floor(extract(epoch from coalesce(l.started_at, rhythm._now())) * 1000)::float8,
    coalesce(l.trace ->> 'traceId', nullif(split_part(l.trace ->> 'traceparent', '-', 2), '')),
    -- It is told once: a second word must not end its cleaning up.
    case when l.cancelling is not true then c.reason end, l.cancelling or c.reason is not null, c.cancels
  from rhythm.live l
  join rhythm.definitions d on d.id = l.definition_id
  left join rhythm.saves s on s.id = l.id
  left join lateral (
    select (array_agg(coalesce(x.reason, 'cancelled') order by x.at))[1] as reason, array_agg(x.seq) as cancels
    -- One that is to end at once is not told: a look at its mark ends it.
    from rhythm.cancels x where x.execution_id = l.id and not x.at_once) c on true
  where l.id = any (p_ids);
end
$$;

-- Gives the events that have arrived, those of each execution in their order, after matching stored signals to waits. They stay: a
-- step that fails leaves them for a retry. The library hands those it took to _write_steps. Locks: waits and signals, as
-- _match_signals; the caller has the trees.
create function rhythm._take_events(p_ids uuid[])
returns table (execution_id uuid, seq bigint, promise int, ok bool, value text, error text)
language plpgsql as $$
#variable_conflict use_column
begin
  perform rhythm._match_signals(w.execution_id)
  from (select distinct w.execution_id from rhythm.signal_waits w where w.execution_id = any (p_ids)) w;
  return query
  select e.execution_id, e.seq, e.promise, e.ok, e.value::text, e.error::text
  from rhythm.events e where e.execution_id = any (p_ids) order by e.execution_id, e.seq;
end
$$;

-- Stores lines of the log: of the i-th run p_effects[i].logs. No locks: lines are inserts.
create function rhythm._keep_logs(p_ids uuid[], p_effects jsonb) returns void
language plpgsql as $$
begin
  insert into rhythm.history (execution_id, at, event, name, data)
  select o.id, to_timestamp((e ->> 'at_ms')::float8 / 1000), 'log', e ->> 'level', e -> 'message'
  from rows from (unnest(p_ids), jsonb_array_elements(p_effects)) with ordinality as o (id, effects, number),
    jsonb_array_elements(case jsonb_typeof(o.effects -> 'logs') when 'array' then o.effects -> 'logs' end) with ordinality as x (e, at)
  order by o.number, x.at;
end
$$;

-- Writes what steps want from the world: p_effects[i] is {tasks, timers, signals, replies, cancels, attributes, logs} of the i-th, or
-- null. Gives those for which an event is there already (a stored signal, say), so that the step may take events again and run on.
-- Locks: as its parts; none of them waits, and keys for 50 ms at most. The caller has the trees. Dying halfway undoes the steps.
create function rhythm._apply_effects(p_ids uuid[], p_effects jsonb) returns uuid[]
language plpgsql as $$
#variable_conflict use_column
declare
  v_keys text[] := array(select distinct k from jsonb_array_elements(p_effects) e,
    jsonb_object_keys(case jsonb_typeof(e) when 'object' then e end) k);
  v_news uuid[] := '{}';
  v_one record;
begin
  if 'tasks' = any (v_keys) then
    v_news := rhythm._start_children(p_ids, p_effects);
  end if;
  if 'timers' = any (v_keys) then
    perform rhythm._start_timers(p_ids, p_effects);
  end if;
  if 'logs' = any (v_keys) then
    perform rhythm._keep_logs(p_ids, p_effects);
  end if;
  if v_keys && '{attributes,signals,replies,cancels}' then
    for v_one in
      select o.id, o.effects -> 'attributes' as attributes, o.effects -> 'signals' as signals, o.effects -> 'replies' as replies,
        o.effects -> 'cancels' as cancels
      from rows from (unnest(p_ids), jsonb_array_elements(p_effects)) with ordinality as o (id, effects, at)
      where o.effects ?| '{attributes,signals,replies,cancels}' order by o.at
    loop
      if v_one.attributes is not null then
        perform rhythm._set_attributes(v_one.id, v_one.attributes);
      end if;
      if v_one.signals is not null then
        perform rhythm._await_signals(v_one.id, v_one.signals);
        if exists (
          select from rhythm.signal_waits w
          join rhythm.signals s on s.execution_id = w.execution_id and s.name = w.name and (w.key is null or s.key = w.key)
          where w.execution_id = v_one.id)
        then
          v_news := v_news || v_one.id;
        end if;
      end if;
      if v_one.replies is not null then
        perform rhythm._reply(v_one.id, v_one.replies);
      end if;
      if v_one.cancels is not null then
        perform rhythm._give_up(v_one.id, v_one.cancels);
      end if;
    end loop;
  end if;
  return v_news;
end
$$;

-- Writes what has become of steps: their effects (see _apply_effects), then the state of those that wait (p_saves), and the end of
-- those that have returned (p_results) or have ended as they were told to (p_errors); an entry of these three is null where it does
-- not apply. Deletes exactly the events that the steps took (p_taken, each by the run p_taken_by) and the requests to cancel that they
-- told their programs (p_told): others may have arrived meanwhile. Gives those that may run on at once. Locks: as its parts; the caller has the trees. Dying halfway undoes
-- the steps.
create function rhythm._write_steps(p_ids uuid[], p_effects jsonb, p_saves bytea[], p_results jsonb[], p_errors jsonb[],
  p_taken_by uuid[], p_taken bigint[], p_told bigint[]) returns uuid[]
language plpgsql as $$
#variable_conflict use_column
declare
  v_news uuid[] := '{}';
begin
  if p_effects is not null then
    v_news := rhythm._apply_effects(p_ids, p_effects);
  end if;
  insert into rhythm.saves as s (id, save)
  select o.id, o.save from unnest(p_ids, p_saves) as o (id, save) where o.save is not null
  on conflict (id) do update set save = excluded.save;
  if cardinality(p_taken) > 0 then
    delete from rhythm.events e using unnest(p_taken_by, p_taken) as t (execution_id, seq)
    where e.execution_id = t.execution_id and e.seq = t.seq;
  end if;
  update rhythm.live l set state = 'waiting', attempt = 1
  from unnest(p_ids, p_saves) as o (id, save)
  where o.save is not null and l.id = o.id and l.state = 'pending';
  if cardinality(p_told) > 0 then
    perform rhythm._note_told(p_ids, p_told);
  end if;
  perform rhythm._finish_workflow(o.id, case when o.error is null then 'completed' else 'cancelled' end, o.result, o.error)
  from unnest(p_ids, p_results, p_errors) as o (id, result, error) where o.result is not null or o.error is not null;
  return v_news;
end
$$;

-- Notes that programs were told to cancel, and gives them their grace. A step that goes on at once comes here more than once.
-- Locks: none but rows of the runs; the caller has the trees. Dying halfway undoes the steps.
create function rhythm._note_told(p_ids uuid[], p_told bigint[]) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_grace interval;
begin
  with told as (
    delete from rhythm.cancels c where c.execution_id = any (p_ids) and c.seq = any (p_told)
    returning c.execution_id, c.seq, c.grace, c.reason
  ), runs as (
    select t.execution_id, min(t.grace) as grace, (array_agg(t.reason order by t.seq))[1] as reason from told t group by t.execution_id
  ), noted as (
    insert into rhythm.history (execution_id, at, event, data)
    select r.execution_id, v_now, 'cancelling', jsonb_strip_nulls(jsonb_build_object('reason', r.reason, 'grace', r.grace))
    from runs r
  ), ending as (
    update rhythm.live l set cancelling = true, end_by = least(l.end_by, v_now + r.grace), due_at = least(l.due_at, v_now + r.grace)
    from runs r where l.id = r.execution_id
  )
  select min(r.grace) into v_grace from runs r;
  if v_grace is not null then
    perform rhythm._wake_due(v_now + v_grace);
  end if;
end
$$;

-- Ends a workflow, whose tree the caller has locked. One that was told to cancel ends cancelled, whatever its program
-- made of it. A failed one keeps its save, its events and its timers: it may be retried. One whose queue keeps nothing leaves nothing,
-- and takes the members of its tree along.
create function rhythm._finish_workflow(p_id uuid, p_state text, p_result jsonb, p_error jsonb) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_reason text;
  v_at_once bool;
  v_grace interval;
  v_is_over bool := false;
  v_cancelled bool;
  v_is_kept bool;
  v_name text;
  v_task_id text;
  v_state rhythm.state := p_state;
  v_error jsonb := p_error;
  v_watching uuid[];
begin
  select (array_agg(coalesce(c.reason, 'cancelled') order by c.at_once desc, c.at))[1], bool_or(c.at_once), min(c.grace)
  into v_reason, v_at_once, v_grace
  from rhythm.cancels c where c.execution_id = p_id;
  select v_reason is not null or coalesce(l.cancelling, false), rhythm._expires_on(l.kind, q.retention, rhythm._now()) is not null,
    l.name, l.task_id
  into v_cancelled, v_is_kept, v_name, v_task_id
  from rhythm.live l left join rhythm.queue_settings q on q.name = l.queue where l.id = p_id;
  if v_cancelled then
    v_state := 'cancelled';
    -- What its program was told.
    select coalesce(v_reason, (array_agg(h.data ->> 'reason' order by h.seq))[1]), least(v_grace, min((h.data ->> 'grace')::interval)),
      coalesce(p_state = 'timed_out' and min(h.at + (h.data ->> 'grace')::interval) <= rhythm._now(), false)
    into v_reason, v_grace, v_is_over
    from rhythm.history h where h.execution_id = p_id and h.event = 'cancelling';
    if v_is_over then
      insert into rhythm.history (execution_id, at, event) values (p_id, rhythm._now(), 'grace_over');
    end if;
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
  if v_state in ('failed', 'timed_out') and v_is_kept then
    insert into rhythm.saves (id) values (p_id) on conflict do nothing;
  else
    perform rhythm._forget(array[p_id]);
  end if;
  perform rhythm._mark_left_signals(p_id);
  if not v_is_kept then
    perform rhythm._take_members(array[p_id], null);
    delete from rhythm.published p where p.id = p_id;
    -- As long as its task_id is remembered, so are the keys of its signals; they go with that.
    delete from rhythm.signal_keys s where s.execution_id = p_id
      and not exists (select from rhythm.keys k where k.kind = 'workflow' and k.name = v_name and k.task_id = v_task_id and k.id = p_id);
  end if;
  if v_state in ('cancelled', 'timed_out') then
    perform rhythm._cancel_children(p_id, coalesce(v_error ->> 'message', 'cancelled'), v_grace, coalesce(v_at_once, false), v_is_over);
  end if;
end
$$;

-- Deletes what belonged to workflows that are over. Timers and waits may be firing in another transaction, which then
-- deletes them itself; signals that may start the next run are for _pass_on_signals. Locks: timers and waits with SKIP LOCKED;
-- the rest is nobody else's, as the caller has the tree, or the run is swept.
create function rhythm._forget(p_ids uuid[]) returns void
language plpgsql as $$
begin
  delete from rhythm.saves s where s.id = any (p_ids);
  delete from rhythm.events e where e.execution_id = any (p_ids);
  delete from rhythm.timers t where t.ctid = any (array(
    select o.ctid from rhythm.timers o where o.execution_id = any (p_ids) for update skip locked));
  delete from rhythm.signal_waits w where w.ctid = any (array(
    select o.ctid from rhythm.signal_waits o where o.execution_id = any (p_ids) for update skip locked));
  delete from rhythm.signals s where s.execution_id = any (p_ids) and s.start is null;
  delete from rhythm.cancels c where c.execution_id = any (p_ids);
  delete from rhythm.watchers w where w.execution_id = any (p_ids);
  delete from rhythm.deferred_starts d where d.execution_id = any (p_ids);
end
$$;

-- Runs the SQL of a program, as the user and with the settings that the library has put in place. The exception block
-- is the subtransaction that makes an SQL error catchable. The search_path is the deployer's, so everything is qualified.
-- Gives JSON text, which keeps the order of the columns:
-- {ok: true, rows, string_columns}, where rows is their number if no more is wanted, {ok: false, sqlstate, message, detail, hint}, or {ok: false, timed_out: true} when the
-- step's time was up (rhythm.step_timeout, whose timer cancels the statement). Locks: what that SQL locks. Dying halfway undoes
-- the step.
create function rhythm._sql_query(p_query text, p_params jsonb, p_count_only bool) returns text
language plpgsql as $$
declare
  v_plan pg_catalog.jsonb;
  v_text pg_catalog.text;
  v_count int;
  v_row record;
  v_rows pg_catalog.text[];
  v_bytes pg_catalog.int8 := 0;
  v_written pg_catalog.int8 := 0;
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
  if p_count_only then
    if pg_catalog.jsonb_extract_path_text(v_plan, 'returns_rows')::pg_catalog.bool then
      -- A loop holds some rows at a time, where a bare execute would gather all of them in memory.
      for v_row in execute v_text using p_params loop
        v_written := v_written operator(pg_catalog.+) 1;
      end loop;
    else
      execute v_text using p_params;
      get diagnostics v_written = row_count;
    end if;
    return pg_catalog.format('{"ok":true,"rows":%s,"string_columns":[]}', v_written);
  elsif pg_catalog.jsonb_extract_path_text(v_plan, 'returns_rows')::pg_catalog.bool then
    -- A loop, since not every statement that gives rows may stand inside another.
    for v_row in execute v_text using p_params loop
      v_rows := pg_catalog.array_append(v_rows, pg_catalog.row_to_json(v_row)::pg_catalog.text);
      v_bytes := v_bytes operator(pg_catalog.+) pg_catalog.octet_length(v_rows[pg_catalog.cardinality(v_rows)]);
      if v_bytes operator(pg_catalog.>) 67108864 then
        raise exception using errcode = '54000', message = 'the rows of the query take more than 64 MB',
          hint = 'Ask for fewer rows or columns, with a limit say, or let the server do the work in one statement.';
      end if;
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
