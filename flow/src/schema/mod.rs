//! JSON Schema (draft 2020-12): what the inputs of a task have to be.
//!
//! Schemas and values come from users, and are compared inside a server process. So nothing here recurses deeper than a
//! fixed limit, every step is paid for, the caller may stop it at any step, and patterns run on the engine of the
//! language, which has the syntax that the standard asks for. Three answers: fits, does not fit, and, for values that are
//! written in a program, only the run can tell.
//!
//! - `compile`, `rules`: from text to nodes; they say what is wrong with a schema. `refs`: what `$ref` names, and cycles
//! - `node`: a compiled schema
//! - `compare`: the evaluator; `scalar`, `array`, `object`: its keywords, by what they are about
//! - `format`, `number`: what texts and numbers mean; `words`: schemas in words
//! - `calls`: the calls of a program and the schemas of the tasks that they name
//!
//! Not supported, and refused by name: references that leave the schema, `$id` inside of it, older drafts' forms.

mod array;
mod calls;
mod compare;
mod compile;
mod format;
mod node;
mod number;
mod object;
mod refs;
mod rules;
mod scalar;
mod words;

pub use calls::misfits;
pub use compile::{MAX_BYTES, SchemaError};

use crate::check::Literal;
use crate::input_type::InputError;
use crate::source::Span;
use crate::tape::Tape;
use compare::{Compare, Fuel};
use node::Node;

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    /// The root is the first.
    nodes: Vec<Node>,
}

impl Schema {
    /// Compiles a schema (JSON text).
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read(text: &str) -> Result<Self, SchemaError> {
        compile::compile(text).map(|nodes| Self { nodes })
    }

    /// Compares a value (JSON text) with the schema; gives every offending part, up to a limit. `tick` is called now and
    /// then, and may unwind.
    ///
    /// # Errors
    /// Where the value does not fit; or that it cannot be compared, being nested too deeply or costing too much.
    pub fn check(&self, value: &str, tick: &mut dyn FnMut()) -> Result<(), Vec<InputError>> {
        let Some(tape) = Tape::read(value) else {
            let message = "the value is no JSON".to_owned();
            return Err(vec![InputError {
                path: String::new(),
                message,
            }]);
        };
        let mut fuel = Fuel::new(value.len(), tick);
        let found = Compare::new(&self.nodes, &tape, &mut fuel).all();
        if found.is_empty() {
            return Ok(());
        }
        Err(found.into_iter().map(|one| one.error).collect())
    }

    /// Compares a value that is written in a program; gives what cannot fit whatever the run adds, and where it stands.
    #[must_use]
    pub fn compare(&self, literal: &Literal) -> Vec<(Span, InputError)> {
        let mut tick = || {};
        let mut fuel = Fuel::new(literal.tape().len(), &mut tick);
        let compare = Compare::new(&self.nodes, literal.tape(), &mut fuel);
        compare
            .all()
            .into_iter()
            .filter(|one| one.is_certain)
            .map(|one| (literal.span(one.at), one.error))
            .collect()
    }
}

#[cfg(test)]
mod tests;
