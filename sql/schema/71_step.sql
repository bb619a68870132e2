-- What the library calls for a step: what workflows start from, their SQL, and what becomes of them (70_workflow.sql says who steps when).
--
-- Locks: the caller has the trees; what these functions write is nobody else's, or is inserted.

-- Gives what steps start from; no row: the execution has ended. No locks: the caller has the trees.
create function rhythm._load_steps(p_ids uuid[])
returns table (id uuid, definition_id bigint, save bytea, inputs text, workflow text, version int, task_id text,
  started_at_ms float8, trace_id text, cancel_reason text, cancelling bool, cancels bigint[], first_promise int,
  pending bool)
-- Postgres puts the body in the place of the call.
language sql stable as $$
  -- The inputs are in the state.
  select l.id, l.definition_id, s.save, case when s.save is null then l.inputs::text end, l.name, d.version, l.task_id,
    floor(extract(epoch from coalesce(l.started_at, rhythm._now())) * 1000)::float8,
    coalesce(l.trace ->> 'traceId', nullif(split_part(l.trace ->> 'traceparent', '-', 2), '')),
    -- It is told once: a second word must not end its cleaning up.
    case when l.cancelling is not true then c.reason end, l.cancelling or c.reason is not null, c.cancels,
    -- Only one that may have begun before has left something behind.
    case when s.save is null and l.retry is not null then rhythm._first_promise(l.id) end, l.state = 'pending'
  from rhythm.live l
  join rhythm.definitions d on d.id = l.definition_id
  left join rhythm.saves s on s.id = l.id
  left join lateral (
    select (array_agg(coalesce(x.reason, 'cancelled') order by x.at))[1] as reason, array_agg(x.seq) as cancels
    -- One that is to end at once is not told: a look at its mark ends it.
    from rhythm.cancels x where x.execution_id = l.id and not x.at_once) c on true
  where l.id = any (p_ids)
$$;

-- Makes events of what is there for runs that wait for it: stored signals, and mutexes that they hold by now. Locks: waits, signals and
-- claims, as _match_signals and _tell_mutexes; the caller has the trees. Dying halfway undoes the steps.
create function rhythm._meet_waits(p_ids uuid[]) returns void
language plpgsql as $$
begin
  perform case when w.for_mutex then rhythm._tell_mutexes(w.execution_id) else rhythm._match_signals(w.execution_id) end
  from (
    select distinct w.execution_id, false as for_mutex from rhythm.signal_waits w where w.execution_id = any (p_ids)
    union all
    select distinct c.execution_id, true from rhythm.mutex_claims c where c.execution_id = any (p_ids) and not c.told) w;
end
$$;

-- Gives the events that have arrived, those of each execution in their order, with what _meet_waits makes. They stay: a step that fails
-- leaves them for a retry. The library hands those it took to _write_steps. Locks: as _meet_waits; the caller has the trees.
create function rhythm._take_events(p_ids uuid[])
returns table (execution_id uuid, seq bigint, promise int, ok bool, value text, error text)
language plpgsql as $$
#variable_conflict use_column
begin
  perform rhythm._meet_waits(p_ids);
  return query
  select e.execution_id, e.seq, e.promise, e.ok, e.value::text, e.error::text
  from rhythm.events e where e.execution_id = any (p_ids) order by e.execution_id, e.seq;
end
$$;

-- Stores lines of the log: of the i-th run p_effects[i].logs. No locks: lines are inserts.
create function rhythm._keep_logs(p_ids uuid[], p_effects jsonb) returns void
language plpgsql as $$
begin
  insert into rhythm.history (execution_id, at, event, name, data)
  select o.id, to_timestamp((e ->> 'at_ms')::float8 / 1000), 'log', e ->> 'level', e -> 'message'
  from rows from (unnest(p_ids), jsonb_array_elements(p_effects)) with ordinality as o (id, effects, number),
    jsonb_array_elements(case jsonb_typeof(o.effects -> 'logs') when 'array' then o.effects -> 'logs' end) with ordinality as x (e, at)
  order by o.number, x.at;
end
$$;

-- Writes what steps want from the world: p_effects[i] is {tasks, held, fan_outs, ended_fan_outs, timers, signals, locks, releases,
-- replies, cancels, attributes, logs, long, near} of the i-th, or null. Gives those for which an event is there already (a stored signal, say), so that the step may take events again and run on.
-- Locks: as its parts; none of them waits, and keys for 50 ms at most. The caller has the trees. Dying halfway undoes the steps.
create function rhythm._apply_effects(p_ids uuid[], p_effects jsonb) returns uuid[]
language plpgsql as $$
#variable_conflict use_column
declare
  v_keys text[] := array(select distinct k from jsonb_array_elements(p_effects) e,
    jsonb_object_keys(case jsonb_typeof(e) when 'object' then e end) k);
  v_news uuid[] := '{}';
  v_one record;
begin
  if 'tasks' = any (v_keys) then
    v_news := rhythm._start_children(p_ids, p_effects);
  end if;
  if v_keys && '{held,ended_fan_outs}' then
    for v_one in
      select o.id, o.effects -> 'held' as held, o.effects -> 'fan_outs' as fan_outs, o.effects -> 'ended_fan_outs' as ended
      from rows from (unnest(p_ids), jsonb_array_elements(p_effects)) with ordinality as o (id, effects, at)
      where o.effects ?| '{held,ended_fan_outs}' order by o.at
    loop
      if v_one.held is not null then
        perform rhythm._hold_fan_outs(v_one.id, v_one.fan_outs, v_one.held);
      end if;
      if v_one.ended is not null then
        perform rhythm._end_fan_outs(v_one.id, v_one.ended);
      end if;
    end loop;
  end if;
  if 'timers' = any (v_keys) then
    perform rhythm._start_timers(p_ids, p_effects);
  end if;
  if v_keys && '{locks,releases}' then
    v_news := v_news || rhythm._apply_mutexes(p_ids, p_effects);
  end if;
  if 'logs' = any (v_keys) then
    perform rhythm._keep_logs(p_ids, p_effects);
  end if;
  if 'long' = any (v_keys) then
    perform rhythm._note_long(o.id)
    from rows from (unnest(p_ids), jsonb_array_elements(p_effects)) as o (id, effects) where o.effects ? 'long';
  end if;
  if 'near' = any (v_keys) then
    perform rhythm._mark_near(p_ids, p_effects);
  end if;
  if v_keys && '{attributes,signals,replies,cancels}' then
    for v_one in
      select o.id, o.effects -> 'attributes' as attributes, o.effects -> 'signals' as signals, o.effects -> 'replies' as replies,
        o.effects -> 'cancels' as cancels
      from rows from (unnest(p_ids), jsonb_array_elements(p_effects)) with ordinality as o (id, effects, at)
      where o.effects ?| '{attributes,signals,replies,cancels}' order by o.at
    loop
      if v_one.attributes is not null then
        perform rhythm._set_attributes(v_one.id, v_one.attributes);
      end if;
      if v_one.signals is not null then
        perform rhythm._await_signals(v_one.id, v_one.signals);
        if exists (
          select from rhythm.signal_waits w
          join rhythm.signals s on s.execution_id = w.execution_id and s.name = w.name and (w.key is null or s.key = w.key)
          where w.execution_id = v_one.id)
        then
          v_news := v_news || v_one.id;
        end if;
      end if;
      if v_one.replies is not null then
        perform rhythm._reply(v_one.id, v_one.replies);
      end if;
      if v_one.cancels is not null then
        perform rhythm._give_up(v_one.id, v_one.cancels);
      end if;
    end loop;
  end if;
  return v_news;
end
$$;

-- Writes what has become of steps: their effects (see _apply_effects), then the state of those that wait (p_saves), and the end of
-- those that have returned (p_results) or have ended as they were told to (p_errors); an entry of these three is null where it does
-- not apply. Deletes exactly the events that the steps took (p_taken, each by the run p_taken_by) and the requests to cancel that they
-- told their programs (p_told): others may have arrived meanwhile. `p_begun`: those that wait for the first time. Gives those that may
-- run on at once. Locks: as its parts; the caller has the trees. Dying halfway undoes the steps.
create function rhythm._write_steps(p_ids uuid[], p_effects jsonb, p_saves bytea[], p_results jsonb[], p_errors jsonb[],
  p_taken_by uuid[], p_taken bigint[], p_told bigint[], p_begun uuid[]) returns uuid[]
language plpgsql as $$
#variable_conflict use_column
declare
  v_news uuid[] := '{}';
begin
  if p_effects is not null then
    v_news := rhythm._apply_effects(p_ids, p_effects);
  end if;
  insert into rhythm.saves as s (id, save, saved_at)
  select o.id, o.save, rhythm._now() from unnest(p_ids, p_saves) as o (id, save) where o.save is not null
  on conflict (id) do update set save = excluded.save, saved_at = excluded.saved_at;
  if cardinality(p_taken) > 0 then
    delete from rhythm.events e using unnest(p_taken_by, p_taken) as t (execution_id, seq)
    where e.execution_id = t.execution_id and e.seq = t.seq;
  end if;
  if cardinality(p_begun) > 0 then
    update rhythm.live l set state = 'waiting', attempt = greatest(l.attempt, 1) where l.id = any (p_begun);
  end if;
  if cardinality(p_told) > 0 then
    perform rhythm._note_told(p_ids, p_told);
  end if;
  if array_remove(p_results, null) <> '{}' or array_remove(p_errors, null) <> '{}' then
    perform rhythm._finish_workflow(o.id, case when o.error is null then 'completed' else 'cancelled' end, o.result, o.error)
    from unnest(p_ids, p_results, p_errors) as o (id, result, error) where o.result is not null or o.error is not null;
  end if;
  return v_news;
end
$$;

-- Notes that programs were told to cancel, and gives them their grace. A step that goes on at once comes here more than once.
-- Locks: none but rows of the runs; the caller has the trees. Dying halfway undoes the steps.
create function rhythm._note_told(p_ids uuid[], p_told bigint[]) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_grace interval;
begin
  with told as (
    delete from rhythm.cancels c where c.execution_id = any (p_ids) and c.seq = any (p_told)
    returning c.execution_id, c.seq, c.grace, c.reason
  ), runs as (
    select t.execution_id, min(t.grace) as grace, (array_agg(t.reason order by t.seq))[1] as reason from told t group by t.execution_id
  ), noted as (
    insert into rhythm.history (execution_id, at, event, data)
    select r.execution_id, v_now, 'cancelling', jsonb_strip_nulls(jsonb_build_object('reason', r.reason, 'grace', r.grace))
    from runs r
  ), ending as (
    update rhythm.live l set cancelling = true, end_by = least(l.end_by, v_now + r.grace), due_at = least(l.due_at, v_now + r.grace)
    from runs r where l.id = r.execution_id
  )
  select min(r.grace) into v_grace from runs r;
  if v_grace is not null then
    perform rhythm._wake_due(v_now + v_grace);
  end if;
end
$$;

-- What the SQL of a program gave.
create type rhythm.sql_answer as (
  -- A JSON array of row objects with the order of the columns, or their number if no more was wanted; null: it failed.
  rows text,
  -- The columns whose numbers a double cannot hold.
  string_columns text[],
  -- The step's time was up (rhythm.step_timeout, whose timer cancels the statement).
  timed_out bool,
  sqlstate text,
  message text,
  -- Detail and hint, as a JSON object.
  data text
);
comment on type rhythm.sql_answer is 'What the SQL of a workflow gave.';

-- Runs the SQL of a program, as the user and with the settings that the library has put in place. The exception block
-- is the subtransaction that makes an SQL error catchable. The search_path is the deployer's, so everything is qualified.
-- Locks: what that SQL locks. Dying halfway undoes the step.
create function rhythm._sql_query(p_query text, p_params jsonb, p_count_only bool) returns rhythm.sql_answer
language plpgsql as $$
declare
  v_plan pg_catalog.jsonb;
  v_text pg_catalog.text;
  v_count int;
  v_most pg_catalog.int8;
  v_row record;
  v_rows pg_catalog.text[];
  v_answer rhythm.sql_answer;
  v_detail pg_catalog.text;
  v_hint pg_catalog.text;
  v_bytes pg_catalog.int8 := 0;
  v_written pg_catalog.int8 := 0;
  v_cancelled_by pg_catalog.text;
begin
  v_plan := rhythm._sql_analyze(p_query);
  v_text := pg_catalog.jsonb_extract_path_text(v_plan, 'text');
  v_count := pg_catalog.jsonb_extract_path_text(v_plan, 'params');
  if pg_catalog.jsonb_array_length(p_params) operator(pg_catalog.<>) v_count then
    raise exception using errcode = '08P01',
      message = pg_catalog.format('the query has %s parameters, but %s values were given', v_count,
        pg_catalog.jsonb_array_length(p_params));
  end if;
  if p_count_only then
    if pg_catalog.jsonb_extract_path_text(v_plan, 'returns_rows')::pg_catalog.bool then
      -- A loop holds some rows at a time, where a bare execute would gather all of them in memory.
      for v_row in execute v_text using p_params loop
        v_written := v_written operator(pg_catalog.+) 1;
      end loop;
    else
      execute v_text using p_params;
      get diagnostics v_written = row_count;
    end if;
    v_answer.rows := v_written;
    return v_answer;
  elsif pg_catalog.jsonb_extract_path_text(v_plan, 'returns_rows')::pg_catalog.bool then
    v_most := pg_catalog.jsonb_extract_path_text(v_plan, 'most_bytes');
    -- A loop, since not every statement that gives rows may stand inside another.
    for v_row in execute v_text using p_params loop
      v_rows := pg_catalog.array_append(v_rows, pg_catalog.row_to_json(v_row)::pg_catalog.text);
      v_bytes := v_bytes operator(pg_catalog.+) pg_catalog.octet_length(v_rows[pg_catalog.cardinality(v_rows)]);
      if v_bytes operator(pg_catalog.>) v_most then
        raise exception using errcode = '54000',
          message = pg_catalog.concat('the rows of the query take more than ', pg_catalog.pg_size_pretty(v_most)),
          hint = 'Ask for fewer rows or columns, with a limit say, or let the server do the work in one statement.';
      end if;
    end loop;
  else
    execute v_text using p_params;
  end if;
  v_answer.rows := pg_catalog.concat('[', pg_catalog.array_to_string(v_rows, ','), ']');
  if pg_catalog.jsonb_array_length(pg_catalog.jsonb_extract_path(v_plan, 'string_columns')) operator(pg_catalog.>) 0 then
    v_answer.string_columns := array(select c from pg_catalog.jsonb_array_elements_text(
      pg_catalog.jsonb_extract_path(v_plan, 'string_columns')) c);
  end if;
  return v_answer;
exception
  when serialization_failure or deadlock_detected then
    raise;
  when others or assert_failure or query_canceled then
    if sqlstate operator(pg_catalog.=) '57014' then
      v_cancelled_by := rhythm._cancelled_by();
      if v_cancelled_by operator(pg_catalog.=) 'step' then
        v_answer := row(null, null, true, null, null, null);
        return v_answer;
      elsif v_cancelled_by operator(pg_catalog.=) 'session' then
        raise;
      end if;
    end if;
    v_answer.rows := null;
    get stacked diagnostics v_answer.sqlstate = returned_sqlstate, v_answer.message = message_text, v_detail = pg_exception_detail,
      v_hint = pg_exception_hint;
    if pg_catalog.length(pg_catalog.concat(v_detail, v_hint)) operator(pg_catalog.>) 0 then
      v_answer.data := pg_catalog.json_strip_nulls(pg_catalog.json_build_object(
        'detail', case when pg_catalog.length(v_detail) operator(pg_catalog.>) 0 then v_detail end,
        'hint', case when pg_catalog.length(v_hint) operator(pg_catalog.>) 0 then v_hint end));
    end if;
    return v_answer;
end
$$;
