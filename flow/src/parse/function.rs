//! Functions of all forms.

use super::refuse::Refused;
use super::token::Kind;
use super::{Parsed, Parser};
use crate::ast::{
    Expr, ExprKind, Function, FunctionBody, Ident, Pattern, PatternItem, PatternKind, Stmt,
};
use crate::codes::Code;

/// The parameters of a function.
type Params = (Vec<PatternItem>, Option<Pattern>);

impl Parser<'_> {
    /// A function declaration, from `async` or `function` on.
    pub(super) fn function_declaration(&mut self) -> Parsed<Function> {
        let start = self.span().start;
        let is_async = self.function_head()?;
        let name = self.binding_name("the function's name")?;
        self.function_rest(Some(name), is_async, start)
    }

    /// A function expression, from `async` or `function` on.
    pub(super) fn function_expression(&mut self) -> Parsed<Expr> {
        let start = self.span().start;
        let is_async = self.function_head()?;
        let name = if self.at("(") {
            None
        } else {
            Some(self.binding_name("`(` or a name")?)
        };
        let function = self.function_rest(name, is_async, start)?;
        let span = function.span;
        Ok(Expr {
            kind: ExprKind::Function(Box::new(function)),
            span,
        })
    }

    /// `async function`; tells whether it is async.
    fn function_head(&mut self) -> Parsed<bool> {
        let is_async = self.eat_word("async");
        let span = self.span();
        self.advance();
        if self.at("*") {
            return Err(self.refuse(Refused::Generator, span.to(self.span())));
        }
        Ok(is_async)
    }

    /// Parameters and body.
    pub(super) fn function_rest(
        &mut self,
        name: Option<Ident>,
        is_async: bool,
        start: u32,
    ) -> Parsed<Function> {
        let (params, rest) = self.parameters()?;
        let body = FunctionBody::Block(self.function_block(&params, rest.as_ref())?);
        let span = self.span_from(start);
        Ok(Function {
            name,
            is_async,
            is_arrow: false,
            params,
            rest,
            body,
            span,
        })
    }

    /// `(a, {b}, c = 1, ...d)`
    fn parameters(&mut self) -> Parsed<Params> {
        if self.at("<") {
            return Err(self.refuse(Refused::TypeArguments, self.span()));
        }
        let opener = self.open("(")?;
        let (mut params, mut rest) = (Vec::new(), None);
        while !self.at(")") {
            if self.eat("...") {
                rest = Some(self.binding_pattern()?);
                self.refuse_type_annotation()?;
                if self.at("=") || self.at(",") {
                    let message = "a rest parameter is the last one, and has no default";
                    return Err(self.error(Code::Unexpected, self.span(), message, None));
                }
                break;
            }
            params.push(self.element(|parser| parser.with_in(true, Self::binding_item))?);
            self.refuse_type_annotation()?;
            if !self.eat(",") {
                break;
            }
        }
        self.close(opener, ")", "`,` or ")?;
        Ok((params, rest))
    }

    fn function_block(
        &mut self,
        params: &[PatternItem],
        rest: Option<&Pattern>,
    ) -> Parsed<Vec<Stmt>> {
        self.refuse_type_annotation()?;
        let first = self.at + 1;
        let body = self.with_in(true, Self::block)?;
        // JavaScript: the directive is for functions whose parameters are plain names.
        let plain = rest.is_none()
            && params.iter().all(|param| {
                matches!(param.target.kind, PatternKind::Name(_)) && param.default.is_none()
            });
        if self.token(first).kind == Kind::String
            && !plain
            && matches!(self.text_of(first), "'use strict'" | "\"use strict\"")
        {
            let message = "\"use strict\" is not allowed in a function with such parameters";
            let hint = "Remove it; Flow is always strict.";
            self.report(
                Code::Unexpected,
                self.token(first).span,
                message,
                Some(hint),
            );
        }
        Ok(body)
    }

    /// `x => …`, `(…) => …`, `async x => …`, `async (…) => …`, if one begins here.
    pub(super) fn arrow_function(&mut self) -> Parsed<Option<Expr>> {
        let start = self.at;
        let is_async = self.at_word("async")
            && !self.breaks_before_next()
            && self.arrow_head_ends(start + 1).is_some();
        let head = if is_async { start + 1 } else { start };
        if self.arrow_head_ends(head).is_none() {
            return Ok(None);
        }
        self.at = head;
        let (params, rest) = if self.at("(") {
            self.parameters()?
        } else {
            let name = self.binding_name("a parameter")?;
            let span = name.span;
            let target = Pattern {
                kind: PatternKind::Name(name),
                span,
            };
            (
                vec![PatternItem {
                    target,
                    default: None,
                }],
                None,
            )
        };
        self.refuse_type_annotation()?;
        // In a file with errors, parameters may end elsewhere: a slash in a default that was taken for a division may turn out to
        // begin a regular expression, which takes the parenthesis along. Then the arrow is missing.
        if self.current().after_line_break {
            let message = "`=>` must be on the line on which the parameters end";
            self.report(Code::LineBreak, self.span(), message, None);
        }
        self.expect("=>")?;
        let body = if self.at("{") {
            FunctionBody::Block(self.function_block(&params, rest.as_ref())?)
        } else {
            FunctionBody::Expr(Box::new(self.assignment()?))
        };
        let span = self.span_from(self.token(start).span.start);
        let function = Function {
            name: None,
            is_async,
            is_arrow: true,
            params,
            rest,
            body,
            span,
        };
        Ok(Some(Expr {
            kind: ExprKind::Function(Box::new(function)),
            span,
        }))
    }

    /// If the words from `index` on are a name or parentheses with `=>` behind: the index of `=>`.
    fn arrow_head_ends(&self, index: usize) -> Option<usize> {
        let behind = if self.token(index).kind == Kind::Name {
            index + 1
        } else if self.punctuation_at(index, "(") {
            self.behind_mate(index)?
        } else {
            return None;
        };
        self.punctuation_at(behind, "=>").then_some(behind)
    }

    /// `: type` behind a name, as TypeScript has it.
    pub(super) fn refuse_type_annotation(&mut self) -> Parsed<()> {
        if self.at(":") || self.at("?") && self.punctuation_at(self.at + 1, ":") {
            return Err(self.refuse(Refused::TypeAnnotation, self.span()));
        }
        Ok(())
    }
}
