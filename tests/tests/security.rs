//! Who may do what; and as whom the SQL of a workflow runs.

use rhythm_tests::database::{Database, Session};
use serde_json::json;

/// A login role of this test that has `grant`, and a session of it.
async fn role(database: &Database, grant: &str) -> (String, Session) {
    let name = format!("{}_{grant}", database.name());
    let s = database.session().await;
    s.run(&format!("create role {name} login")).await;
    if grant.starts_with("rhythm_") {
        s.run(&format!("grant {grant} to {name}")).await;
    }
    let session = database.session_as(&name).await;
    (name, session)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn public_gets_nothing() {
    let database = Database::create().await;
    let s = database.session().await;
    let (_, nobody) = role(&database, "nobody").await;
    let open = s
        .rows(
            "select p.oid::regprocedure::text from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
             where p.pronamespace = 'rhythm'::regnamespace and a.grantee = 0
             union all
             select c.oid::regclass::text from pg_class c, aclexplode(c.relacl) a
             where c.relnamespace = 'rhythm'::regnamespace and a.grantee = 0
             union all
             select 'schema' from pg_namespace n, aclexplode(n.nspacl) a where n.nspname = 'rhythm' and a.grantee = 0",
        )
        .await;
    assert!(open.is_empty(), "PUBLIC may use {open:?}");
    for sql in [
        "select rhythm.version()",
        "select rhythm.enqueue('a')",
        "select * from rhythm.executions",
    ] {
        assert_eq!(nobody.fails(sql).await.code, "42501", "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_may_do_its_part_and_no_more() {
    let database = Database::create().await;
    let (_, client) = role(&database, "rhythm_client").await;
    let (_, worker) = role(&database, "rhythm_worker").await;
    let (_, admin) = role(&database, "rhythm_admin").await;
    admin
        .deploy(
            "hello",
            "return await Task.run('a') + ' ' + await Signal.next('go');",
        )
        .await;
    let id = client.start("hello", "{}").await;
    assert!(worker.complete(&worker.claim_one().await, "\"hi\"").await);
    assert_eq!(
        client
            .text(&format!("select rhythm.signal('{id}', 'go', '\"you\"')"))
            .await,
        "t"
    );
    assert_eq!(client.completed(id).await, json!("hi you"));
    assert!(
        client
            .number("select count(*) from rhythm.executions")
            .await
            >= 2
    );
    let retry = format!("select rhythm.retry('{id}', version => 1)");
    for sql in [
        "select rhythm.deploy('x', 'return 1')",
        "select * from rhythm.claim('w')",
        "select rhythm.pause_queue('default')",
        &retry,
    ] {
        assert_eq!(client.fails(sql).await.code, "42501", "client: {sql}");
    }
    for sql in [
        "select rhythm.deploy('x', 'return 1')",
        "select rhythm.pause_queue('default')",
    ] {
        assert_eq!(worker.fails(sql).await.code, "42501", "worker: {sql}");
    }
    for session in [&client, &worker, &admin] {
        for sql in [
            "select * from rhythm.live",
            "delete from rhythm.archive",
            "update rhythm.test_clock set shift = '1 day'",
            "insert into rhythm.definitions default values",
        ] {
            assert_eq!(session.fails(sql).await.code, "42501", "{sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_may_read_every_view() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("select rhythm.enqueue('a', queue => 'q')").await;
    let views = s
        .rows("select c.oid::regclass::text from pg_class c where c.relnamespace = 'rhythm'::regnamespace and c.relkind = 'v'")
        .await;
    assert!(views.len() > 8, "{views:?}");
    for grant in ["rhythm_admin", "rhythm_worker", "rhythm_client"] {
        let (_, reader) = role(&database, grant).await;
        for view in &views {
            let view = view[0].as_deref().expect("it has a name");
            reader.run(&format!("select * from {view}")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_can_call_what_is_internal() {
    let database = Database::create().await;
    let s = database.session().await;
    let open = s
        .rows(
            "select p.oid::regprocedure::text, r.rolname from pg_proc p, pg_roles r
             where p.pronamespace = 'rhythm'::regnamespace and p.proname ~ '^_'
               -- INVOKER, and harmless: what deploy() calls as its caller, and what runs as the deployer in a step.
               -- And what the views of queues and tasks call, as whoever reads them.
               and p.proname not in ('_deploy', '_raise', '_sql_query', '_sql_analyze', '_cancelled_by', '_count_queues',
                 '_count_failed', '_show_retry', '_show_duration')
               and r.rolname in ('rhythm_admin', 'rhythm_worker', 'rhythm_client')
               and has_function_privilege(r.oid, p.oid, 'execute')",
        )
        .await;
    assert!(open.is_empty(), "internal functions are open: {open:?}");
    let owner = "select rolsuper or rolcanlogin or rolcreaterole or rolbypassrls from pg_roles where rolname = 'rhythm_owner'";
    assert_eq!(s.text(owner).await, "f");
    let definers = "select count(*) from pg_proc where pronamespace = 'rhythm'::regnamespace and prosecdef
                    and proname in ('_deploy', '_raise', '_sql_query', '_sql_analyze', '_cancelled_by')";
    assert_eq!(s.number(definers).await, 0);
    let foreign = s
        .rows(
            "select oid::regprocedure::text from pg_proc
             where pronamespace = 'rhythm'::regnamespace and proowner <> 'rhythm_owner'::regrole",
        )
        .await;
    assert!(foreign.is_empty(), "not owned by rhythm_owner: {foreign:?}");
    let unpinned = s
        .rows(
            "select oid::regprocedure::text from pg_proc where pronamespace = 'rhythm'::regnamespace and prosecdef
             and not coalesce(array_to_string(proconfig, ' '), '') ~ 'search_path=.*pg_temp'",
        )
        .await;
    assert!(
        unpinned.is_empty(),
        "definer functions without a pinned search_path: {unpinned:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_runs_as_the_deployer_whoever_starts_and_whoever_steps() {
    let database = Database::create().await;
    let s = database.session().await;
    let (admin_name, admin) = role(&database, "rhythm_admin").await;
    let (_, client) = role(&database, "rhythm_client").await;
    let (_, worker) = role(&database, "rhythm_worker").await;
    s.run(&format!(
        "create table private (n int); create schema deployers authorization {admin_name};
         create table secret (n int); insert into secret values (7); grant select on secret to {admin_name}"
    ))
    .await;
    admin
        .run("set search_path = deployers, public; create table deployers.own (n int)")
        .await;
    admin
        .deploy(
            "who",
            "const ask = () => Sql.query('select current_user::text as me, session_user::text as session, (select n from secret) as n');
             const a = await ask(); await Sql.query('insert into own values (1)');
             await Task.run('t'); const b = await ask();
             let denied = 'nothing'; try { await Sql.query('select * from private'); } catch (e) { denied = e.code; }
             return [a[0].me, a[0].n, b[0].me, denied];",
        )
        .await;
    let id = client.start("who", "{}").await;
    assert!(worker.complete(&worker.claim_one().await, "null").await);
    assert_eq!(
        s.completed(id).await,
        json!([admin_name, 7, admin_name, "42501"])
    );
    assert_eq!(
        s.number("select count(*) from deployers.own").await,
        1,
        "the deployer's search_path holds"
    );
    // The same when the superuser's session fires it.
    s.run("create table own (n int)").await;
    let id = s.start("who", "{}").await;
    s.work("null").await;
    assert_eq!(
        s.completed(id).await,
        json!([admin_name, 7, admin_name, "42501"])
    );
    assert_eq!(s.number("select count(*) from own").await, 0);
    assert_eq!(
        s.text("select current_user").await,
        "postgres",
        "nothing leaks into the session"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_cannot_become_somebody_else_or_leave_its_transaction() {
    let database = Database::create().await;
    let s = database.session().await;
    let (_, admin) = role(&database, "rhythm_admin").await;
    admin
        .deploy(
            "escape",
            "try { await Sql.query(Inputs.sql); } catch (e) { return [e.name, e.code]; }
             return (await Sql.query('select current_user::text as me'))[0].me;",
        )
        .await;
    let tries = [
        "set role postgres",
        "reset role",
        "set session authorization postgres",
        "set local role rhythm_owner",
        "commit",
        "rollback",
        "savepoint a",
        "listen x",
        "prepare p as select 1",
        "create temp table t (n int)",
        "select set_config('role', 'postgres', false)",
        "do $$ begin execute 'set role postgres'; end $$",
        "do $$ begin commit; end $$",
        "update rhythm.test_clock set shift = '1 day'",
        "select rhythm._step('{00000000-0000-7000-8000-000000000000}')",
        "alter role current_user superuser",
        "copy (select 1) to program 'true'",
        "select 1; select 2",
        "load 'rhythm'",
    ];
    for sql in tries {
        let id = s
            .id(&format!(
                "select rhythm.start('escape', jsonb_build_object('sql', $q${sql}$q$))"
            ))
            .await;
        let result = s.completed(id).await;
        assert_eq!(result[0], json!("SqlError"), "{sql}: {result}");
        assert_eq!(s.text("select current_user").await, "postgres", "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_on_a_deployers_search_path_is_taken_for_a_function_or_operator_of_the_server() {
    let database = Database::create().await;
    let s = database.session().await;
    let (_, admin) = role(&database, "rhythm_admin").await;
    s.run("create schema evil; grant usage on schema evil to public")
        .await;
    for (n, (operator, left, right, gives)) in [
        ("->>", "jsonb", "text", "text"),
        ("->", "jsonb", "text", "jsonb"),
        ("#>>", "jsonb", "text[]", "text"),
        ("?", "jsonb", "text", "bool"),
        ("<>", "int", "int", "bool"),
        (">", "int", "int", "bool"),
        ("=", "name", "name", "bool"),
        ("=", "text", "text", "bool"),
        ("||", "text", "text", "text"),
    ]
    .into_iter()
    .enumerate()
    {
        s.run(&format!(
            "create function evil.f{n}({left}, {right}) returns {gives} language plpgsql as
               $$ begin raise exception 'hijacked by {operator}'; end $$;
             create operator evil.{operator} (leftarg = {left}, rightarg = {right}, function = evil.f{n})"
        ))
        .await;
    }
    for function in [
        "jsonb_extract_path_text(jsonb, text)",
        "jsonb_extract_path(jsonb, text)",
        "jsonb_array_length(jsonb)",
        "row_to_json(record)",
        "array_to_string(text[], text)",
        "length(text)",
    ] {
        s.run(&format!(
            "create function evil.{function} returns text language plpgsql as
               $$ begin raise exception 'hijacked by {function}'; end $$"
        ))
        .await;
    }
    admin.run("set search_path = evil, pg_catalog").await;
    let failure = admin
        .fails("select rhythm.deploy('bad', 'return 1 +')")
        .await;
    assert_eq!(failure.code, "RH101", "{failure:?}");
    admin
        .deploy(
            "safe",
            "let unused; const rows = await Sql.query('select $1::int4 as n', [7]);
             try { await Sql.query('select 1', [1, 2]); } catch (e) { return [rows[0].n, e.code]; }",
        )
        .await;
    let id = s.start("safe", "{}").await;
    assert_eq!(s.completed(id).await, json!([7, "08P01"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_stops_the_background_worker_by_calling_himself_pg_restore() {
    let database = Database::create().await;
    let s = database.session().await;
    let (_, nobody) = role(&database, "nobody").await;
    nobody.run("set application_name = 'pg_restore'").await;
    s.deploy("nap", "await sleep('100ms'); return 1").await;
    let id = s.start("nap", "{}").await;
    assert_eq!(s.completed(id).await, json!(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_a_workflows_sql_do_not_leak_into_the_session() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("set timezone = 'Asia/Tokyo'; set datestyle = 'German'")
        .await;
    s.deploy(
        "settings",
        "await Sql.query(\"select set_config('work_mem', '1234kB', false), set_config('search_path', 'pg_catalog', false)\");
         const rows = await Sql.query(\"select current_setting('timezone') as zone, date '2024-02-01'::text as day\");
         return rows[0];",
    )
    .await;
    let id = s.start("settings", "{}").await;
    assert_eq!(
        s.completed(id).await,
        json!({"zone": "UTC", "day": "2024-02-01"})
    );
    assert_ne!(s.text("show work_mem").await, "1234kB");
    assert_eq!(s.text("show timezone").await, "Asia/Tokyo");
    assert_ne!(s.text("show search_path").await, "pg_catalog");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_definition_whose_deployer_is_gone_fails_with_a_clear_error() {
    let database = Database::create().await;
    let s = database.session().await;
    let (name, admin) = role(&database, "rhythm_admin").await;
    admin
        .deploy(
            "orphan",
            "await Task.run('a'); await Sql.query('select 1'); return 1;",
        )
        .await;
    let id = s.start("orphan", "{}").await;
    drop(admin);
    s.run(&format!("drop role {name}")).await;
    s.work("null").await;
    let error = s.failed(id).await;
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|m| m.contains("role that deployed")),
        "{error:#}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_superusers_deploy_warns() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table said (message text)").await;
    s.run("set client_min_messages = error").await;
    // The warning of a statement inside a function goes to the log or the client; here its words are what counts.
    s.deploy("plain", "return 1").await;
    let (_, admin) = role(&database, "rhythm_admin").await;
    admin.deploy("plain", "return 2").await;
    let deployers = s
        .rows("select version, deployer from rhythm.workflows order by version")
        .await;
    assert_eq!(deployers[0][1].as_deref(), Some("postgres"));
    assert_ne!(deployers[1][1].as_deref(), Some("postgres"));
}

/// Who holds every advisory lock that claims and deploys take: any role may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_without_rights_cannot_stop_claims_or_deploys_with_locks() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        "select rhythm.configure_queue('q', concurrency => 9, concurrency_key => 'tenant', rate_limit => '1000/sec');
         select rhythm.enqueue('a', '{\"tenant\": 1}', queue => 'q') from generate_series(1, 2)",
    )
    .await;
    s.run("begin; select rhythm.deploy('w', 'return 1'); select * from rhythm.claim('first', '{q}', tasks => '{a}')")
        .await;
    let taken = "select (classid::int8 << 32 | objid::int8) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()";
    let taken = s.rows(taken).await;
    // What one transaction holds is held against others.
    let other = database.session().await;
    assert!(other.claim_with("'other', '{q}'").await.is_empty());
    s.run("rollback").await;

    let (_, nobody) = role(&database, "nobody").await;
    for lock in taken {
        let lock = lock[0].clone().expect("a number");
        nobody
            .run(&format!("select pg_advisory_lock({lock})"))
            .await;
    }
    s.run("set statement_timeout = '30s'").await;
    s.deploy("w", "return 1").await;
    let claim = "'first', '{q}', tasks => '{a}'";
    assert_eq!(s.claim_with(claim).await.len(), 1);
    let known = "select count(*) from rhythm.workers where name = 'first'";
    assert_eq!(s.number(known).await, 1);
}
