-- Looks into jsonb without taking it apart (`extension/src/api/keys.rs`), in the place of portable functions.

create or replace function rhythm._stray_key(items jsonb, keys text[]) returns int
language c strict immutable as 'MODULE_PATHNAME', 'stray_key_wrapper';
