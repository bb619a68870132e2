-- What backends keep of small tables (`extension/src/kept.rs`), in the place of portable functions that look each time.

create or replace function rhythm._now() returns timestamptz
language c volatile parallel restricted as 'MODULE_PATHNAME', 'now_wrapper';

create or replace function rhythm._new_id() returns uuid
language c volatile as 'MODULE_PATHNAME', 'new_id_wrapper';

create or replace function rhythm._is_plain(name text, queue text) returns bool
language c strict stable as 'MODULE_PATHNAME', 'is_plain_wrapper';

create function rhythm._announce_change("table" oid) returns void
language c strict volatile as 'MODULE_PATHNAME', 'announce_change_wrapper';

create function rhythm._forget_kept() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform rhythm._announce_change(tg_relid);
  return null;
end
$$;

create trigger forget_kept after insert or update or delete or truncate on rhythm.test_clock
for each statement execute function rhythm._forget_kept();
create trigger forget_kept after insert or update or delete or truncate on rhythm.served_tasks
for each statement execute function rhythm._forget_kept();
create trigger forget_kept after insert or update or delete or truncate on rhythm.queue_settings
for each statement execute function rhythm._forget_kept();
