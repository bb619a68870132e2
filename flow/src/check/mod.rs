//! What is wrong with a program that can be read: every pass over the tree, every finding of a file.
//!
//! Names are resolved first; the passes that look at what a name stands for ask the result of that.
//! Knows nothing of the compiler and the VM, save the names of the builtins.

mod awaits;
mod calls;
mod conditions;
mod control;
mod extras;
mod globals;
mod host;
mod literal;
mod members;
mod methods;
mod outline;
mod promises;
mod properties;
mod scope;
mod slips;
mod sql;
mod walk;

pub use calls::{Named, NamedKind};
pub(crate) use extras::{Extras, extras};
pub use literal::Literal;
pub use outline::{OutlineKind, OutlineNode, outline};

use crate::ast::Script;
use crate::codes::Code;
use crate::diagnostic::{self, Diagnostic};
use crate::input_type;
use crate::nearest::nearest;
use crate::parse::MAX_DIAGNOSTICS;
use crate::source::{Source, Span};

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

/// What the findings of a code are about.
fn of_code(found: &[Diagnostic], code: Code) -> Vec<Span> {
    let of_code = found.iter().filter(|one| one.code == code);
    of_code.map(|one| one.span).collect()
}

/// Whether a place is in one of these spans, which are sorted.
fn is_in(spans: &[Span], place: u32) -> bool {
    let behind = spans.partition_point(|span| span.start <= place);
    behind > 0 && place < spans[behind - 1].end
}

/// Checks a program. Where a statement was broken, nothing is said that it might explain.
#[must_use]
pub fn check(script: &Script, source: &Source) -> Vec<Diagnostic> {
    check_with_calls(script, source).0
}

/// Checks a program, and tells which tasks and workflows it names.
pub(crate) fn check_with_calls(script: &Script, source: &Source) -> (Vec<Diagnostic>, Vec<Named>) {
    let mut found = Vec::new();
    let names = scope::resolve(script, source, &mut found);
    control::check(script, &mut found);
    awaits::check(script, source, &mut found);
    members::check(script, source, &names, &mut found);
    methods::check(script, &names, &mut found);
    properties::check(script, &names, &mut found);
    host::check(script, &names, &mut found);
    promises::check(script, source, &names, &mut found);
    sql::check(script, source, &names, &mut found);
    slips::check(script, source, &names, &mut found);
    conditions::check(script, source, &names, &mut found);
    found.extend(input_type::ignored(script, source));
    let calls = calls::named(script, &names);
    // What is never reached needs no second reason.
    let mut unreached = of_code(&found, Code::Unreachable);
    unreached.sort_unstable_by_key(|span| span.start);
    found.retain(|one| one.code != Code::NoEffect || !is_in(&unreached, one.span.start));
    diagnostic::sort(&mut found);
    found.dedup();
    // Errors come first: a limit must never hide what refuses the program.
    if found.len() > MAX_DIAGNOSTICS {
        let (mut kept, warnings): (Vec<_>, Vec<_>) =
            found.into_iter().partition(Diagnostic::is_error);
        kept.extend(warnings);
        kept.truncate(MAX_DIAGNOSTICS);
        diagnostic::sort(&mut kept);
        return (kept, calls);
    }
    (found, calls)
}
