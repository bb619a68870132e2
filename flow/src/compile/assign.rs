//! Assignments: plain, compound, `++` and `--`.

use super::Compiler;
use super::expr::{binary_op, logical_jump};
use super::phrase::Subject;
use crate::ast::{CompoundOp, Expr, ExprKind, Pattern, PatternKind};
use crate::op::Op;

/// What is below the value when a path is written.
#[derive(Clone, Copy)]
pub(super) enum Path {
    /// The object; the name is a constant.
    Member(u32),
    /// The object and the key.
    Index,
}

impl Compiler<'_> {
    /// The form of a path.
    pub(super) fn path_form(&mut self, path: &Expr) -> Path {
        match &path.kind {
            ExprKind::Member { name, .. } => Path::Member(self.words(&name.name)),
            ExprKind::Paren(inner) => self.path_form(inner),
            _ => Path::Index,
        }
    }

    /// Pops value (and path), writes, pushes the value.
    pub(super) fn set_path(&mut self, form: Path) {
        self.emit(match form {
            Path::Member(name) => Op::SetProp(name),
            Path::Index => Op::SetIndex,
        });
    }

    /// Pushes the value of the path on the stack, and keeps the path.
    fn get_path(&mut self, form: Path) {
        match form {
            Path::Member(name) => {
                self.emit(Op::Dup);
                self.emit(Op::GetProp(name));
            }
            Path::Index => {
                self.emit(Op::Dup2);
                self.emit(Op::GetIndex);
            }
        }
    }

    /// `target = value`; pushes the value if it is `wanted`.
    pub(super) fn assign(&mut self, target: &Pattern, value: &Expr, wanted: bool) {
        match &target.kind {
            PatternKind::Path(path) => {
                self.path(path);
                self.expr(value);
                self.mark(path.span);
                let form = self.path_form(path);
                self.set_path(form);
                if !wanted {
                    self.emit(Op::Pop);
                }
            }
            kind => {
                let iterated = matches!(kind, PatternKind::Array { .. });
                if iterated {
                    self.iterated(value);
                } else {
                    self.expr_named(value, target.name());
                }
                if wanted {
                    self.emit(Op::Dup);
                }
                self.mark(target.span);
                self.assign_top(target, Subject::Assigned(value));
            }
        }
    }

    /// `target op= value`
    pub(super) fn compound(
        &mut self,
        op: CompoundOp,
        target: &Pattern,
        value: &Expr,
        wanted: bool,
    ) {
        match (&target.kind, op) {
            (PatternKind::Name(ident), CompoundOp::Binary(op)) => {
                let Some(place) = self.find(&ident.name) else {
                    return;
                };
                self.load(place, &ident.name);
                self.expr(value);
                self.mark(target.span);
                self.emit(binary_op(op));
                if wanted {
                    self.emit(Op::Dup);
                }
                self.store(place, &ident.name);
            }
            (PatternKind::Name(ident), CompoundOp::Logical(op)) => {
                let Some(place) = self.find(&ident.name) else {
                    return;
                };
                self.load(place, &ident.name);
                let end = self.jump(logical_jump(op));
                self.expr_named(value, target.name());
                self.emit(Op::Dup);
                self.store(place, &ident.name);
                self.land(end);
                if !wanted {
                    self.emit(Op::Pop);
                }
            }
            (PatternKind::Path(path), op) => {
                self.path(path);
                let form = self.path_form(path);
                self.mark(path.span);
                self.get_path(form);
                match op {
                    CompoundOp::Binary(op) => {
                        self.expr(value);
                        self.mark(target.span);
                        self.emit(binary_op(op));
                        self.set_path(form);
                    }
                    CompoundOp::Logical(op) => {
                        let short = self.jump(logical_jump(op));
                        self.expr(value);
                        self.mark(target.span);
                        self.set_path(form);
                        let end = self.jump(Op::Jump);
                        self.land(short);
                        self.drop_path(form);
                        self.land(end);
                    }
                }
                if !wanted {
                    self.emit(Op::Pop);
                }
            }
            _ => {
                if wanted {
                    self.emit(Op::Undefined);
                }
            }
        }
    }

    /// Drops the path below the top.
    fn drop_path(&mut self, form: Path) {
        match form {
            Path::Member(_) => {
                self.emit(Op::Swap);
                self.emit(Op::Pop);
            }
            Path::Index => {
                self.emit(Op::Rot3);
                self.emit(Op::Pop);
                self.emit(Op::Pop);
            }
        }
    }

    /// `++target`, `target--` and the like.
    pub(super) fn update(&mut self, increment: bool, prefix: bool, target: &Pattern, wanted: bool) {
        let step = if increment { Op::Inc } else { Op::Dec };
        match &target.kind {
            PatternKind::Name(ident) => {
                let Some(place) = self.find(&ident.name) else {
                    return;
                };
                self.mark(target.span);
                if let (false, true, Some(slot)) = (wanted, increment, place.plain_slot()) {
                    self.emit(Op::IncLocal(slot));
                    return;
                }
                self.load(place, &ident.name);
                if wanted && !prefix {
                    self.emit(Op::ToNumber);
                    self.emit(Op::Dup);
                }
                self.emit(step);
                if wanted && prefix {
                    self.emit(Op::Dup);
                }
                self.store(place, &ident.name);
            }
            PatternKind::Path(path) => {
                self.path(path);
                let form = self.path_form(path);
                self.mark(path.span);
                self.get_path(form);
                if wanted && !prefix {
                    self.emit(Op::ToNumber);
                    self.emit(Op::Dup);
                    self.emit(match form {
                        Path::Member(_) => Op::Rot3,
                        Path::Index => Op::Rot4,
                    });
                }
                self.emit(step);
                self.set_path(form);
                if !wanted || !prefix {
                    self.emit(Op::Pop);
                }
            }
            _ => {}
        }
    }
}
