//! The name that was probably meant.

/// Longer names are not compared: nobody mistypes them so.
const MAX_LENGTH: usize = 64;

/// The candidate nearest to a name, if one is near enough to be a slip of the keyboard.
#[must_use]
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let length = name.chars().count();
    if length > MAX_LENGTH {
        return None;
    }
    // A third of the letters may be wrong; in short names one.
    let allowed = (length / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name)
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= allowed)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed && *distance < length)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Whether two names differ by one letter or by two swapped ones, as names do when one is mistyped.
/// Names that are told apart by a number or a plural are meant to be different.
#[must_use]
pub(crate) fn is_slip(one: &str, other: &str) -> bool {
    const SHORT: usize = 5;
    let stem = |name: &str| {
        name.trim_end_matches(|char: char| char.is_ascii_digit())
            .trim_end_matches('s')
            .to_owned()
    };
    one.len().min(other.len()) >= SHORT
        && one.len().max(other.len()) <= MAX_LENGTH
        && stem(one) != stem(other)
        && distance(one, other) <= 1
}

/// Whether the one name is the other with two neighbouring letters swapped.
#[must_use]
pub(crate) fn is_swap(one: &str, other: &str) -> bool {
    let sorted = |name: &str| {
        let mut letters: Vec<char> = name.chars().collect();
        letters.sort_unstable();
        letters
    };
    is_slip(one, other) && sorted(one) == sorted(other)
}

/// How many letters have to be changed, put in, left out or swapped with the next; case counts nothing.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.to_lowercase().chars().collect();
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let width = right.len() + 1;
    let mut before: Vec<usize> = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    for (row, one) in left.iter().enumerate() {
        let mut here = vec![row + 1; width];
        for (column, other) in right.iter().enumerate() {
            let change = last[column] + usize::from(one != other);
            let mut best = change.min(last[column + 1] + 1).min(here[column] + 1);
            let swapped =
                row > 0 && column > 0 && *one == right[column - 1] && left[row - 1] == *other;
            if swapped {
                best = best.min(before[column - 1] + 1);
            }
            here[column + 1] = best;
        }
        before = std::mem::replace(&mut last, here);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::{is_slip, is_swap, nearest};

    #[test]
    fn names_that_are_meant_to_differ_are_no_slips() {
        assert!(is_slip("charge", "chargr") && is_slip("chrage", "charge"));
        assert!(is_swap("chrage", "charge") && !is_swap("charge", "chargr"));
        for (one, other) in [
            ("send_email", "send_emails"),
            ("step1", "step2"),
            ("ship", "shop"),
            ("charge", "refund"),
        ] {
            assert!(!is_slip(one, other), "{one} {other}");
        }
    }

    #[test]
    fn slips_are_found_and_other_words_are_not() {
        assert_eq!(nearest("custmer", ["items", "customer"]), Some("customer"));
        assert_eq!(nearest("rnu", ["try", "run"]), Some("run"));
        assert_eq!(nearest("Maths", ["Math", "Map"]), Some("Math"));
        assert_eq!(
            nearest("tolowercase", ["toLowerCase", "toUpperCase"]),
            Some("toLowerCase")
        );
        assert_eq!(nearest("x", ["y", "items"]), None);
        assert_eq!(nearest("total", ["items", "note"]), None);
    }
}
