//! What stands in brackets with commas between: arguments, array and object literals.

use super::cursor::Printer;
use super::doc::Line;
use super::parens::Place;
use crate::ast::{Element, Expr, ExprKind, Function, FunctionBody, Prop, PropKey};
use crate::parse::token::Kind;
use crate::source::Span;

/// How a list is laid out.
#[derive(Clone, Copy)]
pub(super) struct List {
    pub(super) open: &'static str,
    pub(super) close: &'static str,
    /// What stands behind the bracket that opens.
    pub(super) edge: Line,
    /// Whether a comma may stand behind the last part.
    pub(super) trailing_comma: bool,
    /// Whether each part has a line of its own even if all would fit on one.
    pub(super) expanded: bool,
    /// Whether as many parts as fit stand on each line.
    pub(super) fill: bool,
}

impl List {
    pub(super) const ARGUMENTS: Self = Self {
        open: "(",
        close: ")",
        edge: Line::Soft,
        trailing_comma: true,
        expanded: false,
        fill: false,
    };
    pub(super) const ARRAY: Self = Self {
        open: "[",
        close: "]",
        ..Self::ARGUMENTS
    };
    pub(super) const OBJECT: Self = Self {
        open: "{",
        close: "}",
        edge: Line::Space,
        ..Self::ARGUMENTS
    };
}

/// How the last argument is kept on the line of the bracket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hug {
    No,
    /// Its own bracket breaks.
    Bracket,
    /// The body of the arrow goes to a line of its own.
    Body,
}

impl Printer<'_> {
    /// Prints a list of `count` parts in a group of its own.
    pub(super) fn list(&mut self, list: List, count: usize, part: impl FnMut(&mut Self, usize)) {
        self.leading();
        if self.is_empty_bracket() && !self.has_comments() {
            self.expect(list.open);
            self.expect(list.close);
            return;
        }
        self.doc.open();
        self.list_in_group(list, count, part);
        self.doc.close();
    }

    /// Prints a list in the group that is open.
    fn list_in_group(&mut self, list: List, count: usize, mut part: impl FnMut(&mut Self, usize)) {
        self.expect(list.open);
        if list.expanded {
            self.doc.break_open();
        }
        self.doc.indent();
        if count > 0 {
            self.doc.line(list.edge);
        }
        for index in 0..count {
            // A hole of an array is nothing but its comma.
            let is_hole = self.is(",");
            if is_hole {
                self.before_hole();
                if self.doc.ends_in_comment() {
                    self.doc.gap();
                }
            } else {
                part(self, index);
            }
            if index + 1 < count || is_hole {
                self.separator(",");
            } else {
                self.inline_comments();
                if self.is(",") {
                    self.skip(",");
                }
                self.inline_comments();
                if list.trailing_comma {
                    self.doc.if_broken(",");
                }
            }
            if index + 1 < count {
                let line = if self.empty_line_before() {
                    Line::SpaceBlank
                } else {
                    Line::Space
                };
                if list.fill {
                    self.doc.open();
                    self.doc.line(line);
                    self.doc.close();
                } else {
                    self.doc.line(line);
                }
            }
        }
        self.inline_comments();
        self.before_closer(count == 0);
        self.doc.dedent();
        self.doc
            .line(if count > 0 { list.edge } else { Line::Soft });
        self.expect(list.close);
    }

    pub(super) fn array(&mut self, items: &[Option<Element>]) {
        let is_number = |item: &Option<Element>| {
            item.as_ref()
                .is_some_and(|item| matches!(item.value.kind, ExprKind::Number(_)))
        };
        let list = List {
            expanded: items.iter().flatten().any(|item| self.is_text_block(item)),
            fill: items.len() > 1
                && items.iter().all(is_number)
                && !self.comments_in_brackets()
                && !self.doc.suffix_waits(),
            ..List::ARRAY
        };
        self.list(list, items.len(), |printer, index| {
            if let Some(item) = &items[index] {
                printer.element(item);
            }
        });
    }

    fn element(&mut self, element: &Element) {
        if element.spread {
            self.expect("...");
        }
        self.expr(&element.value, Place::Plain);
    }

    /// An object stays on several lines if its first property was on a line of its own.
    pub(super) fn object(&mut self, props: &[Prop]) {
        let list = List {
            expanded: !props.is_empty() && self.breaks_behind(),
            ..List::OBJECT
        };
        self.list(list, props.len(), |printer, index| {
            printer.property(&props[index]);
        });
    }

    fn property(&mut self, prop: &Prop) {
        let (key, value) = match prop {
            Prop::Spread(value) => {
                self.expect("...");
                self.expr(value, Place::Plain);
                return;
            }
            Prop::Value {
                key,
                shorthand: true,
                ..
            } => return self.key(key),
            Prop::Value { key, value, .. } => (key, value),
        };
        // The text of a method begins with its key, or with `async`.
        if let ExprKind::Function(function) = &value.kind
            && value.span.start == self.start()
        {
            if function.is_async {
                self.expect("async");
                self.tight();
                self.doc.gap();
            }
            self.key(key);
            self.parameters(function);
            self.doc.gap();
            if let FunctionBody::Block(body) = &function.body {
                self.block(body);
            }
            return;
        }
        self.leading();
        self.doc.open();
        self.key(key);
        self.expect(":");
        self.assigned(value);
        self.doc.close();
    }

    pub(super) fn key(&mut self, key: &PropKey) {
        match key {
            PropKey::Static { .. } if self.kind() == Kind::String => self.string(),
            PropKey::Static { .. } => self.take(),
            PropKey::Computed(value) => {
                self.expect("[");
                self.expr(value, Place::Plain);
                self.expect("]");
            }
        }
    }

    pub(super) fn arguments(&mut self, args: &[Element]) {
        self.leading();
        let hug = self.hug(args);
        if hug == Hug::No {
            let list = List {
                expanded: args.iter().any(|arg| self.is_text_block(arg)),
                ..List::ARGUMENTS
            };
            self.list(list, args.len(), |printer, index| {
                printer.element(&args[index]);
            });
            return;
        }
        self.doc.open_hug(hug == Hug::Body);
        self.list_in_group(List::ARGUMENTS, args.len(), |printer, index| {
            let arg = &args[index];
            if index + 1 < args.len() {
                printer.element(arg);
            } else if let ExprKind::Function(function) = &arg.value.kind {
                printer.hugged_function(function, hug);
            } else {
                printer.doc.last_part();
                printer.element(arg);
            }
        });
        self.doc.close();
    }

    fn hugged_function(&mut self, function: &Function, hug: Hug) {
        if let FunctionBody::Expr(body) = &function.body
            && is_literal(body)
        {
            self.arrow_head(function);
            self.doc.gap();
            // The bracket of the literal is what breaks.
            self.doc.last_part();
            self.expr(body, Place::ArrowBody);
            return;
        }
        self.doc.last_part();
        self.doc.open();
        if hug == Hug::Body {
            self.hugged_arrow(function);
        } else {
            self.function(function);
        }
        self.doc.close();
    }

    /// Whether the last argument may break while the others stay on the line of the bracket.
    fn hug(&self, args: &[Element]) -> Hug {
        let Some((last, others)) = args.split_last() else {
            return Hug::No;
        };
        let commented = self.comments_in_brackets();
        let same_kind = others.last().is_some_and(|other| {
            std::mem::discriminant(&other.value.kind) == std::mem::discriminant(&last.value.kind)
        });
        let text_block = args.iter().any(|arg| self.is_text_block(arg));
        if last.spread || same_kind || text_block || self.has_comments_between(args) {
            return Hug::No;
        }
        match &last.value.kind {
            ExprKind::Array(items) if !items.is_empty() => Hug::Bracket,
            ExprKind::Object(props) if !props.is_empty() => Hug::Bracket,
            ExprKind::Function(function) => match &function.body {
                FunctionBody::Block(_) => Hug::Bracket,
                FunctionBody::Expr(body) if self.has_comment_before(body) => Hug::No,
                FunctionBody::Expr(body) => match &body.kind {
                    ExprKind::Call { .. } | ExprKind::Await(_) | ExprKind::Conditional { .. }
                        if commented =>
                    {
                        Hug::No
                    }
                    ExprKind::Call { .. } | ExprKind::Await(_) | ExprKind::Conditional { .. } => {
                        Hug::Body
                    }
                    ExprKind::Template { .. } => Hug::Bracket,
                    _ if is_literal(body) => Hug::Bracket,
                    _ => Hug::No,
                },
            },
            _ => Hug::No,
        }
    }

    /// Whether it is a template of several lines that begins on a line of its own, and stays so.
    fn is_text_block(&self, element: &Element) -> bool {
        matches!(element.value.kind, ExprKind::Template { .. })
            && self.slice(element.value.span).contains('\n')
            && self.begins_line(element.value.span.start)
    }

    /// Whether a comment stands between an expression and the word in front of it.
    fn has_comment_before(&self, expr: &Expr) -> bool {
        let start = expr.span.start;
        self.comment_between(self.word_before(start), start)
    }

    /// Whether a comment stands beside an argument, not in it.
    fn has_comments_between(&self, args: &[Element]) -> bool {
        let mut from = self.start();
        for arg in args {
            let Span { start, end } = arg.value.span;
            if self.comment_between(from, start) {
                return true;
            }
            from = end;
        }
        let close = self.mate_start().unwrap_or(from);
        self.comment_between(from, close)
    }
}

/// Whether the body of an arrow is an array or object with something in it.
fn is_literal(body: &Expr) -> bool {
    match &body.kind {
        ExprKind::Array(items) => !items.is_empty(),
        ExprKind::Paren(inner) => {
            matches!(&inner.kind, ExprKind::Object(props) if !props.is_empty())
        }
        _ => false,
    }
}
