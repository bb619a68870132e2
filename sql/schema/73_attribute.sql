-- Attributes: values that workflows publish with Context.set, for anyone to read and to search. Beside the executions, so that
-- those which publish nothing pay nothing, and publishing does not rewrite the row that claims and locks touch.
--
-- Locks: none but the row of the run, which only who holds its tree writes. No row: nothing was published. Kept until the run is
-- swept.

create table rhythm.published (
  id uuid primary key,
  attributes jsonb not null
);
comment on table rhythm.published is 'What workflows have published with Context.set.';
create index published_attributes on rhythm.published using gin (attributes jsonb_path_ops);

-- Publishes values of a step: an object. The library has seen to it that they are not too large. Locks: the run's row of
-- `published`; the caller has the tree. Dying halfway undoes the step.
create function rhythm._set_attributes(p_id uuid, p_values jsonb) returns void
language plpgsql as $$
begin
  insert into rhythm.published as p (id, attributes) values (p_id, p_values)
  on conflict (id) do update set attributes = p.attributes || excluded.attributes;
end
$$;

-- Gives the sizes of what a run has published, as the library counts them.
create function rhythm._attribute_sizes(p_id uuid) returns table (name text, bytes int)
language sql stable as $$
  select e.key, octet_length(e.key) + octet_length(e.value::text)
  from rhythm.published p cross join lateral jsonb_each(p.attributes) e where p.id = p_id
$$;

-- Gives what a run has published. No locks.
create function rhythm.attributes(id uuid) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
declare
  v_values jsonb;
begin
  perform rhythm._check_given('id', attributes.id is not null);
  select p.attributes into v_values from rhythm.published p where p.id = attributes.id;
  if not exists (select from rhythm.live l where l.id = attributes.id) then
    perform rhythm._check_known(attributes.id);
  end if;
  return coalesce(v_values, '{}');
end
$$;
comment on function rhythm.attributes(uuid) is
'Gives what a workflow has published with Context.set, as of its last step. Example: select rhythm.attributes(''0190a1b2-0000-7000-8000-000000000000'')';
