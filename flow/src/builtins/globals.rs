//! The functions without a namespace: conversions, `parseInt`, `structuredClone`.

use std::collections::HashMap;

use super::{Builtin, plain};
use crate::error::{ErrorClass, Throw};
use crate::value::error::ErrorBody;
use crate::value::heap::Array;
use crate::value::object::{Key, Props};
use crate::value::table::Table;
use crate::value::{Body, Ref, Value, number};
use crate::vm::cx::{Call, Cx};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    plain("Boolean", 1, boolean),
    plain("Boolean.prototype.toString", 0, to_string),
    plain("Boolean.prototype.valueOf", 0, value_of),
    plain("Number", 1, to_number),
    plain("String", 1, string),
    plain("isFinite", 1, is_finite),
    plain("isNaN", 1, is_nan),
    plain("parseFloat", 1, parse_float),
    plain("parseInt", 2, parse_int),
    plain("structuredClone", 2, structured_clone),
];

/// `Boolean("")` → `false`
fn boolean(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    Ok(Value::Bool(cx.heap.truthy(cx.arg(call, 0))))
}

/// `true.toString()` → `"true"`
fn to_string(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    match call.this {
        Value::Bool(_) => cx.string(call.this).map(Value::String),
        _ => Err(not_boolean("toString")),
    }
}

/// `true.valueOf()` → `true`
fn value_of(_cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    match call.this {
        Value::Bool(_) => Ok(call.this),
        _ => Err(not_boolean("valueOf")),
    }
}

fn not_boolean(name: &str) -> Throw {
    Throw::type_error(format!(
        "Boolean.prototype.{name} requires that 'this' be a Boolean"
    ))
}

/// `Number("12")` → `12`
fn to_number(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    if call.count == 0 {
        return Ok(Value::Number(0.0));
    }
    cx.heap.to_number(cx.arg(call, 0)).map(Value::Number)
}

/// `String(null)` → `"null"`
fn string(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    if call.count == 0 {
        return Ok(Value::String(cx.heap.intern(&[])));
    }
    cx.string(cx.arg(call, 0)).map(Value::String)
}

/// `isFinite("5")` → `true`
fn is_finite(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    Ok(Value::Bool(cx.heap.to_number(cx.arg(call, 0))?.is_finite()))
}

/// `isNaN("x")` → `true`
fn is_nan(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    Ok(Value::Bool(cx.heap.to_number(cx.arg(call, 0))?.is_nan()))
}

/// `parseFloat("1.5px")` → `1.5`
fn parse_float(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let units = cx.units(cx.arg(call, 0))?;
    cx.work(units.len() / 16)?;
    Ok(Value::Number(number::parse_float(&units)))
}

/// `parseInt("ff", 16)` → `255`
fn parse_int(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let units = cx.units(cx.arg(call, 0))?;
    cx.work(units.len() / 16)?;
    let radix = cx.heap.to_int32(cx.arg(call, 1))?;
    Ok(Value::Number(number::parse_int(&units, radix)))
}

/// `structuredClone({a: [1]})` → a deep copy; cycles and shared parts stay as they are.
fn structured_clone(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let mut copier = Copier {
        copies: HashMap::new(),
        work: Vec::new(),
    };
    if call.count == 0 {
        return Err(Throw::type_error(
            "The \"The value argument must be specified\" argument must be specified",
        ));
    }
    let copy = copier.copy(cx, cx.arg(call, 0))?;
    while let Some((from, to)) = copier.work.pop() {
        copier.fill(cx, from, to)?;
    }
    Ok(copy)
}

/// The class of a copied error: what its name says if JavaScript has that class from the start, else `Error`.
fn copied_class(cx: &mut Cx<'_>, error: Ref) -> ErrorClass {
    let class = match (cx.heap.error_get(error, "name"), cx.heap.body(error)) {
        (Some(Value::String(name)), _) => ErrorClass::of_name(&cx.heap.rust_text(name)),
        (Some(_), _) => None,
        (None, Body::Error(error)) => Some(error.class),
        (None, _) => None,
    };
    match class {
        Some(
            class @ (ErrorClass::TypeError
            | ErrorClass::RangeError
            | ErrorClass::SyntaxError
            | ErrorClass::ReferenceError
            | ErrorClass::EvalError
            | ErrorClass::UriError
            | ErrorClass::InvalidCharacterError
            | ErrorClass::DataCloneError),
        ) => class,
        _ => ErrorClass::Error,
    }
}

/// Copies with a list of its own: deep values cost no Rust stack.
struct Copier {
    copies: HashMap<Ref, Ref>,
    /// Copies that are still empty.
    work: Vec<(Ref, Ref)>,
}

impl Copier {
    fn copy(&mut self, cx: &mut Cx<'_>, value: Value) -> Result<Value, Throw> {
        let Value::Object(at) = value else {
            return Ok(value);
        };
        if let Some(copy) = self.copies.get(&at) {
            return Ok(Value::Object(*copy));
        }
        let body = match cx.heap.body(at) {
            // What a namespace holds is not listed.
            Body::Object(_) | Body::Namespace(_) => Body::Object(Props::default()),
            Body::Array(_) => Body::Array(Array::default()),
            Body::Map(_) => Body::Map(Box::default()),
            Body::Set(_) => Body::Set(Box::default()),
            Body::Date(ms) => Body::Date(*ms),
            // `lastIndex` is not copied.
            Body::Regex(_) => {
                let copy = super::regexp::copy(cx, value)?;
                if let Value::Object(copied) = copy {
                    self.copies.insert(at, copied);
                }
                return Ok(copy);
            }
            Body::Error(_) => Body::Error(Box::new(ErrorBody {
                class: copied_class(cx, at),
                props: Props::default(),
                hidden: Props::default(),
            })),
            _ => {
                let what = cx.told(value);
                return Err(Throw::error(
                    ErrorClass::DataCloneError,
                    format!("{what} could not be cloned."),
                ));
            }
        };
        cx.work(1)?;
        cx.heap.meter.charge(64)?;
        let copy = cx.heap.alloc(body);
        self.copies.insert(at, copy);
        self.work.push((at, copy));
        Ok(Value::Object(copy))
    }

    fn fill(&mut self, cx: &mut Cx<'_>, from: Ref, to: Ref) -> Result<(), Throw> {
        match cx.heap.body(from) {
            Body::Array(array) => {
                let items = array.items.clone();
                let names: Option<Vec<_>> =
                    array.names.as_ref().map(|names| names.iter().collect());
                cx.work(items.len())?;
                cx.heap.meter.charge(items.len() * 16)?;
                let mut copied = Vec::with_capacity(items.len());
                for item in items {
                    copied.push(self.copy(cx, item)?);
                }
                let names = match names {
                    Some(names) => Some(Box::new(self.props(cx, names)?)),
                    None => None,
                };
                if let Body::Array(array) = cx.heap.body_mut(to) {
                    array.items = copied;
                    array.names = names;
                }
            }
            Body::Object(props) => {
                let listed: Vec<_> = props.iter().collect();
                let copied = self.props(cx, listed)?;
                *cx.heap.body_mut(to) = Body::Object(copied);
            }
            Body::Error(error) => {
                // JavaScript keeps only what all errors have by themselves.
                let listed: Vec<_> = error.hidden.iter().collect();
                let errors = Key::Name(cx.heap.intern_str("errors"));
                let listed = listed
                    .into_iter()
                    .filter(|(key, _)| *key != errors)
                    .collect();
                let hidden = self.props(cx, listed)?;
                if let Body::Error(copy) = cx.heap.body_mut(to) {
                    copy.hidden = hidden;
                }
            }
            Body::Map(table) | Body::Set(table) => {
                let entries: Vec<(Value, Value)> = table.iter().collect();
                cx.work(entries.len())?;
                cx.heap.meter.charge(entries.len() * 80)?;
                let mut copied = Table::default();
                for (key, value) in entries {
                    let key = self.copy(cx, key)?;
                    copied.set(key, self.copy(cx, value)?);
                }
                if let Body::Map(table) | Body::Set(table) = cx.heap.body_mut(to) {
                    **table = copied;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn props(&mut self, cx: &mut Cx<'_>, listed: Vec<(Key, Value)>) -> Result<Props, Throw> {
        cx.work(listed.len())?;
        cx.heap.meter.charge(listed.len() * 48)?;
        let mut copied = Props::default();
        for (key, value) in listed {
            copied.set(key, self.copy(cx, value)?);
        }
        Ok(copied)
    }
}
