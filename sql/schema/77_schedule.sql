-- Schedules: what starts by itself, and when. This file keeps them and knows their ticks; 78 starts what is due.
--
-- A *tick* is a time at which a schedule is to start an execution: of a cron expression on the clock of a time zone, or
-- every so often from an anchor, but for what its calendars exclude. Ticks are whole seconds. `tick` is the next one and
-- `next_at` the moment at which it starts, later by its jitter; both move on in the transaction that starts it.
--
-- Locks: the schedule's row, by who changes it, until the caller's commit; its ticks wait for that, and those of no other.

create table rhythm.exclusion_calendars (
  name text primary key,
  days date[] not null,
  -- As in ISO: 1 is Monday, 7 is Sunday. Seven of them would exclude everything.
  weekdays int[] not null check (cardinality(weekdays) < 7),
  during tstzmultirange not null
);
comment on table rhythm.exclusion_calendars is 'When schedules that name one of these do not start. Seen through the view rhythm.calendars.';

create table rhythm.schedule_entries (
  name text primary key,
  kind text not null check (kind in ('task', 'workflow')),
  target text not null,
  cron text,
  -- Exact seconds: a day here is 24 hours, whatever the clocks do.
  every interval check (every >= interval '1 second'),
  time_zone text not null,
  inputs jsonb not null,
  queue text,
  priority int,
  retry jsonb,
  timeout interval,
  start_timeout interval,
  attempt_timeout interval,
  heartbeat_timeout interval,
  -- How long a completed one keeps its task_id, as text; and what becomes of its result.
  remember text,
  result text,
  overlap text not null check (overlap in ('skip', 'queue_one', 'queue_all', 'cancel_other', 'allow')),
  catch_up interval not null,
  jitter interval not null,
  exclude text[] not null,
  starts_at timestamptz,
  ends_at timestamptz,
  -- From where `every` counts.
  anchor timestamptz not null,
  tick timestamptz,
  next_at timestamptz,
  -- What it holds back could not be started, and is not tried again before this.
  held_until timestamptz,
  paused_at timestamptz,
  paused_by text,
  pause_reason text,
  -- How many ticks came to what. Triggers and backfills count too.
  started bigint not null default 0,
  skipped bigint not null default 0,
  missed bigint not null default 0,
  failed bigint not null default 0,
  last_error jsonb,
  created_at timestamptz not null,
  created_by text not null,
  changed_at timestamptz not null,
  check ((cron is null) <> (every is null)),
  check (tick is null or next_at is not null),
  check ((paused_at is null) = (paused_by is null))
) with (fillfactor = 70);
comment on table rhythm.schedule_entries is 'Schedules. Seen through the view rhythm.schedules.';
create index schedule_entries_due on rhythm.schedule_entries (next_at) where paused_at is null;

-- What a schedule has started lately, and what it holds back.
create table rhythm.schedule_starts (
  schedule text collate "C" not null,
  tick timestamptz not null,
  cause text not null check (cause in ('tick', 'trigger', 'backfill')),
  -- Null: held back until what runs has ended.
  id uuid,
  -- Whether it must not run beside others of its schedule.
  alone bool not null,
  primary key (schedule, tick)
);
comment on table rhythm.schedule_starts is 'The last starts of each schedule, and the ticks that wait for their turn. Seen through the view rhythm.schedule_runs.';
create index schedule_starts_held on rhythm.schedule_starts (schedule, tick) where id is null;

-- Returns times of a cron expression, in order; raises for an expression or a time zone that cannot be read.
create function rhythm._cron_after(p_cron text, p_time_zone text, p_after timestamptz, p_count int) returns timestamptz[]
language plpgsql stable as $$
declare
  v_found record;
begin
  select c.times, c.wrong, c.message into v_found
  from rhythm._cron_times(p_cron, p_time_zone, floor(extract(epoch from p_after))::bigint, p_count) c;
  if v_found.wrong = 'cron' then
    perform rhythm._raise('RH006', format('cannot read the cron expression "%s"', left(p_cron, 100)),
      rtrim(left(v_found.message, 300), '.') || '.',
      'Give five fields (minute, hour, day of month, month, weekday), six with seconds first, or @hourly, @daily, @weekly, @monthly, @yearly.');
  elsif v_found.wrong = 'time_zone' then
    perform rhythm._raise('RH006', format('time zone "%s" is not known', left(p_time_zone, 100)), null,
      'Give a name such as ''Europe/Berlin''; pg_timezone_names has all of them.');
  end if;
  return array(select to_timestamp(t) from unnest(v_found.times) t);
end
$$;

-- Returns the end of the exclusion that covers a moment; null: no calendar excludes it.
create function rhythm._excluded_until(p_calendars text[], p_time_zone text, p_at timestamptz) returns timestamptz
language sql stable as $$
  select max(x.until) from (
    select coalesce(upper(r.during), 'infinity') as until
    from rhythm.exclusion_calendars c cross join lateral unnest(c.during) as r (during)
    where c.name = any (p_calendars) and r.during @> p_at
    union all
    select (d.day + 1)::timestamp at time zone p_time_zone
    from (select (p_at at time zone p_time_zone)::date as day) d
    where exists (select from rhythm.exclusion_calendars c
      where c.name = any (p_calendars) and (d.day = any (c.days) or extract(isodow from d.day) = any (c.weekdays)))
  ) x
$$;

-- Returns ticks after a moment and up to another (null: for ever), at most `p_count`, in order.
create function rhythm._schedule_ticks(p_entry rhythm.schedule_entries, p_after timestamptz, p_until timestamptz, p_count int)
returns timestamptz[]
language plpgsql stable as $$
declare
  v_ticks timestamptz[] := '{}';
  v_raw timestamptz[];
  v_from timestamptz := p_after;
  v_tick timestamptz;
  v_free timestamptz;
  v_first bigint;
begin
  -- Each round ends at an exclusion and goes on where that ends; a calendar that excludes ten years of days is enough.
  for v_round in 1 .. 4000 loop
    if p_entry.cron is not null then
      v_raw := rhythm._cron_after(p_entry.cron, p_entry.time_zone, v_from, p_count - cardinality(v_ticks));
    else
      v_first := floor(extract(epoch from v_from - p_entry.anchor) / extract(epoch from p_entry.every)) + 1;
      v_raw := array(select p_entry.anchor + p_entry.every * k
        from generate_series(v_first, v_first + p_count - cardinality(v_ticks) - 1) k);
    end if;
    if p_entry.exclude = '{}' then
      return array(select t from unnest(v_raw) t where p_until is null or t <= p_until);
    end if;
    v_free := null;
    foreach v_tick in array v_raw loop
      if v_tick > p_until then
        return v_ticks;
      end if;
      v_free := rhythm._excluded_until(p_entry.exclude, p_entry.time_zone, v_tick);
      exit when v_free is not null;
      v_ticks := v_ticks || v_tick;
    end loop;
    if v_free is null or v_free = 'infinity' then
      return v_ticks;
    end if;
    v_from := greatest(v_free - interval '1 microsecond', v_tick);
  end loop;
  return v_ticks;
end
$$;

-- Gives the next tick after a moment and when it starts; nulls: there is none. The jitter of a tick is always the same, and
-- never reaches the tick that follows.
create function rhythm._schedule_next(p_entry rhythm.schedule_entries, p_after timestamptz, out tick timestamptz,
  out next_at timestamptz)
language plpgsql stable as $$
declare
  v_jittered bool := p_entry.jitter > interval '0';
  v_ticks timestamptz[] := rhythm._schedule_ticks(p_entry, greatest(p_after, p_entry.starts_at - interval '1 microsecond'),
    p_entry.ends_at, case when v_jittered then 2 else 1 end);
  v_share float8;
begin
  tick := v_ticks[1];
  next_at := tick;
  if v_jittered and tick is not null then
    v_share := (hashtextextended(p_entry.name || extract(epoch from tick), 0) & 1048575) / 1048576.0;
    next_at := tick + least(p_entry.jitter, v_ticks[2] - tick) * v_share;
  end if;
end
$$;

-- Refuses a moment that no calendar has. No locks.
create function rhythm._check_moment(p_what text, p_at timestamptz) returns void
language plpgsql as $$
begin
  if p_at not between timestamptz '1970-01-01 00:00 UTC' and clock_timestamp() + interval '100 years' then
    perform rhythm._raise('RH002', format('%s must be from 1970 to 100 years on, not %s', p_what, p_at), null,
      'Give a point in time.');
  end if;
end
$$;

-- Refuses a policy of overlap that there is not. No locks.
create function rhythm._check_overlap(p_overlap text) returns void
language plpgsql as $$
begin
  if p_overlap not in ('skip', 'queue_one', 'queue_all', 'cancel_other', 'allow') then
    perform rhythm._raise('RH002', format('overlap must not be "%s"', left(p_overlap, 50)), null,
      'Give skip, queue_one, queue_all, cancel_other or allow.');
  end if;
end
$$;

-- Refuses a definition that cannot be. No locks.
create function rhythm._check_schedule(p_new rhythm.schedule_entries) returns void
language plpgsql as $$
declare
  v_unknown text;
begin
  perform rhythm._check_given('time_zone', p_new.time_zone is not null), rhythm._check_given('overlap', p_new.overlap is not null),
    rhythm._check_given('catch_up', p_new.catch_up is not null), rhythm._check_given('jitter', p_new.jitter is not null),
    rhythm._check_given('exclude', p_new.exclude is not null), rhythm._check_overlap(p_new.overlap),
    rhythm._check_duration('catch_up', p_new.catch_up), rhythm._check_duration('jitter', p_new.jitter),
    rhythm._check_moment('starts_at', p_new.starts_at), rhythm._check_moment('ends_at', p_new.ends_at);
  perform rhythm._check_enqueue(p_new.kind, p_new.target, p_new.inputs, p_new.queue, null, p_new.priority, null, null,
    p_new.timeout, p_new.start_timeout, p_new.heartbeat_timeout, p_new.attempt_timeout, p_new.result),
    rhythm._keep_time('remember', p_new.remember);
  if p_new.kind = 'workflow' then
    if coalesce(p_new.start_timeout, p_new.attempt_timeout, p_new.heartbeat_timeout) is not null then
      perform rhythm._raise('RH002', 'start_timeout, attempt_timeout and heartbeat_timeout are for tasks', null,
        'Leave them out for a workflow.');
    end if;
    perform rhythm._current_definition(p_new.target, p_new.inputs);
  end if;
  perform rhythm._retry(p_new.retry);
  -- The zone counts for calendars too; of an expression this reads all.
  perform rhythm._cron_after(coalesce(p_new.cron, '@daily'), p_new.time_zone, rhythm._now(), 0);
  select string_agg(quote_literal(left(u.name, 50)), ', ') into v_unknown
  from (select u.name from unnest(p_new.exclude) u (name)
    where not exists (select from rhythm.exclusion_calendars c where c.name = u.name) limit 5) u;
  if v_unknown is not null or array_position(p_new.exclude, null) is not null then
    perform rhythm._raise('RH305', format('calendar %s does not exist', coalesce(v_unknown, 'null')), null,
      'Make it with rhythm.set_calendar(name, ...), or correct exclude.');
  end if;
end
$$;

-- Returns an interval of `every` as exact seconds, or raises. No locks.
create function rhythm._check_every(p_every interval) returns interval
language plpgsql as $$
begin
  perform rhythm._check_duration('every', p_every);
  if p_every < interval '1 second' or extract(epoch from p_every) % 1 <> 0 then
    perform rhythm._raise('RH002', format('every must be a whole number of seconds, and at least one, not %s', p_every), null,
      'Give every as an interval such as ''5 minutes''.');
  elsif extract(year from p_every) <> 0 or extract(month from p_every) <> 0 then
    perform rhythm._raise('RH002', format('every must not have months or years, as %s has: they are not all alike', p_every),
      null, 'Give a cron expression, such as ''0 6 1 * *'' for the first of each month at six.');
  end if;
  return make_interval(secs => extract(epoch from p_every)::float8);
end
$$;

-- Makes or replaces a schedule. Locks: its row, until the caller's commit; who makes one of the same name at the same time
-- waits for that. Dying halfway changes nothing.
create function rhythm.schedule(name text, cron text default null, every interval default null, task text default null,
  workflow text default null, inputs jsonb default '{}', time_zone text default 'UTC', overlap text default 'skip',
  catch_up interval default '1 day', jitter interval default '0', queue text default null, priority int default null,
  retry jsonb default null, timeout interval default null, start_timeout interval default null,
  exclude text[] default '{}', starts_at timestamptz default null, ends_at timestamptz default null,
  attempt_timeout interval default null, heartbeat_timeout interval default null, remember text default null,
  result text default null)
returns timestamptz
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_old rhythm.schedule_entries;
  v_new rhythm.schedule_entries;
begin
  perform rhythm._check_name('schedule', schedule.name);
  if (schedule.cron is null) = (schedule.every is null) then
    perform rhythm._raise('RH002', 'a schedule has either cron or every', null,
      'Give cron => ''0 6 * * *'', say, or every => ''5 minutes''.');
  elsif (schedule.task is null) = (schedule.workflow is null) then
    perform rhythm._raise('RH002', 'a schedule starts either a task or a workflow', null,
      'Give its name as task => ''...'' or workflow => ''...''.');
  end if;
  v_new.name := schedule.name;
  v_new.kind := case when schedule.task is not null then 'task' else 'workflow' end;
  v_new.target := coalesce(schedule.task, schedule.workflow);
  v_new.cron := schedule.cron;
  v_new.every := case when schedule.every is not null then rhythm._check_every(schedule.every) end;
  v_new.time_zone := schedule.time_zone;
  v_new.inputs := schedule.inputs;
  v_new.queue := schedule.queue;
  v_new.priority := schedule.priority;
  v_new.retry := schedule.retry;
  v_new.timeout := schedule.timeout;
  v_new.start_timeout := schedule.start_timeout;
  v_new.attempt_timeout := schedule.attempt_timeout;
  v_new.heartbeat_timeout := schedule.heartbeat_timeout;
  v_new.remember := schedule.remember;
  v_new.result := schedule.result;
  v_new.overlap := schedule.overlap;
  v_new.catch_up := schedule.catch_up;
  v_new.jitter := schedule.jitter;
  v_new.exclude := case when schedule.exclude is not null then array(select distinct u from unnest(schedule.exclude) u order by u) end;
  v_new.starts_at := schedule.starts_at;
  v_new.ends_at := schedule.ends_at;
  perform rhythm._check_schedule(v_new);
  -- Once, and not at each tick: nobody would read it there.
  perform rhythm._check_task_inputs(t.name, t.input_schema, t.schema_check, v_new.inputs, 0)
  from rhythm.served_tasks t where t.name = schedule.task and t.schema_check is not null;

  loop
    select e.* into v_old from rhythm.schedule_entries e where e.name = schedule.name for update;
    if (v_old.cron, v_old.every, v_old.time_zone, v_old.jitter, v_old.exclude, v_old.starts_at, v_old.ends_at)
      is not distinct from
      (v_new.cron, v_new.every, v_new.time_zone, v_new.jitter, v_new.exclude, v_new.starts_at, v_new.ends_at)
    then
      -- The same times: what is due stays due.
      v_new.anchor := v_old.anchor;
      v_new.tick := v_old.tick;
      v_new.next_at := v_old.next_at;
    else
      v_new.anchor := case when v_old.every = v_new.every and v_old.starts_at is not distinct from v_new.starts_at then v_old.anchor
        else date_trunc('second', coalesce(v_new.starts_at, v_now)) end;
      select n.tick, n.next_at into v_new.tick, v_new.next_at from rhythm._schedule_next(v_new, v_now) n;
      if v_new.tick is null then
        perform rhythm._raise('RH002', format('schedule "%s" has no time that is still to come', left(schedule.name, 100)), null,
          'Look at its days, at ends_at, and at what its calendars exclude.');
      end if;
    end if;
    if v_old.name is null then
      insert into rhythm.schedule_entries as e (name, kind, target, cron, every, time_zone, inputs, queue, priority, retry, timeout,
        start_timeout, attempt_timeout, heartbeat_timeout, remember, result, overlap, catch_up, jitter, exclude, starts_at, ends_at, anchor, tick,
        next_at, created_at, created_by, changed_at)
      values (v_new.name, v_new.kind, v_new.target, v_new.cron, v_new.every, v_new.time_zone, v_new.inputs, v_new.queue,
        v_new.priority, v_new.retry, v_new.timeout, v_new.start_timeout, v_new.attempt_timeout, v_new.heartbeat_timeout,
        v_new.remember, v_new.result, v_new.overlap, v_new.catch_up, v_new.jitter, v_new.exclude, v_new.starts_at, v_new.ends_at, v_new.anchor, v_new.tick, v_new.next_at, v_now, session_user, v_now)
      on conflict do nothing;
      -- Somebody has made it in this very moment: then this replaces his.
      continue when not found;
    elsif (v_old.kind, v_old.target, v_old.inputs, v_old.queue, v_old.priority, v_old.retry, v_old.timeout, v_old.start_timeout,
        v_old.attempt_timeout, v_old.heartbeat_timeout, v_old.remember, v_old.result, v_old.overlap, v_old.catch_up, v_old.anchor,
        v_old.cron, v_old.every, v_old.time_zone, v_old.jitter, v_old.exclude,
        v_old.starts_at, v_old.ends_at)
      is distinct from
      (v_new.kind, v_new.target, v_new.inputs, v_new.queue, v_new.priority, v_new.retry, v_new.timeout, v_new.start_timeout,
        v_new.attempt_timeout, v_new.heartbeat_timeout, v_new.remember, v_new.result, v_new.overlap, v_new.catch_up, v_new.anchor,
        v_new.cron, v_new.every, v_new.time_zone, v_new.jitter, v_new.exclude,
        v_new.starts_at, v_new.ends_at)
    then
      update rhythm.schedule_entries e set kind = v_new.kind, target = v_new.target, cron = v_new.cron, every = v_new.every,
        time_zone = v_new.time_zone, inputs = v_new.inputs, queue = v_new.queue, priority = v_new.priority,
        retry = v_new.retry, timeout = v_new.timeout, start_timeout = v_new.start_timeout,
        attempt_timeout = v_new.attempt_timeout, heartbeat_timeout = v_new.heartbeat_timeout,
        remember = v_new.remember, result = v_new.result, overlap = v_new.overlap,
        catch_up = v_new.catch_up, jitter = v_new.jitter, exclude = v_new.exclude, starts_at = v_new.starts_at,
        ends_at = v_new.ends_at, anchor = v_new.anchor, tick = v_new.tick, next_at = v_new.next_at, held_until = null,
        last_error = null, changed_at = v_now
      where e.name = v_new.name;
    end if;
    exit;
  end loop;
  if v_new.next_at is not null then
    perform rhythm._wake_due(v_new.next_at);
  end if;
  return v_new.next_at;
end
$$;
comment on function rhythm.schedule(text, text, interval, text, text, jsonb, text, text, interval, interval, text, int, jsonb, interval, interval, text[], timestamptz, timestamptz, interval, interval, text, text) is
'Makes or replaces a schedule that starts a task or a workflow at the times of a cron expression, or every so often; gives when it starts next. The same definition again changes nothing. overlap (when the last one still runs): skip, queue_one, queue_all, cancel_other, allow. What else it says of its starts is as in enqueue and start. Example: select rhythm.schedule(''nightly'', cron => ''0 3 * * *'', time_zone => ''Europe/Berlin'', task => ''clean-up'', inputs => ''{"days": 30}'')';

-- Returns a schedule with its row locked; raises if there is none.
create function rhythm._lock_schedule(p_name text) returns rhythm.schedule_entries
language plpgsql as $$
declare
  v_entry rhythm.schedule_entries;
begin
  perform rhythm._check_name('schedule', p_name);
  select e.* into v_entry from rhythm.schedule_entries e where e.name = p_name for update;
  if v_entry.name is null then
    perform rhythm._raise('RH305', format('schedule "%s" does not exist', left(p_name, 100)), null,
      'See the view rhythm.schedules, or make it with rhythm.schedule(name, ...).');
  end if;
  return v_entry;
end
$$;

-- Deletes a schedule. Locks: its row, until the caller's commit. Dying halfway changes nothing.
create function rhythm.unschedule(name text) returns bool
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  perform rhythm._check_name('schedule', unschedule.name);
  delete from rhythm.schedule_entries e where e.name = unschedule.name;
  if not found then
    return false;
  end if;
  delete from rhythm.schedule_starts s where s.schedule = unschedule.name;
  return true;
end
$$;
comment on function rhythm.unschedule(text) is
'Deletes a schedule and what it holds back; what it has started runs on. False: there is none of this name. Example: select rhythm.unschedule(''nightly'')';

-- Pauses a schedule. Locks and halfway: as unschedule.
create function rhythm.pause_schedule(name text, reason text default null) returns bool
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_entry rhythm.schedule_entries := rhythm._lock_schedule(pause_schedule.name);
begin
  if octet_length(pause_schedule.reason) > 10000 then
    perform rhythm._raise('RH002', format('reason must have at most 10000 bytes, not %s', octet_length(pause_schedule.reason)), null,
      'Give a short reason.');
  end if;
  update rhythm.schedule_entries e set paused_at = rhythm._now(), paused_by = session_user, pause_reason = pause_schedule.reason
  where e.name = v_entry.name and e.paused_at is null;
  return found;
end
$$;
comment on function rhythm.pause_schedule(text, text) is
'Lets a schedule start nothing by itself until resume_schedule; trigger_schedule and backfill_schedule still do. False: it was paused before. Example: select rhythm.pause_schedule(''nightly'', ''the disk is full'')';

-- Ends a pause. Locks and halfway: as unschedule.
create function rhythm.resume_schedule(name text) returns bool
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_entry rhythm.schedule_entries := rhythm._lock_schedule(resume_schedule.name);
begin
  if v_entry.paused_at is null then
    return false;
  end if;
  select n.tick, n.next_at into v_entry.tick, v_entry.next_at from rhythm._schedule_next(v_entry, rhythm._now()) n;
  update rhythm.schedule_entries e
  set paused_at = null, paused_by = null, pause_reason = null, tick = v_entry.tick, next_at = v_entry.next_at
  where e.name = v_entry.name;
  -- What it holds back may start now, and the next tick is for the worker to note.
  perform rhythm._wake_steps(false);
  return true;
end
$$;
comment on function rhythm.resume_schedule(text) is
'Ends the pause of a schedule, which goes on with the next tick: those of the pause are gone (see backfill_schedule). False: it was not paused. Example: select rhythm.resume_schedule(''nightly'')';

-- Refuses a number of times that is no list. No locks.
create function rhythm._check_count(p_count int) returns void
language plpgsql as $$
begin
  perform rhythm._check_given('count', p_count is not null);
  if p_count not between 1 and 1000 then
    perform rhythm._raise('RH002', format('count must be from 1 to 1000, not %s', p_count), null, 'Ask for fewer times.');
  end if;
end
$$;

-- Gives the ticks to come. No locks.
create function rhythm.schedule_times(name text, count int default 5, since timestamptz default null)
returns setof timestamptz
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_entry rhythm.schedule_entries;
begin
  perform rhythm._check_name('schedule', schedule_times.name), rhythm._check_count(schedule_times.count),
    rhythm._check_moment('since', schedule_times.since);
  select e.* into v_entry from rhythm.schedule_entries e where e.name = schedule_times.name;
  if v_entry.name is null then
    perform rhythm._raise('RH305', format('schedule "%s" does not exist', left(schedule_times.name, 100)), null,
      'See the view rhythm.schedules, or make it with rhythm.schedule(name, ...).');
  end if;
  return query select t from unnest(rhythm._schedule_ticks(v_entry,
    greatest(coalesce(schedule_times.since, rhythm._now()), v_entry.starts_at - interval '1 microsecond'),
    v_entry.ends_at, schedule_times.count)) t;
end
$$;
comment on function rhythm.schedule_times(text, int, timestamptz) is
'Gives the next ticks of a schedule after now, or after since, without their jitter. Example: select * from rhythm.schedule_times(''nightly'', 3)';

-- Gives the times of an expression. No locks.
create function rhythm.cron_times(cron text, time_zone text default 'UTC', count int default 5, since timestamptz default null)
returns setof timestamptz
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform rhythm._check_given('cron', cron_times.cron is not null), rhythm._check_given('time_zone', cron_times.time_zone is not null),
    rhythm._check_count(cron_times.count), rhythm._check_moment('since', cron_times.since);
  return query select t
    from unnest(rhythm._cron_after(cron_times.cron, cron_times.time_zone, coalesce(cron_times.since, rhythm._now()), cron_times.count)) t;
end
$$;
comment on function rhythm.cron_times(text, text, int, timestamptz) is
'Gives the next times of a cron expression on the clock of a time zone, to see what it means. Example: select * from rhythm.cron_times(''30 2 * * *'', ''Europe/Berlin'', since => ''2026-03-28 12:00 Europe/Berlin'')';
