//! The name that was probably meant.

/// Longer names are not compared: nobody mistypes them so.
pub(crate) const MAX_LENGTH: usize = 64;

/// The candidate nearest to a name, if one is near enough to be a slip of the keyboard; of several, the first.
#[must_use]
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let letters = Letters::of(name)?;
    let mut rows = Rows::default();
    let mut found = None;
    let mut allowed = letters.allowed();
    for candidate in candidates {
        if candidate == name || !letters.may_be(candidate, allowed) {
            continue;
        }
        if let Some(distance) = rows.distance(&letters.text, candidate, allowed) {
            found = Some(candidate);
            // The next one has to be nearer.
            match distance.checked_sub(1) {
                Some(less) => allowed = less,
                None => break,
            }
        }
    }
    found
}

/// The letters of a name that others are compared with; case counts nothing.
pub(crate) struct Letters {
    text: Vec<char>,
    counts: Counts,
}

/// How often letters occur. Those that share a place only make two names look more alike.
type Counts = [i16; 64];

fn place(letter: char) -> usize {
    letter as usize % 64
}

impl Letters {
    /// None: the name is too long to be compared.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let text: Vec<char> = name.to_lowercase().chars().collect();
        if name.chars().count() > MAX_LENGTH {
            return None;
        }
        let mut counts = [0; 64];
        for letter in &text {
            counts[place(*letter)] += 1;
        }
        Some(Self { text, counts })
    }

    /// A third of the letters may be wrong, in short names one; never all.
    fn allowed(&self) -> usize {
        let length = self.text.len();
        (length / 3).max(1).min(length.saturating_sub(1))
    }

    /// Whether a candidate may be near enough, by its letters without their order: most are not, and
    /// this costs little.
    pub(crate) fn may_be_near(&self, candidate: &str) -> bool {
        self.may_be(candidate, self.allowed())
    }

    fn may_be(&self, candidate: &str, allowed: usize) -> bool {
        // Every letter has one to four bytes.
        if candidate.len() > 4 * (self.text.len() + allowed) {
            return false;
        }
        let mut counts = self.counts;
        let (mut more, mut length) = (0, 0);
        for letter in candidate.chars().flat_map(char::to_lowercase) {
            let count = &mut counts[place(letter)];
            more += usize::from(*count <= 0);
            *count = count.saturating_sub(1);
            length += 1;
        }
        // Those of the candidate that the name has not, and those that it lacks.
        more <= allowed && self.text.len() + more <= length + allowed
    }
}

/// Three rows of the table that compares two names, used again for the next two.
#[derive(Default)]
struct Rows {
    before: Vec<usize>,
    last: Vec<usize>,
    here: Vec<usize>,
    right: Vec<char>,
}

impl Rows {
    /// How many letters have to be changed, put in, left out or swapped with the next, unless that is more than `most`.
    fn distance(&mut self, left: &[char], right: &str, most: usize) -> Option<usize> {
        self.right.clear();
        self.right
            .extend(right.chars().flat_map(char::to_lowercase));
        let right = &self.right;
        let width = right.len() + 1;
        self.before.clear();
        self.before.resize(width, 0);
        self.last.clear();
        self.last.extend(0..width);
        for (row, one) in left.iter().enumerate() {
            self.here.clear();
            self.here.resize(width, row + 1);
            let mut least = row + 1;
            for (column, other) in right.iter().enumerate() {
                let change = self.last[column] + usize::from(one != other);
                let mut best = change
                    .min(self.last[column + 1] + 1)
                    .min(self.here[column] + 1);
                let swapped =
                    row > 0 && column > 0 && *one == right[column - 1] && left[row - 1] == *other;
                if swapped {
                    best = best.min(self.before[column - 1] + 1);
                }
                self.here[column + 1] = best;
                least = least.min(best);
            }
            // What comes below is no less, nor is what a swap makes of the row above: that adds one.
            if least > most {
                return None;
            }
            std::mem::swap(&mut self.before, &mut self.last);
            std::mem::swap(&mut self.last, &mut self.here);
        }
        Some(self.last[right.len()]).filter(|distance| *distance <= most)
    }
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

    #[test]
    fn of_several_the_nearest_is_meant_and_then_the_first() {
        assert_eq!(
            nearest("customer", ["custamar", "customar", "custoner"]),
            Some("customar")
        );
        assert_eq!(
            nearest("CUSTOMER", ["custome", "customer"]),
            Some("customer")
        );
        assert_eq!(nearest("abcdef", ["bacdfe", "fedcba"]), Some("bacdfe"));
        assert_eq!(nearest("ÄPFEL", ["äpfle", "x"]), Some("äpfle"));
        assert_eq!(nearest("", ["a"]), None);
        assert_eq!(nearest("a", ["b", "ab"]), None);
        assert_eq!(nearest(&"a".repeat(65), [&*"a".repeat(64)]), None);
        assert_eq!(nearest("total", [&*"total".repeat(50_000)]), None);
    }
}
