-- Floors of claims (schema/49_floor.sql), which sessions share. `index` tells one installation from the next.

-- The floor from which to look; empty: it is time to look at all; null: there is none, as nearly always.
create function rhythm._floor(index oid, queue text, tasks text[], paused text[]) returns bigint[]
language c volatile as 'MODULE_PATHNAME', 'floor_wrapper';
-- `floor` null: forgets it. `walked`: how many entries of the index the look at all has met that led to it; null: it was none.
create function rhythm._keep_floor(index oid, queue text, tasks text[], paused text[], floor bigint[], walked bigint) returns void
language c volatile as 'MODULE_PATHNAME', 'keep_floor_wrapper';
-- How long it is until the next look at all; null: there is no floor.
create function rhythm._floor_ends(index oid, queue text, tasks text[], paused text[]) returns interval
language c volatile as 'MODULE_PATHNAME', 'floor_ends_wrapper';
