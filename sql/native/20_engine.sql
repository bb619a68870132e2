-- The language: compiling, checking and stepping workflows.

-- `calls`: the tasks that it names, with what they are given written out.
create function rhythm._compile(file text, source text)
returns table (program bytea, uses_sql bool, input_type jsonb, calls text[], diagnostics jsonb)
language c strict stable rows 1 as 'MODULE_PATHNAME', 'compile_wrapper';

-- Called as the deployer, whom it notes; stores as the owner.
create function rhythm._deploy(name text, source text) returns jsonb
language c volatile as 'MODULE_PATHNAME', 'deploy_wrapper';

create function rhythm._check_inputs(definition bigint, inputs jsonb) returns jsonb
language c strict stable as 'MODULE_PATHNAME', 'check_inputs_wrapper';

-- Steps these workflows; gives what became of each, in their order: [{outcome, error, logs}], the outcome being suspended, completed,
-- cancelled, failed or abandon. Of the last two nothing is written.
create function rhythm._step(executions uuid[]) returns jsonb
language c strict volatile as 'MODULE_PATHNAME', 'step_wrapper';

-- The same in parts, for workflows whose steps the caller puts into subtransactions: loads them; steps the number-th of them, and
-- gives what became of it ('later' if enough is held in memory); writes what has succeeded, and gives those that may run on at once.
create function rhythm._begin_steps(executions uuid[]) returns void
language c strict volatile as 'MODULE_PATHNAME', 'begin_steps_wrapper';
create function rhythm._run_step(number int) returns jsonb
language c strict volatile as 'MODULE_PATHNAME', 'run_step_wrapper';
create function rhythm._end_steps() returns uuid[]
language c strict volatile as 'MODULE_PATHNAME', 'end_steps_wrapper';

-- How many subtransactions of this transaction have written something.
create function rhythm._subtransactions() returns int
language c volatile as 'MODULE_PATHNAME', 'subtransactions_wrapper';

-- Whether a step is running in this session: then it is the step's own SQL that asks.
create function rhythm._in_step() returns bool
language c volatile as 'MODULE_PATHNAME', 'in_step_wrapper';

-- Who raised the error 57014 that was just caught: the timer of the step ('step'), a cancel or timeout of the session ('session'), or,
-- null, the SQL of the program itself.
create function rhythm._cancelled_by() returns text
language c volatile as 'MODULE_PATHNAME', 'cancelled_by_wrapper';

-- The frames of a saved run with their variables; as text, since not every value of a program is JSON.
create function rhythm._suspended(program bytea, save bytea, variables int, bytes int) returns jsonb
language c strict stable as 'MODULE_PATHNAME', 'suspended_wrapper';

create function rhythm._sql_analyze(query text) returns jsonb
language c strict stable as 'MODULE_PATHNAME', 'sql_analyze_wrapper';

-- The save of one definition as a save of another, or what keeps it from being one and where both differ.
create function rhythm._move_save("from" bigint, "to" bigint, version int, state bytea)
returns table (save bytea, what text, old_place text, new_place text)
language c strict stable rows 1 as 'MODULE_PATHNAME', 'move_save_wrapper';

-- The save of a kept state for another run, and the promises that are to be settled for it (an array without an order that matters);
-- or why there is none.
create function rhythm._fork_save(definition bigint, state bytea, id text, task_id text)
returns table (save bytea, promises int[], fault text)
language c stable rows 1 as 'MODULE_PATHNAME', 'fork_save_wrapper';

-- What a workflow may do, as its source says; a row for each part, or for each line of a diagram (format: mermaid, dot).
create function rhythm._outline(workflow text, source text, format text)
returns table (depth int, kind text, name text, line int, col int, waits bool, times bigint, text text)
language c strict immutable as 'MODULE_PATHNAME', 'outline_of_wrapper';

-- The limits that the library knows; `most` null: there is none.
create function rhythm._library_limits()
returns table (name text, most bigint, unit text, bounds text, marked bool)
language c strict stable as 'MODULE_PATHNAME', 'library_limits_wrapper';
