-- Retention: finished executions expire on a day; a week of them is a partition of `archive`, attached weeks ahead and
-- dropped when its last day is over. What expires inside a week that is not over is invisible already.
--
-- A run of retention is a row of steps, each a transaction of its own that does a bounded piece, and other duties have a round between
-- any two of them (`_run_duties`). Where it is stands in `maintenance`, so dying halfway loses one step:
--
--   attach -> move -> sweep <-> drop -> default -> rest -> (in an hour, or a minute if somebody held a lock) attach
--
-- Locks: ATTACH and DROP keep everybody from the archive, and any open reader keeps them from it; so each is alone in its
-- transaction, under a lock_timeout of 50 ms, and what it loses is itself. It is tried five times, with other duties between.
-- The other steps wait a second for rows at most.

create table rhythm.maintenance (
  only_row bool primary key default true check (only_row),
  -- Not at once: when a dump is being restored, its own partitions come first.
  next_at timestamptz not null default now() + interval '5 minutes',
  step text not null default 'attach',
  -- How often in a row it did not get a lock.
  tries int not null default 0,
  -- Whether the next round is retention's.
  turn bool not null default false,
  -- Whether a step of this run has failed.
  hindered bool not null default false,
  -- The day of the last walk that moved members, and where the present one is: the partition, and the last tree.
  moved_on date,
  moving_since date,
  moving_part name,
  moving_after uuid,
  -- The expired partition whose side tables are being swept, up to which id; and the one that has only to be dropped.
  sweeping_part name,
  sweeping_after uuid,
  swept_part name,
  -- Where the slow walk over the history is.
  history_after uuid,
  -- And that over the kept states.
  states_after uuid
);
comment on table rhythm.maintenance is 'When retention runs next, and where it is.';
insert into rhythm.maintenance default values;

-- Returns whether the next step's time has come. No locks.
create function rhythm._retention_is_due() returns bool
language sql volatile as $$
  select m.next_at <= rhythm._now() from rhythm.maintenance m
$$;

-- Returns whether this round is retention's, which is every second one. Null: another session is at it. Locks: the one row of
-- `maintenance` with SKIP LOCKED. Dying halfway, it is the turn of the same once more.
create function rhythm._retention_turn() returns bool
language plpgsql as $$
declare
  v_turn bool;
begin
  perform from rhythm.maintenance for update skip locked;
  if found then
    update rhythm.maintenance m set turn = not m.turn returning not m.turn into v_turn;
  end if;
  return v_turn;
end
$$;

-- Says whose the next round is, unless another session is at it. Locks: the one row of `maintenance` with SKIP LOCKED.
create function rhythm._give_retention(p_turn bool) returns void
language plpgsql as $$
begin
  update rhythm.maintenance m set turn = p_turn
  where m.turn <> p_turn and m.ctid = any (array(select o.ctid from rhythm.maintenance o for update skip locked));
end
$$;

-- Gives the weeks that are attached, oldest first.
create function rhythm._weeks() returns table (part name, first_day date)
language sql stable as $$
  select c.relname, to_date(right(c.relname, 8), 'YYYYMMDD')
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'rhythm.archive'::regclass and c.relname ~ '^archive_\d{8}$'
  order by 1
$$;

-- Attaches one of the partitions of the weeks to come that are missing, and gives the next step. The parent is locked against inserts
-- first: one that had already chosen the default partition would otherwise fail when the new partition takes its range.
--
-- A week of which the default partition has rows already is left to it; and so is every one while it has more than 64 MB, since
-- the server reads all of it under the locks of an ATTACH.
create function rhythm._attach_partition() returns text
language plpgsql as $$
declare
  v_from date;
  v_name text;
  v_taken text := 'select exists (select from rhythm.archive_default a where a.expires_on >= $1 and a.expires_on < $1 + 7)';
  v_is_taken bool;
begin
  if pg_relation_size('rhythm.archive_default') > 64 * 1024 * 1024 then
    return 'move';
  end if;
  for v_from in
    select date_trunc('week', rhythm._today())::date + 7 * w from generate_series(0, 7) w
  loop
    v_name := 'archive_' || to_char(v_from, 'YYYYMMDD');
    continue when to_regclass('rhythm.' || v_name) is not null;
    execute v_taken into v_is_taken using v_from;
    continue when v_is_taken;
    execute format('create table rhythm.%I (like rhythm.archive including defaults including constraints)', v_name);
    execute format('alter table rhythm.%I add check (expires_on >= %L and expires_on < %L)', v_name, v_from, v_from + 7);
    execute format('create index on rhythm.%I (id)', v_name);
    execute format('create index on rhythm.%I (parent_id) where parent_id is not null', v_name);
    execute format('create index on rhythm.%I (parent_id) where parent_id is not null and kind = ''workflow''', v_name);
    execute format('create index on rhythm.%I (queue, state, expires_on) where state in (''failed'', ''timed_out'')', v_name);
    lock table only rhythm.archive in share row exclusive mode;
    execute v_taken into v_is_taken using v_from;
    if v_is_taken then
      -- It got its first row in this very moment.
      raise lock_not_available;
    end if;
    execute format('alter table rhythm.archive attach partition rhythm.%I for values from (%L) to (%L)',
      v_name, v_from, v_from + 7);
    return 'attach';
  end loop;
  return 'move';
end
$$;

-- Lets members of a tree that would expire within two days expire on this day, up to `p_max`; gives their number. Locks: the
-- rows that it moves on, skipping those that others hold. Dying halfway moves none.
create function rhythm._keep_members(p_root uuid, p_until date, p_max int) returns int
language plpgsql as $$
declare
  v_count int;
begin
  update rhythm.archive a set expires_on = p_until
  where a.id = any (array(
    select x.id from rhythm.archive x
    where x.parent_id = p_root and x.root_id = p_root and x.expires_on <= rhythm._today() + 2 and x.expires_on < p_until
    -- One that is just retried, or deleted, needs it no more.
    limit p_max for update skip locked));
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

-- Once a day: members of trees that stand for longer are moved to the day of their root, or 30 days on if that is alive, before they
-- expire. Walks from tree to tree by the index of parents, so that other executions cost nothing; up to 500 trees or 10 000
-- rows. Locks: the one row of `maintenance`, then as _keep_members. Dying halfway, the piece is done again.
create function rhythm._move_members() returns text
language plpgsql as $$
declare
  v_today date := rhythm._today();
  v_part name;
  v_after uuid;
  v_last uuid;
  v_trees uuid[];
  v_tree uuid;
  v_left int := 10000;
begin
  -- A walk that was interrupted for days begins again.
  update rhythm.maintenance m set moving_since = v_today, moving_part = '', moving_after = null
  where m.moved_on is distinct from v_today and (m.moving_since is null or m.moving_since < v_today - 1);
  select m.moving_part, m.moving_after into v_part, v_after from rhythm.maintenance m where m.moving_since is not null;
  if not found then
    return 'sweep';
  end if;
  if v_part = '' then
    v_part := 'archive_default';
    update rhythm.maintenance set moving_part = v_part;
  end if;
  execute format($q$
    with recursive t (id) as (
      (select a.parent_id from rhythm.%1$I a
        where a.parent_id is not null and ($1 is null or a.parent_id > $1) order by a.parent_id limit 1)
      union all
      select (select a.parent_id from rhythm.%1$I a where a.parent_id is not null and a.parent_id > t.id order by a.parent_id limit 1)
      from t where t.id is not null
    )
    select array(select t.id from t where t.id is not null limit 500)$q$, v_part) into v_trees using v_after;
  foreach v_tree in array v_trees loop
    v_left := v_left - coalesce(rhythm._keep_members(v_tree, rhythm._member_expires_on(v_tree), v_left), 0);
    exit when v_left <= 0;
    v_last := v_tree;
  end loop;
  if v_trees <> '{}' then
    update rhythm.maintenance set moving_after = coalesce(v_last, v_after);
    return 'move';
  end if;
  -- The next partition, with what would expire within two days.
  v_part := (select w.part from rhythm._weeks() w
    where w.first_day <= v_today + 2 and (v_part = 'archive_default' or w.part > v_part) order by w.part limit 1);
  update rhythm.maintenance m set moving_part = v_part, moving_after = null,
    moved_on = case when v_part is null then m.moving_since else m.moved_on end,
    moving_since = case when v_part is not null then m.moving_since end;
  return case when v_part is null then 'sweep' else 'move' end;
end
$$;

-- Deletes what belonged to executions that are swept: keys, history, and of workflows what they published, the keys of their signals,
-- and what they kept for a retry. Locks: the rows that it deletes, in no order, as nobody else writes to what is over; timers
-- and waits as _forget. Dying halfway deletes nothing.
create function rhythm._sweep(p_ids uuid[], p_kinds text[], p_names text[], p_task_ids text[]) returns void
language plpgsql as $$
declare
  v_flows uuid[];
begin
  delete from rhythm.keys k using unnest(p_ids, p_kinds, p_names, p_task_ids) as o (id, kind, name, task_id)
  where k.kind = o.kind and k.name = o.name and k.task_id = o.task_id and k.id = o.id and k.until is null;
  delete from rhythm.history h where h.execution_id = any (p_ids);
  if 'workflow' = any (p_kinds) then
    v_flows := array(select o.id from unnest(p_ids, p_kinds) as o (id, kind) where o.kind = 'workflow');
    delete from rhythm.published a where a.id = any (v_flows);
    delete from rhythm.long_runs r where r.execution_id = any (v_flows);
    delete from rhythm.limit_marks m where m.execution_id = any (v_flows);
    delete from rhythm.earlier_saves k where k.execution_id = any (v_flows);
    delete from rhythm.signal_keys k where k.execution_id = any (v_flows);
    delete from rhythm.signals s where s.execution_id = any (v_flows);
    perform rhythm._forget(v_flows);
  end if;
end
$$;

-- Deletes members of trees whose roots go, up to `p_max`; gives their number. Locks: the rows that it deletes, as _sweep. Dying
-- halfway deletes nothing.
create function rhythm._take_members(p_roots uuid[], p_max int) returns int
language plpgsql as $$
declare
  v_rows record;
begin
  with d as (
    delete from rhythm.archive a where a.id = any (array(
      select x.id from rhythm.archive x
      where x.parent_id is not null and x.parent_id = any (p_roots) and x.root_id = x.parent_id and x.expires_on > rhythm._today()
      limit p_max))
    returning a.id, a.kind, a.name, a.task_id
  )
  select count(*), array_agg(d.id) as ids, array_agg(d.kind) as kinds, array_agg(d.name) as names,
    array_agg(d.task_id) as task_ids
  into v_rows from d;
  if v_rows.count > 0 then
    perform rhythm._sweep(v_rows.ids, v_rows.kinds, v_rows.names, v_rows.task_ids);
  end if;
  return v_rows.count;
end
$$;

-- Sweeps what belongs to the next 10 000 executions of the oldest week that is over; they themselves go with the DROP. Locks:
-- the one row of `maintenance`, then as _sweep. Dying halfway, the piece is done again.
create function rhythm._sweep_week() returns text
language plpgsql as $$
declare
  v_part name := (select w.part from rhythm._weeks() w where w.first_day + 7 <= rhythm._today() order by w.part limit 1);
  v_after uuid;
  v_rows record;
begin
  if v_part is null then
    return 'default';
  elsif exists (select from rhythm.maintenance m where m.swept_part = v_part) then
    return 'drop';
  end if;
  update rhythm.maintenance m set sweeping_part = v_part,
    sweeping_after = case when m.sweeping_part = v_part then m.sweeping_after end
  returning m.sweeping_after into v_after;
  execute format('select array_agg(a.id) as ids, array_agg(a.kind) as kinds, array_agg(a.name) as names,
      array_agg(a.task_id) as task_ids, array_agg(a.id) filter (where a.kind = ''workflow'') as roots
    from (select a.id, a.kind, a.name, a.task_id from rhythm.%I a where $1 is null or a.id > $1 order by a.id limit 10000) a', v_part)
  into v_rows using v_after;
  if v_rows.ids is null then
    update rhythm.maintenance set sweeping_part = null, sweeping_after = null, swept_part = v_part;
    return 'drop';
  end if;
  if v_rows.roots is not null and rhythm._take_members(v_rows.roots, 10000) = 10000 then
    return 'sweep';
  end if;
  perform rhythm._sweep(v_rows.ids, v_rows.kinds, v_rows.names, v_rows.task_ids);
  update rhythm.maintenance set sweeping_after = v_rows.ids[cardinality(v_rows.ids)];
  return 'sweep';
end
$$;

-- Drops the week that has been swept. Locks: the whole archive, as the head of this file says. Dying halfway drops nothing.
create function rhythm._drop_week() returns text
language plpgsql as $$
declare
  v_part name := (select m.swept_part from rhythm.maintenance m);
begin
  if v_part is not null then
    execute format('drop table if exists rhythm.%I', v_part);
    update rhythm.maintenance set swept_part = null;
  end if;
  return 'sweep';
end
$$;

-- Sweeps up to 10 000 rows of the default partition, which holds what had no week of its own. Locks: the rows that it deletes,
-- as _sweep. Dying halfway deletes nothing.
create function rhythm._sweep_default() returns text
language plpgsql as $$
declare
  v_rows record;
begin
  select array_agg(a.id) as ids, array_agg(a.kind) as kinds, array_agg(a.name) as names, array_agg(a.task_id) as task_ids,
    array_agg(a.id) filter (where a.kind = 'workflow') as roots
  into v_rows
  from (select x.id, x.kind, x.name, x.task_id from rhythm.archive_default x where x.expires_on <= rhythm._today() limit 10000) a;
  if v_rows.ids is null then
    return 'rest';
  end if;
  if v_rows.roots is null or rhythm._take_members(v_rows.roots, 10000) < 10000 then
    delete from rhythm.archive_default a where a.id = any (v_rows.ids);
    perform rhythm._sweep(v_rows.ids, v_rows.kinds, v_rows.names, v_rows.task_ids);
  end if;
  return 'default';
end
$$;

-- Sweeps what belongs to nobody: what arrived while its execution was ending, keys whose time is over, buckets that say nothing.
-- Locks: the rows that it deletes, most of them with SKIP LOCKED. Dying halfway deletes nothing.
create function rhythm._sweep_rest() returns text
language plpgsql as $$
declare
  v_max constant int := 10000;
  v_count int;
  v_most int := 0;
  v_after uuid;
begin
  delete from rhythm.cancels c where c.ctid = any (array(
    select o.ctid from rhythm.cancels o where not exists (select from rhythm.live l where l.id = o.execution_id)
      -- What it has left running is still to be ended.
      and not exists (select from rhythm.runnable r where r.root_id = o.execution_id)
      -- Its worker has still to hear of it: where that lives it has asked within an hour.
      and (o.worker is null or o.at < rhythm._now() - interval '1 hour')
    limit v_max for update skip locked));
  get diagnostics v_most = row_count;
  delete from rhythm.events e where e.ctid = any (array(
    select o.ctid from rhythm.events o where not exists (select from rhythm.saves s where s.id = o.execution_id)
      and not exists (select from rhythm.live l where l.id = o.execution_id) limit v_max
    for update skip locked));
  get diagnostics v_count = row_count;
  v_most := greatest(v_most, v_count);
  delete from rhythm.signals n where n.ctid = any (array(
    select o.ctid from rhythm.signals o where not exists (select from rhythm.saves s where s.id = o.execution_id)
      and not exists (select from rhythm.live l where l.id = o.execution_id) limit v_max
    for update skip locked));
  get diagnostics v_count = row_count;
  v_most := greatest(v_most, v_count);
  with d as (
    delete from rhythm.keys k where k.ctid = any (array(
      select o.ctid from rhythm.keys o where o.until <= rhythm._now() limit v_max for update skip locked))
    returning k.id, k.kind
  ), unkeyed as (
    delete from rhythm.signal_keys s using d
    where d.kind = 'workflow' and s.execution_id = d.id and not exists (select from rhythm.archive a where a.id = d.id)
      and not exists (select from rhythm.live l where l.id = d.id)
  )
  select count(*) into v_count from d;
  v_most := greatest(v_most, v_count);
  -- A bucket that is full again says nothing.
  delete from rhythm.buckets b where b.ctid = any (array(
    select o.ctid from rhythm.buckets o left join rhythm.queue_settings q on q.name = o.queue
    where q.rate is null or o.tokens + extract(epoch from rhythm._now() - o.at) * q.rate >= rhythm._burst(q)
    limit v_max for update of o skip locked));
  get diagnostics v_count = row_count;
  v_most := greatest(v_most, v_count);
  v_most := greatest(v_most, rhythm._forget_undeployed(v_max));
  delete from rhythm.worker_registry w where w.last_seen < rhythm._now() - interval '7 days';
  if v_most = v_max then
    return 'rest';
  end if;
  -- What a timer or a signal noted of an execution that was ending without being kept is found by a slow walk: a thousand
  -- executions an hour.
  with recursive t (id, n) as (
    (select h.execution_id, 1 from rhythm.history h, rhythm.maintenance m
      where m.history_after is null or h.execution_id > m.history_after order by h.execution_id limit 1)
    union all
    select (select h.execution_id from rhythm.history h where h.execution_id > t.id order by h.execution_id limit 1), t.n + 1
    from t where t.id is not null and t.n < 1000
  ), gone as (
    delete from rhythm.history h where h.execution_id in (select t.id from t where t.id is not null
      and not exists (select from rhythm.live l where l.id = t.id) and not exists (select from rhythm.archive a where a.id = t.id))
  )
  select t.id into v_after from t where t.n = 1000;
  update rhythm.maintenance set history_after = v_after;
  perform rhythm._sweep_states();
  return 'done';
end
$$;

-- Does one step of retention; the caller has the row of `maintenance`. A step that fails, since somebody holds a lock or for whatever
-- reason, is given up for this run. `p_waits`: whether it may wait a moment for the archive. Not in a transaction that has locked rows of
-- `live`: who waits for one of these may be using the archive.
create function rhythm._retention_step(p_waits bool default true) returns void
language plpgsql as $$
declare
  v_step text;
  v_tries int := 0;
  v_next text;
  v_timeout text := current_setting('lock_timeout');
begin
  -- Nothing is swept before the members of trees that stand were moved out of its way, lately.
  update rhythm.maintenance m set step = 'move'
  where m.step in ('sweep', 'drop', 'default') and coalesce(m.moved_on < rhythm._today() - 1, true);
  v_step := (select m.step from rhythm.maintenance m);
  begin
    if not p_waits and v_step in ('attach', 'drop') then
      lock table rhythm.archive in access exclusive mode nowait;
    end if;
    perform set_config('lock_timeout', case when v_step in ('attach', 'drop') then '50ms' else '1s' end, true);
    v_next := case v_step
      when 'attach' then rhythm._attach_partition()
      when 'move' then rhythm._move_members()
      when 'sweep' then rhythm._sweep_week()
      when 'drop' then rhythm._drop_week()
      when 'default' then rhythm._sweep_default()
      when 'rest' then rhythm._sweep_rest() end;
    perform set_config('lock_timeout', v_timeout, true);
  exception when others then
    if sqlstate not in ('55P03', '40P01') then
      raise warning using message = format('step %L of retention has failed, and is tried again later: %s (%s)', v_step, sqlerrm, sqlstate);
    else
      v_tries := 1 + (select m.tries from rhythm.maintenance m);
    end if;
    v_next := case when v_tries between 1 and 4 then v_step else 'given up' end;
  end;
  if v_next = 'given up' then
    update rhythm.maintenance set hindered = true;
    v_tries := 0;
    v_next := case v_step when 'attach' then 'move' when 'sweep' then 'default' when 'drop' then 'default' when 'rest' then 'done'
      else 'rest' end;
  end if;
  update rhythm.maintenance m set step = case v_next when 'done' then 'attach' else v_next end, tries = v_tries,
    hindered = m.hindered and v_next <> 'done',
    next_at = case when v_next <> 'done' then m.next_at
      else rhythm._now() + case when m.hindered then interval '1 minute' else interval '1 hour' end end;
end
$$;

-- What can be copied out before it expires.
create view rhythm.executions_archived as
select a.id, a.kind, a.name, d.version, a.queue, a.state::text as state, a.task_id, a.parent_id, a.root_id, a.inputs,
  a.result, a.error, a.attempt, a.priority,
  coalesce((select p.attributes from rhythm.published p where p.id = a.id), '{}') as attributes, a.created_at, a.run_at, a.started_at,
  a.finished_at, coalesce(a.trace ->> 'traceId', split_part(a.trace ->> 'traceparent', '-', 2)) as trace_id, a.worker,
  a.progress, a.expires_on
from rhythm.archive a
left join rhythm.definitions d on d.id = a.definition_id
where a.expires_on > (
  select ((clock_timestamp() + c.shift) at time zone 'UTC')::date from rhythm.test_clock c);
comment on view rhythm.executions_archived is 'Finished executions, and the day on which each expires: to be copied out before. Example: copy (select * from rhythm.executions_archived where expires_on <= current_date + 3) to stdout with (format csv)';
