//! Run-time failures: what the program may catch, what it may not, and what the host is told at the end.
//!
//! `Throw` travels through the VM; `ExecutionError` is what leaves it. `Fault` is never the user's doing.

use std::fmt;

use crate::host::Interrupt;
use crate::value::Value;

/// The classes of error that Flow has. The numbers are part of saves: only ever append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum ErrorClass {
    Error = 0,
    TypeError = 1,
    RangeError = 2,
    SyntaxError = 3,
    ReferenceError = 4,
    EvalError = 5,
    UriError = 6,
    AggregateError = 7,
    TaskError = 8,
    SqlError = 9,
    TimeoutError = 10,
    CancelledError = 11,
    LimitError = 12,
    InvalidCharacterError = 13,
    DataCloneError = 14,
}

impl ErrorClass {
    /// All classes, in the order of their numbers.
    pub const ALL: [Self; 15] = [
        Self::Error,
        Self::TypeError,
        Self::RangeError,
        Self::SyntaxError,
        Self::ReferenceError,
        Self::EvalError,
        Self::UriError,
        Self::AggregateError,
        Self::TaskError,
        Self::SqlError,
        Self::TimeoutError,
        Self::CancelledError,
        Self::LimitError,
        Self::InvalidCharacterError,
        Self::DataCloneError,
    ];

    /// The name that programs see.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "Error",
            Self::TypeError => "TypeError",
            Self::RangeError => "RangeError",
            Self::SyntaxError => "SyntaxError",
            Self::ReferenceError => "ReferenceError",
            Self::EvalError => "EvalError",
            Self::UriError => "URIError",
            Self::AggregateError => "AggregateError",
            Self::TaskError => "TaskError",
            Self::SqlError => "SqlError",
            Self::TimeoutError => "TimeoutError",
            Self::CancelledError => "CancelledError",
            Self::LimitError => "LimitError",
            Self::InvalidCharacterError => "InvalidCharacterError",
            Self::DataCloneError => "DataCloneError",
        }
    }

    /// The number that a `DOMException` of JavaScript has as its `code`.
    #[must_use]
    pub fn legacy_code(self) -> Option<usize> {
        match self {
            Self::InvalidCharacterError => Some(5),
            Self::DataCloneError => Some(25),
            _ => None,
        }
    }

    /// The class of a name, if there is one.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// The class of a number in a save.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// Why an operation did not give a value.
#[derive(Clone, Debug)]
pub enum Throw {
    /// A value thrown by the program.
    Value(Value),
    /// An error that becomes a value, with a stack, when the VM unwinds.
    Error(Box<Raised>),
    /// The end of the step; no catch and no finally sees it.
    Fatal(Box<Fatal>),
}

/// An error that has no value yet.
#[derive(Clone, Debug)]
pub struct Raised {
    /// Its class.
    pub class: ErrorClass,
    /// Its words.
    pub message: String,
}

/// What ends a step at once.
#[derive(Clone, Debug)]
pub enum Fatal {
    /// A limit was reached, or the host wants the VM to stop.
    Interrupt(Interrupt),
    /// The program or the save is damaged.
    Fault(Fault),
}

impl Throw {
    /// An error of some class.
    #[must_use]
    pub fn error(class: ErrorClass, message: impl Into<String>) -> Self {
        Self::Error(Box::new(Raised {
            class,
            message: message.into(),
        }))
    }

    /// A `TypeError`.
    #[must_use]
    pub fn type_error(message: impl Into<String>) -> Self {
        Self::error(ErrorClass::TypeError, message)
    }

    /// A `RangeError`.
    #[must_use]
    pub fn range_error(message: impl Into<String>) -> Self {
        Self::error(ErrorClass::RangeError, message)
    }

    /// A `SyntaxError`.
    #[must_use]
    pub fn syntax_error(message: impl Into<String>) -> Self {
        Self::error(ErrorClass::SyntaxError, message)
    }

    /// A limit, named after its setting.
    #[must_use]
    pub fn limit(setting: &'static str, message: impl Into<String>) -> Self {
        Self::interrupt(Interrupt::Limit {
            setting,
            message: message.into(),
        })
    }

    /// What the host wants.
    #[must_use]
    pub fn interrupt(interrupt: Interrupt) -> Self {
        Self::Fatal(Box::new(Fatal::Interrupt(interrupt)))
    }

    /// A damaged program or save.
    #[must_use]
    pub fn fault(what: &'static str) -> Self {
        Self::Fatal(Box::new(Fatal::Fault(Fault::Damaged(what))))
    }
}

impl From<Fault> for Throw {
    fn from(fault: Fault) -> Self {
        Self::Fatal(Box::new(Fatal::Fault(fault)))
    }
}

/// Something is wrong with stored data or with the VM itself. Never caused by what a user writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The data does not begin as it should.
    NotOurs(&'static str),
    /// The data was written by a newer library.
    TooNew {
        /// What it is: `program` or `save`.
        what: &'static str,
        /// The version that was found.
        version: u32,
    },
    /// A number in the data points nowhere, or the data ends early.
    Damaged(&'static str),
    /// The program names a builtin that this library does not have.
    UnknownBuiltin(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs(what) => write!(f, "these bytes are no {what} of Flow"),
            Self::TooNew { what, version } => {
                write!(
                    f,
                    "the {what} has format version {version}, which this library cannot read"
                )
            }
            Self::Damaged(what) => write!(f, "damaged data: {what}"),
            Self::UnknownBuiltin(name) => {
                write!(
                    f,
                    "the program uses {name}, which this library does not have"
                )
            }
        }
    }
}

impl std::error::Error for Fault {}
