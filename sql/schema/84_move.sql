-- Moves: a run goes on in another version of its workflow, where it can be proven that it could have come to its state there.
--
-- The proof is the library's (`_move_save`, flow/src/program/lockstep.rs): what the run may have executed is the same code in both
-- versions, and what the code behind its awaits reads has a value. It gives the state in the form of the other version. What was
-- recorded for the run and not taken (events, timers, signals) is told by the number of the promise, and stays as it is.
--
-- Locks: the run's row of `live` with SKIP LOCKED, which keeps steps away, or its row of `archive`, which keeps its retry away.

-- Moves one run, or says why not. `outcome`: moved, same (it is on that version), refused, busy (somebody steps it), ended, task, unknown. Locks: as the head of this
-- file says; none in a dry run. Dying halfway leaves it on its version.
create function rhythm._move_one(p_id uuid, p_to bigint, p_dry_run bool,
  out outcome text, out from_version int, out what text, out old_place text, out new_place text)
language plpgsql as $$
#variable_conflict use_column
declare
  v_run record;
  v_lives bool;
  v_to rhythm.definitions;
  v_save bytea;
begin
  if rhythm._in_step() and not p_dry_run then
    outcome := 'busy';
    return;
  end if;
  if not p_dry_run then
    perform from rhythm.live l where l.id = p_id for update skip locked;
    if not found and exists (select from rhythm.live l where l.id = p_id) then
      outcome := 'busy';
      return;
    end if;
    v_lives := found;
    if not v_lives then
      perform from rhythm.archive a where a.id = p_id for update;
    end if;
  end if;
  select x.* into v_run from (
    select l.kind, l.name, l.state::text as state, l.definition_id, l.inputs, true as lives from rhythm.live l where l.id = p_id
    union all
    select a.kind, a.name, a.state::text, a.definition_id, a.inputs, false from rhythm.archive a
    where a.id = p_id and a.expires_on > rhythm._today()) x;
  if not found then
    outcome := 'unknown';
    return;
  elsif not p_dry_run and v_run.lives is distinct from v_lives then
    -- It was retried while this waited for its row, and is locked by nobody here.
    outcome := 'busy';
    return;
  elsif v_run.kind = 'task' then
    outcome := 'task';
    return;
  elsif v_run.state in ('completed', 'cancelled') then
    outcome := 'ended';
    what := v_run.state;
    return;
  end if;
  from_version := (select d.version from rhythm.definitions d where d.id = v_run.definition_id);
  if v_run.definition_id = p_to then
    outcome := 'same';
    return;
  end if;
  select d.* into v_to from rhythm.definitions d where d.id = p_to;
  v_save := (select s.save from rhythm.saves s where s.id = p_id);
  if v_save is null then
    -- It has not begun, or has failed in its first step, which is undone.
    if v_to.input_type is not null then
      select string_agg(format('%s: %s', e ->> 'path', e ->> 'message'), '; ') into what
      from jsonb_array_elements(rhythm._check_inputs(p_to, v_run.inputs)) e;
      what := 'its inputs do not fit there: ' || what;
    end if;
  else
    select m.save, m.what, m.old_place, m.new_place into v_save, what, old_place, new_place
    from rhythm._move_save(v_run.definition_id, p_to, v_to.version, v_save) m;
  end if;
  if what is not null then
    outcome := 'refused';
    return;
  end if;
  outcome := 'moved';
  if p_dry_run then
    return;
  end if;
  if v_run.lives then
    update rhythm.live l set definition_id = p_to where l.id = p_id;
  else
    update rhythm.archive a set definition_id = p_to where a.id = p_id;
  end if;
  update rhythm.saves s set save = v_save where s.id = p_id and v_save is not null;
  insert into rhythm.history (execution_id, at, event, name, data)
  values (p_id, rhythm._now(), 'moved', session_user, jsonb_build_object('from', from_version, 'to', v_to.version));
end
$$;

-- Moves one run or raises; gives its version. Locks and halfway: as _move_one.
create function rhythm._move(p_id uuid, p_version int) returns int
language plpgsql as $$
declare
  v_name text;
  v_to bigint;
  v_version int;
  v_done record;
begin
  v_name := (
    select x.name from (
      select l.name from rhythm.live l where l.id = p_id and l.kind = 'workflow'
      union all
      select a.name from rhythm.archive a where a.id = p_id and a.kind = 'workflow' and a.expires_on > rhythm._today()) x);
  if v_name is null then
    perform rhythm._check_known(p_id);
    perform rhythm._raise('RH341', format('execution %s is a task, which has no version', p_id), null, 'Give the id of a run.');
  end if;
  v_to := rhythm._version_id(v_name, p_version);
  v_version := (select d.version from rhythm.definitions d where d.id = v_to);
  v_done := rhythm._move_one(p_id, v_to, false);
  if v_done.outcome = 'busy' then
    perform rhythm._raise('RH343', format('run %s is being stepped just now', p_id), null, 'Call again in a moment.');
  elsif v_done.outcome = 'unknown' then
    -- It has ended or was retried between the two looks.
    perform rhythm._check_known(p_id);
    perform rhythm._raise('RH343', format('run %s is being changed just now', p_id), null, 'Call again in a moment.');
  elsif v_done.outcome = 'ended' then
    perform rhythm._raise('RH341', format('run %s is %s', p_id, v_done.what), null,
      'Only a run that is alive, or has failed and may be retried, can go on in another version.');
  elsif v_done.outcome = 'refused' then
    perform rhythm._raise('RH342', format('run %s cannot go on in version %s of workflow "%s"', p_id, v_version, v_name),
      case when v_done.old_place is null then format('%s.', v_done.what)
        else format('%s: %s in version %s, %s in version %s.', v_done.what, v_done.old_place, v_done.from_version,
          coalesce(v_done.new_place, 'nowhere'), v_version) end,
      'Deploy a version whose code is the same as far as the run has come, or let it end on its own.');
  end if;
  return v_version;
end
$$;

-- Lets a run go on in another version. Locks and halfway: as _move_one.
create function rhythm.move(id uuid, version int default null) returns int
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
begin
  perform rhythm._check_given('id', move.id is not null);
  return rhythm._move(move.id, move.version);
end
$$;
comment on function rhythm.move(uuid, int) is
'Lets a run that waits, or has failed, go on in another version of its workflow (the newest, if none is given), and gives that version. Only where all that the run may have executed is the same there, from the beginning of each function that waits up to its await in the order of the text; what comes behind may be anything. Else refused with the line that differs. Example: select rhythm.move(''0190a1b2-0000-7000-8000-000000000000'')';

-- Moves live runs of a workflow, each that can be. Locks: as _move_one, in the order of ids; what somebody steps just now is told as
-- busy. Dying halfway moves none.
create function rhythm.move_many(workflow text, version int default null, after uuid default null, max int default 1000,
  dry_run bool default false)
returns table (id uuid, from_version int, outcome text, reason text, old_place text, new_place text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
declare
  v_to bigint;
  v_id uuid;
begin
  perform rhythm._check_deployed(move_many.workflow), rhythm._check_given('dry_run', move_many.dry_run is not null),
    rhythm._check_given('max', move_many.max is not null);
  if move_many.max < 1 then
    perform rhythm._raise('RH002', format('max must be 1 or more, not %s', move_many.max), null,
      'Give how many may be looked at by this call at most.');
  end if;
  v_to := rhythm._version_id(move_many.workflow, move_many.version);
  for v_id in
    select l.id from rhythm.definitions d
    cross join lateral (
      select l.id from rhythm.live l
      where l.definition_id = d.id and l.id > coalesce(move_many.after, '00000000-0000-0000-0000-000000000000')
      order by l.id limit move_many.max) l
    where d.name = move_many.workflow and d.id <> v_to
    order by l.id limit move_many.max
  loop
    id := v_id;
    select m.outcome, m.from_version, m.what, m.old_place, m.new_place into outcome, from_version, reason, old_place, new_place
    from rhythm._move_one(v_id, v_to, move_many.dry_run) m;
    continue when outcome in ('same', 'ended', 'unknown');
    return next;
  end loop;
end
$$;
comment on function rhythm.move_many(text, int, uuid, int, bool) is
'Lets the live runs of a workflow that are on other versions go on in this one (the newest, if none is given), each for which that can be proven, as move does. Gives a row for each of at most max runs, in the order of ids behind after: moved, refused (with the reason and the places that differ), or busy, for which a later call is needed. dry_run only says it. Example: select outcome, count(*) from rhythm.move_many(''order'', dry_run => true) group by outcome';
