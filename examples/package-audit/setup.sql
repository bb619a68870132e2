-- The user's own table: Rhythm writes it only through the workflow's Sql.query.
-- It has no unique constraint on purpose: a package that was written twice must be seen, not refused.
create table if not exists package_audit (
  package text not null,
  files int not null,
  changed int not null,
  missing int not null,
  attempts int not null,
  at timestamptz not null default now()
);
