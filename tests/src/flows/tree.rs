//! A small language of workflows. Knows neither Flow nor a server.

use proptest::prelude::*;

/// How parts that run at once come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// `Promise.all`.
    All,
    /// `Promise.allSettled`.
    Settled,
    /// `Promise.race`.
    Race,
    /// `Promise.any`.
    Any,
    /// `Promise.race`, after which all are cancelled.
    First,
}

/// A node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// `sleep(0)`.
    Step,
    /// A longer sleep.
    Timer(u16),
    /// A task; with `tries` by `Task.try`, with `shared` under a task_id that others have too.
    Task {
        /// By `try`.
        tries: bool,
        /// The number of the task_id.
        shared: Option<u8>,
    },
    /// A child workflow.
    Child {
        /// Which program; always a later one than its own.
        program: usize,
        /// By `try`.
        tries: bool,
    },
    /// `Signal.next`, for some minutes or for ever.
    Signal(u8, Option<u16>),
    /// Writes a row.
    Sql,
    /// Writes a row, and then fails in the same statement.
    BadSql,
    /// Throws until somebody has mended it.
    Flaky,
    /// Throws.
    Throw,
    /// Leaves whose promises are awaited together, without a function around each.
    Fan(How),
    /// One after another.
    Seq,
    /// Functions that run at once.
    Together(How),
    /// The second if the first throws.
    Catch,
    /// The second after the first, whatever becomes of that.
    Finally,
}

/// A node, its number within the program, and what is below it.
#[derive(Clone, PartialEq, Eq)]
pub struct Tree {
    /// From 1, each before those below it.
    pub label: u32,
    /// What it is.
    pub what: What,
    /// Its parts.
    pub below: Vec<Self>,
}

/// As one writes it: what is below in brackets.
impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{:?}", self.label, self.what)?;
        if self.below.is_empty() {
            return Ok(());
        }
        f.debug_list().entries(&self.below).finish()
    }
}

impl Tree {
    fn leaf(what: What) -> Self {
        Self::of(what, Vec::new())
    }

    fn of(what: What, below: Vec<Self>) -> Self {
        Self {
            label: 0,
            what,
            below,
        }
    }

    /// Numbers the nodes, and lets children be of later programs only.
    pub fn number(&mut self, next: &mut u32, later: std::ops::Range<usize>) {
        *next += 1;
        self.label = *next;
        if let What::Child { program, tries } = self.what {
            self.what = if later.is_empty() {
                What::Task {
                    tries,
                    shared: None,
                }
            } else {
                What::Child {
                    program: later.start + program % later.len(),
                    tries,
                }
            };
        }
        for part in &mut self.below {
            part.number(next, later.clone());
        }
    }

    /// This node and all below it.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        visit(self);
        for part in &self.below {
            part.walk(visit);
        }
    }

    /// The nodes whose errors may end the program.
    pub fn escaping<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        visit(self);
        let parts = match self.what {
            What::Catch => &self.below[1..],
            What::Together(How::Settled | How::Any) | What::Fan(How::Settled | How::Any) => &[],
            _ => &self.below[..],
        };
        for part in parts {
            part.escaping(visit);
        }
    }
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        4 => Just(How::All),
        2 => Just(How::Settled),
        2 => Just(How::Race),
        1 => Just(How::Any),
    ]
}

fn minutes() -> impl Strategy<Value = u16> {
    prop_oneof![Just(3_u16), Just(30), Just(300)]
}

fn task() -> impl Strategy<Value = Tree> {
    let shared = prop_oneof![6 => Just(None), 1 => (0..2_u8).prop_map(Some)];
    (any::<bool>(), shared).prop_map(|(tries, shared)| Tree::leaf(What::Task { tries, shared }))
}

/// What may stand among the promises of a `Promise.all`.
fn member() -> impl Strategy<Value = Tree> {
    let plain = |what: What| Tree::leaf(what);
    prop_oneof![
        6 => Just(What::Task { tries: false, shared: None }).prop_map(plain),
        1 => (0..2_u8).prop_map(move |k| plain(What::Task { tries: false, shared: Some(k) })),
        2 => (0..3_usize).prop_map(move |program| plain(What::Child { program, tries: false })),
        1 => minutes().prop_map(move |m| plain(What::Timer(m))),
        1 => (0..2_u8, proptest::option::of(minutes())).prop_map(move |(name, m)| plain(What::Signal(name, m))),
    ]
}

fn leaf() -> impl Strategy<Value = Tree> {
    let fan = (
        prop_oneof![4 => how(), 1 => Just(How::First)],
        prop::collection::vec(member(), 1..6),
    );
    prop_oneof![
        8 => task(),
        3 => Just(Tree::leaf(What::Step)),
        3 => minutes().prop_map(|m| Tree::leaf(What::Timer(m))),
        4 => (0..3_usize, any::<bool>()).prop_map(|(program, tries)| Tree::leaf(What::Child { program, tries })),
        4 => (0..2_u8, proptest::option::of(minutes())).prop_map(|(name, m)| Tree::leaf(What::Signal(name, m))),
        6 => Just(Tree::leaf(What::Sql)),
        1 => Just(Tree::leaf(What::BadSql)),
        3 => Just(Tree::leaf(What::Flaky)),
        1 => Just(Tree::leaf(What::Throw)),
        4 => fan.prop_map(|(how, below)| Tree::of(What::Fan(how), below)),
    ]
}

/// A program, not yet numbered.
pub fn program() -> impl Strategy<Value = Tree> {
    let tree = leaf().prop_recursive(4, 16, 4, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 1..5).prop_map(|below| Tree::of(What::Seq, below)),
            3 => (how(), prop::collection::vec(inner, 1..4)).prop_map(|(how, below)| Tree::of(What::Together(how), below)),
            2 => two.clone().prop_map(|(a, b)| Tree::of(What::Catch, vec![a, b])),
            2 => two.prop_map(|(a, b)| Tree::of(What::Finally, vec![a, b])),
        ]
    });
    // A program that is one leaf says little.
    prop::collection::vec(tree, 1..4).prop_map(|below| Tree::of(What::Seq, below))
}
