//! Dead bodies whose buffers are used again. A program that makes many small objects would otherwise spend most
//! of its time in the allocator. They are not freed by a collection but emptied, and wait here for their kind.

use super::heap::Body;
use super::promise::PromiseState;

/// As many of each kind are kept at least, and not more than there are live bodies if these are more.
const FEW: usize = 8192;

/// Buffers for more elements than this are given back.
const SMALL: usize = 8;

/// The slots of dead bodies, by their kind.
#[derive(Debug, Default)]
pub(super) struct Spare {
    pub(super) objects: Vec<u32>,
    pub(super) arrays: Vec<u32>,
    pub(super) promises: Vec<u32>,
    pub(super) coroutines: Vec<u32>,
    most: usize,
}

impl Spare {
    /// Begins anew: each dead body will be offered again.
    pub(super) fn restart(&mut self, live: usize) {
        self.objects.clear();
        self.arrays.clear();
        self.promises.clear();
        self.coroutines.clear();
        self.most = live.max(FEW);
    }

    /// Empties and keeps a dead body if its buffers are worth it.
    pub(super) fn keep(&mut self, at: u32, body: &mut Body) -> bool {
        let list = match body {
            Body::Object(props) if props.is_small(SMALL) => {
                props.clear();
                &mut self.objects
            }
            Body::Array(array) if array.items.capacity() <= SMALL => {
                array.items.clear();
                array.names = None;
                &mut self.arrays
            }
            Body::Promise(promise) if promise.reactions.capacity() <= SMALL => {
                promise.reactions.clear();
                promise.state = PromiseState::Pending;
                (promise.handled, promise.locked, promise.host) = (false, false, None);
                &mut self.promises
            }
            Body::Coroutine(coroutine) if coroutine.slots.capacity() <= SMALL * 2 => {
                coroutine.slots.clear();
                coroutine.closure = None;
                &mut self.coroutines
            }
            _ => return false,
        };
        if list.len() >= self.most {
            return false;
        }
        list.push(at);
        true
    }
}
