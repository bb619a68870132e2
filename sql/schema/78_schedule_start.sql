-- Schedules start what is due: policies of overlap, what is held back, triggers and backfills.
--
-- Exactly one start per tick. Who fires a schedule has its row locked, and in one transaction makes the execution and moves
-- `tick` on: a crash leaves both undone, a second session skips the row. The execution's task_id,
-- schedule:NAME:2026-11-26T03:00:00Z, says which tick it was, and is the second guard: under it nothing that is alive or
-- completed starts again, whoever asks.
--
-- Every start goes through `schedule_starts`: a tick is first held (no id) and then started, at once or when what runs has
-- ended. That end wakes the database's worker (_settle), so that nobody polls.
--
-- Locks: rows of schedules, by the duties with SKIP LOCKED, by trigger and backfill waited for; then keys, with a
-- lock_timeout of 50 ms: what is not got in time stays held, and is tried again.

-- Whether schedules may start anything in this database now: the one place that decides it.
create function rhythm._schedules_may_start() returns bool
language sql stable as $$
  select rhythm._stopped() is null
$$;

-- Returns the task_id of a tick.
create function rhythm._tick_key(p_name text, p_tick timestamptz) returns text
language sql stable as $$
  select 'schedule:' || p_name || ':' || to_char(p_tick at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
    || coalesce('.' || nullif(to_char(p_tick at time zone 'UTC', 'US'), '000000'), '') || 'Z'
$$;

-- Returns whether something that the schedule has started is alive. No locks.
create function rhythm._schedule_is_running(p_name text) returns bool
language sql volatile as $$
  select exists (select from rhythm.schedule_starts s join rhythm.live l on l.id = s.id where s.schedule = p_name)
$$;

-- Returns whether the schedule has something that is held and may start now. No locks.
create function rhythm._schedule_is_ready(p_name text, p_paused bool) returns bool
language sql volatile as $$
  select exists (select from rhythm.schedule_starts s
    where s.schedule = p_name and s.id is null and (not p_paused or s.cause <> 'tick')
      and (not s.alone or not rhythm._schedule_is_running(p_name)))
$$;

-- Starts held ticks, whose schedule the caller has locked; gives how many are new: of the others somebody holds the key.
create function rhythm._start_ticks(p_entry rhythm.schedule_entries, p_ticks timestamptz[]) returns int
language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_timeout text := current_setting('lock_timeout');
  v_definition bigint;
  v_tick timestamptz;
  v_item rhythm.new_execution;
  v_items rhythm.new_execution[] := '{}';
  v_held uuid[];
  v_new uuid[];
begin
  if p_entry.kind = 'workflow' then
    v_definition := rhythm._current_definition(p_entry.target, p_entry.inputs);
  end if;
  foreach v_tick in array p_ticks loop
    v_item := null;
    v_item.id := rhythm._new_id();
    v_item.kind := p_entry.kind;
    v_item.name := p_entry.target;
    v_item.inputs := p_entry.inputs;
    v_item.queue := p_entry.queue;
    v_item.task_id := rhythm._tick_key(p_entry.name, v_tick);
    v_item.priority := p_entry.priority;
    v_item.retry := rhythm._retry(p_entry.retry);
    v_item.timeout := p_entry.timeout;
    v_item.start_timeout := p_entry.start_timeout;
    v_item.attempt_timeout := p_entry.attempt_timeout;
    v_item.heartbeat_timeout := p_entry.heartbeat_timeout;
    v_item.remember := rhythm._keep_time('remember', p_entry.remember);
    v_item.discard := p_entry.result = 'discard';
    v_item.definition_id := v_definition;
    v_items := v_items || v_item;
  end loop;
  perform set_config('lock_timeout', '50ms', true);
  v_held := (select rhythm._take_keys(array_agg(i.kind), array_agg(i.name), array_agg(i.task_id), array_agg(i.id))
    from unnest(v_items) i);
  perform set_config('lock_timeout', v_timeout, true);
  update rhythm.schedule_starts s set id = h.id
  from unnest(p_ticks, v_held) as h (tick, id) where s.schedule = p_entry.name and s.tick = h.tick;
  v_items := array(select i from unnest(v_items) i where i.id = any (v_held));
  if v_items = '{}' then
    return 0;
  end if;
  perform rhythm._create(v_items, v_now);
  if p_entry.kind = 'workflow' then
    v_new := array(select i.id from unnest(v_items) i);
    perform rhythm._advance(v_new, array_fill(null::int, array[cardinality(v_new)]));
  end if;
  return cardinality(v_items);
end
$$;

-- Notes that ticks could not be started. Locks: the schedule's row, which the caller has.
create function rhythm._note_failure(p_name text, p_count int, p_code text, p_message text) returns void
language sql as $$
  update rhythm.schedule_entries e set failed = e.failed + p_count,
    last_error = jsonb_build_object('at', rhythm._now(), 'code', p_code, 'message', left(p_message, 1000))
  where e.name = p_name
$$;

-- Starts what is held and may start now, of a schedule that the caller has locked. What cannot start (its inputs no longer
-- fit the workflow, say) is dropped, with a note; what somebody is in the way of stays held.
create function rhythm._start_held(p_name text) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_entry rhythm.schedule_entries;
  v_ticks timestamptz[];
  v_started int;
  v_code text;
  v_message text;
begin
  select e.* into v_entry from rhythm.schedule_entries e where e.name = p_name;
  -- More than one round: a workflow may end in its first step. What is left after these is due still.
  for v_round in 1 .. 50 loop
    v_ticks := array(
      select s.tick from rhythm.schedule_starts s
      where s.schedule = p_name and s.id is null and not s.alone and (v_entry.paused_at is null or s.cause <> 'tick')
      order by s.tick limit 200);
    if v_ticks = '{}' and not rhythm._schedule_is_running(p_name) then
      v_ticks := array(
        select s.tick from rhythm.schedule_starts s
        where s.schedule = p_name and s.id is null and (v_entry.paused_at is null or s.cause <> 'tick')
        order by s.tick limit 1);
    end if;
    exit when v_ticks = '{}';
    begin
      v_started := rhythm._start_ticks(v_entry, v_ticks);
      update rhythm.schedule_entries e set started = e.started + v_started where e.name = p_name;
    exception
      when lock_not_available or deadlock_detected or serialization_failure then
        exit;
      when others then
        get stacked diagnostics v_code = returned_sqlstate, v_message = message_text;
        delete from rhythm.schedule_starts s where s.schedule = p_name and s.tick = any (v_ticks) and s.id is null;
        perform rhythm._note_failure(p_name, cardinality(v_ticks), v_code, v_message);
    end;
  end loop;
end
$$;

-- Holds ticks as the policy wants, of a schedule that the caller has locked; gives how many it skips.
create function rhythm._admit(p_name text, p_overlap text, p_ticks timestamptz[], p_cause text) returns int
language plpgsql as $$
#variable_conflict use_column
declare
  v_count int := cardinality(p_ticks);
  v_take int := v_count;
  v_runs bool;
  v_held bool;
  v_dropped int := 0;
  v_id uuid;
begin
  if p_overlap in ('skip', 'queue_one') then
    v_runs := rhythm._schedule_is_running(p_name);
    v_held := exists (select from rhythm.schedule_starts s where s.schedule = p_name and s.id is null and s.alone);
  end if;
  if p_overlap = 'skip' then
    -- Of several that are due at once, after an outage, the newest counts.
    v_take := case when v_runs or v_held then 0 else 1 end;
    p_ticks := p_ticks[v_count - v_take + 1 : v_count];
  elsif p_overlap = 'queue_one' then
    -- One that starts now, and one that waits.
    v_take := least(v_count, case when v_held then 0 when v_runs then 1 else 2 end);
    p_ticks := p_ticks[1 : v_take];
  elsif p_overlap = 'cancel_other' then
    v_take := 1;
    p_ticks := p_ticks[v_count : v_count];
    delete from rhythm.schedule_starts s where s.schedule = p_name and s.id is null and s.alone;
    get diagnostics v_dropped = row_count;
    for v_id in
      select l.id from rhythm.schedule_starts s join rhythm.live l on l.id = s.id
      where s.schedule = p_name and l.cancelling is not true
        and not exists (select from rhythm.cancels c where c.execution_id = l.id)
      order by l.id
    loop
      perform rhythm.cancel(v_id, format('schedule %s starts the next one', quote_literal(p_name)));
    end loop;
  end if;
  insert into rhythm.schedule_starts (schedule, tick, cause, alone)
  select p_name, t, p_cause, p_overlap <> 'allow' from unnest(p_ticks) t
  on conflict (schedule, tick) do update set id = null, cause = excluded.cause, alone = excluded.alone
  -- What a backfill has started already is not due again; what has failed may be asked for again.
  where excluded.cause <> 'tick';
  return v_count - v_take + v_dropped;
end
$$;

-- Fires one schedule that is due and whose row the caller has locked. True: there is more to do now.
create function rhythm._fire_schedule(p_name text) returns bool
language plpgsql as $$
#variable_conflict use_column
declare
  v_most constant int := 1000;
  v_now timestamptz := rhythm._now();
  v_entry rhythm.schedule_entries;
  v_ticks timestamptz[];
  -- The next one, and when it starts.
  v_tick timestamptz;
  v_at timestamptz;
  v_more bool;
  v_missed int;
  v_skipped int := 0;
begin
  select e.* into v_entry from rhythm.schedule_entries e where e.name = p_name;
  v_ticks := rhythm._schedule_ticks(v_entry, v_entry.tick - interval '1 microsecond', least(v_now, v_entry.ends_at), v_most);
  v_more := cardinality(v_ticks) = v_most;
  -- The last may have a jitter that is not over; all before have, as it never reaches the tick that follows.
  if cardinality(v_ticks) > 1 then
    select n.tick, n.next_at into v_tick, v_at
    from rhythm._schedule_next(v_entry, v_ticks[cardinality(v_ticks)] - interval '1 microsecond') n;
    if v_at > v_now then
      v_ticks := v_ticks[1 : cardinality(v_ticks) - 1];
    else
      v_at := null;
    end if;
  end if;
  if v_at is null then
    select n.tick, n.next_at into v_tick, v_at
    from rhythm._schedule_next(v_entry, coalesce(v_ticks[cardinality(v_ticks)], v_entry.tick)) n;
  end if;
  -- Nobody fires in the very second.
  v_missed := (select count(*) from unnest(v_ticks) t
    where t < v_now - greatest(v_entry.catch_up, interval '10 seconds') - v_entry.jitter);
  v_ticks := v_ticks[v_missed + 1 :];
  if v_ticks <> '{}' then
    if v_more and v_entry.overlap in ('skip', 'cancel_other') then
      -- The newest is still to come.
      v_skipped := cardinality(v_ticks);
    else
      v_skipped := rhythm._admit(p_name, v_entry.overlap, v_ticks, 'tick');
    end if;
  end if;
  update rhythm.schedule_entries e set tick = v_tick, next_at = v_at, missed = e.missed + v_missed,
    skipped = e.skipped + v_skipped
  where e.name = p_name;
  perform rhythm._start_held(p_name);
  if exists (select from rhythm.schedule_starts s where s.schedule = p_name and s.id is null) then
    -- What runs may have ended since we looked, and its wake-up gone by before this commit.
    perform rhythm._wake_steps(false);
  end if;
  -- The last hundred are kept, and whatever is alive.
  delete from rhythm.schedule_starts s
  where s.schedule = p_name and s.id is not null
    and s.tick < (select o.tick from rhythm.schedule_starts o where o.schedule = p_name order by o.tick desc offset 100 limit 1)
    and not exists (select from rhythm.live l where l.id = s.id);
  return v_more;
end
$$;

-- Fires schedules that are due, and starts what is held and may start; gives their number, or `p_max` when there is more to
-- do now. A schedule that cannot be fired (the server has lost its time zone, say), or whose held start fails, is tried again in a
-- minute; one that meets a lock in a tenth of a second, behind others. So none is in anybody's way.
--
-- Locks: rows of schedules, skipping those that others hold; then as _start_ticks. Dying halfway leaves all of it due.
create function rhythm._fire_schedules(p_max int) returns int
language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  -- Each one is a subtransaction or two, and more than 64 in a transaction slow everybody's snapshots.
  v_most constant int := 16;
  v_names text[];
  v_name text;
  v_count int := 0;
  v_more bool := false;
  v_code text;
  v_message text;
begin
  if not exists (select from rhythm.schedule_entries e where e.paused_at is null and e.next_at <= v_now)
    and not exists (select from rhythm.schedule_starts s where s.id is null)
    or not rhythm._schedules_may_start()
  then
    return 0;
  end if;
  v_names := array(
    select e.name from rhythm.schedule_entries e where e.paused_at is null and e.next_at <= v_now
    order by e.next_at limit v_most for update skip locked);
  foreach v_name in array v_names loop
    begin
      v_more := rhythm._fire_schedule(v_name) or v_more;
    exception
      when lock_not_available or deadlock_detected or serialization_failure then
        null;
      when others then
        get stacked diagnostics v_code = returned_sqlstate, v_message = message_text;
        perform rhythm._note_failure(v_name, 0, v_code, v_message);
        update rhythm.schedule_entries e set next_at = v_now + interval '1 minute', held_until = v_now + interval '1 minute'
        where e.name = v_name;
    end;
  end loop;
  v_count := cardinality(v_names);
  v_more := v_more or v_count = v_most;
  v_names := array(
    select e.name from rhythm.schedule_entries e
    where e.name in (select s.schedule from rhythm.schedule_starts s where s.id is null) and coalesce(e.held_until <= v_now, true)
      and rhythm._schedule_is_ready(e.name, e.paused_at is not null)
    order by e.held_until nulls first, e.name limit v_most for update skip locked);
  foreach v_name in array v_names loop
    begin
      perform rhythm._start_held(v_name);
      update rhythm.schedule_entries e set held_until = h.until
      from (select case when rhythm._schedule_is_ready(o.name, o.paused_at is not null) then v_now + interval '100 milliseconds' end as until
        from rhythm.schedule_entries o where o.name = v_name) h
      where e.name = v_name and e.held_until is distinct from h.until;
    exception when others then
      get stacked diagnostics v_code = returned_sqlstate, v_message = message_text;
      perform rhythm._note_failure(v_name, 0, v_code, v_message);
      update rhythm.schedule_entries e
      set held_until = v_now + case when v_code in ('40P01', '40001', '55P03') then interval '100 milliseconds' else interval '1 minute' end
      where e.name = v_name;
    end;
  end loop;
  v_count := v_count + cardinality(v_names);
  return case when v_more or cardinality(v_names) = v_most then greatest(v_count, p_max) else v_count end;
end
$$;

-- Returns when schedules want to be looked at next, on Rhythm's clock; null: never. No locks.
create function rhythm._schedules_due() returns timestamptz
language plpgsql as $$
begin
  if not rhythm._schedules_may_start() then
    return null;
  end if;
  return least(
    (select min(e.next_at) from rhythm.schedule_entries e where e.paused_at is null),
    -- Held, and in nobody's way but for somebody's lock on its key, or a failure.
    case when exists (select from rhythm.schedule_starts s where s.id is null) then (
      select min(greatest(e.held_until, rhythm._now() + interval '100 milliseconds')) from rhythm.schedule_entries e
      where e.name in (select s.schedule from rhythm.schedule_starts s where s.id is null)
        and rhythm._schedule_is_ready(e.name, e.paused_at is not null)) end);
end
$$;

-- Starts one execution of a schedule now. Locks: the schedule's row, until the caller's commit. Dying halfway starts nothing.
create function rhythm.trigger_schedule(name text, overlap text default null) returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  v_entry rhythm.schedule_entries;
  v_now timestamptz;
  v_id uuid;
begin
  perform rhythm._check_overlap(trigger_schedule.overlap);
  v_entry := rhythm._lock_schedule(trigger_schedule.name);
  v_now := rhythm._now();
  if rhythm._admit(v_entry.name, coalesce(trigger_schedule.overlap, v_entry.overlap), array[v_now], 'trigger') > 0
    and not exists (select from rhythm.schedule_starts s where s.schedule = v_entry.name and s.tick = v_now)
  then
    update rhythm.schedule_entries e set skipped = e.skipped + 1 where e.name = v_entry.name;
    return null;
  end if;
  if rhythm._schedules_may_start() and (not rhythm._schedule_is_running(v_entry.name)
    or exists (select from rhythm.schedule_starts s where s.schedule = v_entry.name and s.tick = v_now and not s.alone))
  then
    -- Not by _start_held: an error is for the caller.
    update rhythm.schedule_entries e set started = e.started + rhythm._start_ticks(v_entry, array[v_now]) where e.name = v_entry.name;
    select s.id into v_id from rhythm.schedule_starts s where s.schedule = v_entry.name and s.tick = v_now;
    return v_id;
  end if;
  perform rhythm._wake_steps(false);
  return null;
end
$$;
comment on function rhythm.trigger_schedule(text, text) is
'Starts what a schedule starts now, outside of its times, and gives the id; null: its overlap policy (or the one given) skips it, or holds it until the running one has ended. Example: select rhythm.trigger_schedule(''nightly'')';

-- Starts ticks of the past. Locks and halfway: as trigger_schedule.
create function rhythm.backfill_schedule(name text, since timestamptz, until timestamptz default null,
  overlap text default 'queue_all')
returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  v_entry rhythm.schedule_entries;
  v_now timestamptz := rhythm._now();
  v_ticks timestamptz[];
  v_skipped int;
begin
  perform rhythm._check_given('since', backfill_schedule.since is not null),
    rhythm._check_given('overlap', backfill_schedule.overlap is not null), rhythm._check_overlap(backfill_schedule.overlap),
    rhythm._check_moment('since', backfill_schedule.since), rhythm._check_moment('until', backfill_schedule.until);
  if backfill_schedule.until > v_now or backfill_schedule.since > coalesce(backfill_schedule.until, v_now) then
    perform rhythm._raise('RH002', 'since must be before until, and neither in the future', null,
      'Ticks that are to come start by themselves.');
  end if;
  v_entry := rhythm._lock_schedule(backfill_schedule.name);
  if v_entry.kind = 'workflow' then
    perform rhythm._current_definition(v_entry.target, v_entry.inputs);
  end if;
  v_ticks := rhythm._schedule_ticks(v_entry, backfill_schedule.since - interval '1 microsecond',
    coalesce(backfill_schedule.until, v_now), 10001);
  if cardinality(v_ticks) > 10000 then
    perform rhythm._raise('RH002', 'more than 10000 ticks are in that time', null, 'Backfill one part after the other.');
  end if;
  -- What is held, alive or completed is not started twice.
  v_ticks := array(
    select t from unnest(v_ticks) t
    where not exists (select from rhythm.schedule_starts s where s.schedule = v_entry.name and s.tick = t and s.id is null)
      and not exists (select from rhythm.keys k where k.kind = v_entry.kind and k.name = v_entry.target
        and k.task_id = rhythm._tick_key(v_entry.name, t)
        and exists (select from rhythm.executions x where x.id = k.id))
    order by t);
  if v_ticks = '{}' then
    return 0;
  end if;
  v_skipped := rhythm._admit(v_entry.name, backfill_schedule.overlap, v_ticks, 'backfill');
  update rhythm.schedule_entries e set skipped = e.skipped + v_skipped where e.name = v_entry.name;
  if rhythm._schedules_may_start() then
    perform rhythm._start_held(v_entry.name);
  end if;
  perform rhythm._wake_steps(false);
  return greatest(cardinality(v_ticks) - v_skipped, 0);
end
$$;
comment on function rhythm.backfill_schedule(text, timestamptz, timestamptz, text) is
'Starts the ticks of a schedule between two moments of the past (until null: now) for which nothing is alive or completed, by default one after the other, and gives their number. Example: select rhythm.backfill_schedule(''nightly'', since => now() - interval ''3 days'')';
