//! Sine, cosine, tangent and `atan2` to the bit as V8 computes them. `libm` descends from a later form of the same
//! algorithms: it rounds one cosine in fifty otherwise, some tangents near poles, and falls back to π/2 later.
//!
//! fdlibm: Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved. Permission to use, copy, modify, and
//! distribute this software is freely granted, provided that this notice is preserved.

use super::math_reduce::{Remainder, reduce, size};

/// The polynomial of (sin(x) − x) / x³ in x².
const SIN: [f64; 6] = [
    f64::from_bits(0xBFC5_5555_5555_5549),
    f64::from_bits(0x3F81_1111_1110_F8A6),
    f64::from_bits(0xBF2A_01A0_19C1_61D5),
    f64::from_bits(0x3EC7_1DE3_57B1_FE7D),
    f64::from_bits(0xBE5A_E5E6_8A2B_9CEB),
    f64::from_bits(0x3DE5_D93A_5ACF_D57C),
];
/// The polynomial of (cos(x) − 1 + x²/2) / x⁴ in x².
const COS: [f64; 6] = [
    f64::from_bits(0x3FA5_5555_5555_554C),
    f64::from_bits(0xBF56_C16C_16C1_5177),
    f64::from_bits(0x3EFA_01A0_19CB_1590),
    f64::from_bits(0xBE92_7E4F_809C_52AD),
    f64::from_bits(0x3E21_EE9E_BDB4_B1C4),
    f64::from_bits(0xBDA8_FAE9_BE88_38D4),
];
/// The polynomial of (tan(x) − x) / x³ in x².
const TAN: [f64; 13] = [
    f64::from_bits(0x3FD5_5555_5555_5563),
    f64::from_bits(0x3FC1_1111_1110_FE7A),
    f64::from_bits(0x3FAB_A1BA_1BB3_41FE),
    f64::from_bits(0x3F96_64F4_8406_D637),
    f64::from_bits(0x3F82_26E3_E96E_8493),
    f64::from_bits(0x3F6D_6D22_C956_0328),
    f64::from_bits(0x3F57_DBC8_FEE0_8315),
    f64::from_bits(0x3F43_44D8_F2F2_6501),
    f64::from_bits(0x3F30_26F7_1A8D_1068),
    f64::from_bits(0x3F14_7E88_A037_92A6),
    f64::from_bits(0x3F12_B80F_32F0_A7E9),
    f64::from_bits(0xBEF3_75CB_DB60_5373),
    f64::from_bits(0x3EFB_2A70_74BF_7AD4),
];
/// What the double π/4 lacks.
const QUARTER_PI_OVER: f64 = f64::from_bits(0x3C81_A626_3314_5C07);

/// The sine.
pub(super) fn sin(x: f64) -> f64 {
    if !x.is_finite() {
        return f64::NAN;
    }
    if size(x) <= 0x3FE9_21FB {
        return near_sin(x, None);
    }
    let (quadrant, rest) = reduce(x);
    match quadrant & 3 {
        0 => near_sin(rest.0, Some(rest.1)),
        1 => near_cos(rest),
        2 => -near_sin(rest.0, Some(rest.1)),
        _ => -near_cos(rest),
    }
}

/// The cosine.
pub(super) fn cos(x: f64) -> f64 {
    if !x.is_finite() {
        return f64::NAN;
    }
    if size(x) <= 0x3FE9_21FB {
        return near_cos((x, 0.0));
    }
    let (quadrant, rest) = reduce(x);
    match quadrant & 3 {
        0 => near_cos(rest),
        1 => -near_sin(rest.0, Some(rest.1)),
        2 => -near_cos(rest),
        _ => near_sin(rest.0, Some(rest.1)),
    }
}

/// The tangent.
pub(super) fn tan(x: f64) -> f64 {
    if !x.is_finite() {
        return f64::NAN;
    }
    if size(x) <= 0x3FE9_21FB {
        return near_tan((x, 0.0), false);
    }
    let (quadrant, rest) = reduce(x);
    near_tan(rest, quadrant & 1 == 1)
}

/// The angle of the point (x, y).
pub(super) fn atan2(y: f64, x: f64) -> f64 {
    // Left of the y axis and nearly on it: the axis, before `libm` thinks so.
    let steep = (size(y) - size(x)) >> 20 > 60;
    if steep && x < 0.0 && x.is_finite() && y.is_finite() {
        return std::f64::consts::FRAC_PI_2.copysign(y);
    }
    libm::atan2(y, x)
}

/// The sine of an x in ±π/4, and of what x leaves over.
fn near_sin(x: f64, over: Option<f64>) -> f64 {
    if size(x) < 0x3E40_0000 {
        return x;
    }
    let z = x * x;
    let v = z * x;
    let r = SIN[1] + z * (SIN[2] + z * (SIN[3] + z * (SIN[4] + z * SIN[5])));
    match over {
        None => x + v * (SIN[0] + z * r),
        Some(over) => x - ((z * (0.5 * over - v * r) - over) - v * SIN[0]),
    }
}

/// The cosine of an x in ±π/4.
fn near_cos((x, over): Remainder) -> f64 {
    let size = size(x);
    if size < 0x3E40_0000 {
        return 1.0;
    }
    let z = x * x;
    let r = z * (COS[0] + z * (COS[1] + z * (COS[2] + z * (COS[3] + z * (COS[4] + z * COS[5])))));
    if size < 0x3FD3_3333 {
        return 1.0 - (0.5 * z - (z * r - x * over));
    }
    // About x/4: 1 and x²/2 less this are exact.
    let quarter = if size > 0x3FE9_0000 {
        0.28125
    } else {
        f64::from_bits(((size - 0x0020_0000) as u64) << 32)
    };
    let half = 0.5 * z - quarter;
    (1.0 - quarter) - (half - (z * r - x * over))
}

/// The tangent of an x in ±π/4, or after an odd number of quarter turns −1 by it.
fn near_tan((given, given_over): Remainder, odd: bool) -> f64 {
    let big = size(given) >= 0x3FE5_9428;
    let (mut x, mut over) = (given, given_over);
    if size(given) < 0x3E30_0000 {
        return if odd {
            minus_inverse(x + over, x, over)
        } else {
            x
        };
    }
    if big {
        if x < 0.0 {
            (x, over) = (-x, -over);
        }
        x = (std::f64::consts::FRAC_PI_4 - x) + (QUARTER_PI_OVER - over);
        over = 0.0;
    }
    let z = x * x;
    let w = z * z;
    let even = w * (TAN[3] + w * (TAN[5] + w * (TAN[7] + w * (TAN[9] + w * TAN[11]))));
    let uneven = w * (TAN[4] + w * (TAN[6] + w * (TAN[8] + w * (TAN[10] + w * TAN[12]))));
    let s = z * x;
    let r = over + z * (s * ((TAN[1] + even) + z * (TAN[2] + uneven)) + over) + TAN[0] * s;
    let w = x + r;
    if big {
        let one = if odd { -1.0 } else { 1.0 };
        let result = one - 2.0 * (x - (w * w / (w + one) - r));
        return if given < 0.0 { -result } else { result };
    }
    if odd { minus_inverse(w, x, r) } else { w }
}

/// −1 / whole, where whole is x and what it leaves over: in two parts, since a division alone rounds twice.
fn minus_inverse(whole: f64, x: f64, over: f64) -> f64 {
    let cut = |number: f64| f64::from_bits(number.to_bits() & 0xFFFF_FFFF_0000_0000);
    let high = cut(whole);
    let low = over - (high - x);
    let inverse = -1.0 / whole;
    let start = cut(inverse);
    start + inverse * ((1.0 + start * high) + start * low)
}
