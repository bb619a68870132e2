-- Repair of results: what a task or child workflow failed to give is given by hand, and the run that awaits it goes on with it.
--
-- The outcome of a child is an event of its run until a step takes it. A step that fails leaves its events (70_workflow.sql), so the
-- failure that a run died of is still there: it is replaced, and the run's retry gets the result. What an earlier step has taken is
-- part of the run's state, and nothing here changes that.
--
-- Locks: the execution's row with SKIP LOCKED while it is alive; an ended one's row of `archive`, its key, then the run: its row of `live`
-- with SKIP LOCKED or its row of `archive`. So a retry of the same execution or run waits, and a step is never waited for.

-- Lets a run that has not taken a child's failure await the child again, which is being retried. Locks: the run, if nobody holds it;
-- else its step takes the failure just now.
create function rhythm._await_again(p_run uuid, p_promise int) returns void
language plpgsql as $$
begin
  perform from rhythm.archive a where a.id = p_run and a.state in ('failed', 'timed_out') for update skip locked;
  if not found then
    -- The SQL of a step has its own tree, but what that waits for is in the air.
    if rhythm._in_step() then
      return;
    end if;
    perform from rhythm.live l where l.id = p_run for update skip locked;
  end if;
  if found then
    delete from rhythm.events e where e.execution_id = p_run and e.promise = p_promise and not e.ok;
  end if;
end
$$;

-- Replaces the failure of a child by a result; the caller has the child's row. Gives whether the run is alive. Locks: the run, as the
-- head of this file says. Dying halfway leaves the failure.
create function rhythm._replace_failure(p_run uuid, p_promise int, p_id uuid, p_what text, p_result jsonb) returns bool
language plpgsql as $$
#variable_conflict use_column
declare
  v_lives bool;
  v_state text;
begin
  perform from rhythm.live l where l.id = p_run for update skip locked;
  v_lives := found;
  if not v_lives then
    if exists (select from rhythm.live l where l.id = p_run) then
      perform rhythm._raise('RH343', format('run %s is being stepped just now', p_run), null, 'Call again in a moment.');
    end if;
    select a.state::text into v_state from rhythm.archive a where a.id = p_run for update;
    if v_state is null and exists (select from rhythm.live l where l.id = p_run) then
      perform rhythm._raise('RH343', format('run %s was retried just now', p_run), null, 'Call again in a moment.');
    elsif v_state not in ('failed', 'timed_out') then
      perform rhythm._raise('RH341', format('run %s is %s and awaits nothing any more', p_run, v_state),
        format('It has started %s %s.', p_what, p_id), 'Start a new run.');
    end if;
  end if;
  if v_lives or v_state is not null then
    delete from rhythm.events e where e.execution_id = p_run and e.promise = p_promise and not e.ok;
    if not found then
      perform rhythm._raise('RH340', format('run %s has already taken the failure of %s %s', p_run, p_what, p_id),
        'An earlier step of the run has caught it, or keeps it for an await to come: it is part of the run''s state.',
        'Let the run end as it does now, then start a new one. A run can be given a result until a step has taken the failure and not failed with it.');
    end if;
    insert into rhythm.events (execution_id, promise, ok, value) values (p_run, p_promise, true, p_result);
  end if;
  return v_lives;
end
$$;

-- Ends an execution that is alive as if it had completed with this result. Gives false if it is not alive. Locks: its row, skipping one that
-- somebody holds; then as complete. Dying halfway changes nothing.
create function rhythm._resolve_live(p_id uuid, p_result jsonb) returns bool
language plpgsql as $$
#variable_conflict use_column
declare
  v_live record;
  v_parents uuid[];
  v_groups int[];
begin
  select l.kind, l.state, l.worker into v_live from rhythm.live l where l.id = p_id for update skip locked;
  if not found then
    if exists (select from rhythm.live l where l.id = p_id) then
      perform rhythm._raise('RH343', format('execution %s is being changed by somebody else just now', p_id), null,
        'Call again in a moment.');
    end if;
    return false;
  elsif v_live.kind = 'workflow' then
    perform rhythm._raise('RH341', format('run %s is %s: it makes its result itself', p_id, v_live.state), null,
      'Resolve what it waits for, send it its signal, or end it with rhythm.cancel or rhythm.terminate.');
  end if;
  insert into rhythm.history (execution_id, at, event, name, data)
  values (p_id, rhythm._now(), 'resolved', session_user, jsonb_build_object('state', v_live.state));
  select array_agg(s.parent_id), array_agg(s.wake_group) into v_parents, v_groups
  from rhythm._settle(array[p_id], null, array['completed'::rhythm.state], array[p_result], null) s
  where s.parent_id is not null;
  if not exists (select from rhythm.archive a where a.id = p_id) then
    delete from rhythm.history h where h.execution_id = p_id;
  end if;
  if v_live.state = 'running' and v_live.worker is not null then
    -- Its worker hears in a claim that it has lost the task, as with terminate.
    insert into rhythm.cancels (execution_id, reason, at, at_once, worker)
    values (p_id, 'resolved', rhythm._now(), true, v_live.worker);
    perform rhythm._wake_queue(rhythm._cancel_topic(v_live.worker), 1);
  end if;
  if v_parents is not null then
    perform rhythm._advance(v_parents, v_groups);
  end if;
  return true;
end
$$;

-- Gives an execution a result by hand. Locks: as the head of this file says, then the run's tree if nobody holds it. Dying halfway
-- changes nothing.
create function rhythm.resolve(id uuid, result jsonb default null) returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_result jsonb := coalesce(resolve.result, 'null');
  v_old rhythm.archive;
  v_holder uuid;
  v_run uuid;
  v_lives bool := false;
begin
  perform rhythm._check_given('id', resolve.id is not null), rhythm._check_size('result', resolve.result);
  if rhythm._in_step() then
    perform rhythm._raise('RH343', 'a step of a workflow cannot give results by hand', null,
      'Call rhythm.resolve outside of workflows.');
  end if;
  loop
    v_run := (select l.parent_id from rhythm.live l where l.id = resolve.id);
    if rhythm._resolve_live(resolve.id, v_result) then
      return v_run;
    end if;
    select a.* into v_old from rhythm.archive a where a.id = resolve.id and a.expires_on > rhythm._today() for update;
    exit when found;
    perform rhythm._check_known(resolve.id);
  end loop;
  if v_old.state = 'completed' then
    perform rhythm._raise('RH341', format('%s %s has completed: its result stands', v_old.kind, v_old.id), null,
      'Only what has not completed can be given a result.');
  end if;
  if v_old.task_id is not null then
    v_holder := (rhythm._take_keys(array[v_old.kind], array[v_old.name], array[v_old.task_id], array[v_old.id]))[1];
    if v_holder <> v_old.id then
      perform rhythm._raise('RH304', format('execution %s holds the task_id %L now', v_holder, left(v_old.task_id, 100)),
        null, 'Look at the newer execution; there can be only one that is alive or completed.');
    end if;
    update rhythm.keys k set until = v_now + v_old.remember
    where k.kind = v_old.kind and k.name = v_old.name and k.task_id = v_old.task_id and v_old.remember is not null;
  end if;
  -- One whose run has been swept has nobody to tell.
  select x.id into v_run from (
    select l.id from rhythm.live l where l.id = v_old.parent_id
    union all
    select a.id from rhythm.archive a where a.id = v_old.parent_id and a.expires_on > rhythm._today()) x;
  if v_run is not null then
    v_lives := rhythm._replace_failure(v_run, v_old.promise, v_old.id, v_old.kind || format(' "%s"', v_old.name), v_result);
    insert into rhythm.history (execution_id, at, event, name, data)
    values (v_run, v_now, v_old.kind || '_resolved', v_old.name, jsonb_build_object('id', v_old.id, 'by', session_user));
  end if;
  if v_old.kind = 'workflow' then
    perform rhythm._forget(array[v_old.id]);
  elsif v_old.attempt > 0 and v_old.state <> 'cancelled' and (
    select h.event = 'attempt_failed' and (h.data ->> 'attempt')::int = v_old.attempt
    from rhythm.history h where h.execution_id = v_old.id and h.event in ('attempt_failed', 'retried')
    order by h.seq desc limit 1) is not true
  then
    -- Which the archive knew as its error.
    insert into rhythm.history (execution_id, at, event, name, data)
    values (v_old.id, v_old.finished_at, 'attempt_failed', v_old.worker,
      jsonb_build_object('attempt', v_old.attempt, 'error', v_old.error, 'started_at', v_old.attempt_at));
  end if;
  insert into rhythm.history (execution_id, at, event, name, data)
  values (v_old.id, v_now, 'resolved', session_user, jsonb_build_object('state', v_old.state, 'error', v_old.error));
  update rhythm.archive a set state = 'completed', error = null, finished_at = v_now,
    result = case when a.discard is not true then v_result end
  where a.id = v_old.id;
  if v_lives then
    perform rhythm._advance(array[v_run], array[null::int]);
  end if;
  return v_run;
end
$$;
comment on function rhythm.resolve(uuid, jsonb) is
'Gives a task the result that it did not give itself, as if it had completed: one that waits, runs (its worker has lost it), has failed, timed out or was cancelled; and so a child workflow that has ended. Gives the id of the run that awaits it, null if there is none: a waiting run goes on at once, one that has failed in taking the failure does so by its retry. Refused when an earlier step of the run has taken the failure. Commit soon: the worker of a task that runs waits for it when it ends. Example: select rhythm.retry(rhythm.resolve(''0190a1b2-0000-7000-8000-000000000000'', ''{"paid": true}''))';
