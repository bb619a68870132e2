-- What people read of schedules: their next and last starts, what they hold back, calendars. No locks.

create view rhythm.schedules as
select e.name, e.kind, e.target, coalesce(e.cron, 'every ' || e.every) as spec, e.cron, e.every, e.time_zone,
  case when e.paused_at is null then e.next_at end as next_at,
  -- A time zone that the server has lost must not make all of them unreadable.
  array(select t from rhythm.schedule_times(e.name, 5) t
    where e.paused_at is null and e.last_error ->> 'code' is distinct from 'RH006') as next_times,
  l.tick as last_tick, l.id as last_id, l.state as last_state, l.created_at as last_at,
  (select count(*) from rhythm.schedule_starts s join rhythm.live x on x.id = s.id where s.schedule = e.name) as running,
  (select count(*) from rhythm.schedule_starts s where s.schedule = e.name and s.id is null) as held,
  e.started, e.skipped, e.missed, e.failed, e.last_error, e.paused_at, e.paused_by, e.pause_reason, e.inputs, e.queue,
  e.priority, e.retry, e.timeout, e.start_timeout, e.overlap, e.catch_up, e.jitter, e.exclude, e.starts_at, e.ends_at,
  e.created_at, e.created_by, e.changed_at, e.attempt_timeout, e.heartbeat_timeout, e.remember, e.result
from rhythm.schedule_entries e
left join lateral (
  select s.tick, s.id, x.state, x.created_at
  from (select s.tick, s.id from rhythm.schedule_starts s where s.schedule = e.name and s.id is not null
    order by s.tick desc limit 1) s
  left join rhythm.executions x on x.id = s.id
) l on true;
comment on view rhythm.schedules is 'Schedules: what they start, when next (next_at null: paused or over), what came of the last start, how many ticks were started, skipped by the overlap policy, missed beyond the catch-up window, failed to start. Example: select name, spec, next_at, last_state, running, held from rhythm.schedules';

create view rhythm.schedule_runs as
select s.schedule, s.tick, s.cause, s.id, coalesce(x.state, case when s.id is null then 'held' end) as state, x.created_at,
  x.finished_at, x.error
from rhythm.schedule_starts s
left join rhythm.executions x on x.id = s.id;
comment on view rhythm.schedule_runs is 'The last hundred starts of each schedule and what it holds back: the tick, what caused it (tick, trigger, backfill), the execution and its state (held: waits for the running one; null: swept by retention). Example: select tick, cause, state, id from rhythm.schedule_runs where schedule = ''nightly'' order by tick desc';

create view rhythm.calendars as
select c.name, c.days,
  array(select (array['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'])[d] from unnest(c.weekdays) d order by d) as weekdays,
  c.during,
  array(select e.name from rhythm.schedule_entries e where e.exclude @> array[c.name] order by e.name) as schedules
from rhythm.exclusion_calendars c;
comment on view rhythm.calendars is 'Calendars of exclusion, and the schedules that use each. Example: select name, days, weekdays, schedules from rhythm.calendars';
