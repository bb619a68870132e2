//! Golden transcripts of psql: what users see of the SQL surface, reviewed by eye.
//!
//! `tests/regress/sql/NAME.sql` is run in a database of its own; `tests/regress/expected/NAME.out` is what psql said.
//! After a change that is meant: `RHYTHM_ACCEPT=1 make test-pg T=regress`, and read the diff.

use std::path::Path;
use std::process::Command;

use rhythm_tests::database::Database;
use rhythm_tests::installation::project;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transcripts_are_as_expected() {
    let folder = project().join("tests/regress");
    let mut different = Vec::new();
    let mut files: Vec<_> = std::fs::read_dir(folder.join("sql"))
        .expect("the transcripts are there")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    for sql in files {
        let database = Database::create().await;
        let said = transcript(&database, &sql);
        let name = sql
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let expected = folder.join(format!("expected/{name}.out"));
        if std::fs::read_to_string(&expected).unwrap_or_default() == said {
            continue;
        }
        if std::env::var_os("RHYTHM_ACCEPT").is_some() {
            std::fs::write(&expected, &said).expect("the golden file can be written");
            continue;
        }
        let results = rhythm_tests::installation::scratch().join(format!("{name}.out"));
        std::fs::write(&results, &said).expect("the scratch folder is ours");
        let diff = Command::new("diff")
            .arg("-u")
            .arg(&expected)
            .arg(&results)
            .output();
        different.push(String::from_utf8_lossy(&diff.expect("diff runs").stdout).into_owned());
    }
    assert!(
        different.is_empty(),
        "{}\nIf that is meant: RHYTHM_ACCEPT=1 make test-pg T=regress",
        different.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reference_is_what_the_comments_say() {
    let database = Database::create().await;
    let mut command = database.server().program("psql");
    command
        .args(["-XqAt", "-d", database.name(), "-f"])
        .arg(project().join("sql/reference.sql"));
    let said = command.output().expect("psql runs").stdout;
    let page = project().join("docs/sql/reference.md");
    if std::env::var_os("RHYTHM_ACCEPT").is_some() {
        std::fs::write(&page, &said).expect("the page can be written");
    }
    assert!(
        std::fs::read(&page).expect("the page is there") == said,
        "docs/sql/reference.md is not what sql/reference.sql prints: RHYTHM_ACCEPT=1 make test-pg T=regress"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_object_has_a_comment() {
    let database = Database::create().await;
    let s = database.session().await;
    let bare = s
        .text(
            "select coalesce(string_agg(pg_describe_object(d.classid, d.objid, 0), e'\n'), '')
               from pg_depend d join pg_extension e on e.oid = d.refobjid and e.extname = 'rhythm'
              where d.deptype = 'e' and d.refclassid = 'pg_extension'::regclass
                -- The row type of a table, and the array of a type, go without.
                and not (d.classid = 'pg_type'::regclass
                  and (select t.typrelid <> 0 or t.typelem <> 0 from pg_type t where t.oid = d.objid))
                and obj_description(d.objid, d.classid::regclass::name) is null",
        )
        .await;
    assert_eq!(bare, "", "COMMENT ON is missing");
}

/// What psql echoes and prints, errors in their places.
fn transcript(database: &Database, sql: &Path) -> String {
    let mut command = database.server().program("psql");
    command
        .args(["-X", "-q", "-a", "-d", database.name(), "-f"])
        .arg(sql);
    // One stream: a shell's `2>&1`, since an error belongs below its statement.
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "exec \"$0\" \"$@\" 2>&1"])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    let said = shell.output().expect("psql runs").stdout;
    let path = format!("psql:{}:", sql.display());
    // Without the path and line, which say nothing and change.
    String::from_utf8_lossy(&said)
        .lines()
        .map(|line| match line.strip_prefix(&path) {
            Some(rest) => rest.split_once(": ").map_or(rest, |(_, message)| message),
            None => line,
        })
        .map(|line| format!("{line}\n"))
        .collect()
}
