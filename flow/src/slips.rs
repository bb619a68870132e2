//! Names that differ as names do when one is mistyped: by one letter, or by two swapped ones.
//!
//! Knows nothing of what the names are of. Never compares all names with all others.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};

use crate::nearest::MAX_LENGTH;

/// In shorter names one letter makes another word.
const MIN_LENGTH: usize = 5;

/// Names among which slips are looked for.
pub(crate) struct Slips<'n> {
    names: Vec<&'n str>,
    /// What each becomes when one letter is left out, with the number of the name; sorted.
    without: Vec<(u64, usize)>,
}

impl<'n> Slips<'n> {
    /// Names in their order.
    pub(crate) fn new(names: impl IntoIterator<Item = &'n str>) -> Self {
        let names: Vec<&str> = names
            .into_iter()
            .filter(|name| is_comparable(name))
            .collect();
        let all = names.iter().enumerate();
        let mut without: Vec<(u64, usize)> = all
            .flat_map(|(number, name)| keys(name).into_iter().map(move |key| (key, number)))
            .collect();
        without.sort_unstable();
        Self { names, without }
    }

    /// The first name of which this one may be a slip.
    pub(crate) fn of(&self, name: &str) -> Option<&'n str> {
        if !is_comparable(name) || self.names.is_empty() {
            return None;
        }
        let first = keys(name).into_iter().filter_map(|key| {
            let from = self.without.partition_point(|(other, _)| *other < key);
            let mut same = self.without[from..]
                .iter()
                .take_while(|(other, _)| *other == key);
            same.find(|(_, number)| is_slip(name, self.names[*number]))
        });
        let number = first.map(|(_, number)| *number).min()?;
        Some(self.names[number])
    }
}

/// Two names that differ by one letter, or by two swapped ones, have one of these in common.
fn keys(name: &str) -> Vec<u64> {
    let letters = lower(name);
    let key = |left_out: usize| {
        let mut hasher = DefaultHasher::new();
        for (_, letter) in letters.iter().enumerate().filter(|(at, _)| *at != left_out) {
            hasher.write_u32(*letter as u32);
        }
        hasher.finish()
    };
    // The last one leaves nothing out.
    (0..=letters.len()).map(key).collect()
}

/// The first of these names, which are in order, that is a name with two neighbouring letters swapped, as far as `fits` says.
pub(crate) fn swapped<'n, V>(
    name: &str,
    names: &BTreeMap<&'n str, V>,
    fits: impl Fn(&V) -> bool,
) -> Option<&'n str> {
    if !is_comparable(name) {
        return None;
    }
    let mut letters: Vec<char> = name.chars().collect();
    let mut first: Option<&'n str> = None;
    for at in 1..letters.len() {
        if letters[at - 1] == letters[at] {
            continue;
        }
        letters.swap(at - 1, at);
        let other: String = letters.iter().collect();
        if let Some((other, value)) = names.get_key_value(other.as_str())
            && is_slip(name, other)
            && fits(value)
        {
            first = Some(first.map_or(*other, |first| first.min(other)));
        }
        letters.swap(at - 1, at);
    }
    first
}

fn is_comparable(name: &str) -> bool {
    (MIN_LENGTH..=MAX_LENGTH).contains(&name.len())
}

fn lower(name: &str) -> Vec<char> {
    name.chars().flat_map(char::to_lowercase).collect()
}

/// Whether two names differ by one letter, by two swapped ones, or only by upper and lower case. Names that are told apart by
/// a number or a plural are meant to be different.
fn is_slip(one: &str, other: &str) -> bool {
    let stem = |name: &str| {
        name.trim_end_matches(|char: char| char.is_ascii_digit())
            .trim_end_matches('s')
            .len()
    };
    if one[..stem(one)] == other[..stem(other)] {
        return false;
    }
    let (one, other) = (lower(one), lower(other));
    let both = || one.iter().zip(&other);
    let start = both().take_while(|(left, right)| left == right).count();
    let (one, other) = (&one[start..], &other[start..]);
    let both = one.iter().rev().zip(other.iter().rev());
    let end = both.take_while(|(left, right)| left == right).count();
    let (one, other) = (&one[..one.len() - end], &other[..other.len() - end]);
    if one.iter().chain(other).any(char::is_ascii_digit) {
        return false;
    }
    match (one, other) {
        ([], [] | [_]) | ([_], [] | [_]) => true,
        ([first, second], [left, right]) => first == right && second == left,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Slips, is_slip, swapped};

    #[test]
    fn one_letter_or_two_swapped_ones_are_a_slip() {
        for (one, other) in [
            ("charge", "chargr"),
            ("chrage", "charge"),
            ("charge", "chharge"),
            ("charge", "harge"),
            ("Charge", "charge"),
            ("step_1_senb", "step_1_send"),
            ("größe", "grösse".replace("ss", "s").as_str()),
        ] {
            assert!(is_slip(one, other) && is_slip(other, one), "{one} {other}");
            assert_eq!(Slips::new([other]).of(one), Some(other), "{one}");
            assert_eq!(Slips::new([one]).of(other), Some(one), "{other}");
        }
    }

    #[test]
    fn names_that_are_meant_to_differ_are_no_slips() {
        for (one, other) in [
            ("send_email", "send_emails"),
            ("step1", "step2"),
            ("report_12_daily", "report_21_daily"),
            ("report_1_daily", "report_2_daily"),
            ("report_1_daily", "report_11_daily"),
            ("v1_charge", "v2_charge"),
            ("report_a_daily", "report_1_daily"),
            ("charge", "refund"),
            ("charge", "charge"),
            ("charge", "hcarges"),
            ("ship", "shop"),
        ] {
            assert!(Slips::new([other]).of(one).is_none(), "{one} {other}");
        }
    }

    #[test]
    fn the_first_of_several_is_told() {
        let names = ["aarge", "charge", "chargf", "refund"];
        assert_eq!(Slips::new(names).of("chargg"), Some("charge"));
        let names: BTreeMap<&str, bool> =
            [("abdce", true), ("bacde", true), ("aacde", true)].into();
        assert_eq!(swapped("abcde", &names, |fits| *fits), Some("abdce"));
        let names: BTreeMap<&str, bool> = [("abdce", false), ("bacde", true)].into();
        assert_eq!(swapped("abcde", &names, |fits| *fits), Some("bacde"));
        assert_eq!(swapped("a12de", &[("a21de", ())].into(), |()| true), None);
    }
}
