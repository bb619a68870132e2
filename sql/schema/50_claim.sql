-- Workers and claims. A claim leases pending tasks to a worker: state running, a new fencing token, a lease that ends.
-- Only who shows the token can heartbeat, complete or fail.
--
-- Locks: claim takes rows of `live` with SKIP LOCKED; heartbeat takes its rows in the order of ids and skips those that
-- others hold. The worker's own row
-- is written at most every ten seconds, at the end, and never waited for once it is known. Dying halfway leaves the tasks pending (before commit) or
-- leased until the lease ends (after it).

create table rhythm.worker_registry (
  name text primary key,
  -- What it registered, which is all that its claims get; null: everything. And the names that its last claim gave instead.
  tasks text[],
  asked text[],
  -- From which queues it last claimed.
  queues text[],
  registered_at timestamptz not null,
  last_seen timestamptz not null
) with (fillfactor = 50);
comment on table rhythm.worker_registry is 'Workers that ever registered or claimed. Seen through the view rhythm.workers.';

create table rhythm.served_tasks (
  name text primary key,
  queue text,
  retry jsonb,
  timeout interval,
  start_timeout interval,
  attempt_timeout interval,
  heartbeat_timeout interval,
  priority int,
  remember interval,
  discard bool,
  input_schema jsonb,
  -- What happens to inputs that do not fit; null: nothing.
  schema_check text check (schema_check in ('refuse', 'warn')),
  first_served_at timestamptz not null
);
comment on table rhythm.served_tasks is 'Every task name that a worker ever registered, with its defaults as registered last.';

-- Returns a task of register with its entries named as in JavaScript. SQL's own spelling (start_timeout) is taken too; what is
-- not known is refused, as a slip would be a default that nobody gets. No locks.
create function rhythm._task_entries(p_task jsonb) returns jsonb
language plpgsql as $$
declare
  v_known text[] := array['name', 'queue', 'retry', 'timeout', 'startTimeout', 'attemptTimeout', 'heartbeatTimeout', 'priority',
    'remember', 'result', 'inputSchema', 'schemaCheck'];
  v_result jsonb := p_task;
  v_key text;
  v_meant text;
begin
  for v_key in select k from jsonb_object_keys(p_task - v_known) k loop
    v_meant := (select k from unnest(v_known) k where lower(regexp_replace(k, '([A-Z])', '_\1', 'g')) = v_key);
    if v_meant is null then
      v_meant := rhythm._nearest_name(v_key, v_known);
      perform rhythm._raise('RH003', format('task "%s" has an unknown entry "%s"', p_task ->> 'name', left(v_key, 50)),
        'Is "' || v_meant || '" meant?', 'Entries are ' || array_to_string(v_known, ', ') || '.');
    elsif p_task ? v_meant then
      perform rhythm._raise('RH003', format('task "%s" has both "%s" and "%s"', p_task ->> 'name', v_meant, v_key), null,
        'They are the same: leave one out.');
    end if;
    v_result := v_result - v_key || jsonb_build_object(v_meant, p_task -> v_key);
  end loop;
  return v_result;
end
$$;

-- Notes what a worker can run. Locks: rows of `served_tasks` in the order of names, then the worker's own, until the caller's
-- commit, which should be soon. Dying halfway changes nothing.
create function rhythm.register(worker text, tasks jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_task jsonb;
  v_names text[] := '{}';
begin
  perform rhythm._check_name('worker', register.worker);
  if jsonb_typeof(register.tasks) is distinct from 'array' then
    perform rhythm._raise('RH003', 'tasks must be a JSON array',
      'Got: ' || coalesce(left(register.tasks::text, 200), 'null') || '.',
      'Give names, or objects such as {"name": "charge", "queue": "payments", "retry": {"maxAttempts": 3}, "timeout": "5m"}.');
  end if;
  for v_task in select e from jsonb_array_elements(register.tasks) e order by coalesce(e ->> 'name', e #>> '{}') loop
    if jsonb_typeof(v_task) = 'string' then
      v_task := jsonb_build_object('name', v_task);
    elsif jsonb_typeof(v_task) <> 'object' then
      perform rhythm._raise('RH003', 'a task must be a name or an object', 'Got: ' || left(v_task::text, 200) || '.',
        'Give "charge" or {"name": "charge"}.');
    end if;
    if jsonb_typeof(v_task -> 'name') <> 'string' or jsonb_typeof(v_task -> 'queue') not in ('string', 'null') then
      perform rhythm._raise('RH003', 'name and queue of a task must be strings', 'Got: ' || left(v_task::text, 200) || '.',
        'Give "charge" or {"name": "charge", "queue": "payments"}.');
    end if;
    perform rhythm._check_name('task name', v_task ->> 'name');
    v_task := rhythm._task_entries(v_task);
    if v_task ->> 'queue' is not null then
      perform rhythm._check_name('queue', v_task ->> 'queue');
    end if;
    if exists (select from unnest(array['timeout', 'startTimeout', 'attemptTimeout', 'heartbeatTimeout']) k
      where v_task ->> k is not null and rhythm._duration(v_task -> k) is null)
    then
      perform rhythm._raise('RH003', format('task "%s" has a wrong timeout', v_task ->> 'name'), null,
        'Durations are seconds or strings such as "90s" and "1h30m".');
    end if;
    perform rhythm._check_attempt(k, rhythm._duration(v_task -> k)) from unnest(array['attemptTimeout', 'heartbeatTimeout']) k;
    if jsonb_typeof(v_task -> 'priority') not in ('number', 'null') or (v_task ->> 'priority')::numeric % 1 <> 0 then
      perform rhythm._raise('RH003', format('task "%s" has a priority that is no whole number', v_task ->> 'name'),
        'Got: ' || left((v_task -> 'priority')::text, 50) || '.', 'Give an integer; larger goes first.');
    end if;
    perform rhythm._check_priority(case when abs((v_task ->> 'priority')::numeric) < 1000000 then (v_task ->> 'priority')::numeric::int
        when v_task ->> 'priority' is not null then 1000000 end),
      rhythm._check_result(v_task ->> 'result');
    v_names := v_names || (v_task ->> 'name');
    insert into rhythm.served_tasks as t (name, queue, retry, timeout, start_timeout, attempt_timeout, heartbeat_timeout,
      priority, remember, discard, input_schema, schema_check, first_served_at)
    values (v_task ->> 'name', v_task ->> 'queue', rhythm._retry(v_task -> 'retry'),
      rhythm._duration(v_task -> 'timeout'), rhythm._duration(v_task -> 'startTimeout'),
      rhythm._duration(v_task -> 'attemptTimeout'), rhythm._duration(v_task -> 'heartbeatTimeout'),
      (v_task ->> 'priority')::numeric::int,
      coalesce(rhythm._duration(v_task -> 'remember'), rhythm._keep_time('remember', v_task ->> 'remember')),
      v_task ->> 'result' = 'discard', rhythm._read_schema(v_task), rhythm._read_schema_check(v_task), v_now)
    on conflict (name) do update set queue = excluded.queue, retry = excluded.retry, timeout = excluded.timeout,
      start_timeout = excluded.start_timeout, attempt_timeout = excluded.attempt_timeout,
      heartbeat_timeout = excluded.heartbeat_timeout, priority = excluded.priority, remember = excluded.remember,
      discard = excluded.discard, input_schema = excluded.input_schema, schema_check = excluded.schema_check
    where (t.queue, t.retry, t.timeout, t.start_timeout, t.attempt_timeout, t.heartbeat_timeout, t.priority, t.remember, t.discard,
      t.input_schema, t.schema_check)
      is distinct from (excluded.queue, excluded.retry, excluded.timeout, excluded.start_timeout, excluded.attempt_timeout,
        excluded.heartbeat_timeout, excluded.priority, excluded.remember, excluded.discard, excluded.input_schema,
        excluded.schema_check);
  end loop;
  insert into rhythm.worker_registry as w (name, tasks, registered_at, last_seen)
  values (register.worker, v_names, v_now, v_now)
  on conflict (name) do update set tasks = excluded.tasks, registered_at = v_now, last_seen = v_now;
end
$$;
comment on function rhythm.register(text, jsonb) is
'Says which tasks a worker can run: names, or objects with name, queue, retry, timeout, startTimeout, attemptTimeout, heartbeatTimeout, priority, remember (how long a completed one keeps its task_id), result (defaults for this task), inputSchema (a JSON Schema of what it takes) and schemaCheck (refuse, warn or off: what happens to inputs that do not fit); start_timeout is taken for startTimeout, and so on. Its claims then get no others. Example: select rhythm.register(''w1'', ''["send-mail", {"name": "charge", "queue": "payments"}]'')';

-- Notes that a worker is alive, and what it says that it serves. Called at the end of a claim, so that no row is held
-- while it waits. Locks: as register, first the tasks, then the worker, which is never waited for once it is known.
create function rhythm._note_worker(p_worker text, p_tasks text[], p_queues text[], p_is_known bool, p_now timestamptz)
returns void
language plpgsql as $$
begin
  if p_is_known then
    update rhythm.worker_registry w set last_seen = p_now, queues = p_queues, asked = p_tasks
    where w.name = (select m.name from rhythm.worker_registry m where m.name = p_worker for update skip locked);
    if not exists (select from unnest(p_tasks) n where not exists (select from rhythm.served_tasks t where t.name = n)) then
      return;
    end if;
  end if;
  -- One claim at a time, or an insert would wait for another's. Who does not get the lock notes it at a later claim.
  if rhythm._try_lock('rhythm.worker_registry'::regclass, 0, false) then
    insert into rhythm.served_tasks (name, first_served_at) select n, p_now from unnest(p_tasks) n order by n
    on conflict do nothing;
    insert into rhythm.worker_registry (name, asked, queues, registered_at, last_seen)
    values (p_worker, p_tasks, p_queues, p_now, p_now)
    on conflict do nothing;
  end if;
end
$$;

-- Leases up to `p_max` pending tasks; the queues in the order given, in each larger priority first, then older first.
-- Waits for work when there is none: in a slot of shared memory until a commit brings work, or by looking every 100 ms
-- where there is no shared memory. Locks and halfway: as claim.
create function rhythm._claim(p_worker text, p_queues text[], p_max int, p_wait interval, p_lease interval,
  p_tasks text[])
returns table (id uuid, token bigint, name text, queue text, inputs jsonb, attempt int, lease_until timestamptz,
  trace jsonb, progress jsonb, heartbeat_timeout interval)
language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  -- The names that the worker may be given; null: any.
  v_tasks text[];
  v_seen timestamptz;
  -- Names that are paused; whether nothing may run at all; which of the queues have settings.
  v_paused text[];
  v_stopped bool;
  v_configured text[];
  v_settings rhythm.queue_settings;
  -- What the limits of the queue in hand allow (see _allow).
  v_allowed int;
  v_picked uuid[];
  v_spend bool;
  v_counted bool;
  v_path text;
  v_locked bool;
  v_any_locked bool := false;
  v_again_at timestamptz;
  v_queue_again_at timestamptz;
  -- One random number for a claim: its hash with the row's number is the row's token.
  v_seed uuid := gen_random_uuid();
  v_queue text;
  v_left int := p_max;
  v_got int;
  -- From where this session looks (49_floor.sql), and how many entries of the index it has met before and on the way.
  v_floor bigint[];
  v_walked bigint;
  v_until timestamptz;
  -- For how long this may wait in all and from now on, in milliseconds.
  v_whole int;
  v_wait int;
  v_parked bool;
begin
  if p_max = 0 then
    return;
  end if;
  loop
    -- What tells a worker what it may have, in one look; again after each wait.
    select coalesce(p_tasks, w.tasks), w.last_seen, g.paused_tasks, g.stopped is not null or g.database <> rhythm._database(),
      array(select q.name from rhythm.queue_settings q where q.name = any (p_queues))
    into v_tasks, v_seen, v_paused, v_stopped, v_configured
    from rhythm.gate g left join rhythm.worker_registry w on w.name = p_worker;
    v_again_at := null;
    foreach v_queue in array case when v_stopped then '{}' else p_queues end loop
      v_allowed := v_left;
      v_picked := null;
      v_spend := false;
      v_counted := false;
      v_path := null;
      if v_queue = any (v_configured) then
        select q.* into v_settings from rhythm.queue_settings q where q.name = v_queue;
        select a.allowed, a.picked, a.spend, a.locked, a.again_at
        into v_allowed, v_picked, v_spend, v_locked, v_queue_again_at
        from rhythm._allow(v_settings, v_left, v_tasks, v_paused, v_now) a;
        v_counted := v_settings.concurrency is not null;
        v_path := v_settings.concurrency_key;
        v_again_at := least(v_again_at, v_queue_again_at);
        v_any_locked := v_any_locked or v_locked;
        continue when v_allowed <= 0 or v_picked = '{}';
      end if;
      v_walked := null;
      v_floor := null;
      if v_picked is null then
        v_walked := pg_stat_get_xact_tuples_returned('rhythm.live_pending'::regclass);
        v_floor := rhythm._floor('rhythm.live_pending'::regclass, v_queue, v_tasks, v_paused);
        if v_floor <> '{}' then
          v_picked := rhythm._pick_above(v_queue, v_allowed, v_tasks, v_paused, v_floor, v_now);
        end if;
      end if;
      return query
      with picked as materialized (
        -- Of what this transaction has made itself nobody needs to hear.
        select s.id, s.is_ours from (
          select l.id, l.xmin = pg_current_xact_id_if_assigned()::xid as is_ours from rhythm.live l
          where v_picked is null and l.queue = v_queue and l.state = 'pending' and l.kind = 'task' and l.rate_key is null
            and (v_tasks is null or l.name = any (v_tasks)) and l.name <> all (v_paused)
            -- What should have begun by now is timed out, though nobody has said so yet.
            and (least(l.start_by, l.end_by) > v_now) is not false
          order by l.priority desc, l.seq
          limit v_allowed for update of l skip locked) s
        union all
        select p, false from unnest(v_picked) p
      ), leased as (
        update rhythm.live l set state = 'running', attempt = l.attempt + 1,
          token = uuid_hash_extended(v_seed, l.seq), lease_until = v_now + coalesce(l.beat, p_lease),
          due_at = least(v_now + coalesce(l.beat, p_lease), l.end_by, v_now + l.attempt_timeout), worker = p_worker,
          started_at = coalesce(l.started_at, v_now), attempt_at = v_now, attempt_until = v_now + l.attempt_timeout,
          concurrency_key = case when v_counted then coalesce(l.concurrency_key, '-') else l.concurrency_key end
        from picked where l.id = picked.id
        returning l.id, l.token, l.name, l.queue, l.inputs, l.attempt, l.lease_until, l.trace, l.progress, l.beat, l.priority, l.seq,
          case when l.due_at < v_now + p_lease then rhythm._wake_due(l.due_at) end as noted,
          case when picked.is_ours then rhythm._wake_queue(l.queue, -1) end as taken_back
      )
      select c.id, c.token, c.name, c.queue, c.inputs, c.attempt, c.lease_until, c.trace, c.progress, c.beat from leased c
      order by c.priority desc, c.seq;
      get diagnostics v_got = row_count;
      v_walked := pg_stat_get_xact_tuples_returned('rhythm.live_pending'::regclass) - v_walked;
      if rhythm._is_long_walk(v_walked, v_got) or v_floor = '{}' or v_floor <> '{}' and v_got = 0 then
        v_again_at := least(v_again_at, rhythm._move_floor(v_queue, v_tasks, v_paused, v_floor, v_walked, v_got));
      end if;
      if v_got > 0 then
        -- Has a limit of concurrency been set since the look at the settings? Either the lock keeps the first claim under it out until
        -- this commit, or that one has begun, and then the limit is seen here.
        v_locked := rhythm._try_limit(v_queue, '', true);
        if exists (select from rhythm.queue_settings q where q.name = v_queue
          and (q.concurrency is not null and not v_counted and v_path is null or q.concurrency_key <> coalesce(v_path, '')))
        then
          perform rhythm._fit_leased(v_queue, p_worker, v_now);
        end if;
      end if;
      if v_spend and v_got > 0 then
        perform rhythm._spend(v_queue, '', v_settings.rate, rhythm._burst(v_settings), v_now, v_got);
      end if;
      v_left := v_left - v_got;
      exit when v_left <= 0;
    end loop;
    -- Locks of limits are for others while this session waits. If what it may take is held by somebody just now, who came back at
    -- once would spin.
    if v_any_locked and v_left = p_max and p_wait > interval '0' then
      perform pg_sleep(0.01);
    end if;
    exit when v_left < p_max or p_wait = interval '0' or v_any_locked;
    if v_until is null then
      v_until := rhythm._wait_until(p_wait);
      v_whole := extract(epoch from v_until - clock_timestamp()) * 1000;
      -- The slot first, then another look: work that commits in between finds the slot.
      v_parked := rhythm._park_begin(p_queues || rhythm._cancel_topic(p_worker));
    else
      v_wait := (extract(epoch from v_until - clock_timestamp()) * 1000)::int;
      exit when v_wait <= 0;
      -- Nothing to do, but somebody wants the worker to stop something: it shall ask by a heartbeat. It knows that by how early
      -- its wait ends; so what comes late in a wait is left for the next one, which then ends as it begins.
      exit when v_wait < v_whole * 0.2 and exists (select from rhythm.cancels c where c.worker = p_worker);
      exit when rhythm._heard_cancel(p_worker);
      if v_again_at is not null then
        -- Rather a moment too late than a look in vain.
        v_wait := greatest(least(v_wait, ceil(extract(epoch from v_again_at - rhythm._now()) * 1000)), 1);
      end if;
      if v_parked then
        perform rhythm._park_wait(v_wait);
      else
        perform pg_sleep(least(v_wait, 100) / 1000.0);
      end if;
      -- A worker that was killed while it waited must not get what would then lie until its lease ends.
      perform rhythm._check_client();
      v_now := rhythm._now();
    end if;
  end loop;
  if v_parked then
    -- Whether the queue has nothing left, who asks for some names alone, or has met a limit, cannot know.
    perform rhythm._park_end(case when v_left < p_max then v_queue end,
      v_tasks is null and v_again_at is null and v_left between 1 and p_max - 1);
  end if;
  if v_seen is null or v_seen not between v_now - interval '10 seconds' and v_now then
    perform rhythm._note_worker(p_worker, p_tasks, p_queues, v_seen is not null, v_now);
  end if;
  if v_left < p_max then
    perform rhythm._wake_due(v_now + p_lease);
  end if;
end
$$;

-- Returns for what a claim waits besides its queues: that something which its worker runs is cancelled.
create function rhythm._cancel_topic(p_worker text) returns text
language sql immutable as $$
  select E'\x01' || p_worker
$$;

-- Returns whether a request to cancel has come for what this worker runs, or has run until it was terminated. Each request is heard once,
-- so it ends one wait at most, also when the handler does not care. Locks: the requests, skipping those that others hold: what somebody
-- holds at the moment is ending. Dying halfway leaves them unheard.
create function rhythm._heard_cancel(p_worker text) returns bool
language plpgsql as $$
declare
  v_heard bool;
begin
  with mine as materialized (
    select c.ctid, c.execution_id from rhythm.cancels c where c.worker = p_worker for update skip locked
  ), ended as (
    delete from rhythm.cancels c using mine
    where c.ctid = mine.ctid and not exists (select from rhythm.live l where l.id = mine.execution_id)
    returning c.ctid
  ), others as (
    update rhythm.cancels c set worker = null from mine
    where c.ctid = mine.ctid and exists (select from rhythm.live l where l.id = mine.execution_id)
    returning c.ctid
  )
  select exists (select from ended) or exists (select from others) into v_heard;
  return v_heard;
end
$$;

-- Returns until when a session may wait inside one statement: for 5 s, less where a timeout of the role is shorter. Those
-- count from the beginning of the statement and of the transaction, which may have taken their time already. No locks.
create function rhythm._wait_until(p_wait interval) returns timestamptz
language sql volatile as $$
  select least(clock_timestamp() + least(p_wait, interval '5 seconds'),
    statement_timestamp() + nullif(current_setting('statement_timeout')::interval, '0') * 0.8,
    transaction_timestamp() + nullif(current_setting('transaction_timeout', true)::interval, '0') * 0.8)
$$;

-- Refuses what claim and finish cannot take. No locks.
create function rhythm._check_claim(p_worker text, p_queues text[], p_max int, p_wait interval, p_lease interval)
returns void
language plpgsql as $$
begin
  if p_worker is null or p_worker = '' or octet_length(p_worker) > 255 then
    perform rhythm._check_name('worker', p_worker);
  end if;
  if p_queues is null or p_max is null or p_wait is null or p_lease is null then
    perform rhythm._check_given('queues', p_queues is not null), rhythm._check_given('max', p_max is not null),
      rhythm._check_given('wait', p_wait is not null), rhythm._check_given('lease', p_lease is not null);
  end if;
  if p_wait <> interval '0' then
    perform rhythm._check_duration('wait', p_wait);
  end if;
  if array_ndims(p_queues) > 1 then
    perform rhythm._raise('RH003', 'queues must be an array of one dimension', null, 'Give the names of the queues.');
  elsif array_position(p_queues, null) is not null then
    perform rhythm._raise('RH001', 'queues must not have a null', null, 'Give the names of the queues.');
  elsif '' = any (p_queues) then
    perform rhythm._check_name('queue', '');
  elsif p_max not between 0 and 10000 then
    perform rhythm._raise('RH002', format('max must be between 0 and 10000, not %s', p_max), null,
      'Claim what the worker can run at once.');
  elsif p_lease not between interval '100 milliseconds' and interval '1 day' then
    perform rhythm._raise('RH002', format('lease must be between 100 milliseconds and 1 day, not %s', p_lease), null,
      'Keep leases short, and heartbeat what runs long.');
  elsif p_wait > interval '0' and not rhythm._sees_commits() then
    perform rhythm._raise('RH201', 'a claim cannot wait in a REPEATABLE READ or SERIALIZABLE transaction', null,
      'Such a transaction never sees new work: claim with wait => ''0'', or use READ COMMITTED.');
  end if;
end
$$;

-- Leases tasks to a worker. Locks: rows of pending tasks, skipping those that others hold; none while it waits. Dying before
-- the commit leaves them pending; a worker that dies after it keeps them until their leases end.
create function rhythm.claim(worker text, queues text[] default '{default}', max int default 1,
  wait interval default '0', lease interval default '60s', tasks text[] default null)
returns table (id uuid, token bigint, name text, queue text, inputs jsonb, attempt int, lease_until timestamptz,
  trace jsonb, progress jsonb, heartbeat_timeout interval)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
begin
  perform rhythm._check_claim(claim.worker, claim.queues, claim.max, claim.wait, claim.lease);
  if claim.tasks is not null then
    perform rhythm._check_name('task name', t) from unnest(claim.tasks) t;
  end if;
  return query select * from rhythm._claim(claim.worker, claim.queues, claim.max, claim.wait, claim.lease,
    claim.tasks);
end
$$;
comment on function rhythm.claim(text, text[], int, interval, interval, text[]) is
'Leases up to max pending tasks to a worker, waiting up to wait (at most 5 s) when there are none, or until one that this worker runs is cancelled: then it gives none, and heartbeat tells which. The token proves the lease to heartbeat, complete and fail. Only the tasks that the worker registered, or those given; one that never registered is given all. Example: select * from rhythm.claim(''w1'', ''{default}'', max => 10, wait => ''5s'')';

-- Refuses arrays of ids and tokens that do not belong together. No locks.
create function rhythm._check_ids(p_ids uuid[], p_tokens bigint[]) returns void
language plpgsql as $$
begin
  perform rhythm._check_given('ids', p_ids is not null), rhythm._check_given('tokens', p_tokens is not null);
  if cardinality(p_ids) <> cardinality(p_tokens) then
    perform rhythm._raise('RH003', format('%s ids, but %s tokens', cardinality(p_ids), cardinality(p_tokens)), null,
      'Give one token for each id, in the same order.');
  end if;
end
$$;

-- Prolongs leases. Locks: rows of running tasks in the order of ids, skipping those that others hold: who does has completed, failed or
-- terminated the task and not committed, or will let it go in a moment, for which this waits 50 ms at most. Such a task counts as held;
-- its lease stays as it was, and nothing can take that away while the row is locked, but if the other rolls back after its end it
-- has lapsed. Progress that came with it is not saved, which the caller is told, who may send it again. Dying halfway leaves the leases
-- as they were.
create function rhythm.heartbeat(ids uuid[], tokens bigint[], lease interval default '60s', progress jsonb[] default null)
returns table (id uuid, status text, saved bool)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_longer uuid[] := '{}';
begin
  perform rhythm._check_ids(heartbeat.ids, heartbeat.tokens), rhythm._check_given('lease', heartbeat.lease is not null);
  if heartbeat.lease not between interval '100 milliseconds' and interval '1 day' then
    perform rhythm._raise('RH002', format('lease must be between 100 milliseconds and 1 day, not %s', heartbeat.lease),
      null, 'Keep leases short, and heartbeat what runs long.');
  end if;
  if heartbeat.progress is not null then
    if cardinality(heartbeat.progress) <> cardinality(heartbeat.ids) then
      perform rhythm._raise('RH003', format('%s ids, but %s entries of progress', cardinality(heartbeat.ids),
        cardinality(heartbeat.progress)), null, 'Give one entry for each id, null where there is nothing new.');
    end if;
    perform rhythm._check_size('progress', p) from unnest(heartbeat.progress) p where pg_column_size(p) > 67108864;
  end if;
  for v_look in 1 .. 6 loop
    with mine as materialized (
      select l.id, o.progress from rhythm.live l
      join unnest(heartbeat.ids, heartbeat.tokens, heartbeat.progress) o (id, token, progress) on l.id = o.id
      where l.token = o.token and l.state = 'running' and l.id <> all (v_longer)
      order by l.id for no key update of l skip locked
    ), longer as (
      update rhythm.live l set lease_until = v_now + coalesce(l.beat, heartbeat.lease),
        due_at = least(v_now + coalesce(l.beat, heartbeat.lease), l.end_by, l.attempt_until),
        progress = coalesce(mine.progress, l.progress)
      from mine where l.id = mine.id
      -- Shorter than before, perhaps.
      returning l.id, rhythm._wake_due(l.due_at) as noted
    )
    select v_longer || coalesce(array_agg(b.id), '{}') into v_longer from (select n.id, n.noted from longer n offset 0) b;
    exit when v_look = 6 or cardinality(v_longer) = cardinality(heartbeat.ids) or not exists (
      select from rhythm.live l join unnest(heartbeat.ids, heartbeat.tokens) o (id, token) on l.id = o.id
      where l.token = o.token and l.state = 'running' and l.id <> all (v_longer));
    perform pg_sleep(0.01);
  end loop;
  return query
  select o.id, case when l.id is null then 'lost'
      when exists (select from rhythm.cancels c where c.execution_id = o.id) then 'cancel' else 'ok' end,
    case when o.progress is not null then
      l.id is not null and (cardinality(v_longer) = cardinality(heartbeat.ids) or o.id = any (v_longer)) end
  from unnest(heartbeat.ids, heartbeat.tokens, heartbeat.progress) with ordinality o (id, token, progress, at)
  left join rhythm.live l on l.id = o.id and l.token = o.token and l.state = 'running'
  order by o.at;
end
$$;
comment on function rhythm.heartbeat(uuid[], bigint[], interval, jsonb[]) is
'Prolongs leases, and saves progress where it is given: views show it, and the next attempt gets it. Gives for each: ok, cancel (somebody wants it cancelled: stop when you can) or lost (another may have it, or it has been terminated: stop now). Waits for no open transaction: a task that one has just ended is ok until its commit, and its lease stays as it was. saved tells whether progress was saved; false for such a task: send it again with the next heartbeat. Example: select * from rhythm.heartbeat(''{0190a1b2-0000-7000-8000-000000000000}'', ''{42}'', progress => array[''{"page": 7}''::jsonb])';
