//! JSON as text: writing strings, and refusing what `jsonb` would refuse with an error of the server.
//!
//! Values cross as text, and are never made into a tree here: trees of the usual crates stop at a depth of 128.

use rhythm_flow::host::HostError;

/// Nesting that `jsonb` takes with any `max_stack_depth` that a server can have.
pub(super) const DEPTH: usize = 1000;
/// Bytes of one value. A `jsonb` holds 256 MB, and grows a little against its text.
pub(super) const SIZE: usize = 128 << 20;

/// Appends a JSON string.
pub(crate) fn quote(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // jsonb has no U+0000; a message that holds one should still be readable.
            '\0' => out.push('\u{fffd}'),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Appends `"key":` with a comma before it, where one is needed.
pub(crate) fn key(out: &mut String, name: &str) {
    if !out.ends_with(['{', '[']) {
        out.push(',');
    }
    quote(out, name);
    out.push(':');
}

/// Refuses a value that is nested too deeply or too large to be stored.
pub(crate) fn check(what: &str, text: &str) -> Result<(), HostError> {
    let refuse = |why: String| {
        Err(HostError {
            name: "RangeError".into(),
            message: format!("{what} cannot be stored: {why}"),
            ..HostError::default()
        })
    };
    if text.len() > SIZE {
        return refuse(format!(
            "{} bytes as JSON, and the limit is {SIZE}",
            text.len()
        ));
    }
    if depth(text) > DEPTH {
        return refuse(format!("nested more than {DEPTH} deep"));
    }
    Ok(())
}

fn depth(text: &str) -> usize {
    let (mut deepest, mut depth, mut in_string, mut escaped) = (0, 0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
