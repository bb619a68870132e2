-- Signals: stored until a step that holds the tree matches them with waits, in the order of arrival. So a signal and a
-- wait cannot miss each other, and a signal is never consumed twice.
--
-- Locks: sending inserts, and tries the root with SKIP LOCKED; a wait's row is taken with SKIP LOCKED by the match and
-- by the timeout, whichever comes first. Of two who send one key to one run, the second waits for the first's transaction: that
-- decides whether the key was sent.

create table rhythm.signals (
  execution_id uuid not null,
  seq bigint generated always as identity,
  name text not null,
  key text,
  -- The request of which it is the question (74_request.sql).
  request uuid,
  payload jsonb not null,
  -- What signal_with_start starts a run with, if this one completes without having taken the signal.
  start jsonb,
  at timestamptz not null,
  primary key (execution_id, name, seq)
);
comment on table rhythm.signals is 'Signals that no wait has consumed yet.';
create index signals_key on rhythm.signals (execution_id, name, key) where key is not null;

create table rhythm.signal_keys (
  execution_id uuid not null,
  seq bigint generated always as identity,
  name text not null,
  key text not null,
  primary key (execution_id, name, key)
);
comment on table rhythm.signal_keys is 'Keys of signals that a run has been sent: the last 10 000 at least, until it is swept.';
create index signal_keys_seq on rhythm.signal_keys (execution_id, seq);

create table rhythm.signal_waits (
  execution_id uuid not null,
  promise int not null,
  name text not null,
  -- Only the signal with this key; null: any.
  key text,
  -- Whether the promise becomes a request (Signal.request), and not the payload.
  is_request bool not null default false,
  due_at timestamptz,
  primary key (execution_id, promise)
);
comment on table rhythm.signal_waits is 'Signal.next and Signal.request calls that wait.';
create index signal_waits_due on rhythm.signal_waits (due_at) where due_at is not null;

-- Keeps what a step waits for: [{promise, name, key, request, due_ms}]. No locks: waits are inserts. Dying halfway undoes the
-- step.
create function rhythm._await_signals(p_id uuid, p_waits jsonb) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_due timestamptz;
begin
  with w as (
    insert into rhythm.signal_waits (execution_id, promise, name, key, is_request, due_at)
    select p_id, (e ->> 'promise')::int, e ->> 'name', e ->> 'key', coalesce((e ->> 'request')::bool, false),
      -- Null stays null: `least` alone would pass over it.
      case when e ->> 'due_ms' is not null then to_timestamp(least((e ->> 'due_ms')::float8, 9e12) / 1000) end
    from jsonb_array_elements(p_waits) e
    returning due_at
  )
  select min(w.due_at) into v_due from w;
  if v_due is not null then
    perform rhythm._wake_due(v_due);
  end if;
end
$$;

-- Makes events of stored signals and the waits for them: first for those who wait for a key, then in the order of arrival. The
-- caller has the tree locked. Looks at as many signals as there are waits, however many are stored.
create function rhythm._match_signals(p_id uuid) returns void
language plpgsql as $$
#variable_conflict use_column
begin
  with w as materialized (
    select w.promise, w.name, w.key, w.is_request from rhythm.signal_waits w where w.execution_id = p_id
    order by w.promise for update skip locked
  ), keyed as materialized (
    select distinct on (s.seq) w.promise, w.is_request, s.seq, s.name
    from w join rhythm.signals s on s.execution_id = p_id and s.name = w.name and s.key = w.key
    where w.key is not null
    order by s.seq, w.promise
  ), pairs as materialized (
    select k.promise, k.is_request, k.seq, k.name from keyed k
    union all
    select w.promises[s.n], w.are_requests[s.n], s.seq, w.name
    from (
      select w.name, array_agg(w.promise order by w.promise) as promises,
        array_agg(w.is_request order by w.promise) as are_requests
      from w where w.key is null group by w.name) w
    cross join lateral (
      select s.seq, row_number() over (order by s.seq) as n
      from (
        select s.seq from rhythm.signals s
        where s.execution_id = p_id and s.name = w.name and s.seq <> all (array(select k.seq from keyed k))
          -- Not those whose callers have given up.
          and (s.request is null
            or exists (select from rhythm.requests q where q.id = s.request and q.until > rhythm._now()))
        order by s.seq limit cardinality(w.promises)) s) s
  ), used as (
    delete from rhythm.signals s using pairs p where s.execution_id = p_id and s.name = p.name and s.seq = p.seq
    returning p.promise, s.name, s.payload, s.request, s.seq, case when p.is_request
      then jsonb_build_object('payload', s.payload, 'id', s.request) else s.payload end as value
  ), met as (
    delete from rhythm.signal_waits w using pairs p where w.execution_id = p_id and w.promise = p.promise
  ), noted as (
    insert into rhythm.history (execution_id, at, event, name, data)
    select p_id, rhythm._now(), 'signal_received', u.name, u.payload from used u order by u.seq
  ), taken as (
    update rhythm.requests r set is_taken = true from used u where r.id = u.request
  )
  insert into rhythm.events (execution_id, promise, ok, value)
  select p_id, u.promise, true, u.value from used u order by u.seq;
end
$$;

-- Ends waits whose timeout has come; gives their number. `p_only`: those of this workflow. Locks: them, skipping those that others hold,
-- then free roots. Dying halfway leaves them due.
create function rhythm._time_out_signals(p_max int, p_only uuid default null) returns int
language plpgsql as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_count int;
begin
  with due as materialized (
    select * from (select w.execution_id, w.promise from rhythm.signal_waits w where p_only is null and w.due_at <= rhythm._now()
      order by w.due_at limit p_max for update skip locked) d
    union all
    select * from (select w.execution_id, w.promise from rhythm.signal_waits w where w.execution_id = p_only and w.due_at <= rhythm._now()
      order by w.due_at limit p_max for update skip locked) d
  ), gone as (
    delete from rhythm.signal_waits w using due d where w.execution_id = d.execution_id and w.promise = d.promise
    returning w.execution_id, w.promise, w.name
  ), told as (
    insert into rhythm.events (execution_id, promise, ok, error)
    select g.execution_id, g.promise, false, jsonb_build_object('name', 'TimeoutError',
      'message', format('no signal %s came in time', quote_literal(g.name)))
    from gone g
  ), noted as (
    insert into rhythm.history (execution_id, at, event, name)
    select g.execution_id, rhythm._now(), 'signal_timed_out', g.name from gone g
  )
  select array_agg(distinct g.execution_id), count(*) into v_ids, v_count from gone g;
  if v_ids is not null then
    perform rhythm._advance(v_ids, array_fill(null::int, array[cardinality(v_ids)]));
  end if;
  return v_count;
end
$$;

-- Stores a signal of a run that lives. False: its key was sent before. The caller has checked name, payload and key. Locks: the
-- key, if there is one, as the head of this file says. Dying halfway leaves no signal.
create function rhythm._put_signal(p_id uuid, p_name text, p_payload jsonb, p_key text, p_request uuid, p_start jsonb)
returns bool
language plpgsql as $$
#variable_conflict use_column
declare
  v_seq bigint;
begin
  if p_key is not null then
    insert into rhythm.signal_keys (execution_id, name, key) values (p_id, p_name, p_key)
    on conflict do nothing returning seq into v_seq;
    if v_seq is null then
      return false;
    end if;
    -- The oldest are forgotten, some at once.
    if v_seq % 100 = 0 then
      delete from rhythm.signal_keys k where k.ctid = any (array(
        select o.ctid from rhythm.signal_keys o
        where o.execution_id = p_id and o.seq < (
          select n.seq from rhythm.signal_keys n where n.execution_id = p_id order by n.seq desc offset 9999 limit 1)
        for update skip locked));
    end if;
  end if;
  -- Counted at one signal in a hundred, since it takes as long as there are signals. So this is a brake for senders that stop at an
  -- error; who sends on in spite of it gets most of his signals in.
  if random() < 0.01 and rhythm._has_most_signals(p_id) then
    perform rhythm._raise('RH902', format('workflow %s has %s signals or more that it has not taken', p_id, rhythm._most_signals()), null,
      'Let it take them with Signal.next, or put them into a table and send one signal for many.');
  end if;
  insert into rhythm.signals (execution_id, name, key, request, payload, start, at)
  values (p_id, p_name, p_key, p_request, coalesce(p_payload, 'null'), p_start, rhythm._now());
  return true;
end
$$;

-- Returns the id of the run that is meant, by its id or by what holds a task_id; raises if that is not clear. No locks.
create function rhythm._run_meant(p_id uuid, p_workflow text, p_task_id text) returns uuid
language plpgsql as $$
declare
  v_id uuid := p_id;
begin
  if p_id is not null then
    if p_workflow is not null or p_task_id is not null then
      perform rhythm._raise('RH002', 'id excludes workflow and task_id', null, 'Give the id, or both of the others.');
    end if;
    return p_id;
  end if;
  if p_workflow is null and p_task_id is null then
    perform rhythm._check_given('id', false);
  end if;
  perform rhythm._check_name('workflow name', p_workflow), rhythm._check_given('task_id', p_task_id is not null);
  v_id := (select k.id from rhythm.keys k where k.kind = 'workflow' and k.name = p_workflow and k.task_id = p_task_id);
  if v_id is null then
    perform rhythm._raise('RH301', format('no run of workflow %L holds the task_id %L', left(p_workflow, 100),
      left(p_task_id, 100)), null, 'Start one, or use signal_with_start. What has failed holds its task_id no more.');
  end if;
  return v_id;
end
$$;

-- Returns whether a workflow lives that can be sent signals; raises for what is none or is unknown. No locks.
create function rhythm._takes_signals(p_id uuid) returns bool
language plpgsql as $$
declare
  v_kind text := (select l.kind from rhythm.live l where l.id = p_id);
begin
  if v_kind is null then
    perform rhythm._check_known(p_id);
    return false;
  elsif v_kind = 'task' then
    perform rhythm._raise('RH303', format('execution %s is a task, and only workflows take signals', p_id), null,
      'Signal the workflow that started the task.');
  end if;
  return true;
end
$$;

-- Refuses what no signal can have. No locks.
create function rhythm._check_signal(p_name text, p_payload jsonb, p_key text) returns void
language plpgsql as $$
begin
  perform rhythm._check_name('signal name', p_name), rhythm._check_size('payload', p_payload);
  if p_key = '' or octet_length(p_key) > 1024 then
    perform rhythm._raise('RH002', format('key must have 1 to 1024 bytes, not %s', octet_length(p_key)), null,
      'Use a short key, such as the id of the message; hash what is long.');
  end if;
end
$$;

-- Sends a signal. Locks: the key, if there is one, and so waits for another transaction that is just sending the same one; the
-- root of the tree, if nobody holds it. Dying halfway leaves no signal.
create function rhythm.signal(id uuid default null, name text default null, payload jsonb default 'null', key text default null,
  workflow text default null, task_id text default null) returns bool
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  v_id uuid := signal.id;
begin
  if v_id is null or signal.workflow is not null or signal.task_id is not null then
    v_id := rhythm._run_meant(signal.id, signal.workflow, signal.task_id);
  end if;
  perform rhythm._check_signal(signal.name, signal.payload, signal.key);
  if not rhythm._takes_signals(v_id) then
    return false;
  end if;
  if rhythm._put_signal(v_id, signal.name, signal.payload, signal.key, null, null) then
    perform rhythm._advance(array[v_id], array[null::int]);
  end if;
  return true;
end
$$;
comment on function rhythm.signal(uuid, text, jsonb, text, text, text) is
'Sends a signal to a workflow, by its id or by workflow and task_id: Signal.next(name) gets them in order of arrival, also those that came before it waited. With 10000 that no Signal.next has taken, about one signal in a hundred is refused: let the sender stop then. With a key, a signal of that name and key is delivered to a run once, however often it is sent. False: the workflow has ended. Example: select rhythm.signal(''0190a1b2-0000-7000-8000-000000000000'', ''approved'', ''{"by": "ann"}'', key => ''message-7'')';

-- Delivers a signal to the live run under a task_id, or starts one: p_start is what signal_with_start was given. `p_again`:
-- whether the signal may start yet another run, if this one completes without having taken it. Locks: the key of the task_id,
-- waiting for who is just taking or giving it back; then as signal or as start. Dying halfway leaves neither run nor signal.
create function rhythm._deliver_or_start(p_start jsonb, p_name text, p_payload jsonb, p_again bool,
  out id uuid, out started bool, out delivered bool)
language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_id uuid := rhythm._new_id();
  v_workflow text := p_start ->> 'workflow';
  v_task_id text := p_start ->> 'task_id';
  v_key text := p_start ->> 'key';
begin
  started := false;
  delivered := false;
  loop
    id := (rhythm._take_keys(array['workflow'], array[v_workflow], array[v_task_id], array[v_id]))[1];
    exit when id = v_id;
    if exists (select from rhythm.live l where l.id = _deliver_or_start.id) then
      delivered := rhythm._put_signal(id, p_name, p_payload, v_key, null, case when p_again then p_start end);
      if delivered then
        perform rhythm._advance(array[id], array[null::int]);
        -- It ended before this was there.
        if not exists (select from rhythm.live l where l.id = _deliver_or_start.id) then
          perform rhythm._mark_left_signals(id);
        end if;
      end if;
      return;
    end if;
    -- It has completed. One who repeats his call must not start the next one.
    if v_key is not null and exists (
      select from rhythm.signal_keys k where k.execution_id = _deliver_or_start.id and k.name = p_name and k.key = v_key)
    then
      return;
    end if;
    update rhythm.keys k set id = v_id, until = null
    where k.kind = 'workflow' and k.name = v_workflow and k.task_id = v_task_id and k.id = _deliver_or_start.id
      and not exists (select from rhythm.live l where l.id = k.id);
    exit when found;
  end loop;
  id := v_id;
  started := true;
  perform rhythm._create(array[row(v_id, 'workflow', v_workflow, p_start -> 'inputs', p_start ->> 'queue', v_task_id,
    (p_start ->> 'priority')::int, null, rhythm._retry(p_start -> 'retry'), (p_start ->> 'timeout')::interval, null, null, null,
    rhythm._keep_time('remember', p_start ->> 'remember'), p_start ->> 'result' = 'discard', nullif(p_start -> 'trace', 'null'),
    rhythm._current_definition(v_workflow, p_start -> 'inputs'), null, null, null, null)::rhythm.new_execution], v_now);
  delivered := rhythm._put_signal(v_id, p_name, p_payload, v_key, null, null);
  perform rhythm._advance(array[v_id], array[null::int]);
end
$$;

-- Marks a run that has ended, if it has left signals that may start the next one. No locks: a mark is an insert.
create function rhythm._mark_left_signals(p_id uuid) returns void
language plpgsql as $$
begin
  if exists (select from rhythm.signals s where s.execution_id = p_id and s.start is not null) then
    insert into rhythm.runnable (root_id, execution_id) values (p_id, p_id);
    perform rhythm._wake_steps(false);
  end if;
end
$$;

-- Gives signals of signal_with_start that a run has not taken before it completed to the next one; what failed keeps them for its
-- retry, what was cancelled or timed out loses them. A task_id that somebody is just taking is waited for 50 ms, then left for the
-- next round. At most 32 in one call (each is a subtransaction); gives how many it has looked at. Locks: the signals with SKIP
-- LOCKED, then keys for 50 ms at most: what is not got in time is for the next round, and so is all of it after dying halfway.
create function rhythm._pass_on_signals() returns int
language plpgsql as $$
#variable_conflict use_column
declare
  v_one record;
  v_state text;
  v_count int := 0;
  v_stuck uuid[] := '{}';
  v_timeout text := current_setting('lock_timeout');
begin
  if not exists (select from rhythm.runnable r where r.alone_at is null) then
    return 0;
  end if;
  for v_one in
    select s.execution_id, s.name, s.seq, s.payload, s.start from rhythm.signals s
    where s.start is not null and s.execution_id in (
      select r.execution_id from rhythm.runnable r where not exists (select from rhythm.live l where l.id = r.root_id))
    order by s.seq limit 32 for update of s skip locked
  loop
    v_count := v_count + 1;
    continue when v_one.execution_id = any (v_stuck);
    v_state := (select a.state from rhythm.archive a where a.id = v_one.execution_id limit 1);
    begin
      perform set_config('lock_timeout', '50ms', true);
      if coalesce(v_state, 'completed') = 'completed' then
        perform from rhythm._deliver_or_start(v_one.start, v_one.name, v_one.payload, false);
      end if;
      if v_state = 'failed' then
        update rhythm.signals s set start = null
        where s.execution_id = v_one.execution_id and s.name = v_one.name and s.seq = v_one.seq;
      else
        delete from rhythm.signals s
        where s.execution_id = v_one.execution_id and s.name = v_one.name and s.seq = v_one.seq;
      end if;
      perform set_config('lock_timeout', v_timeout, true);
    exception
      when lock_not_available or deadlock_detected then
        v_stuck := v_stuck || v_one.execution_id;
      -- The workflow cannot be started any more: it is not there, or its inputs have another type.
      when others then
        delete from rhythm.signals s
        where s.execution_id = v_one.execution_id and s.name = v_one.name and s.seq = v_one.seq;
        insert into rhythm.history (execution_id, at, event, name, data)
        values (v_one.execution_id, rhythm._now(), 'signal_dropped', v_one.name,
          jsonb_build_object('payload', v_one.payload, 'error', jsonb_build_object('message', sqlerrm, 'code', sqlstate)));
    end;
  end loop;
  return case when v_stuck = '{}' then v_count else 0 end;
end
$$;

-- Sends a signal to the live run under a task_id; starts that if there is none. Locks: the key of the task_id, and so waits for
-- another transaction that is just taking it; then as signal and start. Dying halfway leaves neither run nor signal.
--
-- A run that is just ending, in a transaction that is not ours, cannot take the signal any more: then the database's worker starts
-- the next one, after both commits.
create function rhythm.signal_with_start(workflow text, task_id text, name text, payload jsonb default 'null',
  inputs jsonb default '{}', key text default null, queue text default null, priority int default null,
  timeout interval default null, trace jsonb default null, remember text default null, result text default null,
  retry jsonb default null, out id uuid, out started bool, out delivered bool)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
begin
  perform rhythm._check_given('task_id', signal_with_start.task_id is not null),
    rhythm._check_enqueue('workflow', signal_with_start.workflow, signal_with_start.inputs, signal_with_start.queue,
      signal_with_start.task_id, signal_with_start.priority, null, null, signal_with_start.timeout, null, null, null,
      signal_with_start.result),
    rhythm._keep_time('remember', signal_with_start.remember), rhythm._retry(signal_with_start.retry),
    rhythm._check_signal(signal_with_start.name, signal_with_start.payload, signal_with_start.key);
  select d.id, d.started, d.delivered into id, started, delivered
  from rhythm._deliver_or_start(jsonb_build_object('workflow', signal_with_start.workflow,
    'task_id', signal_with_start.task_id, 'inputs', signal_with_start.inputs, 'key', signal_with_start.key,
    'queue', signal_with_start.queue, 'priority', signal_with_start.priority, 'timeout', signal_with_start.timeout,
    'trace', signal_with_start.trace, 'remember', signal_with_start.remember, 'result', signal_with_start.result,
    'retry', signal_with_start.retry),
    signal_with_start.name, signal_with_start.payload, true) d;
end
$$;
comment on function rhythm.signal_with_start(text, text, text, jsonb, jsonb, text, text, int, interval, jsonb, text, text, jsonb) is
'Sends a signal to the live run of a workflow under a task_id, and starts that run first if there is none (also after one that has completed), in one transaction. Gives its id, whether it was started, and whether the signal was delivered: false if its key was sent before. Example: select id, started from rhythm.signal_with_start(''cart'', ''customer-7'', ''add'', ''{"sku": "a-1"}'', inputs => ''{"customer": 7}'')';
