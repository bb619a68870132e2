-- Requests: signals that the workflow can answer (Signal.request). The answer is a row that the step writes and the caller reads, so
-- it commits with the step. A request lives until its time is up, whoever waits for it: a caller that dies leaves nothing for longer.
--
-- Locks: the row of a request, by the step that takes or answers it (which holds the tree), and with SKIP LOCKED by the duty that
-- drops it. Who waits for an answer locks nothing.

create table rhythm.requests (
  id uuid primary key,
  execution_id uuid not null,
  name text not null,
  -- Whether the workflow has got it; false: its time was up before. Null: not decided.
  is_taken bool,
  reply jsonb,
  until timestamptz not null
);
comment on table rhythm.requests is 'Requests whose time is not up, and their answers.';
create index requests_until on rhythm.requests (until);

-- Answers requests of a run: [{id, value}]; the first answer stays. Kept for a minute, so that a caller whose connection broke can
-- ask again. Locks: the requests, as the head of this file says; the caller has the tree. Dying halfway undoes the step.
create function rhythm._reply(p_id uuid, p_replies jsonb) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_count int;
begin
  with answered as (
    update rhythm.requests r set reply = o.value, is_taken = true, until = least(r.until, rhythm._now() + interval '1 minute')
    from (
      select distinct on (e ->> 'id') e ->> 'id' as id, e -> 'value' as value
      from jsonb_array_elements(p_replies) with ordinality as x (e, at) order by e ->> 'id', at) o
    -- A program may have changed it to anything.
    where r.id = case when o.id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then o.id::uuid end
      and r.execution_id = p_id and r.reply is null and r.until > rhythm._now()
    returning r.id, r.until
  )
  select count(rhythm._wake_result(a.id)) + count(rhythm._wake_due(a.until)) into v_count from answered a;
end
$$;

-- Takes back requests whose time is up, if the workflow has not taken them (_match_signals leaves them alone by then), and drops
-- them a second later, when who waits has seen what came of them. Locks: signals, then requests, with SKIP LOCKED. Dying halfway
-- leaves them to the next round.
create function rhythm._drop_requests(p_max int) returns int
language plpgsql as $$
#variable_conflict use_column
declare
  v_count int;
begin
  with back as (
    delete from rhythm.signals s where s.ctid = any (array(
      select o.ctid from rhythm.requests q
      join rhythm.signals o on o.execution_id = q.execution_id and o.name = q.name and o.request = q.id
      where q.until <= rhythm._now() and q.is_taken is null limit p_max for update of o skip locked))
    returning s.request
  ), noted as (
    update rhythm.requests q set is_taken = false from back b where q.id = b.request
  )
  select count(*) into v_count from back b;
  with gone as (
    delete from rhythm.requests q where q.ctid = any (array(
      select o.ctid from rhythm.requests o where o.until <= rhythm._now() - interval '1 second' limit p_max
      for update skip locked))
    returning q.id
  )
  select v_count + count(*) into v_count from gone g;
  return v_count;
end
$$;

-- Sends a request. Locks as signal. Dying halfway leaves no request.
create function rhythm.request(id uuid default null, name text default null, payload jsonb default 'null',
  timeout interval default '30s', workflow text default null, task_id text default null) returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  v_id uuid := rhythm._run_meant(request.id, request.workflow, request.task_id);
  v_request uuid := rhythm._new_id();
begin
  perform rhythm._check_signal(request.name, request.payload, null),
    rhythm._check_given('timeout', request.timeout is not null), rhythm._check_duration('timeout', request.timeout);
  if not rhythm._takes_signals(v_id) then
    perform rhythm._raise('RH307', format('workflow %s has ended, and answers no requests', v_id), null,
      'See rhythm.result(id) for what came of it.');
  end if;
  insert into rhythm.requests (id, execution_id, name, until)
  values (v_request, v_id, request.name, rhythm._now() + request.timeout);
  perform rhythm._wake_due(rhythm._now() + request.timeout);
  perform rhythm._put_signal(v_id, request.name, request.payload, null, v_request, null);
  perform rhythm._advance(array[v_id], array[null::int]);
  return v_request;
end
$$;
comment on function rhythm.request(uuid, text, jsonb, interval, text, text) is
'Sends a workflow a signal that it can answer (Signal.request), and gives the id of the request, for await_reply. One that the workflow has not taken when the timeout is over is taken back. Example: select rhythm.request(''0190a1b2-0000-7000-8000-000000000000'', ''approve'', ''{"by": "ann"}'', ''10s'')';

-- Waits for the answer to a request, in a slot of shared memory. Holds no locks; a cancelled wait leaves nothing.
create function rhythm.await_reply(request uuid, timeout interval default '5s', out is_there bool, out reply jsonb)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
declare
  v_request rhythm.requests;
  v_state text;
  v_until timestamptz;
  v_left int;
  v_parked bool;
begin
  perform rhythm._check_given('request', await_reply.request is not null),
    rhythm._check_given('timeout', await_reply.timeout is not null), rhythm._check_duration('timeout', await_reply.timeout);
  is_there := false;
  loop
    select q.* into v_request from rhythm.requests q where q.id = await_reply.request;
    if v_request.reply is not null then
      is_there := true;
      reply := v_request.reply;
      exit;
    end if;
    v_state := case when v_request.id is not null then
      (select r.state from rhythm._result(v_request.execution_id) r) end;
    exit when v_request.id is null or v_request.until <= rhythm._now()
      or coalesce(v_state in ('completed', 'failed', 'cancelled', 'timed_out'), true) or await_reply.timeout = interval '0';
    if v_until is null then
      if not rhythm._sees_commits() then
        perform rhythm._raise('RH201', 'await_reply cannot wait in a REPEATABLE READ or SERIALIZABLE transaction', null,
          'Such a transaction never sees the reply: use READ COMMITTED.');
      end if;
      v_until := rhythm._wait_until(await_reply.timeout);
      -- The slot first, then another look: an answer that commits in between finds the slot.
      v_parked := rhythm._park_results_begin(array[await_reply.request, v_request.execution_id]);
      continue;
    end if;
    v_left := ceil(extract(epoch from least(v_until - clock_timestamp(), v_request.until - rhythm._now())) * 1000)::int;
    exit when v_left <= 0;
    if v_parked then
      perform rhythm._park_wait(v_left);
    else
      perform pg_sleep(least(v_left, 50) / 1000.0);
    end if;
  end loop;
  if v_parked then
    perform rhythm._park_end(null, true);
  end if;
  if is_there then
    return;
  end if;
  if v_request.id is null or v_request.until <= rhythm._now() then
    if v_request.is_taken is null then
      -- Who is just taking it holds the signal; nobody begins to, now.
      perform from rhythm.signals s
      where s.execution_id = v_request.execution_id and s.name = v_request.name and s.request = v_request.id
      for update skip locked;
      v_request.is_taken := case when found then false end;
    end if;
    perform rhythm._raise('RH308', format('request %s has no reply, and its time is up', await_reply.request),
      case v_request.is_taken when true then 'The workflow has taken it.'
        when false then format('The workflow has not taken it, and will not: it did not ask for the signal %L in time.',
          v_request.name) end,
      'Give a longer timeout, or see rhythm.why(id) for what the workflow does.');
  elsif coalesce(v_state in ('completed', 'failed', 'cancelled', 'timed_out'), true) then
    perform rhythm._raise('RH307', format('workflow %s has ended without a reply: it is %s', v_request.execution_id,
      coalesce(v_state, 'swept')), null, 'See rhythm.result(id) for what came of it.');
  end if;
end
$$;
comment on function rhythm.await_reply(uuid, interval) is
'Waits for the answer to a request (at most 5 s in one call: call again), in a later transaction than the one that sent it. Example: select reply from rhythm.await_reply(''0190a1b2-0000-7000-8000-000000000000'', ''5s'') where is_there';

-- Sends a request and waits for its answer. A procedure, since the request must be committed before anybody can answer it; INVOKER,
-- since others may not commit. Holds no snapshot for longer than 5 s. Dying halfway leaves the request until its time is up.
-- Locks: as request, and no longer than the commit that follows it; none while it waits.
create procedure rhythm.call(id uuid, name text, payload jsonb default 'null', timeout interval default '30s',
  inout reply jsonb default null)
language plpgsql as $$
declare
  v_request pg_catalog.uuid := rhythm.request(call.id, call.name, call.payload, call.timeout);
  v_there pg_catalog.bool;
begin
  -- Before the first look, which would undo by its error what the request has brought about.
  commit;
  loop
    select r.is_there, r.reply into v_there, reply
    from rhythm.await_reply(v_request, pg_catalog.make_interval(secs => 5)) r;
    exit when v_there;
    commit;
  end loop;
end
$$;
comment on procedure rhythm.call(uuid, text, jsonb, interval, jsonb) is
'Sends a workflow a request and waits for the answer that it gives with request.reply(value). Commits, so it cannot stand inside a transaction: there, use request and await_reply. Example: call rhythm.call(''0190a1b2-0000-7000-8000-000000000000'', ''approve'', ''{"by": "ann"}'', ''10s'')';
