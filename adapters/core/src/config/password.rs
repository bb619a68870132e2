//! Password files, as libpq reads them.

use std::path::Path;

use tokio_postgres::config::Host;

/// The password for this server in the file, which is ignored like libpq does when others may read it.
pub(super) fn find(file: &Path, server: &tokio_postgres::Config) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if std::fs::metadata(file).ok()?.permissions().mode() & 0o077 != 0 {
            return None;
        }
    }
    read(&std::fs::read_to_string(file).ok()?, server)
}

/// The first line `host:port:database:user:password` that fits.
fn read(text: &str, server: &tokio_postgres::Config) -> Option<String> {
    let host = match server.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        // As in libpq, sockets in the usual folder are looked up as localhost.
        #[cfg(unix)]
        Some(Host::Unix(folder)) => match folder.to_str()? {
            "/var/run/postgresql" | "/tmp" => "localhost".to_owned(),
            folder => folder.to_owned(),
        },
        None => server.get_hostaddrs().first()?.to_string(),
    };
    let port = server
        .get_ports()
        .first()
        .copied()
        .unwrap_or(5432)
        .to_string();
    let wanted = [&host, &port, server.get_dbname()?, server.get_user()?].map(str::to_owned);
    text.lines()
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
    use super::read;

    #[test]
    fn a_password_file_has_wildcards_and_escapes() {
        let mut server = tokio_postgres::Config::new();
        server.host("db").port(6000).dbname("orders").user("ada");
        let file = "# comment\nother:*:*:*:no\ndb:6000:orders:ada:a\\:b:c\n*:*:*:*:late";
        assert_eq!(read(file, &server).as_deref(), Some("a:b:c"));
        let mut server = tokio_postgres::Config::new();
        server.host("/tmp").dbname("x").user("y");
        let file = "/tmp:*:*:*:no\nlocalhost:5432:x:y:yes";
        assert_eq!(read(file, &server).as_deref(), Some("yes"));
    }
}
