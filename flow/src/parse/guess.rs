//! What was probably meant where a word does not fit: TypeScript, Python, a forgotten comma, a quote or a full
//! stop too many.

use super::Parser;
use super::refuse::Refused;
use super::token::Kind;
use crate::codes::Code;

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
            "an expression" if matches!(text, "." | "?.") => {
                if before.is_some_and(|_| self.punctuation_at(self.at - 1, ";")) {
                    "Remove the `;` in front of it, or write a value in front of the full stop."
                } else {
                    "Write a value in front of the full stop."
                }
            }
            _ if before.is_some_and(|_| self.is_else_if(self.at - 1)) => {
                "Write `else if (…)`, with parentheses."
            }
            "`;` or a new line" if text == "{" => {
                "A word may be missing in front, such as `if`, `for` or `function`."
            }
            "`,` or `}`" | "`,` or `]`" | "`,` or `)`" if value => "A comma may be missing.",
            _ => return self.stray_stop(wanted),
        })
    }

    /// Whether `elif (…)` and the beginning of a statement stand here: a call of that name would end its line.
    pub(super) fn at_foreign_else_if(&self) -> bool {
        let head = self.at + 1;
        let Some(behind) = self.behind_mate(head).filter(|behind| *behind > head) else {
            return false;
        };
        let next = self.token(behind);
        self.is_else_if(self.at)
            && self.punctuation_at(head, "(")
            && !next.after_line_break
            && (next.kind == Kind::Name || self.punctuation_at(behind, "{"))
    }

    fn is_else_if(&self, index: usize) -> bool {
        matches!(self.text_of(index), "elseif" | "elif" | "elsif" | "elseIf")
    }

    /// An operator of Python at the current word, where JavaScript allows no word.
    pub(super) fn foreign_infix(&self) -> Option<ForeignInfix> {
        let token = self.current();
        let second = self.at + 1;
        let (words, instead) = match self.text_of(self.at) {
            "and" => (1, "&&"),
            "or" => (1, "||"),
            "is" if self.word_at(second, "not") => (2, "!=="),
            "is" => (1, "==="),
            "not" if self.word_at(second, "in") => (2, "in"),
            _ => return None,
        };
        // On a line of its own it may be the name of a variable or a function.
        let fits = if token.after_line_break {
            self.is_operand_of_word(second)
        } else {
            self.token(self.at + words).kind != Kind::End
        };
        (token.kind == Kind::Name && fits).then_some(ForeignInfix { words, instead })
    }

    /// Reports the operator, and moves behind it.
    pub(super) fn pass_foreign_infix(&mut self, operator: &ForeignInfix) {
        let last = self.at + operator.words - 1;
        let span = self.span().to(self.token(last).span);
        let message = format!("`{}` is no operator of JavaScript", self.source.slice(span));
        let hint = match operator.instead {
            "in" => "Write `!(a in b)`, or `!list.includes(a)` for an array.".to_owned(),
            instead => format!("Write `{instead}`."),
        };
        self.report(Code::Unexpected, span, message, Some(&hint));
        self.at = last + 1;
    }

    /// Whether `not` and an operand stand here, as in Python.
    pub(super) fn at_foreign_not(&self) -> bool {
        self.at_word("not") && self.is_operand_of_word(self.at + 1)
    }

    /// Whether what stands here can only be an operand of the word in front of it.
    fn is_operand_of_word(&self, index: usize) -> bool {
        let token = self.token(index);
        let text = self.text_of(index);
        !token.after_line_break
            && match token.kind {
                Kind::Name => !matches!(text, "in" | "instanceof" | "of" | "and" | "or" | "is"),
                Kind::String | Kind::Number => true,
                _ => false,
            }
    }

    /// What was meant by a full stop too many, or one without a value in front of it.
    fn stray_stop(&self, wanted: &str) -> Option<&'static str> {
        let before = self.at.checked_sub(1)?;
        let glued = self.token(before).span.end == self.span().start;
        Some(match self.text_of(self.at) {
            "." if wanted == "a property name" => "Remove one of the full stops.",
            "..." if glued => "Write one full stop in front of a property.",
            _ if self.current().kind != Kind::Punctuation
                && self.token(before).after_line_break
                && self.token(before).kind == Kind::Name
                && before
                    .checked_sub(1)
                    .is_some_and(|at| self.punctuation_at(at, ".")) =>
            {
                "The line above ends with `.`, which takes the first word of this line as a property."
            }
            _ => return None,
        })
    }
}

/// What stands for an operator in Python.
pub(super) struct ForeignInfix {
    words: usize,
    /// The operator of JavaScript.
    pub(super) instead: &'static str,
}
