//! `for` in its three forms, and `do…while`.

use super::refuse::Refused;
use super::token::Kind;
use super::{Parsed, Parser};
use crate::ast::{Expr, ForInit, ForLeft, StmtKind};
use crate::codes::Code;

impl Parser<'_> {
    pub(super) fn for_statement(&mut self) -> Parsed<StmtKind> {
        self.advance();
        if self.at_word("await") {
            self.refuse(Refused::ForAwait, self.span());
            self.advance();
        }
        let opener = self.open("(")?;
        if let Some(word) = self.iteration_word(opener) {
            let left = self.for_left()?;
            let is_of = self.text_of(word) == "of";
            if self.at("=") {
                return Err(self.refuse(Refused::ForInit, self.span()));
            }
            if self.at != word {
                return Err(self.unexpected("`of` or `in`"));
            }
            self.advance();
            let list = if is_of {
                Self::assignment
            } else {
                Self::expression
            };
            let right = self.with_in(true, list)?;
            self.close(opener, ")", "")?;
            let body = self.body()?;
            return Ok(if is_of {
                StmtKind::ForOf { left, right, body }
            } else {
                StmtKind::ForIn { left, right, body }
            });
        }
        let init = self.with_in(false, Self::for_init)?;
        self.expect(";")?;
        let mut before = if self.at(";") {
            Vec::new()
        } else {
            self.with_in(true, Self::sequence)?
        };
        let test = before.pop();
        self.expect(";")?;
        let update = if self.at(")") {
            Vec::new()
        } else {
            self.with_in(true, Self::sequence)?
        };
        self.close(opener, ")", "")?;
        Ok(StmtKind::For {
            init,
            before,
            test,
            update,
            body: self.body()?,
        })
    }

    pub(super) fn do_while(&mut self) -> Parsed<StmtKind> {
        self.advance();
        let body = self.body()?;
        if !self.eat_word("while") {
            return Err(self.unexpected("`while`"));
        }
        let test = self.parenthesized()?;
        // Behind this parenthesis JavaScript needs neither `;` nor a new line.
        self.eat(";");
        Ok(StmtKind::DoWhile { body, test })
    }

    /// The index of the `of` or `in` of the head that `opener` opens, if it is such a head.
    fn iteration_word(&self, opener: usize) -> Option<usize> {
        let end = self
            .token(opener)
            .mate
            .map_or(self.tokens.len() - 1, |mate| mate as usize);
        let mut index = opener + 1;
        while index < end {
            let token = self.token(index);
            match self.text_of(index) {
                ";" if token.kind == Kind::Punctuation => return None,
                // `for (of of list)`: the first word is never it, nor the one behind `let`.
                "of" | "in"
                    if token.kind == Kind::Name
                        && index > opener + 1
                        && !(index == opener + 2 && self.at_declaration(opener + 1))
                        && self.ends_operand(index - 1) =>
                {
                    return Some(index);
                }
                _ => {}
            }
            index = match token.mate {
                Some(mate) if mate as usize > index => mate as usize + 1,
                _ => index + 1,
            };
        }
        None
    }

    /// Whether an operator can stand behind this word; `x.of` and `, of = 1` are no heads.
    fn ends_operand(&self, index: usize) -> bool {
        self.token(index).kind != Kind::Punctuation
            || matches!(self.text_of(index), ")" | "]" | "}")
    }

    fn at_declaration(&self, index: usize) -> bool {
        ["let", "const", "var"]
            .iter()
            .any(|word| self.word_at(index, word))
    }

    fn for_left(&mut self) -> Parsed<ForLeft> {
        if self.at_declaration(self.at) {
            let constant = self.at_word("const");
            if self.at_word("var") {
                self.refuse(Refused::Var, self.span());
            }
            self.advance();
            let target = self.binding_pattern()?;
            self.refuse_type_annotation()?;
            return Ok(ForLeft::Declare { constant, target });
        }
        if self.at_word("async") && self.word_at(self.at + 1, "of") {
            let message = "JavaScript does not allow the name `async` in front of `of`";
            self.report(
                Code::ReservedWord,
                self.span(),
                message,
                Some("Choose another name."),
            );
        }
        self.with_in(false, Self::assignment_pattern)
            .map(ForLeft::Assign)
    }

    fn for_init(&mut self) -> Parsed<Option<ForInit>> {
        if self.at(";") {
            return Ok(None);
        }
        if self.at_declaration(self.at) {
            if self.at_word("var") {
                self.refuse(Refused::Var, self.span());
            }
            return self.declaration().map(ForInit::Declare).map(Some);
        }
        self.sequence().map(ForInit::Exprs).map(Some)
    }

    /// Expressions with commas between them, which only the head of a `for` may have.
    fn sequence(&mut self) -> Parsed<Vec<Expr>> {
        let mut exprs = vec![self.element(Self::assignment)?];
        while self.eat(",") {
            exprs.push(self.element(Self::assignment)?);
        }
        Ok(exprs)
    }
}
