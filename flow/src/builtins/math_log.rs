//! Logarithms and the inverse hyperbolic functions to the bit as V8 computes them. `libm` descends from a later, simplified
//! form of the same algorithms, which rounds one input in a hundred otherwise.
//!
//! fdlibm: Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved. Permission to use, copy, modify, and
//! distribute this software is freely granted, provided that this notice is preserved.

/// ln 2 in two parts.
const LN2_HIGH: f64 = f64::from_bits(0x3FE6_2E42_FEE0_0000);
const LN2_LOW: f64 = f64::from_bits(0x3DEA_39EF_3579_3C76);
/// The polynomial of (log(1 + s) − log(1 − s)) / s − 2 in s².
const LG: [f64; 7] = [
    f64::from_bits(0x3FE5_5555_5555_5593),
    f64::from_bits(0x3FD9_9999_9997_FA04),
    f64::from_bits(0x3FD2_4924_9422_9359),
    f64::from_bits(0x3FCC_71C5_1D8E_78AF),
    f64::from_bits(0x3FC7_4664_96CB_03DE),
    f64::from_bits(0x3FC3_9A09_D078_C69F),
    f64::from_bits(0x3FC2_F112_DF3E_5244),
];

/// The upper half of a double's bits.
fn high(number: f64) -> i32 {
    (number.to_bits() >> 32) as i32
}

/// The natural logarithm.
pub(super) fn log(number: f64) -> f64 {
    if number == 0.0 {
        return f64::NEG_INFINITY;
    }
    if number.is_nan() || number < 0.0 {
        return f64::NAN;
    }
    if number.is_infinite() {
        return number;
    }
    let (mut x, mut power) = (number, 0);
    if high(x) < 0x0010_0000 {
        power -= 54;
        x *= 18_014_398_509_481_984.0;
    }
    power += (high(x) >> 20) - 1023;
    let fraction = high(x) & 0x000F_FFFF;
    let halved = (fraction + 0x95F64) & 0x0010_0000;
    // x or x / 2, near 1.
    let bits = fraction | (halved ^ 0x3FF0_0000);
    x = f64::from_bits(x.to_bits() & 0xFFFF_FFFF | u64::from(bits as u32) << 32);
    power += halved >> 20;
    let k = f64::from(power);
    let f = x - 1.0;
    if 0x000F_FFFF & (2 + fraction) < 3 {
        // |f| < 2^-20
        if f == 0.0 {
            return k * LN2_HIGH + k * LN2_LOW;
        }
        let r = f * f * (0.5 - 0.333_333_333_333_333_3 * f);
        return match power {
            0 => f - r,
            _ => k * LN2_HIGH - ((r - k * LN2_LOW) - f),
        };
    }
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let t1 = w * (LG[1] + w * (LG[3] + w * LG[5]));
    let t2 = z * (LG[0] + w * (LG[2] + w * (LG[4] + w * LG[6])));
    let r = t2 + t1;
    if (fraction - 0x6147A) | (0x6B851 - fraction) > 0 {
        let half = 0.5 * f * f;
        return match power {
            0 => f - (half - s * (half + r)),
            _ => k * LN2_HIGH - ((half - (s * (half + r) + k * LN2_LOW)) - f),
        };
    }
    match power {
        0 => f - s * (f - r),
        _ => k * LN2_HIGH - ((s * (f - r) - k * LN2_LOW) - f),
    }
}

/// The natural logarithm of 1 + x, exact for small x.
pub(super) fn log1p(x: f64) -> f64 {
    if x.is_nan() || x < -1.0 {
        return f64::NAN;
    }
    if x == -1.0 {
        return f64::NEG_INFINITY;
    }
    if x.is_infinite() {
        return x;
    }
    let bits = high(x);
    let size = bits & 0x7FFF_FFFF;
    if size < 0x3E20_0000 {
        // |x| < 2^-29
        return if size < 0x3C90_0000 {
            x
        } else {
            x - x * x * 0.5
        };
    }
    let near = bits < 0x3FDA_827A && (bits > 0 || bits <= 0xBFD2_BEC4_u32 as i32);
    let (f, fraction, power, correction) = if near {
        (x, 1, 0, 0.0)
    } else {
        let (u, lost) = if bits < 0x4340_0000 {
            let u = 1.0 + x;
            let power = (high(u) >> 20) - 1023;
            let lost = if power > 0 {
                1.0 - (u - x)
            } else {
                x - (u - 1.0)
            };
            (u, lost / u)
        } else {
            (x, 0.0)
        };
        let power = (high(u) >> 20) - 1023;
        let fraction = high(u) & 0x000F_FFFF;
        let with_high =
            |bits: i32| f64::from_bits(u.to_bits() & 0xFFFF_FFFF | u64::from(bits as u32) << 32);
        if fraction < 0x6A09E {
            (
                with_high(fraction | 0x3FF0_0000) - 1.0,
                fraction,
                power,
                lost,
            )
        } else {
            let f = with_high(fraction | 0x3FE0_0000) - 1.0;
            (f, (0x0010_0000 - fraction) >> 2, power + 1, lost)
        }
    };
    let k = f64::from(power);
    let low = k * LN2_LOW + correction;
    let half = 0.5 * f * f;
    if fraction == 0 {
        // |f| < 2^-20
        if f == 0.0 {
            return k * LN2_HIGH + low;
        }
        let r = half * (1.0 - 0.666_666_666_666_666_6 * f);
        return match power {
            0 => f - r,
            _ => k * LN2_HIGH - ((r - low) - f),
        };
    }
    let s = f / (2.0 + f);
    let z = s * s;
    let inner = LG[3] + z * (LG[4] + z * (LG[5] + z * LG[6]));
    let r = z * (LG[0] + z * (LG[1] + z * (LG[2] + z * inner)));
    match power {
        0 => f - (half - s * (half + r)),
        _ => k * LN2_HIGH - ((half - (s * (half + r) + low)) - f),
    }
}

/// The inverse of the hyperbolic cosine.
pub(super) fn acosh(x: f64) -> f64 {
    if x.is_nan() || x < 1.0 {
        return f64::NAN;
    }
    if high(x) >= 0x41B0_0000 {
        return log(x) + std::f64::consts::LN_2;
    }
    if x > 2.0 && high(x) > 0x4000_0000 {
        return log(2.0 * x - 1.0 / (x + (x * x - 1.0).sqrt()));
    }
    let t = x - 1.0;
    log1p(t + (2.0 * t + t * t).sqrt())
}

/// The inverse of the hyperbolic sine.
pub(super) fn asinh(x: f64) -> f64 {
    let size = x.abs();
    let bits = high(size);
    if !x.is_finite() || bits < 0x3E30_0000 {
        return x;
    }
    let result = if bits > 0x41B0_0000 {
        log(size) + std::f64::consts::LN_2
    } else if bits > 0x4000_0000 {
        log(2.0 * size + 1.0 / ((x * x + 1.0).sqrt() + size))
    } else {
        let t = x * x;
        log1p(size + t / (1.0 + (1.0 + t).sqrt()))
    };
    result.copysign(x)
}

/// The inverse of the hyperbolic tangent.
pub(super) fn atanh(x: f64) -> f64 {
    let size = x.abs();
    if x.is_nan() || size > 1.0 {
        return f64::NAN;
    }
    if size == 1.0 {
        return f64::INFINITY.copysign(x);
    }
    if high(size) < 0x3E30_0000 {
        return x;
    }
    let result = if high(size) < 0x3FE0_0000 {
        let t = size + size;
        0.5 * log1p(t + t * size / (1.0 - size))
    } else {
        0.5 * log1p((size + size) / (1.0 - size))
    };
    result.copysign(x)
}
