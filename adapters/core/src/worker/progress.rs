//! How far an attempt has got: what its handler said last, until the server has it. Shared by handler and loop; knows neither.

use std::sync::{Mutex, PoisonError};

use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result};

/// The progress of one attempt.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<Last>);

#[derive(Debug, Default)]
struct Last {
    json: Option<String>,
    /// Not sent yet.
    is_new: bool,
    /// Sent, and not acknowledged.
    is_sent: bool,
}

impl Progress {
    /// Begins where the attempt before has stopped.
    pub(super) fn new(before: Option<String>) -> Self {
        Self(Mutex::new(Last {
            json: before,
            ..Last::default()
        }))
    }

    fn with<T>(&self, look: impl FnOnce(&mut Last) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn get(&self) -> Option<String> {
        self.with(|last| last.json.clone())
    }

    /// Returns whether the loop has to be told: it has not been since the last save.
    pub(super) fn set(&self, json: String) -> bool {
        self.with(|last| {
            last.json = Some(json);
            !std::mem::replace(&mut last.is_new, true)
        })
    }

    /// Takes what is to be sent; it counts as sent.
    pub(super) fn take_new(&self) -> Option<String> {
        self.with(|last| {
            if !std::mem::take(&mut last.is_new) {
                return None;
            }
            last.is_sent = true;
            last.json.clone()
        })
    }

    /// What was sent is stored, or is of no use.
    pub(super) fn acknowledge(&self) {
        self.with(|last| last.is_sent = false);
    }

    /// Whether what was sent is stored is not known. It is sent again, or what is newer.
    pub(super) fn put_back(&self) {
        self.with(|last| last.is_new |= std::mem::take(&mut last.is_sent));
    }

    /// Whether the server has all.
    pub(super) fn is_saved(&self) -> bool {
        self.with(|last| !last.is_new && !last.is_sent)
    }
}

/// Refuses what the server would refuse together with the heartbeats of all others.
pub(super) fn check(json: &str) -> Result<()> {
    let wrong = |what: String| Err(Error::new(ErrorKind::Input, what));
    if let Err(error) = serde_json::from_str::<&RawValue>(json) {
        return wrong(format!("progress is not JSON: {error}"));
    }
    let mut letters = json.chars();
    while let Some(letter) = letters.next() {
        if letter == '\\' && letters.next() == Some('u') && letters.as_str().starts_with("0000") {
            return wrong("progress has U+0000, which jsonb cannot hold".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_in_vain_is_sent_again_unless_there_is_something_newer() {
        let progress = Progress::new(Some("1".into()));
        assert!(progress.is_saved());
        assert!(progress.set("2".into()));
        assert!(!progress.set("3".into()), "the loop knows");
        assert_eq!(progress.take_new().as_deref(), Some("3"));
        assert_eq!(progress.take_new(), None);
        assert!(!progress.is_saved());
        progress.put_back();
        assert_eq!(progress.take_new().as_deref(), Some("3"));
        assert!(progress.set("4".into()));
        progress.acknowledge();
        assert!(!progress.is_saved());
        assert_eq!(progress.take_new().as_deref(), Some("4"));
        progress.acknowledge();
        assert!(progress.is_saved());
        assert_eq!(progress.get().as_deref(), Some("4"));
    }

    #[test]
    fn what_jsonb_cannot_hold_is_refused() {
        assert!(check(r#"{"page": 7, "path": "C:\\u0000"}"#).is_ok());
        assert!(check(r#"{"a": "\\\u0000"}"#).is_err());
        assert!(check("{page: 7}").is_err());
    }
}
