//! One case: programs, runs of the first of them, and what is done to these. Plain data that proptest draws from a seed and shrinks:
//! whom an operation meets is a number, which picks among those that are there when its time comes.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::tree::{Tree, program};

/// An operation.
#[derive(Clone, Copy, Debug)]
pub enum Move {
    /// Tasks, under a lease that the clock may pass, or one that it will not.
    Claim {
        /// How many.
        most: u8,
        /// Whether the lease is short.
        is_short: bool,
    },
    /// Some that were claimed end in one call, which claims as many.
    Finish {
        /// How many.
        most: u8,
        /// Which.
        pick: u16,
        /// How each.
        ends: u32,
    },
    /// One that was claimed ends.
    End {
        /// Which.
        pick: u16,
        /// How.
        end: u8,
    },
    /// To a run, which may not wait for it yet, or no more.
    Signal {
        /// Which.
        run: u16,
        /// The number of the signal's name.
        name: u8,
    },
    /// Of a run.
    Cancel {
        /// Which.
        run: u16,
        /// Whether it has a grace.
        grace: bool,
    },
    /// Of a run.
    Terminate {
        /// Which.
        run: u16,
    },
    /// Of a task.
    CancelTask {
        /// Which.
        task: u16,
    },
    /// Of a run that has failed.
    Retry {
        /// Which.
        run: u16,
        /// Whether flaky nodes pass from now on.
        mend: bool,
    },
    /// Of a task that has failed.
    RetryTask {
        /// Which.
        task: u16,
    },
    /// The clock is moved.
    Clock {
        /// By so many minutes.
        minutes: u16,
    },
    /// `tick()`.
    Tick,
}

/// How it is done.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    /// In a transaction of its own.
    Plain,
    /// In one that is rolled back.
    RolledBack,
    /// The backend is terminated so many microseconds later.
    Killed(u16),
}

/// A part of a round.
#[derive(Clone, Copy)]
pub struct Turn {
    /// What is done.
    pub what: Move,
    /// And how.
    pub how: Manner,
}

/// On one line, also where all else has many.
impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?}", self.what, self.how)
    }
}

/// A case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Each may start those behind it.
    pub programs: Vec<Tree>,
    /// Runs of the first one: with how many minutes for the whole, or as long as they like.
    pub runs: Vec<Option<u16>>,
    /// What is done at once, round by round.
    pub rounds: Vec<Vec<Turn>>,
    /// Whether all that has failed is mended and retried in the end.
    pub mends: bool,
}

fn turn() -> impl Strategy<Value = Turn> {
    let minutes = prop_oneof![Just(1_u16), Just(10), Just(100)];
    let what = prop_oneof![
        10 => (1..6_u8, any::<bool>()).prop_map(|(most, is_short)| Move::Claim { most, is_short }),
        10 => (1..5_u8, any::<u16>(), any::<u32>()).prop_map(|(most, pick, ends)| Move::Finish { most, pick, ends }),
        6 => (any::<u16>(), any::<u8>()).prop_map(|(pick, end)| Move::End { pick, end }),
        8 => (any::<u16>(), 0..2_u8).prop_map(|(run, name)| Move::Signal { run, name }),
        2 => (any::<u16>(), any::<bool>()).prop_map(|(run, grace)| Move::Cancel { run, grace }),
        1 => any::<u16>().prop_map(|run| Move::Terminate { run }),
        1 => any::<u16>().prop_map(|task| Move::CancelTask { task }),
        2 => (any::<u16>(), any::<bool>()).prop_map(|(run, mend)| Move::Retry { run, mend }),
        1 => any::<u16>().prop_map(|task| Move::RetryTask { task }),
        5 => minutes.prop_map(|minutes| Move::Clock { minutes }),
        3 => Just(Move::Tick),
    ];
    let how = prop_oneof![
        14 => Just(Manner::Plain),
        2 => Just(Manner::RolledBack),
        1 => (0..4000_u16).prop_map(Manner::Killed),
    ];
    (what, how).prop_map(|(what, how)| Turn { what, how })
}

fn case() -> impl Strategy<Value = Case> {
    let timeout = prop_oneof![7 => Just(None), 1 => Just(Some(200_u16))];
    (
        prop::collection::vec(program(), 1..4),
        prop::collection::vec(timeout, 1..4),
        prop::collection::vec(prop::collection::vec(turn(), 1..4), 1..24),
        any::<bool>(),
    )
        .prop_map(|(mut programs, runs, rounds, mends)| {
            let count = programs.len();
            for (i, program) in programs.iter_mut().enumerate() {
                program.number(&mut 0, i + 1..count);
            }
            Case {
                programs,
                runs,
                rounds,
                mends,
            }
        })
}

/// The case of a seed, made smaller step by step: each goes on from the last one that has failed. Nothing, if there is no smaller one.
#[must_use]
pub fn draw(seed: u64, failed: &[bool]) -> Option<Case> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut tree = case().new_tree(&mut runner).ok()?;
    for fails in failed {
        let is_there = if *fails {
            tree.simplify()
        } else {
            tree.complicate()
        };
        if !is_there {
            return None;
        }
    }
    Some(tree.current())
}
