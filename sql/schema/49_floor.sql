-- Floors: where a session begins to look for work. A claim walks the index of pending tasks from its beginning. What was taken
-- is dead there, and soon swept; but as long as a transaction is open that could still see it (a dump, a forgotten session), nothing
-- may sweep it, and each claim would walk over all that was done since. So a session that has walked over much remembers where
-- the first pending task stood, and all begin there the next time. It costs others nothing.
--
-- What becomes pending before that place is met later: a task that is retried keeps its number, and one may commit later than those behind
-- it. One of the sessions looks at all of the queue from time to time: a second apart if that is cheap, a minute at most if it is dear.
--
-- A floor is [priority, seq, from]: of higher priorities nothing is pending below the number `from`, of this priority nothing below `seq`.
-- It belongs to a queue and to what the worker may be given there. Floors are kept in shared memory (without it by each backend for
-- itself), once the transaction that found one has committed. No locks but those of what is picked.

-- Picks tasks from a floor on, as a claim does at `p_now`. Locks: them, skipping those that others hold.
create function rhythm._pick_above(p_queue text, p_max int, p_tasks text[], p_paused text[], p_floor bigint[],
  p_now timestamptz) returns uuid[]
language plpgsql as $$
begin
  -- Branches that are not needed any more are not begun.
  return array(
    select s.id from (
      select * from (
        select l.id from rhythm.live l
        where l.queue = p_queue and l.state = 'pending' and l.kind = 'task' and l.rate_key is null
          and l.priority > p_floor[1] and l.seq >= p_floor[3]
          and (p_tasks is null or l.name = any (p_tasks)) and l.name <> all (p_paused) and (least(l.start_by, l.end_by) > p_now) is not false
        order by l.priority desc, l.seq limit p_max for update of l skip locked) higher
      union all
      select * from (
        select l.id from rhythm.live l
        where l.queue = p_queue and l.state = 'pending' and l.kind = 'task' and l.rate_key is null
          and l.priority = p_floor[1] and l.seq >= p_floor[2]
          and (p_tasks is null or l.name = any (p_tasks)) and l.name <> all (p_paused) and (least(l.start_by, l.end_by) > p_now) is not false
        order by l.seq limit p_max for update of l skip locked) same
      union all
      select * from (
        select l.id from rhythm.live l
        where l.queue = p_queue and l.state = 'pending' and l.kind = 'task' and l.rate_key is null
          and l.priority < p_floor[1]
          and (p_tasks is null or l.name = any (p_tasks)) and l.name <> all (p_paused) and (least(l.start_by, l.end_by) > p_now) is not false
        order by l.priority desc, l.seq limit p_max for update of l skip locked) lower) s
    limit p_max);
end
$$;

-- Returns the floor that holds at `p_now`, found by walking from the old one (null: from the beginning). No locks.
create function rhythm._find_floor(p_queue text, p_tasks text[], p_paused text[], p_floor bigint[], p_now timestamptz) returns bigint[]
language plpgsql as $$
declare
  -- Before the look: what is numbered later may be pending anywhere.
  v_from bigint := (select s.last_value + 1 from rhythm.live_seq_seq s);
  -- Nothing is pending: all is higher than this.
  v_first bigint[] := '{-32769,0}';
begin
  select array[s.priority, s.seq] into v_first from (
    select * from (
      select l.priority, l.seq from rhythm.live l
      where l.queue = p_queue and l.state = 'pending' and l.kind = 'task' and l.rate_key is null
        and l.priority > coalesce(p_floor[1], -32769) and l.seq >= coalesce(p_floor[3], 0)
        and (p_tasks is null or l.name = any (p_tasks)) and l.name <> all (p_paused) and (least(l.start_by, l.end_by) > p_now) is not false
      order by l.priority desc, l.seq limit 1) higher
    union all
    select * from (
      select l.priority, l.seq from rhythm.live l
      where l.queue = p_queue and l.state = 'pending' and l.kind = 'task' and l.rate_key is null
        and l.priority = p_floor[1] and l.seq >= p_floor[2]
        and (p_tasks is null or l.name = any (p_tasks)) and l.name <> all (p_paused) and (least(l.start_by, l.end_by) > p_now) is not false
      order by l.seq limit 1) same
    union all
    select * from (
      select l.priority, l.seq from rhythm.live l
      where l.queue = p_queue and l.state = 'pending' and l.kind = 'task' and l.rate_key is null
        and l.priority < p_floor[1]
        and (p_tasks is null or l.name = any (p_tasks)) and l.name <> all (p_paused) and (least(l.start_by, l.end_by) > p_now) is not false
      order by l.priority desc, l.seq limit 1) lower) s
  limit 1;
  return coalesce(v_first, '{-32769,0}') || v_from;
end
$$;

-- After a claim has walked over `p_walked` entries of the index and got `p_got` tasks: keeps a floor if that was much, and forgets
-- it if a look at all was cheap again. Gives when to look at all again, if there was nothing above the floor. No locks.
create function rhythm._move_floor(p_queue text, p_tasks text[], p_paused text[], p_floor bigint[], p_walked bigint, p_got int)
returns timestamptz
language plpgsql as $$
declare
  v_all bool := coalesce(p_floor = '{}', true);
begin
  if not rhythm._sees_commits() then
    -- What it sees is of its beginning, and says nothing of now.
    return null;
  end if;
  if rhythm._is_long_walk(p_walked, p_got) then
    perform rhythm._keep_floor('rhythm.live_pending'::regclass, p_queue, p_tasks, p_paused,
      rhythm._find_floor(p_queue, p_tasks, p_paused, nullif(p_floor, '{}'), rhythm._now()), case when v_all then p_walked end);
  elsif v_all then
    perform rhythm._keep_floor('rhythm.live_pending'::regclass, p_queue, p_tasks, p_paused, null, null);
  end if;
  return case when p_got = 0 then rhythm._now() + rhythm._floor_ends('rhythm.live_pending'::regclass, p_queue, p_tasks, p_paused) end;
end
$$;

-- Whether a claim has walked over more than a floor is worth.
create function rhythm._is_long_walk(p_walked bigint, p_got int) returns bool
language sql immutable as $$
  select p_walked > 1000 + 2 * p_got
$$;
