-- Dead letters: what has failed stays in the archive for its retention and can be retried, one by one (retry) or in bulk.

create view rhythm.attempts as
select h.execution_id as id, (h.data ->> 'attempt')::int as attempt, h.name as worker,
  (h.data ->> 'started_at')::timestamptz as started_at, h.at as failed_at, h.data -> 'error' as error,
  (h.data ->> 'next_at')::timestamptz as next_at
from rhythm.history h where h.event = 'attempt_failed'
union all
select a.id, a.attempt, a.worker, a.attempt_at, a.finished_at, a.error, null
from rhythm.archive a where (a.kind = 'task' or a.retry is not null) and a.state in ('failed', 'timed_out') and a.attempt > 0
  -- A timeout of the whole may have come between two attempts.
  and (select h.event = 'attempt_failed' and (h.data ->> 'attempt')::int = a.attempt
    from rhythm.history h where h.execution_id = a.id and h.event in ('attempt_failed', 'retried')
    order by h.seq desc limit 1) is not true;
comment on view rhythm.attempts is 'Every failed attempt of every task, and of every workflow that was started with retry (of one with more than a hundred the last hundred), and what was known of it. Example: select attempt, worker, failed_at, error ->> ''message'' as message from rhythm.attempts where id = ''0190a1b2-0000-7000-8000-000000000000'' order by attempt';

-- Retries what has failed, oldest first. Locks: as retry: first what is retried with runs, then these in the order of keys; what somebody
-- else retries at the same time is left
-- to him. All of them or none.
create function rhythm.retry_many(queue text default null, name text default null, error text default null,
  since timestamptz default null, kind text default 'task', rate text default null, max int default 10000,
  dry_run bool default false)
returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_id uuid;
  v_at bigint;
  v_rate float8 := rhythm._rate(retry_many.rate);
  v_count bigint := 0;
begin
  perform rhythm._check_given('max', retry_many.max is not null), rhythm._check_given('dry_run', retry_many.dry_run is not null);
  if retry_many.kind not in ('task', 'workflow') then
    perform rhythm._raise('RH002', format('kind %L is neither task nor workflow', left(retry_many.kind, 50)), null,
      'Give task, workflow, or null for both.');
  elsif retry_many.max < 1 then
    perform rhythm._raise('RH002', format('max must be 1 or more, not %s', retry_many.max), null,
      'Give how many may be retried by this call at most.');
  end if;
  v_ids := array(
    select f.id from (
      select a.id, a.finished_at, a.task_id, row_number() over (
        partition by a.kind, a.name, a.task_id order by a.finished_at desc, a.id desc) as at
      from rhythm.archive a
      where a.state in ('failed', 'timed_out') and a.expires_on > rhythm._today()
        and (retry_many.queue is null or a.queue = retry_many.queue) and (retry_many.name is null or a.name = retry_many.name)
        and (retry_many.kind is null or a.kind = retry_many.kind)
        and (retry_many.since is null or a.finished_at >= retry_many.since)
        and (retry_many.error is null or a.error ->> 'name' = retry_many.error or a.error ->> 'code' = retry_many.error
          or a.error ->> 'message' ilike retry_many.error)
        -- One whose task_id a newer one holds stays what it is.
        and (a.task_id is null or not exists (
          select from rhythm.keys k where k.kind = a.kind and k.name = a.name and k.task_id = a.task_id))
    ) f
    -- Of several with one task_id only the last can go on.
    where f.task_id is null or f.at = 1
    order by f.finished_at, f.id limit retry_many.max);
  if retry_many.dry_run then
    return cardinality(v_ids);
  end if;
  perform rhythm._retry_below(v_ids, array(
    select case when v_rate is not null then make_interval(secs => (u.at - 1) / v_rate) end
    from unnest(v_ids) with ordinality u (id, at) order by u.at));
  -- The oldest goes first, but keys are taken in their order, as enqueue_many does. Workflows are left to the worker: each step that
  -- runs SQL is a subtransaction.
  for v_id, v_at in
    select u.id, u.at from unnest(v_ids) with ordinality as u (id, at)
    join rhythm.archive a on a.id = u.id order by a.kind, a.name, a.task_id nulls last, u.at
  loop
    -- Somebody else may have retried it since, or enqueued a new one.
    if exists (select from rhythm.archive a where a.id = v_id and a.state in ('failed', 'timed_out') and (a.task_id is null
        or not exists (select from rhythm.keys k where k.kind = a.kind and k.name = a.name and k.task_id = a.task_id))
      for update of a skip locked)
    then
      perform rhythm._retry_one(v_id, case when v_rate is not null then make_interval(secs => (v_at - 1) / v_rate) end, false);
      v_count := v_count + 1;
    end if;
  end loop;
  return v_count;
end
$$;
comment on function rhythm.retry_many(text, text, text, timestamptz, text, text, int, bool) is
'Retries what has failed or timed out, oldest first, and gives the number: of a queue, a name, with an error (its name, its code, or a pattern of its message as for ILIKE), since a time; kind: task, workflow, or null for both. What a run has failed of is retried with it, as by retry, and not counted. rate spreads them over time, tasks and workflows alike. Example: select rhythm.retry_many(queue => ''stripe'', error => ''%timeout%'', since => now() - interval ''1 day'', rate => ''10/sec'', dry_run => true)';
