//! The property test of workflows: random programs, random schedules of what happens to them, and what must hold afterwards.
//!
//! - `tree`: a small language of workflows
//! - `source`: its programs as Flow
//! - `case`: what is done to the runs, drawn and shrunk by proptest
//! - `play`: does it on a server, and notes what was asked and answered
//! - `turn`: one operation in SQL, and what its answer says
//! - `facts`: what the server tells in the end
//! - `read`: what a program must have come to, by what it says of itself
//! - `judge`: compares the three
//!
//! A program keeps a log in one of its variables and publishes it in each step. So the log is a third witness beside the rows that its
//! SQL has written and the tasks that it has started: all three are of the same steps, or a step was not all or nothing. What the model
//! cannot know (who was first in a race between sessions) it takes from the log, and only that.

pub mod case;
pub mod facts;
pub mod judge;
pub mod play;
pub mod read;
pub mod source;
pub mod tree;
pub mod turn;
