-- Finding executions by what they have published (73_attribute.sql).

-- Finds runs by what they have published: an index finds those that fit, and each is looked up. No locks.
create function rhythm.find(workflow text, attributes jsonb, state text default null, max int default 100)
returns setof rhythm.executions
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
begin
  perform rhythm._check_name('workflow name', find.workflow), rhythm._check_given('attributes', find.attributes is not null),
    rhythm._check_given('max', find.max is not null);
  if jsonb_typeof(find.attributes) <> 'object' or find.attributes = '{}' then
    perform rhythm._raise('RH003', 'attributes must be an object with something in it',
      'Got: ' || left(find.attributes::text, 200) || '.', 'Give what the runs have published, such as {"customer": 7}.');
  end if;
  if find.max not between 1 and 10000 then
    perform rhythm._raise('RH002', format('max must be between 1 and 10000, not %s', find.max), null,
      'Give more attributes to find fewer.');
  end if;
  if not exists (select from pg_enum e where e.enumtypid = 'rhythm.state'::regtype and e.enumlabel = find.state) and find.state is not null
  then
    perform rhythm._raise('RH002', format('there is no state "%s"', left(find.state, 50)), null,
      'Give waiting, completed, failed, cancelled or another state of executions, or null for all.');
  end if;
  return query
  with fitting as materialized (
    select p.id from rhythm.published p where p.attributes @> find.attributes
  )
  select e.* from fitting f
  -- OFFSET: each is looked up by its id. A join would read all executions.
  cross join lateral (select e.* from rhythm.executions e where e.id = f.id offset 0) e
  where e.name = find.workflow and (find.state is null or e.state = find.state)
  order by f.id desc limit find.max;
end
$$;
comment on function rhythm.find(text, jsonb, text, int) is
'Finds runs of a workflow that have published these attributes (and others), by an index, the newest first. Example: select id, state, attributes from rhythm.find(''order'', ''{"customer": 7}'', state => ''waiting'')';
