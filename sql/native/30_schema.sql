-- JSON Schema: what the inputs of tasks have to be.

-- Null, or what is wrong with a schema.
create function rhythm._schema_fault(schema jsonb) returns text
language c strict immutable as 'MODULE_PATHNAME', 'schema_fault_wrapper';

-- Null if the value fits, else [{path, message}]. Each backend keeps the schemas that it has compiled.
create function rhythm._schema_errors(schema jsonb, value jsonb) returns jsonb
language c strict immutable as 'MODULE_PATHNAME', 'schema_errors_wrapper';

-- The diagnostics of calls in a source whose inputs cannot fit; `schemas` is an object, by the names of tasks.
create function rhythm._call_misfits(file text, source text, schemas jsonb) returns jsonb
language c strict immutable as 'MODULE_PATHNAME', 'call_misfits_wrapper';

-- The name that was probably meant, or null: of those that are known.
create function rhythm._nearest_name(name text, names text[]) returns text
language c strict immutable as 'MODULE_PATHNAME', 'nearest_name_wrapper';
