//! `Math`, as far as it is pure; `Math.random` asks the host.
//!
//! Transcendental functions come from `libm`: like V8's they descend from FreeBSD's, and unlike the
//! system's they give the same bits on every machine. Where `libm` rounds otherwise than V8, they stand here, in
//! `math_log` and in `math_trig`.

use super::{Builtin, math_log, math_trig, plain};
use crate::error::Throw;
use crate::value::Value;
use crate::value::number::power;
use crate::vm::cx::{Call, Cx};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    plain("Math.abs", 1, abs),
    plain("Math.acos", 1, acos),
    plain("Math.acosh", 1, acosh),
    plain("Math.asin", 1, asin),
    plain("Math.asinh", 1, asinh),
    plain("Math.atan", 1, atan),
    plain("Math.atan2", 2, atan2),
    plain("Math.atanh", 1, atanh),
    plain("Math.cbrt", 1, cbrt),
    plain("Math.ceil", 1, ceil),
    plain("Math.clz32", 1, clz32),
    plain("Math.cos", 1, cos),
    plain("Math.cosh", 1, cosh),
    plain("Math.exp", 1, exp),
    plain("Math.expm1", 1, expm1),
    plain("Math.floor", 1, floor),
    plain("Math.fround", 1, fround),
    plain("Math.hypot", 2, hypot),
    plain("Math.imul", 2, imul),
    plain("Math.log", 1, log),
    plain("Math.log10", 1, log10),
    plain("Math.log1p", 1, log1p),
    plain("Math.log2", 1, log2),
    plain("Math.max", 2, max),
    plain("Math.min", 2, min),
    plain("Math.pow", 2, pow),
    plain("Math.random", 0, random),
    plain("Math.round", 1, round),
    plain("Math.sign", 1, sign),
    plain("Math.sin", 1, sin),
    plain("Math.sinh", 1, sinh),
    plain("Math.sqrt", 1, sqrt),
    plain("Math.tan", 1, tan),
    plain("Math.tanh", 1, tanh),
    plain("Math.trunc", 1, trunc),
];

/// The constants of this file.
pub(super) const CONSTANTS: &[(&str, f64)] = &[
    ("Math.E", std::f64::consts::E),
    ("Math.LN10", std::f64::consts::LN_10),
    ("Math.LN2", std::f64::consts::LN_2),
    ("Math.LOG10E", std::f64::consts::LOG10_E),
    ("Math.LOG2E", std::f64::consts::LOG2_E),
    ("Math.PI", std::f64::consts::PI),
    ("Math.SQRT1_2", std::f64::consts::FRAC_1_SQRT_2),
    ("Math.SQRT2", std::f64::consts::SQRT_2),
];

/// Builtins of one number that Rust has under some name.
macro_rules! of_one_number {
    ($($name:ident => $what:expr;)*) => {
        $(fn $name(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
            let value = cx.arg(call, 0);
            let number = cx.heap.to_number(value)?;
            let what: fn(f64) -> f64 = $what;
            Ok(Value::Number(what(number)))
        })*
    };
}

of_one_number! {
    abs => f64::abs;
    acos => libm::acos;
    acosh => math_log::acosh;
    asin => libm::asin;
    asinh => math_log::asinh;
    atan => libm::atan;
    atanh => math_log::atanh;
    cbrt => cbrt_of;
    ceil => f64::ceil;
    cos => math_trig::cos;
    cosh => cosh_of;
    exp => exp_of;
    expm1 => libm::expm1;
    floor => f64::floor;
    fround => |x| f64::from(x as f32);
    log => math_log::log;
    log10 => log10_of;
    log1p => math_log::log1p;
    log2 => libm::log2;
    // Halves go up, also below zero; adding 0.5 first would round 0.49999999999999994 to 1.
    round => |x| {
        let low = x.floor();
        let rounded = if x - low >= 0.5 { low + 1.0 } else { low };
        rounded.copysign(x)
    };
    sign => |x| if x == 0.0 || x.is_nan() { x } else { x.signum() };
    sin => math_trig::sin;
    sinh => sinh_of;
    sqrt => f64::sqrt;
    tan => math_trig::tan;
    tanh => tanh_of;
    trunc => f64::trunc;
}

fn atan2(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (y, x) = two(cx, call)?;
    Ok(Value::Number(math_trig::atan2(y, x)))
}

/// `Math.pow(a, b)`, which is `a ** b`.
fn pow(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (base, exponent) = two(cx, call)?;
    Ok(Value::Number(power(base, exponent)))
}

/// The cube root as V8 computes it: FreeBSD's way, which is not always the nearest double.
fn cbrt_of(x: f64) -> f64 {
    const P: [f64; 5] = [
        1.875_951_824_271_77,
        -1.884_979_795_433_771_7,
        1.621_429_720_105_354_5,
        -0.758_397_934_778_766,
        0.145_996_192_886_612_45,
    ];
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    let high = |x: f64| (x.abs().to_bits() >> 32) as u32;
    let third = if x.abs() < f64::MIN_POSITIVE {
        high(x * 2f64.powi(54)) / 3 + 696_219_795
    } else {
        high(x) / 3 + 715_094_163
    };
    // About five bits, then a polynomial to 23.
    let mut root = f64::from_bits(u64::from(third) << 32).copysign(x);
    let r = (root * root) * (root / x);
    root *= (P[0] + r * (P[1] + r * P[2])) + ((r * r) * r) * (P[3] + r * P[4]);
    // Rounded so that its square is exact, then one step of Newton's.
    root = f64::from_bits((root.to_bits() + 0x8000_0000) & 0xFFFF_FFFF_C000_0000);
    let square = root * root;
    let quotient = x / square;
    root + root * ((quotient - root) / (root + root + quotient))
}

/// The decimal logarithm as V8 computes it: exact for powers of ten.
fn log10_of(x: f64) -> f64 {
    // 1 / ln 10, and log10 2 in two parts.
    const INV_LN10: f64 = std::f64::consts::LOG10_E;
    const LOG10_2_HIGH: f64 = 0.301_029_995_663_611_77;
    const LOG10_2_LOW: f64 = 3.694_239_077_158_931e-13;
    if x.is_nan() || x <= 0.0 || x.is_infinite() || x == 1.0 {
        return libm::log10(x);
    }
    let (scaled, offset) = if x < f64::MIN_POSITIVE {
        (x * 2f64.powi(54), -54)
    } else {
        (x, 0)
    };
    let exponent = (scaled.to_bits() >> 52) as i32 - 1023;
    let below = i32::from(exponent + offset < 0);
    let mantissa = scaled.to_bits() & ((1 << 52) - 1) | ((1023 - below as u64) << 52);
    let whole = f64::from(exponent + offset + below);
    let low = whole * LOG10_2_LOW + INV_LN10 * math_log::log(f64::from_bits(mantissa));
    low + whole * LOG10_2_HIGH
}

/// `e ** x` as V8 computes it: exact for 1.
fn exp_of(x: f64) -> f64 {
    if x == 1.0 {
        std::f64::consts::E
    } else {
        libm::exp(x)
    }
}

/// Above this, `e ** x` is not finite, but half of it may be.
const MOST_EXPONENT: f64 = 709.78;

/// The hyperbolic cosine as V8 computes it.
fn cosh_of(x: f64) -> f64 {
    let size = x.abs();
    if size < 0.5 * std::f64::consts::LN_2 {
        let part = libm::expm1(size);
        let whole = 1.0 + part;
        1.0 + (part * part) / (whole + whole)
    } else if size < 22.0 {
        let part = exp_of(size);
        0.5 * part + 0.5 / part
    } else if size < MOST_EXPONENT {
        0.5 * exp_of(size)
    } else {
        let root = exp_of(0.5 * size);
        0.5 * root * root
    }
}

/// The hyperbolic sine as V8 computes it.
fn sinh_of(x: f64) -> f64 {
    let (size, half) = (x.abs(), 0.5_f64.copysign(x));
    if size < f64::from_bits(0x3E30_0000_0000_0000) {
        x
    } else if size < 1.0 {
        let part = libm::expm1(size);
        half * (2.0 * part - part * part / (part + 1.0))
    } else if size < 22.0 {
        let part = libm::expm1(size);
        half * (part + part / (part + 1.0))
    } else if size < MOST_EXPONENT {
        half * exp_of(size)
    } else {
        let root = exp_of(0.5 * size);
        half * root * root
    }
}

/// The hyperbolic tangent as V8 computes it.
fn tanh_of(x: f64) -> f64 {
    let size = x.abs();
    if x.is_nan() || size < f64::from_bits(0x3E30_0000_0000_0000) {
        return x;
    }
    let positive = if size >= 22.0 {
        1.0
    } else if size >= 1.0 {
        1.0 - 2.0 / (libm::expm1(2.0 * size) + 2.0)
    } else {
        let part = libm::expm1(-2.0 * size);
        -part / (part + 2.0)
    };
    positive.copysign(x)
}

fn two(cx: &mut Cx<'_>, call: Call) -> Result<(f64, f64), Throw> {
    let (first, second) = (cx.arg(call, 0), cx.arg(call, 1));
    Ok((cx.heap.to_number(first)?, cx.heap.to_number(second)?))
}

/// All arguments as numbers.
fn numbers(cx: &mut Cx<'_>, call: Call) -> Result<Vec<f64>, Throw> {
    cx.work(call.count as usize)?;
    cx.args(call)
        .into_iter()
        .map(|value| cx.heap.to_number(value))
        .collect()
}

fn max(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let larger = |a: f64, b: f64| {
        if a > b || (a == b && b.is_sign_negative()) {
            a
        } else {
            b
        }
    };
    extreme(cx, call, f64::NEG_INFINITY, larger)
}

fn min(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let smaller = |a: f64, b: f64| {
        if a < b || (a == b && a.is_sign_negative()) {
            a
        } else {
            b
        }
    };
    extreme(cx, call, f64::INFINITY, smaller)
}

fn extreme(
    cx: &mut Cx<'_>,
    call: Call,
    of_none: f64,
    better: fn(f64, f64) -> f64,
) -> Result<Value, Throw> {
    let given = numbers(cx, call)?;
    if given.iter().any(|number| number.is_nan()) {
        return Ok(Value::Number(f64::NAN));
    }
    Ok(Value::Number(given.into_iter().fold(of_none, better)))
}

fn hypot(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let given = numbers(cx, call)?;
    if given.iter().any(|number| number.is_infinite()) {
        return Ok(Value::Number(f64::INFINITY));
    }
    let largest = given.iter().fold(0.0_f64, |largest, number| {
        if number.is_nan() {
            f64::NAN
        } else {
            largest.max(number.abs())
        }
    });
    if largest == 0.0 || given.iter().any(|number| number.is_nan()) {
        return Ok(Value::Number(
            if given.iter().any(|number| number.is_nan()) {
                f64::NAN
            } else {
                0.0
            },
        ));
    }
    // Scaled, so that squares do not overflow; summed with Kahan's compensation, as V8 does.
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for number in given {
        let scaled = number / largest;
        let term = scaled * scaled - lost;
        let next = sum + term;
        lost = (next - sum) - term;
        sum = next;
    }
    Ok(Value::Number(sum.sqrt() * largest))
}

fn imul(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let (a, b) = (cx.arg(call, 0), cx.arg(call, 1));
    let product = cx.heap.to_int32(a)?.wrapping_mul(cx.heap.to_int32(b)?);
    Ok(Value::Number(f64::from(product)))
}

fn clz32(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let value = cx.arg(call, 0);
    Ok(Value::Number(f64::from(
        cx.heap.to_int32(value)?.leading_zeros(),
    )))
}

fn random(cx: &mut Cx<'_>, _call: Call) -> Result<Value, Throw> {
    Ok(Value::Number(cx.host.random()))
}
