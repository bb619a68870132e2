//! The names of groups.

use super::{Parsed, Parser};
use crate::regex::unicode;

impl Parser<'_> {
    /// A name up to its `>`; the `<` has been read.
    pub(super) fn group_name(&mut self) -> Parsed<Box<[u16]>> {
        let mut name = Vec::new();
        loop {
            // Names are made of code points, whatever the flags.
            let Some(mut point) = self.point_at(self.at, true) else {
                return Err(self.error("Invalid capture group name"));
            };
            let escape = self.looking_at("\\u");
            if escape {
                self.at += 2;
                match self.unicode_escape(true) {
                    Some(value) => point = value,
                    None => return Err(self.error("Invalid Unicode escape")),
                }
            }
            if point > 0x7F {
                // A property is read anew for each character.
                self.spend(1000)?;
            }
            let fits = char::from_u32(point)
                .filter(|character| is_part(*character, name.is_empty()))
                .filter(|character| *character != '\\');
            match fits {
                Some(character) => {
                    name.extend_from_slice(character.encode_utf16(&mut [0; 2]));
                    if !escape {
                        self.at += character.len_utf16();
                    }
                }
                None if point == u32::from('>') && !name.is_empty() => {
                    self.at += usize::from(!escape);
                    return Ok(name.into());
                }
                None => return Err(self.error("Invalid capture group name")),
            }
        }
    }
}

/// Whether a character may stand in a name.
fn is_part(character: char, first: bool) -> bool {
    match character {
        '$' | '_' | 'a'..='z' | 'A'..='Z' => true,
        '0'..='9' | '\u{200C}' | '\u{200D}' => !first,
        _ => {
            let property = if first { "ID_Start" } else { "ID_Continue" };
            !character.is_ascii()
                && unicode::ranges("is", property)
                    .is_some_and(|ranges| ranges.has(u32::from(character)))
        }
    }
}
