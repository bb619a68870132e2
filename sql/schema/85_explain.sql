-- What a workflow may do, read from its source.
--
-- No locks.

-- Gives the parts of a workflow. No locks; writes nothing.
create function rhythm.explain_workflow(workflow text, version int default null, format text default 'tree')
returns table (depth int, kind text, name text, line int, col int, waits bool, times bigint, text text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  perform rhythm._check_deployed(explain_workflow.workflow),
    rhythm._check_given('format', explain_workflow.format is not null);
  if explain_workflow.format not in ('tree', 'mermaid', 'dot') then
    perform rhythm._raise('RH002', format('format %L is none of tree, mermaid, dot', left(explain_workflow.format, 50)), null,
      'Give tree for rows, or mermaid or dot for the lines of a diagram in the column text.');
  end if;
  return query
  select o.depth, o.kind, o.name, o.line, o.col, o.waits, o.times, o.text
  from rhythm.definitions d
  cross join lateral rhythm._outline(d.name, d.source, explain_workflow.format) o
  where d.id = rhythm._version_id(explain_workflow.workflow, explain_workflow.version);
end
$$;
comment on function rhythm.explain_workflow(text, int, text) is
'Tells what a version of a workflow (the current one, if none is given) may do, as its source says: tasks, children, signals, mutexes, timers and SQL, each with its place, whether a run may wait there, and how often it happens at most in one call of the function around it (null: any number of times), inside the loops, branches and functions around them. format: tree gives rows, mermaid and dot the lines of a diagram, in the column text. Example: select text from rhythm.explain_workflow(''order'')';
