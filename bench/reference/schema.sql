-- The reference: the smallest queue with SKIP LOCKED that is still correct. No retries, leases, idempotency, results,
-- workflows, or history beyond a finished row: what a team writes itself on the first day.
drop table if exists jobs;
create table jobs (
  id bigint generated always as identity primary key,
  name text not null,
  payload jsonb not null,
  state text not null default 'pending',
  worker int,
  step int not null default 1
);
create index jobs_pending on jobs (id) where state = 'pending';
create index jobs_running on jobs (worker) where state = 'running';
