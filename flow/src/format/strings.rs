//! Quotes of strings: double ones, unless single ones need fewer escapes.

use std::borrow::Cow;

/// A string literal with the quotes that it should have.
pub(super) fn quoted(literal: &str) -> Cow<'_, str> {
    let content = &literal[1..literal.len() - 1];
    let count = |quote: char| content.matches(quote).count();
    let quote = if count('"') > count('\'') { '\'' } else { '"' };
    if literal.starts_with(quote) {
        return Cow::Borrowed(literal);
    }
    let mut out = String::with_capacity(literal.len());
    out.push(quote);
    let mut chars = content.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                // It needs its escape no longer, or has got it.
                Some(escaped @ ('"' | '\'')) => push_quote(&mut out, escaped, quote),
                Some(escaped) => out.extend(['\\', escaped]),
                None => {}
            },
            '"' | '\'' => push_quote(&mut out, char, quote),
            _ => out.push(char),
        }
    }
    out.push(quote);
    Cow::Owned(out)
}

fn push_quote(out: &mut String, char: char, quote: char) {
    if char == quote {
        out.push('\\');
    }
    out.push(char);
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn the_quotes_are_those_that_need_fewer_escapes() {
        for (literal, expected) in [
            (r#"'a'"#, r#""a""#),
            (r#""a""#, r#""a""#),
            (r#"'say "hi"'"#, r#"'say "hi"'"#),
            (r#""say \"hi\"""#, r#"'say "hi"'"#),
            (r#"'it\'s'"#, r#""it's""#),
            (r#"'\'"'"#, r#""'\"""#),
            (r#"'\n\\\x41'"#, r#""\n\\\x41""#),
            (r#"''"#, r#""""#),
        ] {
            assert_eq!(quoted(literal), expected);
            assert_eq!(quoted(expected), expected);
        }
    }
}
