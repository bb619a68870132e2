-- What deploy says: all errors of a source at once, warnings beside a success, versions.
select rhythm.deploy('order', $$
const total = Inputs.price * Inputs.qty
total = totl + 1
await Task.rnu("charge", { total })
function later() { await sleep(1) }
const total = 2
$$);
\echo :LAST_ERROR_SQLSTATE
select line, col, severity, code, message, hint from rhythm.check('let unused = 1; return Task.run()');

set role rhythm_admin;
select rhythm.deploy('order', 'return 1');
select rhythm.deploy('order', 'return 1');
select rhythm.deploy('order', 'const spare = 1; return 2');
reset role;
select rhythm.deploy('as-superuser', $$return await Sql.query('select 1 as one')$$);

select rhythm.deploy('typed', $$/** @param {{customer: string, items: {sku: string, qty: number}[], note?: string}} Inputs */
return Inputs.custmer$$);
\echo :LAST_ERROR_SQLSTATE
set client_min_messages = error;
select rhythm.deploy('typed', $$/** @param {{customer: string, items: {sku: string, qty: number}[], note?: string}} Inputs */
return Inputs.customer$$);
select rhythm.start('typed', '{"items": [{"sku": "a", "qty": "one"}], "note": 5}');
\echo :LAST_ERROR_SQLSTATE
