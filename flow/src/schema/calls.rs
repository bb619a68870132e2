//! What a program gives to tasks, where it is written out, and the schemas of these tasks.

use super::Schema;
use crate::check::{Named, NamedKind};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;

/// The calls whose inputs cannot fit the schema of their task, whatever the run adds to them.
#[must_use]
pub fn misfits<'s>(
    calls: &[Named],
    schema_of: impl Fn(&str) -> Option<&'s Schema>,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for call in calls.iter().filter(|call| call.kind == NamedKind::Task) {
        let Some((literal, schema)) = call.inputs.as_ref().zip(schema_of(&call.name)) else {
            continue;
        };
        for (span, error) in schema.compare(literal) {
            let subject = match error.path.is_empty() {
                true => "the inputs".to_owned(),
                false => format!("`{}`", error.path),
            };
            let message = format!(
                "{subject} cannot be what the task `{}` takes: {}",
                call.name, error.message
            );
            found.push(
                Diagnostic::new(Code::TaskInputs, span, message)
                    .with_hint("The worker that serves the task has published this schema."),
            );
        }
    }
    found
}
