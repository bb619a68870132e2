-- What people and tools read: views over live and finished executions, queues, workers; the timeline of one execution.
--
-- Views run with the rights of their owner, so readers need none on the tables. No locks.

create view rhythm.executions as
select l.id, l.kind, l.name, d.version, l.queue, l.state::text as state, l.task_id, l.parent_id, l.root_id, l.inputs,
  null::jsonb as result, l.error, l.attempt, l.priority,
  coalesce((select p.attributes from rhythm.published p where p.id = l.id), '{}') as attributes, l.created_at,
  l.run_at, l.started_at, null::timestamptz as finished_at,
  coalesce(l.trace ->> 'traceId', split_part(l.trace ->> 'traceparent', '-', 2)) as trace_id, l.worker, l.lease_until,
  l.progress,
  case when l.kind = 'task' and l.state in ('pending', 'scheduled')
      and not exists (select from rhythm.served_tasks t where t.name = l.name)
    then format('no worker has ever served %L; known: %s', l.name, coalesce(
      (select string_agg(quote_literal(t.name), ', ' order by t.name)
        from (select s.name from rhythm.served_tasks s order by s.name limit 20) t), 'none'))
  end as note,
  -- A program that has been told has no request any more, but goes on to its end.
  coalesce((select c.at from rhythm.cancels c where c.execution_id = l.id order by c.seq limit 1),
    case when l.cancelling then (select h.at from rhythm.history h
      where h.execution_id = l.id and h.event in ('cancel_requested', 'cancelling') order by h.seq desc limit 1) end)
    as cancel_requested_at,
  coalesce((select c.reason from rhythm.cancels c where c.execution_id = l.id order by c.seq limit 1),
    case when l.cancelling then (select h.data ->> 'reason' from rhythm.history h
      where h.execution_id = l.id and h.event in ('cancel_requested', 'cancelling') order by h.event = 'cancelling', h.seq desc limit 1) end)
    as cancel_reason
from rhythm.live l
left join rhythm.definitions d on d.id = l.definition_id
union all
select a.id, a.kind, a.name, d.version, a.queue, a.state::text, a.task_id, a.parent_id, a.root_id, a.inputs,
  a.result, a.error, a.attempt, a.priority,
  coalesce((select p.attributes from rhythm.published p where p.id = a.id), '{}'), a.created_at,
  a.run_at, a.started_at, a.finished_at,
  coalesce(a.trace ->> 'traceId', split_part(a.trace ->> 'traceparent', '-', 2)), a.worker, null, a.progress, null, null, null
from rhythm.archive a
left join rhythm.definitions d on d.id = a.definition_id
where a.expires_on > (
  select ((clock_timestamp() + c.shift) at time zone 'UTC')::date from rhythm.test_clock c);
comment on view rhythm.executions is 'All executions, live and finished; note says why a task waits that nobody serves; cancel_requested_at and cancel_reason tell that a live one is to be cancelled. Example: select id, name, state, note from rhythm.executions order by created_at desc limit 20';

-- How many rows of `live` there are of each queue and state, as ANALYZE saw them last: what a view may say of a large table.
create statistics rhythm.live_states (mcv) on queue, kind, state from rhythm.live;
comment on statistics rhythm.live_states is 'For the counts of rhythm.queues when there are many executions.';

-- Counts the live tasks of each queue: exactly while `live` is small (16 MB, some 50 000 rows); of a larger one it gives what ANALYZE
-- saw last, which autovacuum keeps to some 20 000 changes, and counts a queue that it did not see up to 10 000.
create function rhythm._count_queues()
returns table (queue text, pending bigint, scheduled bigint, running bigint, oldest_pending_at timestamptz, estimated bool)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set jit = off as $$
#variable_conflict use_column
declare
  v_rows float8 := (select c.reltuples from pg_class c where c.oid = 'rhythm.live'::regclass);
begin
  if v_rows < 0 or pg_relation_size('rhythm.live') < 16 * 1024 * 1024 then
    return query
    select l.queue, count(*) filter (where l.state = 'pending'), count(*) filter (where l.state = 'scheduled'),
      count(*) filter (where l.state = 'running'),
      min(coalesce(l.run_at, l.created_at)) filter (where l.state = 'pending'), false
    from rhythm.live l where l.kind = 'task' group by l.queue;
    return;
  end if;
  return query
  with recursive seen as (
    select s.most_common_vals[n.i][array_position(s.attnames, 'queue')] as queue,
      s.most_common_vals[n.i][array_position(s.attnames, 'state')] as state,
      (s.most_common_freqs[n.i] * v_rows)::bigint as count
    from pg_stats_ext s, lateral generate_series(1, array_length(s.most_common_vals, 1)) n (i)
    where s.statistics_schemaname = 'rhythm' and s.statistics_name = 'live_states'
      and s.most_common_vals[n.i][array_position(s.attnames, 'kind')] = 'task'
  ), named (queue) as (
    -- From one queue to the next by the index.
    (select l.queue from rhythm.live l where l.state = 'pending' and l.kind = 'task' and l.rate_key is null
      order by l.queue limit 1)
    union all
    select (select l.queue from rhythm.live l where l.state = 'pending' and l.kind = 'task' and l.rate_key is null
      and l.queue > n.queue order by l.queue limit 1)
    from named n where n.queue is not null
  ), named_by_key (queue) as (
    -- And those with limits by key.
    (select l.queue from rhythm.live l where l.state = 'pending' and l.kind = 'task' and l.rate_key is not null
      order by l.queue limit 1)
    union all
    select (select l.queue from rhythm.live l where l.state = 'pending' and l.kind = 'task' and l.rate_key is not null
      and l.queue > n.queue order by l.queue limit 1)
    from named_by_key n where n.queue is not null
  )
  select q.queue,
    coalesce(sum(s.count) filter (where s.state = 'pending'), (select count(*) from (
      (select from rhythm.live l
        where l.queue = q.queue and l.state = 'pending' and l.kind = 'task' and l.rate_key is null limit 10000)
      union all
      (select from rhythm.live l
        where l.queue = q.queue and l.state = 'pending' and l.kind = 'task' and l.rate_key is not null limit 10000)) c))::bigint,
    coalesce(sum(s.count) filter (where s.state = 'scheduled'), 0)::bigint,
    coalesce(sum(s.count) filter (where s.state = 'running'), 0)::bigint,
    least((select coalesce(l.run_at, l.created_at) from rhythm.live l
        where l.queue = q.queue and l.state = 'pending' and l.kind = 'task' and l.rate_key is null
        order by l.priority desc, l.seq limit 1),
      (select coalesce(l.run_at, l.created_at) from rhythm.live l
        where l.queue = q.queue and l.state = 'pending' and l.kind = 'task' and l.rate_key is not null
        order by l.priority desc, l.concurrency_key, l.rate_key, l.seq limit 1)),
    true
  from (
    select s.queue from seen s
    union select n.queue from named n where n.queue is not null
    union select n.queue from named_by_key n where n.queue is not null) q
  left join seen s on s.queue = q.queue
  group by q.queue;
end
$$;

-- Counts what has failed and is kept, of each queue and kind of end up to 10 000, by the index of dead letters alone: from one queue to
-- the next.
create function rhythm._count_failed() returns table (queue text, failed bigint, timed_out bigint)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_sort = off
set jit = off as $$
#variable_conflict use_column
begin
  return query
  with recursive named (queue) as (
    (select a.queue from rhythm.archive a where a.state in ('failed', 'timed_out') order by a.queue limit 1)
    union all
    select (select a.queue from rhythm.archive a where a.state in ('failed', 'timed_out') and a.queue > n.queue
      order by a.queue limit 1)
    from named n where n.queue is not null
  )
  select n.queue, f.count, t.count
  from named n
  cross join lateral (select count(*) from (select from rhythm.archive a
    where a.queue = n.queue and a.state = 'failed' and a.expires_on > rhythm._today() limit 10000) c) f
  cross join lateral (select count(*) from (select from rhythm.archive a
    where a.queue = n.queue and a.state = 'timed_out' and a.expires_on > rhythm._today() limit 10000) c) t
  where n.queue is not null and f.count + t.count > 0;
end
$$;

create view rhythm.queues as
select q.name, s.paused_at is not null as paused, s.paused_at, s.paused_by, s.pause_reason, s.rate_limit, s.concurrency,
  s.retention, coalesce(l.pending, 0) as pending, coalesce(l.scheduled, 0) as scheduled, coalesce(l.running, 0) as running,
  l.oldest_pending_at, coalesce(l.estimated, false) or coalesce(greatest(f.failed, f.timed_out) >= 10000, false) as estimated,
  coalesce(f.failed, 0) as failed, coalesce(f.timed_out, 0) as timed_out
from rhythm._count_queues() l
full join rhythm._count_failed() f on f.queue = l.queue
full join (
  select s.name from rhythm.queue_settings s
  union select t.queue from rhythm.served_tasks t where t.queue is not null
) n on n.name = coalesce(l.queue, f.queue)
cross join lateral (select coalesce(n.name, l.queue, f.queue) as name) q
left join rhythm.queue_settings s on s.name = q.name;
comment on view rhythm.queues is 'Queues that have settings, live tasks or dead letters, with their counts: exact while there are few, estimated (to some 20 000) when live tasks take more than 16 MB, so that looking costs nothing. failed and timed_out count the tasks and workflows that retry_many could retry, up to 10 000 each. Example: select name, pending, running, failed, estimated from rhythm.queues';

create view rhythm.workers as
select w.name, coalesce(w.asked, w.tasks) as tasks, w.queues, w.registered_at, w.last_seen, coalesce(l.running, 0) as running
from rhythm.worker_registry w
left join (
  select l.worker, count(*) as running from rhythm.live l where l.state = 'running' group by l.worker
) l on l.worker = w.name;
comment on view rhythm.workers is 'Workers that registered or claimed; last_seen is exact to ten seconds. Example: select name, last_seen, running from rhythm.workers';

create view rhythm.logs as
select h.execution_id as id, h.at, h.name as level, h.data #>> '{}' as message, h.seq
from rhythm.history h where h.event = 'log';
comment on view rhythm.logs is 'What workflows wrote with console.log. Example: select at, level, message from rhythm.logs where id = ''0190a1b2-0000-7000-8000-000000000000'' order by seq';

-- Gives what an execution has logged, or it and all below it; the last lines of each, and of these the last. No locks. It writes
-- nothing: dying halfway leaves nothing.
create function rhythm.log(id uuid, tree bool default false, max int default 1000)
returns table (at timestamptz, level text, message text, execution_id uuid, name text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
declare
  v_members uuid[] := array[log.id];
begin
  perform rhythm._check_given('id', log.id is not null);
  perform rhythm._check_given('tree', log.tree is not null);
  perform rhythm._check_max(log.max);
  perform rhythm._check_known(log.id);
  if log.tree then
    v_members := array(select t.id from rhythm.tree(log.id, 100000) t where t.kind = 'workflow');
  end if;
  return query
  select o.at, o.level, o.message, o.execution_id, coalesce((select l.name from rhythm.live l where l.id = o.execution_id),
    (select a.name from rhythm.archive a where a.id = o.execution_id))
  from (
    select h.* from unnest(v_members) m (id)
    cross join lateral (
      select h.at, h.seq, h.name as level, h.data #>> '{}' as message, h.execution_id
      from rhythm.history h where h.execution_id = m.id and h.event = 'log' order by h.seq desc limit log.max) h
    order by h.at desc, h.seq desc limit log.max) o
  order by o.at, o.seq;
end
$$;
comment on function rhythm.log(uuid, bool, int) is
'Gives what a workflow wrote with console.log, in order: the last max lines; with tree also what the workflows below it wrote, each line with whose it is. Example: select at, level, message from rhythm.log(''0190a1b2-0000-7000-8000-000000000000'', tree => true)';

-- Returns a duration that is never negative: clocks may be set back.
create function rhythm._span(p_from timestamptz, p_to timestamptz) returns interval
language sql immutable as $$ select greatest(p_to - p_from, interval '0') $$;

-- Gives the history of an execution: the last entries, and in front of them how many came before. No locks. It writes nothing: dying
-- halfway leaves nothing.
create function rhythm.timeline(id uuid, max int default 1000)
returns table (at timestamptz, event text, name text, data jsonb, waited interval, ran interval, worker text, attempt int)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
begin
  perform rhythm._check_given('id', timeline.id is not null);
  perform rhythm._check_max(timeline.max);
  perform rhythm._check_known(timeline.id);
  return query
  with e as (
    select x.*, greatest(x.created_at, x.run_at) as ready_at, case when x.kind = 'task' then x.worker end as holder,
      case when x.kind = 'task' then nullif(x.attempt, 0) end as tries from (
      select l.id, l.parent_id, l.kind, l.name, l.attempt, l.worker, l.created_at, l.run_at, l.started_at, l.attempt_at,
        null::timestamptz as finished_at, l.state, l.error, l.seq
      from rhythm.live l where l.id = timeline.id or l.parent_id = timeline.id
      union all
      select a.id, a.parent_id, a.kind, a.name, a.attempt, a.worker, a.created_at, a.run_at, a.started_at, a.attempt_at,
        a.finished_at, a.state, a.error, a.seq
      from rhythm.archive a where (a.id = timeline.id or a.parent_id = timeline.id)
    ) x
  ), facts as (
    select e.created_at as at, 0 as rank, e.seq, 'created' as event, e.name, null::jsonb as data, null::interval as waited,
      null::interval as ran, null::text as worker, null::int as attempt
    from e where e.id = timeline.id
    union all
    select e.started_at, 1, e.seq, 'started', e.name,
      case when e.worker is not null then jsonb_build_object('worker', e.worker, 'attempt', e.attempt) end,
      case when e.attempt = 1 then rhythm._span(e.ready_at, e.started_at) end, null, e.holder, e.tries
    from e where e.id = timeline.id and e.started_at is not null
    union all
    select h.at, 2, h.seq, h.event, h.name, h.data,
      case when h.event in ('timer_fired', 'mutex_acquired', 'mutex_timed_out') then rhythm._span((h.data ->> 'since')::timestamptz, h.at) end,
      case when h.event = 'attempt_failed' then rhythm._span((h.data ->> 'started_at')::timestamptz, h.at) end,
      case when h.event = 'attempt_failed' then h.name end,
      case when h.event = 'attempt_failed' then (h.data ->> 'attempt')::int end
    from rhythm.history h where h.execution_id = timeline.id
    union all
    select n.at, 3, 0, 'near_limit', n.name, jsonb_build_object('value', n.value, 'most', n.most), null, null, null, null
    from rhythm.near_limits n where n.id = timeline.id
    union all
    select h.at, 2, h.seq, 'task_' || h.event, e.name, h.data || jsonb_build_object('id', e.id), null,
      rhythm._span((h.data ->> 'started_at')::timestamptz, h.at), h.name, (h.data ->> 'attempt')::int
    from e join rhythm.history h on h.execution_id = e.id
    where e.id <> timeline.id and h.event = 'attempt_failed'
    union all
    select e.created_at, 3, e.seq, e.kind || '_created', e.name, jsonb_build_object('id', e.id), null, null, null, null
    from e where e.id <> timeline.id
    union all
    -- What is not over yet.
    select e.attempt_at, 3, e.seq, 'task_started', e.name, jsonb_build_object('id', e.id), rhythm._span(e.ready_at, e.attempt_at), null,
      e.holder, e.tries
    from e where e.id <> timeline.id and e.kind = 'task' and e.state = 'running'
    union all
    select e.finished_at, 4, e.seq, e.kind || '_' || e.state, e.name,
      jsonb_strip_nulls(jsonb_build_object('id', e.id, 'attempt', e.attempt, 'error', e.error)),
      rhythm._span(e.ready_at, coalesce(e.attempt_at, e.started_at, e.finished_at)),
      rhythm._span(coalesce(e.attempt_at, e.started_at), e.finished_at), e.holder, e.tries
    from e where e.id <> timeline.id and e.finished_at is not null
    union all
    select e.finished_at, 9, e.seq, e.state::text, e.name, jsonb_strip_nulls(jsonb_build_object('error', e.error)), null,
      rhythm._span(case when e.kind = 'task' then coalesce(e.attempt_at, e.started_at) else e.started_at end, e.finished_at),
      e.holder, e.tries
    from e where e.id = timeline.id and e.finished_at is not null
  ), kept as (
    select f.*, row_number() over (order by f.at desc, f.rank desc, f.seq desc) as back from facts f
  ), before as (
    select coalesce(min(k.at), max(s.until)) as at, greatest(max(k.at), max(s.until)) as until,
      count(k.at) + coalesce(max(s.entries), 0) as entries,
      -- Of the steps that are not kept.
      case when max(s.tasks) > 0 then jsonb_build_object('tasks', max(s.tasks), 'waited', max(s.waited), 'ran', max(s.ran)) else '{}' end
        as summary
    from (values (1)) v (one)
    left join rhythm.long_runs s on s.execution_id = timeline.id and s.entries > 0
    left join kept k on k.back > timeline.max
  )
  select o.at, o.event, o.name, o.data, o.waited, o.ran, o.worker, o.attempt
  from (
    select b.at, 'earlier' as event, null::text as name, b.summary || jsonb_build_object('entries', b.entries, 'until', b.until) as data,
      null::interval as waited, null::interval as ran, null::text as worker, null::int as attempt, null::bigint as back
    from before b where b.entries > 0
    union all
    select k.at, k.event, k.name, k.data, k.waited, k.ran, k.worker, k.attempt, k.back from kept k where k.back <= timeline.max) o
  order by o.back desc nulls first;
end
$$;
comment on function rhythm.timeline(uuid, int) is
'Gives what happened to an execution, in order: started, children created and ended (how long they waited for a worker, how long their last attempt ran, by which worker), failed attempts, timers (how long they waited), signals, log, end. At most the last max entries, and in front of them one (earlier) that counts those before, with those of a long run that are not kept (rhythm.timeline_size). Example: select at, event, name, waited, ran, worker, attempt from rhythm.timeline(''0190a1b2-0000-7000-8000-000000000000'')';

-- Gives the versions. No locks.
create function rhythm.version() returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (select coalesce((select e.extversion from pg_extension e where e.extname = 'rhythm'), 'portable')
    || ' (library ' || rhythm._library_version() || ')');
end
$$;
comment on function rhythm.version() is
'Gives the version of the schema and of the library; they may differ between a replaced library and ALTER EXTENSION rhythm UPDATE. Example: select rhythm.version()';
