-- The public surface: whatever changes here changes for every user.
\pset format unaligned
\pset tuples_only on

-- Functions, with what they take and give.
select p.proname || '(' || pg_get_function_arguments(p.oid) || ') → ' || pg_get_function_result(p.oid)
from pg_proc p where p.pronamespace = 'rhythm'::regnamespace and p.proname !~ '^_' order by 1;

-- Views and their columns.
select c.relname || '(' || string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' order by a.attnum) || ')'
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
where c.relnamespace = 'rhythm'::regnamespace and c.relkind = 'v' group by c.relname order by 1;

-- Who may call what.
select p.proname || ': ' || string_agg(r.rolname, ', ' order by r.rolname)
from pg_proc p join pg_roles r on r.rolname ~ '^rhythm_(admin|worker|client)$' and has_function_privilege(r.oid, p.oid, 'execute')
where p.pronamespace = 'rhythm'::regnamespace and p.proname !~ '^_' group by p.proname order by 1;

-- Settings.
select name || ' = ' || setting || coalesce(' ' || unit, '') || ', ' || context || ': ' || short_desc
from pg_settings where name like 'rhythm.%' order by name;

-- What an extension's dump carries.
select string_agg(c::regclass::text, ' ' order by c::regclass::text)
from pg_extension e, unnest(e.extconfig) c where e.extname = 'rhythm';
