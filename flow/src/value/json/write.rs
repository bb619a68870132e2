//! `JSON.stringify` of what needs no function of the program.

use super::super::date;
use super::super::hashed::Seen;
use super::super::number;
use super::super::object::Key;
use super::super::{Body, Heap, Ref, Value};
use crate::error::Throw;

/// How the text looks and what it holds.
#[derive(Debug, Default)]
pub struct Style {
    /// One level of indentation, which may be empty; none for text without line breaks.
    pub indent: Option<Vec<u16>>,
    /// The only properties to write, in this order; all if it is none.
    pub only: Option<Vec<Key>>,
}

/// Writes a value; none for `undefined` and functions.
///
/// # Errors
/// A `TypeError` for cycles and for an own `toJSON`, which only `builtins::json` can call; limits.
pub fn stringify(heap: &mut Heap, value: Value, style: &Style) -> Result<Option<Vec<u16>>, Throw> {
    let mut writer = Writer {
        out: Vec::new(),
        style,
        host: false,
        open: Vec::new(),
        inside: Seen::default(),
        to_json: to_json_key(heap),
    };
    Ok(writer.write(heap, value)?.then_some(writer.out))
}

/// Writes a value for the host.
pub(super) fn for_host(heap: &mut Heap, value: Value) -> Result<Option<String>, Throw> {
    let style = Style::default();
    let mut writer = Writer {
        out: Vec::new(),
        style: &style,
        host: true,
        open: Vec::new(),
        inside: Seen::default(),
        to_json: to_json_key(heap),
    };
    if !writer.write(heap, value)? {
        return Ok(None);
    }
    // Strings were checked as they were written, so nothing is lost here.
    Ok(Some(String::from_utf16_lossy(&writer.out)))
}

/// A container that is being written.
struct Open {
    at: Ref,
    /// What led to it from its container.
    key: Option<Key>,
    /// The properties still to come; none for arrays.
    keys: Option<std::vec::IntoIter<Key>>,
    next: usize,
    empty: bool,
}

struct Writer<'a> {
    out: Vec<u16>,
    style: &'a Style,
    host: bool,
    open: Vec<Open>,
    inside: Seen<Ref>,
    to_json: Key,
}

/// What a value is in JSON.
enum Form {
    Nothing,
    Done,
    Container,
}

impl Writer<'_> {
    fn write(&mut self, heap: &mut Heap, value: Value) -> Result<bool, Throw> {
        match self.value(heap, value, None)? {
            Form::Nothing => return Ok(false),
            Form::Done => return Ok(true),
            Form::Container => {}
        }
        while let Some(top) = self.open.last_mut() {
            heap.meter.spend(1)?;
            let at = top.at;
            match &mut top.keys {
                None => {
                    let index = top.next;
                    let Some(item) = heap.items(at).and_then(|items| items.get(index)).copied()
                    else {
                        self.close(b']');
                        continue;
                    };
                    top.next += 1;
                    if index > 0 {
                        self.ascii(",");
                    }
                    top_not_empty(&mut self.open);
                    self.line(self.open.len());
                    let key = Some(Key::Index(index as u32));
                    if matches!(self.value(heap, item.or_undefined(), key)?, Form::Nothing) {
                        self.ascii("null");
                    }
                }
                Some(keys) => {
                    let Some(key) = keys.next() else {
                        self.close(b'}');
                        continue;
                    };
                    let value = property(heap, at, key);
                    if !is_data(heap, value) {
                        continue;
                    }
                    if !top.empty {
                        self.ascii(",");
                    }
                    top_not_empty(&mut self.open);
                    self.line(self.open.len());
                    let Value::String(name) = heap.key_value(key) else {
                        continue;
                    };
                    let name = heap.text(name);
                    self.string(heap, &name)?;
                    self.ascii(match self.style.indent {
                        None => ":",
                        Some(_) => ": ",
                    });
                    self.value(heap, value, Some(key))?;
                }
            }
        }
        Ok(true)
    }

    /// Writes a value, or opens it if it is a container.
    fn value(&mut self, heap: &mut Heap, value: Value, key: Option<Key>) -> Result<Form, Throw> {
        let at = match value {
            Value::Undefined | Value::Empty | Value::Variable(_) => return Ok(Form::Nothing),
            Value::Null => {
                self.ascii("null");
                return Ok(Form::Done);
            }
            Value::Bool(value) => {
                self.ascii(if value { "true" } else { "false" });
                return Ok(Form::Done);
            }
            Value::Number(value) if value.is_finite() => {
                self.number(value);
                return Ok(Form::Done);
            }
            Value::Number(_) => {
                self.ascii("null");
                return Ok(Form::Done);
            }
            Value::String(at) => {
                let text = heap.text(at);
                self.string(heap, &text)?;
                return Ok(Form::Done);
            }
            Value::Object(at) => at,
        };
        let keys = match heap.body(at) {
            Body::Closure(_) | Body::Native(_) => return Ok(Form::Nothing),
            Body::Date(ms) => {
                match date::to_iso(*ms) {
                    Some(text) => self.quoted(&text),
                    None => self.ascii("null"),
                }
                return Ok(Form::Done);
            }
            Body::Promise(_) if self.host => {
                return Err(Throw::type_error(
                    "A promise is among the values that leave the workflow. Write `await` before it.",
                ));
            }
            Body::Array(_) => None,
            Body::Object(_) | Body::Error(_) => {
                if own_to_json(heap, at, self.to_json).is_some() {
                    return Err(Throw::type_error(
                        "An object has a 'toJSON' of its own, which Flow does not call here. \
                         Call it where you want its value.",
                    ));
                }
                let keys = match &self.style.only {
                    Some(only) => only.clone(),
                    None => listed(heap, at),
                };
                Some(keys)
            }
            _ => Some(Vec::new()),
        };
        if !self.inside.insert(at) {
            return Err(self.circle(heap, at, key));
        }
        let length = keys.as_ref().map_or(0, Vec::len);
        heap.meter.charge(64 + length * 8)?;
        self.ascii(if keys.is_none() { "[" } else { "{" });
        let keys = keys.map(Vec::into_iter);
        self.open.push(Open {
            at,
            key,
            keys,
            next: 0,
            empty: true,
        });
        self.check_size(heap)?;
        Ok(Form::Container)
    }

    fn close(&mut self, bracket: u8) {
        if let Some(done) = self.open.pop() {
            self.inside.remove(&done.at);
            if !done.empty {
                self.line(self.open.len());
            }
        }
        self.out.push(u16::from(bracket));
    }

    /// A new line, where there is indentation.
    fn line(&mut self, depth: usize) {
        if let Some(indent) = &self.style.indent {
            self.out.push(u16::from(b'\n'));
            for _ in 0..depth {
                self.out.extend_from_slice(indent);
            }
        }
    }

    fn ascii(&mut self, text: &str) {
        self.out.extend(text.bytes().map(u16::from));
    }

    fn number(&mut self, value: f64) {
        let whole = value as i32;
        if !(0..1_000_000_000).contains(&whole) || f64::from(whole) != value {
            self.ascii(&number::format(value));
            return;
        }
        let (mut digits, mut left, mut at) = ([0u16; 9], whole as u32, 9);
        while at == 9 || left > 0 {
            at -= 1;
            digits[at] = u16::from(b'0') + (left % 10) as u16;
            left /= 10;
        }
        self.out.extend_from_slice(&digits[at..]);
    }

    fn quoted(&mut self, text: &str) {
        self.ascii("\"");
        self.ascii(text);
        self.ascii("\"");
    }

    fn check_size(&self, heap: &mut Heap) -> Result<(), Throw> {
        let length = self.out.len();
        if self.host {
            if length > heap.meter.limits.heap_bytes {
                heap.meter.charge(length)?;
            }
        } else if length > heap.meter.limits.string_units {
            heap.meter.string(length)?;
        }
        Ok(())
    }

    fn string(&mut self, heap: &mut Heap, units: &[u16]) -> Result<(), Throw> {
        heap.meter.spend(units.len() / 16)?;
        self.out.push(u16::from(b'"'));
        let special = |unit: &u16| matches!(*unit, 0..0x20 | 0x22 | 0x5C | 0xD800..0xE000);
        let mut at = 0;
        loop {
            let rest = &units[at..];
            let plain = rest.iter().position(special).unwrap_or(rest.len());
            self.out.extend_from_slice(&rest[..plain]);
            at += plain;
            let Some(unit) = units.get(at).copied() else {
                break;
            };
            match unit {
                0x22 => self.ascii("\\\""),
                0x5C => self.ascii("\\\\"),
                0x08 => self.ascii("\\b"),
                0x09 => self.ascii("\\t"),
                0x0A => self.ascii("\\n"),
                0x0C => self.ascii("\\f"),
                0x0D => self.ascii("\\r"),
                0 if self.host => {
                    return Err(Throw::type_error(
                        "A string holds U+0000, which the database cannot store.",
                    ));
                }
                0..0x20 => self.ascii(&format!("\\u{unit:04x}")),
                0xD800..0xE000 if is_lone(units, at) => {
                    if self.host {
                        return Err(Throw::type_error(
                            "A string holds half of a surrogate pair, which the database cannot store.",
                        ));
                    }
                    self.ascii(&format!("\\u{unit:04x}"));
                }
                unit => self.out.push(unit),
            }
            at += 1;
        }
        self.out.push(u16::from(b'"'));
        self.check_size(heap)
    }

    /// The words of V8 about a cycle.
    fn circle(&self, heap: &mut Heap, at: Ref, key: Option<Key>) -> Throw {
        let path: Vec<(Option<Key>, Ref)> =
            self.open.iter().map(|open| (open.key, open.at)).collect();
        circle(heap, &path, at, key)
    }
}

/// What `JSON.stringify` says of a cycle: `path` leads to the container whose `key` is `at` again.
pub(crate) fn circle(
    heap: &mut Heap,
    path: &[(Option<Key>, Ref)],
    at: Ref,
    key: Option<Key>,
) -> Throw {
    let start = path.iter().position(|(_, open)| *open == at).unwrap_or(0);
    let circle = &path[start..];
    let class = constructor(heap, at);
    let mut text = format!(
        "Converting circular structure to JSON\n    --> starting at object with constructor '{class}'"
    );
    for (number, (key, at)) in circle.iter().enumerate().skip(1) {
        if number <= 2 || number + 1 == circle.len() {
            let (_, holder) = circle[number - 1];
            let (key, class) = (key_words(heap, holder, *key), constructor(heap, *at));
            text.push_str(&format!(
                "\n    |     {key} -> object with constructor '{class}'"
            ));
        } else if number == 3 {
            text.push_str("\n    |     ...");
        }
    }
    let holder = circle.last().map_or(at, |(_, holder)| *holder);
    let key = key_words(heap, holder, key);
    text.push_str(&format!("\n    --- {key} closes the circle"));
    Throw::type_error(text)
}

fn key_words(heap: &mut Heap, holder: Ref, key: Option<Key>) -> String {
    match key {
        None => "property ''".to_owned(),
        Some(Key::Index(index)) if heap.items(holder).is_some() => format!("index {index}"),
        Some(Key::Index(index)) => format!("property '{index}'"),
        Some(Key::Name(name)) => format!("property '{}'", heap.rust_text(name)),
    }
}

fn constructor(heap: &Heap, at: Ref) -> &'static str {
    match heap.body(at) {
        Body::Array(_) => "Array",
        Body::Error(error) => error.class.name(),
        _ => "Object",
    }
}

fn top_not_empty(open: &mut [Open]) {
    if let Some(top) = open.last_mut() {
        top.empty = false;
    }
}

/// Whether half a surrogate pair stands alone.
fn is_lone(units: &[u16], at: usize) -> bool {
    let high = |unit: &u16| (0xD800..0xDC00).contains(unit);
    let low = |unit: &u16| (0xDC00..0xE000).contains(unit);
    if high(&units[at]) {
        !units.get(at + 1).is_some_and(low)
    } else {
        !at.checked_sub(1)
            .and_then(|before| units.get(before))
            .is_some_and(high)
    }
}

/// The listed keys of an object or error.
fn listed(heap: &Heap, at: Ref) -> Vec<Key> {
    match heap.body(at) {
        Body::Object(props) => props.iter().map(|(key, _)| key).collect(),
        Body::Error(error) => error.props.iter().map(|(key, _)| key).collect(),
        _ => Vec::new(),
    }
}

fn property(heap: &Heap, at: Ref, key: Key) -> Value {
    let found = match heap.body(at) {
        Body::Object(props) => props.get(key),
        Body::Error(error) => error.props.get(key).or_else(|| error.hidden.get(key)),
        _ => None,
    };
    found.unwrap_or_default()
}

/// Whether JSON has a form for a value.
fn is_data(heap: &Heap, value: Value) -> bool {
    !matches!(value, Value::Undefined | Value::Empty) && !heap.is_callable(value)
}

/// An own `toJSON` that can be called.
pub(crate) fn to_json(heap: &mut Heap, at: Ref) -> Option<Value> {
    let key = to_json_key(heap);
    own_to_json(heap, at, key)
}

fn to_json_key(heap: &mut Heap) -> Key {
    Key::Name(heap.intern_str("toJSON"))
}

fn own_to_json(heap: &Heap, at: Ref, key: Key) -> Option<Value> {
    let own = match heap.body(at) {
        Body::Object(props) => props.get(key),
        Body::Error(error) => error.props.get(key),
        _ => None,
    };
    own.filter(|own| heap.is_callable(*own))
}
