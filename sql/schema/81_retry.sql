-- What is retried together with a run: the children whose failures the step was told with which it failed. Told again it would fail
-- again, and a step that failed has taken nothing, so that its run can await them anew.
--
-- A run that its own code has failed is another case: there the step is run again as it was, since the code may have been mended (move),
-- or what it reads.
--
-- Locks: rows of `archive`, all children before their runs, the deepest first, as _retry_one and resolve take them; then keys. So two who
-- retry one run, or one of its children, wait for each other in one order, and who has the run has all of its failures.

-- Returns whether a run has failed for what others gave it, and not for its own code: with an error that a child has failed with
-- (directly or as a cause), that the program throws itself, or at its timeout.
create function rhythm._failed_by_others(p_error jsonb) returns bool
language sql immutable as $$
  with recursive chain (error, depth) as (
    select p_error, 1
    union all
    select c.error -> 'cause', c.depth + 1 from chain c where jsonb_typeof(c.error -> 'cause') = 'object' and c.depth < 50
  )
  select coalesce(p_error ->> 'name' not in ('TypeError', 'RangeError', 'ReferenceError', 'SyntaxError', 'URIError', 'EvalError',
      'SqlError', 'LimitError', 'InternalError', 'DataCloneError', 'InvalidCharacterError')
    or bool_or(c.error ->> 'name' = 'TaskError'), false)
  from chain c
$$;

-- Gives the children that are to be retried with these ended runs, level by level: `top` is the run that asks. The promises that
-- the failed step was told are those whose events are still there. Not those that are asked for themselves, and no cancelled child
-- workflow, which cannot go on. What a run failed of inside of a mutex waits until it holds that again (74_mutex.sql).
create function rhythm._failed_below(p_ids uuid[])
returns table (id uuid, run uuid, promise int, top uuid, depth int)
language plpgsql stable as $$
#variable_conflict use_column
declare
  v_runs uuid[] := p_ids;
  v_tops uuid[] := p_ids;
  v_depth int := 0;
  v_level record;
begin
  while cardinality(v_runs) > 0 loop
    v_depth := v_depth + 1;
    select array_agg(c.id) as ids, array_agg(c.run) as runs, array_agg(c.promise) as promises, array_agg(c.top) as tops,
      array_agg(c.id) filter (where c.kind = 'workflow' and not c.is_held) as next_runs,
      array_agg(c.top) filter (where c.kind = 'workflow' and not c.is_held) as next_tops
    into v_level
    from (
      select c.id, c.kind, r.id as run, c.promise, r.top,
        -- Whose task_id another execution has: it stays as it is, and so does what is below it.
        exists (select from rhythm.keys k where k.kind = c.kind and k.name = c.name and k.task_id = c.task_id and k.id <> c.id) as is_held
      from unnest(v_runs, v_tops) r (id, top)
      join lateral (
        select a.error from rhythm.archive a where a.id = r.id and a.kind = 'workflow' and a.state in ('failed', 'timed_out')
        union all
        -- Retried, and holds again what it held.
        select l.error from rhythm.live l where l.id = r.id and l.kind = 'workflow' and l.state = 'scheduled') a
        on rhythm._failed_by_others(a.error)
      cross join lateral (select distinct e.promise from rhythm.events e where e.execution_id = r.id and not e.ok) e
      join rhythm.archive c on c.parent_id = r.id and c.promise = e.promise
      where c.id <> all (p_ids) and not exists (select from rhythm.mutex_claims m where m.execution_id = r.id and m.told and m.parked)
        and (c.state in ('failed', 'timed_out') or c.state = 'cancelled' and c.kind = 'task') and c.expires_on > rhythm._today()) c;
    return query
    select o.id, o.run, o.promise, o.top, v_depth
    from unnest(v_level.ids, v_level.runs, v_level.promises, v_level.tops) o (id, run, promise, top);
    v_runs := v_level.next_runs;
    v_tops := v_level.next_tops;
  end loop;
end
$$;

-- Retries what is to be retried with these runs, after the delay of each; the caller then retries them. A child whose task_id another
-- execution holds by now is left as it is, and its run gets that one's outcome, as a call with this task_id does. Locks: as the head
-- of this file says. Dying halfway changes nothing.
create function rhythm._retry_below(p_ids uuid[], p_delays interval[]) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_runs uuid[];
  v_promises int[];
  v_delays interval[];
  v_one record;
  v_holder uuid;
begin
  -- What still runs was told to stop when its run had no time left.
  delete from rhythm.cancels c using rhythm.archive r, rhythm.live l
  where r.id = any (p_ids) and r.state = 'timed_out' and l.parent_id = r.id and l.kind = 'task'
    and c.execution_id = l.id and not c.at_once and c.reason = r.error ->> 'message';
  select array_agg(f.id order by f.depth desc, a.kind, a.name, a.task_id nulls last, f.id),
    array_agg(f.run order by f.depth desc, a.kind, a.name, a.task_id nulls last, f.id),
    array_agg(f.promise order by f.depth desc, a.kind, a.name, a.task_id nulls last, f.id),
    array_agg(d.delay order by f.depth desc, a.kind, a.name, a.task_id nulls last, f.id)
  into v_ids, v_runs, v_promises, v_delays
  from rhythm._failed_below(p_ids) f
  join rhythm.archive a on a.id = f.id
  join unnest(p_ids, p_delays) d (id, delay) on d.id = f.top;
  if v_ids is null then
    return;
  end if;
  for v_one in select o.id from unnest(v_ids) with ordinality o (id, at) order by o.at loop
    perform from rhythm.archive a where a.id = v_one.id for update;
  end loop;
  -- Those that are children too are locked by now.
  for v_one in select distinct o.run from unnest(v_runs) o (run) order by o.run loop
    perform from rhythm.archive a where a.id = v_one.run for update;
  end loop;
  for v_one in
    select o.id, o.run, o.promise, o.delay, a.kind, a.name, a.task_id
    from unnest(v_ids, v_runs, v_promises, v_delays) with ordinality o (id, run, promise, delay, at)
    -- Not what somebody else has retried, or given a result, while it was waited for.
    join rhythm.archive a on a.id = o.id and (a.state in ('failed', 'timed_out') or a.state = 'cancelled' and a.kind = 'task')
    order by o.at
  loop
    v_holder := (select k.id from rhythm.keys k
      where k.kind = v_one.kind and k.name = v_one.name and k.task_id = v_one.task_id and k.id <> v_one.id);
    if v_holder is null then
      perform rhythm._retry_one(v_one.id, v_one.delay, false);
      continue;
    end if;
    delete from rhythm.events e where e.execution_id = v_one.run and e.promise = v_one.promise and not e.ok;
    if found then
      insert into rhythm.watchers (id, execution_id, promise) values (v_holder, v_one.run, v_one.promise) on conflict do nothing;
      perform rhythm._wake_due(rhythm._now());
    end if;
  end loop;
end
$$;
