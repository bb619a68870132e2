//! `\p{…}`: the characters of a property of Unicode, by the names that the specification lists.

use super::set::{LAST, Ranges};
use super::unicode;

/// The characters of `name` or `name=value`; none if there is no such property.
pub(super) fn ranges(name: &str, value: Option<&str>) -> Option<Ranges> {
    let Some(value) = value else {
        return match name {
            "Any" => Some(Ranges::of(&[(0, LAST)])),
            "ASCII" => Some(Ranges::of(&[(0, 0x7F)])),
            "Assigned" => unicode::ranges("gc", "Cn").map(|none| none.inverted()),
            _ => category(name).or_else(|| unicode::ranges("is", name)),
        };
    };
    match name {
        "General_Category" | "gc" => category(value),
        "Script" | "sc" => unicode::ranges("sc", value),
        // Only what differs from the script itself is listed.
        "Script_Extensions" | "scx" => {
            unicode::ranges("scx", value).or_else(|| unicode::ranges("sc", value))
        }
        _ => None,
    }
}

fn category(name: &str) -> Option<Ranges> {
    if let Some(one) = unicode::ranges("gc", name) {
        return Some(one);
    }
    let mut all = Ranges::default();
    for member in unicode::group(name)? {
        all.extend(&unicode::ranges("gc", member)?);
    }
    all.tidy();
    Some(all)
}
