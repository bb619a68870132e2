//! The declared type of `Inputs`.
use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};

/// The declared type of `Inputs`.
#[derive(Clone, Debug, PartialEq)]
pub struct InputType;

/// The type declared in the comments of `head`.
pub(crate) fn declared(_source: &Source, _head: Span) -> (Option<InputType>, Vec<Diagnostic>) {
    (None, Vec::new())
}
