//! Destructuring, in declarations and in assignments.

use super::Compiler;
use super::phrase::Subject;
use crate::ast::{Pattern, PatternItem, PatternKind, PatternProp, PropKey};
use crate::op::Op;
use crate::program::NO_WORDS;

impl Compiler<'_> {
    /// Pops a value into newly declared variables.
    pub(super) fn bind(&mut self, pattern: &Pattern, subject: Subject<'_>) {
        self.destructure(pattern, true, subject);
    }

    /// Pops a value into existing variables and paths.
    pub(super) fn assign_top(&mut self, pattern: &Pattern, subject: Subject<'_>) {
        self.destructure(pattern, false, subject);
    }

    /// Takes the default if the top is `undefined`. V8 does not tie the default of a parameter to its pattern.
    pub(super) fn default(&mut self, item: &PatternItem, is_param: bool) {
        if let Some(default) = &item.default {
            let given = self.jump(Op::JumpIfDefined);
            if matches!(item.target.kind, PatternKind::Array { .. }) && !is_param {
                self.iterated(default);
            } else {
                self.expr_named(default, item.target.name());
            }
            self.land(given);
        }
    }

    fn destructure(&mut self, pattern: &Pattern, declares: bool, subject: Subject<'_>) {
        match &pattern.kind {
            PatternKind::Name(ident) if declares => self.init(ident),
            PatternKind::Name(ident) => {
                self.mark(ident.span);
                match self.find(&ident.name) {
                    Some(place) => self.store(place, &ident.name),
                    None => {
                        self.emit(Op::Pop);
                    }
                }
            }
            PatternKind::Path(path) => {
                // Only the target of `for (a.b of …)` comes here with its value on the stack.
                let base = self.this().next_slot;
                let slot = self.slot();
                self.emit(Op::StoreLocal(slot));
                self.path(path);
                self.emit(Op::LoadLocal(slot));
                let form = self.path_form(path);
                self.set_path(form);
                self.emit(Op::Pop);
                self.free_slots(base);
            }
            PatternKind::Array { items, rest } => {
                let base = self.this().next_slot;
                self.mark(pattern.span);
                self.phrase_array_pattern(subject);
                self.emit(Op::Iterate);
                let slot = self.slot();
                self.emit(Op::StoreLocal(slot));
                for item in items {
                    match item {
                        Some(item) => {
                            self.item(item, declares, Subject::Inner, |this| {
                                this.emit(Op::NextOrUndefined(slot));
                            });
                        }
                        None => {
                            self.emit(Op::NextOrUndefined(slot));
                            self.emit(Op::Pop);
                        }
                    }
                }
                if let Some(rest) = rest {
                    self.target(rest, declares, Subject::Inner, |this| {
                        this.emit(Op::RestOfIterator(slot));
                    });
                }
                self.free_slots(base);
            }
            PatternKind::Object { props, rest } => {
                self.object_pattern(pattern, props, rest.as_deref(), declares, subject);
            }
        }
    }

    fn object_pattern(
        &mut self,
        pattern: &Pattern,
        props: &[PatternProp],
        rest: Option<&Pattern>,
        declares: bool,
        subject: Subject<'_>,
    ) {
        let base = self.this().next_slot;
        // As V8 does, and JavaScript does not: where a path is the first target, what leads to it is evaluated before the
        // value is looked at.
        let mut late = first_is_path(props, rest);
        if !late {
            self.mark(pattern.span);
            self.phrase_object_pattern(subject, props, rest.is_some());
            self.emit(Op::RequireObject(NO_WORDS));
        }
        let source = self.slot();
        self.emit(Op::StoreLocal(source));
        // The keys that a rest leaves out.
        let mut keys: Vec<Result<u32, u32>> = Vec::new();
        for prop in props {
            match &prop.key {
                PropKey::Static { name, span } => {
                    let name = self.string(name);
                    keys.push(Ok(name));
                    self.item(
                        &prop.item,
                        declares,
                        Subject::Property(&subject, &prop.key),
                        |this| {
                            this.mark(*span);
                            this.emit(Op::LoadLocal(source));
                            if std::mem::take(&mut late) {
                                this.mark(pattern.span);
                                this.phrase_object_pattern(subject, props, rest.is_some());
                                this.emit(Op::RequireObject(NO_WORDS));
                                this.mark(*span);
                            }
                            this.emit(Op::GetProp(name));
                        },
                    );
                }
                PropKey::Computed(key) => {
                    let slot = self.slot();
                    self.computed_key(key);
                    self.emit(Op::StoreLocal(slot));
                    keys.push(Err(slot));
                    self.item(
                        &prop.item,
                        declares,
                        Subject::Property(&subject, &prop.key),
                        |this| {
                            this.mark(key.span);
                            this.emit(Op::LoadLocal(source));
                            this.emit(Op::LoadLocal(slot));
                            this.emit(Op::GetIndex);
                        },
                    );
                }
            }
        }
        if let Some(rest) = rest {
            self.target(rest, declares, Subject::Inner, |this| {
                this.emit(Op::LoadLocal(source));
                if late {
                    this.mark(pattern.span);
                    this.phrase_object_pattern(Subject::Inner, props, true);
                    this.emit(Op::RequireObject(NO_WORDS));
                }
                for key in &keys {
                    this.emit(match key {
                        Ok(name) => Op::Const(*name),
                        Err(slot) => Op::LoadLocal(*slot),
                    });
                }
                this.emit(Op::RestOfObject(keys.len() as u32));
            });
        }
        self.free_slots(base);
    }

    fn item(
        &mut self,
        item: &PatternItem,
        declares: bool,
        subject: Subject<'_>,
        produce: impl FnOnce(&mut Self),
    ) {
        let subject = item.default.as_ref().map_or(subject, Subject::Default);
        self.target(&item.target, declares, subject, |this| {
            produce(this);
            this.default(item, false);
        });
    }

    /// Binds what `produce` pushes. A path is evaluated before its value, as in JavaScript.
    fn target(
        &mut self,
        target: &Pattern,
        declares: bool,
        subject: Subject<'_>,
        produce: impl FnOnce(&mut Self),
    ) {
        if let PatternKind::Path(path) = &target.kind {
            self.path(path);
            produce(self);
            self.mark(path.span);
            let form = self.path_form(path);
            self.set_path(form);
            self.emit(Op::Pop);
        } else {
            produce(self);
            self.destructure(target, declares, subject);
        }
    }
}

/// Whether the first target of an object pattern is a path, and nothing is evaluated for its key.
fn first_is_path(props: &[PatternProp], rest: Option<&Pattern>) -> bool {
    let first = match props.first() {
        Some(PatternProp {
            key: PropKey::Static { .. },
            item,
        }) => Some(&item.target),
        Some(_) => None,
        None => rest,
    };
    first.is_some_and(|target| matches!(target.kind, PatternKind::Path(_)))
}
