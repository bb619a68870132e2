//! Rows of SQL as a program sees them: numbers that a double cannot hold arrive as strings.

/// The largest integer up to which every integer is a double.
const SAFE: u64 = 1 << 53;

/// Rewrites a JSON array of row objects: in the columns `as_text` every number becomes a string, in the others those
/// integers do that are beyond 2^53. One pass over the text, no recursion.
pub(super) fn with_safe_numbers(rows: &str, as_text: &[String]) -> String {
    let mut out = String::with_capacity(rows.len() + 16);
    let bytes = rows.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    let mut column_as_text = false;
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b'"' => {
                at = string_end(bytes, at);
                // A string at depth 2 (array, row) that a colon follows is a column's name.
                if depth == 2
                    && bytes[at..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
                {
                    let name = &rows[start + 1..at - 1];
                    column_as_text = as_text.iter().any(|column| is_name(name, column));
                }
            }
            b'-' | b'0'..=b'9' => {
                while at < bytes.len()
                    && matches!(bytes[at], b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')
                {
                    at += 1;
                }
                if column_as_text || is_unsafe(&rows[start..at]) {
                    out.push('"');
                    out.push_str(&rows[start..at]);
                    out.push('"');
                    continue;
                }
            }
            byte => {
                match byte {
                    b'[' | b'{' => depth += 1,
                    b']' | b'}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                at += 1;
            }
        }
        out.push_str(&rows[start..at]);
    }
    out
}

/// The end of the string that begins at `at`, behind its quote.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// Whether the escaped `name` is the plain `column`.
fn is_name(name: &str, column: &str) -> bool {
    if !name.contains('\\') {
        return name == column;
    }
    let mut quoted = String::new();
    super::json::quote(&mut quoted, column);
    quoted.get(1..quoted.len() - 1) == Some(name)
}

/// Whether a number is an integer beyond 2^53.
fn is_unsafe(number: &str) -> bool {
    let digits = number.trim_start_matches('-');
    digits.len() > 15
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && digits.parse::<u64>().map_or(true, |value| value > SAFE)
}
