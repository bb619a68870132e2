-- Enqueueing what a query gives: `insert ... select` for queues.

-- Enqueues the rows of a query, whose columns have the names of the parameters of enqueue; gives their number. INVOKER: the query
-- runs with the rights and the search_path of the caller, hence the qualified names. Locks: as enqueue_many, by 10 000 rows. All
-- of them or none.
create function rhythm.enqueue_rows(query text) returns bigint
language plpgsql as $$
declare
  v_rows pg_catalog.refcursor;
  v_row record;
  v_batch pg_catalog.jsonb[];
  v_count bigint := 0;
begin
  if enqueue_rows.query is null then
    perform rhythm._raise('RH001', 'query must not be null', null, 'Give a query as text.');
  end if;
  -- A query may end as in psql, or in a comment of a line.
  open v_rows for execute pg_catalog.format(E'select pg_catalog.to_jsonb(r) as item from (%s\n) r',
    pg_catalog.rtrim(enqueue_rows.query, E'; \t\r\n'));
  loop
    v_batch := '{}';
    for v_at in 1 .. 10000 loop
      fetch v_rows into v_row;
      exit when not found;
      v_batch[v_at] := v_row.item;
    end loop;
    exit when pg_catalog.cardinality(v_batch) operator(pg_catalog.=) 0;
    -- What is said of a row names its place in the query, and not in its batch.
    perform pg_catalog.set_config('rhythm_session.rows_before', v_count::pg_catalog.text, true);
    v_count := v_count operator(pg_catalog.+) (
      select pg_catalog.count(*) from rhythm.enqueue_many(pg_catalog.to_jsonb(v_batch)));
    perform pg_catalog.set_config('rhythm_session.rows_before', '', true);
  end loop;
  close v_rows;
  return v_count;
end
$$;
comment on function rhythm.enqueue_rows(text) is
'Enqueues what a query gives, a task a row, and gives their number; the columns are named as the parameters of enqueue. The query runs as the caller. Example: select rhythm.enqueue_rows($$select ''send-mail'' as name, jsonb_build_object(''to'', ''a'' || n || ''@b.c'') as inputs, ''mail'' as queue from generate_series(1, 1000) n$$)';
