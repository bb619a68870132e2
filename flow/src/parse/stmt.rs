//! Statements but loops.

use super::refuse::Refused;
use super::token::Kind;
use super::{Parsed, Parser};
use crate::ast::{Case, Catch, Declarator, Declare, Expr, Ident, PatternKind, Stmt, StmtKind};
use crate::codes::Code;

impl Parser<'_> {
    /// The whole file.
    pub(super) fn script(&mut self) -> Vec<Stmt> {
        let mut body = Vec::new();
        while !self.at_end() {
            self.statement_or_broken(None, &mut body);
        }
        body
    }

    /// `{ … }`
    pub(super) fn block(&mut self) -> Parsed<Vec<Stmt>> {
        let opener = self.open("{")?;
        let mut body = Vec::new();
        while !self.at("}") && !self.at_end() {
            self.statement_or_broken(Some(opener), &mut body);
        }
        self.close(opener, "}", "")?;
        Ok(body)
    }

    pub(super) fn statement(&mut self) -> Parsed<Stmt> {
        self.nested(|parser| {
            let start = parser.span().start;
            let kind = parser.statement_kind()?;
            Ok(Stmt {
                kind,
                span: parser.span_from(start),
            })
        })
    }

    fn statement_kind(&mut self) -> Parsed<StmtKind> {
        let span = self.span();
        if self.at("{") {
            return self.block().map(StmtKind::Block);
        }
        if self.eat(";") {
            return Ok(StmtKind::Empty);
        }
        if self.current().kind != Kind::Name {
            return self.expression_statement();
        }
        if let Some(what) = self.type_declaration() {
            return Err(self.refuse(what, span));
        }
        match self.text_of(self.at) {
            "let" | "const" => {
                let declare = self.declaration()?;
                self.end_statement()?;
                Ok(StmtKind::Declare(declare))
            }
            "var" => {
                // Read as `let`, so that its names are known.
                self.refuse(Refused::Var, span);
                let declare = self.declaration()?;
                self.end_statement()?;
                Ok(StmtKind::Declare(declare))
            }
            "function" => self
                .function_declaration()
                .map(Box::new)
                .map(StmtKind::Function),
            "async" if self.word_at(self.at + 1, "function") && !self.breaks_before_next() => self
                .function_declaration()
                .map(Box::new)
                .map(StmtKind::Function),
            "if" => self.if_statement(),
            "while" => {
                self.advance();
                let test = self.parenthesized()?;
                Ok(StmtKind::While {
                    test,
                    body: self.body()?,
                })
            }
            "do" => self.do_while(),
            "for" => self.for_statement(),
            "switch" => self.switch(),
            "break" | "continue" => self.jump(),
            "return" => {
                self.advance();
                let value = if self.ends_here() {
                    None
                } else {
                    Some(self.expression()?)
                };
                self.end_statement()?;
                Ok(StmtKind::Return(value))
            }
            "throw" => {
                self.advance();
                if self.current().after_line_break {
                    let message = "what is thrown must begin on the line of `throw`";
                    return Err(self.error(Code::LineBreak, span, message, None));
                }
                let value = self.expression()?;
                self.end_statement()?;
                Ok(StmtKind::Throw(value))
            }
            "try" => self.try_statement(),
            "class" => Err(self.refuse_class()),
            "import" => Err(self.refuse(Refused::Import, span)),
            "export" => self.export(),
            "with" => Err(self.refuse(Refused::With, span)),
            "debugger" => {
                self.refuse(Refused::Debugger, span);
                self.advance();
                self.end_statement()?;
                Ok(StmtKind::Broken)
            }
            "else" => Err(self.alone("`else` without an `if` in front of it")),
            "catch" | "finally" => Err(self.alone("no `try` block in front of it")),
            "case" | "default" => Err(self.alone("not directly inside of a `switch`")),
            _ if self.punctuation_at(self.at + 1, ":") => self.labeled(),
            _ => self.expression_statement(),
        }
    }

    /// What is exported is read on, so that what is wrong in it is told as well.
    fn export(&mut self) -> Parsed<StmtKind> {
        let span = self.span();
        if self.word_at(self.at + 1, "default") {
            return Err(self.refuse(Refused::ExportDefault, span));
        }
        let broken = self.refuse(Refused::Export, span);
        let declares = ["const", "let", "function", "async"]
            .iter()
            .any(|word| self.word_at(self.at + 1, word));
        if !declares {
            return Err(broken);
        }
        self.advance();
        self.statement_kind()
    }

    fn alone(&mut self, message: &str) -> super::Broken {
        self.error(Code::Unexpected, self.span(), message, None)
    }

    fn expression_statement(&mut self) -> Parsed<StmtKind> {
        if self.at("}") || self.at(")") || self.at("]") {
            let message = format!("`{}` closes nothing", self.text_of(self.at));
            let broken = self.error(Code::Unexpected, self.span(), message, None);
            self.advance();
            return Err(broken);
        }
        if matches!(
            self.current().kind,
            Kind::TemplateText | Kind::TemplateClose
        ) && !self.diagnostics.is_empty()
        {
            // What is left of a template that was reported.
            self.advance();
            return Err(super::Broken);
        }
        let expr = self.expression()?;
        self.end_statement()?;
        Ok(StmtKind::Expr(expr))
    }

    /// Whether a statement with an optional operand ends in front of the current word.
    fn ends_here(&self) -> bool {
        self.at(";") || self.at("}") || self.at_end() || self.current().after_line_break
    }

    /// The body of `if`, a loop or a label.
    pub(super) fn body(&mut self) -> Parsed<Box<Stmt>> {
        let declares = ["let", "const", "function", "class"]
            .iter()
            .any(|word| self.at_word(word))
            || self.at_word("async")
                && self.word_at(self.at + 1, "function")
                && !self.breaks_before_next();
        if declares {
            let message = "a declaration needs a block around it here";
            let hint = "Write `{ … }`.";
            self.report(Code::DeclarationPlace, self.span(), message, Some(hint));
        }
        self.statement().map(Box::new)
    }

    pub(super) fn parenthesized(&mut self) -> Parsed<Expr> {
        let opener = self.open("(")?;
        let expr = self.with_in(true, Self::expression)?;
        self.close(opener, ")", "")?;
        Ok(expr)
    }

    fn if_statement(&mut self) -> Parsed<StmtKind> {
        self.advance();
        let test = self.parenthesized()?;
        let then = self.body()?;
        let otherwise = if self.eat_word("else") {
            Some(self.body()?)
        } else if self.at_foreign_else_if() {
            let span = self.span();
            let message = format!("`{}` is no word of JavaScript", self.text_of(self.at));
            self.report(Code::Unexpected, span, message, Some("Write `else if`."));
            let kind = self.nested(Self::if_statement)?;
            let span = self.span_from(span.start);
            Some(Box::new(Stmt { kind, span }))
        } else {
            None
        };
        Ok(StmtKind::If {
            test,
            then,
            otherwise,
        })
    }

    /// `let a = 1, [b] = c` without its end.
    pub(super) fn declaration(&mut self) -> Parsed<Declare> {
        let constant = self.at_word("const");
        self.advance();
        let mut parts = Vec::new();
        loop {
            parts.push(self.element(|parser| parser.declarator(constant))?);
            if !self.eat(",") {
                return Ok(Declare { constant, parts });
            }
        }
    }

    fn declarator(&mut self, constant: bool) -> Parsed<Declarator> {
        let target = self.binding_pattern()?;
        self.refuse_type_annotation()?;
        if self.eat("=") {
            let init = Some(self.assignment()?);
            return Ok(Declarator { target, init });
        }
        let message = match target.kind {
            PatternKind::Name(_) if constant => "a `const` needs a value",
            PatternKind::Name(_) => return Ok(Declarator { target, init: None }),
            _ => "a pattern needs a value to take apart",
        };
        self.report(
            Code::MissingInitializer,
            target.span,
            message,
            Some("Write `= value`."),
        );
        Ok(Declarator { target, init: None })
    }

    fn switch(&mut self) -> Parsed<StmtKind> {
        self.advance();
        let value = self.parenthesized()?;
        let opener = self.open("{")?;
        let mut cases: Vec<Case> = Vec::new();
        while !self.at("}") && !self.at_end() {
            let start = self.span();
            let test = if self.eat_word("case") {
                Some(self.with_in(true, Self::expression)?)
            } else if self.eat_word("default") {
                if cases.iter().any(|case| case.test.is_none()) {
                    self.report(Code::Unexpected, start, "a second `default`", None);
                }
                None
            } else {
                return Err(self.unexpected("`case`, `default` or `}`"));
            };
            self.expect(":")?;
            let mut body = Vec::new();
            while !self.at("}")
                && !self.at_word("case")
                && !self.at_word("default")
                && !self.at_end()
            {
                self.statement_or_broken(Some(opener), &mut body);
            }
            cases.push(Case {
                test,
                body,
                span: self.span_from(start.start),
            });
        }
        self.close(opener, "}", "")?;
        Ok(StmtKind::Switch { value, cases })
    }

    fn jump(&mut self) -> Parsed<StmtKind> {
        let is_break = self.at_word("break");
        self.advance();
        let label = if self.ends_here() || self.current().kind != Kind::Name {
            None
        } else {
            Some(self.binding_name("a label")?)
        };
        self.end_statement()?;
        Ok(if is_break {
            StmtKind::Break(label)
        } else {
            StmtKind::Continue(label)
        })
    }

    fn try_statement(&mut self) -> Parsed<StmtKind> {
        let span = self.span();
        self.advance();
        let block = self.block()?;
        let handler = if self.eat_word("catch") {
            let param = if self.at("(") {
                let opener = self.open("(")?;
                let param = self.with_in(true, Self::binding_pattern)?;
                self.refuse_type_annotation()?;
                if let (PatternKind::Name(of), Kind::Name) = (&param.kind, self.current().kind) {
                    // `catch (TimeoutError e)`
                    let hint = format!(
                        "Write `catch ({1}) {{ if ({1} instanceof {0}) … }}`: one `catch` is there for all errors.",
                        of.name,
                        self.text_of(self.at)
                    );
                    let message = "a `catch` has one name, and no class of errors";
                    return Err(self.error(Code::Unexpected, param.span, message, Some(&hint)));
                }
                self.close(opener, ")", "")?;
                Some(param)
            } else {
                None
            };
            Some(Catch {
                param,
                body: self.block()?,
            })
        } else {
            None
        };
        let finalizer = if self.eat_word("finally") {
            Some(self.block()?)
        } else {
            None
        };
        if handler.is_none() && finalizer.is_none() {
            let message = "a `try` needs a `catch` or a `finally`";
            return Err(self.error(Code::Unexpected, span, message, None));
        }
        Ok(StmtKind::Try {
            block,
            handler,
            finalizer,
        })
    }

    fn labeled(&mut self) -> Parsed<StmtKind> {
        let span = self.span();
        let name = self.decode_name(span);
        self.refuse_reserved(&name, span);
        self.advance();
        self.advance();
        if self.at_word("function") {
            self.refuse(Refused::LabelledFunction, span);
            return self.statement_kind();
        }
        Ok(StmtKind::Labeled {
            label: Ident { name, span },
            body: self.body()?,
        })
    }
}
