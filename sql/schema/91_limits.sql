-- Limits: what they are, and which runs have come near to one. A run that passes a quarter of a limit is marked once for it, so that
-- it can be seen before it fails. The library compares while it steps (extension/src/engine/near.rs), and a step that stays below
-- sends nothing here.
--
-- Locks: none. Marks are inserts; those of a step are made by who holds its tree. Two signals at once may both mark their run, so
-- there is no unique index on which one would wait for the other, and the view shows the earlier mark.

create table rhythm.limit_marks (
  execution_id uuid not null,
  -- The limit, as rhythm.limits names it.
  name text not null,
  workflow text not null,
  -- How far it had come, and the limit at that time.
  value bigint not null,
  most bigint not null,
  at timestamptz not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
comment on table rhythm.limit_marks is 'Runs that have passed a quarter of a limit. Seen through the view rhythm.near_limits.';
create index limit_marks_execution on rhythm.limit_marks (execution_id);

-- Returns how many signals a run may have that it has not taken.
create function rhythm._most_signals() returns int
language sql immutable as $$ select 10000 $$;

-- Marks runs for the limits that their steps have come near to: those of the i-th are p_effects[i].near, [{limit, value, most}]. No
-- locks: marks are inserts. Dying halfway undoes the steps.
create function rhythm._mark_near(p_ids uuid[], p_effects jsonb) returns void
language plpgsql as $$
begin
  insert into rhythm.limit_marks (execution_id, name, workflow, value, most, at)
  select l.id, e ->> 'limit', l.name, (e ->> 'value')::bigint, (e ->> 'most')::bigint, rhythm._now()
  from rows from (unnest(p_ids), jsonb_array_elements(p_effects)) as o (id, effects)
  join rhythm.live l on l.id = o.id
  cross join lateral jsonb_array_elements(o.effects -> 'near') e
  where not exists (select from rhythm.limit_marks m where m.execution_id = l.id and m.name = e ->> 'limit');
end
$$;

-- Looks how many signals a run has that it has not taken: marks it from a quarter of what it may have on. True: it has all of
-- these. No locks: a mark is an insert. Dying halfway leaves none.
create function rhythm._has_most_signals(p_id uuid) returns bool
language plpgsql as $$
begin
  if not exists (select from rhythm.signals s where s.execution_id = p_id offset rhythm._most_signals() / 4) then
    return false;
  end if;
  insert into rhythm.limit_marks (execution_id, name, workflow, value, most, at)
  select l.id, 'signals', l.name, rhythm._most_signals() / 4 + 1, rhythm._most_signals(), rhythm._now()
  from rhythm.live l
  where l.id = p_id and not exists (select from rhythm.limit_marks m where m.execution_id = p_id and m.name = 'signals');
  return exists (select from rhythm.signals s where s.execution_id = p_id offset rhythm._most_signals() - 1);
end
$$;

create view rhythm.near_limits as
select distinct on (m.execution_id, m.name) m.execution_id as id, m.workflow, m.name, m.value, m.most, m.at
from rhythm.limit_marks m
order by m.execution_id, m.name, m.at;
comment on view rhythm.near_limits is 'Runs that have passed a quarter of a limit, once for each limit: value is how far it had come then, most the limit at that time. Kept as long as the run. Example: select id, workflow, value, most, at from rhythm.near_limits where name = ''rhythm.save_size''';

create view rhythm.near_limit_counts as
select n.workflow, n.name, count(*) as runs, count(*) filter (where exists (select from rhythm.live l where l.id = n.id)) as live,
  max(n.at) as last_at
from rhythm.near_limits n group by n.workflow, n.name;
comment on view rhythm.near_limit_counts is 'How many runs of each workflow have passed a quarter of a limit, as far as they are kept, how many of these are alive, and when the last one did. Example: select workflow, name, runs, live from rhythm.near_limit_counts order by runs desc';

-- Gives all limits. No locks. It writes nothing: dying halfway leaves nothing.
create function rhythm.limits()
returns table (name text, most bigint, unit text, bounds text, setting bool, near bigint, runs bigint)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp set jit = off as $$
#variable_conflict use_column
begin
  return query
  select f.name, f.most, f.unit, f.bounds, f.name like 'rhythm.%', case when f.marked then f.most / 4 end,
    case when f.marked then (select count(distinct m.execution_id) from rhythm.limit_marks m where m.name = f.name) end
  from (
    select o.name, o.most, o.unit, o.bounds, o.marked from rhythm._library_limits() o
    union all
    select 'signals', rhythm._most_signals(), 'signals', 'signals that a run has not taken; counted at one in a hundred', true) f;
end
$$;
comment on function rhythm.limits() is
'Gives every limit of runs: its name (of a setting, that of the setting), how much it allows (null: no limit), what it bounds, from how much on runs are marked (near: a quarter; null: they are not), and how many runs are marked now (rhythm.near_limits has them). Example: select name, most, unit, near, runs from rhythm.limits()';
