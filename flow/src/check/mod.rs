//! What is wrong with a program that can be read: every pass over the tree, every finding of a file.
//!
//! Names are resolved first; the passes that look at what a name stands for ask the result of that.
//! Knows nothing of the compiler and the VM, save the names of the builtins.

mod awaits;
mod control;
mod globals;
mod host;
mod members;
mod scope;
mod walk;

use crate::ast::Script;
use crate::diagnostic::{self, Diagnostic};
use crate::nearest::nearest;
use crate::parse::MAX_DIAGNOSTICS;
use crate::source::Source;

/// Behind so many findings nobody reads on, and comparing names costs time.
const MAX_GUESSES: usize = 200;

/// The candidate that was probably meant.
fn meant<'c>(
    found: &[Diagnostic],
    name: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    if found.len() > MAX_GUESSES {
        None
    } else {
        nearest(name, candidates)
    }
}

/// Checks a program. Where a statement was broken, nothing is said that it might explain.
#[must_use]
pub fn check(script: &Script, source: &Source) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let names = scope::resolve(script, source, &mut found);
    control::check(script, &mut found);
    awaits::check(script, &mut found);
    members::check(script, &names, &mut found);
    host::check(script, &names, &mut found);
    diagnostic::sort(&mut found);
    found.dedup();
    // Errors come first: a limit must never hide what refuses the program.
    if found.len() > MAX_DIAGNOSTICS {
        let (mut kept, warnings): (Vec<_>, Vec<_>) =
            found.into_iter().partition(Diagnostic::is_error);
        kept.extend(warnings);
        kept.truncate(MAX_DIAGNOSTICS);
        diagnostic::sort(&mut kept);
        return kept;
    }
    found
}
