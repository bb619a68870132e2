-- Signals: stored until a step that holds the tree matches them with waits, in the order of arrival. So a signal and a
-- wait cannot miss each other, and a signal is never consumed twice.
--
-- Locks: signal() inserts, and tries the root with SKIP LOCKED; a wait's row is taken with SKIP LOCKED by the match and
-- by the timeout, whichever comes first.

create table rhythm.signals (
  execution_id uuid not null,
  seq bigint generated always as identity,
  name text not null,
  payload jsonb not null,
  at timestamptz not null,
  primary key (execution_id, name, seq)
);
comment on table rhythm.signals is 'Signals that no wait has consumed yet.';

create table rhythm.signal_waits (
  execution_id uuid not null,
  promise int not null,
  name text not null,
  due_at timestamptz,
  primary key (execution_id, promise)
);
comment on table rhythm.signal_waits is 'Signal.next calls that wait.';
create index signal_waits_due on rhythm.signal_waits (due_at) where due_at is not null;

-- Keeps what a step waits for: [{promise, name, due_ms}].
create function rhythm._await_signals(p_id uuid, p_waits jsonb) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_due timestamptz;
begin
  with w as (
    insert into rhythm.signal_waits (execution_id, promise, name, due_at)
    select p_id, (e ->> 'promise')::int, e ->> 'name', to_timestamp(least((e ->> 'due_ms')::float8, 9e12) / 1000)
    from jsonb_array_elements(p_waits) e
    returning due_at
  )
  select min(w.due_at) into v_due from w;
  if v_due is not null then
    perform rhythm._wake_due(v_due);
  end if;
end
$$;

-- Makes events of stored signals and the waits for them. The caller has the tree locked.
create function rhythm._match_signals(p_id uuid) returns void
language plpgsql as $$
#variable_conflict use_column
begin
  with w as materialized (
    select w.promise, w.name from rhythm.signal_waits w where w.execution_id = p_id
    order by w.promise for update skip locked
  ), pairs as materialized (
    select w.promise, s.seq, s.name
    from (select w.promise, w.name, row_number() over (partition by w.name order by w.promise) as n from w) w
    join (
      select s.seq, s.name, row_number() over (partition by s.name order by s.seq) as n
      from rhythm.signals s where s.execution_id = p_id
    ) s using (name, n)
  ), used as (
    delete from rhythm.signals s using pairs p where s.execution_id = p_id and s.name = p.name and s.seq = p.seq
    returning p.promise, s.name, s.payload, s.seq
  ), met as (
    delete from rhythm.signal_waits w using pairs p where w.execution_id = p_id and w.promise = p.promise
  ), noted as (
    insert into rhythm.history (execution_id, at, event, name, data)
    select p_id, rhythm._now(), 'signal_received', u.name, u.payload from used u order by u.seq
  )
  insert into rhythm.events (execution_id, promise, ok, value)
  select p_id, u.promise, true, u.payload from used u order by u.seq;
end
$$;

-- Ends waits whose timeout has come.
create function rhythm._time_out_signals(p_max int) returns int
language plpgsql as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_count int;
begin
  with due as materialized (
    select w.execution_id, w.promise from rhythm.signal_waits w where w.due_at <= rhythm._now()
    order by w.due_at limit p_max for update skip locked
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

-- Sends a signal. Locks: the root of the tree, if nobody holds it. Dying halfway leaves no signal.
create function rhythm.signal(id uuid, name text, payload jsonb default 'null') returns bool
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  v_kind text;
begin
  perform rhythm._check_given('id', signal.id is not null), rhythm._check_name('signal name', signal.name),
    rhythm._check_size('payload', signal.payload);
  select l.kind into v_kind from rhythm.live l where l.id = signal.id;
  if v_kind is null then
    perform rhythm._check_known(signal.id);
    return false;
  elsif v_kind = 'task' then
    perform rhythm._raise('RH303', format('execution %s is a task, and only workflows take signals', signal.id), null,
      'Signal the workflow that started the task.');
  end if;
  insert into rhythm.signals (execution_id, name, payload, at)
  values (signal.id, signal.name, coalesce(signal.payload, 'null'), rhythm._now());
  perform rhythm._advance(array[signal.id], array[null::int]);
  return true;
end
$$;
comment on function rhythm.signal(uuid, text, jsonb) is
'Sends a signal to a workflow: Signal.next(name) gets them in order of arrival, also those that came before it waited. False: the workflow has ended. Example: select rhythm.signal(''0190a1b2-0000-7000-8000-000000000000'', ''approved'', ''{"by": "ann"}'')';
