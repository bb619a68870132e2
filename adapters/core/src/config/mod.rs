//! Where to connect: a connection string, a service file, and the environment for what they leave out, as libpq reads them.
//! Knows nothing of sessions; reads no files but services, passwords, and the sockets that it looks for.
//!
//! # Layout
//! - `parameters`: a connection string as names and values.
//! - `service_file`: named sets of parameters in files.
//! - `password`: the password file.

mod parameters;
mod password;
mod service_file;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode};

use crate::error::{Error, ErrorKind, Result};
use parameters::Parameters;

/// Parameters and the variables that stand for them, in libpq's words.
const VARIABLES: [(&str, &str); 18] = [
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("port", "PGPORT"),
    ("user", "PGUSER"),
    ("dbname", "PGDATABASE"),
    ("password", "PGPASSWORD"),
    ("passfile", "PGPASSFILE"),
    ("application_name", "PGAPPNAME"),
    ("options", "PGOPTIONS"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("sslmode", "PGSSLMODE"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
];

/// How much TLS is wanted, in libpq's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tls {
    Disable,
    /// Encrypted if the server can; whose certificate it is is not asked.
    #[default]
    Prefer,
    Require,
    /// The certificate must come from a known authority.
    VerifyCa,
    /// And it must be that of this host.
    VerifyFull,
}

impl FromStr for Tls {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        Ok(match word {
            "disable" => Self::Disable,
            // libpq tries without TLS first; where both work, the outcome is nobody's to tell.
            "allow" | "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!("sslmode \"{word}\" is unknown"),
                )
                .hint("Use one of disable, allow, prefer, require, verify-ca, verify-full."));
            }
        })
    }
}

/// Where and how to connect.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) server: tokio_postgres::Config,
    pub(crate) tls: Tls,
    /// A file of certificates to trust instead of the system's.
    pub(crate) root_certificates: Option<PathBuf>,
    /// The client's own certificate and key, in files.
    pub(crate) own_certificate: Option<(PathBuf, PathBuf)>,
}

impl Config {
    /// Reads `url` (`postgresql://…`, or `host=… dbname=…`), and a service file and the environment for
    /// what it leaves out. Without a URL, they say it all.
    ///
    /// # Errors
    /// When one of them does not parse.
    pub fn from_url_and_environment(url: Option<&str>) -> Result<Self> {
        Self::read(url.unwrap_or_default(), &|name| std::env::var(name).ok())
    }

    fn read(url: &str, variables: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let environment = Environment(variables);
        let mut given = Parameters::parse(url)?;
        let service = given
            .take("service")
            .or_else(|| environment.get("PGSERVICE"));
        let file = given.take("servicefile");
        // Alone first, so that it is told whose mistake it is.
        understand(given.clone()).map_err(|error| Error {
            message: format!("the connection string is wrong: {}", error.message),
            ..error
        })?;
        if let Some(service) = service {
            given.complete_with(service_file::find(&service, file, &environment)?);
        }
        given.complete_with(environment.parameters());
        let (wishes, mut server) = understand(given).map_err(|error| Error {
            message: format!(
                "the service file or the environment is wrong: {}",
                error.message
            ),
            ..error
        })?;
        fill_in(&mut server, wishes.application_name.as_deref())?;
        if server.get_password().is_none() {
            let file = wishes.password_file.map(PathBuf::from);
            let file = file.or_else(|| at_home(&environment, ".pgpass"));
            if let Some(password) = file.and_then(|file| password::find(&file, &server)) {
                server.password(password);
            }
        }
        server.ssl_mode(match wishes.tls {
            Tls::Disable => SslMode::Disable,
            Tls::Prefer => SslMode::Prefer,
            Tls::Require | Tls::VerifyCa | Tls::VerifyFull => SslMode::Require,
        });
        let usual = |file| at_home(&environment, file).filter(|file| file.exists());
        let root_certificates = wishes
            .root_certificates
            .map(PathBuf::from)
            .or_else(|| usual(".postgresql/root.crt"));
        let certificate = wishes
            .certificate
            .map(PathBuf::from)
            .or_else(|| usual(".postgresql/postgresql.crt"));
        let key = wishes
            .key
            .map(PathBuf::from)
            .or_else(|| usual(".postgresql/postgresql.key"));
        Ok(Self {
            server,
            // As libpq does: whoever says whom to trust wants the certificate to be looked at.
            tls: match wishes.tls {
                Tls::Require if root_certificates.is_some() => Tls::VerifyCa,
                tls => tls,
            },
            root_certificates,
            own_certificate: certificate.zip(key),
        })
    }

    /// The hosts with their ports, for people.
    pub(crate) fn place(&self) -> String {
        let server = &self.server;
        let mut hosts: Vec<String> = server.get_hosts().iter().map(host_name).collect();
        if hosts.is_empty() {
            hosts.extend(server.get_hostaddrs().iter().map(ToString::to_string));
        }
        let ports = server.get_ports();
        // One port is for all of them.
        let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        let places = hosts.iter().enumerate();
        places
            .map(|(at, host)| format!("{host}:{}", port(at)))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Names this client in `pg_stat_activity`.
    #[must_use]
    pub fn application_name(mut self, name: &str) -> Self {
        self.server.application_name(name);
        self
    }
}

/// The variables of this process, where an empty one is none.
struct Environment<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Environment<'_> {
    fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    fn parameters(&self) -> Parameters {
        let mut found = Parameters::default();
        for (name, variable) in VARIABLES {
            if let Some(value) = self.get(variable) {
                found.set(name, value);
            }
        }
        found
    }
}

/// What tokio-postgres leaves to its caller.
#[derive(Default)]
struct Wishes {
    tls: Tls,
    root_certificates: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
    password_file: Option<String>,
    application_name: Option<String>,
}

impl Wishes {
    /// Takes it out, and puts the rest into words that tokio-postgres knows.
    fn take_from(given: &mut Parameters) -> Result<Self> {
        let refused = |message: String, hint: &str| {
            Err(Error::new(ErrorKind::Config, message).hint(hint.to_owned()))
        };
        let word = given.take("sslmode");
        let mut tls = word.as_deref().map(Tls::from_str).transpose()?;
        let root_certificates = given.take("sslrootcert");
        // Anybody can get a certificate that the machine trusts: it says something about its own host only.
        if root_certificates.as_deref() == Some("system") {
            if tls.is_some_and(|tls| tls != Tls::VerifyFull) {
                return refused(
                    format!(
                        "sslmode \"{}\" is too weak for sslrootcert=system",
                        word.unwrap_or_default()
                    ),
                    "Use sslmode=verify-full.",
                );
            }
            tls = Some(Tls::VerifyFull);
        }
        if let Some(word) = given.take("target_session_attrs") {
            let known = match word.as_str() {
                "any" | "read-write" | "read-only" => word.as_str(),
                "primary" => "read-write",
                "standby" => "read-only",
                _ => {
                    return refused(
                        format!("target_session_attrs \"{word}\" is not supported"),
                        "Use one of any, read-write, primary, read-only, standby.",
                    );
                }
            };
            given.set("target_session_attrs", known);
        }
        if given.take("gssencmode").as_deref() == Some("require") {
            return refused(
                "gssencmode \"require\" is not supported".to_owned(),
                "Use TLS: sslmode=verify-full.",
            );
        }
        // Compression is never done, the host is always named, and text is always UTF-8.
        for word in ["sslcompression", "sslsni", "client_encoding"] {
            given.take(word);
        }
        Ok(Self {
            tls: tls.unwrap_or_default(),
            root_certificates,
            certificate: given.take("sslcert"),
            key: given.take("sslkey"),
            password_file: given.take("passfile"),
            application_name: given.take("fallback_application_name"),
        })
    }
}

/// Splits parameters into what is for us and what tokio-postgres does.
fn understand(mut given: Parameters) -> Result<(Wishes, tokio_postgres::Config)> {
    let wishes = Wishes::take_from(&mut given)?;
    let server = tokio_postgres::Config::from_str(&given.to_pairs()).map_err(|error| {
        let reason = std::error::Error::source(&error)
            .map_or_else(|| error.to_string(), ToString::to_string);
        Error::new(ErrorKind::Config, reason)
            .hint("Write it as postgresql://user@host:5432/database.")
    })?;
    Ok((wishes, server))
}

/// What nobody has said.
fn fill_in(server: &mut tokio_postgres::Config, application_name: Option<&str>) -> Result<()> {
    if server.get_hosts().is_empty() && server.get_hostaddrs().is_empty() {
        let port = server.get_ports().first().copied().unwrap_or(5432);
        server.host(default_host(port));
    }
    if server.get_user().is_none() {
        let name = whoami::username().map_err(|error| {
            Error::new(ErrorKind::Config, format!("this user has no name: {error}"))
                .hint("Name the database's user in the URL, or with PGUSER.")
        })?;
        server.user(name);
    }
    if server.get_dbname().is_none()
        && let Some(user) = server.get_user().map(str::to_owned)
    {
        server.dbname(user);
    }
    if server.get_application_name().is_none() {
        server.application_name(application_name.unwrap_or("rhythm"));
    }
    // Without one, a host that swallows packets would hold a worker for minutes.
    if server.get_connect_timeout().is_none() {
        server.connect_timeout(Duration::from_secs(10));
    }
    keep_alive(server);
    Ok(())
}

/// Lets a connection whose other end has silently gone break within a minute, unless the user has said otherwise.
fn keep_alive(server: &mut tokio_postgres::Config) {
    const UNSET: Duration = Duration::from_secs(2 * 60 * 60);
    if server.get_keepalives_idle() == UNSET {
        server.keepalives_idle(Duration::from_secs(20));
    }
    if server.get_keepalives_interval().is_none() {
        server.keepalives_interval(Duration::from_secs(5));
    }
    if server.get_keepalives_retries().is_none() {
        server.keepalives_retries(4);
    }
    if server.get_tcp_user_timeout().is_none() {
        server.tcp_user_timeout(Duration::from_secs(30));
    }
}

fn host_name(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(folder) => folder.display().to_string(),
    }
}

/// A file of the user's own.
fn at_home(environment: &Environment<'_>, file: &str) -> Option<PathBuf> {
    Some(Path::new(&environment.get("HOME")?).join(file))
}

/// Debian's folder of sockets, then the one of upstream, then TCP.
fn default_host(port: u16) -> String {
    ["/var/run/postgresql", "/tmp"]
        .into_iter()
        .find(|folder| Path::new(folder).join(format!(".s.PGSQL.{port}")).exists())
        .unwrap_or("localhost")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::TargetSessionAttrs;

    use super::*;

    fn read(url: &str, environment: &[(&str, &str)]) -> Result<Config> {
        Config::read(url, &|name| {
            environment
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_fills_what_the_url_leaves_out() {
        let environment = [
            ("PGHOST", "db"),
            ("PGPORT", "6000"),
            ("PGUSER", "ada"),
            ("PGPASSWORD", "secret"),
        ];
        let config = read("postgresql:///orders?sslmode=verify-full", &environment);
        let config = config.expect("it parses");
        assert_eq!(config.server.get_hosts(), [Host::Tcp("db".into())]);
        assert_eq!(config.server.get_ports(), [6000]);
        assert_eq!(config.server.get_user(), Some("ada"));
        assert_eq!(config.server.get_dbname(), Some("orders"));
        assert_eq!(config.server.get_password(), Some(b"secret".as_slice()));
        assert_eq!(config.tls, Tls::VerifyFull);
    }

    #[test]
    fn the_url_goes_before_the_environment() {
        let environment = [("PGHOST", "db"), ("PGUSER", "ada"), ("PGDATABASE", "x")];
        let config = read("postgresql://bob@other:7000/y", &environment).expect("it parses");
        assert_eq!(config.server.get_hosts(), [Host::Tcp("other".into())]);
        assert_eq!(config.server.get_user(), Some("bob"));
        assert_eq!(config.server.get_dbname(), Some("y"));
    }

    #[test]
    fn pairs_are_read_with_quotes() {
        let config = read(
            "host=db password='a b' sslmode=verify-full sslrootcert='/x y'",
            &[],
        )
        .expect("fine");
        assert_eq!(config.server.get_password(), Some(b"a b".as_slice()));
        assert_eq!(config.root_certificates, Some(PathBuf::from("/x y")));
        assert_eq!(config.tls, Tls::VerifyFull);
    }

    #[test]
    fn many_hosts_are_read_as_libpq_does() {
        let url = "postgresql://a:1,b:2/x?target_session_attrs=read-write";
        let config = read(url, &[]).expect("fine");
        assert_eq!(config.server.get_hosts().len(), 2);
        assert_eq!(config.server.get_ports(), [1, 2]);
        assert_eq!(config.place(), "a:1, b:2");
        let environment = [
            ("PGHOST", "a,b"),
            ("PGPORT", "1,2"),
            ("PGTARGETSESSIONATTRS", "primary"),
        ];
        let config = read("", &environment).expect("fine");
        assert_eq!(config.server.get_hosts().len(), 2);
        assert_eq!(
            config.server.get_target_session_attrs(),
            TargetSessionAttrs::ReadWrite
        );
    }

    #[test]
    fn required_tls_with_trusted_certificates_looks_at_the_servers() {
        let config = read(
            "postgresql://h/x?sslmode=require&sslrootcert=%2Fca%20.pem",
            &[],
        );
        let config = config.expect("fine");
        assert_eq!(config.tls, Tls::VerifyCa);
        assert_eq!(config.root_certificates, Some(PathBuf::from("/ca .pem")));
        assert_eq!(
            read("postgresql://h/x?sslmode=require", &[])
                .expect("fine")
                .tls,
            Tls::Require
        );
    }

    #[test]
    fn a_dead_connection_is_noticed_unless_the_user_has_other_wishes() {
        let config = read("postgresql://h/x", &[]).expect("fine");
        assert_eq!(config.server.get_keepalives_idle(), Duration::from_secs(20));
        let config = read("postgresql://h/x?keepalives_idle=300", &[]).expect("fine");
        assert_eq!(
            config.server.get_keepalives_idle(),
            Duration::from_secs(300)
        );
    }

    #[test]
    fn mistakes_are_named() {
        for (url, word) in [
            ("postgresql://h/x?sslmode=sometimes", "sometimes"),
            ("nonsense", "nonsense"),
            ("host=db colour=red", "colour"),
        ] {
            let error = read(url, &[]).expect_err(url);
            assert_eq!(error.kind, ErrorKind::Config);
            assert!(error.message.contains(word), "{}", error.message);
        }
    }

    #[test]
    fn a_service_goes_between_the_string_and_the_environment() {
        let file = std::env::temp_dir().join(format!("rhythm-services-{}", std::process::id()));
        std::fs::write(&file, "[shop]\nhost=db\nuser=ada\nsslmode=disable\n")
            .expect("the folder is ours");
        let path = file.to_str().expect("it is text");
        let environment = [
            ("PGSERVICEFILE", path),
            ("PGSERVICE", "shop"),
            ("PGHOST", "no"),
            ("PGDATABASE", "orders"),
        ];
        let config = read("postgresql://bob@/", &environment).expect("it is there");
        let named = read("service=shop", &environment[..1]).expect("it is there");
        let missing = read(
            "service=none",
            &[environment[0], ("PGSYSCONFDIR", "/nowhere")],
        );
        std::fs::remove_file(&file).expect("it is ours");
        assert_eq!(config.server.get_hosts(), [Host::Tcp("db".into())]);
        assert_eq!(config.server.get_user(), Some("bob"));
        assert_eq!(config.server.get_dbname(), Some("orders"));
        assert_eq!(config.tls, Tls::Disable);
        assert_eq!(named.server.get_user(), Some("ada"));
        assert_eq!(
            missing.expect_err("it is not there").message,
            "service \"none\" is in no service file"
        );
    }

    #[test]
    fn addresses_stand_for_the_lookup_of_names() {
        let environment = [("PGHOSTADDR", "127.0.0.1")];
        let config = read("host=db", &environment).expect("fine");
        assert_eq!(config.server.get_hosts(), [Host::Tcp("db".into())]);
        assert_eq!(config.server.get_hostaddrs().len(), 1);
        let config = read("", &environment).expect("fine");
        assert!(config.server.get_hosts().is_empty());
    }

    #[test]
    fn the_machines_authorities_want_the_hosts_name_looked_at() {
        let config = read("host=db sslrootcert=system", &[]).expect("fine");
        assert_eq!(config.tls, Tls::VerifyFull);
        let error = read("host=db sslrootcert=system sslmode=require", &[]);
        assert!(
            error
                .expect_err("it is too weak")
                .message
                .contains("too weak")
        );
    }

    #[test]
    fn it_is_told_whose_mistake_it_is() {
        let error = read("postgresql://h/x", &[("PGPORT", "many")]).expect_err("it is no number");
        assert!(error.message.contains("environment"), "{}", error.message);
        let error = read("postgresql://h:many/x", &[]).expect_err("it is no number");
        assert!(error.message.contains("string"), "{}", error.message);
        let error = read("", &[("PGSSLMODE", "sometimes")]).expect_err("there is no such mode");
        assert!(error.message.contains("sometimes"), "{}", error.message);
    }
}
