-- Definitions: deployed versions of workflows, with source and compiled program. A run stays on the definition with
-- which it started (or to which it was moved), so rows are never changed but for being undeployed (83_version.sql).
--
-- Locks: a deploy takes a lock on the workflow's name, so that versions are counted without gaps; deploys of
-- other names and runs do not wait. Dying halfway leaves nothing.

create table rhythm.definitions (
  id bigint generated always as identity primary key,
  name text not null,
  version int not null check (version > 0),
  source text not null,
  program bytea not null,
  uses_sql bool not null,
  input_type jsonb,
  -- By name: a restored database has other oids, and an oid might then mean somebody else.
  deployer name not null,
  search_path text not null,
  created_at timestamptz not null,
  -- Not started any more, nor moved to. When nothing can need them, source and program are empty.
  undeployed_at timestamptz,
  unique (name, version)
);
comment on table rhythm.definitions is 'Versions of workflows. Seen through the view rhythm.workflows.';

-- Workflows that nobody may start. They stay so when a new version is deployed.
create table rhythm.retirements (
  workflow text primary key,
  at timestamptz not null,
  by name not null,
  reason text
);
comment on table rhythm.retirements is 'Workflows that are not started any more. Seen through the view rhythm.versions.';

-- Stores a version; called by the native `_deploy`, which knows who called it. Returns {version, created, uses_sql, warnings}, or
-- {error: {code, message, detail, hint}}: raising an RH code below Rust would lose it. Locks and halfway: as deploy.
create function rhythm._deploy_as(p_name text, p_source text, p_deployer name, p_search_path text) returns jsonb
language plpgsql as $$
declare
  v_compiled record;
  v_last record;
  v_number int;
  v_errors int;
  v_rendered text;
begin
  if p_name is null or p_source is null then
    return jsonb_build_object('error', jsonb_build_object('code', 'RH001',
      'message', case when p_name is null then 'name' else 'source' end || ' must not be null',
      'hint', 'Give the workflow''s name and its source.'));
  end if;
  if p_name = '' or octet_length(p_name) > 255 then
    return jsonb_build_object('error', jsonb_build_object('code', 'RH002',
      'message', format('workflow name must have 1 to 255 bytes, not %s', octet_length(p_name)),
      'hint', 'Choose another name.'));
  end if;
  select c.program, c.uses_sql, c.input_type, c.calls, c.diagnostics into v_compiled
  from rhythm._compile(p_name || '.flow', p_source) c;
  select count(*) filter (where d ->> 'severity' = 'error'), string_agg(d ->> 'rendered', E'\n' order by n)
  into v_errors, v_rendered
  from jsonb_array_elements(v_compiled.diagnostics) with ordinality as x(d, n);
  if v_compiled.program is null then
    return jsonb_build_object('error', jsonb_build_object('code', 'RH101',
      'message', format('workflow "%s" has %s error%s', p_name, v_errors, case when v_errors = 1 then '' else 's' end),
      'detail', v_rendered,
      'hint', 'Mend the source and deploy again; rhythm.check(source) gives the same list as rows.'));
  end if;

  select string_agg(x.line, E'\n' order by x.at) into v_rendered
  from (
    select v_rendered as line, 0 as at
    union all
    select d ->> 'rendered', n
    from jsonb_array_elements(rhythm._call_warnings(p_name || '.flow', p_source, v_compiled.calls)) with ordinality as w (d, n)
  ) x;
  perform rhythm._lock('rhythm.definitions'::regclass, hashtextextended(p_name, 0));
  select d.version, d.source, d.deployer, d.search_path into v_last
  from rhythm.definitions d where d.name = p_name and d.undeployed_at is null order by d.version desc limit 1;
  if v_last.source = p_source and v_last.deployer = p_deployer and v_last.search_path = p_search_path then
    return jsonb_build_object('version', v_last.version, 'created', false, 'uses_sql', v_compiled.uses_sql,
      'warnings', v_rendered);
  end if;
  -- No number is used twice, whatever was undeployed.
  v_number := (select coalesce(max(d.version), 0) + 1 from rhythm.definitions d where d.name = p_name);
  insert into rhythm.definitions
    (name, version, source, program, uses_sql, input_type, deployer, search_path, created_at)
  values (p_name, v_number, p_source, v_compiled.program, v_compiled.uses_sql,
    v_compiled.input_type, p_deployer, p_search_path, rhythm._now());
  return jsonb_build_object('version', v_number, 'created', true,
    'uses_sql', v_compiled.uses_sql, 'warnings', v_rendered);
end
$$;

-- Gives what a step needs of a definition; the library keeps programs, and asks each time who the deployer is.
create function rhythm._load_program(p_definition bigint)
returns table (program bytea, deployer oid, search_path text)
language plpgsql stable as $$
#variable_conflict use_column
begin
  return query
  select d.program, r.oid, d.search_path
  from rhythm.definitions d left join pg_catalog.pg_roles r on r.rolname = d.deployer
  where d.id = p_definition;
end
$$;

-- INVOKER, as only thus the native part sees who calls: the deployer, as whom the definition's SQL will run. It keeps the
-- caller's search_path, which is stored; so it uses no name or operator that something else on that path could stand for.
-- Locks: a lock on the workflow's name, until the caller's commit. Dying halfway stores no version.
create function rhythm.deploy(name text, source text) returns int
language plpgsql as $$
declare
  v_done pg_catalog.jsonb := rhythm._deploy(deploy.name, deploy.source);
  v_error pg_catalog.jsonb := pg_catalog.jsonb_extract_path(v_done, 'error');
  v_warnings pg_catalog.text := pg_catalog.jsonb_extract_path_text(v_done, 'warnings');
begin
  if v_error is not null then
    perform rhythm._raise(e.code, e.message, e.detail, e.hint)
    from pg_catalog.jsonb_to_record(v_error) as e (code pg_catalog.text, message pg_catalog.text, detail pg_catalog.text,
      hint pg_catalog.text);
  end if;
  if v_warnings is not null then
    raise warning using message = pg_catalog.format('workflow "%s" has warnings', deploy.name), detail = v_warnings;
  end if;
  if pg_catalog.jsonb_extract_path_text(v_done, 'created')::pg_catalog.bool
    and pg_catalog.jsonb_extract_path_text(v_done, 'uses_sql')::pg_catalog.bool
    and (select r.rolsuper from pg_catalog.pg_roles r where r.rolname operator(pg_catalog.=) current_user)
  then
    raise warning using
      message = pg_catalog.format('workflow "%s" runs its SQL as the superuser "%s"', deploy.name, current_user),
      hint = 'Deploy as a role that has only the rights that the workflow needs.';
  end if;
  return pg_catalog.jsonb_extract_path_text(v_done, 'version')::pg_catalog.int4;
end
$$;
comment on function rhythm.deploy(text, text) is
'Compiles a workflow and stores it as a new version, which later starts use; the same source again gives the version that is there. All errors of the source are in the error''s DETAIL. Example: select rhythm.deploy(''hello'', ''return "hello " + Inputs.name'')';

-- Gives the diagnostics of a source. No locks; writes nothing.
create function rhythm.check(source text)
returns table (line int, col int, severity text, code text, message text, hint text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  perform rhythm._check_given('source', "check".source is not null);
  return query
  select (d ->> 'line')::int, (d ->> 'col')::int, d ->> 'severity', d ->> 'code', d ->> 'message', d ->> 'hint'
  from rhythm._compile('check.flow', "check".source) c,
    jsonb_array_elements(c.diagnostics || rhythm._call_warnings('check.flow', "check".source, c.calls)) with ordinality as x(d, n)
  order by 1, 2, n;
end
$$;
comment on function rhythm.check(text) is
'Gives all errors and warnings of a workflow''s source, and stores nothing. Example: select * from rhythm.check(''return Inputs.nmae +'')';

create view rhythm.workflows as
select d.name, d.version, d.deployer::text as deployer, d.uses_sql, d.input_type, d.created_at, d.source,
  d.version = max(d.version) over (partition by d.name) as is_current
from rhythm.definitions d
where d.undeployed_at is null;
comment on view rhythm.workflows is 'Deployed workflows, each version one row; is_current is the one that start uses. Example: select name, version from rhythm.workflows where is_current';
