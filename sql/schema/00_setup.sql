-- Roles, the schema, the clock, errors, ids and durations: what every other file stands on.
--
-- Roles outlive DROP EXTENSION and are shared by the databases of a cluster, so they are made only when missing.
-- `rhythm_owner` owns everything (no definer function runs as a superuser); the other three are granted by the DBA.
-- Locks: none here, but for `_now()` reading one row of `test_clock`.

do $$
declare
  v_role text;
begin
  foreach v_role in array array['rhythm_owner', 'rhythm_admin', 'rhythm_worker', 'rhythm_client'] loop
    if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
      begin
        execute format('create role %I nologin', v_role);
      exception when duplicate_object or unique_violation then
        -- Another database of this cluster has got the extension in this very moment.
        null;
      end;
    end if;
  end loop;
  if exists (select from pg_catalog.pg_roles where rolname = 'rhythm_owner' and (rolsuper or rolcanlogin)) then
    raise exception using errcode = '42501',
      message = 'role "rhythm_owner" may log in or is a superuser',
      detail = 'Every function of Rhythm runs as this role.',
      hint = 'Run: alter role rhythm_owner nologin nosuperuser.';
  end if;
end
$$;

create schema rhythm authorization rhythm_owner;
comment on schema rhythm is 'Durable workflows and task queues: enqueue, start, claim, finish. See rhythm.version().';

create type rhythm.state as enum
  ('pending', 'scheduled', 'running', 'waiting', 'completed', 'failed', 'cancelled', 'timed_out');
comment on type rhythm.state is 'The state of an execution; the last four are terminal.';

-- The settable clock of tests. A table, since anybody may set a placeholder setting, and only the owner may write here.
create table rhythm.test_clock (
  only_row bool primary key default true check (only_row),
  shift interval not null default '0'
);
comment on table rhythm.test_clock is 'How far the clock of Rhythm is ahead of the server''s: for tests. Example: update rhythm.test_clock set shift = ''1 hour''';
insert into rhythm.test_clock default values;

-- Returns by how many microseconds the clock is ahead.
create function rhythm._clock_shift() returns bigint
language sql stable parallel restricted as $$
  select (extract(epoch from now() + c.shift - now()) * 1000000)::bigint from rhythm.test_clock c
$$;

-- Returns what time it is for Rhythm. `clock_timestamp()`, since inside a long claim `now()` stands still. No locks.
create function rhythm._now() returns timestamptz
language plpgsql volatile parallel restricted as $$
begin
  return clock_timestamp() + (select c.shift from rhythm.test_clock c);
end
$$;

-- Returns the day for retention, in UTC. STABLE, so that views evaluate it once.
create function rhythm._today() returns date
language sql stable parallel restricted as $$
  select ((clock_timestamp() + c.shift) at time zone 'UTC')::date from rhythm.test_clock c
$$;

-- Raises an error of class RH. Every error that users see goes through here; the table of codes is in sql/README.md. No locks.
create function rhythm._raise(p_code text, p_message text, p_detail text, p_hint text) returns void
language plpgsql as $$
begin
  if p_detail is null then
    raise exception using errcode = p_code, message = p_message, hint = p_hint;
  end if;
  raise exception using errcode = p_code, message = p_message, detail = p_detail, hint = p_hint;
end
$$;

-- Returns the beginning of an id: 48 bits of milliseconds, version 7, 12 bits of the fraction, as 16 hexadecimal digits. No
-- locks.
create function rhythm._id_time() returns text
language sql volatile as $$
  select overlay(lpad(to_hex((extract(epoch from clock_timestamp()) * 1000000)::bigint * 512 / 125), 15, '0')
    placing '7' from 13 for 0)
$$;

-- And its end: the number of the node (`rhythm.node`), so that a router can find an execution by its id alone.
create function rhythm._id_node() returns text
language sql stable as $$
  select lpad(to_hex(coalesce(nullif(current_setting('rhythm.node', true), ''), '0')::bigint & 65535), 4, '0')
$$;

-- Returns an id: a UUIDv7 with 46 random bits. No locks.
create function rhythm._new_id() returns uuid
language sql volatile as $$
  select (rhythm._id_time() || to_hex(140737488355328 | (uuid_hash_extended(gen_random_uuid(), 0) & 70368744177663))
    || rhythm._id_node())::uuid
$$;

-- Returns the duration that a JSON value means in Flow: a number of seconds, or a string such as "250ms", "90s",
-- "15m", "24h", "7d", "1h30m". Null for what is no duration.
create function rhythm._duration(p_value jsonb) returns interval
language plpgsql immutable as $$
declare
  v_text text := p_value #>> '{}';
  v_seconds double precision;
begin
  case jsonb_typeof(p_value)
    when 'number' then
      if v_text::numeric not between 0 and 3155760000 then
        return null;
      end if;
      return make_interval(secs => v_text::double precision);
    when 'string' then
      if length(v_text) > 64 or v_text !~ '^(\d{1,12}(\.\d{1,9})?(ms|s|m|h|d))+$' then
        return null;
      end if;
      select sum(m[1]::double precision *
          case m[2] when 'ms' then 0.001 when 's' then 1 when 'm' then 60 when 'h' then 3600 else 86400 end)
      into v_seconds
      from regexp_matches(v_text, '(\d+(?:\.\d+)?)(ms|s|m|h|d)', 'g') m;
      return case when v_seconds <= 3155760000 then make_interval(secs => v_seconds) end;
    else
      return null;
  end case;
end
$$;

-- Returns milliseconds as _duration reads them: 90000 is "1m30s".
create function rhythm._show_duration(p_ms numeric) returns text
language sql immutable as $$
  select coalesce(nullif(concat(
    case when p_ms >= 86400000 then div(p_ms, 86400000) || 'd' end,
    case when p_ms % 86400000 >= 3600000 then div(p_ms % 86400000, 3600000) || 'h' end,
    case when p_ms % 3600000 >= 60000 then div(p_ms % 3600000, 60000) || 'm' end,
    case when p_ms % 60000 >= 1000 then div(p_ms % 60000, 1000) || 's' end,
    case when p_ms % 1000 > 0 then trim_scale(p_ms % 1000) || 'ms' end), ''), '0s')
$$;

-- Refuses a name (of a task, workflow, queue, worker, signal) that is null, empty, or longer than an index entry may be.
create function rhythm._check_name(p_what text, p_name text) returns void
language plpgsql immutable as $$
begin
  if p_name is null then
    perform rhythm._raise('RH001', format('%s must not be null', p_what), null,
      format('Give the %s as text.', p_what));
  elsif p_name = '' or octet_length(p_name) > 255 then
    perform rhythm._raise('RH002', format('%s must have 1 to 255 bytes, not %s', p_what, octet_length(p_name)), null,
      format('Choose another %s.', p_what));
  end if;
end
$$;

-- Refuses JSON of more than 64 MB: it would have to fit into memory several times over.
create function rhythm._check_size(p_what text, p_value jsonb) returns void
language plpgsql immutable as $$
begin
  if pg_column_size(p_value) > 67108864 then
    perform rhythm._raise('RH901', format('%s has %s bytes, and 64 MB are the most', p_what, pg_column_size(p_value)), null,
      'Store large data elsewhere, and give where it is.');
  end if;
end
$$;

-- Refuses a trace that is more than the headers of one.
create function rhythm._check_trace(p_trace jsonb) returns void
language plpgsql immutable as $$
begin
  if pg_column_size(p_trace) > 65536 then
    perform rhythm._raise('RH901', format('trace has %s bytes, and 64 KB are the most', pg_column_size(p_trace)), null,
      'Give the headers of the trace, such as {"traceparent": "00-…"}; data belongs to the inputs.');
  end if;
end
$$;

-- Refuses null where it is not allowed.
create function rhythm._check_given(p_what text, p_given bool) returns void
language plpgsql immutable as $$
begin
  if not p_given then
    perform rhythm._raise('RH001', format('%s must not be null', p_what), null, format('Give the argument %s.', p_what));
  end if;
end
$$;

-- Refuses a number of rows that is null or out of its range.
create function rhythm._check_max(p_max int) returns void
language plpgsql immutable as $$
begin
  if p_max is null or p_max not between 1 and 100000 then
    perform rhythm._raise('RH002', format('max must be 1 to 100000, not %s', coalesce(p_max::text, 'null')), null,
      'It is the number of rows that are given at most.');
  end if;
end
$$;

-- Refuses a duration that is negative or not finite (some hundred years are the most).
create function rhythm._check_duration(p_what text, p_value interval) returns void
language plpgsql immutable as $$
begin
  if p_value < interval '0' or p_value > interval '100 years' then
    perform rhythm._raise('RH002', format('%s must be between 0 and 100 years, not %s', p_what, p_value), null,
      format('Give %s as an interval such as ''90 seconds''.', p_what));
  end if;
end
$$;

-- Refuses a time for an attempt in which nobody could do anything.
create function rhythm._check_attempt(p_what text, p_value interval) returns void
language plpgsql immutable as $$
begin
  if p_value = interval '0' then
    perform rhythm._raise('RH002', format('%s must be longer than 0', p_what), null,
      'Every attempt would have failed as soon as it began. Leave it out for no limit.');
  end if;
  perform rhythm._check_duration(p_what, p_value);
end
$$;

-- Returns a text of at most `p_most` characters, with a note of what is not there.
create function rhythm._cut(p_text text, p_most int) returns text
language sql immutable as $$
  select case when length(p_text) > p_most
    then left(p_text, p_most) || format('… (%s more characters were cut off)', length(p_text) - p_most) else p_text end
$$;

-- Returns an error that is too long to be kept with what matters most of it, and notes of what is not there. It is not refused: an
-- attempt must not go on for ever because its error is long.
create function rhythm._cut_error(p_error jsonb) returns jsonb
language sql immutable as $$
  select jsonb_object_agg(e.key, case
    when e.key in ('name', 'message', 'stack', 'code') and jsonb_typeof(e.value) = 'string'
      then to_jsonb(rhythm._cut(e.value #>> '{}', case when e.key in ('name', 'code') then 1000 else 50000 end))
    when pg_column_size(e.value) <= 65536 then e.value
    when e.key = 'cause' and jsonb_typeof(e.value -> 'name') = 'string' and jsonb_typeof(e.value -> 'message') = 'string'
      then jsonb_build_object('name', rhythm._cut(e.value ->> 'name', 1000), 'message', rhythm._cut(e.value ->> 'message', 50000))
    else jsonb_build_object('cut', format('%s bytes were cut off', pg_column_size(e.value))) end)
  from jsonb_each(p_error) e
$$;

-- Returns an error object with the known keys only, cut to some hundred kilobytes, or raises: name and message are needed, as strings.
create function rhythm._check_error(p_error jsonb) returns jsonb
language plpgsql immutable as $$
declare
  v_error jsonb;
begin
  if jsonb_typeof(p_error) is distinct from 'object' or jsonb_typeof(p_error -> 'name') is distinct from 'string'
    or jsonb_typeof(p_error -> 'message') is distinct from 'string'
  then
    perform rhythm._raise('RH005', 'error must be an object with the strings name and message',
      'Got: ' || coalesce(left(p_error::text, 200), 'null') || '.',
      'Give {"name": "TypeError", "message": "what happened"}; code, stack, cause and data may follow.');
  end if;
  v_error := (select jsonb_object_agg(e.key, e.value) from jsonb_each(p_error) e
    where e.key in ('name', 'message', 'code', 'stack', 'cause', 'data'));
  -- A hundred attempts of a task are kept.
  if pg_column_size(v_error) > 262144 then
    return rhythm._cut_error(v_error);
  end if;
  return v_error;
end
$$;

-- Returns whether this transaction sees what others commit while it runs. In REPEATABLE READ and SERIALIZABLE it does
-- not, so there nothing may step a workflow or wait for news.
create function rhythm._sees_commits() returns bool
language sql stable as $$
  select current_setting('transaction_isolation') in ('read committed', 'read uncommitted')
$$;

-- Returns the place, from 1, of the first item that is no object, or has a key that is none of these; `sql/native` has one that looks into
-- the array as it is stored. No locks.
create function rhythm._stray_key(items jsonb, keys text[]) returns int
language sql strict immutable as $$
  select n.at::int from jsonb_array_elements(items) with ordinality as n (item, at)
  where jsonb_typeof(n.item) <> 'object' or n.item - keys <> '{}'
  order by n.at limit 1
$$;
