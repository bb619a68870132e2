-- What a long run keeps of its steps: a run that goes on for ever would fill the archive with tasks that ended long ago. Of a live run
-- the last ended tasks are kept (`rhythm.timeline_size`, 10 000), and of those before a summary. Only what has completed goes, and has no
-- task_id: what failed is a dead letter, and who gave a task_id may ask for its result. What a run still waits for is no part of this:
-- outcomes are events, which a step takes, and not rows of the archive.
--
-- A run costs nothing for it: one promise in a thousand leaves a mark, and the database's worker looks at what is marked.
--
-- Locks: marks and what is deleted, with SKIP LOCKED.

create table rhythm.long_runs (
  execution_id uuid primary key,
  -- Whether it has begun a thousand more since somebody looked.
  is_due bool not null default true,
  -- The summary of what is gone: tasks, and entries of the timeline.
  tasks bigint not null default 0,
  entries bigint not null default 0,
  waited interval not null default '0',
  ran interval not null default '0',
  until timestamptz
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
comment on table rhythm.long_runs is 'Runs of a thousand steps and more, with the summary of those that are not kept.';
create index long_runs_due on rhythm.long_runs (execution_id) where is_due;

-- Marks a run as long. No locks but the row of the run's own, whose tree the caller has. Dying halfway undoes the step.
create function rhythm._note_long(p_id uuid) returns void
language plpgsql as $$
begin
  insert into rhythm.long_runs (execution_id) values (p_id) on conflict (execution_id) do nothing;
  -- If somebody trims it just now, the next thousand steps mark it again.
  update rhythm.long_runs r set is_due = true where r.ctid = any (array(
    select o.ctid from rhythm.long_runs o where o.execution_id = p_id and not o.is_due for update skip locked));
end
$$;

-- Returns how many ended tasks of a live run are kept, and how many timers and signals; null: all.
create function rhythm._timeline_size() returns int
language sql stable as $$
  select nullif(coalesce(nullif(current_setting('rhythm.timeline_size', true), '')::int, 10000), 0)
$$;

-- Deletes the oldest of what long runs need not keep, up to `p_max`; gives how much that was. `p_only`: of this run alone. Locks: the
-- runs' rows of long_runs and what is deleted, with SKIP LOCKED. Dying halfway deletes nothing.
create function rhythm._trim_runs(p_max int, p_only uuid default null) returns int
language plpgsql as $$
#variable_conflict use_column
declare
  v_keep int := rhythm._timeline_size();
  v_id uuid;
  v_edge int;
  v_seq bigint;
  v_gone record;
  v_facts record;
  v_done int := 0;
  v_most int;
begin
  for v_id in
    select r.execution_id from rhythm.long_runs r
    where r.is_due and (p_only is null or r.execution_id = p_only) order by r.execution_id limit 16 for update skip locked
  loop
    v_most := p_max - v_done;
    exit when v_most <= 0;
    v_edge := null;
    v_seq := null;
    -- Of a run that has ended everything goes with its retention, and what it has left may be wanted.
    if v_keep is not null and exists (select from rhythm.live l where l.id = v_id) then
      v_edge := (select a.promise from rhythm.archive a
        where a.parent_id = v_id and a.kind = 'task' and a.state = 'completed' and a.task_id is null
        order by a.promise desc offset v_keep limit 1);
      v_seq := (select h.seq from rhythm.history h
        where h.execution_id = v_id and h.event in ('timer_fired', 'signal_received', 'signal_timed_out', 'mutex_acquired', 'mutex_timed_out')
        order by h.seq desc offset v_keep limit 1);
    end if;
    with d as (
      delete from rhythm.archive a where a.id = any (array(
        select x.id from rhythm.archive x
        where x.parent_id = v_id and x.promise <= v_edge and x.kind = 'task' and x.state = 'completed' and x.task_id is null
        order by x.promise limit v_most for update skip locked))
      returning a.id, a.finished_at, rhythm._span(greatest(a.created_at, a.run_at), coalesce(a.attempt_at, a.started_at)) as waited,
        rhythm._span(coalesce(a.attempt_at, a.started_at), a.finished_at) as ran
    ), told as (
      delete from rhythm.history h using d where h.execution_id = d.id returning h.event
    )
    select count(*) as tasks, array_agg(d.id) as ids, max(d.finished_at) as until, sum(d.waited) as waited, sum(d.ran) as ran,
      (select count(*) from told t where t.event = 'attempt_failed') as failed
    into v_gone from d;
    with t as (
      delete from rhythm.history h
      where h.execution_id = v_id and h.seq = any (array(
        select x.seq from rhythm.history x
        where x.execution_id = v_id and x.seq <= v_seq and x.event in ('timer_fired', 'signal_received', 'signal_timed_out', 'mutex_acquired', 'mutex_timed_out')
        order by x.seq limit v_most))
      returning h.at
    )
    select count(*) as entries, max(t.at) as until into v_facts from t;
    v_done := v_done + v_gone.tasks + v_facts.entries;
    update rhythm.long_runs r set tasks = r.tasks + v_gone.tasks,
      -- Of each task its beginning and its end.
      entries = r.entries + 2 * v_gone.tasks + v_gone.failed + v_facts.entries,
      waited = r.waited + coalesce(v_gone.waited, '0'), ran = r.ran + coalesce(v_gone.ran, '0'),
      until = greatest(r.until, v_gone.until, v_facts.until),
      is_due = v_gone.tasks >= v_most or v_facts.entries >= v_most
    where r.execution_id = v_id;
  end loop;
  return v_done;
end
$$;
