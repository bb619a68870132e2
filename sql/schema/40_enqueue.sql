-- Enqueue and start: one route for tasks and workflows, single and in batches, from callers. (Children of a workflow
-- come through _start_children in 72_child.sql.)
--
-- Idempotency ("allow duplicate failed only"): a row of `keys` refuses the duplicate. Under concurrency the unique
-- index decides; a session whose key another has inserted but not committed waits for it, which is inherent.
-- Locks: keys in the order (kind, name, task_id). Dying halfway leaves nothing; wake-ups go out at commit.

-- Returns a `retry` with plain numbers (durations in milliseconds), or raises. Null stays null: the default of the task
-- or of Rhythm.
create function rhythm._retry(p_retry jsonb) returns jsonb
language plpgsql immutable as $$
declare
  v_key text;
  v_value jsonb;
  v_result jsonb := '{}';
begin
  if p_retry is null or p_retry = 'null' then
    return null;
  end if;
  if jsonb_typeof(p_retry) <> 'object' then
    perform rhythm._raise('RH004', 'retry must be an object', 'Got: ' || left(p_retry::text, 200) || '.',
      'Give {"maxAttempts": 5, "initial": "1s", "backoff": "exponential", "max": "5m"}, or some of these keys.');
  end if;
  for v_key, v_value in select e.key, e.value from jsonb_each(p_retry) e loop
    if v_key in ('initial', 'max') and rhythm._duration(v_value) is not null then
      v_value := to_jsonb(extract(epoch from rhythm._duration(v_value)) * 1000);
    elsif v_key = 'maxAttempts' and jsonb_typeof(v_value) = 'number' and (v_value::numeric % 1) = 0
      and v_value::numeric between 1 and 1000000
    then
      v_value := to_jsonb(v_value::numeric::int); -- 5.0 too: its text is no integer to a cast.
    elsif v_key = 'backoff' and (v_value in ('"exponential"', '"linear"', '"constant"')
      or jsonb_typeof(v_value) = 'number' and v_value::numeric between 1 and 1000)
    then
      null;
    elsif v_key = 'jitter' and v_value in ('true', 'false') then
      v_value := case when v_value = 'true' then '0.5' else '0' end;
    elsif v_key = 'jitter' and jsonb_typeof(v_value) = 'number' and v_value::numeric between 0 and 1 then
      null;
    elsif v_key = 'delays' and jsonb_typeof(v_value) = 'array' and jsonb_array_length(v_value) between 1 and 100
      and not exists (select from jsonb_array_elements(v_value) d where rhythm._duration(d) is null)
    then
      v_value := (select jsonb_agg(extract(epoch from rhythm._duration(d)) * 1000 order by at)
        from jsonb_array_elements(v_value) with ordinality as x (d, at));
    elsif v_key = 'nonRetryable' and jsonb_typeof(v_value) = 'array' and jsonb_array_length(v_value) <= 100
      and not exists (select from jsonb_array_elements(v_value) e where jsonb_typeof(e) <> 'string')
    then
      null;
    else
      perform rhythm._raise('RH004', format('retry has a wrong or unknown entry "%s"', left(v_key, 50)),
        'Got: ' || left(v_value::text, 200) || '.',
        'Keys are maxAttempts (1 or more), initial and max (durations: seconds or "250ms", "1h30m"), backoff ("exponential", "linear", "constant" or a factor from 1 to 1000), delays (a list of durations), jitter (0 to 1), nonRetryable (a list of names or codes of errors).');
    end if;
    v_result := v_result || jsonb_build_object(v_key, v_value);
  end loop;
  return v_result;
end
$$;

-- Refuses what enqueue and start cannot take. No locks.
create function rhythm._check_enqueue(p_kind text, p_name text, p_inputs jsonb, p_queue text, p_task_id text,
  p_priority int, p_delay interval, p_run_at timestamptz, p_timeout interval, p_start_timeout interval,
  p_heartbeat_timeout interval, p_attempt_timeout interval, p_result text)
returns void
language plpgsql as $$
begin
  -- Conditions first: calling a function by PERFORM costs ten times as much as an IF.
  if p_name is null or p_name = '' or octet_length(p_name) > 255 then
    perform rhythm._check_name(p_kind || ' name', p_name);
  end if;
  if p_inputs is null or p_priority not between -32768 and 32767 or p_result not in ('keep', 'discard') then
    perform rhythm._check_given('inputs', p_inputs is not null), rhythm._check_priority(p_priority),
      rhythm._check_result(p_result);
  end if;
  if pg_column_size(p_inputs) > 67108864 then
    perform rhythm._check_size('inputs', p_inputs);
  end if;
  if p_queue = '' or octet_length(p_queue) > 255 then
    perform rhythm._check_name('queue', p_queue);
  end if;
  if p_task_id = '' or octet_length(p_task_id) > 1024 then
    perform rhythm._raise('RH002', format('task_id must have 1 to 1024 bytes, not %s', octet_length(p_task_id)), null,
      'Use a short key, such as an order number; hash what is long.');
  end if;
  if p_delay is not null and p_run_at is not null then
    perform rhythm._raise('RH002', 'delay and run_at exclude each other', null, 'Give one of them.');
  end if;
  if p_run_at not between timestamptz '1970-01-01 00:00 UTC' and clock_timestamp() + interval '100 years' then
    perform rhythm._raise('RH002', format('run_at must be from 1970 to 100 years on, not %s', p_run_at), null,
      'Give a point in time.');
  end if;
  if p_delay is not null or p_timeout is not null or p_start_timeout is not null or p_heartbeat_timeout is not null
    or p_attempt_timeout is not null
  then
    perform rhythm._check_duration('delay', p_delay), rhythm._check_duration('timeout', p_timeout),
      rhythm._check_duration('start_timeout', p_start_timeout),
      rhythm._check_attempt('heartbeat_timeout', p_heartbeat_timeout),
      rhythm._check_attempt('attempt_timeout', p_attempt_timeout);
  end if;
end
$$;

-- Returns the current definition of a workflow after checking the inputs against its input type, or raises. No locks.
create function rhythm._current_definition(p_workflow text, p_inputs jsonb) returns bigint
language plpgsql as $$
declare
  v_id bigint;
  v_typed bool;
  v_retired bool;
  v_wrong text;
begin
  select d.id, d.input_type is not null, exists (select from rhythm.retirements r where r.workflow = p_workflow)
  into v_id, v_typed, v_retired
  from rhythm.definitions d where d.name = p_workflow and d.undeployed_at is null order by d.version desc limit 1;
  if v_id is null then
    perform rhythm._raise('RH102', format('workflow "%s" is not deployed', p_workflow), (
      select 'Deployed: ' || string_agg(quote_ident(n.name), ', ' order by n.name) || '.'
      from (select distinct d.name from rhythm.definitions d where d.undeployed_at is null order by d.name limit 20) n),
      'Deploy it with rhythm.deploy(name, source), or correct the name.');
  elsif v_retired then
    perform rhythm._raise('RH345', format('workflow "%s" is retired', p_workflow), (
      select format('%s retired it at %s%s.', r.by, r.at, coalesce(': ' || r.reason, ''))
      from rhythm.retirements r where r.workflow = p_workflow),
      'Start the workflow that replaces it, or let it be started again: rhythm.unretire(workflow).');
  end if;
  if v_typed then
    select string_agg(format('%s: %s', e ->> 'path', e ->> 'message'), E'\n') into v_wrong
    from jsonb_array_elements(rhythm._check_inputs(v_id, p_inputs)) e;
    if v_wrong is not null then
      perform rhythm._raise('RH103', format('inputs do not fit workflow "%s"', p_workflow), v_wrong,
        'The workflow declares the type of its inputs at the head of its source.');
    end if;
  end if;
  return v_id;
end
$$;

-- Takes the keys of a batch for new ids; gives for each the id that holds the key now. An id other than the given one
-- is an execution that is alive, completed, or remembered. Locks: keys, by inserting them, and those that are free again by
-- deleting them, both in the order (kind, name, task_id), until the caller's commit; it waits for who is just taking or giving
-- back one of them. Dying halfway takes none.
create function rhythm._take_keys(p_kinds text[], p_names text[], p_task_ids text[], p_ids uuid[]) returns uuid[]
language plpgsql as $$
#variable_conflict use_column
declare
  v_held uuid[];
  v_lost bool;
begin
  loop
    insert into rhythm.keys (kind, name, task_id, id)
    select distinct on (n.kind, n.name, n.task_id) n.kind, n.name, n.task_id, n.id
    from unnest(p_kinds, p_names, p_task_ids, p_ids) with ordinality as n (kind, name, task_id, id, at)
    where n.task_id is not null
    order by n.kind, n.name, n.task_id, n.at
    on conflict do nothing;

    -- A key whose execution is neither alive nor in the archive was swept, or has expired: it is free. One with a time of its own
    -- is held until then. Locked in their order, as another batch may find the same ones.
    delete from rhythm.keys d where d.ctid = any (array(
      select k.ctid from unnest(p_kinds, p_names, p_task_ids) as n (kind, name, task_id)
      join rhythm.keys k on k.kind = n.kind and k.name = n.name and k.task_id = n.task_id
      where k.id <> all (p_ids) and not exists (select from rhythm.live l where l.id = k.id)
        and case when k.until is not null then k.until <= rhythm._now()
          else not exists (select from rhythm.archive a where a.id = k.id and a.expires_on > rhythm._today()) end
      order by n.kind, n.name, n.task_id for update of k));
    continue when found;

    select array_agg(case when n.task_id is null then n.id else k.id end order by n.at),
      bool_or(n.task_id is not null and k.id is null)
    into v_held, v_lost
    from unnest(p_kinds, p_names, p_task_ids, p_ids) with ordinality as n (kind, name, task_id, id, at)
    left join rhythm.keys k on k.kind = n.kind and k.name = n.name and k.task_id = n.task_id;
    -- A holder that failed between the two statements has given its key back: try again.
    exit when not v_lost;
  end loop;
  return v_held;
end
$$;

-- An execution that is to be made: what enqueue, start, enqueue_many and a workflow's effects have in common.
create type rhythm.new_execution as (
  id uuid,
  kind text,
  name text,
  inputs jsonb,
  queue text,
  task_id text,
  priority int,
  run_at timestamptz,
  retry jsonb,
  timeout interval,
  start_timeout interval,
  heartbeat_timeout interval,
  attempt_timeout interval,
  remember interval,
  discard bool,
  trace jsonb,
  definition_id bigint,
  root_id uuid,
  parent_id uuid,
  promise int,
  wake_group int
);
comment on type rhythm.new_execution is 'Argument of rhythm._create.';

-- Returns whether a task is plain: nothing is registered or configured that it would get. The look itself, which `sql/native`
-- spares whom it can.
create function rhythm._look_plain(p_name text, p_queue text) returns bool
language sql stable as $$
  select not exists (select from rhythm.queue_settings q where q.name = p_queue)
    and not exists (select from rhythm.served_tasks t where t.name = p_name
      and (t.queue is not null or t.discard is not null or t.schema_check is not null or t.priority is not null
        or t.remember is not null
        or coalesce(t.timeout, t.start_timeout, t.attempt_timeout, t.heartbeat_timeout) is not null))
$$;

create function rhythm._is_plain(name text, queue text) returns bool
language sql stable as $$
  select rhythm._look_plain(name, queue)
$$;

-- Returns the row with which an execution begins to live: the one definition of this change of state. What a call does not say
-- of a task comes from its registration, and else from its queue. A workflow gets what its queue says of the whole (priority,
-- timeout, remember, result), if the call names the queue: in `default` lie those that sleep for months, beside tasks of minutes.
-- What is about workers (retry, the other timeouts, limits) is not for workflows. Postgres puts the body in the place of the call, so
-- that it costs one enqueue as little as it can, and a batch is one statement. `p_defaults` false: there are none to look for.
-- `p_place` not null: the inputs of tasks are compared with their schemas, and messages name an item by it (0: there is but one).
create function rhythm._first_row(p_id uuid, p_kind text, p_name text, p_inputs jsonb, p_queue text, p_task_id text,
  p_priority int, p_run_at timestamptz, p_retry jsonb, p_timeout interval, p_start_timeout interval,
  p_heartbeat_timeout interval, p_attempt_timeout interval, p_remember interval, p_discard bool, p_trace jsonb,
  p_definition_id bigint, p_root_id uuid, p_parent_id uuid, p_promise int, p_wake_group int, p_now timestamptz,
  p_defaults bool, p_place int)
returns table (id uuid, root_id uuid, parent_id uuid, definition_id bigint, due_at timestamptz, run_at timestamptz,
  started_at timestamptz, start_by timestamptz, end_by timestamptz, state rhythm.state, priority int, promise int,
  wake_group int, kind text, name text, queue text, beat interval, attempt_timeout interval, timeout interval, remember interval,
  discard bool, concurrency_key text, rate_key text, created_at timestamptz, inputs jsonb, task_id text, retry jsonb, trace jsonb)
language sql stable as $$
  select p_id, coalesce(p_root_id, p_id), p_parent_id, p_definition_id,
    least(case when p_run_at > p_now then p_run_at end,
      greatest(p_now, p_run_at) + coalesce(p_start_timeout, t.start_timeout, case when p_kind = 'task' then q.start_timeout end),
      greatest(p_now, p_run_at) + coalesce(p_timeout, t.timeout, q.timeout)),
    p_run_at, case when p_kind = 'workflow' and (p_run_at > p_now) is not true then p_now end,
    greatest(p_now, p_run_at) + coalesce(p_start_timeout, t.start_timeout, case when p_kind = 'task' then q.start_timeout end),
    greatest(p_now, p_run_at) + coalesce(p_timeout, t.timeout, q.timeout),
    case when p_run_at > p_now then 'scheduled'::rhythm.state else 'pending' end,
    coalesce(p_priority, t.priority, q.priority, 0), p_promise, p_wake_group, p_kind, p_name, coalesce(p_queue, t.queue, 'default'),
    coalesce(p_heartbeat_timeout, t.heartbeat_timeout, case when p_kind = 'task' then q.heartbeat_timeout end),
    coalesce(p_attempt_timeout, t.attempt_timeout, case when p_kind = 'task' then q.attempt_timeout end),
    coalesce(p_timeout, t.timeout, q.timeout),
    coalesce(p_remember, t.remember, q.remember),
    nullif(coalesce(p_discard, t.discard, q.discard), false),
    case when p_kind = 'task' and coalesce(q.rate_key, q.concurrency_key) is not null
      then rhythm._limit_key(p_inputs, q.concurrency_key) end,
    case when p_kind = 'task' and coalesce(q.rate_key, q.concurrency_key) is not null then rhythm._limit_key(p_inputs, q.rate_key) end,
    p_now, p_inputs, p_task_id, p_retry, p_trace
  from (values (1)) one
  left join rhythm.served_tasks t on t.name = p_name and p_kind = 'task' and p_defaults
  left join rhythm.queue_settings q on q.name = coalesce(p_queue, t.queue, case when p_kind = 'task' then 'default' end)
    and p_defaults
  where t.schema_check is null or p_place is null
    or rhythm._check_task_inputs(p_name, t.input_schema, t.schema_check, p_inputs, p_place)
$$;

-- Makes executions, in the order given. Wakes at commit who waits for the work: workers for what is pending, the background
-- worker for what is later. The caller steps workflows. `p_places`: those of the items in their batch, see `_first_row`; empty: in
-- order. Locks: none but the rows that it makes. Dying halfway makes none.
create function rhythm._create(p_items rhythm.new_execution[], p_now timestamptz, p_places int[] default null)
returns void
language plpgsql as $$
#variable_conflict use_column
declare
  -- Whether something is registered or configured that one of them would get: a look for each row would cost a third of all. A workflow
  -- has the defaults of a queue that it names.
  v_defaults bool;
  v_special bool;
  v_first text;
  v_last text;
  v_places int[] := p_places;
  v_due timestamptz;
begin
  select bool_or((i.kind = 'task' or i.queue is not null) and not rhythm._is_plain(i.name, coalesce(i.queue, 'default'))),
    bool_or(i.kind <> 'task' or num_nonnulls(i.run_at, i.timeout, i.start_timeout, i.heartbeat_timeout, i.attempt_timeout, i.remember,
      i.discard) > 0),
    min(coalesce(i.queue, 'default') collate "C"), max(coalesce(i.queue, 'default') collate "C")
  into v_defaults, v_special, v_first, v_last
  from unnest(p_items) i;
  if v_first is null then
    return;
  elsif not v_defaults and not v_special then
    -- What enqueue inserts for a plain task; a workflow's has a parent besides.
    insert into rhythm.live (id, root_id, parent_id, promise, wake_group, state, priority, kind, name, queue, created_at, inputs,
      task_id, retry, trace)
    select i.id, coalesce(i.root_id, i.id), i.parent_id, i.promise, i.wake_group, 'pending', coalesce(i.priority, 0), 'task',
      i.name, coalesce(i.queue, 'default'), p_now, i.inputs, i.task_id, i.retry, i.trace
    from unnest(p_items) i;
    if v_first = v_last then
      perform rhythm._wake_queue(v_first, cardinality(p_items));
    else
      perform rhythm._wake_queue(coalesce(i.queue, 'default'), 1) from unnest(p_items) i;
    end if;
    return;
  end if;
  if v_places = '{}' then
    v_places := array(select generate_series(1, cardinality(p_items)));
  end if;
  with hot as (
    insert into rhythm.live (id, root_id, parent_id, definition_id, due_at, run_at, started_at, start_by, end_by, state,
      priority, promise, wake_group, kind, name, queue, beat, attempt_timeout, timeout, remember, discard, concurrency_key, rate_key,
      created_at, inputs, task_id, retry, trace)
    select r.* from rows from (unnest(p_items), unnest(v_places)) as i (id, kind, name, inputs, queue, task_id, priority, run_at,
      retry, timeout, start_timeout, heartbeat_timeout, attempt_timeout, remember, discard, trace, definition_id, root_id,
      parent_id, promise, wake_group, place), rhythm._first_row(i.id, i.kind, i.name, i.inputs, i.queue, i.task_id, i.priority,
      i.run_at, i.retry, i.timeout, i.start_timeout, i.heartbeat_timeout, i.attempt_timeout, i.remember, i.discard, i.trace,
      i.definition_id, i.root_id, i.parent_id, i.promise, i.wake_group, p_now, v_defaults, i.place) r
    returning due_at, case when state = 'pending' and kind = 'task' then rhythm._wake_queue(queue, 1) end as noted
  )
  select min(h.due_at) into v_due from hot h;
  if v_due is not null then
    perform rhythm._wake_due(v_due);
  end if;
end
$$;

-- Says so when a duplicate asks for something else than the execution that holds its task_id was given. No locks.
create function rhythm._note_other_inputs(p_held uuid, p_task_id text, p_inputs jsonb) returns void
language plpgsql as $$
declare
  v_inputs jsonb := coalesce((select l.inputs from rhythm.live l where l.id = p_held),
    (select a.inputs from rhythm.archive a where a.id = p_held));
begin
  if v_inputs <> p_inputs then
    -- A warning by its code, which clients show. Its level is lower, or each such call would be in the server's log.
    raise notice using errcode = '01000',
      message = format('task_id %L is held by execution %s, which has other inputs', left(p_task_id, 100), p_held),
      hint = 'That one is returned, and nothing was started. Use another task_id for other work.';
  end if;
end
$$;

-- Enqueues one task of which something is said, registered or configured; see enqueue. Locks and halfway: as enqueue.
create function rhythm._enqueue(p_id uuid, p_now timestamptz, p_name text, p_inputs jsonb, p_queue text, p_task_id text,
  p_priority int, p_delay interval, p_run_at timestamptz, p_retry jsonb, p_timeout interval, p_start_timeout interval,
  p_heartbeat_timeout interval, p_trace jsonb, p_attempt_timeout interval, p_remember text, p_result text)
returns uuid
language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
declare
  v_held uuid;
  v_run_at timestamptz;
  v_retry jsonb;
  v_remember interval;
  v_ready text;
  v_due timestamptz;
begin
  perform rhythm._check_enqueue('task', p_name, p_inputs, p_queue, p_task_id, p_priority, p_delay, p_run_at, p_timeout,
    p_start_timeout, p_heartbeat_timeout, p_attempt_timeout, p_result);
  if p_task_id is not null then
    v_held := (rhythm._take_keys(array['task'], array[p_name], array[p_task_id], array[p_id]))[1];
    if v_held <> p_id then
      perform rhythm._note_other_inputs(v_held, p_task_id, p_inputs);
      return v_held;
    end if;
  end if;
  v_run_at := coalesce(p_run_at, p_now + p_delay);
  v_retry := case when p_retry is not null then rhythm._retry(p_retry) end;
  v_remember := case when p_remember is not null then rhythm._keep_time('remember', p_remember) end;
  insert into rhythm.live (id, root_id, parent_id, definition_id, due_at, run_at, started_at, start_by, end_by, state,
    priority, promise, wake_group, kind, name, queue, beat, attempt_timeout, timeout, remember, discard, concurrency_key, rate_key,
    created_at, inputs, task_id, retry, trace)
  select r.* from rhythm._first_row(p_id, 'task', p_name, p_inputs, p_queue, p_task_id, p_priority, v_run_at, v_retry,
    p_timeout, p_start_timeout, p_heartbeat_timeout, p_attempt_timeout, v_remember, p_result = 'discard', p_trace,
    null, null, null, null, null, p_now, true, 0) r
  returning case when state = 'pending' then queue end, due_at into v_ready, v_due;
  if v_ready is not null then
    perform rhythm._wake_queue(v_ready, 1);
  end if;
  if v_due is not null then
    perform rhythm._wake_due(v_due);
  end if;
  return p_id;
end
$$;

-- Enqueues one task. Locks: its key, if it has a task_id, and so waits for another transaction that is just taking the same
-- one; inserts otherwise. Dying halfway leaves nothing.
create function rhythm.enqueue(name text, inputs jsonb default '{}', queue text default null, task_id text default null,
  priority int default null, delay interval default null, run_at timestamptz default null, retry jsonb default null,
  timeout interval default null, start_timeout interval default null, heartbeat_timeout interval default null,
  trace jsonb default null, attempt_timeout interval default null, remember text default null, result text default null)
returns uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_id uuid := rhythm._new_id();
begin
  if pg_column_size(enqueue.trace) > 65536 then
    perform rhythm._check_trace(enqueue.trace);
  end if;
  -- The most usual call says no more than a name, inputs and perhaps a queue. This is the row that _first_row would give, for
  -- less than half of the work.
  if num_nonnulls(enqueue.task_id, enqueue.priority, enqueue.delay, enqueue.run_at, enqueue.retry, enqueue.timeout,
      enqueue.start_timeout, enqueue.heartbeat_timeout, enqueue.attempt_timeout, enqueue.remember, enqueue.result) = 0
    and pg_column_size(enqueue.inputs) <= 67108864 and rhythm._is_plain(enqueue.name, coalesce(enqueue.queue, 'default'))
  then
    insert into rhythm.live (id, root_id, state, priority, kind, name, queue, created_at, inputs, trace)
    values (v_id, v_id, 'pending', 0, 'task', enqueue.name, coalesce(enqueue.queue, 'default'), v_now, enqueue.inputs,
      enqueue.trace);
    perform rhythm._wake_queue(coalesce(enqueue.queue, 'default'), 1);
    return v_id;
  end if;
  return rhythm._enqueue(v_id, v_now, enqueue.name, enqueue.inputs, enqueue.queue, enqueue.task_id, enqueue.priority,
    enqueue.delay, enqueue.run_at, enqueue.retry, enqueue.timeout, enqueue.start_timeout, enqueue.heartbeat_timeout,
    enqueue.trace, enqueue.attempt_timeout, enqueue.remember, enqueue.result);
end
$$;
comment on function rhythm.enqueue(text, jsonb, text, text, int, interval, timestamptz, jsonb, interval, interval, interval, jsonb, interval, text, text) is
'Enqueues a task and gives its id. With a task_id that is taken by an execution which is alive, completed or remembered, gives that one''s id and starts nothing. Timeouts: start_timeout (until a worker takes it), attempt_timeout (each attempt), timeout (all together), heartbeat_timeout. remember: how long a completed one keeps its task_id; result => ''discard'' stores none. Example: select rhythm.enqueue(''send-mail'', ''{"to": "a@b.c"}'', task_id => ''order-17'', delay => ''5 minutes'')';

-- Starts a workflow. Locks: the key as in enqueue; then its own new row, which is the root of its tree, for the first step.
-- Dying halfway leaves nothing, nor anything of what the step did.
create function rhythm.start(workflow text, inputs jsonb default '{}', task_id text default null,
  queue text default null, priority int default null, delay interval default null, run_at timestamptz default null,
  timeout interval default null, trace jsonb default null, remember text default null, result text default null,
  retry jsonb default null)
returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_id uuid := rhythm._new_id();
  v_held uuid;
  v_definition bigint;
  v_run_at timestamptz;
  v_retry jsonb;
begin
  perform rhythm._check_enqueue('workflow', start.workflow, start.inputs, start.queue, start.task_id, start.priority,
    start.delay, start.run_at, start.timeout, null, null, null, start.result), rhythm._check_trace(start.trace);
  v_run_at := coalesce(start.run_at, v_now + start.delay);
  v_retry := case when start.retry is not null then rhythm._retry(start.retry) end;
  v_definition := rhythm._current_definition(start.workflow, start.inputs);
  if start.task_id is not null then
    v_held := (rhythm._take_keys(array['workflow'], array[start.workflow], array[start.task_id], array[v_id]))[1];
    if v_held <> v_id then
      perform rhythm._note_other_inputs(v_held, start.task_id, start.inputs);
      return v_held;
    end if;
  end if;
  perform rhythm._create(array[row(v_id, 'workflow', start.workflow, start.inputs, start.queue, start.task_id,
    start.priority, v_run_at, v_retry, start.timeout, null, null, null, rhythm._keep_time('remember', start.remember),
    start.result = 'discard', start.trace, v_definition, null, null, null, null)::rhythm.new_execution], v_now);
  if v_run_at is null or v_run_at <= v_now then
    perform rhythm._advance(array[v_id], array[null::int]);
  end if;
  return v_id;
end
$$;
comment on function rhythm.start(text, jsonb, text, text, int, interval, timestamptz, interval, jsonb, text, text, jsonb) is
'Starts a workflow and runs its first step at once, in this transaction; gives its id. task_id as in enqueue. It has one attempt, unless retry says otherwise: then a run that fails begins again from its start, as a task would. timeout: for all attempts together. Example: select rhythm.start(''order'', ''{"customer": "c1"}'', task_id => ''order-17'', retry => ''{"maxAttempts": 3}'')';

-- Returns the items of enqueue_many as executions to make, in their order; raises for the first that is wrong. No locks.
create function rhythm._read_items(p_items jsonb, p_now timestamptz) returns rhythm.new_execution[]
language plpgsql as $$
#variable_conflict use_column
declare
  v_items rhythm.new_execution[];
  v_keys text[] := array['name', 'kind', 'inputs', 'queue', 'task_id', 'priority', 'delay', 'run_at', 'retry', 'timeout',
    'start_timeout', 'heartbeat_timeout', 'attempt_timeout', 'remember', 'result', 'trace'];
  v_at bigint;
  v_item jsonb;
begin
  if jsonb_typeof(p_items) is distinct from 'array' then
    perform rhythm._raise('RH003', 'items must be a JSON array',
      'Got: ' || coalesce(left(p_items::text, 200), 'null') || '.',
      'Give [{"name": "send-mail", "inputs": {}}, ...]; the keys are the parameters of enqueue.');
  end if;
  v_at := rhythm._stray_key(p_items, v_keys);
  if v_at is not null then
    v_item := p_items -> (v_at::int - 1);
    perform rhythm._raise('RH003', case jsonb_typeof(v_item)
        when 'object' then format('item %s has an unknown key "%s"', v_at - 1,
          (select left(min(k), 50) from jsonb_object_keys(v_item - v_keys) k))
        else format('item %s is not an object', v_at - 1) end, null,
      'The keys of an item are the parameters of enqueue, and kind ("task" or "workflow").');
  end if;
  begin
    select array_agg(row(rhythm._new_id(), coalesce(i.kind, 'task'), i.name,
        coalesce(i.inputs, '{}'), i.queue, i.task_id, i.priority, coalesce(i.run_at, p_now + i.delay),
        case when i.retry is not null then rhythm._retry(i.retry) end, i.timeout, i.start_timeout, i.heartbeat_timeout,
        i.attempt_timeout, case when i.remember is not null then rhythm._keep_time('remember', i.remember) end,
        i.result = 'discard', i.trace,
        case i.kind when 'workflow' then rhythm._current_definition(i.name, coalesce(i.inputs, '{}')) end,
        null, null, null, null)::rhythm.new_execution order by i.at)
      -- What is plain needs no closer look.
      , min(case when i.name is null or i.name = '' or octet_length(i.name) > 255 or i.queue = '' or octet_length(i.queue) > 255
          or i.task_id = '' or octet_length(i.task_id) > 1024 or i.kind not in ('task', 'workflow') or i.delay is not null
          or i.run_at is not null or i.timeout is not null or i.start_timeout is not null or i.heartbeat_timeout is not null
          or i.attempt_timeout is not null or i.priority is not null or i.result is not null
          or pg_column_size(i.trace) > 65536 or pg_column_size(i.inputs) > 67108864
          -- Names that come from an object or an array.
          or i.name like '[%' or i.name like '{%' or i.queue like '[%' or i.queue like '{%' or i.task_id like '[%' or i.task_id like '{%'
        then rhythm._check_item(i.at, p_items -> (i.at::int - 1), i.kind, i.name, i.inputs, i.queue, i.task_id, i.priority, i.delay,
          i.run_at, i.timeout, i.start_timeout, i.heartbeat_timeout, i.attempt_timeout, i.result, i.trace) end)
    into v_items, v_at
    from rows from (jsonb_to_recordset(p_items) as (name text, kind text, inputs jsonb, queue text, task_id text,
      priority int, delay interval, run_at timestamptz, retry jsonb, timeout interval, start_timeout interval,
      heartbeat_timeout interval, attempt_timeout interval, remember text, result text, trace jsonb))
      with ordinality as i (name, kind, inputs, queue, task_id, priority, delay, run_at, retry, timeout, start_timeout,
      heartbeat_timeout, attempt_timeout, remember, result, trace, at);
  exception when data_exception then
    perform rhythm._raise('RH003', 'an item has a value of the wrong type', sqlerrm || '.',
      'Intervals and times are strings as Postgres reads them, priority is an integer.');
  end;
  return coalesce(v_items, '{}');
end
$$;

-- Refuses a wrong item of enqueue_many. No locks.
create function rhythm._check_item(p_at bigint, p_item jsonb, p_kind text, p_name text, p_inputs jsonb, p_queue text, p_task_id text,
  p_priority int, p_delay interval, p_run_at timestamptz, p_timeout interval, p_start_timeout interval,
  p_heartbeat_timeout interval, p_attempt_timeout interval, p_result text, p_trace jsonb)
returns bigint
language plpgsql as $$
declare
  v_key text := (select k from unnest(array['name', 'queue', 'task_id']) k
    where jsonb_typeof(p_item -> k) in ('object', 'array') limit 1);
begin
  if v_key is not null then
    perform rhythm._raise('RH003', format('%s of item %s is not a string', v_key, p_at - 1), null,
      'The keys of an item are the parameters of enqueue, and kind ("task" or "workflow").');
  end if;
  if p_kind not in ('task', 'workflow') then
    perform rhythm._raise('RH003', format('item %s has an unknown kind "%s"', p_at - 1, left(p_kind, 50)), null,
      'The kind is "task" or "workflow".');
  end if;
  if p_kind = 'workflow' and coalesce(p_start_timeout, p_attempt_timeout, p_heartbeat_timeout) is not null then
    perform rhythm._raise('RH002', format('item %s is a workflow; start_timeout, attempt_timeout and heartbeat_timeout are for tasks',
      p_at - 1), null, 'Leave them out for a workflow; timeout and retry are for both.');
  end if;
  perform rhythm._check_enqueue(coalesce(p_kind, 'task'), p_name, coalesce(p_inputs, '{}'), p_queue, p_task_id, p_priority, p_delay,
    p_run_at, p_timeout, p_start_timeout, p_heartbeat_timeout, p_attempt_timeout, p_result), rhythm._check_trace(p_trace);
  return p_at;
end
$$;

-- Enqueues and starts many. Locks: the keys of all in their order, so two batches cannot deadlock over them; then as start.
-- All of them or none.
create function rhythm.enqueue_many(items jsonb) returns table (id uuid, created bool)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_items rhythm.new_execution[] := rhythm._read_items(enqueue_many.items, v_now);
  v_ids uuid[];
  v_held uuid[];
  v_all rhythm.new_execution[];
  v_places int[];
  v_workflows uuid[];
  v_keyed bool;
begin
  select array_agg(i.id), array_agg(i.id) filter (where i.kind = 'workflow' and coalesce(i.run_at <= v_now, true)),
    bool_or(i.task_id is not null)
  into v_ids, v_workflows, v_keyed
  from unnest(v_items) i;
  if v_keyed then
    v_held := (select rhythm._take_keys(array_agg(i.kind), array_agg(i.name), array_agg(i.task_id), v_ids)
      from unnest(v_items) i);
    v_all := v_items;
    select array_agg(n.i), array_agg(n.at) into v_items, v_places
    from (select i, row_number() over ()::int as at from unnest(v_items) i) n where (n.i).id = v_held[n.at];
    v_workflows := (select array_agg(w) from unnest(v_workflows) w where w = any (v_held));
  end if;
  perform rhythm._create(v_items, v_now, coalesce(v_places, '{}'));
  if v_keyed then
    -- Now that those exist which other items of this batch hold.
    perform rhythm._note_other_inputs(h.held, h.task_id, h.inputs)
    from rows from (unnest(v_held), unnest(v_all)) as h (held, id, kind, name, inputs, queue, task_id, priority, run_at,
      retry, timeout, start_timeout, heartbeat_timeout, attempt_timeout, remember, discard, trace, definition_id, root_id,
      parent_id, promise, wake_group)
    where h.held <> h.id;
  end if;
  if v_workflows is not null then
    perform rhythm._advance(v_workflows, array_fill(null::int, array[cardinality(v_workflows)]));
  end if;
  if v_keyed then
    return query select h.id, h.id = h.own from unnest(v_held, v_ids) with ordinality as h (id, own, at) order by h.at;
  else
    return query select i.id, true from unnest(v_ids) i (id);
  end if;
end
$$;
comment on function rhythm.enqueue_many(jsonb) is
'Enqueues many tasks (and starts workflows, with "kind": "workflow") at once; gives ids in the order of the items, and whether each is new. Example: select * from rhythm.enqueue_many(''[{"name": "send-mail", "inputs": {"to": "a@b.c"}}, {"name": "send-mail", "task_id": "k1"}]'')';
