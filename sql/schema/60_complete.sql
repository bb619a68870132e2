-- Outcomes: complete, fail, finish. All are set-based; what they settle is recorded as events of the parents, which
-- then step here and now if their trees are free (_advance).
--
-- Locks: the batch's own rows in the order of ids, then roots with SKIP LOCKED. Nobody waits for a root. One user's
-- error never aborts a batch: a workflow that fails is data to _advance. Dying halfway changes nothing, and the leases
-- end by themselves.

-- Ends a failed attempt: the task is retried (scheduled, or pending at once) or has failed for good. `p_tokens[i]` null:
-- whoever holds the lease (its time is up). `p_over`: the state of what has used up its attempts. Gives the new states, and
-- for ended children whom to look at, as _settle. Locks: the rows in the order of ids, as the head of this file says. Dying
-- halfway changes nothing.
create function rhythm._fail(p_ids uuid[], p_tokens bigint[], p_errors jsonb[], p_retry_in interval[],
  p_retryable bool[], p_over rhythm.state default 'failed')
returns table (id uuid, state rhythm.state, parent_id uuid, wake_group int)
language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_again uuid[];
  v_delays interval[];
  v_again_errors jsonb[];
  v_over uuid[];
  v_over_states rhythm.state[];
  v_over_errors jsonb[];
  v_stopped uuid[];
  v_stopped_errors jsonb[];
begin
  with mine as materialized (
    select l.id, l.name, l.queue, l.attempt, l.retry, o.error, o.retry_in, o.retryable
    from unnest(p_ids, p_tokens, p_errors, p_retry_in, p_retryable) as o (id, token, error, retry_in, retryable)
    join rhythm.live l on l.id = o.id and l.state = 'running' and (o.token is null or l.token = o.token)
    order by l.id for update of l
  ), policy as (
    select m.id, m.attempt, m.error, m.retry_in, m.retryable,
      coalesce(rhythm._merge_retry(rhythm._merge_retry(q.retry, t.retry), m.retry), '{}') as retry,
      c.reason is not null as cancelled, c.reason
    from mine m
    left join rhythm.served_tasks t on t.name = m.name
    left join rhythm.queue_settings q on q.name = m.queue
    left join lateral (
      select coalesce(c.reason, 'cancelled') as reason from rhythm.cancels c where c.execution_id = m.id limit 1
    ) c on true
  ), decided as (
    select p.*, p.retryable and not p.cancelled and p.attempt < rhythm._max_attempts(p.retry)
        and not (p.retry ? 'nonRetryable'
          and (p.retry -> 'nonRetryable' ? (p.error ->> 'name') or coalesce(p.retry -> 'nonRetryable' ? (p.error ->> 'code'), false)))
      as again
    from policy p
  )
  select array_agg(d.id) filter (where d.again),
    array_agg(coalesce(d.retry_in, rhythm._backoff(d.retry, d.attempt))) filter (where d.again),
    array_agg(d.error) filter (where d.again),
    array_agg(d.id) filter (where not d.again),
    array_agg(case when d.cancelled then 'cancelled' else p_over end) filter (where not d.again),
    array_agg(case when d.cancelled then jsonb_build_object('name', 'CancelledError', 'message', d.reason) else d.error end)
      filter (where not d.again),
    array_agg(d.id) filter (where d.failed), array_agg(d.error) filter (where d.failed)
  into v_again, v_delays, v_again_errors, v_over, v_over_states, v_over_errors, v_stopped, v_stopped_errors
  from (
    -- What a handler raises because it was told to stop is no failure of its own.
    select d.*, d.cancelled and d.error ->> 'name' not in ('CancelledError', 'TaskCancelled') as failed from decided d) d;

  if v_again is not null then
    return query
    with o as materialized (
      select * from unnest(v_again, v_delays, v_again_errors) as o (id, delay, error)
    ), back as (
      update rhythm.live l set token = null, lease_until = null, attempt_until = null, start_by = null, run_at = v_now + o.delay,
        due_at = least(case when o.delay > interval '0' then v_now + o.delay end, l.end_by),
        state = case when o.delay > interval '0' then 'scheduled'::rhythm.state else 'pending' end, error = o.error
      from o where l.id = o.id
      returning l.id, l.queue, l.state, l.run_at, l.attempt, l.attempt_at, l.worker, l.concurrency_key, o.error
    ), noted as (
      insert into rhythm.history (execution_id, at, event, name, data)
      select b.id, v_now, 'attempt_failed', b.worker,
        jsonb_build_object('attempt', b.attempt, 'error', b.error, 'next_at', b.run_at, 'started_at', b.attempt_at)
      from back b
    ), forgotten as (
      -- Of an execution that is tried for ever the last hundred are kept.
      delete from rhythm.history h using back b
      where b.attempt > 100 and h.execution_id = b.id and h.event = 'attempt_failed'
        and (h.data ->> 'attempt')::int <= b.attempt - 100
    )
    select b.id, b.state, null::uuid, null::int from back b,
      lateral (select case when b.state = 'pending' or b.concurrency_key is not null then rhythm._wake_queue(b.queue, 1) end,
        case when b.state <> 'pending' then rhythm._wake_due(b.run_at) end) w;
    -- A cancel that was committed after the statement above had begun, and before it had the rows: whoever looked at its mark found
    -- them running, and has left them to us.
    if exists (select from rhythm.cancels c where c.execution_id = any (v_again)) then
      perform rhythm._apply_cancels(v_again);
    end if;
  end if;
  if v_stopped is not null then
    -- It ends with the request to cancel; what came of the attempt is kept besides. The row gets it too, by which its end knows that
    -- there is a history.
    with failed as (
      update rhythm.live l set error = o.error
      from unnest(v_stopped, v_stopped_errors) as o (id, error) where l.id = o.id
      returning l.id, l.worker, l.attempt, l.attempt_at, l.error
    )
    insert into rhythm.history (execution_id, at, event, name, data)
    select f.id, v_now, 'attempt_failed', f.worker,
      jsonb_build_object('attempt', f.attempt, 'error', f.error, 'started_at', f.attempt_at)
    from failed f;
  end if;
  if v_over is not null then
    return query
    select s.id, o.state, s.parent_id, s.wake_group
    from rhythm._settle(v_over, null, v_over_states, null, v_over_errors) s
    left join unnest(v_over, v_over_states) as o (id, state) on o.id = s.id;
  end if;
end
$$;

-- Returns the policy of a call over that of the task, or of the task over that of the queue: entry by entry, but a list of delays
-- and a formula for them replace each other, and a list brings its own number of attempts.
create function rhythm._merge_retry(p_low jsonb, p_high jsonb) returns jsonb
language sql immutable as $$
  select case when p_high is null then p_low when p_low is null then p_high
    else (p_low - case when p_high ? 'delays' then array['initial', 'backoff', 'max', 'maxAttempts']
        when p_high ?| array['initial', 'backoff'] then array['delays'] else '{}' end) || p_high end
$$;

-- Returns how many attempts a task has: 5 unless it is said, or one more than there are delays.
create function rhythm._max_attempts(p_retry jsonb) returns int
language sql immutable as $$
  select coalesce((p_retry ->> 'maxAttempts')::numeric::int, jsonb_array_length(p_retry -> 'delays') + 1, 5)
$$;

-- Returns how long to wait after this attempt: from the list of delays, or growing by a factor, or by steps, or always the same;
-- at most `max`, and up to the share `jitter` shorter. No locks.
create function rhythm._backoff(p_retry jsonb, p_attempt int) returns interval
language sql volatile as $$
  select make_interval(secs => case when p_retry ? 'delays'
      then (p_retry -> 'delays' ->> least(p_attempt, jsonb_array_length(p_retry -> 'delays')) - 1)::float8
      else least(coalesce((p_retry ->> 'initial')::float8, 1000) * case coalesce(p_retry ->> 'backoff', 'exponential')
          when 'constant' then 1
          when 'linear' then p_attempt
          when 'exponential' then power(2, least(p_attempt - 1, 60))
          else power((p_retry ->> 'backoff')::float8, least(p_attempt - 1, 60)) end,
        coalesce((p_retry ->> 'max')::float8, 300000)) end
    * (1 - coalesce((p_retry ->> 'jitter')::float8, 0.1) * random()) / 1000)
$$;

-- Completes a task. Locks: its row, its key if that becomes free, then the root of its tree if nobody holds it. Dying
-- halfway leaves the lease as it was, and nothing of the step.
create function rhythm.complete(id uuid, token bigint, result jsonb default null) returns bool
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_parents uuid[];
  v_groups int[];
begin
  if complete.id is null or complete.token is null then
    perform rhythm._check_given('id', complete.id is not null), rhythm._check_given('token', complete.token is not null);
  end if;
  if pg_column_size(complete.result) > 67108864 then
    perform rhythm._check_size('result', complete.result);
  end if;
  select array_agg(s.id), array_agg(s.parent_id) filter (where s.parent_id is not null),
    array_agg(s.wake_group) filter (where s.parent_id is not null)
  into v_ids, v_parents, v_groups
  from rhythm._settle(array[complete.id], array[complete.token], array['completed'::rhythm.state],
    array[coalesce(complete.result, 'null')], null) s;
  if v_ids is null then
    perform rhythm._check_known(complete.id);
    return false;
  end if;
  if v_parents is not null then
    perform rhythm._advance(v_parents, v_groups);
  end if;
  return true;
end
$$;
comment on function rhythm.complete(uuid, bigint, jsonb) is
'Ends a task with a result, and steps the workflow that awaits it. False: this token no longer holds the lease, nothing changed. Example: select rhythm.complete(''0190a1b2-0000-7000-8000-000000000000'', 42, ''{"ok": true}'')';

-- Ends an attempt with an error. Locks and halfway: as complete.
create function rhythm.fail(id uuid, token bigint, error jsonb, retry_in interval default null,
  retryable bool default true)
returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  v_state text;
  v_parents uuid[];
  v_groups int[];
begin
  perform rhythm._check_given('id', fail.id is not null), rhythm._check_given('token', fail.token is not null),
    rhythm._check_given('retryable', fail.retryable is not null), rhythm._check_duration('retry_in', fail.retry_in);
  select max(f.state::text), array_agg(f.parent_id) filter (where f.parent_id is not null),
    array_agg(f.wake_group) filter (where f.parent_id is not null)
  into v_state, v_parents, v_groups
  from rhythm._fail(array[fail.id], array[fail.token], array[rhythm._check_error(fail.error)], array[fail.retry_in],
    array[fail.retryable]) f;
  if v_state is null then
    perform rhythm._check_known(fail.id);
  elsif v_parents is not null then
    perform rhythm._advance(v_parents, v_groups);
  end if;
  return v_state;
end
$$;
comment on function rhythm.fail(uuid, bigint, jsonb, interval, bool) is
'Ends an attempt with an error: the task is retried after a backoff (or retry_in), or has failed when its attempts are used up or the error is not retryable. Gives the new state; null: lease lost, nothing changed. Example: select rhythm.fail(''0190a1b2-0000-7000-8000-000000000000'', 42, ''{"name": "IOError", "message": "disk full"}'')';

-- Gives leases back: the tasks are pending at once, or after a delay, and the attempt does not count. So what no attempt has
-- begun yet keeps its deadline for the start: the very one if it is given back at once, as if nobody had taken it; what is put off
-- has the same time again from when it may start, as if it had been enqueued with the delay. What comes back too late is
-- timed out here, or the next claim would be faster than the duties. Gives how many: a lease may have been lost while its row was
-- waited for. Locks: the rows in the order of ids, as the head of this file says. Dying halfway changes nothing.
create function rhythm._release(p_ids uuid[], p_tokens bigint[], p_delays interval[])
returns int
language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_late uuid[];
  v_count int;
begin
  with mine as materialized (
    select l.id, nullif(o.delay, interval '0') as delay,
      case when nullif(o.delay, interval '0') is null then l.start_by
        when l.start_by is not null then v_now + o.delay + coalesce(
          -- A retry began it anew, and has noted how long it is.
          (select (h.data ->> 'start_timeout')::interval from rhythm.history h
            where h.execution_id = l.id and h.event = 'retried' order by h.seq desc limit 1),
          l.start_by - greatest(l.created_at, l.run_at)) end as start_by
    from rhythm.live l join unnest(p_ids, p_tokens, p_delays) o (id, token, delay) on l.id = o.id
    where l.token = o.token and l.state = 'running' order by l.id for update of l
  )
  update rhythm.live l set state = case when mine.delay is null then 'pending'::rhythm.state else 'scheduled' end,
    token = null, lease_until = null, attempt_until = null, run_at = coalesce(v_now + mine.delay, l.run_at),
    start_by = mine.start_by, due_at = least(v_now + mine.delay, mine.start_by, l.end_by), attempt = l.attempt - 1
  from mine where l.id = mine.id;
  get diagnostics v_count = row_count;
  if v_count = 0 then
    return 0;
  end if;
  perform rhythm._apply_cancels(p_ids);
  perform rhythm._wake_queue(l.queue, count(*)::int)
  from rhythm.live l where l.id = any (p_ids) and (l.state = 'pending' or l.concurrency_key is not null) group by l.queue;
  v_late := array(select l.id from rhythm.live l
    where l.id = any (p_ids) and l.state = 'pending' and least(l.start_by, l.end_by) <= v_now);
  if v_late <> '{}' then
    perform rhythm._time_out(v_late);
  end if;
  perform rhythm._wake_due(min(l.due_at))
  from rhythm.live l where l.id = any (p_ids) and l.state in ('pending', 'scheduled') having min(l.due_at) is not null;
  return v_count;
end
$$;

-- Puts a task off. Locks and halfway: as complete.
create function rhythm.snooze(id uuid, token bigint, retry_in interval) returns bool
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
begin
  perform rhythm._check_given('id', snooze.id is not null), rhythm._check_given('token', snooze.token is not null),
    rhythm._check_given('retry_in', snooze.retry_in is not null), rhythm._check_duration('retry_in', snooze.retry_in);
  if rhythm._release(array[snooze.id], array[snooze.token], array[snooze.retry_in]) = 0 then
    perform rhythm._check_known(snooze.id);
    return false;
  end if;
  return true;
end
$$;
comment on function rhythm.snooze(uuid, bigint, interval) is
'Puts a task off for this time, without using up an attempt: for a handler that finds that it is too early. False: this token no longer holds the lease, nothing changed. Example: select rhythm.snooze(''0190a1b2-0000-7000-8000-000000000000'', 42, ''10 minutes'')';

-- Settles a batch and claims the next one. Locks: rows of the batch in the order of ids; free roots in the order of ids; then as claim. All of it or nothing: the leases end by themselves.
create function rhythm.finish(worker text, outcomes jsonb, queues text[] default null, max int default 0,
  wait interval default '0', lease interval default '60s')
returns table (id uuid, token bigint, name text, queue text, inputs jsonb, attempt int, lease_until timestamptz,
  trace jsonb, progress jsonb, heartbeat_timeout interval)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  v_queues text[] := coalesce(finish.queues, '{default}');
  v_ids uuid[];
  v_tokens bigint[];
  v_results jsonb[];
  v_bad uuid[];
  v_bad_tokens bigint[];
  v_errors jsonb[];
  v_retry_in interval[];
  v_retryable bool[];
  v_parents uuid[];
  v_groups int[];
  v_bad_parents uuid[];
  v_bad_groups int[];
  v_released uuid[];
  v_released_tokens bigint[];
  v_delays interval[];
  v_stray int;
  v_both bool;
begin
  perform rhythm._check_claim(finish.worker, v_queues, finish.max, finish.wait, finish.lease);
  if jsonb_typeof(finish.outcomes) is distinct from 'array' then
    perform rhythm._raise('RH003', 'outcomes must be a JSON array',
      'Got: ' || coalesce(left(finish.outcomes::text, 200), 'null') || '.',
      'Give [{"id": "...", "token": "...", "result": 1}, {"id": "...", "token": "...", "error": {"name": "E", "message": "m"}}].');
  end if;
  v_stray := rhythm._stray_key(finish.outcomes, array['id', 'token', 'result', 'error', 'retry_in', 'retryable', 'release']);
  begin
    select array_agg(o.id) filter (where o.good), array_agg(o.token) filter (where o.good),
      array_agg(coalesce(o.result, 'null')) filter (where o.good),
      array_agg(o.id) filter (where o.bad), array_agg(o.token) filter (where o.bad),
      array_agg(rhythm._check_error(o.error)) filter (where o.bad),
      array_agg(o.retry_in) filter (where o.bad),
      array_agg(o.retryable) filter (where o.bad),
      array_agg(o.id) filter (where o.released), array_agg(o.token) filter (where o.released),
      array_agg(o.retry_in) filter (where o.released), bool_or(o.result is not null and o.other)
    into v_ids, v_tokens, v_results, v_bad, v_bad_tokens, v_errors, v_retry_in, v_retryable, v_released, v_released_tokens,
      v_delays, v_both
    from (
      select r.id, r.token, r.result, r.retry_in, coalesce(r.retryable, true) and not x.large as retryable,
        case when x.large then jsonb_build_object('name', 'ResultTooLarge',
          'message', format('the result has %s bytes, and 64 MB are the most', pg_column_size(r.result))) else r.error end as error,
        r.error is null and not x.put_off and not x.large as good, (r.error is not null or x.large) and not x.put_off as bad,
        x.put_off as released, r.error is not null or x.put_off as other
      from jsonb_to_recordset(finish.outcomes)
        as r (id uuid, token bigint, result jsonb, error jsonb, retry_in interval, retryable bool, release bool),
        lateral (select r.release is true or (r.error is null and r.retry_in is not null) as put_off,
          coalesce(pg_column_size(r.result) > 67108864, false) as large) x
    ) o;
  exception when data_exception then
    perform rhythm._raise('RH003', 'an outcome has a value of the wrong type', sqlerrm || '.',
      'id is a uuid, token an integer or a string of digits, retry_in an interval such as "5 seconds".');
  end;
  -- A slip would be a task that has completed with no result, or a result that nobody gets.
  if v_stray is not null or v_both then
    perform rhythm._raise('RH003', 'an outcome has an unknown key, or a result beside an error, retry_in or release',
      (select 'Got the keys ' || string_agg(quote_ident(left(k, 50)), ', ' order by k) || '.'
        from (select distinct k from jsonb_array_elements(finish.outcomes) o, jsonb_object_keys(case jsonb_typeof(o) when 'object' then o end) k limit 20) k),
      'The keys are id, token, result or error, retry_in, retryable, release.');
  end if;
  if v_retry_in is not null or v_delays is not null then
    perform rhythm._check_duration('retry_in', i) from unnest(v_retry_in || v_delays) i where i is not null;
  end if;
  if array_position(v_ids || v_bad || v_released, null) is not null
    or array_position(v_tokens || v_bad_tokens || v_released_tokens, null) is not null
  then
    perform rhythm._raise('RH003', 'an outcome lacks its id or token', null, 'Give back the id and token of the claim.');
  end if;
  if (v_ids is not null)::int + (v_bad is not null)::int + (v_released is not null)::int > 1 then
    -- Each kind is locked in the order of ids by what follows; all together must be too.
    perform from rhythm.live l
    join unnest(v_ids || v_bad || v_released, v_tokens || v_bad_tokens || v_released_tokens) as o (id, token) on l.id = o.id
    where l.token = o.token and l.state = 'running' order by l.id for update of l;
  end if;
  if v_ids is not null then
    select array_agg(s.parent_id), array_agg(s.wake_group) into v_parents, v_groups
    from rhythm._settle(v_ids, v_tokens, array_fill('completed'::rhythm.state, array[cardinality(v_ids)]), v_results,
      null) s
    where s.parent_id is not null;
  end if;
  if v_bad is not null then
    select array_agg(f.parent_id), array_agg(f.wake_group) into v_bad_parents, v_bad_groups
    from rhythm._fail(v_bad, v_bad_tokens, v_errors, v_retry_in, v_retryable) f
    where f.parent_id is not null;
  end if;
  if v_released is not null then
    perform rhythm._release(v_released, v_released_tokens, v_delays);
  end if;
  if v_parents is not null or v_bad_parents is not null then
    perform rhythm._advance(v_parents || v_bad_parents, v_groups || v_bad_groups);
  end if;
  if finish.max > 0 then
    -- What was settled is not committed yet, and would be held back from all others by a wait.
    return query select * from rhythm._claim(finish.worker, v_queues, finish.max,
      case when coalesce(v_ids, v_bad, v_released) is null then finish.wait else '0' end, finish.lease, null);
  end if;
end
$$;
comment on function rhythm.finish(text, jsonb, text[], int, interval, interval) is
'Completes and fails a batch, steps the workflows that await it, and claims the next tasks, in one round trip. An outcome {id, token, retry_in} without an error puts the task off, {id, token, release: true} gives it back at once; neither counts the attempt. Outcomes whose lease is lost change nothing. It waits for tasks only when there are no outcomes, which a wait would keep from being committed. Example: select * from rhythm.finish(''w1'', ''[{"id": "0190a1b2-0000-7000-8000-000000000000", "token": "42", "result": 1}]'', ''{default}'', max => 10)';
