-- Your own table. Rhythm only reads it, in the step of the report.
create table if not exists sale (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  shop text not null,
  amount numeric not null
);
