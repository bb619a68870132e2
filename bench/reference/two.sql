update jobs set state = 'done', worker = null where worker = :client_id and state = 'running';
with next as (
  select id from jobs where state = 'pending' order by id limit :batch for update skip locked
)
update jobs set state = 'running', worker = :client_id from next where jobs.id = next.id returning jobs.id, payload;
