//! What `console` says of a value: as Node's `util.inspect`, but on one line, and nothing is left out.
//!
//! It calls no function of the program and never fails for a value. It walks with a list of what is still to be written, which
//! stays short, as nothing behind the longest line is ever written.

use std::collections::HashMap;

use crate::builtins::registry;
use crate::error::{ErrorClass, Throw};
use crate::program::NAME_OF_KEY;
use crate::value::heap::{Iter, IterKind};
use crate::value::object::Key;
use crate::value::promise::PromiseState;
use crate::value::{Body, Ref, Value, date, number};
use crate::vm::cx::Cx;

/// A line of the log is not longer than this many bytes.
pub(super) const MOST: usize = 64 << 10;

/// What is still to be written; each is at least a byte.
enum Part {
    Text(&'static str),
    Label(String),
    Value(Value),
    Close(Ref, &'static str),
}

struct Inspector {
    out: String,
    /// Nothing is written behind this many bytes.
    most: usize,
    /// The next one last.
    todo: Vec<Part>,
    /// What is being written, with the place where it begins.
    open: HashMap<Ref, usize>,
    /// What is part of itself, with its number.
    circular: HashMap<Ref, usize>,
}

/// Adds what a value looks like to a line, which has then more than `most` bytes if there was no room for it.
///
/// # Errors
/// When a limit of the run is reached.
pub(crate) fn inspect(
    cx: &mut Cx<'_>,
    value: Value,
    line: String,
    most: usize,
) -> Result<String, Throw> {
    let mut inspector = Inspector {
        out: line,
        most,
        todo: vec![Part::Value(value)],
        open: HashMap::new(),
        circular: HashMap::new(),
    };
    while let Some(part) = inspector.todo.pop() {
        cx.work(1)?;
        match part {
            Part::Text(text) => inspector.out.push_str(text),
            Part::Label(text) => inspector.out.push_str(&text),
            Part::Value(value) => inspector.value(cx, value)?,
            Part::Close(at, text) => {
                inspector.out.push_str(text);
                inspector.name(at);
            }
        }
        if inspector.out.len() > most {
            break;
        }
        if inspector.todo.len() > 2 * MOST {
            inspector.todo.drain(..MOST);
        }
    }
    // Those that there was no room to close, the innermost first: a name moves what stands behind it.
    let mut left: Vec<(usize, Ref)> = inspector
        .open
        .iter()
        .map(|(at, start)| (*start, *at))
        .collect();
    left.sort_unstable();
    for (_, at) in left.into_iter().rev() {
        inspector.name(at);
    }
    Ok(inspector.out)
}

impl Inspector {
    /// Ends a value, and marks its beginning if it was found in itself.
    fn name(&mut self, at: Ref) {
        if let Some(start) = self.open.remove(&at)
            && let Some(number) = self.circular.get(&at)
        {
            self.out.insert_str(start, &format!("<ref *{number}> "));
        }
    }

    fn value(&mut self, cx: &mut Cx<'_>, value: Value) -> Result<(), Throw> {
        match value {
            Value::Number(value) => self.out.push_str(&number_text(value)),
            Value::String(text) => {
                let units = cx.heap.text(text);
                cx.work(units.len().min(self.most) / 16)?;
                quote(&mut self.out, &units, self.most);
            }
            Value::Object(at) => return self.object(cx, at),
            Value::Undefined | Value::Empty | Value::Variable(_) => self.out.push_str("undefined"),
            Value::Null => self.out.push_str("null"),
            Value::Bool(value) => self.out.push_str(if value { "true" } else { "false" }),
        }
        Ok(())
    }

    fn object(&mut self, cx: &mut Cx<'_>, at: Ref) -> Result<(), Throw> {
        if self.open.contains_key(&at) {
            let next = self.circular.len() + 1;
            let number = *self.circular.entry(at).or_insert(next);
            self.out.push_str(&format!("[Circular *{number}]"));
            return Ok(());
        }
        let room = self.most.saturating_sub(self.out.len());
        let mut parts = Parts::new(room);
        let (head, brackets) = match cx.heap.body(at) {
            Body::Array(array) => {
                parts.items(&array.items);
                let names: Vec<_> = array.names.iter().flat_map(|names| names.iter()).collect();
                parts.props(cx, names.into_iter());
                (String::new(), ("[", "]"))
            }
            Body::Object(props) => {
                let head = if props.is_bare {
                    "[Object: null prototype] "
                } else {
                    ""
                };
                let props: Vec<_> = props.iter().take(room).collect();
                parts.props(cx, props.into_iter());
                (head.to_owned(), ("{", "}"))
            }
            Body::Map(table) => {
                for (key, value) in table.iter().take(room) {
                    parts.entry(Part::Value(key));
                    parts.list.extend([Part::Text(" => "), Part::Value(value)]);
                }
                (format!("Map({}) ", table.len()), ("{", "}"))
            }
            Body::Set(table) => {
                for (key, _) in table.iter().take(room) {
                    parts.entry(Part::Value(key));
                }
                (format!("Set({}) ", table.len()), ("{", "}"))
            }
            Body::Promise(promise) => {
                match promise.state {
                    PromiseState::Pending => parts.entry(Part::Text("<pending>")),
                    PromiseState::Fulfilled(value) => parts.entry(Part::Value(value)),
                    PromiseState::Rejected(value) => {
                        parts.entry(Part::Text("<rejected> "));
                        parts.list.push(Part::Value(value));
                    }
                }
                ("Promise ".to_owned(), ("{", "}"))
            }
            Body::Error(_) => return self.error(cx, at, parts),
            Body::Iterator(iter) => {
                let (kind, source, from) = (iter.kind, iter.source, iter.at);
                let iter = Iter {
                    source,
                    kind,
                    at: from,
                };
                let head = remaining(cx, &iter, &mut parts);
                if parts.list.is_empty() && head.starts_with('[') {
                    self.out.push_str(&head);
                    self.out.push_str("{  }");
                    return Ok(());
                }
                (head, ("{", "}"))
            }
            _ => {
                let text = leaf(cx, at)?;
                self.out.push_str(&text);
                return Ok(());
            }
        };
        let start = self.out.len();
        self.out.push_str(&head);
        self.write(at, start, brackets, parts);
        Ok(())
    }

    /// Opens what has parts.
    fn write(
        &mut self,
        at: Ref,
        start: usize,
        brackets: (&'static str, &'static str),
        parts: Parts,
    ) {
        self.out.push_str(brackets.0);
        if parts.list.is_empty() {
            self.out.push_str(brackets.1);
            return;
        }
        self.out.push(' ');
        self.open.insert(at, start);
        let close = if brackets.1 == "]" { " ]" } else { " }" };
        self.todo.push(Part::Close(at, close));
        self.todo.extend(parts.list.into_iter().rev());
    }

    /// The stack, and then what the error has beside it: `cause` and `errors`, whose names stand in brackets as nothing lists
    /// them, and what the program or a task gave it.
    fn error(&mut self, cx: &mut Cx<'_>, at: Ref, mut parts: Parts) -> Result<(), Throw> {
        let stack = stack_text(cx, at)?;
        cx.work(stack.len() / 16)?;
        let Body::Error(error) = cx.heap.body(at) else {
            return Err(Throw::fault("error"));
        };
        let (shown, hidden): (Vec<_>, Vec<_>) =
            (error.props.iter().collect(), error.hidden.iter().collect());
        let mut listed = Vec::new();
        for (key, value) in shown {
            let name = cx.key_text(key);
            // What the stack says is not said again.
            let said = match (name.as_str(), value) {
                ("stack", _) => true,
                ("message" | "name", Value::String(text)) => {
                    let text = cx.heap.rust_text(text);
                    stack.contains(&text)
                }
                _ => false,
            };
            if !said {
                listed.push((key, value));
            }
        }
        parts.props(cx, listed.into_iter());
        for name in ["cause", "errors"] {
            let key = Key::Name(cx.heap.intern_str(name));
            let Some((_, value)) = hidden.iter().find(|(other, _)| *other == key) else {
                continue;
            };
            if name == "cause" || cx.heap.is_array(*value) {
                parts.entry(Part::Label(format!("[{name}]: ")));
                parts.list.push(Part::Value(*value));
            }
        }
        let start = self.out.len();
        self.out.push_str(&stack);
        if !parts.list.is_empty() {
            self.out.push(' ');
            self.write(at, start, ("{", "}"), parts);
        }
        Ok(())
    }
}

/// The stack of an error. Its head says what the error is by now, as in Node, where the text is made when it is looked at.
fn stack_text(cx: &mut Cx<'_>, at: Ref) -> Result<String, Throw> {
    let text_of = |cx: &mut Cx<'_>, name| {
        let value = cx.get_name(Value::Object(at), name)?;
        let Value::String(text) = value else {
            return Ok(None);
        };
        Ok::<_, Throw>(Some(cx.heap.rust_text(text)))
    };
    let (stack, name) = (text_of(cx, "stack")?, text_of(cx, "name")?);
    let message = text_of(cx, "message")?.unwrap_or_default();
    let head = match cx.heap.to_string(Value::Object(at)) {
        Ok(text) => cx.heap.rust_text(text),
        Err(fatal @ Throw::Fatal(_)) => return Err(fatal),
        Err(_) => "Error".to_owned(),
    };
    let stack = stack.unwrap_or_default();
    let from = stack.find(&message).map_or(0, |at| at + message.len());
    let Some(frames) = stack[from..].find("\n    at") else {
        let stack = if stack.is_empty() { head } else { stack };
        return Ok(format!("[{stack}]"));
    };
    let class = match cx.heap.body(at) {
        Body::Error(error) => error.class,
        _ => ErrorClass::Error,
    };
    let name = name.unwrap_or_default();
    // A copy of an error whose class JavaScript does not copy has the text that was made of the error.
    if name == class.name() && !stack.starts_with(class.name()) {
        return Ok(stack);
    }
    let frames = &stack[from + frames..];
    // A name that is not that of the class stands beside it.
    let class = match class.legacy_code() {
        Some(_) => "DOMException",
        None => class.name(),
    };
    let rest = head
        .strip_prefix(&*name)
        .filter(|_| name.ends_with("Error") && name != class);
    Ok(match rest {
        Some(rest) if class.contains(&*name) => format!("{class}{rest}{frames}"),
        Some(rest) => format!("{class} [{name}]{rest}{frames}"),
        None => format!("{head}{frames}"),
    })
}

/// The parts of one value, as many as can have room.
struct Parts {
    list: Vec<Part>,
    room: usize,
}

impl Parts {
    fn new(room: usize) -> Self {
        Self {
            list: Vec::new(),
            room,
        }
    }

    fn entry(&mut self, part: Part) {
        if !self.list.is_empty() {
            self.list.push(Part::Text(", "));
        }
        self.list.push(part);
    }

    fn items(&mut self, items: &[Value]) {
        let mut holes = 0;
        for item in items {
            if self.list.len() > self.room {
                return;
            }
            if item.is_empty() {
                holes += 1;
                continue;
            }
            self.holes(holes);
            holes = 0;
            self.entry(Part::Value(*item));
        }
        self.holes(holes);
    }

    fn holes(&mut self, count: usize) {
        if count > 0 {
            let plural = if count == 1 { "" } else { "s" };
            self.entry(Part::Label(format!("<{count} empty item{plural}>")));
        }
    }

    fn props(&mut self, cx: &mut Cx<'_>, props: impl Iterator<Item = (Key, Value)>) {
        for (key, value) in props {
            if self.list.len() > self.room {
                return;
            }
            let mut label = key_label(cx, key);
            label.push_str(": ");
            self.entry(Part::Label(label));
            self.list.push(Part::Value(value));
        }
    }
}

/// A key as it stands in front of its value.
fn key_label(cx: &mut Cx<'_>, key: Key) -> String {
    let Key::Name(name) = key else {
        return format!("'{}'", cx.key_text(key));
    };
    let units = cx.heap.text(name);
    let text = String::from_utf16_lossy(&units);
    if text == "__proto__" {
        return "['__proto__']".to_owned();
    }
    let is_word = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_word && text.starts_with(|first: char| !first.is_ascii_digit()) {
        return text;
    }
    let mut label = String::new();
    quote(&mut label, &units, MOST);
    label
}

/// What an iterator still has, where Node shows it: those of maps and sets.
fn remaining(cx: &Cx<'_>, iter: &Iter, parts: &mut Parts) -> String {
    let name = iter.name(cx.heap);
    let is_map = name == "Map Iterator";
    if !is_map && name != "Set Iterator" {
        return format!("Object [{name}] ");
    }
    if let Value::Object(source) = iter.source
        && let Body::Map(table) | Body::Set(table) = cx.heap.body(source)
    {
        let mut at = iter.at;
        while let Some((next, key, value)) = table.next(at)
            && parts.list.len() <= parts.room
        {
            at = next;
            let value = if is_map { value } else { key };
            match iter.kind {
                IterKind::Entries => {
                    parts.entry(Part::Text("[ "));
                    let rest = [Part::Text(", "), Part::Value(value), Part::Text(" ]")];
                    parts.list.push(Part::Value(key));
                    parts.list.extend(rest);
                }
                IterKind::Keys => parts.entry(Part::Value(key)),
                IterKind::Values | IterKind::Matches => parts.entry(Part::Value(value)),
            }
        }
    }
    if iter.kind == IterKind::Entries {
        return format!("[{}] ", name.replace("Iterator", "Entries"));
    }
    format!("[{name}] ")
}

/// What has no parts.
fn leaf(cx: &mut Cx<'_>, at: Ref) -> Result<String, Throw> {
    Ok(match cx.heap.body(at) {
        Body::Date(ms) => date::to_iso(*ms).unwrap_or_else(|| "Invalid Date".to_owned()),
        Body::Closure(closure) => {
            let function = &cx.program.functions[closure.function as usize];
            let kind = if function.is_async {
                "AsyncFunction"
            } else {
                "Function"
            };
            match &*function.name {
                "" => format!("[{kind} (anonymous)]"),
                NAME_OF_KEY => format!("[{kind}]"),
                name => format!("[{kind}: {name}]"),
            }
        }
        Body::Native(number) => {
            let builtin = registry().all.get(usize::from(*number));
            let path = builtin.map_or("", |builtin| builtin.path);
            let name = path.rsplit(['.', ' ']).next().unwrap_or_default();
            format!("[Function: {name}]")
        }
        Body::Namespace(number) => {
            let name = registry().namespaces.get(usize::from(*number));
            format!("Object [{}] {{}}", name.copied().unwrap_or_default())
        }
        Body::Regex(_) => {
            let text = cx.string(Value::Object(at))?;
            cx.heap.rust_text(text)
        }
        _ => format!("[{}]", cx.describe(Value::Object(at))),
    })
}

/// As `String(number)`, but −0 keeps its sign.
pub(super) fn number_text(value: f64) -> String {
    if value == 0.0 && value.is_sign_negative() {
        "-0".to_owned()
    } else {
        number::format(value)
    }
}

/// A string in quotes that it does not have itself, if there are such, with what cannot be seen escaped.
fn quote(out: &mut String, units: &[u16], most: usize) {
    let has = |byte: u8| units.contains(&u16::from(byte));
    let quote = match (has(b'\''), has(b'"')) {
        (true, false) => '"',
        (true, true) if !has(b'`') && !units.windows(2).any(|pair| pair == [36, 123]) => '`',
        _ => '\'',
    };
    out.push(quote);
    for decoded in char::decode_utf16(units.iter().copied()) {
        match decoded {
            Ok('\u{8}') => out.push_str("\\b"),
            Ok('\t') => out.push_str("\\t"),
            Ok('\n') => out.push_str("\\n"),
            Ok('\u{c}') => out.push_str("\\f"),
            Ok('\r') => out.push_str("\\r"),
            Ok('\\') => out.push_str("\\\\"),
            Ok('\'') if quote == '\'' => out.push_str("\\'"),
            Ok(hidden) if hidden.is_control() => {
                out.push_str(&format!("\\x{:02X}", u32::from(hidden)));
            }
            Ok(char) => out.push(char),
            Err(half) => out.push_str(&format!("\\u{:x}", half.unpaired_surrogate())),
        }
        if out.len() > most {
            return;
        }
    }
    out.push(quote);
}
