//! Numbers as they are written: 0.1 is a tenth, and the last digit of a long one counts.

use std::cmp::Ordering;

/// Digits that are compared exactly.
const DIGITS: usize = 36;

/// A number of JSON.
#[derive(Clone, Debug)]
pub(super) struct Number {
    text: String,
    /// `mantissa · 10^exponent`, without zeros at the end; none for one with too many digits.
    exact: Option<(i128, i32)>,
}

impl Number {
    pub(super) fn of(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            exact: exact(text),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn float(&self) -> f64 {
        self.text.parse().unwrap_or(f64::NAN)
    }

    pub(super) fn is_integer(&self) -> bool {
        match self.exact {
            Some((_, exponent)) => exponent >= 0,
            None => {
                let fraction = self.text.split_once('.').map_or("", |(_, rest)| rest);
                fraction.bytes().all(|digit| digit == b'0')
            }
        }
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        if let (Some(one), Some(other)) = (self.exact, other.exact)
            && let Some((one, other)) = aligned(one, other)
        {
            return one.cmp(&other);
        }
        self.float()
            .partial_cmp(&other.float())
            .unwrap_or(Ordering::Equal)
    }

    pub(super) fn is_multiple_of(&self, step: &Self) -> bool {
        if let (Some(one), Some(step)) = (self.exact, step.exact)
            && let Some(is_multiple) = is_multiple(one, step)
        {
            return is_multiple;
        }
        let ratio = self.float() / step.float();
        !ratio.is_finite() || ratio.fract() == 0.0
    }

    /// The same text for equal numbers.
    pub(super) fn canonical(&self) -> String {
        match self.exact {
            Some((mantissa, exponent)) => format!("{mantissa}e{exponent}"),
            None => self.text.clone(),
        }
    }
}

/// Whether one number is a multiple of another; none for a step with more digits than can be multiplied.
fn is_multiple((one, power): (i128, i32), (step, step_power): (i128, i32)) -> Option<bool> {
    let shift = i64::from(power) - i64::from(step_power);
    if shift < 0 {
        // A mantissa has no zeros at its end, so what has more places after the point is no multiple.
        return Some(one == 0);
    }
    let step = u128::from(u64::try_from(step).ok().filter(|step| *step > 0)?);
    // 10^shift, modulo the step: no number is too large for that.
    let (mut factor, mut base, mut left) = (1 % step, 10 % step, shift);
    while left > 0 {
        if left & 1 == 1 {
            factor = factor * base % step;
        }
        base = base * base % step;
        left >>= 1;
    }
    Some(one.unsigned_abs() % step * factor % step == 0)
}

/// Both mantissas for one exponent, if they have room.
fn aligned(one: (i128, i32), other: (i128, i32)) -> Option<(i128, i128)> {
    let least = one.1.min(other.1);
    let scaled = |(mantissa, exponent): (i128, i32)| {
        let factor = 10_i128.checked_pow(exponent.checked_sub(least)?.try_into().ok()?)?;
        mantissa.checked_mul(factor)
    };
    Some((scaled(one)?, scaled(other)?))
}

fn exact(text: &str) -> Option<(i128, i32)> {
    let (digits, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches(['-', '+', '0']);
    if significant.len() > DIGITS {
        return None;
    }
    let mut mantissa: i128 = all.parse().ok()?;
    let mut exponent = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    if mantissa == 0 {
        return Some((0, 0));
    }
    while mantissa % 10 == 0 {
        mantissa /= 10;
        exponent = exponent.checked_add(1)?;
    }
    Some((mantissa, exponent))
}
