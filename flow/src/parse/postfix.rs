//! Primary expressions, and what follows them: members, indexes, calls, `++`.

use super::refuse::Refused;
use super::token::Kind;
use super::{Broken, Parsed, Parser};
use crate::absent;
use crate::ast::{Element, Expr, ExprKind, Ident};
use crate::codes::Code;

impl Parser<'_> {
    /// A primary expression with all that follows it.
    pub(super) fn postfix(&mut self) -> Parsed<Expr> {
        let start = self.span().start;
        let value = self.left_hand_side()?;
        let increment = self.at("++");
        if (increment || self.at("--")) && !self.current().after_line_break {
            let target = Box::new(self.target(value)?);
            self.advance();
            let kind = ExprKind::Update {
                increment,
                prefix: false,
                target,
            };
            return Ok(Expr {
                kind,
                span: self.span_from(start),
            });
        }
        Ok(value)
    }

    /// A primary expression with its members, indexes and calls.
    pub(super) fn left_hand_side(&mut self) -> Parsed<Expr> {
        let start = self.span().start;
        let mut value = self.primary()?;
        let mut chain = false;
        loop {
            let optional = self.at("?.");
            let kind = if optional {
                self.link()?;
                self.advance();
                chain = true;
                if self.at("[") {
                    self.index(value, true)?
                } else if self.at("(") {
                    ExprKind::Call {
                        callee: Box::new(value),
                        args: self.arguments()?,
                        optional,
                    }
                } else if self.current().kind == Kind::TemplateOpen {
                    self.refuse(Refused::TaggedTemplate, self.span());
                    self.templates(value)?
                } else {
                    self.member(value, true)?
                }
            } else if self.at(".") {
                self.link()?;
                self.advance();
                self.member(value, false)?
            } else if self.at("[") {
                self.link()?;
                self.index(value, false)?
            } else if self.at("(") {
                self.link()?;
                ExprKind::Call {
                    callee: Box::new(value),
                    args: self.arguments()?,
                    optional,
                }
            } else if self.current().kind == Kind::TemplateOpen {
                self.link()?;
                if self.current().after_line_break {
                    self.refuse_line_that_goes_on(Refused::TaggedTemplate);
                } else {
                    self.refuse(Refused::TaggedTemplate, self.span());
                }
                self.templates(value)?
            } else {
                break;
            };
            value = Expr {
                kind,
                span: self.span_from(start),
            };
        }
        if chain {
            value = Expr {
                span: value.span,
                kind: ExprKind::Chain(Box::new(value)),
            };
        }
        Ok(value)
    }

    fn member(&mut self, object: Expr, optional: bool) -> Parsed<ExprKind> {
        let name = self.property_name()?;
        if name.name == "__proto__" {
            self.refuse(Refused::Prototype, name.span);
        }
        Ok(ExprKind::Member {
            object: Box::new(object),
            name,
            optional,
        })
    }

    fn index(&mut self, object: Expr, optional: bool) -> Parsed<ExprKind> {
        let first = self.at;
        let at_line_start = !optional && self.current().after_line_break;
        let opener = self.open("[")?;
        let index = self.with_in(true, Self::assignment)?;
        if at_line_start && self.at(",") {
            // `[a, b] = [b, a]` behind a line without its `;`.
            self.at = first;
            return Err(self.refuse_line_that_goes_on(Refused::Comma));
        }
        let index = self.with_in(true, |parser| parser.commas(index))?;
        self.close(opener, "]", "")?;
        Ok(ExprKind::Index {
            object: Box::new(object),
            index: Box::new(index),
            optional,
        })
    }

    /// The line above has no `;`, which was probably meant to end there.
    fn refuse_line_that_goes_on(&mut self, what: Refused) -> Broken {
        let (name, _) = what.words();
        let message = format!("the line above goes on here, and Flow does not have {name}");
        let hint = "Write `;` at the end of the line above, if a statement begins here.";
        self.error(Code::NotInFlow, self.span(), message, Some(hint))
    }

    /// `(a, ...b)`
    fn arguments(&mut self) -> Parsed<Vec<Element>> {
        let opener = self.open("(")?;
        let mut args = Vec::new();
        while !self.at(")") {
            args.push(self.list_element()?);
            // `async (x: T): U => …` looks like a call up to here.
            self.refuse_type_annotation()?;
            if !self.eat(",") {
                break;
            }
        }
        self.close(opener, ")", "`,` or ")?;
        Ok(args)
    }

    /// An element of an array or an argument.
    fn list_element(&mut self) -> Parsed<Element> {
        self.element(|parser| {
            let spread = parser.eat("...");
            let value = parser.with_in(true, Self::assignment)?;
            Ok(Element { spread, value })
        })
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let token = self.current();
        let span = token.span;
        let kind = match token.kind {
            Kind::Number => {
                self.advance();
                ExprKind::Number(self.decode_number(span))
            }
            Kind::String => {
                self.advance();
                ExprKind::String(self.decode_string(span))
            }
            Kind::Regex => self.regex(),
            Kind::TemplateOpen => return self.template(),
            Kind::Name => return self.name_or_keyword(),
            Kind::Punctuation => match self.text_of(self.at) {
                "(" => {
                    let opener = self.open("(")?;
                    let inner = self.with_in(true, Self::expression)?;
                    self.refuse_type_annotation()?;
                    self.close(opener, ")", "")?;
                    // All parentheses stay: checks and names of functions look at them.
                    return Ok(Expr {
                        span: self.span_from(span.start),
                        kind: ExprKind::Paren(Box::new(inner)),
                    });
                }
                "[" => return self.array(),
                "{" => return self.object(),
                "/" | "/=" => {
                    self.misread(span.start, true);
                    return Err(self.unexpected("an expression"));
                }
                "<" => return Err(self.refuse(Refused::Jsx, span)),
                _ => return Err(self.unexpected("an expression")),
            },
            // A bad number is worth a number to go on with.
            Kind::BadNumber => {
                self.bad_number(span);
                self.advance();
                ExprKind::Broken
            }
            _ => return Err(self.unexpected("an expression")),
        };
        Ok(Expr { kind, span })
    }

    fn name_or_keyword(&mut self) -> Parsed<Expr> {
        let span = self.span();
        let kind = match self.text_of(self.at) {
            "null" => ExprKind::Null,
            "true" => ExprKind::Bool(true),
            "false" => ExprKind::Bool(false),
            "function" => return self.function_expression(),
            "async" if self.word_at(self.at + 1, "function") && !self.breaks_before_next() => {
                return self.function_expression();
            }
            "new" => return self.new_expression(),
            "this" => self.refused_value(Refused::This),
            "super" => self.refused_value(Refused::Super),
            "arguments" => self.refused_value(Refused::Arguments),
            "eval" => self.refused_value(Refused::Eval),
            "class" => return Err(self.refuse_class()),
            "import" => return Err(self.refuse(Refused::Import, span)),
            "yield" => return Err(self.refuse(Refused::Yield, span)),
            "await" | "let" | "static" | "enum" | "implements" | "interface" | "package"
            | "private" | "protected" | "public" => {
                self.refuse_reserved(self.text_of(self.at), span);
                ExprKind::Broken
            }
            text if super::refuse::is_reserved(text) => {
                return Err(self.unexpected("an expression"));
            }
            _ => {
                let name = self.decode_name(span);
                self.refuse_reserved(&name, span);
                ExprKind::Name(Ident { name, span })
            }
        };
        self.advance();
        Ok(Expr { kind, span })
    }

    fn refused_value(&mut self, what: Refused) -> ExprKind {
        self.refuse(what, self.span());
        ExprKind::Broken
    }

    /// Whether a line ends behind the current word.
    pub(super) fn breaks_before_next(&self) -> bool {
        self.token(self.at + 1).after_line_break
    }

    fn new_expression(&mut self) -> Parsed<Expr> {
        let start = self.span();
        self.advance();
        if self.at(".") {
            return Err(self.refuse(Refused::NewTarget, start.to(self.span())));
        }
        let token = self.current();
        if token.kind != Kind::Name || self.text_of(self.at) == "new" {
            return Err(self.refuse(Refused::New, start.to(token.span)));
        }
        if self.at_word("class") {
            return Err(self.refuse(Refused::Class, token.span));
        }
        let name = self.decode_name(token.span);
        self.advance();
        self.refuse_reserved(&name, token.span);
        let callee = Ident {
            name,
            span: token.span,
        };
        if self.at(".")
            || self.at("[")
            || self.at("?.")
            || self.current().kind == Kind::TemplateOpen
        {
            // `new Intl.NumberFormat()`: what is missing is all of `Intl`.
            if self.at(".")
                && let Some(hint) = absent::name(&callee.name)
            {
                let message = format!("`{}` is not defined", callee.name);
                return Err(self.error(Code::UnknownName, callee.span, message, Some(hint)));
            }
            return Err(self.refuse(Refused::New, start.to(self.span())));
        }
        if self.at("<") && self.span().start == token.span.end {
            return Err(self.refuse(Refused::TypeArguments, self.span()));
        }
        let args = if self.at("(") {
            self.arguments()?
        } else {
            Vec::new()
        };
        let kind = ExprKind::New { callee, args };
        Ok(Expr {
            kind,
            span: self.span_from(start.start),
        })
    }

    fn array(&mut self) -> Parsed<Expr> {
        let start = self.span().start;
        let opener = self.open("[")?;
        let mut items = Vec::new();
        while !self.at("]") {
            if self.eat(",") {
                items.push(None);
                continue;
            }
            items.push(Some(self.list_element()?));
            if !self.eat(",") {
                break;
            }
        }
        self.close(opener, "]", "`,` or ")?;
        Ok(Expr {
            kind: ExprKind::Array(items),
            span: self.span_from(start),
        })
    }

    /// Templates that were refused, one behind the other: their texts are no statements.
    /// What was called for them counts as used.
    fn templates(&mut self, tag: Expr) -> Result<ExprKind, Broken> {
        let mut parts = vec![tag];
        loop {
            parts.push(self.template()?);
            let next = self.current();
            if next.kind != Kind::TemplateOpen || next.after_line_break {
                let strings = vec![Vec::new(); parts.len() + 1];
                return Ok(ExprKind::Template {
                    strings,
                    exprs: parts,
                });
            }
        }
    }

    pub(super) fn template(&mut self) -> Parsed<Expr> {
        let start = self.span();
        self.advance();
        let (mut strings, mut exprs) = (Vec::new(), Vec::new());
        loop {
            let token = self.current();
            match token.kind {
                Kind::TemplateText => {
                    strings.push(self.decode_template(token.span));
                    self.advance();
                }
                Kind::TemplateClose => {
                    self.advance();
                    break;
                }
                Kind::Punctuation if self.at("${") => {
                    let opener = self.open("${")?;
                    let value = self.element(|parser| parser.with_in(true, Self::expression))?;
                    self.close(opener, "}", "")?;
                    exprs.push(value);
                }
                _ => {
                    let message = "the template is never closed";
                    return Err(self.error(Code::Unterminated, start, message, None));
                }
            }
        }
        let kind = ExprKind::Template { strings, exprs };
        Ok(Expr {
            kind,
            span: self.span_from(start.start),
        })
    }
}
