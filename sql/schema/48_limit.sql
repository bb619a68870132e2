-- Limits of a queue: how many a claim may take now. A rate is a token bucket, a row of `buckets`; slots are counted, never
-- stored: what runs is in `live`, so a crash cannot leave a wrong number behind.
--
-- In a queue with limits by key, the pending executions of one priority form groups (concurrency_key, rate_key). A claim goes
-- from group to group by the index `live_grouped` and takes from each what its limits allow, so a full key costs one look and
-- hides nothing; keys take turns, and within a key the older goes first.
--
-- Locks: who takes from a limit holds a lock of the transaction for it (of the queue, or of a key), which no role can take by other
-- ways and which others try and never wait for: they skip the key, or come again 5 ms later. It is taken only after a look without it has found something to
-- take, and a claim that then gets nothing ends, as it must not keep the lock while it waits. Dying halfway takes nothing.
--
-- A new limit of concurrency: a claim that began before it leases what is not counted. So each claim shares the queue's lock once it has
-- leased something, and then looks whether the settings are still those that it knew (else: `_fit_leased`). The first claim under the
-- limit must hold the lock alone, and so finds all that earlier ones have leased (`_recount`). A claim in REPEATABLE READ, which sees no
-- new settings, is the one that may go uncounted.

create table rhythm.buckets (
  queue text collate "C" not null,
  key text collate "C" not null,
  tokens float8 not null,
  at timestamptz not null,
  primary key (queue, key)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
  autovacuum_vacuum_cost_delay = 0);
comment on table rhythm.buckets is 'Token buckets of rate limits that are not full.';

-- Returns whether this transaction holds the right to take from a limit now. `p_shared`: keeps others from that right until the
-- commit. Locks: the limit, as the head of this file says; never waits.
create function rhythm._try_limit(p_queue text, p_key text, p_shared bool default false) returns bool
language sql volatile as $$
  select rhythm._try_lock('rhythm.buckets'::regclass, hashtextextended(p_queue || chr(1) || p_key, 0), p_shared)
$$;

-- Gives the key to what this transaction has just leased from a queue whose limit of concurrency was set meanwhile: a scan of what
-- runs, at a rare moment. Locks: rows that this transaction has leased, and so none that it does not hold.
create function rhythm._fit_leased(p_queue text, p_worker text, p_now timestamptz) returns void
language plpgsql as $$
begin
  update rhythm.live l set concurrency_key = rhythm._limit_key(l.inputs,
    (select q.concurrency_key from rhythm.queue_settings q where q.name = p_queue))
  where l.queue = p_queue and l.state = 'running' and l.due_at is not null and l.worker = p_worker and l.attempt_at = p_now;
end
$$;

-- Counts what runs in a queue as its settings ask for, if they are new. The caller holds the queue's lock alone, so no claim that began
-- before them is under way. Skips what others hold, and then has to be done again.
create function rhythm._recount(p_queue text) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_path text;
  v_misfits uuid[];
begin
  delete from rhythm.recounts r
  where r.ctid = any (array(select o.ctid from rhythm.recounts o where o.queue = p_queue for update skip locked));
  v_path := (select q.concurrency_key from rhythm.queue_settings q where q.name = p_queue);
  v_misfits := array(select l.id from rhythm.live l
    where l.queue = p_queue and l.state = 'running' and l.due_at is not null
      and l.concurrency_key is distinct from rhythm._limit_key(l.inputs, v_path));
  update rhythm.live l set concurrency_key = rhythm._limit_key(l.inputs, v_path)
  where l.id = any (array(select o.id from rhythm.live o
    where o.id = any (v_misfits) and o.state = 'running' order by o.id for update skip locked));
  if exists (select from rhythm.live l where l.id = any (v_misfits) and l.state = 'running'
    and l.concurrency_key is distinct from rhythm._limit_key(l.inputs, v_path))
  then
    insert into rhythm.recounts (queue) values (p_queue);
  end if;
end
$$;

-- Returns how many tokens a full bucket of a queue holds: those of one unit of its rate, unless it is set.
create function rhythm._burst(p_queue rhythm.queue_settings) returns float8
language sql immutable as $$
  select greatest(coalesce(p_queue.rate_burst, split_part(p_queue.rate_limit, '/', 1)::float8), 1)
$$;

-- Returns how many tokens a bucket holds that had so many at a time. One from the future says that the clock has stepped back: it
-- counts as full, or a server that was a day ahead would give nothing for a day.
create function rhythm._refilled(p_tokens float8, p_at timestamptz, p_rate float8, p_burst float8, p_now timestamptz)
returns float8
language sql immutable as $$
  select case when p_at > p_now + interval '10 seconds' then p_burst
    else least(p_burst, p_tokens + greatest(extract(epoch from p_now - p_at), 0) * p_rate) end
$$;

-- Returns how many tokens a bucket holds.
create function rhythm._tokens(p_queue text, p_key text, p_rate float8, p_burst float8, p_now timestamptz) returns float8
language plpgsql stable as $$
begin
  return coalesce((
    select rhythm._refilled(b.tokens, b.at, p_rate, p_burst, p_now)
    from rhythm.buckets b where b.queue = p_queue and b.key = p_key), p_burst);
end
$$;

-- Takes tokens out of a bucket, of which the caller holds the lock.
create function rhythm._spend(p_queue text, p_key text, p_rate float8, p_burst float8, p_now timestamptz, p_count int)
returns void
language plpgsql as $$
begin
  insert into rhythm.buckets as b (queue, key, tokens, at)
  values (p_queue, p_key, p_burst - p_count, p_now)
  on conflict (queue, key) do update set
    at = case when b.at > p_now + interval '10 seconds' then p_now else greatest(b.at, p_now) end,
    tokens = rhythm._refilled(b.tokens, b.at, p_rate, p_burst, p_now) - p_count;
end
$$;

-- Returns how many executions of a queue run that are counted; of one key, if it is given. Not more than `p_enough`.
create function rhythm._running(p_queue text, p_key text, p_enough int) returns int
language plpgsql stable as $$
begin
  if p_key is null then
    return (select count(*) from (select from rhythm.live l where l.queue = p_queue and l.state = 'running'
      and l.concurrency_key is not null limit p_enough) r);
  end if;
  return (select count(*) from (select from rhythm.live l where l.queue = p_queue and l.concurrency_key = p_key
    and l.state = 'running' limit p_enough) r);
end
$$;

-- Gives pending executions the keys that their queue's settings ask for: those that came before the settings, and what was
-- given back by a retry. At most 10 000 at once; the rest meets the next claim. True: it has changed some, whose rows are locked.
create function rhythm._conform(p_queue rhythm.queue_settings) returns bool
language plpgsql as $$
#variable_conflict use_column
declare
  v_count int;
begin
  if coalesce(p_queue.rate_key, p_queue.concurrency_key) is not null then
    if exists (select from rhythm.live l
      where l.queue = p_queue.name and l.state = 'pending' and l.kind = 'task' and l.rate_key is null)
    then
      update rhythm.live l set concurrency_key = rhythm._limit_key(l.inputs, p_queue.concurrency_key),
        rate_key = rhythm._limit_key(l.inputs, p_queue.rate_key)
      where l.id = any (array(select o.id from rhythm.live o
        where o.queue = p_queue.name and o.state = 'pending' and o.kind = 'task' and o.rate_key is null
        order by o.priority desc, o.seq limit 10000 for update skip locked));
      return found;
    end if;
  elsif exists (select from rhythm.live l
    where l.queue = p_queue.name and l.state = 'pending' and l.kind = 'task' and l.rate_key is not null)
  then
    update rhythm.live l set concurrency_key = null, rate_key = null
    where l.id = any (array(select o.id from rhythm.live o
      where o.queue = p_queue.name and o.state = 'pending' and o.kind = 'task' and o.rate_key is not null
      limit 10000 for update skip locked));
    get diagnostics v_count = row_count;
    -- A claim takes what this transaction has made for known to it alone; of these others may hear.
    perform rhythm._wake_queue(p_queue.name, v_count);
    return v_count > 0;
  end if;
  return false;
end
$$;

-- Returns whether something is pending in a queue that this worker may have, and in time. Each form has its own partial index. No locks.
create function rhythm._has_pending(p_queue text, p_by_key bool, p_tasks text[], p_paused text[], p_now timestamptz) returns bool
language plpgsql as $$
begin
  if p_by_key then
    return exists (select from rhythm.live l
      where l.queue = p_queue and l.state = 'pending' and l.kind = 'task' and l.rate_key is not null
        and (p_tasks is null or l.name = any (p_tasks)) and l.name <> all (p_paused) and (least(l.start_by, l.end_by) > p_now) is not false);
  end if;
  return exists (select from rhythm.live l
    where l.queue = p_queue and l.state = 'pending' and l.kind = 'task' and l.rate_key is null
      and (p_tasks is null or l.name = any (p_tasks)) and l.name <> all (p_paused) and (least(l.start_by, l.end_by) > p_now) is not false);
end
$$;

-- Says how many may be claimed from a queue that has settings. `allowed`: not more than this; `picked`: these and no others,
-- locked; `spend`: whether what is taken must be paid from the queue's bucket; `locked`: whether locks of limits or of rows are held;
-- `again_at`: when to look again, where that is known.
create function rhythm._allow(p_queue rhythm.queue_settings, p_max int, p_tasks text[], p_paused text[], p_now timestamptz,
  out allowed int, out picked uuid[], out spend bool, out locked bool, out again_at timestamptz)
language plpgsql as $$
#variable_conflict use_column
declare
  v_by_key bool := coalesce(p_queue.rate_key, p_queue.concurrency_key) is not null;
  v_burst float8 := rhythm._burst(p_queue);
  v_tokens float8;
  v_locked bool;
begin
  allowed := 0;
  spend := p_queue.rate is not null and p_queue.rate_key is null;
  locked := false;
  if p_queue.paused_at is not null then
    return;
  end if;
  locked := rhythm._conform(p_queue);
  if p_queue.rate is null and p_queue.concurrency is null and not v_by_key then
    allowed := p_max;
    return;
  end if;
  if not rhythm._sees_commits() then
    perform rhythm._raise('RH201', 'a claim from a queue with limits cannot work in a REPEATABLE READ or SERIALIZABLE transaction',
      null, 'Such a transaction does not see what others have claimed: use READ COMMITTED.');
  end if;
  if not rhythm._has_pending(p_queue.name, v_by_key, p_tasks, p_paused, p_now) then
    return;
  end if;
  if coalesce(p_queue.concurrency::text, p_queue.concurrency_key) is not null
    and exists (select from rhythm.recounts r where r.queue = p_queue.name)
  then
    if not rhythm._try_limit(p_queue.name, '') then
      again_at := p_now + interval '5 milliseconds';
      return;
    end if;
    locked := true;
    perform rhythm._recount(p_queue.name);
  end if;
  for v_round in 0 .. 1 loop
    allowed := p_max;
    if p_queue.concurrency is not null then
      allowed := least(allowed, p_queue.concurrency - rhythm._running(p_queue.name, null, p_queue.concurrency));
    end if;
    if spend then
      v_tokens := rhythm._tokens(p_queue.name, '', p_queue.rate, v_burst, p_now);
      allowed := least(allowed, floor(v_tokens + 1e-6)::int);
      if v_tokens + 1e-6 < 1 then
        again_at := p_now + make_interval(secs => (1 - v_tokens) / p_queue.rate);
      end if;
    end if;
    exit when allowed <= 0 or v_round = 1 or (not spend and p_queue.concurrency is null);
    if not rhythm._try_limit(p_queue.name, '') then
      allowed := 0;
      again_at := p_now + interval '5 milliseconds';
      return;
    end if;
    locked := true;
  end loop;
  if allowed > 0 and v_by_key then
    select g.picked, g.locked, g.again_at into picked, v_locked, again_at
    from rhythm._pick_groups(p_queue, v_burst, allowed, p_tasks, p_paused, p_now) g;
    locked := locked or v_locked;
  end if;
end
$$;

-- Picks pending executions of a queue with limits by key, and locks them; pays for them from the buckets of their keys. Begins
-- behind the key at which this session stopped last, so that keys take turns; takes from a hundred keys at most, since the server
-- has few places for locks. One that is full, or whose bucket is empty, costs a look at the index; an execution whose keys are
-- those of former settings gets the right ones instead of being picked.
create function rhythm._pick_groups(p_queue rhythm.queue_settings, p_burst float8, p_max int, p_tasks text[], p_paused text[],
  p_now timestamptz, out picked uuid[], out locked bool, out again_at timestamptz)
language plpgsql as $$
#variable_conflict use_column
declare
  -- [queue, concurrency_key, rate_key] as JSON: keys may have any character.
  v_cursor jsonb := nullif(current_setting('rhythm_session.cursor', true), '');
  -- Compared as the index does it, whatever the database's collation.
  v_begin_c text collate "C" := '';
  v_begin_r text collate "C" := '';
  v_per_key int := coalesce(p_queue.concurrency_per_key, 1);
  v_priority int;
  v_c text collate "C";
  v_r text collate "C";
  v_running int;
  v_tokens float8;
  v_left int;
  v_locks int := 0;
  v_mine bool;
  v_keys text[] := '{}';
  v_new uuid[];
  v_misfits bool;
begin
  picked := '{}';
  locked := false;
  if v_cursor ->> 0 = p_queue.name then
    v_begin_c := v_cursor ->> 1;
    v_begin_r := v_cursor ->> 2;
  end if;
  v_priority := (select l.priority from rhythm.live l
    where l.queue = p_queue.name and l.state = 'pending' and l.kind = 'task' and l.rate_key is not null
    order by l.priority desc limit 1);
  <<priorities>>
  while v_priority is not null loop
    -- From where the session stopped to the end, then from the beginning to there.
    for v_half in 0 .. case when v_begin_c = '' then 0 else 1 end loop
      for v_c, v_r, v_running, v_tokens in
        with recursive g (c, r) as (
          (select l.concurrency_key, l.rate_key from rhythm.live l
          where l.queue = p_queue.name and l.state = 'pending' and l.kind = 'task' and l.rate_key is not null
            and l.priority = v_priority
            and (l.concurrency_key, l.rate_key) > (case v_half when 0 then v_begin_c else '' end, case v_half when 0 then v_begin_r else '' end)
          order by l.concurrency_key, l.rate_key limit 1)
          union all
          select n.concurrency_key, n.rate_key from g cross join lateral (
            select l.concurrency_key, l.rate_key from rhythm.live l
            where l.queue = p_queue.name and l.state = 'pending' and l.kind = 'task' and l.rate_key is not null
              and l.priority = v_priority and (l.concurrency_key, l.rate_key) > (g.c, g.r)
            order by l.concurrency_key, l.rate_key limit 1) n
          where v_half = 0 or (g.c, g.r) <= (v_begin_c, v_begin_r)
        )
        -- Full keys do not leave the statement, which alone costs much less than a round of the loop.
        select g.c, g.r, x.running,
          case when p_queue.rate_key is not null then coalesce((
            select rhythm._refilled(b.tokens, b.at, p_queue.rate, p_burst, p_now)
            from rhythm.buckets b where b.queue = p_queue.name and b.key = g.r), p_burst) end
        from g cross join lateral (
          select case when p_queue.concurrency_key is not null then (
            select count(*)::int from (select from rhythm.live l where l.queue = p_queue.name and l.state = 'running'
              and l.concurrency_key = g.c limit v_per_key) n) end as running offset 0) x
        where (x.running >= v_per_key) is not true
      loop
        exit when v_half = 1 and (v_c, v_r) > (v_begin_c, v_begin_r);
        if v_locks >= 100 then
          -- The next claim goes on behind these, whether it got something of them or not.
          perform set_config('rhythm_session.cursor', jsonb_build_array(p_queue.name, v_c, v_r)::text, false);
          exit priorities;
        end if;
        for v_round in 0 .. 1 loop
          v_left := p_max - cardinality(picked);
          if v_running is not null then
            v_left := least(v_left, v_per_key - v_running - (select count(*)::int from unnest(v_keys) k where k = v_c));
          end if;
          if v_left > 0 and v_tokens is not null then
            v_left := least(v_left, floor(v_tokens + 1e-6)::int);
            if v_left <= 0 then
              again_at := least(again_at, p_now + make_interval(secs => greatest(1 - v_tokens, 0) / p_queue.rate));
            end if;
          end if;
          exit when v_left <= 0 or v_round = 1;
          if not exists (select from rhythm.live l
            where l.queue = p_queue.name and l.state = 'pending' and l.kind = 'task' and l.rate_key is not null
              and l.priority = v_priority and l.concurrency_key = v_c and l.rate_key = v_r
              and (p_tasks is null or l.name = any (p_tasks)) and l.name <> all (p_paused)
              and (least(l.start_by, l.end_by) > p_now) is not false)
          then
            v_left := 0;
            exit;
          end if;
          v_locks := v_locks + 1;
          v_mine := v_running is null or rhythm._try_limit(p_queue.name, 'c' || v_c);
          locked := locked or (v_mine and v_running is not null);
          if v_mine and v_tokens is not null then
            v_mine := rhythm._try_limit(p_queue.name, 'r' || v_r);
            locked := locked or v_mine;
          end if;
          if not v_mine then
            again_at := least(again_at, p_now + interval '5 milliseconds');
            v_left := 0;
            exit;
          end if;
          -- Once more, now that nobody else takes from them.
          v_running := case when v_running is not null then rhythm._running(p_queue.name, v_c, v_per_key) end;
          v_tokens := case when v_tokens is not null then rhythm._tokens(p_queue.name, v_r, p_queue.rate, p_burst, p_now) end;
        end loop;
        continue when v_left <= 0;
        select array_agg(f.id) filter (where f.fits), bool_or(not f.fits) into v_new, v_misfits
        from (
          select l.id, l.concurrency_key = rhythm._limit_key(l.inputs, p_queue.concurrency_key)
            and l.rate_key = rhythm._limit_key(l.inputs, p_queue.rate_key) as fits
          from rhythm.live l
          where l.queue = p_queue.name and l.state = 'pending' and l.kind = 'task' and l.rate_key is not null
            and l.priority = v_priority and l.concurrency_key = v_c and l.rate_key = v_r
            and (p_tasks is null or l.name = any (p_tasks)) and l.name <> all (p_paused)
            and (least(l.start_by, l.end_by) > p_now) is not false
          order by l.seq limit v_left for update skip locked) f;
        if v_misfits then
          update rhythm.live l set concurrency_key = rhythm._limit_key(l.inputs, p_queue.concurrency_key),
            rate_key = rhythm._limit_key(l.inputs, p_queue.rate_key)
          where l.id = any (array(select o.id from rhythm.live o
              where o.queue = p_queue.name and o.state = 'pending' and o.kind = 'task' and o.rate_key is not null
                and o.priority = v_priority and o.concurrency_key = v_c and o.rate_key = v_r
              order by o.seq limit 1000 for update skip locked))
            and l.id <> all (coalesce(v_new, '{}'));
          again_at := p_now;
        end if;
        continue when v_new is null;
        picked := picked || v_new;
        v_keys := case when v_running is not null then v_keys || array_fill(v_c, array[cardinality(v_new)]) else v_keys end;
        if v_tokens is not null then
          perform rhythm._spend(p_queue.name, v_r, p_queue.rate, p_burst, p_now, cardinality(v_new));
        end if;
        perform set_config('rhythm_session.cursor', jsonb_build_array(p_queue.name, v_c, v_r)::text, false);
        exit priorities when cardinality(picked) >= p_max;
      end loop;
    end loop;
    v_priority := (select l.priority from rhythm.live l
      where l.queue = p_queue.name and l.state = 'pending' and l.kind = 'task' and l.rate_key is not null
        and l.priority < v_priority
      order by l.priority desc limit 1);
  end loop;
end
$$;
