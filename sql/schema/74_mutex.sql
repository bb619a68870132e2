-- Mutexes: `Mutex.acquire` of workflows. One run holds a name at a time; those that wait get it in the order in which they asked.
--
-- A *claim* is there from the call to the release, or to the end of the run, whatever that is. Who *holds* a name is a row of
-- `mutexes`, of no worth without its claim: so a run that gives back or ends need not know whether somebody is just giving it the
-- name. The program is *told* by its own step, as of a signal: then its promise has an event. So nothing of a name is ever on its way
-- to a run that has no use for it any more. A run that fails gives the name to the next; its claims are *parked*, and its retry goes
-- on when it holds again what it held.
--
-- Locks. Claims are written by who has the tree of their run; one that times out also by the duty, which takes its row with SKIP LOCKED,
-- as the others do. Who holds a name is written under a lock of the transaction on the name, which is tried and never waited for. Who changes
-- claims then looks at their names under that lock, or leaves a *mark* where he does not get it, and the database's worker looks after
-- the holder's commit. What is asked under the lock sees all that was committed before: so no two get the name, and none is forgotten.

create table rhythm.mutexes (
  name text collate "C" primary key,
  execution_id uuid not null,
  promise int not null,
  -- That of the claim: one that was taken back and made anew has another.
  seq bigint not null,
  since timestamptz not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
comment on table rhythm.mutexes is 'Which run holds a mutex.';

create table rhythm.mutex_claims (
  execution_id uuid not null,
  promise int not null,
  name text collate "C" not null,
  -- The lowest of a name is the next one.
  seq bigint generated always as identity,
  asked_at timestamptz not null,
  -- When the wait is given up.
  due_at timestamptz,
  told bool not null default false,
  parked bool not null default false,
  primary key (execution_id, promise)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
comment on table rhythm.mutex_claims is 'Runs that hold a mutex or wait for it, and failed ones that did.';
create index mutex_claims_name on rhythm.mutex_claims (name, seq) where not parked;
create index mutex_claims_due on rhythm.mutex_claims (due_at) where due_at is not null;

-- Only inserted and deleted, so that leaving one conflicts with nobody.
create table rhythm.mutex_marks (
  name text collate "C" not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
comment on table rhythm.mutex_marks is 'Mutexes that somebody must look at.';

-- Returns whether this transaction may write who holds a name, until its end; never waits. Of so many names only, since one that starts
-- ten thousand runs with a name each must not fill the server's table of locks.
create function rhythm._try_mutex(p_name text) returns bool
language sql volatile as $$
  select rhythm._try_lock_few('rhythm.mutexes'::regclass, hashtextextended(p_name, 0), 64)
$$;

-- Gives names that nobody holds any more to the next runs; gives these, whom the caller has to step or mark. Locks: none; the caller has
-- the names, and so each statement sees what was committed before that. Dying halfway changes nothing.
create function rhythm._give_mutexes(p_names text[]) returns uuid[]
language plpgsql as $$
#variable_conflict use_column
declare
  v_told uuid[];
begin
  delete from rhythm.mutexes m where m.name = any (p_names) and not exists (
    select from rhythm.mutex_claims c join rhythm.live l on l.id = c.execution_id
    where c.execution_id = m.execution_id and c.promise = m.promise and c.seq = m.seq and not c.parked);
  with given as (
    insert into rhythm.mutexes (name, execution_id, promise, seq, since)
    select n, c.execution_id, c.promise, c.seq, rhythm._now()
    from unnest(p_names) n
    cross join lateral (
      select c.execution_id, c.promise, c.seq from rhythm.mutex_claims c
      where c.name = n and not c.parked and exists (select from rhythm.live l where l.id = c.execution_id)
      order by c.seq limit 1) c
    where not exists (select from rhythm.mutexes m where m.name = n)
    returning execution_id
  )
  select array_agg(distinct g.execution_id) into v_told from given g;
  return coalesce(v_told, '{}');
end
$$;

-- Gives names that nobody holds any more to the next runs; gives these, whom the caller has to step or mark. Locks: the names, tried
-- only; what is not got is left as a mark. Dying halfway changes nothing.
create function rhythm._look_at_mutexes(p_names text[]) returns uuid[]
language plpgsql as $$
declare
  v_names text[] := '{}';
begin
  if rhythm._sees_commits() then
    v_names := array(select d.n from (select distinct n from unnest(p_names) n offset 0) d where rhythm._try_mutex(d.n));
  end if;
  insert into rhythm.mutex_marks (name) select unnest(p_names) except select unnest(v_names);
  if found then
    perform rhythm._wake_steps(true);
  end if;
  return rhythm._give_mutexes(v_names);
end
$$;

-- Leaves marks for runs that have something to be told. No locks: marks are inserts. Dying halfway leaves none, nor what it was about.
create function rhythm._mark_told(p_ids uuid[]) returns void
language plpgsql as $$
begin
  if p_ids <> '{}' then
    perform rhythm._mark(p_ids, array_fill(null::int, array[cardinality(p_ids)]), false);
  end if;
end
$$;

-- Gives back and claims mutexes for steps: those of the i-th are p_effects[i].releases, [promise], and p_effects[i].locks,
-- [{promise, name, due_ms}]. Gives those that have got at once what they claimed. Who gives one back and claims it again is behind
-- those that wait. Locks: claims of these runs, whose trees the caller has; then as _look_at_mutexes. Dying halfway undoes the steps.
create function rhythm._apply_mutexes(p_ids uuid[], p_effects jsonb) returns uuid[]
language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz := rhythm._now();
  v_names text[];
  v_asked text[];
  v_asking uuid[];
  v_told uuid[];
  v_due timestamptz;
begin
  with gone as (
    delete from rhythm.mutex_claims c
    using rows from (unnest(p_ids), jsonb_array_elements(p_effects)) as o (id, effects), jsonb_array_elements_text(o.effects -> 'releases') e
    where c.execution_id = o.id and c.promise = e::int and c.told
    returning c.name
  )
  select array_agg(g.name) into v_names from gone g;
  with asked as (
    insert into rhythm.mutex_claims (execution_id, promise, name, asked_at, due_at)
    select o.id, (e ->> 'promise')::int, e ->> 'name', v_now,
      -- Null stays null: `least` alone would pass over it.
      case when e ->> 'due_ms' is not null then to_timestamp(least((e ->> 'due_ms')::float8, 9e12) / 1000) end
    from rows from (unnest(p_ids), jsonb_array_elements(p_effects)) with ordinality as o (id, effects, number),
      jsonb_array_elements(o.effects -> 'locks') with ordinality as x (e, at)
    order by o.number, x.at
    returning execution_id, name, due_at
  )
  select array_agg(a.name), array_agg(distinct a.execution_id), min(a.due_at) into v_asked, v_asking, v_due from asked a;
  if v_due is not null then
    perform rhythm._wake_due(v_due);
  end if;
  v_told := rhythm._look_at_mutexes(v_names || v_asked);
  perform rhythm._mark_told(array(select unnest(v_told) except select unnest(v_asking)));
  return array(select unnest(v_told) intersect select unnest(v_asking));
end
$$;

-- Tells a run what it has got: makes events of its claims that hold. The caller has its tree. Locks: the claims with SKIP LOCKED: one that
-- is just timing out has its event from there. Dying halfway undoes the step.
create function rhythm._tell_mutexes(p_id uuid) returns void
language plpgsql as $$
#variable_conflict use_column
begin
  with got as (
    update rhythm.mutex_claims c set told = true, due_at = null
    where c.ctid = any (array(
      select o.ctid from rhythm.mutex_claims o join rhythm.mutexes m on m.name = o.name and m.seq = o.seq
      where o.execution_id = p_id and not o.told and not o.parked for update of o skip locked))
    returning c.promise, c.name, c.seq, c.asked_at
  ), noted as (
    insert into rhythm.history (execution_id, at, event, name, data)
    select p_id, rhythm._now(), 'mutex_acquired', g.name, jsonb_build_object('since', g.asked_at) from got g order by g.seq
  )
  insert into rhythm.events (execution_id, promise, ok, value)
  select p_id, g.promise, true, jsonb_build_object('name', g.name, 'id', g.promise) from got g order by g.seq;
end
$$;

-- Takes back claims of promises that a step has given up. The next ones are stepped after the commit. Locks: the claims with SKIP LOCKED (one
-- that is just timing out goes by itself), then as _look_at_mutexes. Dying halfway undoes the step.
create function rhythm._give_up_mutexes(p_id uuid, p_promises int[]) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_names text[];
begin
  with gone as (
    delete from rhythm.mutex_claims c where c.ctid = any (array(
      select o.ctid from rhythm.mutex_claims o where o.execution_id = p_id and o.promise = any (p_promises) for update skip locked))
    returning c.name
  )
  select array_agg(g.name) into v_names from gone g;
  if v_names is not null then
    perform rhythm._mark_told(rhythm._look_at_mutexes(v_names));
  end if;
end
$$;

-- Takes back all claims of a run that ends or begins again, or parks them for its retry. The next ones are stepped after the commit. Locks: the
-- claims with SKIP LOCKED, then as _look_at_mutexes. Dying halfway, the run has not ended.
create function rhythm._leave_mutexes(p_id uuid, p_park bool) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  -- Also of those that are just timing out: whoever gives it the name in this moment does not know of the end.
  v_names text[] := array(select distinct c.name from rhythm.mutex_claims c where c.execution_id = p_id and not c.parked);
begin
  if p_park then
    update rhythm.mutex_claims c set parked = true where c.ctid = any (array(
      select o.ctid from rhythm.mutex_claims o where o.execution_id = p_id and not o.parked for update skip locked));
  else
    delete from rhythm.mutex_claims c where c.ctid = any (array(
      select o.ctid from rhythm.mutex_claims o where o.execution_id = p_id for update skip locked));
  end if;
  if v_names <> '{}' then
    perform rhythm._mark_told(rhythm._look_at_mutexes(v_names));
  end if;
end
$$;

-- Lets a run that was retried claim again what it held, one after the other in the order in which it had asked (in any other it might
-- wait for one that waits for it; the numbers of its promises tell it, however often it is retried), then what it waited for. True: it holds all that it held, and may go on. Else who gives it the next one
-- leaves a mark. Locks: its claims, as the caller has the tree; then as _look_at_mutexes. Dying halfway leaves it to the next look.
create function rhythm._claim_again(p_id uuid) returns bool
language plpgsql as $$
#variable_conflict use_column
declare
  v_one record;
  v_names text[];
begin
  loop
    select c.promise, c.name, c.parked into v_one from rhythm.mutex_claims c
    where c.execution_id = p_id and c.told
      and (c.parked or not exists (select from rhythm.mutexes m where m.name = c.name and m.seq = c.seq))
    order by c.parked, c.promise limit 1;
    exit when not found;
    if not v_one.parked then
      -- Whoever was to give it the name may have looked before it was back.
      perform rhythm._mark_told(rhythm._look_at_mutexes(array[v_one.name]));
      if not exists (select from rhythm.mutex_claims c join rhythm.mutexes m on m.name = c.name and m.seq = c.seq
        where c.execution_id = p_id and c.promise = v_one.promise)
      then
        return false;
      end if;
      continue;
    end if;
    update rhythm.mutex_claims c set parked = false, seq = default, asked_at = rhythm._now()
    where c.execution_id = p_id and c.promise = v_one.promise;
    perform rhythm._mark_told(rhythm._look_at_mutexes(array[v_one.name]));
  end loop;
  with again as (
    update rhythm.mutex_claims c set parked = false, seq = default where c.ctid = any (array(
      select o.ctid from rhythm.mutex_claims o where o.execution_id = p_id and o.parked for update skip locked))
    returning c.name
  )
  select array_agg(a.name) into v_names from again a;
  if v_names is not null then
    perform rhythm._mark_told(rhythm._look_at_mutexes(v_names));
  end if;
  return true;
end
$$;

-- Returns which of these runs, that are to go on after a retry, may: the others wait for what they held. The caller has their trees. Locks:
-- as _claim_again, and as _retry_below, for 50 ms at most. Dying halfway leaves them due.
create function rhythm._hold_again(p_ids uuid[]) returns uuid[]
language plpgsql as $$
#variable_conflict use_column
declare
  v_id uuid;
  v_ready uuid[] := array(
    select i from unnest(p_ids) i where not exists (select from rhythm.mutex_claims c where c.execution_id = i));
  v_timeout text := current_setting('lock_timeout');
  v_until timestamptz;
begin
  for v_id in select i from unnest(p_ids) i where i <> all (v_ready) order by i loop
    if rhythm._claim_again(v_id) then
      v_ready := v_ready || v_id;
      -- What it failed of inside was not retried before. A duty waits for nobody's transaction.
      perform set_config('lock_timeout', '50ms', true);
      perform rhythm._retry_below(array[v_id], array[null::interval]);
      perform set_config('lock_timeout', v_timeout, true);
    else
      -- It hears of no cancel until it goes on, but its grace is over when it is.
      v_until := (select min(c.at + c.grace) from rhythm.cancels c where c.execution_id = v_id);
      update rhythm.live l set end_by = least(l.end_by, v_until), due_at = least(l.start_by, l.end_by, v_until) where l.id = v_id;
      if v_until is not null then
        perform rhythm._wake_due(v_until);
      end if;
    end if;
  end loop;
  return v_ready;
end
$$;

-- Looks at the names that have marks, then gives up claims whose time is up; gives how much that was. Runs that get something have marks of
-- their own then. Locks: the names, tried only, then claims with SKIP LOCKED. Dying halfway leaves marks and claims.
create function rhythm._do_mutexes(p_max int) returns int
language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz;
  v_names text[] := '{}';
  v_ids uuid[];
  v_late text[];
  v_count int;
begin
  -- Where nobody uses them, nothing more is asked.
  if not exists (select from rhythm.mutex_marks) and not exists (select from rhythm.mutex_claims c where c.due_at is not null) then
    return 0;
  end if;
  v_now := rhythm._now();
  if exists (select from rhythm.mutex_marks) then
    v_names := array(select d.name from (select distinct k.name from rhythm.mutex_marks k offset 0) d where rhythm._try_mutex(d.name) limit 64);
    -- A mark that is not seen here is for the next round.
    delete from rhythm.mutex_marks k where k.name = any (v_names);
    perform rhythm._mark_told(rhythm._give_mutexes(v_names));
    if cardinality(v_names) = 64 then
      -- As many as one transaction looks at. Of those behind them some may be free: nothing times out before they are looked at.
      return p_max;
    end if;
  end if;
  with due as materialized (
    select c.execution_id, c.promise from rhythm.mutex_claims c
    where c.due_at <= v_now and not exists (select from rhythm.mutexes m where m.name = c.name and m.seq = c.seq)
    order by c.due_at limit p_max for update of c skip locked
  ), gone as (
    delete from rhythm.mutex_claims c using due d where c.execution_id = d.execution_id and c.promise = d.promise
    returning c.execution_id, c.promise, c.name, c.asked_at
  ), told as (
    insert into rhythm.events (execution_id, promise, ok, error)
    select g.execution_id, g.promise, false, jsonb_build_object('name', 'TimeoutError',
      'message', format('the mutex %s was not free in time', quote_literal(g.name)))
    from gone g
  ), noted as (
    insert into rhythm.history (execution_id, at, event, name, data)
    select g.execution_id, v_now, 'mutex_timed_out', g.name, jsonb_build_object('since', g.asked_at) from gone g
  )
  select array_agg(distinct g.execution_id), array_agg(distinct g.name), count(*) into v_ids, v_late, v_count from gone g;
  -- Who has got it, and met this in its step, was not told. Not again and again, where somebody has the tree.
  v_ids := v_ids || array(
    select distinct c.execution_id from rhythm.mutex_claims c join rhythm.mutexes m on m.name = c.name and m.seq = c.seq
    where c.due_at <= v_now and not exists (select from rhythm.runnable r where r.root_id = c.execution_id));
  -- Somebody may be just giving the names to those that have given up.
  perform rhythm._mark_told(v_ids || rhythm._look_at_mutexes(v_late));
  return v_count + cardinality(v_names);
end
$$;
