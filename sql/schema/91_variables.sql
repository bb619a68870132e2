-- What a waiting run looks like inside: where each of its frames waits in the source, and the variables of each, read from its save.
--
-- No locks: a save that is read is that of the last committed step.

-- Gives the frames of a run as `_suspended` does; null: it has no save, as it has not begun, has ended or is a task. A failed one has that
-- of before the step that failed.
create function rhythm._frames(p_id uuid, p_variables int, p_bytes int) returns jsonb
language sql stable as $$
  select rhythm._suspended(d.program, s.save, p_variables, p_bytes)
  from rhythm.saves s
  join rhythm.definitions d on d.id = coalesce((select l.definition_id from rhythm.live l where l.id = p_id),
    (select a.definition_id from rhythm.archive a where a.id = p_id))
  where s.id = p_id and s.save is not null
$$;

-- Gives where a run waits whose frames `_suspended` gave: the first place in the source (of several with how many others there are; null:
-- nothing will settle what it awaits, so that its frame is gone), the promises for which its frames wait, up to a hundred of each, and how
-- many those are in all. All null: that cannot be read.
create function rhythm._place_in(p_frames jsonb, out place text, out promises int[], out promise_count bigint)
language plpgsql stable as $$
begin
  if p_frames is null or p_frames ? 'fault' then
    return;
  end if;
  select array_agg(distinct p.id::int), count(distinct p.id) + max(greatest(f.count - 100, 0)) into promises, promise_count
  from (select f -> 'promises' as ids, (f ->> 'promise_count')::bigint as count from jsonb_array_elements(p_frames -> 'frames') f) f,
    jsonb_array_elements_text(f.ids) p (id);
  promises := coalesce(promises, '{}');
  place := (
    select format('%s:%s:%s%s%s', p_frames ->> 'file', (array_agg(w.line order by w.n))[1], (array_agg(w.col order by w.n))[1],
      ' in ' || nullif((array_agg(w.function order by w.n))[1], 'workflow'),
      case when count(*) > 1 then format(' (and %s other place%s)', count(*) - 1, case when count(*) > 2 then 's' else '' end) end)
    from (
      select f ->> 'line' as line, f ->> 'col' as col, f ->> 'function' as function, min(n) as n
      from jsonb_array_elements(p_frames -> 'frames') with ordinality x (f, n)
      where promises = '{}' or (f ->> 'promise_count')::bigint > 0
      group by 1, 2, 3) w
    having count(*) > 0);
end
$$;

-- The same of a run as it is now.
create function rhythm._place(p_id uuid, out place text, out promises int[], out promise_count bigint)
language sql stable as $$
  select p.place, p.promises, p.promise_count from rhythm._place_in(rhythm._frames(p_id, 1000, 1)) p
$$;

-- Gives the frames of a waiting run and their variables. No locks. It writes nothing: dying halfway leaves nothing.
create function rhythm.variables(id uuid, max int default 1000, max_bytes int default 1000)
returns table (frame int, function text, line int, col int, variable text, value text, cut bool)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
declare
  v_frames jsonb;
begin
  perform rhythm._check_given('id', variables.id is not null);
  perform rhythm._check_max(variables.max);
  if variables.max_bytes is null or variables.max_bytes not between 1 and 1000000 then
    perform rhythm._raise('RH002', format('max_bytes must be 1 to 1000000, not %s', coalesce(variables.max_bytes::text, 'null')), null,
      'It is the number of bytes that are given of one value at most.');
  end if;
  perform rhythm._check_known(variables.id);
  if exists (select from rhythm.live l where l.id = variables.id and l.kind = 'task')
    or exists (select from rhythm.archive a where a.id = variables.id and a.kind = 'task')
  then
    perform rhythm._raise('RH320', format('execution %s is a task, and only workflows have variables', variables.id), null,
      'Look at its inputs and its progress in rhythm.executions.');
  end if;
  v_frames := rhythm._frames(variables.id, variables.max, variables.max_bytes);
  if v_frames ? 'fault' then
    perform rhythm._raise('RH321', format('the state of run %s cannot be read: %s', variables.id, v_frames ->> 'fault'), null,
      'Rhythm''s library is older than what has written it, or the data is damaged; the run itself would fail with the same words.');
  end if;
  return query
  select f.n::int, f.f ->> 'function', (f.f ->> 'line')::int, (f.f ->> 'col')::int, v.v ->> 'name', v.v ->> 'value', (v.v ->> 'cut')::bool
  from jsonb_array_elements(v_frames -> 'frames') with ordinality f (f, n)
  left join lateral jsonb_array_elements(f.f -> 'variables') with ordinality v (v, n) on true
  order by f.n, v.n;
end
$$;
comment on function rhythm.variables(uuid, int, int) is
'Gives the frames of a waiting run: the workflow itself first, then the functions that wait with it, each with the line and column at which it waits and a row for each variable that has a value there. Values look as console.log shows them, and cut says of which there is more than max_bytes; at most max rows. Of a failed run it gives what was there before the step that failed; no rows: it has not begun, or has ended. Example: select frame, function, line, col, variable, value from rhythm.variables(''0190a1b2-0000-7000-8000-000000000000'')';
