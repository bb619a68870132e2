//! What is told about a source text, and how it is printed. Knows nothing of the language.

use crate::codes::{Code, Severity};
use crate::source::{Source, Span};

/// Something wrong in a source text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its kind.
    pub code: Code,
    /// Whether it refuses the program.
    pub severity: Severity,
    /// The text that it is about.
    pub span: Span,
    /// What is wrong, one line without a period.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Longest piece of a source line that is printed; the rest is cut around the caret.
const LINE_WIDTH: usize = 120;

impl Diagnostic {
    /// Makes one with the severity of its code.
    #[must_use]
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            span,
            message: message.into(),
            hint: None,
        }
    }

    /// Adds what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether it refuses the program.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The plain form: `file:line:column: error[E0101]: message`, the line, a caret, the hint.
    #[must_use]
    pub fn render(&self, source: &Source) -> String {
        let position = source.position(self.span.start);
        let mut out = format!(
            "{}:{}:{}: {}[{}]: {}",
            source.name(),
            position.line,
            position.column,
            self.severity.word(),
            self.code.number(),
            self.message
        );
        if let Some((text, caret)) = self.excerpt(source) {
            out.push_str(&format!("\n  {text}\n  {caret}"));
        }
        if let Some(hint) = &self.hint {
            out.push_str(&format!("\n  hint: {hint}"));
        }
        out
    }

    /// The line that it is about, and carets to print below it. None for an empty line.
    #[must_use]
    pub fn excerpt(&self, source: &Source) -> Option<(String, String)> {
        let number = source.line_of(self.span.start);
        let line = source.line(number);
        if line.trim().is_empty() {
            return None;
        }
        let start = self.span.start as usize - source.line_start(number) as usize;
        let marked = source.slice(self.span).lines().next().unwrap_or_default();
        Some(mark(line, start, marked.chars().count()))
    }
}

/// Cuts a long line around `start` (a byte offset in it), and makes the line of carets below it.
fn mark(line: &str, start: usize, length: usize) -> (String, String) {
    let before = line.get(..start).unwrap_or(line).chars().count();
    let skip = before.saturating_sub(LINE_WIDTH / 2);
    let cut_left = if skip > 0 { "…" } else { "" };
    let mut text = String::from(cut_left);
    let mut caret = " ".repeat(cut_left.chars().count());
    let mut rest = line.chars().skip(skip);
    for (column, char) in rest.by_ref().take(LINE_WIDTH).enumerate() {
        // A tab stays a tab in both lines, so that the caret stands right at any tab width.
        text.push(if char.is_control() && char != '\t' {
            ' '
        } else {
            char
        });
        if column + skip < before {
            caret.push(if char == '\t' { '\t' } else { ' ' });
        }
    }
    if rest.next().is_some() {
        text.push('…');
    }
    let room = (LINE_WIDTH + skip).saturating_sub(before).max(1);
    caret.push_str(&"^".repeat(length.clamp(1, room)));
    (text, caret)
}

/// Puts diagnostics in the order of the text, errors in front of warnings at the same place.
pub fn sort(diagnostics: &mut [Diagnostic]) {
    let place = |one: &Diagnostic| (one.span.start, one.severity, one.span.end, one.code);
    diagnostics.sort_by(|one, other| {
        place(one)
            .cmp(&place(other))
            .then_with(|| one.message.cmp(&other.message))
    });
}
