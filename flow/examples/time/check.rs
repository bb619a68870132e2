//! What checking costs: parser, checker and compiler, and what is said of several files together.

use std::path::Path;

use rhythm_flow::project::Project;
use rhythm_flow::source::Source;

use crate::cpu;

/// Checks files as `rhythm check` does, without printing anything.
pub(crate) fn measure(files: &[&str]) -> Result<String, String> {
    let before = cpu();
    let mut project = Project::default();
    for file in files {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        let name = Path::new(file).file_stem();
        let name = name.map(|name| name.to_string_lossy().into_owned());
        project.add(name, Source::new(*file, text));
    }
    let checked = project.finish();
    let took = (cpu() - before).as_nanos();
    let told = checked.iter().flat_map(|file| &file.checked.diagnostics);
    let codes: Vec<String> = told
        .map(|one| format!("\"{}\"", one.code.number()))
        .collect();
    Ok(format!("{{\"ns\":{took},\"codes\":[{}]}}", codes.join(",")))
}
