//! What is the same without case: the specification's `Canonicalize`, as classes of characters.
//!
//! With the flag `u` that is simple case folding. Without it, it is the upper case of a unit, where that is one unit too
//! and does not go from beyond ASCII into it.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::set::Ranges;
use super::unicode;

/// Characters that have others beside them, and who these are.
struct Classes {
    /// The number of a character's class.
    of: HashMap<u32, u32>,
    classes: Vec<Vec<u32>>,
}

fn classes(unicode: bool) -> &'static Classes {
    static PLAIN: OnceLock<Classes> = OnceLock::new();
    static UNICODE: OnceLock<Classes> = OnceLock::new();
    let made = if unicode { &UNICODE } else { &PLAIN };
    made.get_or_init(|| {
        let classes = unicode::classes(unicode);
        let numbered = classes.iter().enumerate();
        let of = numbered
            .flat_map(|(number, class)| class.iter().map(move |point| (*point, number as u32)))
            .collect();
        Classes { of, classes }
    })
}

/// Whether two characters are the same without case.
pub(super) fn same(one: u32, other: u32, unicode: bool) -> bool {
    if one == other {
        return true;
    }
    let of = &classes(unicode).of;
    of.get(&one)
        .is_some_and(|class| of.get(&other) == Some(class))
}

/// A set with more characters than this is compared with every class.
const SMALL: usize = 256;

/// What closing a large set costs, in ranges.
const CLOSING: usize = 1500;

/// Adds all that equals a member without case; tidy before and after. Returns what it cost.
pub(super) fn close(ranges: &mut Ranges, unicode: bool) -> usize {
    let known = classes(unicode);
    let mut added = Vec::new();
    let count = ranges.count();
    let cost = if count <= SMALL {
        let found = ranges.points().filter_map(|point| known.of.get(&point));
        found.for_each(|class| added.extend_from_slice(&known.classes[*class as usize]));
        count
    } else {
        for class in &known.classes {
            if class.iter().any(|point| ranges.has(*point)) {
                added.extend(class.iter().filter(|point| !ranges.has(**point)));
            }
        }
        CLOSING
    };
    added.into_iter().for_each(|point| ranges.add(point, point));
    ranges.tidy();
    cost
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn the_flag_u_folds_and_the_others_go_up() {
        let (long_s, small_s) = (0x17F, u32::from('s'));
        assert!(same(long_s, small_s, true));
        assert!(!same(long_s, small_s, false));
        assert!(same(0x3C2, 0x3A3, false));
        assert!(!same(0xDF, 0x1E9E, false));
        assert!(same(0xDF, 0x1E9E, true));
        assert!(same(0x1_0400, 0x1_0428, true));
    }
}
