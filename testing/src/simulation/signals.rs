//! Signals and requests of a run: what has come and nobody has asked for, who waits, what was answered.

use std::collections::{BTreeMap, HashSet, VecDeque};

use rhythm_flow::host::{PromiseId, SignalWait};

use super::stored;

/// A signal that comes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sent {
    name: String,
    /// JSON text.
    payload: String,
    key: Option<String>,
    /// Its number, if it wants an answer.
    request: Option<usize>,
}

impl Sent {
    pub(super) fn signal(name: String, payload: &str, key: Option<String>) -> Self {
        Self {
            name,
            payload: stored(payload),
            key,
            request: None,
        }
    }

    /// What whoever waited for it gets, as JSON text.
    fn value(&self, wait: &SignalWait) -> String {
        if !wait.is_request {
            return self.payload.clone();
        }
        let id = self
            .request
            .map_or("null".to_owned(), |number| format!("\"{number}\""));
        format!("{{\"id\":{id},\"payload\":{}}}", self.payload)
    }
}

#[derive(Debug, Default)]
pub(super) struct Signals {
    /// Those that nobody has asked for yet.
    kept: VecDeque<Sent>,
    /// Keys that have come, with the names: none comes twice.
    keys: HashSet<(String, String)>,
    waits: VecDeque<(PromiseId, SignalWait)>,
    requests: usize,
    /// The answers, by the numbers of their requests.
    replies: BTreeMap<usize, String>,
}

impl Signals {
    /// A request that will come.
    pub(super) fn request(&mut self, name: String, payload: &str) -> Sent {
        self.requests += 1;
        Sent {
            request: Some(self.requests - 1),
            ..Sent::signal(name, payload, None)
        }
    }

    pub(super) fn come(&mut self, sent: Sent) {
        let key = sent.key.clone().map(|key| (sent.name.clone(), key));
        if key.is_none_or(|key| self.keys.insert(key)) {
            self.kept.push_back(sent);
        }
    }

    pub(super) fn wait(&mut self, promise: PromiseId, wait: SignalWait) {
        self.waits.push_back((promise, wait));
    }

    pub(super) fn is_awaited_by(&self, promise: PromiseId) -> bool {
        self.waits.iter().any(|(wait, _)| *wait == promise)
    }

    /// Ends a wait; gives what was waited for.
    pub(super) fn give_up(&mut self, promise: PromiseId) -> Option<SignalWait> {
        let at = self.waits.iter().position(|(wait, _)| *wait == promise)?;
        self.waits.remove(at).map(|(_, wait)| wait)
    }

    pub(super) fn reply(&mut self, request: &str, value: &str) {
        if let Ok(number) = request.parse() {
            self.replies.entry(number).or_insert_with(|| stored(value));
        }
    }

    /// The answers to all requests, in their order.
    pub(super) fn replies(&self) -> Vec<Option<&str>> {
        (0..self.requests)
            .map(|number| self.replies.get(&number).map(String::as_str))
            .collect()
    }

    /// Gives what is kept to those who wait for it, in the order in which it came: promises and their values.
    pub(super) fn matches(&mut self) -> Vec<(PromiseId, String)> {
        let mut matched = Vec::new();
        let mut kept = VecDeque::new();
        for sent in std::mem::take(&mut self.kept) {
            // Who asks for this very signal comes before who takes any.
            let named = |wait: &SignalWait| wait.name == sent.name;
            let mut waits = self.waits.iter();
            let at = waits
                .position(|(_, wait)| named(wait) && wait.key.is_some() && wait.key == sent.key)
                .or_else(|| {
                    let mut waits = self.waits.iter();
                    waits.position(|(_, wait)| named(wait) && wait.key.is_none())
                });
            match at.and_then(|at| self.waits.remove(at)) {
                Some((promise, wait)) => matched.push((promise, sent.value(&wait))),
                None => kept.push_back(sent),
            }
        }
        self.kept = kept;
        matched
    }
}
