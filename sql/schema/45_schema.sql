-- Input schemas: what a task takes, as its workers have registered it (`served_tasks` in 50_claim.sql), and what happens to
-- inputs that do not fit: `refuse` (an error), `warn` (a notice, or a line in the workflow's log), `off` (nothing).
--
-- `warn` is the default: a worker that registers a schema which is stricter than what callers send, as in a rolling deploy or
-- because its type hints were wishes, must not stop callers that worked before. Where nothing has a schema, the one cost is a
-- comparison with null in the join that brings a task's defaults.
--
-- No tables, no locks: schemas are read as the caller's snapshot has them, and who enqueues while a worker registers may be
-- compared with the old one or the new one.

-- Returns the schema of a task that is being registered, or raises. Null: it has none. No locks.
create function rhythm._read_schema(p_task jsonb) returns jsonb
language plpgsql as $$
declare
  v_schema jsonb := nullif(p_task -> 'inputSchema', 'null');
  v_fault text;
begin
  if v_schema is null then
    return null;
  end if;
  if p_task ->> 'schemaCheck' is distinct from 'off' then
    v_fault := rhythm._schema_fault(v_schema);
  elsif pg_column_size(v_schema) > 262144 then
    v_fault := format('the schema has %s bytes, and 262144 are the most', pg_column_size(v_schema));
  end if;
  if v_fault is not null then
    perform rhythm._raise('RH105', format('the input schema of task "%s" cannot be used', p_task ->> 'name'), v_fault || '.',
      'Give a JSON Schema of draft 2020-12, or "schemaCheck": "off" to publish it for readers alone.');
  end if;
  return v_schema;
end
$$;

-- Returns what happens to inputs that do not fit the schema of a task that is being registered. Null: nothing, as there is none
-- or it is for readers. No locks.
create function rhythm._read_schema_check(p_task jsonb) returns text
language plpgsql as $$
begin
  if coalesce(p_task -> 'schemaCheck', 'null') not in ('null', '"refuse"', '"warn"', '"off"') then
    perform rhythm._raise('RH003', format('task "%s" has a wrong schemaCheck', p_task ->> 'name'),
      'Got: ' || left(p_task ->> 'schemaCheck', 200) || '.', 'Give "refuse", "warn" (the default) or "off".');
  end if;
  return case when nullif(p_task -> 'inputSchema', 'null') is not null
    then nullif(coalesce(p_task ->> 'schemaCheck', 'warn'), 'off') end;
end
$$;

-- Returns what does not fit, one line each: `items[2].qty: expected number, found string "x"`. Null: all fits.
create function rhythm._misfits(p_schema jsonb, p_inputs jsonb) returns text
language sql stable as $$
  select string_agg(concat_ws(': ', nullif(e.error ->> 'path', ''), e.error ->> 'message'), E'\n' order by e.at)
  from jsonb_array_elements(rhythm._schema_errors(p_schema, p_inputs)) with ordinality as e (error, at)
$$;

-- Compares inputs that a caller enqueues with the schema of their task. True, or raises. `p_place`: that of an item in its batch,
-- from 1 on; 0: there is but one. Of a batch, and of all rows of enqueue_rows, no more than the first hundred are warned of. No
-- locks.
create function rhythm._check_task_inputs(p_task text, p_schema jsonb, p_check text, p_inputs jsonb, p_place int)
returns bool
language plpgsql as $$
declare
  v_before bigint := 0;
  v_wrong text;
  v_message text;
begin
  if p_check = 'warn' and p_place > 100 then
    return true;
  end if;
  v_wrong := rhythm._misfits(p_schema, p_inputs);
  if v_wrong is null then
    return true;
  end if;
  if p_place > 0 then
    -- Anybody may have set it to anything.
    v_before := coalesce(substring(current_setting('rhythm_session.rows_before', true) from '^[0-9]{1,15}$')::bigint, 0);
    if p_check = 'warn' and v_before > 0 then
      return true;
    end if;
  end if;
  v_message := format('inputs%s do not fit task "%s"', ' of item ' || (v_before + nullif(p_place, 0) - 1), p_task);
  if p_check = 'refuse' then
    perform rhythm._raise('RH104', v_message, v_wrong, 'rhythm.tasks has the schema that the task''s worker has registered.');
  end if;
  raise notice using errcode = '01000', message = v_message, detail = v_wrong,
    hint = 'They are taken all the same, as the task''s schemaCheck is "warn". rhythm.tasks has the schema.';
  return true;
end
$$;

-- Returns the diagnostics of the calls in a source that are written out and cannot fit. `p_tasks`: the tasks that it calls so.
-- No locks.
create function rhythm._call_warnings(p_file text, p_source text, p_tasks text[]) returns jsonb
language plpgsql as $$
declare
  v_schemas jsonb;
begin
  select jsonb_object_agg(t.name, t.input_schema) into v_schemas
  from rhythm.served_tasks t where t.name = any (p_tasks) and t.schema_check is not null;
  return coalesce(rhythm._call_misfits(p_file, p_source, v_schemas), '[]');
end
$$;
