-- The tree below an execution: what it started, what that started, and so on.
--
-- No locks.

-- Gives an execution and all below it, in the order of a depth-first walk: each before what it started, in the order of their start. It
-- is gathered level by level, so a wide level is cut before a deeper one is read. No locks. It writes nothing: dying halfway
-- leaves nothing.
create function rhythm.tree(root uuid, max int default 1000)
returns table (depth int, id uuid, parent_id uuid, kind text, name text, state text, attempt int, task_id text,
  created_at timestamptz, started_at timestamptz, finished_at timestamptz, error jsonb)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
-- Joined by hash: what is joined is as long as the tree.
set enable_nestloop = off as $$
#variable_conflict use_column
declare
  -- What was met, level by level.
  v_ids uuid[] := array[tree.root];
  v_depths int[] := array[0];
  v_level uuid[] := array[tree.root];
  v_depth int := 0;
  v_today date := rhythm._today();
begin
  perform rhythm._check_given('root', tree.root is not null);
  perform rhythm._check_known(tree.root);
  perform rhythm._check_max(tree.max);
  while v_level <> '{}' and cardinality(v_ids) < tree.max and v_depth < 1000 loop
    v_depth := v_depth + 1;
    v_level := array(
      select c.id from (
        select l.id, l.seq from rhythm.live l where l.parent_id = any (v_level)
        union all
        select a.id, a.seq from rhythm.archive a where a.parent_id = any (v_level) and a.expires_on > v_today) c
      order by c.seq limit tree.max - cardinality(v_ids));
    v_ids := v_ids || v_level;
    v_depths := v_depths || array_fill(v_depth, array[cardinality(v_level)]);
  end loop;
  return query
  with recursive met as (
    select u.depth, x.* from unnest(v_ids, v_depths) as u (id, depth)
    join (
      select l.id, l.seq, l.parent_id, l.kind, l.name, l.state::text as state, l.attempt, l.task_id, l.created_at, l.started_at,
        null::timestamptz as finished_at, l.error
      from rhythm.live l where l.id = any (v_ids)
      union all
      select a.id, a.seq, a.parent_id, a.kind, a.name, a.state::text, a.attempt, a.task_id, a.created_at, a.started_at,
        a.finished_at, a.error
      from rhythm.archive a where a.id = any (v_ids) and a.expires_on > v_today) x on x.id = u.id
  ), walk as (
    select m.id, array[m.seq] as path from met m where m.depth = 0
    union all
    select m.id, w.path || m.seq from walk w join met m on m.parent_id = w.id
  )
  select m.depth, m.id, m.parent_id, m.kind, m.name, m.state, m.attempt, m.task_id, m.created_at, m.started_at, m.finished_at,
    m.error
  from walk w join met m on m.id = w.id order by w.path;
end
$$;
comment on function rhythm.tree(uuid, int) is
'Gives an execution and all that it has started, directly or through others, each before what it started itself: at most max rows and 1000 levels, upper levels first. Example: select repeat(''  '', depth) || name as name, state, finished_at - started_at as took from rhythm.tree(''0190a1b2-0000-7000-8000-000000000000'')';
