//! The database `rhythm` with the extension in it. The one place of the command with SQL of its
//! own: a client of Rhythm has no words for making databases and extensions.

use std::time::Duration;

use tokio_postgres::{Client, Config, NoTls};

use crate::dev::installation::Installation;
use crate::error::{CliError, Result};
use crate::output::Stage;

/// The name of the database, and the superuser to whom it belongs.
const DATABASE: &str = "rhythm";
const SUPERUSER: &str = "postgres";

/// The superuser's URL.
pub(crate) fn url(port: u16) -> String {
    format!("postgresql://{SUPERUSER}@127.0.0.1:{port}/{DATABASE}")
}

/// Whether the server takes connections.
pub(crate) async fn answers(port: u16) -> bool {
    connect(port, "template1").await.is_ok()
}

/// Makes database and extension where they are missing, and brings an old extension up to date.
pub(crate) async fn prepare(port: u16, installation: &Installation) -> Result<()> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |error: tokio_postgres::Error| explain(&what, &error)
    };
    let admin = connect(port, "postgres")
        .await
        .map_err(failed("connect to the server"))?;
    let there = admin
        .query_opt("select 1 from pg_database where datname = $1", &[&DATABASE])
        .await
        .map_err(failed("look for the database"))?;
    if there.is_none() {
        admin
            .batch_execute(&format!("create database {DATABASE}"))
            .await
            .map_err(failed("create the database"))?;
    }
    drop(admin);
    let client = connect(port, DATABASE)
        .await
        .map_err(failed("connect to the database"))?;
    let versions = client
        .query_opt(
            "select e.extversion, a.default_version from pg_available_extensions a
               left join pg_extension e on e.extname = a.name where a.name = 'rhythm'",
            &[],
        )
        .await
        .map_err(failed("look for the extension"))?
        .ok_or_else(|| {
            CliError::server("the server does not find the extension").detail(format!(
                "PostgreSQL {} was started with {:?}.",
                installation.version,
                installation.server_settings()
            ))
        })?;
    let installed: Option<String> = versions.get(0);
    let newest: Option<String> = versions.get(1);
    if installed.is_none() {
        let stage = Stage::begin("create extension rhythm");
        client
            .batch_execute("create extension rhythm")
            .await
            .map_err(failed("create the extension"))?;
        stage.done();
    } else if installed != newest {
        let stage = Stage::begin("alter extension rhythm update");
        client
            .batch_execute("alter extension rhythm update")
            .await
            .map_err(failed("update the extension"))?;
        stage.done();
    }
    Ok(())
}

async fn connect(port: u16, database: &str) -> std::result::Result<Client, tokio_postgres::Error> {
    let (client, connection) = Config::new()
        .host("127.0.0.1")
        .port(port)
        .user(SUPERUSER)
        .dbname(database)
        .application_name("rhythm dev")
        .connect_timeout(Duration::from_secs(5))
        .connect(NoTls)
        .await?;
    // Its end is seen by the client's next call.
    tokio::spawn(connection);
    Ok(client)
}

fn explain(what: &str, error: &tokio_postgres::Error) -> CliError {
    let Some(db) = error.as_db_error() else {
        return CliError::server(format!("cannot {what}: {error}"));
    };
    let mut explained = CliError::server(format!("cannot {what}: {}", db.message()));
    explained.code = Some(db.code().code().to_owned());
    explained.detail = db.detail().map(str::to_owned);
    explained.hint = db.hint().map(str::to_owned);
    explained
}
