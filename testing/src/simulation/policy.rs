//! The options of a started task as numbers: when it begins, how it is retried, when it is too late.

use rhythm_flow::builtins::duration;
use rhythm_flow::host::Kind;
use rhythm_flow::value::date;
use serde_json::Value;

/// What the server does when the options do not say.
const MAX_ATTEMPTS: u32 = 5;
const INITIAL_MS: f64 = 1_000.0;
const BACKOFF: Backoff = Backoff::Factor(2.0);
const MAX_MS: f64 = 300_000.0;

/// How pauses grow.
#[derive(Clone, Copy, Debug)]
enum Backoff {
    Factor(f64),
    Linear,
}

/// What the end of the parent does to a child workflow, whatever that end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ParentClose {
    Cancel,
    Abandon,
}

/// The options of one task. Flow has checked them; what is not as it should be counts as not given.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) max_attempts: u32,
    initial_ms: f64,
    backoff: Backoff,
    max_ms: f64,
    /// The pauses one by one; the last one is for all that follow.
    delays_ms: Vec<f64>,
    /// Names and codes of errors after which no attempt follows.
    non_retryable: Vec<String>,
    /// Not before this.
    pub(super) begins_ms: f64,
    /// From the beginning to the end of the last attempt.
    pub(super) timeout_ms: Option<f64>,
    /// From the beginning to the end of each attempt.
    pub(super) attempt_ms: Option<f64>,
    /// How long a handler may be silent.
    pub(super) heartbeat_ms: Option<f64>,
    /// The idempotency key.
    pub(super) task_id: Option<String>,
    /// None: it is cancelled where its parent was.
    pub(super) parent_close: Option<ParentClose>,
}

impl Policy {
    /// Reads the options of what is started at `now_ms`. A workflow has one attempt, unless they say otherwise.
    pub(super) fn of(kind: Kind, options: &str, now_ms: f64) -> Self {
        let policy = Self::read(options, now_ms);
        let says_retry =
            serde_json::from_str(options).is_ok_and(|options: Value| options["retry"].is_object());
        match kind {
            Kind::Workflow if !says_retry => Self {
                max_attempts: 1,
                ..policy
            },
            _ => policy,
        }
    }

    fn read(options: &str, now_ms: f64) -> Self {
        let options: Value = serde_json::from_str(options).unwrap_or_default();
        let retry = &options["retry"];
        let begins_ms = moment(&options["runAt"])
            .or_else(|| milliseconds(&options["delay"]).map(|delay| now_ms + delay))
            .unwrap_or(now_ms);
        let list = |key: &str| retry[key].as_array().map_or(&[][..], Vec::as_slice);
        let delays_ms: Vec<f64> = list("delays").iter().filter_map(milliseconds).collect();
        let usual_attempts = match delays_ms.len() {
            0 => MAX_ATTEMPTS,
            delays => delays as u32 + 1,
        };
        Self {
            max_attempts: retry["maxAttempts"]
                .as_f64()
                .map_or(usual_attempts, |most| most as u32),
            initial_ms: milliseconds(&retry["initial"]).unwrap_or(INITIAL_MS),
            backoff: match &retry["backoff"] {
                Value::String(word) if word == "linear" => Backoff::Linear,
                Value::String(word) if word == "constant" => Backoff::Factor(1.0),
                given => given.as_f64().map_or(BACKOFF, Backoff::Factor),
            },
            max_ms: milliseconds(&retry["max"]).unwrap_or(MAX_MS),
            delays_ms,
            non_retryable: list("nonRetryable")
                .iter()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
            begins_ms: begins_ms.max(now_ms),
            timeout_ms: milliseconds(&options["timeout"]),
            attempt_ms: milliseconds(&options["attemptTimeout"]),
            heartbeat_ms: milliseconds(&options["heartbeatTimeout"]),
            task_id: options["taskId"].as_str().map(str::to_owned),
            parent_close: match options["onParentClose"].as_str() {
                Some("cancel") => Some(ParentClose::Cancel),
                Some("abandon") => Some(ParentClose::Abandon),
                _ => None,
            },
        }
    }

    /// The policy with the defaults of a worker for what the options leave open.
    pub(super) fn with_defaults(options: &str, defaults: &str, now_ms: f64) -> Self {
        let mut merged: Value = serde_json::from_str(defaults).unwrap_or_default();
        let own: Value = serde_json::from_str(options).unwrap_or_default();
        if let (Some(merged), Some(own)) = (merged.as_object_mut(), own.as_object()) {
            for (key, value) in own {
                merged.insert(key.clone(), value.clone());
            }
            return Self::read(&Value::Object(std::mem::take(merged)).to_string(), now_ms);
        }
        Self::read(options, now_ms)
    }

    /// How long the server waits after this attempt. It shortens that by up to a tenth (`jitter`) to
    /// spread load; here it does not, so that tests can name the moment.
    pub(super) fn pause_ms(&self, attempt: u32) -> f64 {
        let before = attempt.saturating_sub(1);
        if let Some(last) = self.delays_ms.last() {
            return *self.delays_ms.get(before as usize).unwrap_or(last);
        }
        let grown = match self.backoff {
            Backoff::Factor(factor) => self.initial_ms * factor.powi(before.min(60) as i32),
            Backoff::Linear => self.initial_ms * f64::from(attempt),
        };
        grown.min(self.max_ms)
    }

    /// Whether no attempt follows such an error.
    pub(super) fn is_final(&self, name: &str, code: Option<&str>) -> bool {
        self.non_retryable
            .iter()
            .any(|known| known == name || Some(known.as_str()) == code)
    }

    /// Whether an error in a chain of causes, given as JSON text, is such a one.
    pub(super) fn names_cause(&self, cause: Option<&str>) -> bool {
        let mut cause: Value = cause
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        while cause.is_object() {
            let name = cause["name"].as_str().unwrap_or_default();
            if self.is_final(name, cause["code"].as_str()) {
                return true;
            }
            cause = cause["cause"].take();
        }
        false
    }
}

fn milliseconds(value: &Value) -> Option<f64> {
    match value {
        Value::Number(seconds) => seconds.as_f64().map(|seconds| seconds * 1000.0),
        Value::String(text) => duration::parse(text),
        _ => None,
    }
}

fn moment(value: &Value) -> Option<f64> {
    match value {
        Value::Number(ms) => ms.as_f64(),
        Value::String(text) => date::parse(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Policy;

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let policy = Policy::read(r#"{"retry": {"initial": "1s", "max": "5s"}}"#, 0.0);
        let pauses: Vec<f64> = (1..=5).map(|attempt| policy.pause_ms(attempt)).collect();
        assert_eq!(pauses, [1000.0, 2000.0, 4000.0, 5000.0, 5000.0]);
    }

    #[test]
    fn pauses_grow_as_they_are_told_to() {
        let pauses = |retry: &str| {
            let policy = Policy::read(&format!(r#"{{"retry": {retry}}}"#), 0.0);
            let pauses: Vec<f64> = (1..=4).map(|attempt| policy.pause_ms(attempt)).collect();
            (policy.max_attempts, pauses)
        };
        let linear = pauses(r#"{"backoff": "linear"}"#);
        assert_eq!(linear, (5, vec![1000.0, 2000.0, 3000.0, 4000.0]));
        let constant = pauses(r#"{"backoff": "constant"}"#);
        assert_eq!(constant, (5, vec![1000.0; 4]));
        let listed = pauses(r#"{"delays": ["1s", 60]}"#);
        assert_eq!(listed, (3, vec![1000.0, 60_000.0, 60_000.0, 60_000.0]));
    }

    #[test]
    fn an_error_is_final_by_its_name_or_code() {
        let policy = Policy::read(r#"{"retry": {"nonRetryable": ["TypeError", "E1"]}}"#, 0.0);
        assert!(policy.is_final("TypeError", None));
        assert!(policy.is_final("Error", Some("E1")));
        assert!(!policy.is_final("Error", Some("E2")));
    }

    #[test]
    fn own_options_go_before_those_of_the_worker() {
        let policy = Policy::with_defaults(
            r#"{"retry": {"maxAttempts": 2}}"#,
            r#"{"retry": {"maxAttempts": 9}, "timeout": 3}"#,
            0.0,
        );
        assert_eq!((policy.max_attempts, policy.timeout_ms), (2, Some(3000.0)));
    }
}
