-- Queues and pauses: where executions wait for workers, and what keeps them waiting. A queue exists by being named; a row is
-- here only for one with settings, so that two sessions that use a new name need not wait for each other.
--
-- Locks: whoever sets something writes one row; enqueue and claim only read. A setting holds for what begins after its
-- commit.

create table rhythm.queue_settings (
  name text collate "C" primary key,
  paused_at timestamptz,
  paused_by text,
  pause_reason text,
  -- As given, and what it means: tokens a second, and how many a full bucket holds.
  rate_limit text,
  rate float8,
  rate_burst int,
  -- Paths into inputs: a bucket, or a number of slots, for each value that is found there.
  rate_key text,
  concurrency int,
  concurrency_key text,
  concurrency_per_key int,
  -- What executions of the queue get where neither the task nor the call says it.
  priority int,
  retry jsonb,
  timeout interval,
  start_timeout interval,
  attempt_timeout interval,
  heartbeat_timeout interval,
  retention interval,
  remember interval,
  discard bool
);
comment on table rhythm.queue_settings is 'Settings of the queues that have some. Seen through rhythm.show_queue and the view rhythm.queues.';

-- Queues in which something may run that is not counted as their new limit of concurrency asks for: claims that began before it. Only
-- ever inserted and deleted, so that a claim and who configures never wait for each other.
create table rhythm.recounts (
  queue text collate "C" not null
);
comment on table rhythm.recounts is 'Queues whose running tasks the next claim counts again.';

-- What stops more than a queue: a task name (`task`), everything (`all`), everything until an admin has adopted the
-- database (`restored`).
create table rhythm.pause_marks (
  what text not null,
  name text collate "C" not null default '',
  reason text,
  paused_by text not null,
  paused_at timestamptz not null,
  primary key (what, name)
);
comment on table rhythm.pause_marks is 'Paused task names, and pauses of everything. Seen through the view rhythm.pauses.';

-- What every claim and step asks, in one row. `database`: the one for which this data was made; a copy made with
-- CREATE DATABASE ... TEMPLATE has another oid. The rest says what is in `pause_marks`.
create table rhythm.gate (
  only_row bool primary key default true check (only_row),
  database oid not null,
  stopped text,
  paused_tasks text[] not null default '{}'
);
comment on table rhythm.gate is 'One row: whether this database may run anything, and which task names are paused.';
insert into rhythm.gate (database)
select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database();

-- Brings `gate` in line with `pause_marks`. Locks its row, until the caller's commit; claims only read it.
create function rhythm._set_gate() returns void
language plpgsql as $$
begin
  perform from rhythm.gate for update;
  update rhythm.gate g set
    stopped = (select p.what from rhythm.pause_marks p where p.what in ('restored', 'all') order by p.what desc limit 1),
    paused_tasks = array(select p.name from rhythm.pause_marks p where p.what = 'task' order by p.name);
end
$$;

-- Only a restore copies rows in here: what the dump says of the old database becomes a pause of the new one. Locks: as
-- _set_gate. Part of the statement that copies the row, and undone with it.
create function rhythm._note_restore() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into rhythm.pause_marks (what, reason, paused_by, paused_at)
  values ('restored', 'restored from a dump', session_user, clock_timestamp())
  on conflict do nothing;
  perform rhythm._set_gate();
  return null;
end
$$;
create trigger note_restore before insert on rhythm.gate for each row execute function rhythm._note_restore();
-- Also where triggers of a session are off, as while a subscription copies.
alter table rhythm.gate enable always trigger note_restore;

-- Pauses that a dump brings come one by one. Locks: as _set_gate. Part of the statement that writes the pause, and undone with
-- it.
create function rhythm._note_pause() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform rhythm._set_gate();
  return null;
end
$$;
create trigger note_pause after insert or update or delete on rhythm.pause_marks
  for each statement execute function rhythm._note_pause();
alter table rhythm.pause_marks enable always trigger note_pause;

-- Returns why nothing at all may run here, or null: restored from a dump, copied from another database, or paused.
create function rhythm._stopped() returns text
language plpgsql stable as $$
begin
  return (select coalesce(g.stopped, case when g.database <> rhythm._database() then 'copied' end) from rhythm.gate g);
end
$$;

-- Returns the tokens a second of a rate such as '100/sec', or raises.
create function rhythm._rate(p_rate text) returns float8
language plpgsql immutable as $$
declare
  v_parts text[] := regexp_match(lower(p_rate), '^\s*(\d{1,9}(?:\.\d{1,6})?)\s*/\s*(s|sec|second|m|min|minute|h|hour|d|day)\s*$');
  v_rate float8;
begin
  if p_rate is null then
    return null;
  end if;
  v_rate := v_parts[1]::float8 / case left(v_parts[2], 1) when 's' then 1 when 'm' then 60 when 'h' then 3600 else 86400 end;
  if v_rate is null or v_rate <= 0 then
    perform rhythm._raise('RH007', format('rate_limit %L is not a rate', left(p_rate, 50)), null,
      'Give N/sec, N/min, N/hour or N/day with N above 0, such as ''100/sec''.');
  end if;
  return v_rate;
end
$$;

-- Returns what "forever", "0" or an interval means, or raises. A duration of 100 000 years is forever: intervals have an
-- infinity only from PostgreSQL 17 on.
create function rhythm._keep_time(p_what text, p_value text) returns interval
language plpgsql immutable as $$
begin
  if p_value is null then
    return null;
  elsif p_value = 'forever' then
    return interval '100000 years';
  end if;
  perform rhythm._check_duration(p_what, p_value::interval);
  return p_value::interval;
exception when data_exception then
  perform rhythm._raise('RH002', format('%s %L is not a duration', p_what, left(p_value, 50)), null,
    'Give an interval such as ''7 days'', ''0'' or ''forever''.');
end
$$;

-- Refuses what is no path into inputs: names with dots between them.
create function rhythm._check_path(p_what text, p_path text) returns void
language plpgsql immutable as $$
begin
  if p_path = '' or octet_length(p_path) > 255 or '' = any (string_to_array(p_path, '.')) then
    perform rhythm._raise('RH002', format('%s %L is not a path', p_what, left(p_path, 50)), null,
      'Give names of keys in the inputs with dots between them, such as ''tenant'' or ''customer.id''.');
  end if;
end
$$;

-- Returns the key that inputs have at a path. All that have none share one; no key sorts before the empty string, from which
-- claims begin to look.
create function rhythm._limit_key(p_inputs jsonb, p_path text) returns text
language plpgsql immutable as $$
declare
  v_key text := p_inputs #>> string_to_array(p_path, '.');
begin
  return case when v_key is null then '-' when octet_length(v_key) > 255 then '#' || md5(v_key) else '=' || v_key end;
end
$$;

-- Returns the day on which an execution that ends now expires, if it is the root of its tree; null: at once.
create function rhythm._expires_on(p_kind text, p_retention interval, p_now timestamptz) returns date
language sql stable as $$
  select case when p_retention >= interval '1000 years' then 'infinity'::date
    when p_retention is null or p_retention > interval '0' then
      ((p_now + case when p_retention is not null then p_retention
          when p_kind = 'task' then interval '7 days' else interval '30 days' end) at time zone 'UTC')::date + 1 end
$$;

-- The same for a member of a tree, whatever its own queue says. While the root is alive nobody knows for how long the tree is kept:
-- 30 days, and retention moves the member on before they are over. After that it goes with its root; null: that has gone.
create function rhythm._member_expires_on(p_root uuid) returns date
language plpgsql stable as $$
begin
  if exists (select from rhythm.live l where l.id = p_root) then
    return rhythm._today() + 31;
  end if;
  return (select max(a.expires_on) from rhythm.archive a where a.id = p_root and a.expires_on > rhythm._today());
end
$$;

-- Refuses settings of a queue that cannot be.
create function rhythm._check_settings(p_rate_burst int, p_rate_key text, p_concurrency int, p_concurrency_key text,
  p_concurrency_per_key int, p_priority int, p_timeout interval, p_start_timeout interval, p_attempt_timeout interval,
  p_heartbeat_timeout interval, p_result text, p_reset text[])
returns void
language plpgsql immutable as $$
declare
  v_what text;
  v_number int;
begin
  for v_what, v_number in
    select * from (values ('rate_burst', p_rate_burst), ('concurrency', p_concurrency),
      ('concurrency_per_key', p_concurrency_per_key)) n (what, number)
    where n.number not between 1 and 1000000000
  loop
    perform rhythm._raise('RH002', format('%s must be 1 or more, not %s', v_what, v_number), null,
      'To stop a queue, pause it; to take a limit away, name it in reset.');
  end loop;
  perform rhythm._check_path('rate_key', p_rate_key), rhythm._check_path('concurrency_key', p_concurrency_key),
    rhythm._check_priority(p_priority), rhythm._check_duration('timeout', p_timeout),
    rhythm._check_duration('start_timeout', p_start_timeout), rhythm._check_attempt('attempt_timeout', p_attempt_timeout),
    rhythm._check_attempt('heartbeat_timeout', p_heartbeat_timeout), rhythm._check_result(p_result);
  if exists (select from unnest(p_reset) r where r is null) then
    perform rhythm._raise('RH001', 'reset must not have a null', null, 'Give the names of settings.');
  end if;
  v_what := (select r from unnest(p_reset) r where r <> all (array['rate_limit', 'rate_burst', 'rate_key',
    'concurrency', 'concurrency_key', 'concurrency_per_key', 'priority', 'retry', 'timeout', 'start_timeout',
    'attempt_timeout', 'heartbeat_timeout', 'retention', 'remember', 'result']) limit 1);
  if v_what is not null then
    perform rhythm._raise('RH002', format('there is no setting %L to reset', left(v_what, 50)), null,
      'Look at rhythm.show_queue(name) for the names of the settings.');
  end if;
end
$$;

-- Refuses a priority outside of -32768 to 32767.
create function rhythm._check_priority(p_priority int) returns void
language plpgsql immutable as $$
begin
  if p_priority not between -32768 and 32767 then
    perform rhythm._raise('RH002', format('priority must be from -32768 to 32767, not %s', p_priority), null,
      'The larger number goes first; 0 is the default.');
  end if;
end
$$;

-- Refuses a policy for results that is neither keep nor discard.
create function rhythm._check_result(p_result text) returns void
language plpgsql immutable as $$
begin
  if p_result not in ('keep', 'discard') then
    perform rhythm._raise('RH002', format('result must be "keep" or "discard", not %L', left(p_result, 50)), null,
      'discard: the execution is remembered, its result is not.');
  end if;
end
$$;

-- Sets what is given of a queue. Locks: the queue's row of `queue_settings` until the caller's commit; claims only read it.
-- With a limit of concurrency also the rows of the queue's running tasks, skipping those that others hold, as they have to be
-- counted. What is being claimed at this moment cannot be seen yet: the first claim under the limit counts again, once those
-- have ended (`_recount`), and gets nothing before.
-- Dying halfway changes nothing.
create function rhythm.configure_queue(name text, paused bool default null, retention text default null,
  rate_limit text default null, rate_burst int default null, rate_key text default null, concurrency int default null,
  concurrency_key text default null, concurrency_per_key int default null, priority int default null,
  retry jsonb default null, timeout interval default null, start_timeout interval default null,
  attempt_timeout interval default null, heartbeat_timeout interval default null, remember text default null,
  result text default null, reset text[] default null, reason text default null)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_reset text[] := coalesce(configure_queue.reset, '{}');
  v_new rhythm.queue_settings;
  v_rate float8 := rhythm._rate(configure_queue.rate_limit);
begin
  perform rhythm._check_name('queue', configure_queue.name);
  if configure_queue.reason is not null and configure_queue.paused is not true then
    perform rhythm._raise('RH002', 'a reason is for a pause', null, 'Give paused => true with it, or leave it out.');
  end if;
  perform rhythm._check_settings(configure_queue.rate_burst, configure_queue.rate_key, configure_queue.concurrency,
    configure_queue.concurrency_key, configure_queue.concurrency_per_key, configure_queue.priority,
    configure_queue.timeout, configure_queue.start_timeout, configure_queue.attempt_timeout,
    configure_queue.heartbeat_timeout, configure_queue.result, v_reset);
  insert into rhythm.queue_settings (name) values (configure_queue.name) on conflict do nothing;
  update rhythm.queue_settings q set
    paused_at = case when configure_queue.paused is null then q.paused_at
      when configure_queue.paused then coalesce(q.paused_at, rhythm._now()) end,
    paused_by = case when configure_queue.paused is null then q.paused_by
      when configure_queue.paused then coalesce(q.paused_by, session_user) end,
    pause_reason = case when configure_queue.paused is null then q.pause_reason
      when configure_queue.paused then coalesce(configure_queue.reason, q.pause_reason) end,
    rate_limit = coalesce(configure_queue.rate_limit, case when 'rate_limit' <> all (v_reset) then q.rate_limit end),
    rate = coalesce(v_rate, case when 'rate_limit' <> all (v_reset) then q.rate end),
    rate_burst = coalesce(configure_queue.rate_burst, case when 'rate_burst' <> all (v_reset) then q.rate_burst end),
    rate_key = coalesce(configure_queue.rate_key, case when 'rate_key' <> all (v_reset) then q.rate_key end),
    concurrency = coalesce(configure_queue.concurrency, case when 'concurrency' <> all (v_reset) then q.concurrency end),
    concurrency_key = coalesce(configure_queue.concurrency_key,
      case when 'concurrency_key' <> all (v_reset) then q.concurrency_key end),
    concurrency_per_key = coalesce(configure_queue.concurrency_per_key,
      case when 'concurrency_per_key' <> all (v_reset) then q.concurrency_per_key end),
    priority = coalesce(configure_queue.priority, case when 'priority' <> all (v_reset) then q.priority end),
    retry = coalesce(rhythm._retry(configure_queue.retry), case when 'retry' <> all (v_reset) then q.retry end),
    timeout = coalesce(configure_queue.timeout, case when 'timeout' <> all (v_reset) then q.timeout end),
    start_timeout = coalesce(configure_queue.start_timeout,
      case when 'start_timeout' <> all (v_reset) then q.start_timeout end),
    attempt_timeout = coalesce(configure_queue.attempt_timeout,
      case when 'attempt_timeout' <> all (v_reset) then q.attempt_timeout end),
    heartbeat_timeout = coalesce(configure_queue.heartbeat_timeout,
      case when 'heartbeat_timeout' <> all (v_reset) then q.heartbeat_timeout end),
    retention = coalesce(rhythm._keep_time('retention', configure_queue.retention),
      case when 'retention' <> all (v_reset) then q.retention end),
    remember = coalesce(rhythm._keep_time('remember', configure_queue.remember),
      case when 'remember' <> all (v_reset) then q.remember end),
    discard = coalesce(configure_queue.result = 'discard', case when 'result' <> all (v_reset) then q.discard end)
  where q.name = configure_queue.name
  returning q.* into v_new;
  if v_new.rate_key is not null and v_new.rate is null or v_new.rate_burst is not null and v_new.rate is null then
    perform rhythm._raise('RH002', format('queue %L has a rate_key or rate_burst, but no rate_limit', v_new.name), null,
      'Give rate_limit too, such as ''100/min'', or reset the others.');
  elsif v_new.concurrency_per_key is not null and v_new.concurrency_key is null then
    perform rhythm._raise('RH002', format('queue %L has a concurrency_per_key, but no concurrency_key', v_new.name), null,
      'Give the path to the key in the inputs, such as concurrency_key => ''tenant''.');
  end if;
  if coalesce(configure_queue.concurrency::text, configure_queue.concurrency_key) is not null then
    insert into rhythm.recounts (queue) values (v_new.name);
    update rhythm.live l set concurrency_key = rhythm._limit_key(l.inputs, v_new.concurrency_key)
    where l.id = any (array(select o.id from rhythm.live o
      where o.queue = v_new.name and o.state = 'running' order by o.id for update skip locked));
  end if;
  -- Whoever waits shall look again: a pause has ended, or a limit has changed.
  perform rhythm._wake_queue(configure_queue.name, 1000);
end
$$;
comment on function rhythm.configure_queue(text, bool, text, text, int, text, int, text, int, int, jsonb, interval, interval, interval, interval, text, text, text[], text) is
'Sets what is given of a queue and leaves the rest; reset names settings to take away. rate_limit (N/sec, N/min, N/hour, N/day) with rate_burst, and by rate_key, a path into inputs; concurrency of the whole queue, and concurrency_per_key (1 unless given) by concurrency_key; defaults for priority, retry and the timeouts (of workflows started on this queue by name: priority, timeout, remember, result); retention and remember (''7 days'', ''0'', ''forever''); result (keep, discard). Example: select rhythm.configure_queue(''stripe'', rate_limit => ''100/sec'', concurrency_key => ''customer'', retention => ''3 days'')';

-- Returns a retry policy as people write it, which _retry reads as this very one.
create function rhythm._show_retry(p_retry jsonb) returns jsonb
language sql immutable as $$
  select jsonb_object_agg(r.key, case
    when r.key in ('initial', 'max') then to_jsonb(rhythm._show_duration(r.value::numeric))
    when r.key = 'delays' then (select jsonb_agg(rhythm._show_duration(d.value::numeric) order by d.at)
      from jsonb_array_elements(r.value) with ordinality as d (value, at))
    else r.value end)
  from jsonb_each(p_retry) r
$$;

-- Gives the settings of a queue. No locks.
create function rhythm.show_queue(name text) returns table (setting text, value text, is_default bool)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_queue rhythm.queue_settings;
begin
  perform rhythm._check_name('queue', show_queue.name);
  select q.* into v_queue from rhythm.queue_settings q where q.name = show_queue.name;
  return query
  select s.setting, coalesce(s.value, s.by_default), s.value is null
  from (values
    ('paused', case when v_queue.paused_at is not null then 'true' end, 'false'),
    ('rate_limit', v_queue.rate_limit, null),
    ('rate_burst', v_queue.rate_burst::text,
      case when v_queue.rate is not null then rhythm._burst(v_queue)::text end),
    ('rate_key', v_queue.rate_key, null),
    ('concurrency', v_queue.concurrency::text, null),
    ('concurrency_key', v_queue.concurrency_key, null),
    ('concurrency_per_key', v_queue.concurrency_per_key::text, case when v_queue.concurrency_key is not null then '1' end),
    ('priority', v_queue.priority::text, '0'),
    ('retry', rhythm._show_retry(v_queue.retry)::text,
      '{"maxAttempts": 5, "initial": "1s", "backoff": 2, "max": "5m", "jitter": 0.1}'),
    ('timeout', v_queue.timeout::text, null),
    ('start_timeout', v_queue.start_timeout::text, null),
    ('attempt_timeout', v_queue.attempt_timeout::text, null),
    ('heartbeat_timeout', v_queue.heartbeat_timeout::text, null),
    ('retention', case when v_queue.retention >= interval '1000 years' then 'forever' else v_queue.retention::text end,
      '7 days (tasks), 30 days (workflows)'),
    ('remember', case when v_queue.remember >= interval '1000 years' then 'forever' else v_queue.remember::text end,
      'as long as retention'),
    ('result', case when v_queue.discard then 'discard' when not v_queue.discard then 'keep' end, 'keep')
  ) s (setting, value, by_default);
end
$$;
comment on function rhythm.show_queue(text) is
'Gives the settings of a queue, in the forms that configure_queue takes, and what holds where none is set (is_default). Example: select * from rhythm.show_queue(''stripe'')';

-- Pauses a queue. Locks and halfway: as configure_queue.
create function rhythm.pause_queue(name text, reason text default null) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform rhythm.configure_queue(pause_queue.name, paused => true, reason => pause_queue.reason);
end
$$;
comment on function rhythm.pause_queue(text, text) is
'Lets workers claim nothing from this queue until resume_queue; what runs goes on. Example: select rhythm.pause_queue(''mail'', ''the relay is down'')';

-- Ends a pause; the commit wakes the waiting workers. Locks and halfway: as configure_queue.
create function rhythm.resume_queue(name text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform rhythm.configure_queue(resume_queue.name, paused => false);
end
$$;
comment on function rhythm.resume_queue(text) is
'Ends a pause and wakes the waiting workers. Example: select rhythm.resume_queue(''mail'')';

-- Pauses a task name. Locks: its row of `pause_marks` until the caller's commit. Dying halfway changes nothing.
create function rhythm.pause_task(name text, reason text default null) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  perform rhythm._check_name('task name', pause_task.name);
  insert into rhythm.pause_marks (what, name, reason, paused_by, paused_at)
  values ('task', pause_task.name, pause_task.reason, session_user, rhythm._now())
  on conflict do nothing;
end
$$;
comment on function rhythm.pause_task(text, text) is
'Lets workers claim no task of this name, in no queue, until resume_task; what runs goes on. Example: select rhythm.pause_task(''charge'', ''wrong amounts'')';

-- Ends the pause of a task name; the commit wakes waiting workers. Locks and halfway: as pause_task.
create function rhythm.resume_task(name text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  perform rhythm._check_name('task name', resume_task.name);
  delete from rhythm.pause_marks p where p.what = 'task' and p.name = resume_task.name;
  perform rhythm._wake_everybody(array(select distinct l.queue from rhythm.live l
    where l.name = resume_task.name and l.kind = 'task' and l.state = 'pending'));
end
$$;
comment on function rhythm.resume_task(text) is
'Ends the pause of a task name and wakes the waiting workers. Example: select rhythm.resume_task(''charge'')';

-- Wakes who waits in these queues, and the background worker. No locks.
create function rhythm._wake_everybody(p_queues text[]) returns void
language plpgsql as $$
begin
  perform rhythm._wake_queue(q, 1000) from unnest(p_queues) q;
  perform rhythm._wake_steps(false);
end
$$;

-- Pauses everything. Locks: the row of this pause until the caller's commit. Dying halfway changes nothing.
create function rhythm.pause_all(reason text default null) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  insert into rhythm.pause_marks as p (what, reason, paused_by, paused_at)
  values ('all', pause_all.reason, session_user, rhythm._now())
  on conflict (what, name) do update set reason = coalesce(excluded.reason, p.reason);
end
$$;
comment on function rhythm.pause_all(text) is
'Stops everything: workers get nothing, workflows take no step, timers and schedules do not fire, until resume_all. What is enqueued, signalled and completed is kept. Example: select rhythm.pause_all(''migration of the shop'')';

-- Ends pause_all. Locks and halfway: as pause_all.
create function rhythm.resume_all() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  delete from rhythm.pause_marks p where p.what = 'all';
  perform rhythm._wake_everybody(array(
    select distinct l.queue from rhythm.live l where l.kind = 'task' and l.state = 'pending'));
end
$$;
comment on function rhythm.resume_all() is
'Ends pause_all: everything that has become due meanwhile happens now. Example: select rhythm.resume_all()';

-- Says that a restored or copied database shall run. Locks and halfway: as pause_all, and the row of `gate`.
create function rhythm.adopt() returns bool
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_was_stopped bool := rhythm._stopped() in ('restored', 'copied');
begin
  delete from rhythm.pause_marks p where p.what = 'restored';
  update rhythm.gate g set database = rhythm._database() where g.database <> rhythm._database();
  perform rhythm._wake_everybody(array(
    select distinct l.queue from rhythm.live l where l.kind = 'task' and l.state = 'pending'));
  return coalesce(v_was_stopped, false);
end
$$;
comment on function rhythm.adopt() is
'Lets a database that was restored from a dump, or copied from another one, run: until then it runs nothing, since a test copy must not charge cards. False: there was nothing to adopt. Example: select rhythm.adopt()';

create view rhythm.pauses as
select 'queue' as what, q.name, q.pause_reason as reason, q.paused_by, q.paused_at
from rhythm.queue_settings q where q.paused_at is not null
union all
select p.what, nullif(p.name, ''), p.reason, p.paused_by, p.paused_at from rhythm.pause_marks p
union all
select 'copied', null, 'copied from another database', null, null
from rhythm.gate g join pg_catalog.pg_database d on d.datname = pg_catalog.current_database() and d.oid <> g.database;
comment on view rhythm.pauses is 'Everything that is paused: queues, task names, all, and a restored or copied database that nobody has adopted. Example: select what, name, reason, paused_by, paused_at from rhythm.pauses';
