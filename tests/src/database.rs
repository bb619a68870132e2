//! A database for one test, and sessions that send SQL and get text back.

use std::future::poll_fn;
use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tokio_postgres::types::FromSql;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, SimpleQueryMessage};
use uuid::Uuid;

use crate::server::{Server, Setup};

/// Tests that measure time run alone; all others share.
enum Share {
    Busy(#[expect(dead_code, reason = "held, not read")] OwnedRwLockReadGuard<()>),
    Quiet(#[expect(dead_code, reason = "held, not read")] OwnedRwLockWriteGuard<()>),
}

/// A database with the extension, dropped when the test ends.
pub struct Database {
    server: Arc<Server>,
    name: String,
    _share: Share,
}

impl Database {
    /// A new database on the shared server.
    pub async fn create() -> Self {
        let share = Share::Busy(lock().read_owned().await);
        Self::on(Server::shared().await, share).await
    }

    /// The same, while no other test runs: for those that measure time or count transactions.
    pub async fn create_quiet() -> Self {
        let share = Share::Quiet(lock().write_owned().await);
        Self::on(Server::shared().await, share).await
    }

    /// A database on a server of its own, which may be killed.
    pub async fn alone(setup: Setup) -> Self {
        let share = Share::Busy(lock().read_owned().await);
        Self::on(Arc::new(Server::start(setup).await), share).await
    }

    async fn on(server: Arc<Server>, share: Share) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let postgres = server.session("postgres", "postgres").await;
        postgres.run(&format!("create database {name}")).await;
        let database = Self {
            server,
            name,
            _share: share,
        };
        database
            .session()
            .await
            .run("create extension rhythm")
            .await;
        database
    }

    /// The server on which it is.
    #[must_use]
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A connection string for the superuser.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// A new session of the superuser.
    pub async fn session(&self) -> Session {
        self.session_as("postgres").await
    }

    /// A new session of a role.
    pub async fn session_as(&self, role: &str) -> Session {
        self.server.session(&self.name, role).await
    }
}

impl Drop for Database {
    /// Also the proof, once a test, that a database with a background worker can be dropped.
    fn drop(&mut self) {
        let config = self.server.config("postgres", "postgres");
        let drop = format!("drop database if exists {} with (force)", self.name);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                runtime.expect("a runtime").block_on(async {
                    // A server that the test has killed has nothing to drop.
                    if let Ok((client, connection)) = config.connect(NoTls).await {
                        let connection = tokio::spawn(connection);
                        if let Err(error) = client.batch_execute(&drop).await {
                            eprintln!("{drop}: {error}");
                        }
                        std::mem::drop(client);
                        let _ = connection.await;
                    }
                });
            });
        });
    }
}

fn lock() -> Arc<RwLock<()>> {
    static LOCK: std::sync::OnceLock<Arc<RwLock<()>>> = std::sync::OnceLock::new();
    Arc::clone(LOCK.get_or_init(Arc::default))
}

/// An error as a user of psql sees it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The SQLSTATE; `08006` when the connection is lost.
    pub code: String,
    /// The primary message.
    pub message: String,
    /// DETAIL, or nothing.
    pub detail: String,
    /// HINT, or nothing.
    pub hint: String,
}

impl Failure {
    /// Whether it says that the server is gone, and not what it thinks of the statement.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.code.starts_with("08") || matches!(self.code.as_str(), "57P01" | "57P02" | "57P03")
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(db) => Self {
                code: db.code().code().to_owned(),
                message: db.message().to_owned(),
                detail: db.detail().unwrap_or_default().to_owned(),
                hint: db.hint().unwrap_or_default().to_owned(),
            },
            None => Self {
                code: "08006".to_owned(),
                message: error.to_string(),
                detail: String::new(),
                hint: String::new(),
            },
        }
    }
}

/// A connection. What it is sent is text, as in psql, so that tests read like transcripts.
pub struct Session {
    client: Client,
    notices: Arc<Mutex<Vec<String>>>,
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Session {
    /// Connects.
    pub async fn open(config: &Config) -> Self {
        Self::try_open(config)
            .await
            .unwrap_or_else(|e| panic!("cannot connect: {}", e.message))
    }

    /// Connects, if the server lets it.
    pub async fn try_open(config: &Config) -> Result<Self, Failure> {
        let (client, mut connection) = config.connect(NoTls).await?;
        let notices: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&notices);
        // Ends with the client; its error is also that of whatever call was under way.
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await
            {
                if let AsyncMessage::Notice(notice) = message {
                    let mut heard = heard.lock().expect("no test has panicked here");
                    heard.push(notice.message().to_owned());
                }
            }
        });
        Ok(Self { client, notices })
    }

    /// What the server has said beside its answers since this was asked last.
    pub fn notices(&self) -> Vec<String> {
        std::mem::take(&mut self.notices.lock().expect("no test has panicked here"))
    }

    /// Sends statements and gives the rows of all of them.
    pub async fn attempt(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Failure> {
        let messages = self.client.simple_query(sql).await?;
        Ok(messages
            .into_iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(
                    (0..row.len())
                        .map(|i| row.get(i).map(str::to_owned))
                        .collect(),
                ),
                _ => None,
            })
            .collect())
    }

    /// The rows of statements that have to work.
    pub async fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.attempt(sql)
            .await
            .unwrap_or_else(|failure| panic!("{failure:#?}\nof: {}", shorten(sql)))
    }

    /// Statements that have to work.
    pub async fn run(&self, sql: &str) {
        self.rows(sql).await;
    }

    /// The one value of a statement; null is an empty string.
    pub async fn text(&self, sql: &str) -> String {
        self.maybe(sql).await.unwrap_or_default()
    }

    /// The first value of the last row, if there is one and it is not null.
    pub async fn maybe(&self, sql: &str) -> Option<String> {
        self.rows(sql)
            .await
            .pop()
            .and_then(|mut row| row.swap_remove(0))
    }

    /// The one value of a statement, as a number.
    pub async fn number(&self, sql: &str) -> i64 {
        let text = self.text(sql).await;
        text.parse()
            .unwrap_or_else(|_| panic!("`{text}` is no number, of: {sql}"))
    }

    /// Asks again and again until the answer is true; fails when that takes longer than 45 s. Longer would hide a lost
    /// wake-up: the background worker looks by itself each minute.
    pub async fn until(&self, condition: &str) {
        let begun = Instant::now();
        while self.text(condition).await != "t" {
            assert!(
                begun.elapsed() < Duration::from_secs(45),
                "in vain for 45 s: {condition}"
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The one value of a statement, as an id.
    pub async fn id(&self, sql: &str) -> Uuid {
        let text = self.text(sql).await;
        text.parse()
            .unwrap_or_else(|_| panic!("`{text}` is no id, of: {sql}"))
    }

    /// The one value of a statement, as JSON; null is JSON's null.
    pub async fn json(&self, sql: &str) -> Value {
        match self.maybe(sql).await {
            Some(text) => serde_json::from_str(&text).expect("the server gives JSON"),
            None => Value::Null,
        }
    }

    /// The error of a statement that has to fail.
    pub async fn fails(&self, sql: &str) -> Failure {
        match self.attempt(sql).await {
            Err(failure) => failure,
            Ok(rows) => panic!(
                "this worked, and should not have: {}\ngiving {rows:?}",
                shorten(sql)
            ),
        }
    }

    /// One value, with parameters.
    pub async fn value<T: for<'a> FromSql<'a>>(
        &self,
        sql: &str,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> T {
        match self.client.query_one(sql, parameters).await {
            Ok(row) => row.get(0),
            Err(error) => panic!("{:#?}\nof: {sql}", Failure::from(error)),
        }
    }

    /// Deploys a workflow.
    pub async fn deploy(&self, name: &str, source: &str) -> i64 {
        self.number(&format!(
            "select rhythm.deploy({}, {})",
            literal(name),
            literal(source)
        ))
        .await
    }

    /// Starts a workflow with JSON inputs.
    pub async fn start(&self, workflow: &str, inputs: &str) -> Uuid {
        self.id(&format!(
            "select rhythm.start({}, {})",
            literal(workflow),
            literal(inputs)
        ))
        .await
    }

    /// The state of an execution.
    pub async fn state(&self, id: Uuid) -> String {
        self.text(&format!(
            "select state from rhythm.executions where id = '{id}'"
        ))
        .await
    }

    /// Waits until an execution is in this state: the background worker may be just at it.
    pub async fn becomes(&self, id: Uuid, state: &str) {
        self.until(&format!(
            "select state = '{state}' from rhythm.executions where id = '{id}'"
        ))
        .await;
    }

    /// Waits, for at most 45 s, until an execution has ended, and gives its state, result and error.
    pub async fn outcome(&self, id: Uuid) -> (String, Value, Value) {
        for _ in 0..9 {
            let mut row = self
                .rows(&format!("select * from rhythm.wait('{id}', '5s')"))
                .await
                .remove(0);
            let mut json = |i: usize| {
                row[i].take().map_or(Value::Null, |text| {
                    serde_json::from_str(&text).expect("JSON")
                })
            };
            let (result, error) = (json(1), json(2));
            let state = row[0].take().unwrap_or_default();
            if matches!(
                state.as_str(),
                "completed" | "failed" | "cancelled" | "timed_out"
            ) {
                return (state, result, error);
            }
        }
        let all = "select id, kind, name, state, attempt, note from rhythm.executions";
        panic!(
            "{id} has not ended within 45 s; there are {:#?}",
            self.rows(all).await
        )
    }

    /// State, result and error as they are now.
    pub async fn outcome_or_state(&self, id: Uuid) -> (String, Value, Value) {
        let row = self
            .rows(&format!("select * from rhythm.result('{id}')"))
            .await
            .remove(0);
        let json = |text: &Option<String>| {
            text.as_deref().map_or(Value::Null, |text| {
                serde_json::from_str(text).expect("JSON")
            })
        };
        (
            row[0].clone().unwrap_or_default(),
            json(&row[1]),
            json(&row[2]),
        )
    }

    /// The result of an execution that has to complete.
    pub async fn completed(&self, id: Uuid) -> Value {
        let (state, result, error) = self.outcome(id).await;
        assert_eq!(state, "completed", "{error:#}");
        result
    }

    /// The error of an execution that has to fail.
    pub async fn failed(&self, id: Uuid) -> Value {
        let (state, result, error) = self.outcome(id).await;
        assert_eq!(state, "failed", "{result:#}");
        error
    }
}

/// A string as an SQL literal.
#[must_use]
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn shorten(sql: &str) -> String {
    if sql.len() > 500 {
        format!("{} …", sql.chars().take(500).collect::<String>())
    } else {
        sql.to_owned()
    }
}
