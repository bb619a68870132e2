//! The values of Flow and the heap that they live in.
//!
//! A `Value` is small and copied freely; whatever has a size lives in the `Heap` and is named by a
//! `Ref`. Nothing in this folder knows frames, bytecode or the host.

pub mod coerce;
pub mod date;
pub mod equality;
pub mod error;
pub(crate) mod hashed;
pub mod heap;
pub mod inherited;
pub mod json;
pub mod number;
pub mod object;
pub mod promise;
pub mod regex;
mod spare;
pub mod string;
pub mod table;

pub use heap::{Body, Heap};

/// A handle of something in the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ref(pub(crate) u32);

/// A value of the language, or one of the two markers that programs never see.
#[derive(Clone, Copy, Debug, Default)]
pub enum Value {
    /// `undefined`
    #[default]
    Undefined,
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// An IEEE double.
    Number(f64),
    /// A string in the heap.
    String(Ref),
    /// Anything else in the heap: object, array, function, promise, error, date, map, set …
    Object(Ref),
    /// A captured variable; only in slots of frames.
    Variable(Ref),
    /// A hole of an array, or a variable before its declaration; never on the operand stack.
    Empty,
}

impl Value {
    /// Whether it is `null` or `undefined`.
    #[must_use]
    pub fn is_nullish(self) -> bool {
        matches!(self, Self::Undefined | Self::Null)
    }

    /// Whether it is `undefined`.
    #[must_use]
    pub fn is_undefined(self) -> bool {
        matches!(self, Self::Undefined)
    }

    /// Whether it is a hole.
    #[must_use]
    pub fn is_empty(self) -> bool {
        matches!(self, Self::Empty)
    }

    /// A hole read as a value: `undefined`.
    #[must_use]
    pub fn or_undefined(self) -> Self {
        if self.is_empty() {
            Self::Undefined
        } else {
            self
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Number(value as f64)
    }
}
