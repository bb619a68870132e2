-- Timers of workflows, and what time does to executions: scheduled ones begin, leases expire, timeouts end. (94_duty.sql says when.)
--
-- Locks: due rows with SKIP LOCKED, so two who fire at once share the work; events are inserts; roots with SKIP LOCKED.

create table rhythm.timers (
  execution_id uuid not null,
  promise int not null,
  due_at timestamptz not null,
  -- When it was started, for the timeline.
  since timestamptz,
  primary key (execution_id, promise)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
comment on table rhythm.timers is 'Timers that have not fired.';
create index timers_due on rhythm.timers (due_at);

-- Starts timers of steps: those of the i-th are p_effects[i].timers, [{promise, due_ms}]. No locks: timers are inserts. Dying halfway
-- undoes the steps.
create function rhythm._start_timers(p_ids uuid[], p_effects jsonb) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_due timestamptz;
begin
  with t as (
    insert into rhythm.timers (execution_id, promise, due_at, since)
    select o.id, (e ->> 'promise')::int, to_timestamp(greatest(least((e ->> 'due_ms')::float8, 9e12), 0) / 1000), rhythm._now()
    from rows from (unnest(p_ids), jsonb_array_elements(p_effects)) as o (id, effects), jsonb_array_elements(o.effects -> 'timers') e
    returning due_at
  )
  select min(t.due_at) into v_due from t;
  perform rhythm._wake_due(v_due);
end
$$;

-- Fires timers that are due; gives their number. `p_only`: those of this workflow. Locks: them, skipping those that
-- others hold, then free roots. Dying halfway leaves them due.
create function rhythm._fire_timers(p_max int, p_only uuid default null) returns int
language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_count int;
  v_ids uuid[];
begin
  with due as materialized (
    select * from (select t.execution_id, t.promise from rhythm.timers t where p_only is null and t.due_at <= v_now
      order by t.due_at limit p_max for update skip locked) d
    union all
    select * from (select t.execution_id, t.promise from rhythm.timers t where t.execution_id = p_only and t.due_at <= v_now
      order by t.due_at limit p_max for update skip locked) d
  ), fired as (
    delete from rhythm.timers t using due d where t.execution_id = d.execution_id and t.promise = d.promise
    returning t.execution_id, t.promise, t.due_at, t.since
  ), told as (
    insert into rhythm.events (execution_id, promise, ok)
    select f.execution_id, f.promise, true from fired f order by f.due_at, f.promise
  ), noted as (
    insert into rhythm.history (execution_id, at, event, data)
    select f.execution_id, v_now, 'timer_fired', jsonb_build_object('due_at', f.due_at, 'since', f.since) from fired f
  )
  select count(*), array_agg(distinct f.execution_id) into v_count, v_ids from fired f;
  if v_ids is not null then
    perform rhythm._advance(v_ids, array_fill(null::int, array[cardinality(v_ids)]));
  end if;
  return v_count;
end
$$;

-- Makes scheduled executions pending; the caller has locked them.
create function rhythm._promote(p_ids uuid[]) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_ids uuid[] := p_ids;
begin
  if exists (select from rhythm.mutex_claims c where c.execution_id = any (p_ids)) then
    -- Retried runs: they go on when they hold again what they held.
    v_ids := rhythm._hold_again(p_ids);
  end if;
  update rhythm.live l set state = 'pending', due_at = least(l.start_by, l.end_by),
    started_at = case when l.kind = 'workflow' then coalesce(l.started_at, v_now) else l.started_at end,
    -- One that begins again (74_attempt.sql); what has not begun is counted when it has taken a step.
    attempt = case when l.kind = 'workflow' and l.attempt > 0 then l.attempt + 1 else l.attempt end
  where l.id = any (v_ids);
  perform rhythm._wake_queue(l.queue, count(*)::int)
  from rhythm.live l where l.id = any (v_ids) and l.kind = 'task' group by l.queue;
  v_ids := array(select l.id from rhythm.live l where l.id = any (v_ids) and l.kind = 'workflow');
  perform rhythm._advance(v_ids, array_fill(null::int, array[cardinality(v_ids)]));
end
$$;

-- Takes back expired leases, whose rows the caller has locked: each counts as a failed attempt. A worker's own lease leaves the
-- task claimable at once, and `failed` in the end; with a heartbeat_timeout it is retried as its policy says, and timed_out in the end.
-- The error names the workers that it took, so that a task which kills them is seen for what it is.
create function rhythm._expire_leases(p_ids uuid[]) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_one record;
begin
  for v_one in
    select l.beat is not null as silent, array_agg(l.id order by l.id) as ids, array_agg(case when l.beat is null
        then jsonb_build_object('name', 'LeaseExpired',
          'message', format('worker %L let the lease of attempt %s expire', l.worker, l.attempt))
        else jsonb_build_object('name', 'HeartbeatTimeout',
          'message', format('worker %L sent no heartbeat in attempt %s for %s', l.worker, l.attempt, l.beat)) end
      || jsonb_build_object('data', jsonb_build_object('workers', coalesce((
        select jsonb_agg(h.name order by h.seq) from rhythm.history h
        where h.execution_id = l.id and h.event = 'attempt_failed'
          and h.data -> 'error' ->> 'name' in ('LeaseExpired', 'HeartbeatTimeout')), '[]') || to_jsonb(l.worker)))
      order by l.id) as errors
    from rhythm.live l where l.id = any (p_ids) group by 1 order by 1
  loop
    perform rhythm._fail_late(v_one.ids, v_one.errors, case when not v_one.silent then interval '0' end,
      case when v_one.silent then 'timed_out'::rhythm.state else 'failed' end);
  end loop;
end
$$;

-- Ends attempts that have passed their attempt_timeout, whose rows the caller has locked: each counts as a failed attempt, and
-- the task is retried as its policy says; the last one leaves it timed_out.
create function rhythm._end_attempts(p_ids uuid[]) returns void
language plpgsql as $$
#variable_conflict use_column
begin
  perform rhythm._fail_late(p_ids, array(
    select jsonb_build_object('name', 'TimeoutError',
      'message', format('attempt %s of task %L timed out after %s', l.attempt, l.name, l.attempt_timeout))
    from unnest(p_ids) with ordinality o (id, at) join rhythm.live l on l.id = o.id order by o.at), null, 'timed_out');
end
$$;

-- Fails attempts in the name of the server, and steps who awaits them. Locks: the caller has the rows; roots with SKIP LOCKED.
-- Dying halfway leaves them due.
create function rhythm._fail_late(p_ids uuid[], p_errors jsonb[], p_retry_in interval, p_over rhythm.state) returns void
language plpgsql as $$
declare
  v_parents uuid[];
  v_groups int[];
begin
  select array_agg(f.parent_id), array_agg(f.wake_group) into v_parents, v_groups
  from rhythm._fail(p_ids, null, p_errors, array_fill(p_retry_in, array[cardinality(p_ids)]),
    array_fill(true, array[cardinality(p_ids)]), p_over) f
  where f.parent_id is not null;
  if v_parents is not null then
    perform rhythm._advance(v_parents, v_groups);
  end if;
end
$$;

-- Ends what has passed its timeout or startTimeout, whose rows the caller has locked. A workflow needs its tree too; one
-- that is taken is met again.
create function rhythm._time_out(p_ids uuid[]) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_tasks uuid[];
  v_errors jsonb[];
  v_one record;
  v_parents uuid[];
  v_groups int[];
begin
  select array_agg(l.id),
    array_agg(jsonb_build_object('name', 'TimeoutError', 'message', format('task %L timed out', l.name)))
  into v_tasks, v_errors
  from rhythm.live l where l.id = any (p_ids) and l.kind = 'task';
  if v_tasks is not null then
    select array_agg(s.parent_id), array_agg(s.wake_group) into v_parents, v_groups
    from rhythm._settle(v_tasks, null, array_fill('timed_out'::rhythm.state, array[cardinality(v_tasks)]), null, v_errors) s
    where s.parent_id is not null;
  end if;
  for v_one in
    select l.id, l.name, l.root_id, l.parent_id from rhythm.live l
    where l.id = any (p_ids) and l.kind = 'workflow' order by l.id
  loop
    perform from rhythm.live r where r.id = v_one.root_id for update skip locked;
    continue when not found;
    perform rhythm._finish_workflow(v_one.id, 'timed_out', null,
      jsonb_build_object('name', 'TimeoutError', 'message', format('workflow %L timed out', v_one.name)));
    if v_one.parent_id is not null then
      v_parents := v_parents || v_one.parent_id;
      v_groups := v_groups || null::int;
    end if;
  end loop;
  if v_parents is not null then
    perform rhythm._advance(v_parents, v_groups);
  end if;
end
$$;

