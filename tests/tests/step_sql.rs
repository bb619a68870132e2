//! `Sql.query` and `Sql.exec`: what docs/flow/sql.md says of values, numbers of rows, errors and sizes.

use rhythm_tests::clock::advance;
use rhythm_tests::database::{Database, literal};
use rhythm_tests::installation::project;
use serde_json::{Value, json};

fn page() -> String {
    std::fs::read_to_string(project().join("docs/flow/sql.md")).expect("the page is there")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_arrive_as_the_page_says() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "value",
        "return (await Sql.query('select ' + Inputs.sql + ' as v'))[0].v;",
    )
    .await;
    let page = page();
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<_> = line.strip_prefix("| ")?.split(" | ").collect();
        let [_, sql, value] = cells[..] else {
            return None;
        };
        let value = value.trim_end_matches(" |").trim_matches('`');
        Some((
            sql.trim_matches('`'),
            serde_json::from_str::<Value>(value).ok()?,
        ))
    });
    let mut count = 0;
    for (sql, value) in rows {
        let inputs = json!({ "sql": sql }).to_string();
        let id = s.start("value", &inputs).await;
        assert_eq!(s.completed(id).await, value, "{sql}");
        count += 1;
    }
    assert_eq!(count, 19, "the rows of the table");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_take_the_type_of_their_place() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        "create type pair as (a int, b text);
         create table kept (n numeric, big bigint, at timestamptz, bits bytea, tags text[], doc jsonb, p pair, u uuid, nothing int)",
    )
    .await;
    s.deploy(
        "keep",
        "const n = await Sql.exec('insert into kept values ($1, $2, $3, $4, $5, $6, $7, $8, $9)', ['12345678901234567890.5',
           '9007199254740993', new Date(0), '\\\\x00ff', ['a', null, 'b,\"c'], {deep: [1, {}]}, {a: 1, b: 'x'},
           '0190a1b2-0000-7000-8000-000000000000', undefined]);
         return [n, await Sql.query('select kept::text as all from kept')];",
    )
    .await;
    s.run("set timezone = 'UTC'").await;
    let id = s.start("keep", "{}").await;
    assert_eq!(s.completed(id).await[0], json!(1));
    let same = "select kept = row(12345678901234567890.5, 9007199254740993, to_timestamp(0), '\\x00ff',
        array['a', null, 'b,\"c'], '{\"deep\": [1, {}]}', row(1, 'x')::pair, '0190a1b2-0000-7000-8000-000000000000', null)::kept
      from kept";
    // Null on both sides is not equal in a row comparison by operator, but in one of whole rows it is.
    assert_eq!(s.text(same).await, "t");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exec_gives_the_number_of_rows() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run("create table t (n int primary key)").await;
    s.deploy(
        "count",
        "const counts = [];
         for (const sql of [
           'insert into t select generate_series(1, 5)',
           'update t set n = -n where n > 3 returning n',
           'delete from t where n = 99',
           'select n from t',
           'create table u as select 1',
           'drop table u',
         ]) counts.push(await Sql.exec(sql));
         const rejected = Sql.exec('insert into t values ($1)', [1]);
         counts.push(await rejected.catch(error => error.code));
         counts.push((await Sql.query('select count(*)::int as n from t'))[0].n);
         return counts;",
    )
    .await;
    let id = s.start("count", "{}").await;
    assert_eq!(s.completed(id).await, json!([5, 2, 0, 5, 1, 0, "23505", 5]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_programs_of_the_page_run() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        "create table stock (item text primary key, n int); insert into stock values ('pen', 1);
         create table names (name text primary key)",
    )
    .await;
    let page = page();
    let programs: Vec<&str> = page
        .split("```js\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    let [sell, name] = programs[..] else {
        panic!("two programs");
    };
    s.deploy("sell", sell).await;
    s.deploy("name", name).await;
    let first = s.start("sell", r#"{"item": "pen"}"#).await;
    s.work("null").await;
    assert_eq!(s.completed(first).await, json!({"sold": true}));
    let second = s.start("sell", r#"{"item": "pen"}"#).await;
    assert_eq!(s.completed(second).await, json!({"sold": false}));
    assert_eq!(s.number("select n from stock").await, 0);
    for answer in ["yours", "taken"] {
        let id = s.start("name", r#"{"name": "ada"}"#).await;
        assert_eq!(s.completed(id).await, json!(answer));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_has_the_code_that_the_page_says() {
    let database = Database::create().await;
    let s = database.session().await;
    s.deploy(
        "refused",
        "try { await Sql[Inputs.how](Inputs.sql); return 'no error'; } catch (error) { return [error.name, error.code]; }",
    )
    .await;
    for how in ["query", "exec"] {
        for (sql, code) in [
            ("select 1; select 2", "0A000"),
            ("commit", "0A000"),
            ("set work_mem = '1MB'", "0A000"),
            ("copy (select 1) to stdout", "0A000"),
            ("select pg_advisory_lock(1)", "0A000"),
            ("do $$ begin commit; end $$", "2D000"),
            ("select 1 where", "42601"),
            ("select * from missing", "42P01"),
            ("vacuum", "25001"),
            // What no handler of `others` catches.
            ("do $$ begin assert false, 'no'; end $$", "P0004"),
        ] {
            let inputs = json!({"how": how, "sql": sql}).to_string();
            let id = s
                .id(&format!(
                    "select rhythm.start('refused', {})",
                    literal(&inputs)
                ))
                .await;
            assert_eq!(
                s.completed(id).await,
                json!(["SqlError", code]),
                "{how} {sql}"
            );
        }
    }
    let inputs =
        json!({"how": "query", "sql": "select repeat('x', 1000000) from generate_series(1, 100)"});
    let id = s.start("refused", &inputs.to_string()).await;
    assert_eq!(s.completed(id).await, json!(["SqlError", "54000"]));
}

/// The SQL of a step may raise 57014 itself, as a foreign server's timeout does: that is an error of the program, which does not end
/// what others do in the same transaction. A cancel and a timeout of the session do, also where they strike inside a function.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_the_sql_raises_itself_is_the_programs_and_one_of_the_session_is_not() {
    let database = Database::create().await;
    let s = database.session().await;
    s.run(
        "create function raise_cancel() returns int language plpgsql as $$
         begin raise exception using errcode = '57014', message = 'remote timeout'; end $$;
         create function slow() returns int language plpgsql as $$
         begin perform pg_sleep(30); return 1; exception when others then return 2; end $$;
         create table done (name text)",
    )
    .await;
    s.deploy("caught", "try { await Sql.query('select raise_cancel()'); } catch (e) { return [e.name, e.code, e.message]; }").await;
    s.deploy("uncaught", "await sleep(Inputs); await Sql.exec(\"insert into done values ('uncaught')\"); await Sql.exec('select raise_cancel()');")
        .await;
    s.deploy(
        "fine",
        "await sleep(Inputs); await Sql.exec(\"insert into done values ('fine')\"); return 1;",
    )
    .await;
    let caught = s.start("caught", "{}").await;
    assert_eq!(
        s.completed(caught).await,
        json!(["SqlError", "57014", "remote timeout"])
    );
    // In one round of the background's, which steps them together.
    let (uncaught, fine) = (s.start("uncaught", "60").await, s.start("fine", "60").await);
    advance(&s, "61 seconds").await;
    s.becomes(fine, "completed").await;
    assert_eq!(s.failed(uncaught).await["code"], "57014");
    assert_eq!(
        s.text("select string_agg(name, ',') from done").await,
        "fine"
    );

    s.deploy(
        "slow",
        "try { return await Sql.query('select slow()'); } catch (e) { return e.name; }",
    )
    .await;
    s.run("set statement_timeout = '300ms'").await;
    let failure = s.fails("select rhythm.start('slow')").await;
    assert_eq!(failure.code, "57014", "{failure:?}");
    s.run("set statement_timeout = 0").await;
    let pid = s.number("select pg_backend_pid()").await;
    let other = database.session().await;
    let stepping = async { s.fails("select rhythm.start('slow')").await };
    let cancelling = async {
        other
            .until(&format!(
                "select wait_event = 'PgSleep' from pg_stat_activity where pid = {pid}"
            ))
            .await;
        other.run(&format!("select pg_cancel_backend({pid})")).await;
    };
    let (failure, ()) = tokio::join!(stepping, cancelling);
    assert_eq!(failure.code, "57014", "{failure:?}");
    let left = "select count(*) from rhythm.executions where name = 'slow'";
    assert_eq!(s.number(left).await, 0, "nothing half-done");
}
