-- Calendars of exclusion: days and times at which the schedules that name them do not start.
--
-- Locks: the calendar's row, then the schedules that use it in the order of their names, until the caller's commit.

-- Makes or replaces a calendar. Locks: its row, then the rows of the schedules that exclude it in the order of their names, until the
-- caller's commit; their ticks wait for that, and those of no other. Dying halfway changes neither calendar nor ticks.
create function rhythm.set_calendar(name text, days date[] default '{}', weekdays text[] default '{}',
  during tstzmultirange default '{}')
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_names text[] := array['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
  v_weekdays int[];
  v_entry rhythm.schedule_entries;
begin
  perform rhythm._check_name('calendar', set_calendar.name), rhythm._check_given('days', set_calendar.days is not null),
    rhythm._check_given('weekdays', set_calendar.weekdays is not null),
    rhythm._check_given('during', set_calendar.during is not null);
  if cardinality(set_calendar.days) > 10000 or exists (select from unnest(set_calendar.days) d where d is null) then
    perform rhythm._raise('RH002', 'days must be at most 10000 days, none of them null', null,
      'Give days such as ''{2026-12-25,2026-12-26}'', and long times as during.');
  end if;
  v_weekdays := array(select distinct array_position(v_names, lower(w)) from unnest(set_calendar.weekdays) w order by 1);
  if array_position(v_weekdays, null) is not null or cardinality(v_weekdays) > 6 then
    perform rhythm._raise('RH002', 'weekdays must be some of mon, tue, wed, thu, fri, sat, sun, but not all of them',
      'Got: ' || left(set_calendar.weekdays::text, 200) || '.', 'Give weekdays such as ''{sat,sun}''.');
  end if;
  insert into rhythm.exclusion_calendars as c (name, days, weekdays, during)
  values (set_calendar.name, array(select distinct d from unnest(set_calendar.days) d order by d), v_weekdays, set_calendar.during)
  on conflict (name) do update set days = excluded.days, weekdays = excluded.weekdays, during = excluded.during;
  -- What is due already is looked at when it starts.
  for v_entry in
    select e.* from rhythm.schedule_entries e where e.exclude @> array[set_calendar.name] order by e.name for update
  loop
    continue when v_entry.next_at <= rhythm._now();
    select n.tick, n.next_at into v_entry.tick, v_entry.next_at from rhythm._schedule_next(v_entry, rhythm._now()) n;
    update rhythm.schedule_entries e set tick = v_entry.tick, next_at = v_entry.next_at where e.name = v_entry.name;
    if v_entry.next_at is not null then
      perform rhythm._wake_due(v_entry.next_at);
    end if;
  end loop;
end
$$;
comment on function rhythm.set_calendar(text, date[], text[], tstzmultirange) is
'Makes or replaces a calendar of exclusion: days and weekdays (on the clock of each schedule''s time zone), and times from one moment to another, at which schedules that exclude it do not start. Example: select rhythm.set_calendar(''holidays'', days => ''{2026-12-25,2026-12-26}'', weekdays => ''{sat,sun}'')';

-- Deletes a calendar. Locks: its row, until the caller's commit. Dying halfway changes nothing.
create function rhythm.delete_calendar(name text) returns bool
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_users text;
begin
  perform rhythm._check_name('calendar', delete_calendar.name);
  select string_agg(quote_literal(u.name), ', ') into v_users
  from (select left(e.name, 50) as name from rhythm.schedule_entries e where e.exclude @> array[delete_calendar.name]
    order by 1 limit 10) u;
  if v_users is not null then
    perform rhythm._raise('RH306', format('calendar "%s" is used by schedules', left(delete_calendar.name, 100)),
      'Used by: ' || v_users || '.', 'Replace those schedules without it first.');
  end if;
  delete from rhythm.exclusion_calendars c where c.name = delete_calendar.name;
  return found;
end
$$;
comment on function rhythm.delete_calendar(text) is
'Deletes a calendar that no schedule excludes. False: there is none of this name. Example: select rhythm.delete_calendar(''holidays'')';
