-- Clean-up by hand: deletes finished executions before their retention is over, whole trees at a time.

-- Returns the roots of the trees that `cleanup` means, oldest first, up to `p_max` rows with their members; a tree is never taken by
-- halves, so the last one may go beyond. A member whose root has gone is a tree of its own. `p_lock`: to delete them. `p_lock`:
-- locks the rows of the roots, in the order of ids, with SKIP LOCKED.
create function rhythm._clean_trees(p_before timestamptz, p_status text, p_queue text, p_max int, p_lock bool)
returns table (id uuid, size bigint, is_last bool)
language plpgsql as $$
#variable_conflict use_column
declare
  v_ids uuid[];
begin
  if p_lock then
    -- Who retries one of them just now keeps it.
    v_ids := array(
      select a.id from rhythm.archive a
      where a.finished_at <= p_before and (p_status is null or a.state::text = p_status) and (p_queue is null or a.queue = p_queue)
        and (a.root_id = a.id or not exists (select from rhythm.live r where r.id = a.root_id)
          and not exists (select from rhythm.archive r where r.id = a.root_id))
      order by a.id limit p_max + 1 for update of a skip locked);
  else
    v_ids := array(
      select a.id from rhythm.archive a
      where a.finished_at <= p_before and (p_status is null or a.state::text = p_status) and (p_queue is null or a.queue = p_queue)
        and (a.root_id = a.id or not exists (select from rhythm.live r where r.id = a.root_id)
          and not exists (select from rhythm.archive r where r.id = a.root_id))
      order by a.id limit p_max + 1);
  end if;
  return query
  select s.id, s.size, s.total >= s.all_of_them and cardinality(v_ids) <= coalesce(p_max, cardinality(v_ids))
  from (
    select t.id, t.size, sum(t.size) over (order by t.id) as total, sum(t.size) over () as all_of_them
    from (
      select u.id, 1 + (select count(*) from rhythm.archive m where m.parent_id = u.id and m.root_id = u.id) as size
      from unnest(v_ids) u (id)) t
  ) s
  where p_max is null or s.total - s.size < p_max;
end
$$;

-- Deletes finished executions. Locks, until the caller's commit: the rows of the roots of their trees, in the order of ids and with
-- SKIP LOCKED, then the rows below them likewise: a tree of which others hold something is left alone. Then what belongs to all of these
-- (keys, history, published values); a retry of one of these waits. Dying halfway deletes nothing.
create function rhythm.cleanup(older_than interval, status text default null, queue text default null,
  dry_run bool default false, max int default 10000)
returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off as $$
#variable_conflict use_column
declare
  v_before timestamptz;
  v_roots uuid[];
  v_members uuid[];
  v_count bigint;
  v_is_last bool;
  v_rows record;
begin
  perform rhythm._check_given('older_than', cleanup.older_than is not null),
    rhythm._check_given('dry_run', cleanup.dry_run is not null), rhythm._check_duration('older_than', cleanup.older_than);
  v_before := rhythm._now() - cleanup.older_than;
  if cleanup.status not in ('completed', 'failed', 'cancelled', 'timed_out') then
    perform rhythm._raise('RH002', format('status "%s" is not terminal', left(cleanup.status, 50)), null,
      'Give completed, failed, cancelled or timed_out, or null for all.');
  elsif cleanup.max < 1 or cleanup.max > 1000000000 then
    perform rhythm._raise('RH002', format('max must be between 1 and 1000000000, not %s', cleanup.max), null,
      'Give how many may be deleted by this call, or null for all.');
  end if;
  select array_agg(t.id), coalesce(sum(t.size), 0), coalesce(bool_or(t.is_last), true) into v_roots, v_count, v_is_last
  from rhythm._clean_trees(v_before, cleanup.status, cleanup.queue, cleanup.max, not cleanup.dry_run) t;
  if v_roots is not null and not cleanup.dry_run then
    -- Who retries a task has it before its run, and would wait for us: that tree stays.
    v_members := array(
      select m.id from rhythm.archive m
      where m.parent_id is not null and m.parent_id = any (v_roots) and m.root_id = m.parent_id
      order by m.id for update skip locked);
    v_roots := array(
      select r from unnest(v_roots) r
      where not exists (select from rhythm.archive m where m.parent_id = r and m.root_id = r and m.id not in (select unnest(v_members))));
    with d as (
      delete from rhythm.archive a
      where a.id = any (v_roots || array(
        select m.id from rhythm.archive m
        where m.parent_id is not null and m.parent_id = any (v_roots) and m.root_id = m.parent_id))
      returning a.id, a.kind, a.name, a.task_id
    )
    select count(*), array_agg(d.id) as ids, array_agg(d.kind) as kinds, array_agg(d.name) as names,
      array_agg(d.task_id) as task_ids
    into v_rows from d;
    perform rhythm._sweep(v_rows.ids, v_rows.kinds, v_rows.names, v_rows.task_ids);
    v_count := v_rows.count;
  end if;
  if not v_is_last then
    raise notice using message = format('there is more than the %s executions of this call', v_count),
      hint = 'Call again until it gives 0, each time in a transaction of its own, or give max => null for all at once.';
  end if;
  return v_count;
end
$$;
comment on function rhythm.cleanup(interval, text, text, bool, int) is
'Deletes finished executions now, before their retention is over, and gives their number. A tree goes as a whole, as its root says (age, status, queue), and stays while that is alive. A call deletes max (and the rest of the last tree; null: all), the oldest first, and says if there is more; dry_run gives what it would delete. Example: select rhythm.cleanup(older_than => ''1 day'', status => ''completed'', dry_run => true)';
