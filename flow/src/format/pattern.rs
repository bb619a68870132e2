//! Patterns: what a declaration, a parameter or an assignment binds.

use super::cursor::Printer;
use super::list::List;
use super::parens::Place;
use crate::ast::{Expr, Pattern, PatternItem, PatternKind, PatternProp};

impl Printer<'_> {
    pub(super) fn pattern(&mut self, pattern: &Pattern) {
        self.leading();
        // The tree has no parentheses around targets; the few that there are stay.
        let starts_with_paren = |expr: &Expr| expr.span.start == pattern.span.start;
        let inner_start = match &pattern.kind {
            PatternKind::Path(path) if !starts_with_paren(path) => Some(path.span.start),
            PatternKind::Name(name) if name.span.start != pattern.span.start => {
                Some(name.span.start)
            }
            _ => None,
        };
        let mut parens = 0;
        while inner_start.is_some_and(|start| self.start() < start) && self.is("(") {
            self.expect("(");
            parens += 1;
        }
        match &pattern.kind {
            PatternKind::Name(_) => self.take(),
            PatternKind::Path(path) => self.expr(path, Place::Plain),
            PatternKind::Array { items, rest } => {
                let list = List {
                    trailing_comma: rest.is_none(),
                    ..List::ARRAY
                };
                let count = items.len() + usize::from(rest.is_some());
                self.list(list, count, |printer, index| match items.get(index) {
                    Some(Some(item)) => printer.pattern_item(item),
                    Some(None) => printer.lose(),
                    None => printer.rest(rest.as_deref()),
                });
            }
            PatternKind::Object { props, rest } => {
                let list = List {
                    trailing_comma: rest.is_none(),
                    ..List::OBJECT
                };
                let count = props.len() + usize::from(rest.is_some());
                self.list(list, count, |printer, index| match props.get(index) {
                    Some(prop) => printer.pattern_property(prop),
                    None => printer.rest(rest.as_deref()),
                });
            }
        }
        for _ in 0..parens {
            self.expect(")");
        }
    }

    /// `...pattern`
    pub(super) fn rest(&mut self, rest: Option<&Pattern>) {
        self.expect("...");
        if let Some(rest) = rest {
            self.pattern(rest);
        }
    }

    pub(super) fn pattern_item(&mut self, item: &PatternItem) {
        self.pattern(&item.target);
        self.default_value(item);
    }

    fn default_value(&mut self, item: &PatternItem) {
        if let Some(default) = &item.default {
            self.doc.gap();
            self.expect("=");
            self.doc.gap();
            self.expr(default, Place::Plain);
        }
    }

    fn pattern_property(&mut self, prop: &PatternProp) {
        self.key(&prop.key);
        if self.is(":") {
            self.expect(":");
            self.doc.gap();
            self.pattern_item(&prop.item);
        } else {
            self.default_value(&prop.item);
        }
    }
}
