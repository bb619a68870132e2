//! Calls of the host: number and kind of arguments, options, durations.

use super::meant;
use super::scope::Names;
use super::walk::{self, Visitor};
use crate::absent;
use crate::ast::{BinaryOp, Element, Expr, ExprKind, Prop, PropKey, Script};
use crate::builtins::{duration, options};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::source::Span;

pub(super) fn check(script: &Script, names: &Names, found: &mut Vec<Diagnostic>) {
    Host { found, names }.list(&script.body);
}

/// What an argument has to be.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    Any,
    /// A text that names something.
    Name,
    Text,
    Number,
    /// A whole number from 1 on.
    Count,
    /// How many may run at once.
    Concurrency,
    List,
    Duration,
    /// A number of seconds is written as a literal, so a long one is suspicious.
    Sleep,
    Date,
    /// One of these words.
    Word(&'static [&'static str]),
    /// One of these words, or a factor from 1 on.
    Backoff,
    /// A share from 0 to 1, or whether there is one.
    Fraction,
    /// A list of durations, or of names.
    Each(&'static Self),
    Options(&'static [(&'static str, Self)]),
}

/// A call of the host.
pub(super) struct Call {
    pub(super) path: &'static str,
    /// The arguments, with what they are called.
    args: &'static [(&'static str, Wanted)],
    /// How many of them have to be there.
    required: usize,
    /// Whether it does nothing but make one wait.
    pub(super) waits: bool,
    /// Whether it gives a promise.
    pub(super) promises: bool,
}

const RETRY: &[(&str, Wanted)] = &[
    ("maxAttempts", Wanted::Count),
    ("initial", Wanted::Duration),
    ("backoff", Wanted::Backoff),
    ("max", Wanted::Duration),
    ("delays", Wanted::Each(&Wanted::Duration)),
    ("jitter", Wanted::Fraction),
    ("nonRetryable", Wanted::Each(&Wanted::Name)),
];

const START: &[(&str, Wanted)] = &[
    ("queue", Wanted::Name),
    ("priority", Wanted::Number),
    ("delay", Wanted::Duration),
    ("runAt", Wanted::Date),
    ("taskId", Wanted::Name),
    ("retry", Wanted::Options(RETRY)),
    ("timeout", Wanted::Duration),
    ("startTimeout", Wanted::Duration),
    ("attemptTimeout", Wanted::Duration),
    ("heartbeatTimeout", Wanted::Duration),
    ("result", Wanted::Word(options::RESULTS)),
];

const START_WORKFLOW: &[(&str, Wanted)] = &[
    ("queue", Wanted::Name),
    ("priority", Wanted::Number),
    ("delay", Wanted::Duration),
    ("runAt", Wanted::Date),
    ("taskId", Wanted::Name),
    ("retry", Wanted::Options(RETRY)),
    ("timeout", Wanted::Duration),
    ("result", Wanted::Word(options::RESULTS)),
    ("onParentClose", Wanted::Word(options::PARENT_CLOSES)),
];

const FAN_OUT: &[(&str, Wanted)] = &[
    ("concurrency", Wanted::Concurrency),
    ("queue", Wanted::Name),
    ("priority", Wanted::Number),
    ("retry", Wanted::Options(RETRY)),
    ("timeout", Wanted::Duration),
    ("startTimeout", Wanted::Duration),
    ("attemptTimeout", Wanted::Duration),
    ("heartbeatTimeout", Wanted::Duration),
    ("result", Wanted::Word(options::RESULTS)),
];

const FAN_OUT_OF_WORKFLOWS: &[(&str, Wanted)] = &[
    ("concurrency", Wanted::Concurrency),
    ("queue", Wanted::Name),
    ("priority", Wanted::Number),
    ("retry", Wanted::Options(RETRY)),
    ("timeout", Wanted::Duration),
    ("result", Wanted::Word(options::RESULTS)),
    ("onParentClose", Wanted::Word(options::PARENT_CLOSES)),
];

const SIGNAL: &[(&str, Wanted)] = &[("timeout", Wanted::Duration), ("key", Wanted::Name)];

const LOCK: &[(&str, Wanted)] = &[("timeout", Wanted::Duration)];

const STARTED: &[(&str, Wanted)] = &[
    ("name", Wanted::Name),
    ("inputs", Wanted::Any),
    ("options", Wanted::Options(START)),
];

const STARTED_WORKFLOW: &[(&str, Wanted)] = &[
    ("name", Wanted::Name),
    ("inputs", Wanted::Any),
    ("options", Wanted::Options(START_WORKFLOW)),
];

const MAPPED: &[(&str, Wanted)] = &[
    ("name", Wanted::Name),
    ("items", Wanted::List),
    ("options", Wanted::Options(FAN_OUT)),
];

const MAPPED_WORKFLOW: &[(&str, Wanted)] = &[
    ("name", Wanted::Name),
    ("items", Wanted::List),
    ("options", Wanted::Options(FAN_OUT_OF_WORKFLOWS)),
];

const fn start(path: &'static str, args: &'static [(&'static str, Wanted)]) -> Call {
    Call {
        path,
        args,
        required: 1,
        waits: false,
        promises: true,
    }
}

const CALLS: &[Call] = &[
    start("Task.run", STARTED),
    start("Task.try", STARTED),
    start("Workflow.run", STARTED_WORKFLOW),
    start("Workflow.try", STARTED_WORKFLOW),
    Call {
        required: 2,
        ..start("Task.map", MAPPED)
    },
    Call {
        required: 2,
        ..start("Workflow.map", MAPPED_WORKFLOW)
    },
    Call {
        path: "sleep",
        args: &[("duration", Wanted::Sleep)],
        required: 1,
        waits: true,
        promises: true,
    },
    Call {
        path: "Timer.delay",
        args: &[("duration", Wanted::Sleep)],
        required: 1,
        waits: true,
        promises: true,
    },
    Call {
        path: "Timer.until",
        args: &[("date", Wanted::Date)],
        required: 1,
        waits: true,
        promises: true,
    },
    Call {
        path: "Signal.next",
        args: &[("name", Wanted::Name), ("options", Wanted::Options(SIGNAL))],
        required: 1,
        waits: true,
        promises: true,
    },
    Call {
        path: "Signal.request",
        args: &[("name", Wanted::Name), ("options", Wanted::Options(SIGNAL))],
        required: 1,
        waits: true,
        promises: true,
    },
    Call {
        path: "Mutex.acquire",
        args: &[("name", Wanted::Name), ("options", Wanted::Options(LOCK))],
        required: 1,
        waits: true,
        promises: true,
    },
    Call {
        path: "Task.cancel",
        args: &[("promise", Wanted::Any), ("reason", Wanted::Name)],
        required: 1,
        waits: false,
        promises: false,
    },
    Call {
        path: "Sql.query",
        args: &[("text", Wanted::Text), ("params", Wanted::List)],
        required: 1,
        waits: false,
        promises: true,
    },
    Call {
        path: "Sql.exec",
        args: &[("text", Wanted::Text), ("params", Wanted::List)],
        required: 1,
        waits: false,
        promises: true,
    },
    Call {
        path: "Context.set",
        args: &[("key", Wanted::Name), ("value", Wanted::Any)],
        required: 2,
        waits: false,
        promises: false,
    },
    Call {
        path: "crypto.randomUUID",
        args: &[],
        required: 0,
        waits: false,
        promises: false,
    },
];

/// Literal seconds from here on are probably milliseconds.
const LONG_SLEEP: f64 = 100.0;

/// The same for an option, where half an hour or a day is often written in seconds: only full thousands that are no
/// half hours are told.
const LONG_OPTION: f64 = 1000.0;

/// The host call that a callee names.
pub(super) fn called(names: &Names, callee: &Expr) -> Option<&'static Call> {
    let callee = without_parentheses(callee);
    let path = match &callee.kind {
        ExprKind::Member { object, name, .. } => {
            format!("{}.{}", names.builtin(object)?.name, name.name)
        }
        _ => names.builtin(callee)?.name.clone(),
    };
    CALLS.iter().find(|call| call.path == path)
}

/// Whether it runs SQL, within the step.
pub(super) fn is_sql(call: &Call) -> bool {
    call.path.starts_with("Sql.")
}

struct Host<'c> {
    found: &'c mut Vec<Diagnostic>,
    names: &'c Names,
}

impl Host<'_> {
    fn report(&mut self, code: Code, span: Span, message: String, hint: impl Into<String>) {
        self.found
            .push(Diagnostic::new(code, span, message).with_hint(hint));
    }

    fn arguments(&mut self, call: &Call, args: &[Element], span: Span) {
        let spread = args.iter().position(|arg| arg.spread);
        if spread.is_none() && args.len() < call.required {
            let missing: Vec<&str> = call.args[args.len()..call.required]
                .iter()
                .map(|(name, _)| *name)
                .collect();
            let message = format!("`{}` needs `{}`", call.path, missing.join("` and `"));
            self.report(Code::ArgumentCount, span, message, signature(call));
        }
        if let Some(extra) = args.get(call.args.len())
            && spread.is_none_or(|at| at >= call.args.len())
        {
            let message = format!("`{}` takes no argument here", call.path);
            self.report(
                Code::ArgumentCount,
                extra.value.span,
                message,
                signature(call),
            );
        }
        let known = spread.unwrap_or(args.len());
        for (arg, (name, wanted)) in args.iter().take(known).zip(call.args) {
            // An argument that is left out may be written as undefined or null.
            if !is_nothing(&arg.value) {
                self.value(&arg.value, *wanted, &format!("`{name}` of `{}`", call.path));
            } else if matches!(
                wanted,
                Wanted::Name | Wanted::Text | Wanted::Sleep | Wanted::Date
            ) {
                let message = format!("`{name}` of `{}` is missing", call.path);
                self.report(Code::ArgumentKind, arg.value.span, message, signature(call));
            }
        }
    }

    fn value(&mut self, value: &Expr, wanted: Wanted, what: &str) {
        let value = without_parentheses(value);
        if matches!(wanted, Wanted::Duration | Wanted::Sleep) {
            self.product(value);
        }
        let Some(kind) = literal_kind(value) else {
            return;
        };
        let span = value.span;
        match (wanted, kind) {
            (Wanted::Name, "a string") if text_of(value).is_some_and(|text| text.is_empty()) => {
                let message = format!("{what} is empty");
                self.report(Code::ArgumentKind, span, message, "Write the name.");
            }
            (Wanted::Any, _)
            | (Wanted::Name | Wanted::Text, "a string" | "a template")
            | (Wanted::Number, "a number")
            | (Wanted::List, "an array")
            | (Wanted::Date, "a string" | "a template" | "a number" | "a date")
            | (Wanted::Duration | Wanted::Sleep, "a template") => {}
            (Wanted::Duration | Wanted::Sleep, "a number" | "a string") => {
                self.duration(value, matches!(wanted, Wanted::Sleep));
            }
            (Wanted::Count, "a number") => {
                if !matches!(value.kind, ExprKind::Number(count) if count >= 1.0 && count.fract() == 0.0)
                {
                    let message = format!("{what} has to be a whole number from 1 on");
                    self.report(Code::ArgumentKind, span, message, example(wanted));
                }
            }
            (Wanted::Concurrency, "a number") => {
                let most = f64::from(options::MOST_AT_ONCE);
                if !matches!(value.kind, ExprKind::Number(count) if (1.0..=most).contains(&count) && count.fract() == 0.0)
                {
                    let message = format!("{what} has to be a whole number from 1 to {most}");
                    self.report(Code::ArgumentKind, span, message, example(wanted));
                }
            }
            (Wanted::Options(known), "an object") => self.options(value, known, what),
            (Wanted::Word(_) | Wanted::Backoff, "a template") | (Wanted::Fraction, "a boolean") => {
            }
            (Wanted::Word(words), "a string") => self.word(value, words, what, wanted),
            (Wanted::Backoff, "a string") => self.word(value, options::BACKOFFS, what, wanted),
            (Wanted::Backoff, "a number") => self.within(value, 1.0, 1000.0, what, wanted),
            (Wanted::Fraction, "a number") => self.within(value, 0.0, 1.0, what, wanted),
            (Wanted::Each(entry), "an array") => self.each(value, *entry, what),
            (wanted, _) => {
                let message = format!("{what} has to be {}, not {kind}", noun(wanted));
                let hint = match (wanted, &value.kind) {
                    (Wanted::Options(known), ExprKind::Number(count))
                        if known.iter().any(|(key, _)| *key == "maxAttempts") =>
                    {
                        format!("Write `{{maxAttempts: {count}}}`.")
                    }
                    _ => example(wanted).to_owned(),
                };
                self.report(Code::ArgumentKind, span, message, hint);
            }
        }
    }

    fn word(&mut self, value: &Expr, words: &[&str], what: &str, wanted: Wanted) {
        if text_of(value).is_some_and(|text| !words.contains(&&*String::from_utf16_lossy(text))) {
            let message = format!("{what} has to be \"{}\"", words.join("\" or \""));
            self.report(Code::ArgumentKind, value.span, message, example(wanted));
        }
    }

    fn within(&mut self, value: &Expr, least: f64, most: f64, what: &str, wanted: Wanted) {
        if let ExprKind::Number(number) = value.kind
            && !(least..=most).contains(&number)
        {
            let message = format!("{what} has to be from {least} to {most}");
            self.report(Code::ArgumentKind, value.span, message, example(wanted));
        }
    }

    fn each(&mut self, value: &Expr, wanted: Wanted, what: &str) {
        if let ExprKind::Array(entries) = &value.kind {
            for entry in entries.iter().flatten().filter(|entry| !entry.spread) {
                self.value(&entry.value, wanted, &format!("an entry of {what}"));
            }
        }
    }

    /// `60 * 1000`
    fn product(&mut self, value: &Expr) {
        if let ExprKind::Binary {
            op: BinaryOp::Mul,
            left,
            right,
            ..
        } = &value.kind
            && [left, right]
                .iter()
                .any(|side| matches!(without_parentheses(side).kind, ExprKind::Number(1000.0)))
        {
            let message = "this is a number of seconds, not of milliseconds".to_owned();
            let hint = "Leave out `* 1000`.";
            self.report(Code::DurationInMilliseconds, value.span, message, hint);
        }
    }

    fn duration(&mut self, value: &Expr, sleep: bool) {
        match &value.kind {
            ExprKind::Number(seconds) if sleep && *seconds >= LONG_SLEEP => {
                let message = format!("these are {seconds} seconds, not milliseconds");
                let hint = format!("Write \"{seconds}ms\" for milliseconds, else \"{seconds}s\".");
                self.report(Code::DurationInMilliseconds, value.span, message, hint);
            }
            ExprKind::Number(seconds)
                if *seconds >= LONG_OPTION
                    && seconds % 1000.0 == 0.0
                    && seconds % 1800.0 != 0.0 =>
            {
                let message = format!("these are {seconds} seconds, not milliseconds");
                let hint = format!("Write \"{seconds}ms\" for milliseconds, else \"{seconds}s\".");
                self.report(Code::DurationInMilliseconds, value.span, message, hint);
            }
            ExprKind::Unary { .. } => {
                let message = "a duration is not negative".to_owned();
                self.report(
                    Code::BadDuration,
                    value.span,
                    message,
                    example(Wanted::Duration),
                );
            }
            ExprKind::String(units) => {
                let text = String::from_utf16_lossy(units);
                if duration::parse(&text).is_none() {
                    let hint = absent::duration(&text).map_or_else(
                        || example(Wanted::Duration).to_owned(),
                        |meant| format!("Write \"{meant}\"."),
                    );
                    let message = format!("\"{text}\" is no duration");
                    self.report(Code::BadDuration, value.span, message, hint);
                }
            }
            _ => {}
        }
    }

    fn options(&mut self, value: &Expr, known: &'static [(&'static str, Wanted)], what: &str) {
        let ExprKind::Object(props) = &value.kind else {
            return;
        };
        for prop in props {
            let Prop::Value {
                key: PropKey::Static { name, span },
                value,
                ..
            } = prop
            else {
                continue;
            };
            let name = String::from_utf16_lossy(name);
            if let Some((key, wanted)) = known.iter().find(|(key, _)| *key == name) {
                if !is_nothing(value) {
                    self.value(value, *wanted, &format!("`{key}`"));
                }
                continue;
            }
            let keys = known.iter().map(|(key, _)| *key);
            let elsewhere = absent::option(&name);
            let hint = match (elsewhere, meant(self.found, &name, keys.clone())) {
                (Some(hint), _) => hint.to_owned(),
                (None, Some(meant)) => format!("Did you mean `{meant}`?"),
                (None, None) => format!("Known: `{}`.", keys.collect::<Vec<_>>().join("`, `")),
            };
            let message = format!("no option `{name}` in {what}");
            self.report(Code::UnknownOption, *span, message, hint);
        }
    }
}

impl<'a> Visitor<'a> for Host<'_> {
    fn expr(&mut self, expr: &'a Expr) {
        if let ExprKind::Call {
            callee,
            args,
            optional: false,
        } = &expr.kind
            && let Some(call) = called(self.names, callee)
        {
            self.arguments(call, args, expr.span);
        }
        walk::walk_expr(self, expr);
    }
}

/// How a call is written.
fn signature(call: &Call) -> String {
    let mut args = String::new();
    for (index, (name, _)) in call.args.iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        let optional = if index >= call.required { "?" } else { "" };
        args.push_str(&format!("{comma}{name}{optional}"));
    }
    format!("It is called as `{}({args})`.", call.path)
}

fn noun(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::Any => "any value",
        Wanted::Name | Wanted::Text => "a string",
        Wanted::Number | Wanted::Count | Wanted::Concurrency | Wanted::Fraction => "a number",
        Wanted::Word(_) | Wanted::Backoff => "a word",
        Wanted::List | Wanted::Each(_) => "an array",
        Wanted::Duration | Wanted::Sleep => "a duration",
        Wanted::Date => "a date",
        Wanted::Options(_) => "an object",
    }
}

fn example(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::Any => "",
        Wanted::Name => "Write the name in quotes.",
        Wanted::Text => "Write the SQL in quotes, with $1, $2 … for the parameters.",
        Wanted::Number => "Write a number.",
        Wanted::Concurrency => "Write how many may run at once, such as 20.",
        Wanted::Count => "Write 1 for a single attempt.",
        Wanted::Word(words) if words == options::PARENT_CLOSES => {
            "Write `\"cancel\"` for a child that ends with its parent, `\"abandon\"` for one that runs on, even if the parent is terminated."
        }
        Wanted::Word(_) => "Write `\"discard\"` to remember that it is done, and not its result.",
        Wanted::Backoff => "Write `\"exponential\"`, `\"linear\"`, `\"constant\"` or a factor.",
        Wanted::Fraction => "Write the share by which a pause may be shorter, such as 0.5.",
        Wanted::Each(_) => {
            "Write a list, such as `[\"1s\", \"1m\"]`, or `[\"TypeError\"]` for errors."
        }
        Wanted::List => "Write `[a, b]`, also for a single value.",
        Wanted::Duration | Wanted::Sleep => {
            "Write seconds as a number, or \"250ms\", \"90s\", \"15m\", \"24h\", \"7d\", \"1h30m\"."
        }
        Wanted::Date => "Write `new Date(…)` or a text such as \"2030-01-31T12:00:00Z\".",
        Wanted::Options(_) => "Write `{key: value}`.",
    }
}

/// What a value is for certain, from its form alone.
fn literal_kind(value: &Expr) -> Option<&'static str> {
    Some(match &value.kind {
        ExprKind::Null => "null",
        ExprKind::Bool(_) => "a boolean",
        ExprKind::Number(_) => "a number",
        ExprKind::Unary {
            op: crate::ast::UnaryOp::Minus,
            value,
        } if matches!(value.kind, ExprKind::Number(_)) => "a number",
        ExprKind::String(_) => "a string",
        ExprKind::Template { .. } => "a template",
        ExprKind::Array(_) => "an array",
        ExprKind::Regex { .. } => "a regular expression",
        ExprKind::Object(_) => "an object",
        ExprKind::Function(_) => "a function",
        ExprKind::New { callee, .. } if callee.name == "Date" => "a date",
        _ => return None,
    })
}

fn text_of(value: &Expr) -> Option<&[u16]> {
    match &value.kind {
        ExprKind::String(units) => Some(units),
        _ => None,
    }
}

fn is_nothing(value: &Expr) -> bool {
    match &value.kind {
        ExprKind::Null => true,
        ExprKind::Name(name) => name.name == "undefined",
        _ => false,
    }
}

pub(super) fn without_parentheses(mut expr: &Expr) -> &Expr {
    while let ExprKind::Paren(inner) = &expr.kind {
        expr = inner;
    }
    expr
}
