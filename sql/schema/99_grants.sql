-- Owners, rights, and what pg_dump carries. `_seal()` is idempotent, and upgrade scripts end with it too.

-- Gives everything in the schema to rhythm_owner and takes it from PUBLIC; then grants the public surface. Locks: objects of the
-- schema, as ALTER and GRANT do, while the extension is installed or updated. Dying halfway, it is not.
create function rhythm._seal() returns void
language plpgsql as $$
declare
  v_one record;
  v_client text := 'rhythm_admin, rhythm_worker, rhythm_client';
begin
  for v_one in
    select format('alter %s %s owner to rhythm_owner',
      case c.relkind when 'v' then 'view' when 'S' then 'sequence' when 'c' then 'type' else 'table' end, c.oid::regclass) as command
    from pg_catalog.pg_class c
    where c.relnamespace = 'rhythm'::regnamespace and c.relkind in ('r', 'p', 'v', 'c')
      and c.relowner <> 'rhythm_owner'::regrole
    union all
    select format('alter statistics %s.%I owner to rhythm_owner', s.stxnamespace::regnamespace, s.stxname)
    from pg_catalog.pg_statistic_ext s
    where s.stxnamespace = 'rhythm'::regnamespace and s.stxowner <> 'rhythm_owner'::regrole
    union all
    select format('alter routine %s owner to rhythm_owner', p.oid::regprocedure)
    from pg_catalog.pg_proc p where p.pronamespace = 'rhythm'::regnamespace and p.proowner <> 'rhythm_owner'::regrole
    union all
    select format('alter type %s owner to rhythm_owner', t.oid::regtype)
    from pg_catalog.pg_type t
    where t.typnamespace = 'rhythm'::regnamespace and t.typtype = 'e' and t.typowner <> 'rhythm_owner'::regrole
  loop
    execute v_one.command;
  end loop;

  revoke all on all tables in schema rhythm from public;
  revoke all on all routines in schema rhythm from public;
  execute 'grant usage on schema rhythm to ' || v_client;
  for v_one in
    select case
        -- INVOKER: whoever deploys calls the seam and the raise itself, and the SQL of his workflows runs as himself.
        when p.proname in ('deploy', '_deploy', '_sql_query', '_sql_analyze', '_cancelled_by') then 'rhythm_admin'
        when p.proname in ('configure_queue', 'pause_queue', 'resume_queue', 'pause_task', 'resume_task', 'pause_all', 'resume_all',
          'adopt', 'retry_many', 'cleanup', 'tick', 'resolve', 'move', 'move_many', 'fork', 'retire', 'unretire', 'undeploy')
          then 'rhythm_admin'
        when p.proname in ('register', 'claim', 'heartbeat', 'complete', 'fail', 'snooze', 'finish') then 'rhythm_admin, rhythm_worker'
        else v_client
      end as roles, p.oid::regprocedure as name
    from pg_catalog.pg_proc p
    where p.pronamespace = 'rhythm'::regnamespace
      and (p.proname !~ '^_' or p.proname in ('_deploy', '_raise', '_sql_query', '_sql_analyze', '_cancelled_by')
        -- What views call, they call as who reads them.
        or p.proname in ('_count_queues', '_count_failed', '_show_retry', '_show_duration'))
  loop
    execute format('grant execute on routine %s to %s', v_one.name, v_one.roles);
  end loop;
  for v_one in
    select c.oid::regclass as name from pg_catalog.pg_class c
    where c.relnamespace = 'rhythm'::regnamespace and c.relkind = 'v'
  loop
    execute format('grant select on %s to %s', v_one.name, v_client);
  end loop;

  -- Whoever looks around with \df+ shall see what is not for him.
  for v_one in
    select format('comment on function %s is %L', p.oid::regprocedure, 'Internal: may change in any version.') as command
    from pg_catalog.pg_proc p
    where p.pronamespace = 'rhythm'::regnamespace and p.proname ~ '^_' and pg_catalog.obj_description(p.oid, 'pg_proc') is null
    union all
    select format('comment on sequence %s is %L', c.oid::regclass, 'Internal: numbers the rows of its table.')
    from pg_catalog.pg_class c
    where c.relnamespace = 'rhythm'::regnamespace and c.relkind = 'S' and pg_catalog.obj_description(c.oid, 'pg_class') is null
  loop
    execute v_one.command;
  end loop;
end
$$;

select rhythm._seal();

-- Inside CREATE EXTENSION: the data of all tables goes into dumps, but for the two rows that the script inserts.
do $$
declare
  v_table regclass;
begin
  if not exists (select from pg_catalog.pg_extension where extname = 'rhythm') then
    return;
  end if;
  for v_table in
    select c.oid from pg_catalog.pg_class c
    where c.relnamespace = 'rhythm'::regnamespace
      and (c.relkind = 'S' or (c.relkind = 'r' and c.relname not in ('test_clock', 'maintenance', 'pause_marks')))
  loop
    perform pg_catalog.pg_extension_config_dump(v_table, '');
  end loop;
  -- That a database was restored is noted anew where its dump is restored.
  perform pg_catalog.pg_extension_config_dump('rhythm.pause_marks', 'where what <> ''restored''');
end
$$;
