//! The text of `Sql.query` and `Sql.exec`: values belong into its parameters.

use super::host::{self, without_parentheses};
use super::scope::Names;
use super::walk::{self, Visitor};
use crate::ast::{BinaryOp, Element, Expr, ExprKind, Script};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};

pub(super) fn check(script: &Script, source: &Source, names: &Names, found: &mut Vec<Diagnostic>) {
    Sql {
        found,
        source,
        names,
    }
    .list(&script.body);
}

/// Longer calls are not written out in hints.
const MAX_QUOTE: usize = 120;

struct Sql<'c> {
    found: &'c mut Vec<Diagnostic>,
    source: &'c Source,
    names: &'c Names,
}

impl Sql<'_> {
    fn query(&mut self, call: &str, args: &[Element]) {
        let Some(text) = args.first().filter(|text| !text.spread) else {
            return;
        };
        let text = without_parentheses(&text.value);
        let params = args.get(1).map(|params| &params.value);
        match &text.kind {
            ExprKind::Template { strings, exprs } if !exprs.is_empty() => {
                let hint = self.rewritten(call, strings, exprs, params);
                self.report(call, Code::SqlInterpolation, exprs[0].span, hint);
            }
            ExprKind::Binary {
                op: BinaryOp::Add, ..
            } if is_joined_with_a_value(text) => {
                self.report(call, Code::SqlInterpolation, text.span, None);
            }
            ExprKind::String(units) => {
                self.placeholders(&String::from_utf16_lossy(units), text.span, args);
            }
            ExprKind::Template { strings, .. } => {
                let only = strings.first().map(|units| String::from_utf16_lossy(units));
                self.placeholders(&only.unwrap_or_default(), text.span, args);
            }
            _ => {}
        }
    }

    fn report(&mut self, call: &str, code: Code, span: Span, hint: Option<String>) {
        let message = "a value is written into the text of the query";
        let hint = hint.unwrap_or_else(|| {
            format!("Write $1 in the text, and pass the value: `{call}(\"… $1\", [value])`.")
        });
        self.found
            .push(Diagnostic::new(code, span, message).with_hint(hint));
    }

    /// The same query with parameters, if it is short.
    fn rewritten(
        &self,
        call: &str,
        strings: &[Vec<u16>],
        exprs: &[Expr],
        params: Option<&Expr>,
    ) -> Option<String> {
        if params.is_some() {
            return None;
        }
        let mut text = String::new();
        let mut quoted = false;
        for (index, part) in strings.iter().enumerate() {
            let part = String::from_utf16_lossy(part);
            let mut part = part.as_str();
            // Quotes that were around the value are of no use around a parameter.
            if quoted {
                part = part.strip_prefix('\'').unwrap_or(part);
            }
            quoted = false;
            if index < exprs.len() {
                if let Some(before) = part.strip_suffix('\'') {
                    part = before;
                    quoted = true;
                }
                text.push_str(&format!("{part}${}", index + 1));
            } else {
                text.push_str(part);
            }
        }
        let values: Vec<&str> = exprs
            .iter()
            .map(|expr| self.source.slice(expr.span))
            .collect();
        let text = text.replace('"', "\\\"");
        let call = format!("{call}(\"{text}\", [{}])", values.join(", "));
        let fits = call.chars().count() <= MAX_QUOTE && !call.contains(['\n', '`']);
        fits.then(|| format!("Write `{call}`."))
    }

    /// `$1`, `$2` … of a text against the parameters that are there.
    fn placeholders(&mut self, text: &str, span: Span, args: &[Element]) {
        let given = match args.get(1) {
            None => 0,
            Some(Element {
                spread: false,
                value,
            }) => match &without_parentheses(value).kind {
                ExprKind::Array(items) if items.iter().flatten().all(|item| !item.spread) => {
                    items.len()
                }
                _ => return,
            },
            _ => return,
        };
        let Some(Used { highest, questions }) = used(text) else {
            return;
        };
        let (message, hint) = if highest == 0 && questions > 0 && questions == given {
            (
                "`?` is no parameter of PostgreSQL".to_owned(),
                "Write $1, $2 … in the text.".to_owned(),
            )
        } else if highest != given {
            let parameters = |count: usize| match count {
                0 => "no parameters".to_owned(),
                1 => "1 parameter".to_owned(),
                _ => format!("{count} parameters"),
            };
            let list: Vec<String> = (1..=highest).map(|n| format!("value{n}")).collect();
            (
                format!(
                    "the text has {}, the call gives {}",
                    parameters(highest),
                    parameters(given)
                ),
                match highest {
                    0 => "Write $1, $2 … in the text where the values belong.".to_owned(),
                    1..=4 => format!("Pass them in order: `[{}]`.", list.join(", ")),
                    _ => "Pass them in order, as one array.".to_owned(),
                },
            )
        } else {
            return;
        };
        self.found
            .push(Diagnostic::new(Code::SqlParameters, span, message).with_hint(hint));
    }
}

impl<'a> Visitor<'a> for Sql<'_> {
    fn expr(&mut self, expr: &'a Expr) {
        if let ExprKind::Call { callee, args, .. } = &expr.kind
            && let Some(call) = host::called(self.names, callee)
            && host::is_sql(call)
        {
            self.query(call.path, args);
        }
        walk::walk_expr(self, expr);
    }
}

/// Whether a chain of `+` joins texts with something that is no text of the program.
fn is_joined_with_a_value(expr: &Expr) -> bool {
    fn walk(expr: &Expr, texts: &mut bool, values: &mut bool) {
        match &without_parentheses(expr).kind {
            ExprKind::Binary {
                op: BinaryOp::Add,
                left,
                right,
                ..
            } => {
                walk(left, texts, values);
                walk(right, texts, values);
            }
            ExprKind::String(_) => *texts = true,
            ExprKind::Template { exprs, .. } => {
                *texts = true;
                *values |= !exprs.is_empty();
            }
            _ => *values = true,
        }
    }
    let (mut texts, mut values) = (false, false);
    walk(expr, &mut texts, &mut values);
    texts && values
}

/// The placeholders of a query.
struct Used {
    /// The highest number behind a `$`.
    highest: usize,
    /// How many `?` there are, which PostgreSQL does not take for parameters.
    questions: usize,
}

/// Looks for placeholders outside of quotes and comments. None where that needs a real parser.
fn used(text: &str) -> Option<Used> {
    let mut found = Used {
        highest: 0,
        questions: 0,
    };
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        rest = &rest[char.len_utf8()..];
        match char {
            '\'' | '"' => rest = &rest[rest.find(char)? + 1..],
            '-' if rest.starts_with('-') => rest = &rest[rest.find('\n').unwrap_or(rest.len())..],
            '/' if rest.starts_with('*') => rest = &rest[rest.find("*/")? + 2..],
            '?' => found.questions += 1,
            '$' => {
                let digits = rest
                    .find(|char: char| !char.is_ascii_digit())
                    .unwrap_or(rest.len());
                // `$$ … $$` and `$tag$ … $tag$` quote.
                let number: usize = rest[..digits].parse().ok()?;
                found.highest = found.highest.max(number);
                rest = &rest[digits..];
            }
            _ => {}
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::used;

    #[test]
    fn placeholders_are_found_outside_of_quotes() {
        let highest = |text| used(text).map(|used| used.highest);
        assert_eq!(highest("select $1, $12"), Some(12));
        assert_eq!(highest("select '$1', \"$2\" -- $3\n, $1"), Some(1));
        assert_eq!(highest("select /* $4 */ 1"), Some(0));
        assert_eq!(highest("select $$a$$"), None);
        assert_eq!(highest("select 'open"), None);
    }
}
