//! `a ** b` to the bit as V8 computes it: the algorithm of fdlibm's `e_pow`, with the one division that V8 groups in its
//! own way.
//!
//! fdlibm: Copyright (C) 2004 by Sun Microsystems, Inc. All rights reserved. Permission to use, copy, modify, and
//! distribute this software is freely granted, provided that this notice is preserved.

/// log2(x) is taken of x divided by these.
const BASES: [f64; 2] = [1.0, 1.5];
/// log2 of the bases, in two parts.
const BASE_LOG_HIGH: [f64; 2] = [0.0, f64::from_bits(0x3FE2_B803_4000_0000)];
const BASE_LOG_LOW: [f64; 2] = [0.0, f64::from_bits(0x3E4C_FDEB_43CF_D006)];
/// (3/2) (log(x) − 2s − 2/3 s³) as a polynomial in s².
const LOG: [f64; 6] = [
    f64::from_bits(0x3FE3_3333_3333_3303),
    f64::from_bits(0x3FDB_6DB6_DB6F_ABFF),
    f64::from_bits(0x3FD5_5555_518F_264D),
    f64::from_bits(0x3FD1_7460_A91D_4101),
    f64::from_bits(0x3FCD_864A_93C9_DB65),
    f64::from_bits(0x3FCA_7E28_4A45_4EEF),
];
/// The exponential's polynomial.
const EXP: [f64; 5] = [
    f64::from_bits(0x3FC5_5555_5555_553E),
    f64::from_bits(0xBF66_C16C_16BE_BD93),
    f64::from_bits(0x3F11_566A_AF25_DE2C),
    f64::from_bits(0xBEBB_BD41_C5D2_6BF1),
    f64::from_bits(0x3E66_3769_72BE_A4D0),
];
/// log 2, and in two parts.
const LN2: f64 = f64::from_bits(0x3FE6_2E42_FEFA_39EF);
const LN2_HIGH: f64 = f64::from_bits(0x3FE6_2E43_0000_0000);
const LN2_LOW: f64 = f64::from_bits(0xBE20_5C61_0CA8_6C39);
/// −(1024 − log2(the largest double + ½ ulp)).
const OVERFLOW: f64 = 8.008_566_259_537_294e-17;
/// 2 / (3 log 2), and in two parts.
const TWO_THIRDS: f64 = f64::from_bits(0x3FEE_C709_DC3A_03FD);
const TWO_THIRDS_HIGH: f64 = f64::from_bits(0x3FEE_C709_E000_0000);
const TWO_THIRDS_LOW: f64 = f64::from_bits(0xBE3E_2FE0_145B_01F5);
/// 1 / log 2, and in two parts.
const INV_LN2: f64 = f64::from_bits(0x3FF7_1547_652B_82FE);
const INV_LN2_HIGH: f64 = f64::from_bits(0x3FF7_1547_6000_0000);
const INV_LN2_LOW: f64 = f64::from_bits(0x3E54_AE0B_F85D_DF44);

/// The upper half of a double's bits.
fn high(number: f64) -> i32 {
    (number.to_bits() >> 32) as i32
}

fn with_high(number: f64, high: i32) -> f64 {
    f64::from_bits(number.to_bits() & 0xFFFF_FFFF | u64::from(high as u32) << 32)
}

/// The number without the lower half of its bits.
fn cut(number: f64) -> f64 {
    f64::from_bits(number.to_bits() & 0xFFFF_FFFF_0000_0000)
}

/// `left ** right`: unlike C's `pow`, 1 to the power of NaN or infinity is NaN.
#[must_use]
pub fn power(left: f64, right: f64) -> f64 {
    let size = left.abs();
    if right.is_nan() || (size == 1.0 && right.is_infinite()) {
        return f64::NAN;
    }
    let plain = [0.0, 1.0, -1.0, 2.0, 0.5].contains(&right) || right.is_infinite();
    let other = size == 0.0 || size == 1.0 || !size.is_finite();
    if plain || other || (left < 0.0 && right.fract() != 0.0) {
        return libm::pow(left, right);
    }
    let result = of_positive(size, right);
    if left < 0.0 && right % 2.0 != 0.0 {
        -result
    } else {
        result
    }
}

/// `base ** exponent` of finite numbers, the base positive and the exponent not 0.
fn of_positive(base: f64, exponent: f64) -> f64 {
    let size = high(exponent) & 0x7FFF_FFFF;
    let (log, rest) = if size > 0x41E0_0000 {
        // |exponent| > 2^31: only a base close to 1 gives neither 0 nor infinity.
        let near = high(base);
        let grows = exponent > 0.0;
        if near < 0x3FEF_FFFF || (size > 0x43F0_0000 && near < 0x3FF0_0000) {
            return if grows { 0.0 } else { f64::INFINITY };
        }
        if near > 0x3FF0_0000 || (size > 0x43F0_0000 && near >= 0x3FF0_0000) {
            return if grows { f64::INFINITY } else { 0.0 };
        }
        log2_near_one(base)
    } else {
        log2(base)
    };
    // (exponent high + low) × (log + rest)
    let front = cut(exponent);
    let low = (exponent - front) * log + exponent * rest;
    exp2(front * log, low)
}

/// log2 of a number within 2^-20 of 1, in two parts.
fn log2_near_one(number: f64) -> (f64, f64) {
    let t = number - 1.0;
    let w = (t * t) * (0.5 - t * (0.333_333_333_333_333_3 - t * 0.25));
    let u = INV_LN2_HIGH * t;
    let v = t * INV_LN2_LOW - w * INV_LN2;
    let log = cut(u + v);
    (log, v - (log - u))
}

/// log2 of a positive number, in two parts.
fn log2(number: f64) -> (f64, f64) {
    let (mut x, mut power) = (number, 0);
    if high(x) < 0x0010_0000 {
        x *= 9_007_199_254_740_992.0;
        power -= 53;
    }
    power += (high(x) >> 20) - 0x3FF;
    let fraction = high(x) & 0x000F_FFFF;
    let mut bits = fraction | 0x3FF0_0000;
    let k = if fraction <= 0x3988E {
        0
    } else if fraction < 0xBB67A {
        1
    } else {
        power += 1;
        bits -= 0x0010_0000;
        0
    };
    x = with_high(x, bits);
    // s = (x − base) / (x + base), in two parts.
    let u = x - BASES[k];
    let v = 1.0 / (x + BASES[k]);
    let s = u * v;
    let s_high = cut(s);
    let t_high = with_high(
        0.0,
        (bits >> 1 | 0x2000_0000) + 0x0008_0000 + ((k as i32) << 18),
    );
    let t_low = x - (t_high - BASES[k]);
    let s_low = v * ((u - s_high * t_high) - s_high * t_low);
    let s2 = s * s;
    let mut r = s2
        * s2
        * (LOG[0] + s2 * (LOG[1] + s2 * (LOG[2] + s2 * (LOG[3] + s2 * (LOG[4] + s2 * LOG[5])))));
    r += s_low * (s_high + s);
    let s2 = s_high * s_high;
    let t_high = cut(3.0 + s2 + r);
    let t_low = r - ((t_high - 3.0) - s2);
    let u = s_high * t_high;
    let v = s_low * t_high + t_low * s;
    let p_high = cut(u + v);
    let p_low = v - (p_high - u);
    let z_high = TWO_THIRDS_HIGH * p_high;
    let z_low = TWO_THIRDS_LOW * p_high + p_low * TWO_THIRDS + BASE_LOG_LOW[k];
    let t = f64::from(power);
    let log = cut(((z_high + z_low) + BASE_LOG_HIGH[k]) + t);
    (log, z_low - (((log - t) - BASE_LOG_HIGH[k]) - z_high))
}

/// 2 to the power of `front + low`.
fn exp2(mut front: f64, low: f64) -> f64 {
    let sum = low + front;
    if sum >= 1024.0 && (sum > 1024.0 || low + OVERFLOW > sum - front) {
        return f64::INFINITY;
    }
    if sum <= -1075.0 && (sum < -1075.0 || low <= sum - front) {
        return 0.0;
    }
    let bits = high(sum);
    let size = bits & 0x7FFF_FFFF;
    let mut whole = 0;
    if size > 0x3FE0_0000 {
        // |sum| > ½: the nearest whole number goes apart.
        let rounded = bits + (0x0010_0000 >> ((size >> 20) - 0x3FE));
        let k = ((rounded & 0x7FFF_FFFF) >> 20) - 0x3FF;
        let part = with_high(0.0, rounded & !(0x000F_FFFF >> k));
        whole = (rounded & 0x000F_FFFF | 0x0010_0000) >> (20 - k);
        if bits < 0 {
            whole = -whole;
        }
        front -= part;
    }
    let t = cut(low + front);
    let u = t * LN2_HIGH;
    let v = (low - (t - front)) * LN2 + t * LN2_LOW;
    let z = u + v;
    let w = v - (z - u);
    let t = z * z;
    let t = z - t * (EXP[0] + t * (EXP[1] + t * (EXP[2] + t * (EXP[3] + t * EXP[4]))));
    // fdlibm: (z·t) / (t − 2) − (w + z·w).
    let r = (z * t) / ((t - 2.0) - (w + z * w));
    let result = 1.0 - (r - z);
    let bits = high(result) + (whole << 20);
    if bits >> 20 <= 0 {
        libm::scalbn(result, whole)
    } else {
        with_high(result, bits)
    }
}

#[cfg(test)]
mod tests {
    use super::power;

    #[test]
    fn the_last_bit_is_that_of_v8() {
        for (base, exponent, expected) in [
            (123.456, 31.0, 6.868_758_551_547_302e64),
            (66.861_581_802_368_16, -23.0, 1.049_390_485_449_444_3e-42),
            (3.664_565_086_364_746, -19.0, 1.921_204_731_367_781e-11),
            (10.0, -5.0, 9.999_999_999_999_999e-6),
            (2.0, -1074.0, 5e-324),
            (-2.0, 3.0, -8.0),
            (2.0, 1024.0, f64::INFINITY),
            (1.000_000_1, 1e10, f64::INFINITY),
        ] {
            assert_eq!(power(base, exponent), expected, "{base} ** {exponent}");
        }
    }
}
