//! Service files: named sets of connection parameters, as libpq finds and reads them.

use std::path::{Path, PathBuf};

use super::parameters::Parameters;
use super::{Environment, at_home};
use crate::error::{Error, ErrorKind, Result};

/// Where packages of libpq keep the machine's file, unless PGSYSCONFDIR says otherwise.
const SYSTEM_FOLDERS: [&str; 2] = ["/etc/postgresql-common", "/etc/sysconfig/pgsql"];

/// The parameters of the service, from the user's file, or else the machine's. `file` stands for the user's.
pub(super) fn find(
    service: &str,
    file: Option<String>,
    environment: &Environment<'_>,
) -> Result<Parameters> {
    let own = file
        .or_else(|| environment.get("PGSERVICEFILE"))
        .map(PathBuf::from)
        .or_else(|| at_home(environment, ".pg_service.conf").filter(|file| file.exists()));
    let folders = match environment.get("PGSYSCONFDIR") {
        Some(folder) => vec![folder],
        None => SYSTEM_FOLDERS.map(str::to_owned).to_vec(),
    };
    let system = folders
        .iter()
        .map(|folder| Path::new(folder).join("pg_service.conf"))
        .filter(|file| file.exists());
    for file in own.into_iter().chain(system) {
        let text = std::fs::read_to_string(&file)
            .map_err(|error| wrong(format!("cannot read {}: {error}", file.display())))?;
        let found = read(&text, service)
            .map_err(|reason| wrong(format!("{} is wrong: {reason}", file.display())))?;
        if let Some(found) = found {
            return Ok(found);
        }
    }
    Err(
        wrong(format!("service \"{service}\" is in no service file"))
            .hint("Services are in ~/.pg_service.conf, or where PGSERVICEFILE says."),
    )
}

/// The parameters below `[service]`; none if there is no such line.
fn read(text: &str, service: &str) -> std::result::Result<Option<Parameters>, String> {
    let mut found = None;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            // What belongs to it has been read.
            if found.is_some() {
                break;
            }
            if name.strip_suffix(']') == Some(service) {
                found = Some(Parameters::default());
            }
        } else if let Some(found) = &mut found {
            match line.split_once('=') {
                Some(("service" | "servicefile", _)) => {
                    return Err(format!("line {number}: a service cannot name another one"));
                }
                // As in libpq, the first line of a name counts.
                Some((name, value)) if found.get(name).is_none() => found.set(name, value),
                Some(_) => {}
                None => return Err(format!("line {number}: \"{line}\" is no name=value")),
            }
        }
    }
    Ok(found)
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use super::read;

    const FILE: &str = "# comment\n[other]\nhost=no\nnonsense\n\n[shop]\nhost=db\n  port=6000  \n\
                        host=late\noptions=-c a=b\n[late]\nhost=no\n";

    #[test]
    fn a_service_ends_where_the_next_one_begins() {
        let found = read(FILE, "shop").expect("it parses").expect("it is there");
        assert_eq!(found.to_pairs(), "host='db' port='6000' options='-c a=b'");
        assert!(read(FILE, "none").expect("it parses").is_none());
    }

    #[test]
    fn a_wrong_line_is_named() {
        assert_eq!(
            read(FILE, "other").expect_err("it has nonsense"),
            "line 4: \"nonsense\" is no name=value"
        );
        let nested = read("[a]\nservice=b", "a").expect_err("it names another one");
        assert_eq!(nested, "line 2: a service cannot name another one");
    }
}
