//! What the text of a replacement means: `$1`, `$<name>`, `$&` and the like.

use super::regexp::Found;
use crate::error::Throw;
use crate::vm::cx::Cx;

/// What stands behind a `$`, and how many units it takes.
enum Reference<'t> {
    Text(&'t [u16], usize),
    /// The `$` means itself.
    Nothing,
}

/// Adds the words of a replacement for a match to `out`.
pub(super) fn expand(
    cx: &mut Cx<'_>,
    out: &mut Vec<u16>,
    words: &[u16],
    text: &[u16],
    found: &Found,
    names: &[(Box<[u16]>, u32)],
) -> Result<(), Throw> {
    let dollar = u16::from(b'$');
    // Behind the last `>` no name can end: looked for once, not behind each `$<`.
    let last = if names.is_empty() {
        None
    } else {
        words.iter().rposition(|unit| *unit == u16::from(b'>'))
    };
    let names_end = last.map_or(0, |at| at + 1);
    let mut rest = words;
    while let Some(next) = rest.iter().position(|unit| *unit == dollar) {
        out.extend_from_slice(&rest[..next]);
        rest = &rest[next + 1..];
        let names = if words.len() - rest.len() < names_end {
            names
        } else {
            &[]
        };
        if rest.first() == Some(&u16::from(b'<')) {
            cx.work(names.len() / 8)?;
        }
        match reference(rest, text, found, names) {
            Reference::Text(part, width) => {
                cx.work(part.len() / 16 + 1)?;
                add(cx, out, part)?;
                rest = &rest[width..];
            }
            Reference::Nothing => out.push(dollar),
        }
    }
    add(cx, out, rest)
}

/// Adds units to a text that is being made.
pub(super) fn add(cx: &mut Cx<'_>, out: &mut Vec<u16>, units: &[u16]) -> Result<(), Throw> {
    if out.len() + units.len() > cx.heap.meter.limits.string_units {
        cx.heap.meter.string(out.len() + units.len())?;
    }
    out.extend_from_slice(units);
    Ok(())
}

fn reference<'t>(
    rest: &'t [u16],
    text: &'t [u16],
    found: &Found,
    names: &[(Box<[u16]>, u32)],
) -> Reference<'t> {
    let letter = |at: usize| {
        let unit = rest.get(at).copied()?;
        u8::try_from(unit).ok()
    };
    let group = |number: usize| match found.groups.get(number).copied().flatten() {
        Some((start, end)) => &text[start..end],
        None => &text[..0],
    };
    match letter(0) {
        Some(b'$') => Reference::Text(&rest[..1], 1),
        Some(b'&') => Reference::Text(&text[found.start..found.end], 1),
        Some(b'`') => Reference::Text(&text[..found.start], 1),
        Some(b'\'') => Reference::Text(&text[found.end..], 1),
        Some(first @ b'0'..=b'9') => {
            let known = |number: usize| number > 0 && number < found.groups.len();
            let first = usize::from(first - b'0');
            // Two digits where there are as many groups, else one.
            if let Some(second @ b'0'..=b'9') = letter(1)
                && known(first * 10 + usize::from(second - b'0'))
            {
                return Reference::Text(group(first * 10 + usize::from(second - b'0')), 2);
            }
            if known(first) {
                Reference::Text(group(first), 1)
            } else {
                Reference::Nothing
            }
        }
        Some(b'<') if !names.is_empty() => {
            let Some(end) = rest.iter().position(|unit| *unit == u16::from(b'>')) else {
                return Reference::Nothing;
            };
            let name = &rest[1..end];
            let named = names.iter().find(|(known, _)| **known == *name);
            let part = named.map_or(&text[..0], |(_, number)| group(*number as usize));
            Reference::Text(part, end + 1)
        }
        _ => Reference::Nothing,
    }
}
