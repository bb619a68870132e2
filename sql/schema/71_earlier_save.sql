-- Kept states: what earlier steps of a run have left, so that another run may begin there (86_fork.sql). `rhythm.kept_states` is how many
-- of each run; with 0, which is the default, the library does not come here, and a step costs nothing more.
--
-- They stay when the run has ended, as long as it is kept, and go with it.
--
-- Locks: none but rows of the run, which only who holds its tree writes; retention, when it has been swept.

create table rhythm.earlier_saves (
  execution_id uuid not null,
  -- Counted from 1 by the steps that have kept one.
  step int not null,
  -- That of the step: the run may have been moved since.
  definition_id bigint not null,
  at timestamptz not null,
  save bytea not null,
  -- What the run had published.
  attributes jsonb,
  -- What was to settle its promises then and is not found by the execution that does: lists of objects with the promise each, and what
  -- had settled one but was not taken. Null: none.
  timers jsonb,
  signals jsonb,
  watchers jsonb,
  deferred jsonb,
  fan_outs jsonb,
  claims jsonb,
  events jsonb,
  primary key (execution_id, step)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
comment on table rhythm.earlier_saves is 'States that earlier steps of workflows have left, for rhythm.fork.';

-- Keeps the states that steps have just saved, and of each run the last `p_most`. One statement for all: it sees the rows as one moment
-- has them, so a timer that fires meanwhile is either a timer or an event. None of a run that cleans up, since it was told to cancel,
-- nor of one whose history is not kept. Locks: rows of the runs, whose trees the caller has. Dying halfway undoes the steps.
create function rhythm._keep_states(p_ids uuid[], p_most int) returns void
language plpgsql as $$
#variable_conflict use_column
begin
  with kept as materialized (
    select l.id, l.definition_id, s.saved_at, s.save, 1 + coalesce((
      select k.step from rhythm.earlier_saves k where k.execution_id = l.id order by k.step desc limit 1), 0) as step
    from rhythm.live l
    join rhythm.saves s on s.id = l.id
    left join rhythm.queue_settings q on q.name = l.queue
    where l.id = any (p_ids) and s.save is not null and l.cancelling is not true
      and rhythm._expires_on('workflow', q.retention, s.saved_at) is not null
  ), gone as (
    delete from rhythm.earlier_saves k using kept n where k.execution_id = n.id and k.step <= n.step - p_most
  )
  insert into rhythm.earlier_saves (execution_id, step, definition_id, at, save, attributes, timers, signals, watchers, deferred, fan_outs,
    claims, events)
  select n.id, n.step, n.definition_id, n.saved_at, n.save,
    (select p.attributes from rhythm.published p where p.id = n.id),
    (select jsonb_agg(jsonb_build_object('promise', t.promise, 'due_at', t.due_at, 'since', t.since))
      from rhythm.timers t where t.execution_id = n.id),
    (select jsonb_agg(jsonb_build_object('promise', w.promise, 'name', w.name, 'key', w.key, 'is_request', w.is_request,
        'due_at', w.due_at))
      from rhythm.signal_waits w where w.execution_id = n.id),
    (select jsonb_agg(jsonb_build_object('promise', w.promise, 'id', w.id)) from rhythm.watchers w where w.execution_id = n.id),
    (select jsonb_agg(d.item order by d.seq) from rhythm.deferred_starts d where d.execution_id = n.id),
    (select jsonb_agg(jsonb_build_object('group', f.wake_group, 'concurrency', f.concurrency, 'next', f.next, 'last', f.last))
      from rhythm.fan_outs f where f.execution_id = n.id),
    (select jsonb_agg(jsonb_build_object('promise', c.promise, 'name', c.name, 'told', c.told, 'due_at', c.due_at) order by c.seq)
      from rhythm.mutex_claims c where c.execution_id = n.id),
    (select jsonb_agg(jsonb_build_object('promise', e.promise, 'ok', e.ok)
        || case when e.value is not null then jsonb_build_object('value', e.value) else '{}' end
        || case when e.error is not null then jsonb_build_object('error', e.error) else '{}' end order by e.seq)
      from rhythm.events e where e.execution_id = n.id)
  from kept n;
end
$$;

-- Deletes kept states of runs that are not there any more: one that was to be kept while it ran, and then was not. A slow walk, from run to
-- run by the index: a thousand an hour. Locks: the rows that it deletes, which nobody writes. Dying halfway deletes nothing.
create function rhythm._sweep_states() returns void
language plpgsql as $$
declare
  v_after uuid;
begin
  with recursive t (id, n) as (
    (select k.execution_id, 1 from rhythm.earlier_saves k, rhythm.maintenance m
      where m.states_after is null or k.execution_id > m.states_after order by k.execution_id limit 1)
    union all
    select (select k.execution_id from rhythm.earlier_saves k where k.execution_id > t.id order by k.execution_id limit 1), t.n + 1
    from t where t.id is not null and t.n < 1000
  ), gone as (
    delete from rhythm.earlier_saves k where k.execution_id in (select t.id from t where t.id is not null
      and not exists (select from rhythm.live l where l.id = t.id) and not exists (select from rhythm.archive a where a.id = t.id))
  )
  select t.id into v_after from t where t.n = 1000;
  update rhythm.maintenance set states_after = v_after;
end
$$;
