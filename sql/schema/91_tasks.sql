-- The tasks that workers have registered, as people and tools look for them. No locks.

create view rhythm.tasks as
select t.name, coalesce(t.queue, 'default') as queue, t.input_schema,
  case when t.input_schema is not null then coalesce(t.schema_check, 'off') end as schema_check,
  rhythm._show_retry(t.retry) as retry, t.timeout,
  t.start_timeout, t.attempt_timeout, t.heartbeat_timeout, case when t.discard then 'discard' else 'keep' end as result,
  coalesce(w.live_workers, 0) as live_workers, coalesce(w.workers, '{}') as workers, w.last_seen,
  t.first_served_at, t.priority,
  case when t.remember >= interval '1000 years' then 'forever' else t.remember::text end as remember
from rhythm.served_tasks t
left join (
  select u.task, count(*) filter (where r.is_live)::int as live_workers,
    array_agg(r.name order by r.name) filter (where r.is_live) as workers, max(r.last_seen) as last_seen
  from (
    select g.name, coalesce(g.asked, g.tasks) as tasks, g.last_seen, g.last_seen > (
      select clock_timestamp() + c.shift - interval '1 minute' from rhythm.test_clock c) as is_live
    from rhythm.worker_registry g
  ) r cross join lateral unnest(r.tasks) as u (task)
  group by u.task
) w on w.task = t.name;
comment on view rhythm.tasks is 'Tasks that workers have registered, with what they take, their defaults, and the workers that were seen in the last minute. Example: select name, queue, schema_check, live_workers, last_seen from rhythm.tasks';
