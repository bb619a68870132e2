-- Duties: everything that time does, in the order in which the background worker and tick() do it. What each one does is defined by its
-- concept.
--
-- Locks: due rows and roots with SKIP LOCKED, so two who do this at once share the work.
--
-- What fails keeps nothing else from happening: each duty has a subtransaction, and when that fails, smaller batches, and at last 16 of the
-- executions that it is about, have one each. What fails alone is put off, with a warning in the server's log, and the rest is for the next
-- round.
-- (Schedules look after themselves, one by one.)

-- Does what time wants from executions: scheduled ones, expired leases, timeouts; gives their number. `p_only`: from this one. There is
-- no subtransaction between the lock of a row and its update, which would cost a MultiXactId each. Locks: the rows, skipping those that
-- others hold. Dying halfway leaves all of them due.
create function rhythm._do_due(p_max int, p_only uuid default null) returns int
language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_count int;
  v_late uuid[];
  v_expired uuid[];
  v_too_long uuid[];
  v_ready uuid[];
begin
  select count(*), array_agg(d.id) filter (where d.late),
    array_agg(d.id) filter (where not d.late and d.state = 'running' and not d.too_long),
    array_agg(d.id) filter (where not d.late and d.state = 'running' and d.too_long),
    array_agg(d.id) filter (where not d.late and d.state = 'scheduled')
  into v_count, v_late, v_expired, v_too_long, v_ready
  from (
    select l.id, l.state, coalesce(l.end_by <= v_now, false) or coalesce(l.start_by <= v_now and l.state <> 'running', false) as late,
      coalesce(l.attempt_until <= v_now, false) as too_long
    from (
      select * from (select l.id, l.state, l.start_by, l.end_by, l.attempt_until from rhythm.live l
        where p_only is null and l.due_at <= v_now order by l.due_at limit p_max for update skip locked) b
      union all
      select * from (select l.id, l.state, l.start_by, l.end_by, l.attempt_until from rhythm.live l
        where l.id = p_only and l.due_at <= v_now for update skip locked) o) l
  ) d;
  if v_late is not null then
    perform rhythm._time_out(v_late);
  end if;
  if v_expired is not null then
    perform rhythm._expire_leases(v_expired);
  end if;
  if v_too_long is not null then
    perform rhythm._end_attempts(v_too_long);
  end if;
  if v_ready is not null then
    perform rhythm._promote(v_ready);
  end if;
  return v_count;
end
$$;

-- Ends what these have left running, if they ended by themselves while somebody terminated them. Locks: as _cancel_started. Dying halfway
-- leaves it running.
create function rhythm._end_left(p_ids uuid[]) returns void
language plpgsql as $$
begin
  perform rhythm._cancel_children(c.execution_id, coalesce(c.reason, 'terminated'), null, true, false)
  from (select distinct on (x.execution_id) x.execution_id, x.reason from rhythm.cancels x
    where x.execution_id = any (p_ids) and x.at_once and not exists (select from rhythm.live l where l.id = x.execution_id)) c;
end
$$;

-- Takes away marks of what has ended, apart from those that are for _pass_on_signals; gives how many. `p_only`: those of this root. Locks:
-- the marks, skipping those that others hold, then as _end_left. Dying halfway leaves them.
create function rhythm._look_at_ended(p_max int, p_only uuid default null) returns int
language plpgsql as $$
declare
  v_ids uuid[];
  v_count int;
begin
  if p_only is null and not exists (select from rhythm.runnable r where r.alone_at is null) then
    return 0;
  end if;
  -- Two who do this at once must not wait for each other, in whatever order they meet the rows.
  with gone as (
    delete from rhythm.runnable r where r.ctid = any (array(
      select d.ctid from rhythm.runnable d
      -- One range of the index, or all of it.
      where d.root_id between coalesce(p_only, '00000000-0000-0000-0000-000000000000') and coalesce(p_only, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
        and d.alone_at is null and not exists (select from rhythm.live l where l.id = d.root_id)
        and not exists (select from rhythm.signals s where s.execution_id = d.execution_id and s.start is not null)
      order by d.root_id limit p_max for update skip locked))
    returning r.execution_id
  )
  select array_agg(g.execution_id), count(*) into v_ids, v_count from gone g;
  perform rhythm._end_left(v_ids);
  return v_count;
end
$$;

-- Looks at what somebody left marks for, as far as the trees are free; gives how many trees that were, or `p_max` if there may be more.
-- `p_only`: in the tree of this root. So many trees at a time as step together. Where no SQL may step any more in this transaction, those
-- whose definitions use it keep their marks, which would only be written anew. Locks: free roots in the order of ids. Dying halfway leaves
-- the marks.
create function rhythm._look_at_marks(p_max int, p_only uuid default null) returns int
language plpgsql as $$
#variable_conflict use_column
declare
  v_roots uuid[];
  -- The next ones have larger ids: those of which marks were taken leave dead entries in the index.
  v_after uuid := '00000000-0000-0000-0000-000000000000';
  v_is_spent bool;
  v_ids uuid[];
  v_groups int[];
  v_done int := 0;
begin
  if not exists (select from rhythm.runnable r where r.alone_at is null) then
    return 0;
  end if;
  while v_done < p_max loop
    v_is_spent := rhythm._subtransactions() > 32;
    if p_only is not null then
      v_roots := array(select l.id from rhythm.live l where l.id = p_only for update skip locked);
    else
      v_roots := array(
        select l.id
        from (select distinct r.root_id from rhythm.runnable r where r.root_id > v_after and r.alone_at is null order by r.root_id) m
        join rhythm.live l on l.id = m.root_id
        where not v_is_spent
          or not exists (select from rhythm.definitions d where d.id = l.definition_id and d.uses_sql)
        order by m.root_id limit least(64, p_max - v_done) for update of l skip locked);
    end if;
    exit when v_roots = '{}';
    with taken as (
      delete from rhythm.runnable r where r.root_id = any (v_roots) and r.alone_at is null
      returning r.execution_id, r.wake_group
    )
    select array_agg(t.execution_id), array_agg(t.wake_group) into v_ids, v_groups
    from (select distinct t.execution_id, t.wake_group from taken t) t;
    if v_ids is not null then
      perform rhythm._apply_cancels(v_ids);
      perform rhythm._advance(v_ids, v_groups);
    end if;
    v_done := v_done + cardinality(v_roots);
    exit when p_only is not null or cardinality(v_roots) < 64;
    v_after := v_roots[cardinality(v_roots)];
  end loop;
  return case when v_is_spent and p_only is null then p_max else v_done end;
end
$$;

-- Steps one workflow whose last step met a deadlock, in this transaction alone, or looks at another mark that was put off. True: there
-- was one. If it meets a deadlock again, it has left a mark of its own (_end_of_step). Locks: marks that are over, the mark, and the root if
-- it lives, with SKIP LOCKED. Dying halfway leaves the mark.
create function rhythm._step_alone() returns bool
language plpgsql as $$
#variable_conflict use_column
declare
  v_seq bigint;
  v_id uuid;
begin
  if not exists (select from rhythm.runnable r where r.alone_at is not null) then
    return false;
  end if;
  -- What has ended meanwhile by another way needs no step; its mark would be due for ever. It is still needed where something may have
  -- been left running.
  delete from rhythm.runnable r where r.ctid = any (array(
    select d.ctid from rhythm.runnable d
    where d.alone_at is not null and not exists (select from rhythm.live l where l.id = d.execution_id)
      and not exists (select from rhythm.cancels c where c.execution_id = d.execution_id and c.at_once)
    for update skip locked));
  select r.seq, r.execution_id into v_seq, v_id
  from rhythm.runnable r where r.alone_at <= rhythm._now()
    and (exists (select from rhythm.live l where l.id = r.root_id for update skip locked)
      or not exists (select from rhythm.live l where l.id = r.root_id))
  order by r.alone_at limit 1 for update of r skip locked;
  if v_seq is null then
    return false;
  end if;
  begin
    perform rhythm._apply_cancels(array[v_id]), rhythm._advance(array[v_id], array[null::int]), rhythm._end_left(array[v_id]);
    delete from rhythm.runnable r where r.seq = v_seq;
  exception when others or assert_failure then
    raise warning using message = format('a step of workflow %s has failed, and is put off: %s (%s)', v_id, sqlerrm, sqlstate);
    update rhythm.runnable r set alone_at = rhythm._now() + interval '10 seconds' where r.seq = v_seq;
  end;
  return true;
end
$$;

-- Returns 16 of the executions that a duty is about now, of marks the roots of their trees; none: it is about no executions. Any of the
-- first `p_max`, or some that can be neither done nor put off would be the first of every round. No locks.
create function rhythm._subjects(p_duty text, p_max int) returns uuid[]
language sql volatile as $$
  select array(select d.id from (
    (select l.id from rhythm.live l where p_duty = 'executions' and l.due_at <= rhythm._now() order by l.due_at limit p_max)
    union
    (select t.execution_id from rhythm.timers t where p_duty = 'timers' and t.due_at <= rhythm._now() order by t.due_at limit p_max)
    union
    (select w.execution_id from rhythm.signal_waits w where p_duty = 'signals' and w.due_at <= rhythm._now() order by w.due_at limit p_max)
    union
    (select r.root_id from rhythm.runnable r where p_duty = 'ended' and r.alone_at is null
      and not exists (select from rhythm.live l where l.id = r.root_id)
      and not exists (select from rhythm.signals s where s.execution_id = r.execution_id and s.start is not null)
    order by r.root_id limit p_max)
    union
    (select r.root_id from rhythm.runnable r where p_duty = 'marks' and r.alone_at is null
      and exists (select from rhythm.live l where l.id = r.root_id) order by r.root_id limit p_max)
    union
    (select s.execution_id from rhythm.deferred_starts s
    where p_duty = 'starts' and coalesce(s.not_before <= rhythm._now(), true) limit p_max)
    union
    (select w.execution_id from rhythm.watchers w
    where p_duty = 'watchers' and not w.confirmed and coalesce(w.not_before <= rhythm._now(), true) limit p_max)
    union
    (select r.execution_id from rhythm.long_runs r where p_duty = 'long runs' and r.is_due limit p_max)) d
  order by random() limit 16)
$$;

-- Puts off what a duty is to do with an execution that has failed alone, for ten seconds, or it would fail in every round. Gives 1, or 0
-- when that fails too. Locks: the rows that it puts off, for each of which it waits 50 ms at most. Dying halfway leaves them due.
create function rhythm._put_off(p_duty text, p_id uuid) returns int
language plpgsql as $$
declare
  v_until timestamptz := rhythm._now() + interval '10 seconds';
  v_timeout text := current_setting('lock_timeout');
begin
  perform set_config('lock_timeout', '50ms', true);
  case p_duty
    when 'executions' then
      update rhythm.live l set due_at = v_until where l.id = p_id and l.due_at < v_until;
    when 'timers' then
      update rhythm.timers t set due_at = v_until where t.execution_id = p_id and t.due_at < v_until;
    when 'signals' then
      update rhythm.signal_waits w set due_at = v_until where w.execution_id = p_id and w.due_at < v_until;
    when 'ended', 'marks' then
      -- From then on by itself (_step_alone).
      update rhythm.runnable r set alone_at = v_until where r.root_id = p_id and r.alone_at is null;
    when 'starts' then
      update rhythm.deferred_starts d set not_before = v_until where d.execution_id = p_id;
    when 'watchers' then
      update rhythm.watchers w set not_before = v_until where w.execution_id = p_id and not w.confirmed;
    when 'long runs' then
      -- Until it has begun a thousand steps more.
      update rhythm.long_runs r set is_due = false where r.execution_id = p_id;
  end case;
  perform set_config('lock_timeout', v_timeout, true);
  return 1;
exception when others or assert_failure then
  raise warning using message = format('execution %s cannot be put off: %s (%s)', p_id, sqlerrm, sqlstate);
  return 0;
end
$$;

-- Does a duty, up to `p_max` of it, or what it is to do with one execution; gives how much that was. Locks and halfway: as the
-- duty.
create function rhythm._do_duty_with(p_duty text, p_max int, p_only uuid) returns int
language plpgsql as $$
begin
  return case p_duty
    when 'executions' then rhythm._do_due(p_max, p_only)
    when 'timers' then rhythm._fire_timers(p_max, p_only)
    when 'signals' then rhythm._time_out_signals(p_max, p_only)
    when 'ended' then rhythm._look_at_ended(p_max, p_only)
    when 'marks' then rhythm._look_at_marks(p_max, p_only)
    when 'starts' then rhythm._start_deferred(p_max, p_only)
    when 'watchers' then rhythm._confirm_watchers(p_max, p_only)
    when 'long runs' then rhythm._trim_runs(p_max, p_only)
    when 'requests' then rhythm._drop_requests(p_max)
    when 'mutexes' then rhythm._do_mutexes(p_max)
    -- As many as it does in one call: there may be more.
    when 'left signals' then case when rhythm._pass_on_signals() = 32 then p_max else 0 end
    when 'schedules' then rhythm._fire_schedules(p_max)
  end;
end
$$;

-- Does a duty. When that fails, goes on with batches of 16, 32 and so on, again and again from 16, until one of 16 fails: of that each
-- one is done alone. So what fails spoils a few batches, and not one for each 16 that come before it. Where none of these can be done or put
-- off, 16 of all are tried, or the same would be the first of every round. Gives how much was done; -1: some of it has failed, and there may
-- be more to do now; null: it has failed, and nothing came of it. Locks and halfway: as what it does; some 40 subtransactions at most,
-- beside those of steps.
create function rhythm._do_duty(p_duty text, p_max int) returns int
language plpgsql as $$
declare
  v_least constant int := 16;
  v_size int := p_max;
  v_got int;
  v_done int := 0;
  v_is_stuck bool := false;
  v_message text;
  v_id uuid;
  v_told bool := false;
begin
  while not v_is_stuck loop
    begin
      v_got := rhythm._do_duty_with(p_duty, v_size, null);
      if v_message is null then
        return v_got;
      end if;
      v_done := v_done + v_got;
      exit when v_got < v_size or v_done >= p_max;
      v_size := v_size * 2;
    exception when others or assert_failure then
      v_message := format('%s (%s)', sqlerrm, sqlstate);
      v_is_stuck := v_size <= v_least or p_duty in ('requests', 'mutexes', 'left signals', 'schedules');
      v_size := v_least;
    end;
  end loop;
  if v_done > 0 and not v_is_stuck then
    return -1;
  end if;
  v_got := 0;
  for v_look in 1 .. 2 loop
    foreach v_id in array rhythm._subjects(p_duty, case v_look when 1 then v_least else p_max end) loop
      begin
        v_got := v_got + rhythm._do_duty_with(p_duty, p_max, v_id);
      exception when others or assert_failure then
        v_told := true;
        raise warning using message = format('what is due of execution %s (%s) has failed, and is put off: %s (%s)', v_id, p_duty,
          sqlerrm, sqlstate);
        v_got := v_got + rhythm._put_off(p_duty, v_id);
      end;
    end loop;
    exit when v_got > 0;
  end loop;
  if v_done + v_got > 0 then
    return -1;
  elsif not v_told then
    raise warning using message = format('the duty %L has failed: %s', p_duty, v_message);
  end if;
  return null;
end
$$;

-- Does everything that is due, up to `p_max` of each, in one transaction. Gives when to come back (on the server's
-- clock), and whether there is more to do now. `is_quiet`: that is a step of retention alone. `has_failed`:
-- something was done one by one, in subtransactions, with which this transaction should end. The background worker and tick() call it.
--
-- While retention is at work, it has every second round for itself: one bounded step, and its locks go with that.
create function rhythm._run_duties(max int, out next_due timestamptz, out again bool, out is_quiet bool, out has_failed bool)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  v_shift interval := (select c.shift from rhythm.test_clock c);
  v_began timestamptz := clock_timestamp();
  v_busy bool;
  v_in_vain bool;
  v_sweeps bool;
  v_turn bool;
begin
  is_quiet := false;
  has_failed := false;
  -- While this database is restored from a dump, tables fill one after another: half of them must not be acted on. Only a
  -- superuser can restore the extension, and anybody can give himself this application_name.
  if exists (
    select from pg_stat_get_activity(null) a join pg_roles r on r.oid = a.usesysid and r.rolsuper
    where a.application_name = 'pg_restore' and a.datid = (select d.oid from pg_database d where d.datname = current_database()))
    -- Called by the SQL of a step: the worker does it, after that.
    or rhythm._in_step()
  then
    next_due := clock_timestamp() + interval '1 second';
    again := false;
    return;
  end if;
  -- Nothing fires while everything is paused; resume_all and adopt wake the worker.
  if rhythm._stopped() is not null then
    again := false;
    return;
  end if;
  v_sweeps := rhythm._retention_is_due();
  if v_sweeps then
    v_turn := rhythm._retention_turn();
    if v_turn then
      perform rhythm._retention_step();
      again := true;
      next_due := clock_timestamp();
      return;
    end if;
  end if;
  if rhythm._step_alone() then
    again := true;
    next_due := clock_timestamp();
    return;
  end if;
  select coalesce(bool_or(d.done >= _run_duties.max or d.done < 0), false), coalesce(bool_or(d.done < 0), false), bool_or(d.done is null)
  into again, has_failed, v_in_vain
  from (select rhythm._do_duty(k, _run_duties.max) as done
    from unnest(array['mutexes', 'executions', 'timers', 'signals', 'requests', 'left signals', 'ended', 'marks', 'starts', 'watchers', 'schedules',
        'long runs'])
      with ordinality u (k, at)
    order by u.at offset 0) d;
  -- The turn is null: another session is at it.
  is_quiet := not again and v_sweeps and v_turn is not null;
  again := again or is_quiet;
  -- Marks of trees that somebody holds: the holder's commit wakes the worker; the time is for a wake-up that comes
  -- between our look and its.
  v_busy := exists (select from rhythm.runnable r where r.alone_at is null)
    or exists (select from rhythm.mutex_marks)
    or exists (select from rhythm.deferred_starts d where coalesce(d.not_before <= rhythm._now(), true))
    or exists (select from rhythm.watchers w where not w.confirmed and coalesce(w.not_before <= rhythm._now(), true))
    or (v_sweeps and v_turn is null);
  next_due := least(
      (select min(l.due_at) from rhythm.live l where l.due_at is not null),
      (select min(t.due_at) from rhythm.timers t),
      (select min(w.due_at) from rhythm.signal_waits w),
      -- One that has the mutex is told by its own step.
      (select c.due_at from rhythm.mutex_claims c
        where c.due_at is not null and not exists (select from rhythm.mutexes m where m.name = c.name and m.seq = c.seq)
        order by c.due_at limit 1),
      (select min(q.until) from rhythm.requests q where q.until > rhythm._now()),
      (select min(q.until) from rhythm.requests q) + interval '1 second',
      rhythm._schedules_due(),
      (select min(d.not_before) from rhythm.deferred_starts d where d.not_before > rhythm._now()),
      (select min(w.not_before) from rhythm.watchers w where not w.confirmed and w.not_before > rhythm._now()),
      (select min(r.alone_at) from rhythm.runnable r where r.alone_at is not null)) - v_shift;
  if v_busy then
    next_due := least(next_due, clock_timestamp() + case when v_in_vain then interval '1 second' else interval '100 milliseconds' end);
  end if;
  -- What was due when the round began and was skipped is locked by somebody, or has failed.
  if next_due < v_began then
    next_due := clock_timestamp() + case when v_in_vain then interval '1 second' else interval '20 milliseconds' end;
  end if;
end
$$;

-- Does what is due. Locks: rows that are due, skipping those that others hold, then free roots in the order of ids. Dying
-- halfway leaves everything due.
create function rhythm.tick() returns timestamptz
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_done record;
begin
  if not rhythm._sees_commits() then
    perform rhythm._raise('RH201', 'tick cannot work in a REPEATABLE READ or SERIALIZABLE transaction', null,
      'Workflows are stepped in READ COMMITTED only: begin such a transaction.');
  end if;
  for v_round in 1 .. 100 loop
    perform rhythm._give_retention(false);
    v_done := rhythm._run_duties(1000);
    exit when not v_done.again or v_done.is_quiet or v_done.has_failed;
    if rhythm._subtransactions() > 32 then
      -- No more steps that use SQL in this transaction (70_workflow.sql): another round would only mark them anew.
      v_done.next_due := clock_timestamp();
      exit;
    end if;
  end loop;
  -- One step of retention, as the last thing: all its locks are held until the caller's commit, as are those of the duties above.
  if v_done.is_quiet then
    perform rhythm._retention_step(false), rhythm._give_retention(false);
    v_done.next_due := clock_timestamp();
  end if;
  return v_done.next_due;
end
$$;
comment on function rhythm.tick() is
'Does what the background worker would do now (timers, scheduled work, expired leases, timeouts, workflows left behind, one step of retention), and gives when to call again: at once when there is more; null: nothing is planned. For servers without the background worker, and for tests. Example: select rhythm.tick()';
