//! Operators between two operands.

use super::cursor::Printer;
use super::doc::Line;
use super::parens::Place;
use crate::ast::{BinaryOp, Expr, ExprKind, LogicalOp};

impl Printer<'_> {
    /// A row of operators that bind alike: either all stand on one line, or each ends one.
    pub(super) fn binary(&mut self, expr: &Expr, place: Place) {
        let (first, rest) = operands(expr);
        let indented = matches!(place, Place::Indented | Place::Condition | Place::ArrowBody);
        self.doc.open();
        self.expr(first, Place::Operand);
        if !indented {
            self.doc.indent();
        }
        for operand in rest {
            self.doc.gap();
            self.take();
            self.doc.line(Line::Space);
            self.expr(operand, Place::Operand);
        }
        if !indented {
            self.doc.dedent();
        }
        self.doc.close();
    }
}

/// The first operand, and those that follow it behind operators that bind alike.
fn operands(expr: &Expr) -> (&Expr, Vec<&Expr>) {
    let row = class(expr);
    let mut rest = Vec::new();
    let mut at = expr;
    while let ExprKind::Binary { left, right, .. } | ExprKind::Logical { left, right, .. } =
        &at.kind
    {
        rest.push(&**right);
        at = left;
        // `**` binds to the right: only its outermost operands are in a row.
        if class(at) != row || row == Some(Class::Power) {
            break;
        }
    }
    rest.reverse();
    (at, rest)
}

/// Operators that may stand in one row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Logical(LogicalOp),
    Sum,
    Product,
    Power,
    Other(BinaryOp),
}

fn class(expr: &Expr) -> Option<Class> {
    match &expr.kind {
        ExprKind::Logical { op, .. } => Some(Class::Logical(*op)),
        ExprKind::Binary { op, .. } => Some(match op {
            BinaryOp::Add | BinaryOp::Sub => Class::Sum,
            BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => Class::Product,
            BinaryOp::Pow => Class::Power,
            op => Class::Other(*op),
        }),
        _ => None,
    }
}
