-- Why something does not move: the one reason, and what to do. Looks at the same rows as a claim does, in the same order, and at no
-- more of them than a few hundred, however long the queue is. No locks.

create type rhythm.why as (
  reason text,
  explanation text,
  since timestamptz,
  until timestamptz,
  hint text
);
comment on type rhythm.why is 'What rhythm.why and rhythm.why_queue give: a short stable name of the reason, the sentence, since when, until when (where that is known), and what to do.';

-- Returns why nothing at all runs here; null: it runs.
create function rhythm._why_stopped() returns rhythm.why
language plpgsql stable as $$
#variable_conflict use_column
declare
  v_mark rhythm.pause_marks;
begin
  case rhythm._stopped()
    when 'all' then
      select p.* into v_mark from rhythm.pause_marks p where p.what = 'all';
      return row('all_paused', format('everything is paused by %s%s', v_mark.paused_by, coalesce(': ' || v_mark.reason, '')),
        v_mark.paused_at, null, 'Call rhythm.resume_all().')::rhythm.why;
    when 'restored', 'copied' then
      select p.* into v_mark from rhythm.pause_marks p where p.what = 'restored';
      return row('not_adopted', 'this database was restored from a dump or copied, and nobody has said that it shall run',
        v_mark.paused_at, null, 'If it is no test copy, call rhythm.adopt().')::rhythm.why;
    else
      return null;
  end case;
end
$$;

-- Returns why workers get nothing from a queue; null: nothing about the queue itself stops them. With a key also why they get nothing
-- of this key.
create function rhythm._why_limited(p_queue rhythm.queue_settings, p_concurrency_key text, p_rate_key text, p_now timestamptz)
returns rhythm.why
language plpgsql stable as $$
#variable_conflict use_column
declare
  v_per_key int := coalesce(p_queue.concurrency_per_key, 1);
  v_key text := case when p_queue.rate_key is null then '' else p_rate_key end;
  v_tokens float8;
begin
  if p_queue.paused_at is not null then
    return row('queue_paused', format('queue %L is paused by %s%s', p_queue.name, p_queue.paused_by,
        coalesce(': ' || p_queue.pause_reason, '')), p_queue.paused_at, null,
      format('Call rhythm.resume_queue(%L).', p_queue.name))::rhythm.why;
  end if;
  if rhythm._running(p_queue.name, null, p_queue.concurrency) >= p_queue.concurrency then
    return row('queue_full', format('queue %L runs %s tasks, as many as it may: %s', p_queue.name, p_queue.concurrency,
        rhythm._who_runs(p_queue.name, null)), null, null,
      format('Wait, or raise the limit: rhythm.configure_queue(%L, concurrency => %s).', p_queue.name,
        p_queue.concurrency * 2))::rhythm.why;
  end if;
  if p_queue.concurrency_key is not null and p_concurrency_key is not null
    and rhythm._running(p_queue.name, p_concurrency_key, v_per_key) >= v_per_key
  then
    return row('key_full', format('key %s of queue %L runs %s tasks, as many as it may: %s',
        rhythm._show_key(p_queue.concurrency_key, p_concurrency_key), p_queue.name, v_per_key,
        rhythm._who_runs(p_queue.name, p_concurrency_key)), null, null,
      format('Wait, or raise the limit: rhythm.configure_queue(%L, concurrency_per_key => %s).', p_queue.name,
        v_per_key + 1))::rhythm.why;
  end if;
  if p_queue.rate is not null and v_key is not null then
    v_tokens := rhythm._tokens(p_queue.name, v_key, p_queue.rate, rhythm._burst(p_queue), p_now);
    if v_tokens + 1e-6 < 1 then
      return row('rate_limited', format('the bucket of queue %L%s is empty (rate %s)', p_queue.name,
          case when p_queue.rate_key is not null then ', key ' || rhythm._show_key(p_queue.rate_key, v_key) else '' end,
          p_queue.rate_limit), null, p_now + make_interval(secs => (1 - v_tokens) / p_queue.rate),
        format('Wait for the next token, or raise the rate: rhythm.configure_queue(%L, rate_limit => ...).', p_queue.name)
        )::rhythm.why;
    end if;
  end if;
  return null;
end
$$;

-- Returns a key as people know it.
create function rhythm._show_key(p_path text, p_key text) returns text
language sql immutable as $$
  select case left(p_key, 1) when '=' then format('%s = %L', p_path, substr(p_key, 2)) when '#' then p_path || ' (a long value)'
    else 'without ' || p_path end
$$;

-- Returns who holds the slots of a queue or of a key: the first five.
create function rhythm._who_runs(p_queue text, p_key text) returns text
language sql stable as $$
  select string_agg(format('%s on %s since %s', r.id, r.worker, to_char(r.attempt_at, 'HH24:MI:SS')), ', ')
  from (select l.id, l.worker, l.attempt_at from rhythm.live l
    where l.queue = p_queue and l.state = 'running' and l.concurrency_key is not null
      and (p_key is null or l.concurrency_key = p_key) limit 5) r
$$;

-- Returns why no worker takes a task of this name from this queue; null: one will.
create function rhythm._why_unserved(p_name text, p_queue text, p_now timestamptz) returns rhythm.why
language plpgsql stable as $$
#variable_conflict use_column
declare
  v_mark rhythm.pause_marks;
  v_worker rhythm.worker_registry;
begin
  select p.* into v_mark from rhythm.pause_marks p where p.what = 'task' and p.name = p_name;
  if found then
    return row('task_paused', format('task %L is paused by %s%s', p_name, v_mark.paused_by, coalesce(': ' || v_mark.reason, '')),
      v_mark.paused_at, null, format('Call rhythm.resume_task(%L).', p_name))::rhythm.why;
  end if;
  -- A worker that has registered nothing takes every name.
  select w.* into v_worker from rhythm.worker_registry w
  where coalesce(p_name = any (coalesce(w.asked, w.tasks)), true)
  order by (w.last_seen > p_now - interval '1 minute') desc, coalesce(p_queue = any (w.queues), true) desc, w.last_seen desc
  limit 1;
  if not found then
    return row('unknown_task', format('no worker has ever served %L; known: %s', p_name, coalesce(
        (select string_agg(quote_literal(t.name), ', ' order by t.name)
          from (select s.name from rhythm.served_tasks s order by s.name limit 20) t), 'none')), null, null,
      'Start a worker that registers this task, or correct the name.')::rhythm.why;
  elsif v_worker.last_seen <= p_now - interval '1 minute' then
    return row('no_live_worker', format('no live worker serves %L; the last one was %L', p_name, v_worker.name),
      v_worker.last_seen, null, 'Start a worker that registers this task.')::rhythm.why;
  elsif v_worker.queues is not null and p_queue <> all (v_worker.queues) then
    return row('queue_not_served', format('worker %L knows %L, but takes from %s and not from queue %L', v_worker.name, p_name,
        array_to_string(v_worker.queues, ', '), p_queue), null, null,
      format('Let a worker serve queue %L, or enqueue where workers look.', p_queue))::rhythm.why;
  end if;
  return null;
end
$$;

-- Returns which other session holds a row of `live`; null: none.
create function rhythm._why_locked(p_id uuid) returns rhythm.why
language plpgsql stable as $$
#variable_conflict use_column
declare
  v_pid int;
  v_since timestamptz;
begin
  select a.pid, a.xact_start into v_pid, v_since
  from rhythm.live l
  join pg_catalog.pg_locks k on k.locktype = 'transactionid' and k.transactionid = l.xmax and k.granted
  join pg_catalog.pg_stat_get_activity(null) a on a.pid = k.pid
  where l.id = p_id and l.xmax <> '0' and a.pid <> pg_backend_pid();
  if found then
    return row('locked', format('the open transaction of session %s holds it', v_pid), v_since, null,
      format('Let that session commit or roll back; select * from pg_stat_activity where pid = %s shows it.', v_pid))::rhythm.why;
  end if;
  return null;
end
$$;

-- Returns the lock of a limit as pg_locks shows it: the hash's lower 32 bits, and 16 of the others. The keys are those of _try_limit.
create function rhythm._limit_tag(p_queue text, p_key text) returns text
language sql immutable as $$
  select (h.hash & 4294967295) || '/' || ((h.hash >> 32) & 65535)
  from (select hashtextextended(p_queue || chr(1) || p_key, 0) as hash) h
$$;

-- Returns which other sessions hold limits: pids by tag, of the limits with these tags, or of all. A claim holds one for milliseconds, and
-- in a busy queue there always is one: so only the transactions count that all looks of 50 ms find. The first ones come soon, since most of
-- what they find is gone then. (When a lock was taken nobody knows; and a claim that waits is an old transaction before it takes one.) No locks.
create function rhythm._limits_held(p_tags text[] default null) returns jsonb
language plpgsql volatile as $$
declare
  v_before text[];
  v_held jsonb;
  v_pause float8;
begin
  foreach v_pause in array array[0, 0.001, 0.002, 0.005, 0.01, 0.032] loop
    perform pg_sleep(v_pause);
    select array_agg(k.virtualtransaction), jsonb_object_agg(k.tag, k.pid) into v_before, v_held
    from (
      select l.virtualtransaction, l.pid, l.objid::bigint || '/' || (l.objsubid & 65535) as tag from pg_catalog.pg_locks l
      where l.locktype = 'object' and l.classid = 'rhythm.buckets'::regclass and l.mode = 'ExclusiveLock' and l.granted
        and l.database = rhythm._database() and l.pid <> pg_backend_pid()) k
    where coalesce(k.tag = any (p_tags), true) and coalesce(k.virtualtransaction = any (v_before), true);
    exit when v_held is null;
  end loop;
  return coalesce(v_held, '{}');
end
$$;

-- Returns which other session has taken from a limit of a queue and not committed, so that nobody else may; null: none. `p_held`: what
-- _limits_held has given; null: it is asked.
create function rhythm._why_held(p_queue text, p_keys text[], p_held jsonb) returns rhythm.why
language plpgsql stable as $$
declare
  v_tags text[] := array(select rhythm._limit_tag(p_queue, k) from unnest(p_keys) k where k is not null);
  v_held jsonb := case when v_tags = '{}' then '{}' else coalesce(p_held, rhythm._limits_held(v_tags)) end;
  v_pid int := (select v_held ->> t from unnest(v_tags) t where v_held ? t limit 1);
begin
  if v_pid is null then
    return null;
  end if;
  return row('limit_held', format('the open transaction of session %s has taken from a limit of queue %L, and nobody else may until its end',
      v_pid, p_queue), (select a.xact_start from pg_catalog.pg_stat_get_activity(v_pid) a), null,
    format('Let that session commit or roll back; select * from pg_stat_activity where pid = %s shows it.', v_pid))::rhythm.why;
end
$$;

-- Returns why a pending task waits. `p_held`: as in _why_held.
create function rhythm._why_pending(p_task rhythm.live, p_now timestamptz, p_held jsonb default null) returns rhythm.why
language plpgsql stable as $$
#variable_conflict use_column
declare
  v_unserved rhythm.why;
  v_why rhythm.why;
  v_queue rhythm.queue_settings;
  v_concurrency_key text;
  v_rate_key text;
  v_ahead int;
  v_workers int;
begin
  v_unserved := rhythm._why_unserved(p_task.name, p_task.queue, p_now);
  -- From which queues a worker takes is known to ten seconds, limits are known exactly.
  if v_unserved.reason <> 'queue_not_served' then
    return v_unserved;
  end if;
  select q.* into v_queue from rhythm.queue_settings q where q.name = p_task.queue;
  if found then
    v_concurrency_key := coalesce(p_task.concurrency_key, rhythm._limit_key(p_task.inputs, v_queue.concurrency_key));
    v_rate_key := coalesce(p_task.rate_key, rhythm._limit_key(p_task.inputs, v_queue.rate_key));
    v_why := rhythm._why_limited(v_queue, v_concurrency_key, v_rate_key, p_now);
    if v_why.reason is null and v_unserved.reason is null then
      v_why := rhythm._why_held(v_queue.name, array[
        case when v_queue.concurrency is not null or v_queue.rate is not null and v_queue.rate_key is null then '' end,
        case when v_queue.concurrency_key is not null then 'c' || v_concurrency_key end,
        case when v_queue.rate_key is not null then 'r' || v_rate_key end], p_held);
    end if;
    if v_why.reason is not null then
      return v_why;
    end if;
  end if;
  if v_unserved.reason is not null then
    return v_unserved;
  end if;
  v_why := rhythm._why_locked(p_task.id);
  if v_why.reason is not null then
    return v_why;
  end if;
  -- Those before it are the first ones in the order of the index.
  v_ahead := (select count(*) from (select l.priority, l.seq from rhythm.live l
      where l.queue = p_task.queue and l.state = 'pending' and l.kind = 'task' and l.rate_key is null
      order by l.priority desc, l.seq limit 1000) a
    where (-a.priority, a.seq) < (-p_task.priority, p_task.seq));
  v_workers := (select count(*) from rhythm.worker_registry w where w.last_seen > p_now - interval '1 minute'
    and coalesce(p_task.name = any (coalesce(w.asked, w.tasks)), true) and coalesce(p_task.queue = any (w.queues), true));
  -- Where keys take turns nobody knows how many.
  return row('workers_busy', format('%s before it in queue %L, and %s live workers serve it',
      case when p_task.rate_key is not null then 'other tasks may be' when v_ahead = 1000 then '1000 or more tasks are'
        else v_ahead || ' tasks are' end, p_task.queue, v_workers),
    coalesce(p_task.run_at, p_task.created_at), null, 'Wait, give the workers more slots, or start more of them.')::rhythm.why;
end
$$;

-- Returns which mutex a workflow waits for, of these promises (null: of all), and who holds it; null: none. `p_at`: where it waits.
create function rhythm._why_mutex(p_run rhythm.live, p_promises int[], p_at text) returns rhythm.why
language sql stable as $$
  select row('waits_for_mutex', format('it waits%s for the mutex %L%s%s', p_at, c.name,
      case when h.execution_id = c.execution_id then format(', which it holds itself since %s', to_char(m.since, 'YYYY-MM-DD HH24:MI:SS'))
        when h.execution_id is not null
        then format(', which run %s of %L holds since %s', h.execution_id, l.name, to_char(m.since, 'YYYY-MM-DD HH24:MI:SS')) end,
      case when b.before > 0 then format('; %s before it', case when b.before = 1000 then '1000 or more are' when b.before = 1 then '1 is'
        else b.before || ' are' end) end),
    c.asked_at, c.due_at,
    case when h.execution_id = c.execution_id
      then format('It waits for itself: let it release the lock first; to end it, call rhythm.cancel(%L).', p_run.id)
      when h.execution_id is not null then format('Ask rhythm.why(%L), which is the other one.', h.execution_id)
      else 'It is given out in a moment; without the background worker, call rhythm.tick().' end)::rhythm.why
  from rhythm.mutex_claims c
  left join rhythm.mutexes m on m.name = c.name
  left join rhythm.mutex_claims h on h.execution_id = m.execution_id and h.promise = m.promise and h.seq = m.seq and not h.parked
  left join rhythm.live l on l.id = h.execution_id
  cross join lateral (
    select count(*) as before from (
      select from rhythm.mutex_claims o where o.name = c.name and o.seq < c.seq and not o.parked and o.seq is distinct from h.seq
      limit 1000) o) b
  where c.execution_id = p_run.id and not c.parked and c.seq is distinct from h.seq and (p_promises is null or c.promise = any (p_promises))
  order by c.seq limit 1
$$;

-- Returns what a workflow waits for: of what it has begun only what its frames wait for, where its save can tell.
create function rhythm._why_waiting(p_run rhythm.live, p_now timestamptz) returns rhythm.why
language plpgsql stable as $$
#variable_conflict use_column
declare
  v_why rhythm.why;
  v_place record;
  v_at text;
  v_since timestamptz := (select s.saved_at from rhythm.saves s where s.id = p_run.id);
  v_child rhythm.live;
  v_last rhythm.live;
  v_next rhythm.live;
  v_children bigint;
  v_wait rhythm.signal_waits;
  v_signals text;
  v_signal_due timestamptz;
  v_timer timestamptz;
  v_other uuid;
  v_held record;
  v_too text;
  v_end text := format('to end it, call rhythm.cancel(%L).', p_run.id);
begin
  v_why := rhythm._why_locked(p_run.root_id);
  if v_why.reason is not null then
    return v_why;
  end if;
  if exists (select from rhythm.runnable r where r.root_id = p_run.root_id and r.execution_id = p_run.id) then
    return row('step_due', 'its next step is left to the background worker', null,
      (select min(r.alone_at) from rhythm.runnable r where r.root_id = p_run.root_id and r.execution_id = p_run.id),
      'It runs in a moment; without the background worker, call rhythm.tick().')::rhythm.why;
  end if;
  select p.* into v_place from rhythm._place(p_run.id) p;
  v_at := coalesce(' at ' || v_place.place, '');
  -- A list that is longer than what is told of its promises: all that the run has started may be what it waits for.
  if v_place.promise_count > cardinality(v_place.promises) then
    v_place.promises := null;
  end if;
  select count(*) into v_children from (select from rhythm.live l
    where l.parent_id = p_run.id and (v_place.promises is null or l.promise = any (v_place.promises)) limit 1000) c;
  select w.* into v_wait from rhythm.signal_waits w
  where w.execution_id = p_run.id and (v_place.promises is null or w.promise = any (v_place.promises))
  order by w.promise limit 1;
  select min(w.due_at), string_agg(distinct w.name
    || case when w.key is not null then format(' with the key %L', left(w.key, 100)) else '' end, ', ')
  into v_signal_due, v_signals
  from rhythm.signal_waits w
  where w.execution_id = p_run.id and (v_place.promises is null or w.promise = any (v_place.promises));
  v_timer := (select min(t.due_at) from rhythm.timers t
    where t.execution_id = p_run.id and (v_place.promises is null or t.promise = any (v_place.promises)));
  v_other := (select w.id from rhythm.watchers w
    where w.execution_id = p_run.id and (v_place.promises is null or w.promise = any (v_place.promises)) limit 1);
  -- What has no turn yet is no execution of which anybody could ask; it is the last one that surely is held.
  select sum(f.last - f.next + 1) as count, string_agg(distinct f.concurrency::text, ' or ') as most into v_held
  from rhythm.fan_outs f
  where f.execution_id = p_run.id and (v_place.promises is null or f.last = any (v_place.promises));
  if v_children > 0 then
    select l.* into v_child from rhythm.live l
    where l.parent_id = p_run.id and (v_place.promises is null or l.promise = any (v_place.promises))
    order by l.wake_group limit 1;
    -- The first below that waits for none of its own.
    v_last := v_child;
    for v_depth in 1 .. 1000 loop
      exit when v_last.kind = 'task';
      select l.* into v_next from rhythm.live l where l.parent_id = v_last.id order by l.wake_group limit 1;
      exit when not found;
      v_last := v_next;
    end loop;
    v_why := rhythm.why(v_last.id);
    v_too := concat(case when v_held.count > 0 then format(', while %s more wait for their turn (it lets %s run at once)', v_held.count,
        v_held.most) end, ', and for the signal ' || v_signals, case when v_timer is not null then ', and for a timer' end);
    return row('waits_for_child', format('it waits%s for %s%s %L (%s)%s: %s', v_at,
        case when v_children >= 1000 then '1000 or more of its own, such as ' when v_children > 1
          then v_children || ' of its own, such as ' else '' end, v_child.kind, v_child.name, v_child.id, v_too,
        v_why.explanation), coalesce(v_why.since, v_since), least(v_why.until, v_timer, v_signal_due), v_why.hint)::rhythm.why;
  end if;
  v_why := rhythm._why_mutex(p_run, v_place.promises, v_at);
  if v_why.reason is not null then
    return v_why;
  elsif v_signals is not null then
    return row('waits_for_signal', format('it waits%s for the signal %s%s%s', v_at, v_signals,
        case when v_signal_due is not null then ', with a timeout' end, case when v_timer is not null then ', and for a timer' end),
      v_since, least(v_signal_due, v_timer), format('Send it: %s; %s', case
        when v_wait.is_request then format('rhythm.request(%L, %L, ...)', p_run.id, v_wait.name)
        when v_wait.key is not null
        then format('rhythm.signal(%L, %L, ..., key => %L)', p_run.id, v_wait.name, left(v_wait.key, 100))
        else format('rhythm.signal(%L, %L, ...)', p_run.id, v_wait.name) end, v_end))::rhythm.why;
  elsif v_timer is not null then
    return row('sleeps', format('it sleeps%s', v_at), v_since, v_timer, 'Nothing to do: the timer fires by itself; ' || v_end)::rhythm.why;
  elsif exists (select from rhythm.deferred_starts d where d.execution_id = p_run.id) then
    return row('task_id_taken', format('another open transaction is just taking the taskId that it asked for, and it waits%s', v_at),
      v_since, null, 'Let that transaction commit or roll back.')::rhythm.why;
  elsif v_other is not null then
    return row('waits_for_other', format('it waits%s for execution %s, which holds the taskId that it asked for', v_at, v_other),
      v_since, null, format('Ask rhythm.why(%L), which is the other one; %s', v_other, v_end))::rhythm.why;
  end if;
  return row('waits_for_nothing', format('it awaits%s a promise that nothing will settle', v_at), v_since, null,
    format('Cancel it with rhythm.cancel(%L), and look at the await at which it stands.', p_run.id))::rhythm.why;
end
$$;

-- Says why an execution does not move. No locks.
create function rhythm.why(id uuid) returns rhythm.why
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_row rhythm.live;
  v_failed int;
  v_why rhythm.why;
  v_retry jsonb;
begin
  perform rhythm._check_given('id', why.id is not null);
  select l.* into v_row from rhythm.live l where l.id = why.id;
  if not found then
    perform rhythm._check_known(why.id);
    return (select row('ended', format('it has ended: %s%s', a.state, coalesce(', ' || (a.error ->> 'message'), '')), a.finished_at,
        null, case when a.state = 'completed' then 'Read rhythm.result(id).'
          else format('Look at rhythm.timeline(%L), then perhaps rhythm.retry(%1$L).', why.id) end)::rhythm.why
      from rhythm.archive a where a.id = why.id);
  end if;
  -- Lapsed leases, times and timeouts that nobody sees to.
  if v_row.due_at < v_now and not rhythm._has_worker() and rhythm._stopped() is null then
    return row('nothing_fires', 'its time has come, but no background worker serves this database', v_row.due_at, null,
      'Add rhythm to shared_preload_libraries and restart the server, or call rhythm.tick() from time to time.')::rhythm.why;
  end if;
  if v_row.state = 'running' then
    return row('running', format('worker %L runs attempt %s%s', v_row.worker, v_row.attempt,
        case when exists (select from rhythm.cancels c where c.execution_id = why.id)
          then ', and hears of the cancellation at its next heartbeat' else '' end), v_row.attempt_at,
      v_row.lease_until, 'Wait; when the lease ends without a heartbeat, the task goes to another worker.')::rhythm.why;
  end if;
  v_why := rhythm._why_stopped();
  -- The failed attempt after which it waits now: not one before a snooze.
  v_failed := (select f.attempt from (
      select (h.data ->> 'attempt')::int as attempt, (h.data ->> 'next_at')::timestamptz as next_at
      from rhythm.history h where h.execution_id = why.id and h.event = 'attempt_failed' order by h.seq desc limit 1) f
    where f.next_at = v_row.run_at);
  if v_why.reason is null and v_row.state = 'scheduled' and v_row.kind = 'workflow' and v_row.run_at <= v_now then
    -- It was retried, and holds first again what it held.
    v_why := rhythm._why_mutex(v_row, null, ', to go on,');
  end if;
  if v_why.reason is not null then
    return v_why;
  elsif v_row.state = 'scheduled' and v_failed is not null then
    return row('retry', format('attempt %s of %s failed: %s', v_failed, rhythm._max_attempts(
          rhythm._merge_retry(rhythm._merge_retry((select q.retry from rhythm.queue_settings q where q.name = v_row.queue),
            (select t.retry from rhythm.served_tasks t where t.name = v_row.name)), v_row.retry)),
        v_row.error ->> 'message'), v_row.attempt_at, v_row.run_at,
      'It is tried again then; rhythm.attempts has all failures.')::rhythm.why;
  elsif v_row.state = 'scheduled' then
    return row('scheduled', 'its time has not come', v_row.created_at, v_row.run_at, 'Nothing to do: it starts by itself.')::rhythm.why;
  elsif v_row.kind = 'task' then
    return rhythm._why_pending(v_row, v_now);
  end if;
  return rhythm._why_waiting(v_row, v_now);
end
$$;
comment on function rhythm.why(uuid) is
'Says why an execution does not move: the one reason, since when, until when, and what to do. Example: select reason, explanation, until, hint from rhythm.why(''0190a1b2-0000-7000-8000-000000000000'')';

-- Returns what a claim of a queue meets: the first task of each name among its first 200, and of a queue with limits by key the
-- first of each of its first keys; 20 at most.
create function rhythm._heads(p_queue text) returns setof rhythm.live
language plpgsql stable as $$
#variable_conflict use_column
begin
  return query
  with recursive firsts (id, name, priority, seq) as materialized (
    select l.id, l.name, l.priority, l.seq from rhythm.live l
    where l.queue = p_queue and l.state = 'pending' and l.kind = 'task' and l.rate_key is null
    order by l.priority desc, l.seq limit 200
  ), named as (
    select distinct on (f.name) f.id, f.priority, f.seq from firsts f order by f.name, f.priority desc, f.seq
  ), keyed (id, priority, c, r, n) as (
    (select l.id, l.priority, l.concurrency_key, l.rate_key, 1 from rhythm.live l
    where l.queue = p_queue and l.state = 'pending' and l.kind = 'task' and l.rate_key is not null
    order by l.priority desc, l.concurrency_key, l.rate_key, l.seq limit 1)
    union all
    select x.id, k.priority, x.concurrency_key, x.rate_key, k.n + 1 from keyed k cross join lateral (
      select l.id, l.concurrency_key, l.rate_key from rhythm.live l
      where l.queue = p_queue and l.state = 'pending' and l.kind = 'task' and l.rate_key is not null
        and l.priority = k.priority and (l.concurrency_key, l.rate_key) > (k.c, k.r)
      order by l.concurrency_key, l.rate_key, l.seq limit 1) x
    where k.n < 20
  )
  select l.* from (
    (select n.id, row_number() over (order by n.priority desc, n.seq) as at from named n order by 2 limit 20)
    union all
    select k.id, 100 + k.n from keyed k) h
  join rhythm.live l on l.id = h.id
  order by h.at limit 20;
end
$$;

-- Says why a queue does not move. No locks.
create function rhythm.why_queue(name text) returns rhythm.why
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_why rhythm.why := rhythm._why_stopped();
  v_queue rhythm.queue_settings;
  v_head rhythm.live;
  v_first rhythm.live;
  v_first_why rhythm.why;
  v_heads int := 0;
  v_held jsonb;
  v_due timestamptz;
  v_seen int;
begin
  perform rhythm._check_name('queue', why_queue.name);
  if v_why.reason is not null then
    return v_why;
  end if;
  select q.* into v_queue from rhythm.queue_settings q where q.name = why_queue.name;
  if v_queue.paused_at is not null then
    return rhythm._why_limited(v_queue, null, null, v_now);
  end if;
  for v_head in select h.* from rhythm._heads(why_queue.name) h loop
    v_heads := v_heads + 1;
    v_why := rhythm._why_pending(v_head, v_now, coalesce(v_held, '{}'));
    if v_held is null and v_why.reason in ('locked', 'workers_busy')
      and coalesce(v_queue.concurrency::text, v_queue.rate::text, v_queue.concurrency_key) is not null
    then
      -- Nothing that is known at once explains it. Once for all of them.
      v_held := rhythm._limits_held();
      v_why := rhythm._why_pending(v_head, v_now, v_held);
    end if;
    if v_heads = 1 then
      v_first := v_head;
      v_first_why := v_why;
    end if;
    -- Nothing but the workers stands in its way: the queue moves. What stops the whole queue stops all the others, too.
    exit when v_why.reason in ('workers_busy', 'queue_full') or v_why.reason = 'rate_limited' and v_queue.rate_key is null;
  end loop;
  if v_heads = 0 then
    -- No index has what is scheduled by its queue: it would cost every task that is, and only this would read it.
    select count(*), min(o.due_at) filter (where o.queue = why_queue.name and o.state = 'scheduled') into v_seen, v_due
    from (select l.due_at, l.queue, l.state from rhythm.live l where l.due_at is not null order by l.due_at limit 1000) o;
    return row('empty', format('nothing is pending in queue %L', why_queue.name), null, v_due,
      case when v_due is not null then 'The next scheduled task comes by itself.'
        when v_seen < 1000 then 'Nothing to do.'
        else 'None of the next 1000 due in all queues is of this one; rhythm.queues counts what it has scheduled.' end)::rhythm.why;
  end if;
  if v_heads = 1 then
    return v_why;
  elsif v_why.reason = v_first_why.reason and v_why.reason <> 'workers_busy' then
    return row(v_first_why.reason, format('%s; nor can others that a claim would meet (%s%s)', v_first_why.explanation, v_heads - 1,
        case when v_heads = 20 then ', perhaps more' end),
      v_first_why.since, v_first_why.until, v_first_why.hint)::rhythm.why;
  elsif v_why.reason = 'workers_busy' then
    return row(v_why.reason, format('%s; others are passed over, such as %L (%s): %s', v_why.explanation, v_first.name, v_first.id,
        v_first_why.explanation), v_why.since, v_why.until, v_why.hint)::rhythm.why;
  end if;
  return row(v_first_why.reason, format('%s; others wait for other reasons, such as %L (%s): %s', v_first_why.explanation, v_head.name,
      v_head.id, v_why.explanation), v_first_why.since, v_first_why.until, v_first_why.hint)::rhythm.why;
end
$$;
comment on function rhythm.why_queue(text) is
'Says why a queue does not move: why none of the tasks is taken that a claim would meet first (of each name, and of each key where there are limits by key, 20 at most), that they wait for workers alone, or that there is none. Example: select reason, explanation, hint from rhythm.why_queue(''mail'')';
