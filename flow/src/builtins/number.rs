//! `Number`: tests, formats, constants. How numbers are written is in `value::number`.

use super::{Builtin, plain};
use crate::error::Throw;
use crate::value::number::{self, to_exponential, to_fixed, to_precision, to_radix};
use crate::value::{Heap, Value};
use crate::vm::cx::{Call, Cx};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    plain("Number.isFinite", 1, is_finite),
    plain("Number.isInteger", 1, is_integer),
    plain("Number.isNaN", 1, is_nan),
    plain("Number.isSafeInteger", 1, is_safe_integer),
    plain("Number.prototype.toExponential", 1, exponential),
    plain("Number.prototype.toFixed", 1, fixed),
    plain("Number.prototype.toPrecision", 1, precision),
    plain("Number.prototype.toString", 1, to_string),
    plain("Number.prototype.valueOf", 0, value_of),
];

/// The constants of this file.
pub(super) const CONSTANTS: &[(&str, f64)] = &[
    ("Number.EPSILON", f64::EPSILON),
    ("Number.MAX_SAFE_INTEGER", MAX_SAFE),
    ("Number.MAX_VALUE", f64::MAX),
    ("Number.MIN_SAFE_INTEGER", -MAX_SAFE),
    ("Number.MIN_VALUE", 5e-324),
    ("Number.NEGATIVE_INFINITY", f64::NEG_INFINITY),
    ("Number.NaN", f64::NAN),
    ("Number.POSITIVE_INFINITY", f64::INFINITY),
];

const MAX_SAFE: f64 = 9_007_199_254_740_991.0;

fn test(cx: &Cx<'_>, call: Call, holds: fn(f64) -> bool) -> Result<Value, Throw> {
    Ok(Value::Bool(
        matches!(cx.arg(call, 0), Value::Number(number) if holds(number)),
    ))
}

/// `Number.isFinite("5")` → `false`
fn is_finite(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    test(cx, call, f64::is_finite)
}

/// `Number.isInteger(5)` → `true`
fn is_integer(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    test(cx, call, |number| {
        number.is_finite() && number.fract() == 0.0
    })
}

/// `Number.isNaN("x")` → `false`
fn is_nan(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    test(cx, call, f64::is_nan)
}

/// `Number.isSafeInteger(2 ** 53)` → `false`
fn is_safe_integer(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    test(cx, call, |number| {
        number.fract() == 0.0 && number.abs() <= MAX_SAFE
    })
}

fn receiver(call: Call, name: &str) -> Result<f64, Throw> {
    match call.this {
        Value::Number(number) => Ok(number),
        _ => Err(Throw::type_error(format!(
            "Number.prototype.{name} requires that 'this' be a Number"
        ))),
    }
}

/// A count of digits between two bounds.
fn digits(heap: &mut Heap, value: Value, least: f64, name: &str) -> Result<usize, Throw> {
    let count = heap.to_integer(value)?;
    if !(least..=100.0).contains(&count) {
        let message = match name {
            "toPrecision" => "toPrecision() argument must be between 1 and 100".to_owned(),
            "toExponential" => "toExponential() argument must be between 0 and 100".to_owned(),
            _ => format!("{name}() digits argument must be between 0 and 100"),
        };
        return Err(Throw::range_error(message));
    }
    Ok(count as usize)
}

/// `(1.005).toFixed(2)` → `"1.00"`
fn fixed(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let number = receiver(call, "toFixed")?;
    let places = digits(cx.heap, cx.arg(call, 0), 0.0, "toFixed")?;
    let text = if number.is_finite() && number.abs() < 1e21 {
        to_fixed(number, places)
    } else {
        number::format(number)
    };
    cx.heap.str(&text)
}

/// `(1234.5).toExponential(1)` → `"1.2e+3"`
fn exponential(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let number = receiver(call, "toExponential")?;
    let places = cx.arg(call, 0);
    if !number.is_finite() {
        // Only a number with digits minds how many are asked for, but all mind what is no number.
        cx.heap.to_integer(places)?;
        return cx.heap.str(&number::format(number));
    }
    let count = digits(cx.heap, places, 0.0, "toExponential")?;
    let text = to_exponential(number, (!places.is_undefined()).then_some(count));
    cx.heap.str(&text)
}

/// `(123.456).toPrecision(4)` → `"123.5"`
fn precision(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let number = receiver(call, "toPrecision")?;
    let count = cx.arg(call, 0);
    if !number.is_finite() {
        cx.heap.to_integer(count)?;
        return cx.heap.str(&number::format(number));
    }
    if count.is_undefined() {
        return cx.heap.str(&number::format(number));
    }
    let count = digits(cx.heap, count, 1.0, "toPrecision")?;
    cx.heap.str(&to_precision(number, count))
}

/// `(255).toString(16)` → `"ff"`
fn to_string(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let number = receiver(call, "toString")?;
    let radix = match cx.arg(call, 0) {
        Value::Undefined => 10.0,
        radix => cx.heap.to_integer(radix)?,
    };
    if !(2.0..=36.0).contains(&radix) {
        return Err(Throw::range_error(
            "toString() radix argument must be between 2 and 36",
        ));
    }
    let text = if radix == 10.0 || !number.is_finite() {
        number::format(number)
    } else {
        to_radix(number, radix as u32)
    };
    cx.heap.str(&text)
}

/// `(5).valueOf()` → `5`
fn value_of(_cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    receiver(call, "valueOf").map(Value::Number)
}
