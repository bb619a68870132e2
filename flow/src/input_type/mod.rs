//! The declared type of `Inputs`: what a caller has to give, and what the checker knows of it.
//!
//! Declared at the head of a file in the JSDoc that editors know, in a subset of TypeScript's types:
//! `/** @param {{customer: string, note?: string}} Inputs */`. Types are structural, as in
//! TypeScript: keys that are not declared may be given, so that a caller can be ahead of a workflow.
//!
//! Knows nothing of the VM and its values: inputs are JSON text.

mod conform;
mod declare;
mod ignored;
mod schema;
mod types;

use std::fmt;

pub(crate) use ignored::ignored;

use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};

/// How deep types may be nested; what recurses over a type relies on it.
const MAX_DEPTH: usize = 40;

/// The declared type of `Inputs`.
#[derive(Clone, Debug, PartialEq)]
pub struct InputType {
    root: Type,
}

/// A type of JSON values.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// `any`, `unknown`: whatever there is.
    Any,
    /// `null`
    Null,
    /// `boolean`
    Boolean,
    /// `number`
    Number,
    /// `string`
    String,
    /// `true`, `false`
    True(bool),
    /// A number literal.
    Exactly(f64),
    /// A string literal.
    Text(String),
    /// `T[]`, `Array<T>`
    Array(Box<Self>),
    /// `{…}`, `Record<string, T>`
    Object {
        /// The declared properties.
        fields: Vec<Field>,
        /// The type of all others, where it is declared.
        others: Option<Box<Self>>,
    },
    /// `A | B`
    Union(Vec<Self>),
}

impl Type {
    /// How many levels of types are in it.
    fn height(&self) -> usize {
        let inner = match self {
            Self::Array(of) => of.height(),
            Self::Object { fields, others } => {
                let fields = fields.iter().map(|field| field.of.height());
                fields
                    .chain(others.iter().map(|of| of.height()))
                    .max()
                    .unwrap_or(0)
            }
            Self::Union(types) => types.iter().map(Self::height).max().unwrap_or(0),
            _ => return 0,
        };
        inner + 1
    }
}

/// A declared property.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Whether it may be left out.
    pub optional: bool,
    /// The type of its value.
    pub of: Type,
}

/// Where inputs do not conform to the declared type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputError {
    /// The path of the offending value, such as `items[2].qty`; empty for the inputs as a whole.
    pub path: String,
    /// What was expected and what was found.
    pub message: String,
}

impl InputType {
    /// The type itself.
    #[must_use]
    pub fn root(&self) -> &Type {
        &self.root
    }

    /// Compares inputs (JSON text) with the type; gives every offending value, up to a limit.
    pub fn check(&self, inputs: &str) -> Result<(), Vec<InputError>> {
        conform::check(&self.root, inputs)
    }

    /// The type as a JSON Schema, which `from_json` reads.
    #[must_use]
    pub fn to_json(&self) -> String {
        schema::write(&self.root)
    }

    /// Reads what `to_json` has written. `None` for anything else.
    #[must_use]
    pub fn from_json(text: &str) -> Option<Self> {
        schema::read(text).map(|root| Self { root })
    }
}

/// The type declared in the comments of `head`, which is the text in front of the first word.
pub(crate) fn declared(source: &Source, head: Span) -> (Option<InputType>, Vec<Diagnostic>) {
    let (root, diagnostics) = declare::declared(source, head);
    (root.map(|root| InputType { root }), diagnostics)
}

impl Type {
    /// The object that this is or can be: a union of an object with null or undefined is an optional object, and others are
    /// not followed.
    fn object(&self) -> Option<(&[Field], Option<&Self>)> {
        match self {
            Self::Object { fields, others } => Some((fields, others.as_deref())),
            Self::Union(types) => {
                let mut objects = types.iter().filter(|of| **of != Self::Null);
                match (objects.next(), objects.next()) {
                    (Some(only), None) => only.object(),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The declared fields of a type that is an object or can be one.
    pub(crate) fn fields(&self) -> &[Field] {
        self.object().map_or(&[], |(fields, _)| fields)
    }

    /// What the type knows of a field that was looked for among its `fields`.
    pub(crate) fn with_field<'t>(&'t self, found: Option<&'t Field>) -> Lookup<'t> {
        match (found, self.object()) {
            (Some(field), _) => Lookup::Found(&field.of),
            (None, Some((_, Some(of)))) => Lookup::Found(of),
            (None, Some((fields, None))) if !fields.is_empty() => Lookup::Missing(fields),
            _ => Lookup::Unknown,
        }
    }
}

/// What a type knows of a field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lookup<'t> {
    /// Its type.
    Found(&'t Type),
    /// There is none of this name among these.
    Missing(&'t [Field]),
    /// The type says nothing of fields.
    Unknown,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Null => f.write_str("null"),
            Self::Boolean => f.write_str("boolean"),
            Self::Number => f.write_str("number"),
            Self::String => f.write_str("string"),
            Self::True(value) => write!(f, "{value}"),
            Self::Exactly(value) => write!(f, "{value}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Array(of) if matches!(**of, Self::Union(_)) => write!(f, "({of})[]"),
            Self::Array(of) => write!(f, "{of}[]"),
            Self::Object {
                fields,
                others: None,
            } if fields.is_empty() => f.write_str("object"),
            Self::Object {
                fields,
                others: Some(of),
            } if fields.is_empty() => {
                write!(f, "Record<string, {of}>")
            }
            Self::Object { fields, .. } => {
                let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
                write!(f, "{{{}}}", names.join(", "))
            }
            Self::Union(types) => {
                for (index, of) in types.iter().enumerate() {
                    write!(f, "{}{of}", if index > 0 { " | " } else { "" })?;
                }
                Ok(())
            }
        }
    }
}
