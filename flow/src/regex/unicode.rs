//! What Unicode says of characters: the table `unicode.txt`, which `tests/conformance/unicode.sh` writes from the pinned
//! Node. So a pattern means the same in both, and does not change its meaning when a library is updated.
//!
//! A line is `kind=Name=Alias ranges`; how ranges and classes are written is said there.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::set::Ranges;

const TEXT: &str = include_str!("unicode.txt");

/// The lines by kind and name: `gc=Lu`, `sc=Latin`, `is=Alphabetic`.
fn lines() -> &'static HashMap<(&'static str, &'static str), &'static str> {
    static LINES: OnceLock<HashMap<(&str, &str), &str>> = OnceLock::new();
    LINES.get_or_init(|| {
        let mut lines = HashMap::new();
        for line in TEXT.lines() {
            let (head, rest) = line.split_once(' ').unwrap_or((line, ""));
            let mut names = head.split(['=', '+']);
            let kind = if head.starts_with("gc+") {
                "gc+"
            } else {
                names.clone().next().unwrap_or_default()
            };
            names.next();
            for name in names {
                lines.insert((kind, name), rest);
            }
        }
        lines
    })
}

/// The ranges of a line; none if there is no such line.
pub(super) fn ranges(kind: &str, name: &str) -> Option<Ranges> {
    let line = lines().get(&(kind, name))?;
    let mut ranges = Ranges::default();
    let mut next = 0;
    for part in line.split_ascii_whitespace() {
        let (gap, more) = part.split_once('-').unwrap_or((part, "0"));
        let first = next + number(gap);
        let last = first + number(more);
        ranges.add(first, last);
        next = last + 1;
    }
    Some(ranges)
}

/// The names of the categories in a group of them, such as `L`.
pub(super) fn group(name: &str) -> Option<impl Iterator<Item = &'static str>> {
    lines().get(&("gc+", name)).map(|names| names.split(','))
}

/// The classes of characters that are the same without case, each ascending.
pub(super) fn classes(unicode: bool) -> Vec<Vec<u32>> {
    let head = if unicode { "fold-u " } else { "fold " };
    let line = TEXT.lines().find_map(|line| line.strip_prefix(head));
    let mut before = 0;
    let parts = line.unwrap_or_default().split_ascii_whitespace();
    let classes = parts.map(|part| {
        let mut point = before;
        let class: Vec<u32> = part
            .split('+')
            .map(|step| {
                point += number(step);
                point
            })
            .collect();
        before = class.first().copied().unwrap_or(before);
        class
    });
    classes.collect()
}

/// A number of the table, which is as it was written.
fn number(digits: &str) -> u32 {
    u32::from_str_radix(digits, 36).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::set::LAST;
    use super::{TEXT, classes, group, ranges};

    #[test]
    fn every_range_is_one_of_unicode() {
        for line in TEXT.lines() {
            let head = line.split(' ').next().unwrap_or_default();
            if let Some((kind @ ("gc" | "is" | "sc" | "scx"), names)) = head.split_once('=') {
                let name = names.split('=').next().unwrap_or_default();
                let ranges = ranges(kind, name).expect("the line is there");
                assert!(!ranges.0.is_empty(), "{head}");
                assert!(ranges.0.iter().all(|(first, last)| first <= last));
                assert!(ranges.0.is_sorted_by(|a, b| a.1 + 1 < b.0), "{head}");
                assert!(ranges.0.iter().all(|(_, last)| *last <= LAST), "{head}");
            }
        }
    }

    #[test]
    fn every_code_point_has_one_category() {
        let all = ["L", "M", "N", "P", "S", "Z", "C"].into_iter();
        let names = all.flat_map(|name| group(name).expect("a group"));
        let count: usize = names
            .map(|name| ranges("gc", name).expect("a category").count())
            .sum();
        assert_eq!(count, LAST as usize + 1);
    }

    #[test]
    fn classes_have_two_members_or_more() {
        for unicode in [false, true] {
            let classes = classes(unicode);
            assert!(classes.len() > 1000);
            assert!(
                classes
                    .iter()
                    .all(|class| class.len() > 1 && class.is_sorted())
            );
        }
    }
}
