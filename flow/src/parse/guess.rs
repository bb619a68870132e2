//! What was probably meant where a word does not fit: TypeScript, a forgotten comma, a quote too many.

use super::Parser;
use super::refuse::Refused;
use super::token::Kind;

impl Parser<'_> {
    /// `interface`, `type`, `declare` … in front of a name on the same line, as TypeScript has them.
    pub(super) fn type_declaration(&self) -> Option<Refused> {
        let next = self.token(self.at + 1);
        if next.kind != Kind::Name || next.after_line_break {
            return None;
        }
        match self.text_of(self.at) {
            "enum" => Some(Refused::Enum),
            "interface" | "type" | "declare" | "namespace" | "abstract" => {
                let operator = matches!(self.text_of(self.at + 1), "in" | "instanceof" | "of");
                (!operator).then_some(Refused::TypeDeclaration)
            }
            _ => None,
        }
    }

    /// What TypeScript has where the current word does not fit.
    pub(super) fn typescript(&self) -> Option<Refused> {
        let token = self.current();
        if token.after_line_break {
            return None;
        }
        match token.kind {
            Kind::Name if matches!(self.text_of(self.at), "as" | "satisfies") => {
                Some(Refused::TypeCast)
            }
            Kind::Punctuation if self.at("!") && token.span.start == self.last_end() => {
                Some(Refused::NonNull)
            }
            _ => None,
        }
    }

    /// What to do about the current word, where `wanted` was expected.
    pub(super) fn guess(&self, wanted: &str) -> Option<&'static str> {
        let token = self.current();
        let text = self.text_of(self.at);
        let before = self.at.checked_sub(1).map(|at| self.token(at));
        let behind_string = before.is_some_and(|before| {
            before.kind == Kind::String && before.span.end == token.span.start
        });
        let value = matches!(token.kind, Kind::Name | Kind::String | Kind::Number);
        Some(match wanted {
            _ if token.kind == Kind::End => return None,
            "`;`" => "The three parts of `for (…; …; …)` are separated by `;`.",
            "`(`" => "Write parentheses around it, as in `if (a) { … }`.",
            "the function's name" => "Give it a name, or write `const name = (…) => { … }`.",
            _ if behind_string && token.kind == Kind::Name => {
                "A quote inside of a string is written `\\'`; or use the other quotes around it."
            }
            _ if text == "=>" => "Write the arrow function in parentheses.",
            "`;` or a new line" if text == "{" && self.is_behind_else_if() => "Write `else if`.",
            "`;` or a new line" if text == "{" => {
                "A word may be missing in front, such as `if`, `for` or `function`."
            }
            "`,` or `}`" | "`,` or `]`" | "`,` or `)`" if value => "A comma may be missing.",
            _ => return None,
        })
    }

    /// Whether `elseif (…)` or `elif (…)` stands in front of the current word.
    fn is_behind_else_if(&self) -> bool {
        let close = self.at.checked_sub(1).map(|at| self.token(at));
        let opener = close.and_then(|close| close.mate);
        let word = opener.and_then(|opener| opener.checked_sub(1));
        word.is_some_and(|word| {
            matches!(
                self.text_of(word as usize),
                "elseif" | "elif" | "elsif" | "elseIf"
            )
        })
    }
}
