//! Variables: which slot, and how to read and write it.

use std::collections::HashMap;

use super::Compiler;
use crate::ast::{Ident, Pattern, Stmt, StmtKind};
use crate::op::Op;
use crate::program::{Capture, Name};

/// The variables of a block.
#[derive(Default)]
pub(super) struct Scope {
    vars: HashMap<String, Var>,
    /// The first free slot in front of the block.
    base: u32,
}

/// A variable.
#[derive(Clone, Copy)]
struct Var {
    id: u32,
    slot: u32,
    captured: bool,
    early: bool,
    /// Where it was declared.
    declared: u32,
    /// From where on it has a value; parameters have one when they are declared.
    start: Option<u32>,
}

/// Where a variable is, seen from the open function.
#[derive(Clone, Copy)]
pub(super) struct Place {
    at: At,
    /// Whether it may have no value yet.
    pub(super) early: bool,
}

#[derive(Clone, Copy)]
enum At {
    Local(u32),
    Var(u32),
    Capture(u32),
}

impl Place {
    /// The slot of a variable that no closure captures and that always has a value.
    pub(super) fn plain_slot(self) -> Option<u32> {
        match self.at {
            At::Local(slot) if !self.early => Some(slot),
            _ => None,
        }
    }
}

impl Compiler<'_> {
    /// A fresh slot; freed by `free_slots` or with the block.
    pub(super) fn slot(&mut self) -> u32 {
        let open = self.this();
        let slot = open.next_slot;
        open.next_slot += 1;
        open.func.locals = open.func.locals.max(open.next_slot);
        let span = open.span;
        if slot >= 60_000 {
            self.too_large = Some(span);
        }
        slot
    }

    /// Frees the slots from `base` on.
    pub(super) fn free_slots(&mut self, base: u32) {
        self.this().next_slot = base;
    }

    pub(super) fn push_scope(&mut self) {
        let base = self.this().next_slot;
        self.this().scopes.push(Scope {
            vars: HashMap::new(),
            base,
        });
    }

    pub(super) fn pop_scope(&mut self) {
        if let Some(scope) = self.this().scopes.pop() {
            self.free_slots(scope.base);
            self.note_names(scope);
        }
    }

    /// Keeps the names of those variables of a block that ends here which an `Await` may have seen.
    fn note_names(&mut self, scope: Scope) {
        let end = self.here();
        let last_await = self.this().last_await;
        let seen = scope.vars.into_iter().filter_map(|(text, var)| {
            let start = var.start.unwrap_or(var.declared);
            (last_await? >= start).then_some((var.slot, start, text))
        });
        let mut seen: Vec<_> = seen.collect();
        // The order of a map is another one each time, and that of the names is part of the program.
        seen.sort_unstable();
        for (slot, start, text) in seen {
            let index = self.variable_name(&text);
            self.this().func.names.push(Name {
                slot,
                index,
                start,
                end,
            });
        }
    }

    /// Declares a variable in a slot of its own.
    pub(super) fn declare(&mut self, ident: &Ident) -> u32 {
        let slot = self.slot();
        self.declare_at(ident, slot);
        slot
    }

    /// Declares a variable in a given slot.
    pub(super) fn declare_at(&mut self, ident: &Ident, slot: u32) {
        let id = ident.span.start;
        let captured = self.analysis.captured.contains(&id);
        let early = self.analysis.early.contains(&id);
        let declared = self.here();
        if let Some(scope) = self.this().scopes.last_mut() {
            scope.vars.insert(
                ident.name.clone(),
                Var {
                    id,
                    slot,
                    captured,
                    early,
                    declared,
                    start: None,
                },
            );
        }
    }

    pub(super) fn is_captured(&self, ident: &Ident) -> bool {
        self.analysis.captured.contains(&ident.span.start)
    }

    /// Declares what a pattern binds, each variable without a value.
    pub(super) fn declare_pattern(&mut self, pattern: &Pattern) {
        let mut idents = Vec::new();
        super::analyze::names(pattern, &mut |ident| idents.push(ident));
        for ident in idents {
            let slot = self.declare(ident);
            self.clear(ident, slot);
        }
    }

    /// Makes the variables of a pattern fresh ones: each turn of a loop has its own.
    pub(super) fn renew_pattern(&mut self, pattern: &Pattern) {
        let mut idents = Vec::new();
        super::analyze::names(pattern, &mut |ident| idents.push(ident));
        for ident in idents
            .into_iter()
            .filter(|ident| self.is_captured(ident))
            .collect::<Vec<_>>()
        {
            if let Some(Place {
                at: At::Var(slot), ..
            }) = self.find(&ident.name)
            {
                self.emit(Op::NewVar(slot));
            }
        }
    }

    /// Copies the captured variables of a pattern: closures of the last turn keep theirs.
    pub(super) fn copy_pattern(&mut self, pattern: &Pattern) {
        let mut idents = Vec::new();
        super::analyze::names(pattern, &mut |ident| idents.push(ident));
        for ident in idents {
            if let Some(Place {
                at: At::Var(slot), ..
            }) = self.find(&ident.name)
            {
                self.emit(Op::CopyVar(slot));
            }
        }
    }

    fn clear(&mut self, ident: &Ident, slot: u32) {
        if self.is_captured(ident) {
            self.emit(Op::NewVar(slot));
        } else if self.analysis.early.contains(&ident.span.start) {
            self.emit(Op::ClearLocal(slot));
        }
    }

    /// Declares what the statements of a block declare; functions get their values at once.
    pub(super) fn hoist<'s>(&mut self, body: impl Iterator<Item = &'s Stmt> + Clone) {
        for stmt in body.clone() {
            match &stmt.kind {
                StmtKind::Declare(declare) => {
                    declare
                        .parts
                        .iter()
                        .for_each(|part| self.declare_pattern(&part.target));
                }
                StmtKind::Function(function) => {
                    if let Some(name) = &function.name {
                        let slot = self.declare(name);
                        self.clear(name, slot);
                    }
                }
                _ => {}
            }
        }
        for stmt in body {
            if let StmtKind::Function(function) = &stmt.kind
                && let Some(name) = &function.name
            {
                self.closure(function, None);
                self.init(name);
            }
        }
    }

    /// Finds a variable; none for names of the library.
    pub(super) fn find(&mut self, name: &str) -> Option<Place> {
        self.find_in(self.open.len() - 1, name)
            .map(|(place, _)| place)
    }

    fn find_in(&mut self, function: usize, name: &str) -> Option<(Place, u32)> {
        let scopes = self.open[function].scopes.iter().rev();
        if let Some(var) = scopes.filter_map(|scope| scope.vars.get(name)).next() {
            let at = if var.captured {
                At::Var(var.slot)
            } else {
                At::Local(var.slot)
            };
            return Some((
                Place {
                    at,
                    early: var.early,
                },
                var.id,
            ));
        }
        let (outer, id) = self.find_in(function.checked_sub(1)?, name)?;
        let capture = match outer.at {
            At::Local(slot) | At::Var(slot) => Capture::Local(slot),
            At::Capture(index) => Capture::Outer(index),
        };
        let open = &mut self.open[function];
        let index = open
            .captured
            .iter()
            .position(|known| *known == id)
            .unwrap_or_else(|| {
                open.captured.push(id);
                open.captured_names.push(name.to_owned());
                open.func.captures.push(capture);
                open.captured.len() - 1
            });
        Some((
            Place {
                at: At::Capture(index as u32),
                early: outer.early,
            },
            id,
        ))
    }

    /// Pushes a variable.
    pub(super) fn load(&mut self, place: Place, name: &str) {
        self.emit(match place.at {
            At::Local(slot) => Op::LoadLocal(slot),
            At::Var(slot) => Op::LoadVar(slot),
            At::Capture(index) => Op::LoadCapture(index),
        });
        if place.early {
            let name = self.words(name);
            self.emit(Op::CheckInit(name));
        }
    }

    /// Pops into a variable, as an assignment.
    pub(super) fn store(&mut self, place: Place, name: &str) {
        if place.early {
            self.load(place, name);
            self.emit(Op::Pop);
        }
        self.store_raw(place);
    }

    /// Pops into a variable, as its declaration.
    pub(super) fn init(&mut self, ident: &Ident) {
        if let Some(place) = self.find(&ident.name) {
            self.store_raw(place);
            let here = self.here();
            let mut scopes = self.this().scopes.iter_mut().rev();
            if let Some(var) = scopes.find_map(|scope| scope.vars.get_mut(&ident.name)) {
                var.start.get_or_insert(here);
            }
        }
    }

    fn store_raw(&mut self, place: Place) {
        self.emit(match place.at {
            At::Local(slot) => Op::StoreLocal(slot),
            At::Var(slot) => Op::StoreVar(slot),
            At::Capture(index) => Op::StoreCapture(index),
        });
    }
}
