-- Forks: a new run begins where an earlier step of another has left it (71_earlier_save.sql), and goes on from there under its own id.
--
-- What was pending then is settled for the new run as follows, by the number of the promise:
--
--   a task or child that has ended since   its outcome, from the archive: it is not done again
--   one that is alive, or was cancelled    started anew for the new run; if it has a task_id that somebody holds, that one's outcome
--   a turn of Task.map that is held back   held back for the new run, too
--   a timer                                fires when it would have
--   Signal.next, Signal.request            waits for signals of the new run, as long as it had left then
--   Mutex.acquire                          waits for the new run, likewise; what the state holds, it gets first (74_mutex.sql)
--
-- Where an outcome is not known any more (trimmed, swept, discarded, or a turn that was given up) the fork is refused: to do such a thing
-- once more could do harm, and the operator can choose another step.
--
-- Locks: the key of the task_id, waiting as start does; then as _start_children. Nothing of the old run: what it does meanwhile is seen
-- or not, and each child is met in one form, as one statement looks at all of them.

-- Returns a kept state, or raises. No locks.
create function rhythm._kept_state(p_id uuid, p_step int) returns rhythm.earlier_saves
language plpgsql as $$
#variable_conflict use_column
declare
  v_state rhythm.earlier_saves;
  v_detail text;
begin
  select k.* into v_state from rhythm.earlier_saves k where k.execution_id = p_id and k.step = p_step;
  if not found then
    v_detail := (select format('Steps %s to %s are kept.', min(k.step), max(k.step))
      from rhythm.earlier_saves k where k.execution_id = p_id having count(*) > 0);
    perform rhythm._raise('RH350', format('run %s has no state of step %s', p_id, p_step),
      coalesce(v_detail, 'None of its states is kept.'),
      case when v_detail is not null then 'See rhythm.states(id) for what it waited for at each.'
        else 'Let runs keep some from now on: alter system set rhythm.kept_states = 20; select pg_reload_conf().' end);
  end if;
  return v_state;
end
$$;

-- Returns the definition on which a fork goes on, and the state in its form; raises where that cannot be. `p_version` null: that of the
-- state; 0: the newest. A fork is a new start, so it is refused where starts are. No locks.
create function rhythm._fork_definition(p_name text, p_inputs jsonb, p_state rhythm.earlier_saves, p_version int, out definition_id bigint,
  out save bytea)
language plpgsql as $$
#variable_conflict use_column
declare
  v_from rhythm.definitions;
  v_to rhythm.definitions;
  v_moved record;
begin
  if exists (select from rhythm.retirements r where r.workflow = p_name) then
    -- Which says so.
    perform rhythm._current_definition(p_name, p_inputs);
  end if;
  select d.* into v_from from rhythm.definitions d where d.id = p_state.definition_id;
  if v_from.program = '' or (v_from.undeployed_at is not null and p_version is null) then
    perform rhythm._raise('RH344', format('version %s of workflow "%s" is undeployed', v_from.version, p_name), null,
      case when v_from.program = '' then 'Its program is not kept any more. Choose a step of another version: see rhythm.states(id).'
        else 'Fork into one that is deployed: version => 0 is the newest.' end);
  end if;
  definition_id := v_from.id;
  save := p_state.save;
  if p_version is null then
    return;
  end if;
  select d.* into v_to from rhythm.definitions d where d.id = rhythm._version_id(p_name, nullif(p_version, 0));
  if v_to.id = v_from.id then
    return;
  end if;
  select m.* into v_moved from rhythm._move_save(v_from.id, v_to.id, v_to.version, save) m;
  if v_moved.what is not null then
    perform rhythm._raise('RH342', format('the state of step %s of run %s cannot go on in version %s of workflow "%s"', p_state.step,
        p_state.execution_id, v_to.version, p_name),
      case when v_moved.old_place is null then format('%s.', v_moved.what)
        else format('%s: %s in version %s, %s in version %s.', v_moved.what, v_moved.old_place, v_from.version,
          coalesce(v_moved.new_place, 'nowhere'), v_to.version) end,
      'Choose an earlier step, or deploy a version whose code is the same as far as the run had come.');
  end if;
  definition_id := v_to.id;
  save := v_moved.save;
end
$$;

-- Returns a child as the call that started it, for _start_children: what registration and queue have added since is said there, too. A
-- start_timeout that has been kept is gone. No locks.
create function rhythm._call_of(p_child rhythm.archive) returns jsonb
language sql stable as $$
  select jsonb_build_object('promise', p_child.promise, 'kind', p_child.kind, 'name', p_child.name, 'inputs', p_child.inputs,
    'group', p_child.wake_group, 'options', jsonb_strip_nulls(jsonb_build_object(
      -- A workflow has the defaults of a queue only if its call has named it.
      'queue', case when p_child.kind = 'task' or p_child.queue <> 'default' then p_child.queue end,
      'taskId', p_child.task_id, 'priority', p_child.priority, 'retry', rhythm._show_retry(p_child.retry),
      'timeout', extract(epoch from p_child.timeout),
      'startTimeout', extract(epoch from p_child.start_by - greatest(p_child.created_at,
        case when p_child.run_at < p_child.start_by then p_child.run_at end)),
      'heartbeatTimeout', extract(epoch from p_child.beat), 'attemptTimeout', extract(epoch from p_child.attempt_timeout),
      'runAt', case when p_child.run_at > rhythm._now() and p_child.attempt = 0 then floor(extract(epoch from p_child.run_at) * 1000) end,
      'result', case when p_child.discard then 'discard' end, 'onParentClose', p_child.parent_close)))
$$;

-- Writes for a new run what is to settle its promises, as the head of this file says. Gives how many are settled, how many calls are
-- started anew, and those promises of which nothing is known. Locks: as _start_children. Dying halfway undoes the fork.
create function rhythm._fork_pending(p_new uuid, p_state rhythm.earlier_saves, p_promises int[],
  out settled int, out started int, out lost int[])
language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_old uuid := p_state.execution_id;
  v_calls jsonb;
  v_due timestamptz;
  v_found int[];
begin
  -- One statement, in which each child is either alive or ended, and each turn of a fan-out either held or a child.
  with child as materialized (
    select c, c.promise, c.state from rhythm.archive c where c.parent_id = v_old and c.promise in (select unnest(p_promises))
    union all
    -- What both tables know of it.
    select jsonb_populate_record(null::rhythm.archive, to_jsonb(l)), l.promise, l.state
    from rhythm.live l where l.parent_id = v_old and l.promise in (select unnest(p_promises))
  ), early as materialized (
    -- In the order of their arrival. A child's outcome is its archive's to tell: it may have been given by hand since.
    select (e ->> 'promise')::int as promise, (e ->> 'ok')::bool as ok, e -> 'value' as value, e -> 'error' as error, at
    from jsonb_array_elements(p_state.events) with ordinality as x (e, at)
    where (e ->> 'promise')::int = any (p_promises) and not exists (select from child c where c.promise = (e ->> 'promise')::int)
  ), told as (
    insert into rhythm.events (execution_id, promise, ok, value, error)
    select p_new, o.promise, o.ok, o.value, o.error from (
      select e.promise, e.ok, e.value, e.error, 0 as rank, null::timestamptz as ended_at, e.at from early e
      union all
      select c.promise, c.state = 'completed', case when c.state = 'completed' then (c.c).result end,
        case when c.state <> 'completed' then rhythm._task_error((c.c).error) end, 1, (c.c).finished_at, (c.c).seq
      from child c
      where c.state in ('failed', 'timed_out') or (c.state = 'completed' and (c.c).discard is not true)) o
    order by o.rank, o.ended_at, o.at
    returning promise
  ), held as (
    insert into rhythm.fan_out_items (execution_id, promise, item)
    select p_new, i.promise, i.item from rhythm.fan_out_items i where i.execution_id = v_old and i.promise = any (p_promises)
    returning promise
  ), fans as (
    insert into rhythm.fan_outs (execution_id, wake_group, concurrency, next, last)
    select p_new, (f ->> 'group')::int, (f ->> 'concurrency')::int, min(h.promise), max(h.promise)
    from jsonb_array_elements(p_state.fan_outs) f join held h on h.promise between (f ->> 'next')::int and (f ->> 'last')::int
    group by 2, 3
  ), fires as (
    insert into rhythm.timers (execution_id, promise, due_at, since)
    select p_new, (t ->> 'promise')::int, (t ->> 'due_at')::timestamptz, (t ->> 'since')::timestamptz
    from jsonb_array_elements(p_state.timers) t where (t ->> 'promise')::int = any (p_promises)
    returning promise, due_at
  ), waits as (
    insert into rhythm.signal_waits (execution_id, promise, name, key, is_request, due_at)
    select p_new, (w ->> 'promise')::int, w ->> 'name', w ->> 'key', (w ->> 'is_request')::bool,
      case when w ->> 'due_at' is not null then v_now + greatest((w ->> 'due_at')::timestamptz - p_state.at, interval '0') end
    from jsonb_array_elements(p_state.signals) w where (w ->> 'promise')::int = any (p_promises)
    returning promise, due_at
  ), claims as (
    -- What its program holds is pending for nobody.
    insert into rhythm.mutex_claims (execution_id, promise, name, asked_at, due_at, told, parked)
    select p_new, (m ->> 'promise')::int, m ->> 'name', v_now,
      case when m ->> 'due_at' is not null then v_now + greatest((m ->> 'due_at')::timestamptz - p_state.at, interval '0') end,
      (m ->> 'told')::bool, true
    from jsonb_array_elements(p_state.claims) with ordinality as x (m, at)
    where (m ->> 'told')::bool or (m ->> 'promise')::int = any (p_promises)
    order by (m ->> 'promise')::int
    returning promise, due_at
  ), watches as (
    insert into rhythm.watchers (id, execution_id, promise)
    select (w ->> 'id')::uuid, p_new, (w ->> 'promise')::int
    from jsonb_array_elements(p_state.watchers) w where (w ->> 'promise')::int = any (p_promises)
      -- Of what was discarded or swept nobody knows the outcome, and what was cancelled is not to be told as if it had been called again.
      and (exists (select from rhythm.live l where l.id = (w ->> 'id')::uuid)
        or exists (select from rhythm.archive a where a.id = (w ->> 'id')::uuid
          and (a.state in ('failed', 'timed_out') or a.state = 'completed' and a.discard is not true)))
    returning promise
  ), calls as materialized (
    select c.promise, rhythm._call_of(c.c) as call from child c where c.state not in ('completed', 'failed', 'timed_out')
    union all
    -- Whose task_id was just being taken.
    select (d ->> 'promise')::int, d from jsonb_array_elements(p_state.deferred) d
    where (d ->> 'promise')::int = any (p_promises) and not exists (select from child c where c.promise = (d ->> 'promise')::int)
      -- One that has begun since, and is swept, is not done again.
      and exists (select from rhythm.deferred_starts x
        where x.execution_id = v_old and (x.item ->> 'promise')::int = (d ->> 'promise')::int)
  )
  select (select count(*) from told), (select jsonb_agg(c.call order by c.promise) from calls c),
    least((select min(f.due_at) from fires f), (select min(w.due_at) from waits w), (select min(m.due_at) from claims m), case when exists (select from watches) then v_now end),
    array(select t.promise from told t union all select h.promise from held h union all select f.promise from fires f
      union all select w.promise from waits w union all select m.promise from claims m union all select w.promise from watches w union all select c.promise from calls c)
  into settled, v_calls, v_due, v_found;
  started := coalesce(jsonb_array_length(v_calls), 0);
  lost := array(select p from unnest(p_promises) p except select f from unnest(v_found) f order by 1);
  if (started > 0 or exists (select from rhythm.fan_out_items i where i.execution_id = p_new))
    and exists (select from rhythm.mutex_claims c where c.execution_id = p_new and c.told) and not rhythm._claim_again(p_new)
  then
    perform rhythm._raise('RH343', format('run %s cannot be forked at step %s while somebody else holds its mutex', v_old, p_state.step),
      'What it waited for inside would run beside the holder.', 'Call again when the mutex is free: rhythm.why(id) says who holds it.');
  end if;
  if started > 0 then
    perform rhythm._start_children(array[p_new], jsonb_build_array(jsonb_build_object('tasks', v_calls)));
  end if;
  perform rhythm._fill_fan_outs(array[p_new], array[p_new]);
  if v_due is not null then
    perform rhythm._wake_due(v_due);
  end if;
end
$$;

-- Starts a run from an earlier state of another. Locks: as the head of this file says. Dying halfway leaves no new run.
create function rhythm.fork(id uuid, step int, task_id text default null, version int default null) returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_id uuid := rhythm._new_id();
  v_run record;
  v_state rhythm.earlier_saves;
  v_target record;
  v_fork record;
  v_held uuid;
  v_pending record;
begin
  perform rhythm._check_given('id', fork.id is not null), rhythm._check_given('step', fork.step is not null);
  if not rhythm._sees_commits() then
    perform rhythm._raise('RH201', 'fork cannot see in a REPEATABLE READ or SERIALIZABLE transaction what has ended', null,
      'It would be done again: call it in READ COMMITTED.');
  end if;
  select x.* into v_run from (
    select l.kind, l.name, l.inputs, l.queue, l.priority, l.timeout, l.remember, l.discard, l.trace
    from rhythm.live l where l.id = fork.id
    union all
    select a.kind, a.name, a.inputs, a.queue, a.priority, a.timeout, a.remember, a.discard, a.trace
    from rhythm.archive a where a.id = fork.id and a.expires_on > rhythm._today()) x;
  if not found then
    perform rhythm._check_known(fork.id);
    -- It has ended, or was retried, between the two looks.
    perform rhythm._raise('RH343', format('run %s is being changed just now', fork.id), null, 'Call again in a moment.');
  elsif v_run.kind = 'task' then
    perform rhythm._raise('RH341', format('execution %s is a task, and only runs of workflows are forked', fork.id), null,
      'Give the id of a run; rhythm.retry(id) lets a task run again.');
  end if;
  perform rhythm._check_enqueue('workflow', v_run.name, v_run.inputs, null, fork.task_id, null, null, null, null, null, null, null, null);
  if fork.task_id is not null then
    -- The same call once more, though the state may be gone by now; two at once meet at the key.
    select k.id into v_held from rhythm.keys k
    join rhythm.history h on h.execution_id = k.id and h.event = 'forked_from'
    where k.kind = 'workflow' and k.name = v_run.name and k.task_id = fork.task_id
      and h.data ->> 'id' = fork.id::text and (h.data ->> 'step')::int = fork.step
      and (exists (select from rhythm.live l where l.id = k.id)
        or exists (select from rhythm.archive a where a.id = k.id and a.expires_on > rhythm._today()));
    if found then
      return v_held;
    end if;
  end if;
  v_state := rhythm._kept_state(fork.id, fork.step);
  v_target := rhythm._fork_definition(v_run.name, v_run.inputs, v_state, fork.version);
  if fork.task_id is not null then
    v_held := (rhythm._take_keys(array['workflow'], array[v_run.name], array[fork.task_id], array[v_id]))[1];
    if v_held <> v_id then
      -- The same call once more.
      if exists (select from rhythm.history h where h.execution_id = v_held and h.event = 'forked_from'
        and h.data ->> 'id' = fork.id::text and (h.data ->> 'step')::int = fork.step)
      then
        return v_held;
      end if;
      perform rhythm._raise('RH304', format('execution %s holds the task_id %L now', v_held, left(fork.task_id, 100)), null,
        'Give the fork another task_id, or none.');
    end if;
  end if;
  select f.* into v_fork from rhythm._fork_save(v_target.definition_id, v_target.save, v_id::text, fork.task_id) f;
  if v_fork.fault is not null then
    perform rhythm._raise('RH321', format('the state of step %s of run %s cannot be read: %s', fork.step, fork.id, v_fork.fault), null,
      'Rhythm''s library is older than what has written it, or the data is damaged, or the limit that it names is too low.');
  end if;
  perform rhythm._create(array[row(v_id, 'workflow', v_run.name, v_run.inputs, nullif(v_run.queue, 'default'), fork.task_id,
    -- Attempts begin at the start: what is before the state would be done again.
    v_run.priority, null, null, v_run.timeout, null, null, null, v_run.remember, v_run.discard, v_run.trace,
    v_target.definition_id, null, null, null, null)::rhythm.new_execution], v_now);
  update rhythm.live l set state = 'waiting', attempt = 1 where l.id = v_id;
  insert into rhythm.saves (id, save, saved_at) values (v_id, v_fork.save, v_now);
  insert into rhythm.published (id, attributes) select v_id, v_state.attributes where v_state.attributes is not null;
  v_pending := rhythm._fork_pending(v_id, v_state, v_fork.promises);
  if v_pending.lost <> '{}' then
    perform rhythm._raise('RH351', format('run %s cannot be forked at step %s: the outcome of %s of what it waited for is not known any more',
        fork.id, fork.step, cardinality(v_pending.lost)), coalesce(rhythm._lost_places(v_state, v_pending.lost), 'Nobody awaits it.'),
      'Choose another step: see rhythm.states(id).');
  end if;
  insert into rhythm.history (execution_id, at, event, name, data) values
    (v_id, v_now, 'forked_from', session_user, jsonb_build_object('id', fork.id, 'step', fork.step, 'settled', v_pending.settled,
      'started', v_pending.started)),
    (fork.id, v_now, 'forked', session_user, jsonb_build_object('id', v_id, 'step', fork.step));
  if exists (select from rhythm.mutex_claims c where c.execution_id = v_id) then
    -- It goes on when it holds what its state holds: _promote sees to that.
    update rhythm.live l set state = 'scheduled', attempt = 0, run_at = v_now, due_at = least(v_now, l.end_by) where l.id = v_id;
    perform rhythm._wake_due(v_now);
  else
    perform rhythm._advance(array[v_id], array[null::int]);
  end if;
  return v_id;
end
$$;
comment on function rhythm.fork(uuid, int, text, int) is
'Starts a new run from an earlier step of another, which may be alive or have ended; gives its id. The setting rhythm.kept_states says of how many steps the states are kept (0 by default), and rhythm.states(id) lists them. Tasks and children that the old run was waiting for then, and that have ended since, are not done again: the new run gets the same outcomes; those that are alive, or were cancelled, are started anew. Timers keep their times; signals are to be sent to the new run. With a version (0: the newest) it goes on in that one, as rhythm.move allows. A task_id makes the call repeatable. Example: select rhythm.fork(''0190a1b2-0000-7000-8000-000000000000'', 3, task_id => ''order-17-again'')';

-- Tells where promises are awaited whose outcome is not known, the first ten places, or what they were. No locks.
create function rhythm._lost_places(p_state rhythm.earlier_saves, p_promises int[]) returns text
language sql stable as $$
  select format('They are awaited at %s.', string_agg(w.place, ', ' order by w.n)) from (
    select format('%s:%s:%s', f.frames ->> 'file', x.f ->> 'line', x.f ->> 'col') as place, min(x.n) as n
    from rhythm.definitions d
    cross join lateral rhythm._suspended(d.program, p_state.save, 1000, 1) f (frames)
    cross join lateral jsonb_array_elements(f.frames -> 'frames') with ordinality x (f, n)
    where d.id = p_state.definition_id
      and exists (select from jsonb_array_elements_text(x.f -> 'promises') p where p::int = any (p_promises))
    group by 1 order by 2 limit 10) w
  having count(*) > 0
$$;

-- Tells what a kept state waited for, of these promises. No locks.
create function rhythm._kept_waits(p_state rhythm.earlier_saves, p_promises int[]) returns text
language plpgsql stable as $$
#variable_conflict use_column
declare
  v_children text;
begin
  select case when count(*) > 1 then count(*) || ' of its own, such as ' else '' end || (array_agg(c.what order by c.promise))[1]
  into v_children
  from (
    select l.promise, format('%s %L', l.kind, l.name) as what from rhythm.live l
    where l.parent_id = p_state.execution_id and l.promise = any (p_promises)
    union all
    select a.promise, format('%s %L', a.kind, a.name) from rhythm.archive a
    where a.parent_id = p_state.execution_id and a.promise = any (p_promises)
    union all
    select (w ->> 'promise')::int, format('execution %s, which holds its taskId', w ->> 'id')
    from jsonb_array_elements(p_state.watchers) w where (w ->> 'promise')::int = any (p_promises)) c
  having count(*) > 0;
  return nullif(concat_ws(', and for ', v_children, (
      select 'the signal ' || string_agg(distinct w.w ->> 'name', ', ')
      from jsonb_array_elements(p_state.signals) w (w) where (w.w ->> 'promise')::int = any (p_promises) having count(*) > 0),
    (select 'a timer' from jsonb_array_elements(p_state.timers) t
      where (t ->> 'promise')::int = any (p_promises) limit 1)), '');
end
$$;

-- Lists the states of a run that are kept. No locks. It writes nothing: dying halfway leaves nothing.
create function rhythm.states(id uuid, max int default 1000)
returns table (step int, at timestamptz, version int, place text, waits_for text, bytes int)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
begin
  perform rhythm._check_given('id', states.id is not null);
  perform rhythm._check_max(states.max);
  perform rhythm._check_known(states.id);
  return query
  select (k.kept).step, (k.kept).at, d.version, p.place, rhythm._kept_waits(k.kept, p.promises), octet_length((k.kept).save)
  from (select o as kept from rhythm.earlier_saves o where o.execution_id = states.id order by o.step desc limit states.max) k
  join rhythm.definitions d on d.id = (k.kept).definition_id
  cross join lateral rhythm._place_in(rhythm._suspended(d.program, (k.kept).save, 1000, 1)) p
  order by (k.kept).step;
end
$$;
comment on function rhythm.states(uuid, int) is
'Lists the states of a run from which rhythm.fork can start another: the step, when it was, the version, where in the source it waited (of several places the first), and for what. At most the last max. No rows: none is kept (rhythm.kept_states). Example: select step, at, place, waits_for from rhythm.states(''0190a1b2-0000-7000-8000-000000000000'')';
