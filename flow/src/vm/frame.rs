//! Frames: what runs, and what it returns to.

use crate::value::{Ref, Value};

/// A running function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// What runs.
    pub(crate) kind: FrameKind,
    /// The next instruction, or the state of a stepped builtin.
    pub(crate) pc: u32,
    /// Where its slots or registers begin on the stack.
    pub(crate) base: u32,
    /// How high the stack is when it has returned.
    pub(crate) floor: u32,
}

/// What a frame runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FrameKind {
    /// A function of the program.
    Code {
        /// Its number.
        function: u32,
        /// The closure; none for the main function.
        closure: Option<Ref>,
        /// What an async function settles.
        task: Option<AsyncTask>,
    },
    /// A stepped builtin.
    Native {
        /// Its number in the registry.
        builtin: u16,
        /// How many arguments were given.
        count: u32,
    },
    /// Below a callback of `then`: settles the derived promise with what it returns or throws.
    Reaction(Ref),
    /// Below a callback of `finally`: passes the settlement on when what it returns is settled.
    Finally {
        /// The promise of `finally`.
        derived: Ref,
        /// What came in.
        value: Value,
        /// Whether that was an error.
        rejected: bool,
    },
}

/// The async side of a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AsyncTask {
    /// The promise of its result.
    pub(crate) promise: Ref,
    /// Where it is kept while it is suspended; none before its first suspension.
    pub(crate) coroutine: Option<Ref>,
}
