//! Angles reduced to ±π/4, to the bit as V8 does it before it computes a sine, cosine or tangent.
//!
//! fdlibm: Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved. Permission to use, copy, modify, and
//! distribute this software is freely granted, provided that this notice is preserved.

/// π/2 in parts of 33 bits, each with what the parts up to it leave over.
const HALF_PI: [(f64, f64); 3] = [
    (
        f64::from_bits(0x3FF9_21FB_5440_0000),
        f64::from_bits(0x3DD0_B461_1A62_6331),
    ),
    (
        f64::from_bits(0x3DD0_B461_1A60_0000),
        f64::from_bits(0x3BA3_198A_2E03_7073),
    ),
    (
        f64::from_bits(0x3BA3_198A_2E00_0000),
        f64::from_bits(0x397B_839A_2520_49C1),
    ),
];
/// 2/π after the point, 24 bits a word: what the largest double needs.
const TWO_OVER_PI: [u32; 66] = [
    0xA2F983, 0x6E4E44, 0x1529FC, 0x2757D1, 0xF534DD, 0xC0DB62, 0x95993C, 0x439041, 0xFE5163,
    0xABDEBB, 0xC561B7, 0x246E3A, 0x424DD2, 0xE00649, 0x2EEA09, 0xD1921C, 0xFE1DEB, 0x1CB129,
    0xA73EE8, 0x8235F5, 0x2EBB44, 0x84E99C, 0x7026B4, 0x5F7E41, 0x3991D6, 0x398353, 0x39F49C,
    0x845F8B, 0xBDF928, 0x3B1FF8, 0x97FFDE, 0x05980F, 0xEF2F11, 0x8B5A0A, 0x6D1F6D, 0x367ECF,
    0x27CB09, 0xB74F46, 0x3F669E, 0x5FEA2D, 0x7527BA, 0xC7EBE5, 0xF17B3D, 0x0739F7, 0x8A5292,
    0xEA6BFB, 0x5FB11F, 0x8D5D08, 0x560330, 0x46FC7B, 0x6BABF0, 0xCFBC20, 0x9AF436, 0x1DA9E3,
    0x91615E, 0xE61B08, 0x659985, 0x5F14A0, 0x68408D, 0xFFD880, 0x4D7327, 0x310606, 0x1556CA,
    0x73A8C9, 0x60E27B, 0xC08C6B,
];
/// π/2, 24 bits a part.
const HALF_PI_BY_24: [f64; 5] = [
    f64::from_bits(0x3FF9_21FB_4000_0000),
    f64::from_bits(0x3E74_442D_0000_0000),
    f64::from_bits(0x3CF8_4698_8000_0000),
    f64::from_bits(0x3B78_CC51_6000_0000),
    f64::from_bits(0x39F0_1B83_8000_0000),
];
/// The words of 2/π that the first try takes.
const FIRST_WORDS: usize = 4;
const TWO_24: f64 = 16_777_216.0;

/// The upper half of a double's bits, without the sign.
pub(super) fn size(number: f64) -> i32 {
    (number.to_bits() >> 32) as i32 & 0x7FFF_FFFF
}

/// A remainder and what its double leaves over.
pub(super) type Remainder = (f64, f64);

/// The number of quarter turns (its lowest bits) and the rest, in ±π/4, of a finite x that is beyond it.
pub(super) fn reduce(x: f64) -> (i32, Remainder) {
    let (turns, rest) = match size(x) {
        small if small < 0x4002_D97C => (1, reduce_once(x.abs())),
        medium if medium <= 0x4139_21FB => reduce_medium(x.abs()),
        _ => reduce_large(x.abs()),
    };
    if x < 0.0 {
        (-turns, (-rest.0, -rest.1))
    } else {
        (turns, rest)
    }
}

/// The rest of an x below 3π/4 after one quarter turn.
fn reduce_once(x: f64) -> Remainder {
    let mut z = x - HALF_PI[0].0;
    let mut over = HALF_PI[0].1;
    if size(x) == 0x3FF9_21FB {
        z -= HALF_PI[1].0;
        over = HALF_PI[1].1;
    }
    let rest = z - over;
    (rest, (z - rest) - over)
}

/// Up to 2^19 quarter turns: taken off by one part of π/2 after the other, as long as bits cancel out.
fn reduce_medium(x: f64) -> (i32, Remainder) {
    let turns = (x * std::f64::consts::FRAC_2_PI + 0.5) as i32;
    let count = f64::from(turns);
    let mut r = x - count * HALF_PI[0].0;
    let mut w = count * HALF_PI[0].1;
    let mut rest = r - w;
    let near = turns >= 32 || size(x) == size(count * std::f64::consts::FRAC_PI_2);
    let lost = |rest: f64| (size(x) >> 20) - (size(rest) >> 20);
    for (&(part, over), enough) in HALF_PI[1..].iter().zip([16, 49]) {
        if !near || lost(rest) <= enough {
            break;
        }
        let before = r;
        w = count * part;
        r = before - w;
        w = count * over - ((before - r) - w);
        rest = r - w;
    }
    (turns, (rest, (r - rest) - w))
}

/// Payne's and Hanek's way: x by as many words of 2/π as its exponent needs, in pieces of 24 bits.
fn reduce_large(x: f64) -> (i32, Remainder) {
    let exponent = (x.to_bits() >> 52) as i32 - 1046;
    let mut pieces = [0.0; 3];
    let mut left = f64::from_bits(x.to_bits() - ((exponent as u64) << 52));
    for piece in &mut pieces[..2] {
        *piece = left.trunc();
        left = (left - *piece) * TWO_24;
    }
    pieces[2] = left;
    let last = pieces.iter().rposition(|&piece| piece != 0.0).unwrap_or(0);
    let skipped = ((exponent - 3) / 24).max(0);
    let product = |at: usize| {
        let word = |back: usize| {
            let index = skipped as usize + at;
            index
                .checked_sub(back)
                .map_or(0.0, |index| f64::from(TWO_OVER_PI[index]))
        };
        (0..=last).fold(0.0, |sum, piece| sum + pieces[piece] * word(piece))
    };
    let mut products: Vec<f64> = (0..=FIRST_WORDS).map(product).collect();
    let mut scale = exponent - 24 * (skipped + 1);
    loop {
        let (turns, rest, upper) = split(&products, scale);
        let mut words = rest.words;
        let top = words.len();
        if rest.fraction == 0.0 && words[FIRST_WORDS..].iter().all(|&word| word == 0) {
            // All bits cancelled out: more of them.
            let zeros = words[..FIRST_WORDS]
                .iter()
                .rev()
                .take_while(|&&word| word == 0)
                .count();
            products.extend((top + 1..=top + 1 + zeros).map(product));
            continue;
        }
        if rest.fraction == 0.0 {
            scale -= 24;
            while words.last() == Some(&0) {
                words.pop();
                scale -= 24;
            }
        } else {
            let whole = libm::scalbn(rest.fraction, -scale);
            if whole >= TWO_24 {
                let above = (whole / TWO_24).trunc();
                words.extend([(whole - TWO_24 * above) as i32, above as i32]);
                scale += 24;
            } else {
                words.push(whole as i32);
            }
        }
        let (high, low) = by_half_pi(&words, scale);
        let sign = if upper { -1.0 } else { 1.0 };
        return (turns, (sign * high, sign * low));
    }
}

/// What is left of a product behind whole turns: its words, the lowest first, and a fraction above them.
struct Fraction {
    words: Vec<i32>,
    fraction: f64,
}

/// The quarter turns in a product, the rest, and whether the rest is what lacks to the next turn.
fn split(products: &[f64], scale: i32) -> (i32, Fraction, bool) {
    let top = products.len() - 1;
    let mut words = vec![0; top];
    let mut z = products[top];
    for (word, &product) in words.iter_mut().zip(products[..top].iter().rev()) {
        let carry = (z / TWO_24).trunc();
        *word = (z - TWO_24 * carry) as i32;
        z = product + carry;
    }
    z = libm::scalbn(z, scale);
    z -= 8.0 * (z * 0.125).floor();
    let mut turns = z as i32;
    z -= f64::from(turns);
    let above_half = if scale > 0 {
        let whole = words[top - 1] >> (24 - scale);
        turns += whole;
        words[top - 1] -= whole << (24 - scale);
        words[top - 1] >> (23 - scale) > 0
    } else if scale == 0 {
        words[top - 1] >> 23 > 0
    } else {
        z >= 0.5
    };
    if above_half {
        turns += 1;
        let carried = complement(&mut words);
        match scale {
            1 => words[top - 1] &= 0x7F_FFFF,
            2 => words[top - 1] &= 0x3F_FFFF,
            _ => {}
        }
        if scale < 0 {
            z = 1.0 - z;
            if carried {
                z -= libm::scalbn(1.0, scale);
            }
        }
    }
    (turns, Fraction { words, fraction: z }, above_half)
}

/// 1 less the words; whether any was not zero.
fn complement(words: &mut [i32]) -> bool {
    let mut carried = false;
    for word in words {
        if carried {
            *word = 0xFF_FFFF - *word;
        } else if *word != 0 {
            carried = true;
            *word = 0x100_0000 - *word;
        }
    }
    carried
}

/// The words by π/2, as a double and what it leaves over.
fn by_half_pi(words: &[i32], scale: i32) -> Remainder {
    let mut unit = libm::scalbn(1.0, scale);
    let mut scaled = vec![0.0; words.len()];
    for (scaled, &word) in scaled.iter_mut().zip(words).rev() {
        *scaled = unit * f64::from(word);
        unit /= TWO_24;
    }
    let terms: Vec<f64> = (0..scaled.len())
        .rev()
        .map(|from| {
            let pairs = HALF_PI_BY_24.iter().zip(&scaled[from..]);
            pairs.fold(0.0, |sum, (part, word)| sum + part * word)
        })
        .collect();
    let high = terms.iter().rev().fold(0.0, |sum, term| sum + term);
    let low = terms[1..]
        .iter()
        .fold(terms[0] - high, |sum, term| sum + term);
    (high, low)
}
