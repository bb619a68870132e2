-- Attempts of workflows: a run that was started with `retry` and fails begins again from its start, under its id and with the version that
-- it began with, as long as it has attempts left. What the failed attempt has done stays done; its step that failed is undone as ever.
--
-- The new attempt's promises have higher numbers than all that was left behind, so that no outcome of an earlier attempt is ever
-- taken for one of this.
--
-- Locks: timers, waits, claims and watchers with SKIP LOCKED; the caller has the tree.

-- Returns whether a policy names an error, or one of its causes, as one that no other attempt would mend.
create function rhythm._is_final(p_retry jsonb, p_error jsonb) returns bool
language sql immutable as $$
  with recursive chain (error, depth) as (
    select p_error, 1
    union all
    select c.error -> 'cause', c.depth + 1 from chain c where jsonb_typeof(c.error -> 'cause') = 'object' and c.depth < 50
  )
  select coalesce(bool_or(p_retry -> 'nonRetryable' ? (c.error ->> 'name') or p_retry -> 'nonRetryable' ? (c.error ->> 'code')), false)
  from chain c
$$;

-- Lets a run whose step has failed begin again, after the pause of its policy. `p_final`: its error says that no other attempt would mend
-- it. False: it is over. Locks: as the head of this file
-- says. Dying halfway undoes the step, which is then run again.
create function rhythm._begin_again(p_id uuid, p_error jsonb, p_final bool) returns bool
language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_run rhythm.live;
  v_at timestamptz;
  v_closed uuid[];
begin
  select l.* into v_run from rhythm.live l where l.id = p_id and l.retry is not null and l.cancelling is not true;
  if not found or exists (select from rhythm.cancels c where c.execution_id = p_id) then
    return false;
  end if;
  -- One that fails in its first step has not been counted.
  v_run.attempt := greatest(v_run.attempt, 1);
  if p_final or v_run.attempt >= rhythm._max_attempts(v_run.retry) or rhythm._is_final(v_run.retry, p_error) then
    update rhythm.live l set attempt = v_run.attempt where l.id = p_id and l.attempt <> v_run.attempt;
    return false;
  end if;
  v_at := v_now + rhythm._backoff(v_run.retry, v_run.attempt);
  insert into rhythm.history (execution_id, at, event, data)
  values (p_id, v_now, 'attempt_failed', jsonb_build_object('attempt', v_run.attempt, 'error', p_error, 'next_at', v_at,
    'started_at', coalesce(v_run.attempt_at, v_run.started_at)));
  if v_run.attempt > 100 then
    delete from rhythm.history h
    where h.execution_id = p_id and h.event = 'attempt_failed' and (h.data ->> 'attempt')::int <= v_run.attempt - 100;
  end if;
  -- Signals stay for the next attempt, what it has published until that publishes anew.
  delete from rhythm.saves s where s.id = p_id;
  -- A new attempt gives the numbers of their promises to others.
  delete from rhythm.earlier_saves k where k.execution_id = p_id;
  delete from rhythm.events e where e.execution_id = p_id;
  delete from rhythm.timers t where t.ctid = any (array(
    select o.ctid from rhythm.timers o where o.execution_id = p_id for update skip locked));
  delete from rhythm.signal_waits w where w.ctid = any (array(
    select o.ctid from rhythm.signal_waits o where o.execution_id = p_id for update skip locked));
  if exists (select from rhythm.mutex_claims c where c.execution_id = p_id) then
    perform rhythm._leave_mutexes(p_id, false);
  end if;
  delete from rhythm.watchers w where w.ctid = any (array(
    select o.ctid from rhythm.watchers o where o.execution_id = p_id for update skip locked));
  delete from rhythm.deferred_starts d where d.execution_id = p_id;
  delete from rhythm.fan_outs f where f.execution_id = p_id;
  delete from rhythm.fan_out_items i where i.execution_id = p_id;
  delete from rhythm.runnable r where r.root_id = v_run.root_id and r.execution_id = p_id and r.alone_at is not null;
  update rhythm.live l set state = 'scheduled', attempt = v_run.attempt, attempt_at = v_at, run_at = v_at,
    due_at = least(v_at, l.end_by), error = p_error
  where l.id = p_id;
  v_closed := array(select k.id from rhythm.live k where k.parent_id = p_id and k.parent_close = 'cancel' order by k.id);
  if v_closed <> '{}' then
    perform rhythm._cancel_started(v_closed,
      format('attempt %s of workflow %L, which has started it, has failed', v_run.attempt, v_run.name), null, false);
  end if;
  perform rhythm._wake_due(least(v_at, v_run.end_by));
  return true;
end
$$;

-- Returns the number of the first promise of an attempt that begins: behind those of all that may still settle something of an earlier
-- one. What is just being settled is there in one of the two forms: as what it was, or as its event. No locks.
create function rhythm._first_promise(p_id uuid) returns int
language sql stable as $$
  select coalesce(max(p.promise), 0) + 1 from (
    select l.promise from rhythm.live l where l.parent_id = p_id
    union all select e.promise from rhythm.events e where e.execution_id = p_id
    union all select t.promise from rhythm.timers t where t.execution_id = p_id
    union all select w.promise from rhythm.signal_waits w where w.execution_id = p_id
    union all select c.promise from rhythm.mutex_claims c where c.execution_id = p_id
    union all select w.promise from rhythm.watchers w where w.execution_id = p_id
    -- What has ended may be retried, or be given a result.
    union all select a.promise from rhythm.archive a where a.parent_id = p_id) p
$$;
