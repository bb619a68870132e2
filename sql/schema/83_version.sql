-- Versions of workflows: which run where, and how one stops.
--
-- A version that was undeployed keeps its row: executions tell their version, and no number is used twice. Its source and program go when
-- nothing is left that could need them (`_forget_undeployed`): a start that had not committed when it was undeployed, or the retry of
-- a failed run, still find them.
--
-- Locks: the lock on the workflow's name that deploys take, until the caller's commit.

create view rhythm.versions as
select d.name as workflow, d.version, d.created_at as deployed_at, d.deployer::text as deployed_by,
  d.undeployed_at is null and d.version = max(d.version) filter (where d.undeployed_at is null) over (partition by d.name) as is_current,
  r.at as retired_at, d.undeployed_at,
  (select count(*) from rhythm.live l where l.definition_id = d.id) as runs
from rhythm.definitions d
left join rhythm.retirements r on r.workflow = d.name;
comment on view rhythm.versions is 'All versions of workflows, also those that were undeployed; is_current is the one that start uses. runs counts the live runs on each by an index: exact, at some 50 ms for each million of them, and only if the column is asked for. Example: select workflow, version, is_current, runs from rhythm.versions where runs > 0';

-- Raises if a workflow has no version. No locks.
create function rhythm._check_deployed(p_workflow text) returns void
language plpgsql as $$
begin
  perform rhythm._check_name('workflow name', p_workflow);
  if not exists (select from rhythm.definitions d where d.name = p_workflow and d.undeployed_at is null) then
    perform rhythm._raise('RH102', format('workflow "%s" is not deployed', p_workflow), null,
      'Look at rhythm.workflows, or correct the name.');
  end if;
end
$$;

-- Stops new starts. Locks: the workflow's name, until the caller's commit. Dying halfway retires nothing.
create function rhythm.retire(workflow text, reason text default null) returns bool
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform rhythm._check_deployed(retire.workflow);
  if octet_length(retire.reason) > 10000 then
    perform rhythm._raise('RH002', format('reason must have at most 10000 bytes, not %s', octet_length(retire.reason)), null,
      'Give a short reason.');
  end if;
  perform rhythm._lock('rhythm.definitions'::regclass, hashtextextended(retire.workflow, 0));
  insert into rhythm.retirements (workflow, at, by, reason)
  values (retire.workflow, rhythm._now(), session_user, retire.reason)
  on conflict do nothing;
  return found;
end
$$;
comment on function rhythm.retire(text, text) is
'Stops new starts of a workflow, by whomever: start, schedules and parents get an error with the reason. Runs that have begun go on, and can be retried. False: it was retired before. Example: select rhythm.retire(''order'', ''replaced by order-v2'')';

-- Allows new starts again. Locks and halfway: as retire.
create function rhythm.unretire(workflow text) returns bool
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform rhythm._check_name('workflow name', unretire.workflow);
  perform rhythm._lock('rhythm.definitions'::regclass, hashtextextended(unretire.workflow, 0));
  delete from rhythm.retirements r where r.workflow = unretire.workflow;
  if not found then
    perform rhythm._check_deployed(unretire.workflow);
    return false;
  end if;
  return true;
end
$$;
comment on function rhythm.unretire(text) is
'Lets a retired workflow be started again. False: it was not retired. Example: select rhythm.unretire(''order'')';

-- Takes versions away. Locks: the workflow's name, until the caller's commit. Dying halfway leaves them.
create function rhythm.undeploy(workflow text, version int default null) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_runs text;
  v_count int;
begin
  perform rhythm._check_deployed(undeploy.workflow);
  perform rhythm._lock('rhythm.definitions'::regclass, hashtextextended(undeploy.workflow, 0));
  if undeploy.version is not null then
    perform rhythm._version_id(undeploy.workflow, undeploy.version);
  end if;
  select string_agg(format('version %s: %s', d.version, n.count), ', ' order by d.version) into v_runs
  from rhythm.definitions d
  cross join lateral (select count(*) from rhythm.live l where l.definition_id = d.id) n
  where d.name = undeploy.workflow and d.undeployed_at is null and n.count > 0
    and (undeploy.version is null or d.version = undeploy.version);
  if v_runs is not null then
    perform rhythm._raise('RH346', format('workflow "%s" has live runs', undeploy.workflow), format('Runs: %s.', v_runs),
      'Move them to another version with rhythm.move or `rhythm migrate-runs`, end them, or wait; rhythm.retire stops new ones meanwhile.');
  end if;
  update rhythm.definitions d set undeployed_at = rhythm._now()
  where d.name = undeploy.workflow and d.undeployed_at is null
    and (undeploy.version is null or d.version = undeploy.version);
  get diagnostics v_count = row_count;
  return v_count;
end
$$;
comment on function rhythm.undeploy(text, int) is
'Takes a version of a workflow away, or all of them (null), and gives how many: refused while runs live on one. Of the newest version, starts use the one before from then on. Failed runs can still be retried: the program stays as long as one of them is kept. Example: select rhythm.undeploy(''order'', 3)';

-- Gives the id of a version of a workflow that is deployed: of the newest for null. No locks.
create function rhythm._version_id(p_workflow text, p_version int) returns bigint
language plpgsql as $$
declare
  v_id bigint;
begin
  select d.id into v_id from rhythm.definitions d
  where d.name = p_workflow and d.undeployed_at is null and (p_version is null or d.version = p_version)
  order by d.version desc limit 1;
  if v_id is null then
    perform rhythm._raise('RH344',
      case when p_version is null then format('workflow "%s" has no version any more', p_workflow)
        else format('workflow "%s" has no version %s', p_workflow, p_version) end,
      (select format('Versions: %s.', string_agg(d.version::text, ', ' order by d.version))
        from rhythm.definitions d where d.name = p_workflow and d.undeployed_at is null having count(*) > 0),
      'Look at rhythm.versions.');
  end if;
  return v_id;
end
$$;

-- Drops sources and programs of versions that were undeployed a day ago or earlier, when no run is left that could need them. Locks:
-- their rows. Dying halfway drops none.
create function rhythm._forget_undeployed(p_max int) returns int
language plpgsql as $$
declare
  v_count int;
begin
  update rhythm.definitions d set source = '', program = ''
  where d.id = any (array(
    select u.id from rhythm.definitions u
    where u.undeployed_at < rhythm._now() - interval '1 day' and u.program <> ''
      and not exists (select from rhythm.live l where l.definition_id = u.id)
      and not exists (select from rhythm.archive a
        where a.state in ('failed', 'timed_out') and a.definition_id = u.id and a.expires_on > rhythm._today())
    order by u.id limit p_max for update skip locked));
  get diagnostics v_count = row_count;
  return v_count;
end
$$;
