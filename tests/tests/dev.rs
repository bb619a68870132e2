//! `rhythm dev`: one line when it serves, flows that are deployed as they change, a clean end; and nothing lost when it,
//! or its server, is killed.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rhythm_tests::database::Session;
use rhythm_tests::installation::{project, scratch};
use rhythm_tests::process;

/// A folder that, as root, others cannot enter: the server runs as another user, and must work there all the same.
fn closed_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    process::remove_at_exit(scratch().to_owned());
    let folder = scratch().join(format!("dev-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    std::fs::create_dir_all(&folder).expect("the scratch folder is ours");
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&folder, closed).expect("the folder is ours");
    folder
}

fn free_port() -> u16 {
    let probe = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
    probe.local_addr().expect("it is bound").port()
}

/// A running `rhythm dev`.
struct Dev {
    child: Child,
    data: PathBuf,
    url: String,
}

impl Dev {
    /// Starts it, and waits for the line that says where it serves.
    fn start(folder: &Path, port: u16, more: &[&str]) -> Self {
        let data = folder.join("data");
        let mut child = spawn(&data, port, more);
        let stdout = child.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it is text");
        let url = line.trim().strip_prefix("ready ").map(str::to_owned);
        let url = url.unwrap_or_else(|| panic!("no ready line: {}", rest(&mut child)));
        assert_eq!(
            url,
            format!("postgresql://postgres@127.0.0.1:{port}/rhythm")
        );
        Self { child, data, url }
    }

    async fn session(&self) -> Session {
        Session::open(&self.url.parse().expect("it is a URL")).await
    }

    /// The server's own process.
    fn server(&self) -> u32 {
        let text = std::fs::read_to_string(self.data.join("postmaster.pid")).expect("it serves");
        text.lines()
            .next()
            .and_then(|pid| pid.parse().ok())
            .expect("the first line is the process")
    }

    fn signal(&self, signal: Signal) {
        process::signal(self.child.id(), signal);
    }

    /// Waits for its end; gives the exit code (none when killed) and what it said.
    fn end(&mut self) -> (Option<i32>, String) {
        let said = rest(&mut self.child);
        (self.child.wait().expect("it is our child").code(), said)
    }
}

fn spawn(data: &Path, port: u16, more: &[&str]) -> Child {
    let mut command = Command::new(project().join("target/release/rhythm"));
    command
        .arg("dev")
        .arg("--data-dir")
        .arg(data)
        .args(["--port", &port.to_string()])
        .args(more);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    process::spawn(command, Signal::SIGTERM)
}

/// Everything that it says on stderr until its end.
fn rest(child: &mut Child) -> String {
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut said).expect("it is text");
    }
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dev_serves_and_ends_cleanly_at_sigterm_and_sigint() {
    let (folder, port) = (closed_folder(), free_port());
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut dev = Dev::start(&folder, port, &[]);
        let s = dev.session().await;
        s.run("create table if not exists kept (at timestamptz default now())")
            .await;
        s.run("insert into kept default values").await;
        dev.signal(signal);
        let (code, said) = dev.end();
        assert_eq!(code, Some(0), "{said}");
        assert!(
            !dev.data.join("postmaster.pid").exists(),
            "the server has gone in good order"
        );
    }
    let mut dev = Dev::start(&folder, port, &[]);
    assert_eq!(
        dev.session()
            .await
            .number("select count(*) from kept")
            .await,
        2
    );
    dev.signal(Signal::SIGTERM);
    dev.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_dev_is_taken_over_at_once() {
    let (folder, port) = (closed_folder(), free_port());
    let mut dev = Dev::start(&folder, port, &[]);
    let s = dev.session().await;
    s.deploy("greet", "return await Task.run('compose');").await;
    let id = s.start("greet", "{}").await;
    dev.signal(Signal::SIGKILL);
    // At once: its server may still be at its checkpoint, or not have noticed yet.
    let mut next = Dev::start(&folder, port, &[]);
    let s = next.session().await;
    assert_eq!(s.state(id).await, "waiting");
    s.work("\"hello\"").await;
    assert_eq!(s.completed(id).await, serde_json::json!("hello"));
    next.signal(Signal::SIGTERM);
    assert_eq!(next.end().0, Some(0));
    dev.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_is_started_again_while_its_children_still_exit() {
    let (folder, port) = (closed_folder(), free_port());
    let mut dev = Dev::start(&folder, port, &[]);
    let s = dev.session().await;
    s.deploy("greet", "return await Task.run('compose');").await;
    let id = s.start("greet", "{}").await;
    // A backend that notices nothing: it neither waits nor sends.
    let busy = dev.session().await;
    let stuck = tokio::spawn(async move {
        let _ = busy.attempt("do $$ begin loop end loop; end $$").await;
    });
    let running =
        "select count(*) from pg_stat_activity where query like 'do %' and state = 'active'";
    while s.number(running).await == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    process::signal(dev.server(), Signal::SIGKILL);
    let (code, said) = dev.end();
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("killed by signal 9") && said.contains("Hint: Run `rhythm dev` again"),
        "{said}"
    );
    let mut next = Dev::start(&folder, port, &[]);
    assert_eq!(next.session().await.state(id).await, "waiting");
    stuck.await.expect("its session ended");
    next.signal(Signal::SIGTERM);
    assert_eq!(next.end().0, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dev_that_is_killed_with_its_server_is_taken_over_at_once() {
    let (folder, port) = (closed_folder(), free_port());
    let mut dev = Dev::start(&folder, port, &[]);
    let s = dev.session().await;
    s.run("create table kept (round int)").await;
    for round in 0..3 {
        s.attempt("insert into kept values (0)").await.ok();
        let server = dev.server();
        dev.signal(Signal::SIGKILL);
        process::signal(server, Signal::SIGKILL);
        // The killed one is not waited for: it may still hold what it held.
        let next = Dev::start(&folder, port, &[]);
        std::mem::replace(&mut dev, next).end();
        let s = dev.session().await;
        s.run(&format!("insert into kept values ({round} + 1)"))
            .await;
        let kept = "select count(*) from kept where round > 0";
        assert_eq!(s.number(kept).await, round + 1);
    }
    dev.signal(Signal::SIGTERM);
    assert_eq!(dev.end().0, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_is_served_once_and_a_taken_port_is_refused() {
    let (folder, port) = (closed_folder(), free_port());
    let mut dev = Dev::start(&folder, port, &[]);
    for (data, port, words) in [
        (
            dev.data.clone(),
            free_port(),
            "another `rhythm dev` is serving",
        ),
        (folder.join("other"), port, "is in use by another program"),
    ] {
        let mut second = spawn(&data, port, &[]);
        let said = rest(&mut second);
        assert_eq!(
            second.wait().expect("it is our child").code(),
            Some(1),
            "{said}"
        );
        assert!(said.contains(words) && said.contains("Hint: "), "{said}");
    }
    dev.signal(Signal::SIGTERM);
    assert_eq!(dev.end().0, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flows_are_deployed_again_when_they_change() {
    let (folder, port) = (closed_folder(), free_port());
    let flows = folder.join("flows");
    std::fs::create_dir(&flows).expect("the folder is ours");
    let file = flows.join("count.flow");
    // In one go: half a file is another mistake, or none.
    let write = |source: &str| {
        let beside = flows.join("count.tmp");
        std::fs::write(&beside, source).expect("the folder is ours");
        std::fs::rename(beside, &file).expect("the folder is ours");
    };
    write("return 1;");
    let mut dev = Dev::start(&folder, port, &["--flows", &flows.display().to_string()]);
    let s = dev.session().await;
    assert_eq!(
        s.completed(s.start("count", "{}").await).await,
        serde_json::json!(1)
    );
    // A mistake is reported and leaves the deployed version alone.
    write("return nowhere;");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(
        s.completed(s.start("count", "{}").await).await,
        serde_json::json!(1)
    );
    write("return 1 + 1;");
    let start = Instant::now();
    while s
        .number("select max(version) from rhythm.workflows where name = 'count'")
        .await
        != 2
    {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "the change is not deployed"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        s.completed(s.start("count", "{}").await).await,
        serde_json::json!(2)
    );
    // Below the folder, too, but for what tools keep there, and for files of one name.
    for (at, source) in [
        ("orders/eu/ship.flow", "return 'ship';"),
        (".git/hidden.flow", "return 0;"),
        ("node_modules/theirs.flow", "return 0;"),
        ("target/built.flow", "return 0;"),
        ("orders/twice.flow", "return 1;"),
        ("twice.flow", "return 2;"),
    ] {
        let path = flows.join(at);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("the folder is ours");
        std::fs::write(path, source).expect("the folder is ours");
    }
    let deployed = "select string_agg(distinct name, ' ' order by name) from rhythm.workflows";
    s.until(&format!("select ({deployed}) = 'count ship'"))
        .await;
    std::fs::rename(flows.join("twice.flow"), flows.join("once.flow")).expect("the folder is ours");
    s.until(&format!("select ({deployed}) = 'count once ship twice'"))
        .await;
    // A deploy that waits for somebody's transaction does not hold the end up.
    s.run("begin").await;
    s.deploy("count", "return 3;").await;
    write("return 4;");
    let other = dev.session().await;
    other
        .until("select exists (select from pg_stat_activity where wait_event_type = 'Lock' and query like '%deploy%')")
        .await;
    let start = Instant::now();
    dev.signal(Signal::SIGTERM);
    let (code, said) = dev.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(start.elapsed() < Duration::from_secs(60), "{said}");
    assert!(said.contains("`nowhere` is not defined"), "{said}");
    assert_eq!(said.matches("are all called twice").count(), 1, "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_or_paused_database_is_told_when_it_starts() {
    let (folder, port) = (closed_folder(), free_port());
    let mut dev = Dev::start(&folder, port, &[]);
    let s = dev.session().await;
    // As a restore does: it copies the old database's row in.
    s.run("insert into rhythm.gate (database) values (1); select rhythm.pause_all('moving house')")
        .await;
    dev.signal(Signal::SIGTERM);
    let (_, said) = dev.end();
    assert!(!said.contains("rhythm adopt"), "{said}");
    let mut dev = Dev::start(&folder, port, &[]);
    dev.signal(Signal::SIGTERM);
    let (_, said) = dev.end();
    assert!(
        said.contains("restored from a dump; `rhythm adopt --url"),
        "{said}"
    );
    assert!(
        said.contains("everything is paused (moving house)"),
        "{said}"
    );
}
