//! What a match can begin with, so that the search leaves out where none can.

use super::set::Set;
use super::tree::Node;

/// A superset of the units with which a match begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct First {
    low: [u64; 4],
    /// Whether it may begin with a unit from 256 on.
    high: bool,
}

impl First {
    /// Of a pattern; none if a match may begin with anything.
    pub(super) fn of(root: &Node) -> Option<Self> {
        let mut first = Self {
            low: [0; 4],
            high: false,
        };
        first.add(root).then_some(first)
    }

    #[inline]
    pub(super) fn has(&self, unit: u16) -> bool {
        match self.low.get(usize::from(unit) / 64) {
            Some(bits) => bits >> (unit % 64) & 1 != 0,
            None => self.high,
        }
    }

    /// Adds what a node may begin with; false if it may be empty.
    fn add(&mut self, node: &Node) -> bool {
        match node {
            Node::Char(point) => {
                match self.low.get_mut(*point as usize / 64) {
                    Some(bits) => *bits |= 1 << (point % 64),
                    None => self.high = true,
                }
                true
            }
            Node::Set(ranges) => {
                let (low, high) = Set::new(ranges).low();
                for (all, bits) in self.low.iter_mut().zip(low) {
                    *all |= bits;
                }
                self.high |= high;
                true
            }
            Node::Sequence(parts) => parts.iter().any(|part| self.add(part)),
            // All of them have to be asked.
            Node::Either(parts) => parts.iter().filter(|part| !self.add(part)).count() == 0,
            Node::Group(_, body) => self.add(body),
            Node::Repeat { body, min, .. } => self.add(body) && *min > 0,
            // A group may have matched anything.
            Node::Back(_) => {
                self.low = [u64::MAX; 4];
                self.high = true;
                false
            }
            // What stands at a position without using it up says nothing about what follows.
            Node::Empty | Node::Look { .. } | Node::Start | Node::End | Node::Boundary { .. } => {
                false
            }
        }
    }
}
