-- Many workflows at once.

-- Starts many workflows, and runs the first step of each (of some, if many use SQL; then the database's worker goes on). Locks: as enqueue_many, which does it. All of them or none.
create function rhythm.start_many(items jsonb) returns table (id uuid, created bool)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
declare
  v_keys text[] := array['workflow', 'inputs', 'task_id', 'queue', 'priority', 'delay', 'run_at', 'timeout', 'trace', 'remember',
    'result', 'retry'];
  v_at bigint;
begin
  if jsonb_typeof(start_many.items) is distinct from 'array' then
    perform rhythm._raise('RH003', 'items must be a JSON array',
      'Got: ' || coalesce(left(start_many.items::text, 200), 'null') || '.',
      'Give [{"workflow": "order", "inputs": {}}, ...]; the keys are the parameters of start.');
  end if;
  select n.at into v_at from jsonb_array_elements(start_many.items) with ordinality as n (item, at)
  where jsonb_typeof(n.item) <> 'object' or n.item ->> 'workflow' is null or n.item - v_keys <> '{}' limit 1;
  if v_at is not null then
    perform rhythm._raise('RH003', format('item %s must be an object with a workflow and other parameters of start', v_at - 1), null,
      'They are ' || array_to_string(v_keys, ', ') || '; tasks and workflows together are for rhythm.enqueue_many.');
  end if;
  return query select m.id, m.created from rhythm.enqueue_many((
    select coalesce(jsonb_agg((n.item - 'workflow') || jsonb_build_object('kind', 'workflow', 'name', n.item -> 'workflow')
      order by n.at), '[]')
    from jsonb_array_elements(start_many.items) with ordinality as n (item, at))) m;
end
$$;
comment on function rhythm.start_many(jsonb) is
'Starts many workflows at once; the keys of an item are the parameters of start. Gives ids in the order of the items, and whether each is new. Example: select * from rhythm.start_many(''[{"workflow": "order", "inputs": {"customer": "c1"}}, {"workflow": "order", "task_id": "order-17"}]'')';
