//! Expressions down to unary operators.

use super::refuse::Refused;
use super::token::Kind;
use super::{Parsed, Parser};
use crate::ast::{BinaryOp, CompoundOp, Expr, ExprKind, LogicalOp, Pattern, PatternKind, UnaryOp};
use crate::codes::Code;
use crate::source::Span;

/// An operator between two operands.
#[derive(Clone, Copy)]
enum Infix {
    Binary(BinaryOp),
    Logical(LogicalOp),
}

/// How tightly `**` binds; it is the only one that binds to the right.
const POWER: u8 = 12;

impl Parser<'_> {
    /// A whole expression. JavaScript's comma operator is refused here.
    pub(super) fn expression(&mut self) -> Parsed<Expr> {
        let first = self.assignment()?;
        self.commas(first)
    }

    /// What follows the first part of a whole expression.
    pub(super) fn commas(&mut self, mut expr: Expr) -> Parsed<Expr> {
        while self.at(",") {
            self.refuse(Refused::Comma, self.span());
            self.advance();
            expr = self.assignment()?;
        }
        Ok(expr)
    }

    /// An expression without commas: an element of a list.
    pub(super) fn assignment(&mut self) -> Parsed<Expr> {
        self.nested(Self::assignment_here)
    }

    fn assignment_here(&mut self) -> Parsed<Expr> {
        if let Some(function) = self.arrow_function()? {
            return Ok(function);
        }
        let start = self.span().start;
        if self.at_word("yield") {
            return Err(self.refuse(Refused::Yield, self.span()));
        }
        if self.at("[") || self.at("{") {
            let behind = self.behind_mate(self.at);
            if behind.is_some_and(|index| self.punctuation_at(index, "=")) {
                let target = self.assignment_pattern()?;
                self.expect("=")?;
                let value = self.assignment()?;
                let kind = ExprKind::Assign {
                    target: Box::new(target),
                    value: Box::new(value),
                };
                return Ok(Expr {
                    kind,
                    span: self.span_from(start),
                });
            }
        }
        let left = self.conditional()?;
        if self.current().kind != Kind::Punctuation {
            return Ok(left);
        }
        let operator = self.text_of(self.at);
        let kind = if operator == "=" {
            let target = Box::new(self.target(left)?);
            self.advance();
            self.link()?;
            ExprKind::Assign {
                target,
                value: Box::new(self.assignment()?),
            }
        } else if let Some(op) = compound_operator(operator) {
            let target = Box::new(self.target(left)?);
            self.advance();
            self.link()?;
            ExprKind::Compound {
                op,
                target,
                value: Box::new(self.assignment()?),
            }
        } else {
            return Ok(left);
        };
        Ok(Expr {
            kind,
            span: self.span_from(start),
        })
    }

    fn conditional(&mut self) -> Parsed<Expr> {
        let start = self.span().start;
        let test = self.binary(0)?;
        if !self.eat("?") {
            return Ok(test);
        }
        if self.at(":") {
            return Err(self.refuse(Refused::TypeAnnotation, self.span()));
        }
        self.link()?;
        let then = self.with_in(true, Self::assignment)?;
        self.expect(":")?;
        let otherwise = self.assignment()?;
        let kind = ExprKind::Conditional {
            test: Box::new(test),
            then: Box::new(then),
            otherwise: Box::new(otherwise),
        };
        Ok(Expr {
            kind,
            span: self.span_from(start),
        })
    }

    /// Operators that bind at least as tightly as `least`.
    fn binary(&mut self, least: u8) -> Parsed<Expr> {
        let start = self.span().start;
        let mut left = self.unary()?;
        self.check_division();
        while let Some((infix, binding)) = self.infix() {
            if binding < least {
                break;
            }
            let op_span = self.span();
            match self.foreign_infix() {
                Some(operator) => self.pass_foreign_infix(&operator),
                None => self.advance(),
            }
            self.link()?;
            let right = if binding == POWER {
                self.refuse_unary_base(&left, op_span);
                self.nested(|parser| parser.binary(POWER))?
            } else {
                self.binary(binding + 1)?
            };
            if let Infix::Logical(op) = infix {
                self.refuse_mixed(op, &left, &right, op_span);
            }
            let (left_side, right) = (Box::new(left), Box::new(right));
            let kind = match infix {
                Infix::Binary(op) => ExprKind::Binary {
                    op,
                    op_span,
                    left: left_side,
                    right,
                },
                Infix::Logical(op) => ExprKind::Logical {
                    op,
                    left: left_side,
                    right,
                },
            };
            left = Expr {
                kind,
                span: self.span_from(start),
            };
        }
        Ok(left)
    }

    /// The infix operator at the current word, and how tightly it binds.
    fn infix(&self) -> Option<(Infix, u8)> {
        use BinaryOp as B;
        let token = self.current();
        let text = self.text_of(self.at);
        let binary = |op, binding| Some((Infix::Binary(op), binding));
        match (token.kind, text) {
            (Kind::Name, "in") if self.allow_in => binary(B::In, 8),
            (Kind::Name, "instanceof") => binary(B::Instanceof, 8),
            (Kind::Punctuation, "??") => Some((Infix::Logical(LogicalOp::Nullish), 1)),
            (Kind::Punctuation, "||") => Some((Infix::Logical(LogicalOp::Or), 2)),
            (Kind::Punctuation, "&&") => Some((Infix::Logical(LogicalOp::And), 3)),
            (Kind::Punctuation, _) => {
                let (op, binding) = binary_operator(text)?;
                binary(op, binding)
            }
            // Read as what was meant, so that what is wrong behind it is told as well.
            (Kind::Name, _) => match self.foreign_infix()?.instead {
                "||" => Some((Infix::Logical(LogicalOp::Or), 2)),
                "&&" => Some((Infix::Logical(LogicalOp::And), 3)),
                "!==" => binary(B::StrictNe, 7),
                "===" => binary(B::StrictEq, 7),
                _ => binary(B::In, 8),
            },
            _ => None,
        }
    }

    /// `-a ** b` would be read in two ways, so JavaScript refuses it.
    fn refuse_unary_base(&mut self, left: &Expr, op_span: Span) {
        if matches!(
            left.kind,
            ExprKind::Unary { .. } | ExprKind::Delete(_) | ExprKind::Await(_)
        ) {
            let message = "a prefix operator in front of `**` needs parentheses";
            let hint = "Write `(-a) ** b` or `-(a ** b)`.";
            self.report(
                Code::OperatorMix,
                left.span.to(op_span),
                message,
                Some(hint),
            );
        }
    }

    fn refuse_mixed(&mut self, op: LogicalOp, left: &Expr, right: &Expr, op_span: Span) {
        let nullish = |op: LogicalOp| op == LogicalOp::Nullish;
        let mixed = [left, right].into_iter().any(|side| {
            matches!(side.kind, ExprKind::Logical { op: inner, .. } if nullish(inner) != nullish(op))
        });
        if mixed {
            let message = "`??` together with `||` or `&&` needs parentheses";
            let hint = "Write `(a ?? b) || c` or `a ?? (b || c)`.";
            self.report(Code::OperatorMix, op_span, message, Some(hint));
        }
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let token = self.current();
        let start = token.span.start;
        let text = self.text_of(self.at);
        let op = match (token.kind, text) {
            (Kind::Punctuation, "-") => UnaryOp::Minus,
            (Kind::Punctuation, "+") => UnaryOp::Plus,
            (Kind::Punctuation, "!") => UnaryOp::Not,
            (Kind::Punctuation, "~") => UnaryOp::BitNot,
            (Kind::Name, "not") if self.at_foreign_not() => {
                let message = "`not` is no operator of JavaScript";
                let hint = "Write `!`, with parentheses around what it is about: `!(a === b)`.";
                self.report(Code::Unexpected, token.span, message, Some(hint));
                UnaryOp::Not
            }
            (Kind::Name, "typeof") => UnaryOp::Typeof,
            (Kind::Name, "void") => UnaryOp::Void,
            (Kind::Name, "delete") => return self.delete(),
            (Kind::Name, "await") => {
                self.advance();
                let value = Box::new(self.nested(Self::unary)?);
                return Ok(Expr {
                    kind: ExprKind::Await(value),
                    span: self.span_from(start),
                });
            }
            (Kind::Punctuation, "++" | "--") => {
                self.advance();
                let value = self.nested(Self::unary)?;
                let target = Box::new(self.target(value)?);
                let kind = ExprKind::Update {
                    increment: text == "++",
                    prefix: true,
                    target,
                };
                return Ok(Expr {
                    kind,
                    span: self.span_from(start),
                });
            }
            _ => return self.postfix(),
        };
        self.advance();
        let value = Box::new(self.nested(Self::unary)?);
        Ok(Expr {
            kind: ExprKind::Unary { op, value },
            span: self.span_from(start),
        })
    }

    fn delete(&mut self) -> Parsed<Expr> {
        let start = self.span().start;
        self.advance();
        let value = without_parentheses(self.nested(Self::unary)?);
        let span = self.span_from(start);
        match &value.kind {
            ExprKind::Member { .. } | ExprKind::Index { .. } => {}
            ExprKind::Chain(_) => drop(self.refuse(Refused::OptionalDelete, span)),
            _ => {
                let message = "`delete` takes a property";
                let hint = "Write `delete object.name`; set a variable to `undefined` instead.";
                self.report(Code::BadDelete, span, message, Some(hint));
            }
        }
        Ok(Expr {
            kind: ExprKind::Delete(Box::new(value)),
            span,
        })
    }

    /// An expression as the target of an assignment: a variable or a path.
    pub(super) fn target(&mut self, expr: Expr) -> Parsed<Pattern> {
        let span = expr.span;
        if matches!(expr.kind, ExprKind::Broken) {
            return Ok(Pattern {
                kind: PatternKind::Path(Box::new(expr)),
                span,
            });
        }
        let expr = without_parentheses(expr);
        let (message, hint) = match expr.kind {
            ExprKind::Name(name) => {
                return Ok(Pattern {
                    kind: PatternKind::Name(name),
                    span,
                });
            }
            ExprKind::Member { .. } | ExprKind::Index { .. } => {
                return Ok(Pattern {
                    kind: PatternKind::Path(Box::new(expr)),
                    span,
                });
            }
            ExprKind::Chain(_) => (
                "an optional chain cannot be assigned to",
                Some("Test first: `if (a != null) a.b = …`."),
            ),
            ExprKind::Call { .. } => ("the result of a call cannot be assigned to", None),
            ExprKind::Array(_) | ExprKind::Object(_) => (
                "a pattern cannot stand in parentheses or take this operator",
                None,
            ),
            ExprKind::Binary { .. } | ExprKind::Logical { .. } => (
                "the result of an operator cannot be assigned to",
                Some("Write `===` to compare."),
            ),
            _ => ("this cannot be assigned to", None),
        };
        self.report(Code::BadTarget, span, message, hint);
        // Nothing else is wrong with the statement, so reading goes on.
        let broken = Box::new(Expr {
            kind: ExprKind::Broken,
            span,
        });
        Ok(Pattern {
            kind: PatternKind::Path(broken),
            span,
        })
    }
}

/// What stands inside of any parentheses.
pub(super) fn without_parentheses(mut expr: Expr) -> Expr {
    while let ExprKind::Paren(inner) = expr.kind {
        expr = *inner;
    }
    expr
}

fn binary_operator(text: &str) -> Option<(BinaryOp, u8)> {
    use BinaryOp as B;
    Some(match text {
        "|" => (B::BitOr, 4),
        "^" => (B::BitXor, 5),
        "&" => (B::BitAnd, 6),
        "==" => (B::Eq, 7),
        "!=" => (B::Ne, 7),
        "===" => (B::StrictEq, 7),
        "!==" => (B::StrictNe, 7),
        "<" => (B::Lt, 8),
        "<=" => (B::Le, 8),
        ">" => (B::Gt, 8),
        ">=" => (B::Ge, 8),
        "<<" => (B::Shl, 9),
        ">>" => (B::Shr, 9),
        ">>>" => (B::UShr, 9),
        "+" => (B::Add, 10),
        "-" => (B::Sub, 10),
        "*" => (B::Mul, 11),
        "/" => (B::Div, 11),
        "%" => (B::Rem, 11),
        "**" => (B::Pow, POWER),
        _ => return None,
    })
}

fn compound_operator(text: &str) -> Option<CompoundOp> {
    let operator = text.strip_suffix('=')?;
    match operator {
        "&&" => Some(CompoundOp::Logical(LogicalOp::And)),
        "||" => Some(CompoundOp::Logical(LogicalOp::Or)),
        "??" => Some(CompoundOp::Logical(LogicalOp::Nullish)),
        // `<=`, `>=`, `==` and `!=` are comparisons, and do not get here: `binary` has read them.
        "<" | ">" | "=" | "!" | "==" | "!=" => None,
        _ => binary_operator(operator).map(|(op, _)| CompoundOp::Binary(op)),
    }
}
