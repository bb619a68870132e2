//! Where to connect: a connection string, and the environment for what it leaves out, as libpq
//! reads them. Pure, but for the password file and the sockets that it looks for.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::error::{Error, ErrorKind, Result};

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
    /// Reads `url` (`postgresql://…`, or `host=… dbname=…`), and the environment for what it
    /// leaves out. Without a URL, the environment says it all.
    ///
    /// # Errors
    /// When either does not parse.
    pub fn from_url_and_environment(url: Option<&str>) -> Result<Self> {
        Self::read(url.unwrap_or_default(), |name| std::env::var(name).ok())
    }

    fn read(url: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let environment = |name: &str| environment(name).filter(|value| !value.is_empty());
        let split = split_off(url)?;
        let mut server =
            tokio_postgres::Config::from_str(&split.url).map_err(|error| wrong(&error))?;
        let socket_folder_set = server.get_hostaddrs().is_empty() && server.get_hosts().is_empty();
        if server.get_ports().is_empty()
            && let Some(ports) = environment("PGPORT")
        {
            for port in ports.split(',') {
                server.port(port.parse().map_err(|_| {
                    Error::new(ErrorKind::Config, format!("PGPORT \"{port}\" is no port"))
                })?);
            }
        }
        if socket_folder_set {
            let port = server.get_ports().first().copied().unwrap_or(5432);
            let hosts = environment("PGHOST").unwrap_or_else(|| default_host(port));
            for host in hosts.split(',') {
                server.host(host);
            }
        }
        if server.get_user().is_none() {
            let user = ["PGUSER", "USER", "LOGNAME"]
                .iter()
                .find_map(|name| environment(name));
            server.user(user.unwrap_or_else(|| "postgres".to_owned()));
        }
        if server.get_dbname().is_none()
            && let Some(name) =
                environment("PGDATABASE").or_else(|| server.get_user().map(str::to_owned))
        {
            server.dbname(name);
        }
        if server.get_application_name().is_none() {
            server.application_name(environment("PGAPPNAME").unwrap_or_else(|| "rhythm".into()));
        }
        if server.get_options().is_none()
            && let Some(options) = environment("PGOPTIONS")
        {
            server.options(options);
        }
        if server.get_connect_timeout().is_none() {
            let seconds = environment("PGCONNECT_TIMEOUT").and_then(|text| text.parse().ok());
            // Without one, a host that swallows packets would hold a worker for minutes.
            server.connect_timeout(Duration::from_secs(
                seconds.filter(|s| *s > 0).unwrap_or(10),
            ));
        }
        keep_alive(&mut server);
        if server.get_password().is_none() {
            let password = environment("PGPASSWORD").or_else(|| {
                let file = split
                    .password_file
                    .clone()
                    .or_else(|| environment("PGPASSFILE"))
                    .map(PathBuf::from)
                    .or_else(|| at_home(&environment, ".pgpass"))?;
                password_in(&private(&file)?, &server)
            });
            if let Some(password) = password {
                server.password(password);
            }
        }
        if let Some(word) = environment("PGTARGETSESSIONATTRS")
            && server.get_target_session_attrs() == TargetSessionAttrs::Any
        {
            server.target_session_attrs(match word.as_str() {
                "any" => TargetSessionAttrs::Any,
                "read-write" | "primary" => TargetSessionAttrs::ReadWrite,
                "read-only" | "standby" => TargetSessionAttrs::ReadOnly,
                _ => {
                    let message = format!("PGTARGETSESSIONATTRS \"{word}\" is not supported");
                    return Err(Error::new(ErrorKind::Config, message)
                        .hint("Use one of any, read-write, read-only."));
                }
            });
        }
        let mut tls: Tls = match split.ssl_mode.clone().or_else(|| environment("PGSSLMODE")) {
            Some(word) => word.parse()?,
            None => Tls::default(),
        };
        let root_certificates = split
            .root_certificates
            .clone()
            .or_else(|| environment("PGSSLROOTCERT"))
            .map(PathBuf::from)
            .or_else(|| at_home(&environment, ".postgresql/root.crt").filter(|file| file.exists()));
        // As libpq does: whoever says whom to trust wants the certificate to be looked at.
        if tls == Tls::Require && root_certificates.is_some() {
            tls = Tls::VerifyCa;
        }
        server.ssl_mode(match tls {
            Tls::Disable => SslMode::Disable,
            Tls::Prefer => SslMode::Prefer,
            Tls::Require | Tls::VerifyCa | Tls::VerifyFull => SslMode::Require,
        });
        let own = |given: &Option<String>, variable, usual| {
            let given = given
                .clone()
                .or_else(|| environment(variable))
                .map(PathBuf::from);
            given.or_else(|| at_home(&environment, usual).filter(|file| file.exists()))
        };
        let certificate = own(
            &split.certificate,
            "PGSSLCERT",
            ".postgresql/postgresql.crt",
        );
        let key = own(&split.key, "PGSSLKEY", ".postgresql/postgresql.key");
        Ok(Self {
            server,
            tls,
            root_certificates,
            own_certificate: certificate.zip(key),
        })
    }

    /// Names this client in `pg_stat_activity`.
    #[must_use]
    pub fn application_name(mut self, name: &str) -> Self {
        self.server.application_name(name);
        self
    }
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

/// A file of the user's own.
fn at_home(environment: &impl Fn(&str) -> Option<String>, file: &str) -> Option<PathBuf> {
    Some(Path::new(&environment("HOME")?).join(file))
}

/// The text of a file that nobody else may read; like libpq, a file of passwords that others can read is ignored.
fn private(file: &Path) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if std::fs::metadata(file).ok()?.permissions().mode() & 0o077 != 0 {
            return None;
        }
    }
    std::fs::read_to_string(file).ok()
}

fn wrong(error: &tokio_postgres::Error) -> Error {
    let reason = std::error::Error::source(error).map_or_else(String::new, |e| format!(": {e}"));
    Error::new(
        ErrorKind::Config,
        format!("the connection string is wrong{reason}"),
    )
    .hint("Write it as postgresql://user@host:5432/database.")
}

/// Debian's folder of sockets, then the one of upstream, then TCP.
fn default_host(port: u16) -> String {
    ["/var/run/postgresql", "/tmp"]
        .into_iter()
        .find(|folder| Path::new(folder).join(format!(".s.PGSQL.{port}")).exists())
        .unwrap_or("localhost")
        .to_owned()
}

/// A connection string without the parameters that tokio-postgres does not know.
#[derive(Default)]
struct Split {
    url: String,
    ssl_mode: Option<String>,
    root_certificates: Option<String>,
    password_file: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl Split {
    /// Takes a parameter that is for us; false if it isn't.
    fn take(&mut self, key: &str, value: &str) -> bool {
        let place = match key {
            "sslmode" => &mut self.ssl_mode,
            "sslrootcert" => &mut self.root_certificates,
            "passfile" => &mut self.password_file,
            "sslcert" => &mut self.certificate,
            "sslkey" => &mut self.key,
            // What these ask for is never done here.
            "gssencmode" | "sslcompression" => return true,
            _ => return false,
        };
        *place = Some(value.to_owned());
        true
    }
}

fn split_off(url: &str) -> Result<Split> {
    let mut split = Split::default();
    if url.starts_with("postgresql://") || url.starts_with("postgres://") {
        let (base, parameters) = url.split_once('?').unwrap_or((url, ""));
        let mut kept = Vec::new();
        for parameter in parameters.split('&').filter(|p| !p.is_empty()) {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            if !split.take(key, &unescape(value)) {
                kept.push(parameter);
            }
        }
        split.url = base.to_owned();
        if !kept.is_empty() {
            split.url = format!("{base}?{}", kept.join("&"));
        }
        return Ok(split);
    }
    let mut kept = Vec::new();
    for word in words(url) {
        let Some((key, value)) = word.split_once('=') else {
            return Err(Error::new(
                ErrorKind::Config,
                format!("the connection string is wrong: \"{word}\" is no key=value"),
            )
            .hint("Write it as postgresql://user@host:5432/database."));
        };
        if !split.take(key.trim(), value.trim().trim_matches('\'')) {
            kept.push(word);
        }
    }
    split.url = kept.join(" ");
    Ok(split)
}

/// The parts of a `key=value key='a value'` string.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if c.is_whitespace() && !quoted {
            words.push(String::new());
            continue;
        }
        if c == '\'' && !escaped {
            quoted = !quoted;
        }
        escaped = c == '\\' && !escaped;
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Percent-encoding; what is none stays as it is.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The first line `host:port:database:user:password` that fits.
fn password_in(file: &str, server: &tokio_postgres::Config) -> Option<String> {
    let host = match server.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        // libpq looks sockets up as localhost.
        _ => "localhost".to_owned(),
    };
    let port = server
        .get_ports()
        .first()
        .copied()
        .unwrap_or(5432)
        .to_string();
    let wanted = [&host, &port, server.get_dbname()?, server.get_user()?].map(str::to_owned);
    file.lines()
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| {
            let fields = fields(line);
            let fits = fields
                .iter()
                .zip(&wanted)
                .all(|(field, want)| field == "*" || field == want);
            (fields.len() == 5 && fits).then(|| fields[4].clone())
        })
}

/// Splits at colons; a backslash takes the meaning of the character behind it.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        let literal = match c {
            ':' if fields.len() < 5 => {
                fields.push(String::new());
                continue;
            }
            '\\' => characters.next().unwrap_or(c),
            _ => c,
        };
        if let Some(field) = fields.last_mut() {
            field.push(literal);
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str, environment: &[(&str, &str)]) -> Result<Config> {
        Config::read(url, |name| {
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
    fn a_password_file_has_wildcards_and_escapes() {
        let config = read("postgresql://ada@db:6000/orders", &[("PGPASSWORD", "x")]);
        let server = config.expect("it parses").server;
        let file = "# comment\nother:*:*:*:no\ndb:6000:orders:ada:a\\:b:c\n*:*:*:*:late";
        assert_eq!(password_in(file, &server).as_deref(), Some("a:b:c"));
    }
}
