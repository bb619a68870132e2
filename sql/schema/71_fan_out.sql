-- Fan-outs: `Task.map` and `Workflow.map`, which hold back those of their list that have no turn yet. What is held is no execution: it
-- becomes one, started as any other child, when one that runs has ended. The workflow is loaded when all have ended, or one has failed.
--
-- Locks: none of its own. All of it is written by who holds the tree.

create table rhythm.fan_outs (
  execution_id uuid not null,
  -- The number of its first promise, by which its children are counted as those of a Promise.all are.
  wake_group int not null,
  concurrency int not null,
  -- The first promise that is held, and the last. By the number nothing is read twice, however many dead rows lie before it.
  next int not null,
  last int not null,
  primary key (execution_id, wake_group)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
comment on table rhythm.fan_outs is 'Fan-outs of which something is held back.';

create table rhythm.fan_out_items (
  execution_id uuid not null,
  promise int not null,
  item jsonb not null,
  primary key (execution_id, promise)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
comment on table rhythm.fan_out_items is 'What fan-outs hold back.';

-- Keeps what a step holds back: [{group, next, last, concurrency}] and the children, as _start_children takes them. No locks: all are
-- inserts. Dying halfway undoes the step.
create function rhythm._hold_fan_outs(p_id uuid, p_fan_outs jsonb, p_items jsonb) returns void
language plpgsql as $$
begin
  insert into rhythm.fan_outs (execution_id, wake_group, concurrency, next, last)
  select p_id, (e ->> 'group')::int, (e ->> 'concurrency')::int, (e ->> 'next')::int, (e ->> 'last')::int
  from jsonb_array_elements(p_fan_outs) e;
  insert into rhythm.fan_out_items (execution_id, promise, item)
  select p_id, (e ->> 'promise')::int, e from jsonb_array_elements(p_items) e;
end
$$;

-- Forgets what is held of fan-outs that are decided, by their groups. No locks: the caller has the tree. Dying halfway undoes the step.
create function rhythm._end_fan_outs(p_id uuid, p_groups jsonb) returns void
language plpgsql as $$
#variable_conflict use_column
declare
  v_one record;
begin
  for v_one in
    delete from rhythm.fan_outs f
    where f.execution_id = p_id and f.wake_group = any (array(select g::int from jsonb_array_elements_text(p_groups) g))
    returning f.next, f.last
  loop
    delete from rhythm.fan_out_items i where i.execution_id = p_id and i.promise between v_one.next and v_one.last;
  end loop;
end
$$;

-- Starts what is held of workflows, in the trees that the caller has locked, up to their limits; gives those of which a promise was
-- settled at once. What counts is what lives: an end that is not committed has its mark, which comes here after it. Locks: as
-- _start_children; the caller has the trees. Dying halfway starts nothing.
create function rhythm._fill_fan_outs(p_ids uuid[], p_roots uuid[]) returns uuid[]
language plpgsql as $$
#variable_conflict use_column
declare
  v_one record;
  v_free int;
  v_items jsonb;
  v_settled uuid[] := '{}';
begin
  for v_one in
    select f.execution_id, f.wake_group, f.concurrency, f.next, f.last from rhythm.fan_outs f
    where f.execution_id = any (array(
      select distinct l.id from rhythm.live l where l.id = any (p_ids) and l.root_id = any (p_roots)))
    order by f.execution_id, f.wake_group
  loop
    v_free := v_one.concurrency - (
      select count(*) from rhythm.live l where l.parent_id = v_one.execution_id and l.wake_group = v_one.wake_group);
    continue when v_free <= 0;
    with taken as (
      delete from rhythm.fan_out_items i
      where i.execution_id = v_one.execution_id and i.promise >= v_one.next and i.promise < v_one.next + v_free
        and i.promise <= v_one.last
      returning i.promise, i.item
    )
    select jsonb_agg(t.item order by t.promise) into v_items from taken t;
    if v_one.next + v_free > v_one.last then
      delete from rhythm.fan_outs f where f.execution_id = v_one.execution_id and f.wake_group = v_one.wake_group;
    else
      update rhythm.fan_outs f set next = v_one.next + v_free
      where f.execution_id = v_one.execution_id and f.wake_group = v_one.wake_group;
    end if;
    if v_items is not null then
      v_settled := v_settled || rhythm._start_children(array[v_one.execution_id],
        jsonb_build_array(jsonb_build_object('tasks', v_items)));
    end if;
  end loop;
  return v_settled;
end
$$;
