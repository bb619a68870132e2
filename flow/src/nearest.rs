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
    use super::nearest;

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
