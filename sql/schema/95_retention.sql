-- Retention: finished executions expire on a day; a week of them is a partition of `archive`, attached weeks ahead and
-- dropped when its last day is over. What expires inside a week that is not over is invisible already.
--
-- Locks: ATTACH and DROP need strong locks for a moment, which any open reader can delay; so they run under a
-- lock_timeout of 50 ms and are tried again an hour later. Dying halfway changes nothing.

create table rhythm.maintenance (
  only_row bool primary key default true check (only_row),
  -- Not at once: when a dump is being restored, its own partitions come first.
  next_at timestamptz not null default now() + interval '5 minutes'
);
comment on table rhythm.maintenance is 'When retention runs next.';
insert into rhythm.maintenance default values;

create function rhythm._retention_is_due() returns bool
language sql volatile as $$
  select m.next_at <= rhythm._now() from rhythm.maintenance m
$$;

-- Attaches the partitions of the weeks to come that are missing; those for which the default partition has rows already
-- are left to it. The parent is locked against inserts first: one that had already chosen the default partition would
-- otherwise fail when the new partition takes its range.
create function rhythm._attach_partitions() returns void
language plpgsql as $$
declare
  v_from date;
  v_name text;
  v_locked bool := false;
begin
  for v_from in
    select date_trunc('week', rhythm._today())::date + 7 * w from generate_series(0, 7) w
  loop
    v_name := 'archive_' || to_char(v_from, 'YYYYMMDD');
    continue when to_regclass('rhythm.' || v_name) is not null;
    if not v_locked then
      lock table only rhythm.archive in share row exclusive mode;
      v_locked := true;
    end if;
    continue when exists (select from rhythm.archive_default a where a.expires_on >= v_from and a.expires_on < v_from + 7);
    execute format('create table rhythm.%I (like rhythm.archive including defaults including constraints)', v_name);
    execute format('alter table rhythm.%I add check (expires_on >= %L and expires_on < %L)', v_name, v_from, v_from + 7);
    execute format('create index on rhythm.%I (id)', v_name);
    execute format('create index on rhythm.%I (parent_id) where parent_id is not null', v_name);
    execute format('alter table rhythm.archive attach partition rhythm.%I for values from (%L) to (%L)',
      v_name, v_from, v_from + 7);
  end loop;
end
$$;

-- Deletes what belonged to swept executions: keys, saves of failed workflows, history, what they published.
create function rhythm._sweep(p_ids uuid[], p_kinds text[], p_names text[], p_task_ids text[]) returns void
language plpgsql as $$
begin
  delete from rhythm.keys k using unnest(p_ids, p_kinds, p_names, p_task_ids) as o (id, kind, name, task_id)
  where k.kind = o.kind and k.name = o.name and k.task_id = o.task_id and k.id = o.id and k.until is null;
  delete from rhythm.history h where h.execution_id = any (p_ids);
  delete from rhythm.published a where a.id = any (p_ids);
  delete from rhythm.signal_keys k where k.execution_id = any (p_ids);
  delete from rhythm.signals s where s.execution_id = any (p_ids);
  perform rhythm._forget(p_ids);
end
$$;

-- Empties and drops the partitions whose week is over. Members of a tree are swept with their root: those whose root is
-- alive or expires later are moved to a later day first.
create function rhythm._drop_partitions() returns void
language plpgsql as $$
declare
  v_today date := rhythm._today();
  v_part record;
  v_rows record;
begin
  for v_part in
    select c.oid::regclass as name, to_date(right(c.relname, 8), 'YYYYMMDD') as first_day
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'rhythm.archive'::regclass and c.relname ~ '^archive_\d{8}$'
    order by 2
  loop
    exit when v_part.first_day + 7 > v_today;
    perform rhythm._move_members(v_part.name);
    loop
      execute format('with d as (delete from %s where ctid = any (array(select ctid from %s limit 10000)) returning id, kind, name, task_id)
        select array_agg(id) as ids, array_agg(kind) as kinds, array_agg(name) as names, array_agg(task_id) as task_ids from d',
        v_part.name, v_part.name) into v_rows;
      exit when v_rows.ids is null;
      perform rhythm._sweep(v_rows.ids, v_rows.kinds, v_rows.names, v_rows.task_ids);
    end loop;
    execute format('drop table %s', v_part.name);
  end loop;
end
$$;

-- Moves members of trees whose root is not yet to be swept to the root's day, or 30 days on.
create function rhythm._move_members(p_part regclass) returns void
language plpgsql as $$
begin
  execute format($q$
    with stay as (
      select a.id, coalesce((select max(r.expires_on) from rhythm.archive r where r.id = a.root_id), rhythm._today() + 30) as until
      from %s a
      where a.parent_id is not null and a.expires_on <= rhythm._today() and (
        exists (select from rhythm.live l where l.id = a.root_id)
        or exists (select from rhythm.archive r where r.id = a.root_id and r.expires_on > rhythm._today()))
    )
    update rhythm.archive a set expires_on = s.until from stay s where a.id = s.id$q$, p_part);
end
$$;

-- Sweeps the default partition, row by row: it holds what had no week of its own.
create function rhythm._sweep_default(p_max int) returns void
language plpgsql as $$
declare
  v_rows record;
begin
  perform rhythm._move_members('rhythm.archive_default');
  with d as (
    delete from rhythm.archive_default a
    where a.ctid = any (array(select x.ctid from rhythm.archive_default x where x.expires_on <= rhythm._today() limit p_max))
    returning a.id, a.kind, a.name, a.task_id
  )
  select array_agg(d.id) as ids, array_agg(d.kind) as kinds, array_agg(d.name) as names, array_agg(d.task_id) as task_ids
  into v_rows from d;
  if v_rows.ids is not null then
    perform rhythm._sweep(v_rows.ids, v_rows.kinds, v_rows.names, v_rows.task_ids);
  end if;
end
$$;

-- Runs retention, and says when it is due next: in an hour, or in a minute if somebody held a lock. Does nothing if another session does it just now.
create function rhythm._run_retention() returns void
language plpgsql as $$
declare
  v_timeout text := current_setting('lock_timeout');
  v_next interval := '1 hour';
begin
  perform from rhythm.maintenance for update skip locked;
  if not found then
    return;
  end if;
  begin
    perform set_config('lock_timeout', '50ms', true);
    perform rhythm._attach_partitions();
    perform rhythm._drop_partitions();
  exception when lock_not_available then
    v_next := '1 minute';
  end;
  perform set_config('lock_timeout', v_timeout, true);
  perform rhythm._sweep_default(50000);
  -- What arrived while its execution was ending.
  delete from rhythm.cancels c where not exists (select from rhythm.live l where l.id = c.execution_id);
  delete from rhythm.events e where not exists (select from rhythm.saves s where s.id = e.execution_id)
    and not exists (select from rhythm.live l where l.id = e.execution_id);
  delete from rhythm.signals n where not exists (select from rhythm.saves s where s.id = n.execution_id)
    and not exists (select from rhythm.live l where l.id = n.execution_id);
  delete from rhythm.keys k where k.ctid = any (array(
    select o.ctid from rhythm.keys o where o.until <= rhythm._now() limit 50000 for update skip locked));
  -- A bucket that is full again says nothing.
  delete from rhythm.buckets b where b.ctid = any (array(
    select o.ctid from rhythm.buckets o left join rhythm.queue_settings q on q.name = o.queue
    where q.rate is null or o.tokens + extract(epoch from rhythm._now() - o.at) * q.rate >= rhythm._burst(q)
    for update of o skip locked));
  delete from rhythm.worker_registry w where w.last_seen < rhythm._now() - interval '7 days';
  update rhythm.maintenance set next_at = rhythm._now() + v_next;
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

-- Deletes finished executions. Locks: their rows and keys, until the caller's commit. Dying halfway deletes nothing.
create function rhythm.cleanup(older_than interval, status text default null, queue text default null,
  dry_run bool default false)
returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_before timestamptz;
  v_count bigint;
  v_rows record;
begin
  perform rhythm._check_given('older_than', cleanup.older_than is not null),
    rhythm._check_given('dry_run', cleanup.dry_run is not null), rhythm._check_duration('older_than', cleanup.older_than);
  v_before := rhythm._now() - cleanup.older_than;
  if cleanup.status not in ('completed', 'failed', 'cancelled', 'timed_out') then
    perform rhythm._raise('RH002', format('status "%s" is not terminal', left(cleanup.status, 50)), null,
      'Give completed, failed, cancelled or timed_out, or null for all.');
  end if;
  if cleanup.dry_run then
    select count(*) into v_count from rhythm.archive a
    where a.finished_at <= v_before and (cleanup.status is null or a.state::text = cleanup.status)
      and (cleanup.queue is null or a.queue = cleanup.queue)
      and (a.parent_id is null or not exists (select from rhythm.live l where l.id = a.root_id));
    return v_count;
  end if;
  with d as (
    delete from rhythm.archive a
    where a.finished_at <= v_before and (cleanup.status is null or a.state::text = cleanup.status)
      and (cleanup.queue is null or a.queue = cleanup.queue)
      and (a.parent_id is null or not exists (select from rhythm.live l where l.id = a.root_id))
    returning a.id, a.kind, a.name, a.task_id
  )
  select count(*), array_agg(d.id) as ids, array_agg(d.kind) as kinds, array_agg(d.name) as names,
    array_agg(d.task_id) as task_ids
  into v_rows from d;
  if v_rows.ids is not null then
    perform rhythm._sweep(v_rows.ids, v_rows.kinds, v_rows.names, v_rows.task_ids);
  end if;
  return v_rows.count;
end
$$;
comment on function rhythm.cleanup(interval, text, text, bool) is
'Deletes finished executions now, before their retention is over, and gives their number; members of trees that are alive stay. Example: select rhythm.cleanup(older_than => ''1 day'', status => ''completed'', dry_run => true)';
