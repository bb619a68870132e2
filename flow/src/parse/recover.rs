//! Going on behind a broken statement, so that all errors of a file are reported.

use super::Parser;
use super::token::Kind;
use crate::ast::{Stmt, StmtKind};

impl Parser<'_> {
    /// One statement of a list; a broken one is skipped.
    pub(super) fn statement_or_broken(&mut self, opener: Option<usize>, body: &mut Vec<Stmt>) {
        let first = self.at;
        let start = self.span().start;
        let (depth, allow_in) = (self.depth, self.allow_in);
        self.allow_in = true;
        let result = self.element(Self::statement);
        self.allow_in = allow_in;
        match result {
            Ok(stmt) => body.push(stmt),
            Err(super::Broken) => {
                self.depth = depth;
                self.skip_statement(first, opener);
                body.push(Stmt {
                    kind: StmtKind::Broken,
                    span: self.span_from(start),
                });
            }
        }
    }

    /// Goes to where the next statement of this list seems to begin.
    fn skip_statement(&mut self, first: usize, opener: Option<usize>) {
        let mut index = self.leave_brackets(self.at.max(first), opener);
        loop {
            let token = self.token(index);
            let moved = index > first;
            if token.kind == Kind::End || opener.is_some_and(|at| token.mate == Some(at as u32)) {
                break;
            }
            if self.punctuation_at(index, ";") {
                index += 1;
                break;
            }
            if moved && token.after_line_break && self.may_begin(index) {
                break;
            }
            // A closing brace without a partner ends nothing; a bracket is skipped as a whole.
            index = match token.mate {
                Some(mate) if mate as usize > index => mate as usize + 1,
                _ => index + 1,
            };
        }
        self.at = index.min(self.tokens.len() - 1).max(self.at.min(first));
    }

    /// From inside of brackets that the list does not have around it to behind them.
    fn leave_brackets(&self, mut index: usize, opener: Option<usize>) -> usize {
        let mut parent = self.token(index).parent;
        while let Some(bracket) = parent {
            if opener.is_some_and(|at| at == bracket as usize) {
                break;
            }
            let bracket = self.token(bracket as usize);
            if let Some(mate) = bracket.mate {
                index = index.max(mate as usize + 1);
            }
            parent = bracket.parent;
        }
        index
    }

    /// Whether a word at the start of a line looks like the beginning of a statement.
    fn may_begin(&self, index: usize) -> bool {
        match self.token(index).kind {
            Kind::Name => !matches!(
                self.text_of(index),
                "else" | "catch" | "finally" | "in" | "instanceof" | "of"
            ),
            Kind::Punctuation => matches!(self.text_of(index), "{" | "}"),
            Kind::HtmlComment => true,
            _ => false,
        }
    }
}
