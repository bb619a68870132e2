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
  save bytea,
  -- When its last step was: since then it waits.
  saved_at timestamptz
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
-- A loop, not recursion: a workflow that ends is an event of its parent. Of definitions that use SQL only so many step in one call
-- as leave few subtransactions behind (see _step_guarded), and some hundred at most; the rest is left to the worker. Locks: roots
-- with SKIP LOCKED, as the head of this file says. Dying halfway undoes the steps together with what the caller recorded.
create function rhythm._advance(p_ids uuid[], p_groups int[]) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_ids uuid[] := p_ids;
  v_groups int[] := p_groups;
  v_wanted uuid[];
  v_roots uuid[];
  v_busy uuid[];
  v_busy_groups int[];
  v_one record;
  -- The workflows to step: whether their definitions use SQL, and whose children they are. Of those that end no row is left.
  v_steps uuid[];
  v_guarded bool[];
  v_parents uuid[];
  v_promises int[];
  v_wakes int[];
  -- Those that are to end at once.
  v_ends uuid[];
  -- How many were stepped whose definitions use SQL.
  v_count int := 0;
  v_left uuid[] := '{}';
  v_left_groups int[] := '{}';
  v_looked uuid[];
  v_fans bool;
begin
  -- The SQL of a step may call what leads here. Its own tree counts as locked to it, but its state is in the air.
  if not rhythm._sees_commits() or rhythm._in_step() or rhythm._stopped() is not null then
    perform rhythm._mark(p_ids, p_groups, false);
    return;
  end if;
  while cardinality(v_ids) > 0 loop
    -- A fan-out that holds tasks back goes on when one has ended, whatever its workflow waits for.
    select array_agg(distinct l.root_id), bool_or(exists (select from rhythm.fan_outs f where f.execution_id = l.id))
    into v_wanted, v_fans
    from rhythm.live l where l.id = any (v_ids) and l.kind = 'workflow';
    exit when v_wanted is null;
    v_roots := array(select g.id from rhythm.live g where g.id = any (v_wanted) order by g.id for update skip locked);
    if cardinality(v_roots) < cardinality(v_wanted) then
      select array_agg(c.id), array_agg(c.wake_group) into v_busy, v_busy_groups
      from unnest(v_ids, v_groups) as c (id, wake_group)
      join rhythm.live l on l.id = c.id and l.kind = 'workflow' and l.root_id <> all (v_roots);
      if v_busy is not null then
        perform rhythm._mark(v_busy, v_busy_groups, true);
      end if;
      exit when v_roots = '{}';
    end if;
    if cardinality(v_ids) > 128 then
      -- What is not stepped here is not looked at either.
      select coalesce(array_agg(c.id) filter (where not c.late), '{}'), coalesce(array_agg(c.wake_group) filter (where not c.late), '{}'),
        v_left || coalesce(array_agg(c.id) filter (where c.late), '{}'),
        v_left_groups || coalesce(array_agg(c.wake_group) filter (where c.late), '{}')
      into v_ids, v_groups, v_left, v_left_groups
      from (
        select c.id, c.wake_group, d.uses_sql and row_number() over (partition by d.uses_sql order by c.id) > 128 - v_count as late
        from unnest(v_ids, v_groups) as c (id, wake_group)
        join rhythm.live l on l.id = c.id and l.root_id = any (v_roots)
        join rhythm.definitions d on d.id = l.definition_id) c;
    end if;
    v_looked := v_ids;
    select array_agg(r.id order by r.id) filter (where not r.ends), array_agg(r.uses_sql order by r.id) filter (where not r.ends),
      array_agg(r.parent_id order by r.id) filter (where not r.ends), array_agg(r.promise order by r.id) filter (where not r.ends),
      array_agg(r.wake_group order by r.id) filter (where not r.ends), array_agg(r.id order by r.id) filter (where r.ends)
    into v_steps, v_guarded, v_parents, v_promises, v_wakes, v_ends
    from (
      select distinct on (l.id) l.id, l.parent_id, l.promise, l.wake_group, d.uses_sql, x.ends
      from unnest(v_ids, v_groups) as c (id, wake_group)
      join rhythm.live l on l.id = c.id and l.kind = 'workflow' and l.root_id = any (v_roots)
      join rhythm.definitions d on d.id = l.definition_id
      cross join lateral (select count(*) > 0 as told, coalesce(bool_or(x.at_once), false) as ends
        from rhythm.cancels x where x.execution_id = l.id) x
      where
        -- One that was to go on later is not told, but it may be ended.
        (l.state in ('waiting', 'pending') or x.ends)
        and (c.wake_group is null
          -- The newest one, since the oldest are dead entries of the index.
          or (select k.promise from rhythm.live k where k.parent_id = c.id and k.wake_group = c.wake_group
            order by k.promise desc limit 1) is null
          and not exists (select from rhythm.fan_outs f where f.execution_id = c.id and f.wake_group = c.wake_group))
        and (l.state = 'pending' or x.told
          or exists (select from rhythm.events e where e.execution_id = l.id)
          or exists (
            select from rhythm.signal_waits w
            join rhythm.signals s on s.execution_id = w.execution_id and s.name = w.name and (w.key is null or s.key = w.key)
            where w.execution_id = l.id)
          or exists (
            select from rhythm.mutex_claims c join rhythm.mutexes m on m.name = c.name and m.seq = c.seq
            where c.execution_id = l.id and not c.told))
      order by l.id) r;
    v_ids := '{}';
    v_groups := '{}';
    if v_ends is not null then
      for v_one in select l.id, l.parent_id from rhythm.live l where l.id = any (v_ends) order by l.id loop
        -- Unless one before it in this loop has ended it.
        continue when not exists (select from rhythm.live l where l.id = v_one.id);
        perform rhythm._finish_workflow(v_one.id, 'cancelled', null, null);
        if v_one.parent_id is not null then
          v_ids := v_ids || v_one.parent_id;
          v_groups := v_groups || null::int;
        end if;
      end loop;
    end if;
    if cardinality(v_steps) = 1 and (v_count < 128 or not v_guarded[1]) then
      v_count := v_count + v_guarded[1]::int;
      select v_ids || coalesce(array_agg(s.id), '{}'), v_groups || coalesce(array_agg(s.wake_group), '{}')
      into v_ids, v_groups from rhythm._step_many(v_steps, v_parents, v_promises, v_wakes, v_guarded[1]) s;
    elsif v_steps is not null then
      -- A large state, and large results, count as many: those of a chunk are in memory together. What is compressed here is larger
      -- there.
      for v_one in
        select c.uses_sql, array_agg(c.id order by c.id) as ids, array_agg(c.parent_id order by c.id) as parents,
          array_agg(c.promise order by c.id) as promises, array_agg(c.wake_group order by c.id) as wakes
        from (
          select p.*, (sum(1 + coalesce(octet_length(s.save), 0) / 131072 + coalesce((
              select sum(pg_column_size(e.value)) from rhythm.events e where e.execution_id = p.id), 0) / 32768)
              over (partition by p.uses_sql order by p.id) - 1)::bigint / 64 as number
          from unnest(v_steps, v_guarded, v_parents, v_promises, v_wakes) p (id, uses_sql, parent_id, promise, wake_group)
          left join rhythm.saves s on s.id = p.id) c
        group by c.uses_sql, c.number order by c.uses_sql, c.number
      loop
        if v_one.uses_sql and v_count >= 128 then
          v_left := v_left || v_one.ids;
          v_left_groups := v_left_groups || array_fill(null::int, array[cardinality(v_one.ids)]);
          continue;
        elsif v_one.uses_sql then
          v_count := v_count + cardinality(v_one.ids);
        end if;
        select v_ids || coalesce(array_agg(s.id), '{}'), v_groups || coalesce(array_agg(s.wake_group), '{}')
        into v_ids, v_groups
        from rhythm._step_many(v_one.ids, v_one.parents, v_one.promises, v_one.wakes, v_one.uses_sql) s;
      end loop;
    end if;
    -- Behind the steps, since one of them may have given it up.
    if v_fans then
      v_steps := rhythm._fill_fan_outs(v_looked, v_roots);
      v_ids := v_ids || v_steps;
      v_groups := v_groups || array_fill(null::int, array[cardinality(v_steps)]);
    end if;
  end loop;
  if v_left <> '{}' then
    perform rhythm._mark(v_left, v_left_groups, false);
  end if;
end
$$;

-- Steps workflows, whose trees the caller has locked, together. Gives whom to look at, as _advance takes it: the parents of those
-- that have ended, and those that may run on. `p_parents`, `p_promises`, `p_groups`: as the rows of these say, of which none is left of
-- what ends. `p_guarded`: their definitions use SQL. Locks: as what the library calls. Dying halfway undoes the steps together with what
-- the caller recorded.
create function rhythm._step_many(p_ids uuid[], p_parents uuid[], p_promises int[], p_groups int[], p_guarded bool)
returns table (id uuid, wake_group int)
language plpgsql as $$
#variable_conflict use_column
declare
  v_done jsonb;
  v_outcomes text[];
  v_later uuid[];
begin
  v_done := case when p_guarded then rhythm._step_guarded(p_ids) else rhythm._step(p_ids) end;
  -- Most wait, and that is all.
  if not v_done @? '$[*] ? (@.outcome != "suspended")' then
    return;
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
  from unnest(v_outcomes, p_parents, p_promises, p_groups) as o (outcome, parent_id, promise, wake_group)
  where o.parent_id is not null and o.outcome in ('completed', 'failed', 'cancelled')
  union all
  select o.id, null from unnest(p_ids, v_outcomes) as o (id, outcome) where o.outcome = 'again';
  if 'later' = any (v_outcomes) then
    v_later := array(select o.id from unnest(p_ids, v_outcomes) as o (id, outcome) where o.outcome = 'later');
    perform rhythm._mark(v_later, array_fill(null::int, array[cardinality(v_later)]), false);
  end if;
end
$$;

-- Steps workflows that use SQL: each runs in a subtransaction, so that an uncaught error or a limit undoes its SQL, and the failure is
-- recorded outside of it. (Others have nothing to undo: the library writes only what has succeeded.) What they leave is
-- written together; if that fails, they are stepped one by one, which shows whose fault it is. Gives [{outcome, error, logs}] as _step does,
-- with two more outcomes: again (something that it waits for is there) and later (not run, as enough is held in memory, or enough
-- subtransactions have written). Locks and halfway: as _step_many.
create function rhythm._step_guarded(p_ids uuid[]) returns jsonb
language plpgsql as $$
declare
  v_done jsonb := '[]';
  v_one jsonb;
  v_news uuid[];
begin
  -- A signal is taken, whatever becomes of the step, as without SQL: it is an event then. So is a mutex.
  perform rhythm._meet_waits(p_ids);
  if cardinality(p_ids) = 1 then
    return jsonb_build_array(rhythm._step_one(p_ids[1]));
  end if;
  begin
    perform rhythm._begin_steps(p_ids);
    for v_at in 1 .. cardinality(p_ids) loop
      -- Others look into the list of those that have written; beyond 64 it overflows, and they are slow.
      if rhythm._subtransactions() > 32 then
        v_done := v_done || '[{"outcome": "later"}]';
        continue;
      end if;
      begin
        v_one := rhythm._run_step(v_at);
        if v_one ->> 'outcome' in ('failed', 'abandon') then
          raise exception using errcode = 'RH999', message = 'undo';
        end if;
      exception
        when sqlstate 'RH999' then
          null;
        when serialization_failure or deadlock_detected or lock_not_available then
          v_one := rhythm._failed_step('abandon', 'SqlError', sqlerrm, sqlstate, null);
        when others or assert_failure then
          v_one := rhythm._failed_step('failed', 'InternalError', sqlerrm, sqlstate, null);
      end;
      v_done := v_done || jsonb_build_array(v_one);
    end loop;
    v_news := rhythm._end_steps();
  exception when others or assert_failure then
    return (select jsonb_agg(rhythm._step_one(o.id) order by o.at) from unnest(p_ids) with ordinality as o (id, at));
  end;
  if v_news <> '{}' then
    v_done := (select jsonb_agg(case when o.id = any (v_news) and o.done ->> 'outcome' = 'suspended' then '{"outcome": "again"}'
        else o.done end order by o.at)
      from rows from (unnest(p_ids), jsonb_array_elements(v_done)) with ordinality as o (id, done, at));
  end if;
  return v_done;
end
$$;

-- Steps one workflow that uses SQL in a subtransaction, with all that it writes. Locks and halfway: as _step_many.
create function rhythm._step_one(p_id uuid) returns jsonb
language plpgsql as $$
declare
  v_done jsonb;
  v_detail text;
begin
  v_done := rhythm._step(array[p_id]) -> 0;
  if v_done ->> 'outcome' in ('failed', 'abandon') then
    raise exception using errcode = 'RH999', message = 'undo';
  end if;
  return v_done;
exception
  when sqlstate 'RH999' then
    return v_done;
  when serialization_failure or deadlock_detected or lock_not_available then
    return rhythm._failed_step('abandon', 'SqlError', sqlerrm, sqlstate, null);
  when others or assert_failure then
    get stacked diagnostics v_detail = pg_exception_detail;
    return rhythm._failed_step('failed', 'InternalError', sqlerrm, sqlstate, v_detail);
end
$$;

-- Returns what _step would of a step that an error has ended. No locks.
create function rhythm._failed_step(p_outcome text, p_name text, p_message text, p_code text, p_detail text) returns jsonb
language sql immutable as $$
  select jsonb_build_object('outcome', p_outcome, 'error', jsonb_strip_nulls(jsonb_build_object('name', p_name,
    'message', p_message, 'code', p_code, 'data', p_detail)))
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
  perform rhythm._keep_logs(array[p_id], jsonb_build_array(jsonb_build_object('logs', p_done -> 'logs')));
  if rhythm._begin_again(p_id, p_done -> 'error', coalesce((p_done ->> 'final')::bool, false)) then
    return 'restarted';
  end if;
  perform rhythm._finish_workflow(p_id, 'failed', null, p_done -> 'error');
  return 'failed';
end
$$;

-- Ends a workflow, whose tree the caller has locked. One that was told to cancel ends cancelled, whatever its program
-- made of it. Children that were started to end with their parent are cancelled, whatever its end. A failed one keeps its save, its events and its timers: it may be retried. One whose queue keeps nothing leaves nothing,
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
  -- Children that were started to end with it.
  v_closed uuid[];
  v_claims bool;
begin
  select (array_agg(coalesce(c.reason, 'cancelled') order by c.at_once desc, c.at))[1], bool_or(c.at_once), min(c.grace)
  into v_reason, v_at_once, v_grace
  from rhythm.cancels c where c.execution_id = p_id;
  select v_reason is not null or coalesce(l.cancelling, false), rhythm._expires_on(l.kind, q.retention, rhythm._now()) is not null,
    l.name, l.task_id,
    (select array_agg(k.id order by k.id) from rhythm.live k where k.parent_id = p_id and k.parent_close = 'cancel'),
    exists (select from rhythm.mutex_claims m where m.execution_id = p_id)
  into v_cancelled, v_is_kept, v_name, v_task_id, v_closed, v_claims
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
  if v_claims then
    perform rhythm._leave_mutexes(p_id, v_state in ('failed', 'timed_out') and v_is_kept);
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
    delete from rhythm.long_runs r where r.execution_id = p_id;
    delete from rhythm.limit_marks m where m.execution_id = p_id;
    delete from rhythm.earlier_saves k where k.execution_id = p_id;
    -- As long as its task_id is remembered, so are the keys of its signals; they go with that.
    delete from rhythm.signal_keys s where s.execution_id = p_id
      and not exists (select from rhythm.keys k where k.kind = 'workflow' and k.name = v_name and k.task_id = v_task_id and k.id = p_id);
  end if;
  if v_state in ('cancelled', 'timed_out') then
    perform rhythm._cancel_children(p_id, coalesce(v_error ->> 'message', 'cancelled'), v_grace, coalesce(v_at_once, false), v_is_over);
  elsif v_closed is not null then
    perform rhythm._cancel_started(v_closed, format('workflow %L, which has started it, has %s', v_name, v_state), null, false);
  end if;
end
$$;

-- Deletes what belonged to workflows that are over. Timers and waits may be firing in another transaction, which then
-- deletes them itself; signals that may start the next run are for _pass_on_signals. Locks: timers, waits and claims with SKIP LOCKED;
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
  with claims as (
    -- Those of failed ones; what is in a queue is taken back before.
    delete from rhythm.mutex_claims c where c.ctid = any (array(
      select o.ctid from rhythm.mutex_claims o where o.execution_id = any (p_ids) for update skip locked))
  )
  delete from rhythm.deferred_starts d where d.execution_id = any (p_ids);
  delete from rhythm.fan_outs f where f.execution_id = any (p_ids);
  if found then
    delete from rhythm.fan_out_items i where i.execution_id = any (p_ids);
  end if;
end
$$;
