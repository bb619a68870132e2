-- Queues: where executions wait for workers. A queue exists by being named; a row is here only for one with settings,
-- so that two sessions that use a new name need not wait for each other.
--
-- Locks: configure, pause and resume write one row of `queues`; enqueue and claim only read it.

create table rhythm.queue_settings (
  name text primary key,
  paused_at timestamptz,
  paused_by text,
  retention interval check (retention >= interval '0'),
  check ((paused_at is null) = (paused_by is null))
);
comment on table rhythm.queue_settings is 'Settings of the queues that have some. Seen through the view rhythm.queues.';

-- Returns the day on which an execution that ends now expires; null: at once. Members of a tree follow their root.
create function rhythm._expires_on(p_kind text, p_is_root bool, p_retention interval, p_now timestamptz) returns date
language sql stable as $$
  select case when not p_is_root or p_retention is null or p_retention > interval '0' then
    ((p_now + case when not p_is_root then interval '30 days' when p_retention is not null then p_retention
        when p_kind = 'task' then interval '7 days' else interval '30 days' end) at time zone 'UTC')::date + 1 end
$$;

-- Sets what is given of a queue. Locks: the queue's row of `queue_settings`, until the caller's commit; claims only read it.
-- Dying halfway changes nothing.
create function rhythm.configure_queue(name text, paused bool default null, retention interval default null)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  perform rhythm._check_name('queue', configure_queue.name);
  perform rhythm._check_duration('retention', configure_queue.retention);
  insert into rhythm.queue_settings as q (name, paused_at, paused_by, retention)
  values (configure_queue.name,
    case when configure_queue.paused then rhythm._now() end,
    case when configure_queue.paused then session_user end,
    configure_queue.retention)
  on conflict (name) do update set
    paused_at = case when configure_queue.paused is null then q.paused_at
      when configure_queue.paused then coalesce(q.paused_at, excluded.paused_at) end,
    paused_by = case when configure_queue.paused is null then q.paused_by
      when configure_queue.paused then coalesce(q.paused_by, excluded.paused_by) end,
    retention = coalesce(configure_queue.retention, q.retention);
  if not configure_queue.paused then
    perform rhythm._wake_queue(configure_queue.name, 1000);
  end if;
end
$$;
comment on function rhythm.configure_queue(text, bool, interval) is
'Sets what is given and leaves the rest: paused (workers get nothing), retention (how long finished executions of the queue are kept; 0: not at all). Example: select rhythm.configure_queue(''mail'', retention => ''3 days'')';

-- Pauses a queue. Locks and halfway: as configure_queue.
create function rhythm.pause_queue(name text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform rhythm.configure_queue(pause_queue.name, paused => true);
end
$$;
comment on function rhythm.pause_queue(text) is
'Lets workers claim nothing from this queue until resume_queue; what runs goes on. Example: select rhythm.pause_queue(''mail'')';

-- Ends a pause; the commit wakes the waiting workers. Locks and halfway: as configure_queue.
create function rhythm.resume_queue(name text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform rhythm.configure_queue(resume_queue.name, paused => false);
end
$$;
comment on function rhythm.resume_queue(text) is
'Ends a pause and wakes the waiting workers. Example: select rhythm.resume_queue(''mail'')';
