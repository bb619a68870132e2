//! The parameters `$1`, `$2` … of a query's text: where they stand, and the text with something else in their place.
//!
//! Follows the lexical rules of Postgres (with standard_conforming_strings on, as it is for a workflow's SQL), so that a
//! `$1` within a string, a quoted name, a comment or an identifier stays. Knows nothing of types.

/// The text with each parameter replaced by what `write` says for its number.
pub(super) fn replace(query: &str, write: impl Fn(usize) -> String) -> String {
    let bytes = query.as_bytes();
    let mut out = String::with_capacity(query.len() * 2);
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        at = match bytes[at] {
            b'\'' => quoted(bytes, at, b'\'', false),
            b'"' => quoted(bytes, at, b'"', false),
            b'-' if bytes.get(at + 1) == Some(&b'-') => line_comment(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => block_comment(bytes, at),
            b'$' => {
                let end = digits(bytes, at + 1);
                if end > at + 1 {
                    out.push_str(&write(query[at + 1..end].parse().unwrap_or(usize::MAX)));
                    at = end;
                    continue;
                }
                dollar_quoted(bytes, at)
            }
            byte if starts_name(byte) => {
                let end = name(bytes, at);
                let is_escape =
                    end == at + 1 && matches!(byte, b'e' | b'E') && bytes.get(end) == Some(&b'\'');
                if is_escape {
                    quoted(bytes, end, b'\'', true)
                } else {
                    end
                }
            }
            // A number swallows its letters, so that `1e5` is no name; what follows it is junk for Postgres too.
            b'0'..=b'9' => name(bytes, at),
            _ => at + 1,
        };
        out.push_str(&query[start..at]);
    }
    out
}

fn starts_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn name(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len()
        && (starts_name(bytes[at]) || bytes[at].is_ascii_digit() || bytes[at] == b'$')
    {
        at += 1;
    }
    at
}

fn digits(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at].is_ascii_digit() {
        at += 1;
    }
    at
}

/// The end of a quoted piece. A doubled quote needs no care: it ends one piece and begins the next.
fn quoted(bytes: &[u8], at: usize, quote: u8, has_escapes: bool) -> usize {
    let mut at = at + 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if has_escapes && bytes[at] == b'\\' {
            2
        } else {
            1
        };
    }
    // A doubled quote in a string with escapes goes on with escapes.
    if has_escapes && bytes.get(at + 1) == Some(&quote) {
        return quoted(bytes, at + 1, quote, true);
    }
    (at + 1).min(bytes.len())
}

fn line_comment(bytes: &[u8], at: usize) -> usize {
    bytes[at..]
        .iter()
        .position(|byte| matches!(byte, b'\n' | b'\r'))
        .map_or(bytes.len(), |length| at + length)
}

/// Comments nest.
fn block_comment(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while at < bytes.len() {
        match &bytes[at..(at + 2).min(bytes.len())] {
            b"/*" => {
                depth += 1;
                at += 2;
            }
            b"*/" => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

/// `$tag$ … $tag$`, or just a dollar.
fn dollar_quoted(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    if end < bytes.len() && starts_name(bytes[end]) {
        while end < bytes.len() && (starts_name(bytes[end]) || bytes[end].is_ascii_digit()) {
            end += 1;
        }
    }
    if bytes.get(end) != Some(&b'$') {
        return at + 1;
    }
    let tag = &bytes[at..=end];
    let body = end + 1;
    bytes[body..]
        .windows(tag.len())
        .position(|window| window == tag)
        .map_or(bytes.len(), |length| body + length + tag.len())
}
