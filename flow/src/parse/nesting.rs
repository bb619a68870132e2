//! Measures how deep brackets are nested, before anything recurses over them.
//!
//! The grammar recurses over templates and the braces in them alone, so braces, holes and templates
//! must be counted exactly as it reads them, in broken text too. Parentheses are counted to refuse
//! early; the parser has a guard of its own.

/// What is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// `(` or `[`
    Round,
    /// `{` or `${`
    Brace,
    /// A template whose text is being read.
    Template,
}

/// The offset of the first bracket that is nested deeper than `limit`.
pub(super) fn too_deep(text: &str, limit: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let in_template = open.last() == Some(&Open::Template);
        let next = bytes.get(at + 1);
        match (byte, next) {
            (b'\\', _) if in_template => at += 1,
            (b'`', _) if in_template => drop(open.pop()),
            (b'`', _) => open.push(Open::Template),
            (b'$', Some(b'{')) if in_template => {
                open.push(Open::Brace);
                at += 1;
            }
            _ if in_template => {}
            (b'/', Some(b'/')) => at = end_of_line(bytes, at),
            (b'/', Some(b'*')) => at = end_of_comment(bytes, at + 2),
            (b'"' | b'\'', _) => at = end_of_string(bytes, at),
            (b'(' | b'[', _) => open.push(Open::Round),
            (b'{', _) => open.push(Open::Brace),
            (b')' | b']', _) if open.last() == Some(&Open::Round) => drop(open.pop()),
            (b'}', _) => close_brace(&mut open),
            _ => {}
        }
        if open.len() > limit {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// A brace closes what is open inside of it.
fn close_brace(open: &mut Vec<Open>) {
    while open.last() == Some(&Open::Round) {
        open.pop();
    }
    if open.last() == Some(&Open::Brace) {
        open.pop();
    }
}

/// The last byte in front of the line break.
fn end_of_line(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at + 1) {
        let separator = matches!(bytes.get(at + 1..at + 4), Some([0xE2, 0x80, 0xA8 | 0xA9]));
        if matches!(byte, b'\n' | b'\r') || separator {
            break;
        }
        at += 1;
    }
    at
}

/// The last byte of `*/`.
fn end_of_comment(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes.get(at..at + 2) != Some(b"*/") {
        at += 1;
    }
    at + 1
}

/// The closing quote, or the end of the line where it is missing.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if bytes.get(at + 1..at + 3) == Some(b"\r\n") => at += 2,
            b'\\' => at += 1,
            b'\n' | b'\r' => return at,
            _ if *byte == bytes[start] => return at,
            _ => {}
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::too_deep;

    #[test]
    fn strings_and_comments_do_not_nest() {
        assert_eq!(too_deep("'((((' /* (((( */ // ((((\n\"((((\"", 2), None);
    }

    #[test]
    fn brackets_and_templates_nest() {
        assert_eq!(too_deep("((()))", 2), Some(2));
        assert_eq!(too_deep("`${`${1}`}`", 3), Some(5));
        assert_eq!(too_deep("`${1}`.a + `${2}` + `(((((`", 2), None);
    }

    #[test]
    fn broken_text_hides_no_template() {
        assert!(too_deep(&"`${)".repeat(40), 50).is_some());
        assert!(too_deep(&"\\`${".repeat(40), 50).is_some());
        assert!(too_deep(&format!("'\\\r\n'{}", "`${".repeat(40)), 50).is_some());
        assert!(too_deep(&format!("//\u{2028}{}", "`${".repeat(40)), 50).is_some());
    }
}
