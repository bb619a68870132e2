//! A throwaway server: its own data directory and port, the extension loaded from the build folder, dropped from root.

use std::fs::File;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::sync::OnceCell;
use tokio_postgres::{Config, NoTls};

use crate::database::Session;
use crate::installation::{Installation, scratch};
use crate::process;

/// How a server differs from the usual.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Whether the library is in `shared_preload_libraries`.
    pub preload: bool,
    /// More settings, `name=value`.
    pub settings: Vec<String>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            preload: true,
            settings: Vec::new(),
        }
    }
}

/// A server that this run started.
pub struct Server {
    data: PathBuf,
    port: u16,
    setup: Setup,
    postmaster: Mutex<Option<Child>>,
}

impl Server {
    /// The server that most tests share, each in its own database. It ends with the test run.
    pub async fn shared() -> Arc<Self> {
        static SHARED: OnceCell<Arc<Server>> = OnceCell::const_new();
        Arc::clone(
            SHARED
                .get_or_init(|| async { Arc::new(Self::start(Setup::default()).await) })
                .await,
        )
    }

    /// Makes a cluster and starts a server on it.
    pub async fn start(setup: Setup) -> Self {
        let data = new_folder();
        initdb(&data);
        Self::start_on(data, setup).await
    }

    /// Starts a server on a data directory that is there, such as that of a standby.
    pub async fn start_on(data: PathBuf, setup: Setup) -> Self {
        process::remove_at_exit(scratch().to_owned());
        let server = Self {
            data,
            port: free_port(),
            setup,
            postmaster: Mutex::new(None),
        };
        server.boot().await;
        server
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A connection string for the superuser.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// A session of a role.
    pub async fn session(&self, database: &str, role: &str) -> Session {
        Session::open(&self.config(database, role)).await
    }

    /// How to connect.
    #[must_use]
    pub fn config(&self, database: &str, role: &str) -> Config {
        let mut config = Config::new();
        config
            .host("127.0.0.1")
            .port(self.port)
            .user(role)
            .dbname(database);
        config
            .application_name("rhythm-tests")
            .connect_timeout(Duration::from_secs(30));
        config
    }

    /// A program of this installation, told how to connect as the superuser.
    #[must_use]
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(Installation::get().program(name));
        command
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "postgres")
            .env("LC_ALL", "C");
        command
    }

    /// Kills the postmaster alone: its children notice by and by, as after a crash of one process.
    pub fn kill(&self) {
        let mut postmaster = self.postmaster.lock().expect("no test has panicked here");
        if let Some(mut child) = postmaster.take() {
            child.kill().expect("it can be killed");
            child.wait().expect("it has ended");
        }
    }

    /// Kills one process, not the postmaster, as the kernel does when memory is short. The postmaster ends all others and
    /// starts them again; waits until the server serves again. Does nothing when the process has just ended by itself.
    pub async fn kill_one(&self, pid: u32) {
        let children = self.children();
        if !children.contains(&pid) {
            return;
        }
        process::signal(pid, Signal::SIGKILL);
        // It may also end by itself before the signal comes, and then the others stay.
        let begun = Instant::now();
        while self.children().iter().any(|pid| children.contains(pid))
            && begun.elapsed() < Duration::from_secs(30)
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.ready().await;
    }

    /// The processes of this server but for the postmaster.
    #[must_use]
    pub fn children(&self) -> Vec<u32> {
        let postmaster = self.postmaster.lock().expect("no test has panicked here");
        let postmaster = postmaster.as_ref().map(Child::id);
        let mut all = self.processes();
        all.retain(|pid| Some(*pid) != postmaster);
        all
    }

    /// Kills every process at once, as a lost machine would.
    pub fn kill_all(&self) {
        let children = self.processes();
        self.kill();
        for child in children {
            process::signal(child, Signal::SIGKILL);
        }
    }

    /// Stops in good order, or at once (`SIGQUIT`).
    pub fn stop(&self, how: Signal) {
        let mut postmaster = self.postmaster.lock().expect("no test has panicked here");
        if let Some(mut child) = postmaster.take() {
            process::signal(child.id(), how);
            child.wait().expect("it has ended");
        }
    }

    /// Starts again after `kill` or `stop`, when the last process of the former server is gone. One that runs is left alone.
    pub async fn restart(&self) {
        let is_running = self.postmaster.lock().is_ok_and(|one| one.is_some());
        if is_running {
            return;
        }
        let begun = Instant::now();
        while !self.processes().is_empty() {
            if begun.elapsed() > Duration::from_secs(10) {
                for orphan in self.processes() {
                    process::signal(orphan, Signal::SIGKILL);
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.boot().await;
    }

    /// Makes a standby of this server, not yet started.
    #[must_use]
    pub fn base_backup(&self) -> PathBuf {
        let data = new_folder();
        let mut command = self.program("pg_basebackup");
        command.args([
            "--checkpoint=fast",
            "--write-recovery-conf",
            "--wal-method=stream",
            "--no-sync",
            "-D",
        ]);
        command.arg(&data);
        if let Some(account) = Installation::get().account {
            account.run(&mut command);
        }
        run(&mut command);
        data
    }

    /// What the server has logged.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    /// The processes of this server, the postmaster too. Each works in its data directory.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        let Ok(directory) = std::fs::metadata(&self.data) else {
            return Vec::new();
        };
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        all.filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let works_in = std::fs::metadata(entry.path().join("cwd")).ok()?;
            ((works_in.dev(), works_in.ino()) == (directory.dev(), directory.ino())).then_some(pid)
        })
        .collect()
    }

    fn log_path(&self) -> PathBuf {
        self.data.with_extension("log")
    }

    async fn boot(&self) {
        let installation = Installation::get();
        let mut command = Command::new(installation.program("postgres"));
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .expect("the log opens");
        command
            .arg("-D")
            .arg(&self.data)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a handle can be copied"))
            .stderr(log)
            .current_dir("/")
            // A backtrace in the DETAIL of an error would make expectations flicker.
            .env_remove("RUST_BACKTRACE")
            .env("LC_ALL", "C");
        for setting in self.settings() {
            command.arg("-c").arg(setting);
        }
        if let Some(account) = installation.account {
            account.run(&mut command);
        }
        let child = process::spawn(command, Signal::SIGQUIT);
        process::end_at_exit(child.id());
        *self.postmaster.lock().expect("no test has panicked here") = Some(child);
        self.ready().await;
    }

    async fn ready(&self) {
        let begun = Instant::now();
        loop {
            let ended = {
                let mut postmaster = self.postmaster.lock().expect("no test has panicked here");
                postmaster
                    .as_mut()
                    .and_then(|child| child.try_wait().expect("it can be asked"))
            };
            assert!(
                ended.is_none(),
                "the server does not start:\n{}",
                last_lines(&self.log())
            );
            if let Ok((_, connection)) = self.config("postgres", "postgres").connect(NoTls).await {
                drop(connection);
                return;
            }
            let patience = begun.elapsed() < Duration::from_secs(60);
            assert!(
                patience,
                "the server does not serve:\n{}",
                last_lines(&self.log())
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn settings(&self) -> Vec<String> {
        let extension = Installation::get().extension.display();
        let mut settings = vec![
            format!("port={}", self.port),
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            format!("extension_control_path={extension}:$system"),
            format!("dynamic_library_path={extension}/lib:$libdir"),
            "fsync=off".to_owned(),
            "max_connections=200".to_owned(),
            "max_worker_processes=64".to_owned(),
            "max_prepared_transactions=10".to_owned(),
            "shared_buffers=64MB".to_owned(),
            "max_wal_size=2GB".to_owned(),
            "log_min_messages=warning".to_owned(),
            "log_line_prefix=%m [%p] %d ".to_owned(),
            "deadlock_timeout=200ms".to_owned(),
        ];
        if self.setup.preload {
            settings.push("shared_preload_libraries=rhythm".to_owned());
        }
        settings.extend(self.setup.settings.iter().cloned());
        settings
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop(Signal::SIGQUIT);
    }
}

/// Runs a command that has to work; a failure shows what it said.
pub fn run(command: &mut Command) -> String {
    let done = command
        .output()
        .unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success(),
        "{command:?} failed ({}):\n{said}",
        done.status
    );
    String::from_utf8_lossy(&done.stdout).into_owned()
}

fn new_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let path = scratch().join(format!("server-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    std::fs::create_dir(&path).expect("a new folder");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).expect("it is ours");
    if let Some(account) = Installation::get().account {
        account.own(&path);
    }
    path
}

fn initdb(data: &Path) {
    let installation = Installation::get();
    let mut command = Command::new(installation.program("initdb"));
    command
        .arg("-D")
        .arg(data)
        .current_dir("/")
        .env("LC_ALL", "C");
    command.args([
        "--username=postgres",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    ]);
    if let Some(account) = installation.account {
        account.run(&mut command);
    }
    run(&mut command);
}

fn free_port() -> u16 {
    let probe = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
    probe.local_addr().expect("it is bound").port()
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
