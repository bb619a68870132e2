//! What is written out of a value that a call is given: JSON, with holes for what only the run knows.

use std::borrow::Cow;
use std::collections::HashMap;

use super::host::without_parentheses;
use crate::ast::{Element, Expr, ExprKind, Prop, PropKey, UnaryOp};
use crate::source::Span;
use crate::tape::{Node, Tape};

/// A value as far as it is written out. The parser limits nesting, so it may be walked by recursion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Literal {
    tape: Tape<'static>,
    /// Where each node of the tape stands.
    spans: Vec<Span>,
}

impl Literal {
    /// The inputs of a call whose arguments these are; none where nothing is known of them.
    pub(super) fn of_inputs(args: &[Element], call: Span) -> Option<Self> {
        let mut literal = Self::default();
        match args {
            // Left out, they are an empty object.
            [name] if !name.spread => {
                literal.push(Node::Object, call);
            }
            [name, inputs, ..] if !name.spread && !inputs.spread => literal.value(&inputs.value),
            _ => return None,
        }
        (*literal.tape.node(0) != Node::Unknown).then_some(literal)
    }

    pub(crate) fn tape(&self) -> &Tape<'static> {
        &self.tape
    }

    pub(crate) fn span(&self, at: usize) -> Span {
        self.spans[at]
    }

    fn push(&mut self, node: Node<'static>, span: Span) -> u32 {
        self.spans.push(span);
        self.tape.push(node)
    }

    fn value(&mut self, expr: &Expr) {
        let expr = without_parentheses(expr);
        let node = match &expr.kind {
            ExprKind::Null => Node::Null,
            ExprKind::Bool(value) => Node::Bool(*value),
            ExprKind::Number(value) => number(*value),
            ExprKind::Unary {
                op: UnaryOp::Minus,
                value,
            } => match &without_parentheses(value).kind {
                ExprKind::Number(value) => number(-value),
                _ => Node::Unknown,
            },
            ExprKind::String(units) => text(units),
            ExprKind::Template { strings, exprs } if exprs.is_empty() => {
                text(strings.first().map_or(&[], Vec::as_slice))
            }
            ExprKind::Array(items) => return self.array(items, expr.span),
            ExprKind::Object(props) => return self.object(props, expr.span),
            _ => Node::Unknown,
        };
        self.push(node, expr.span);
    }

    fn array(&mut self, items: &[Option<Element>], span: Span) {
        let at = self.push(Node::Array, span);
        for item in items {
            match item {
                // A hole is null in JSON.
                None => {
                    self.push(Node::Null, span);
                }
                Some(item) if item.spread => {
                    self.push(Node::Rest, item.value.span);
                    break;
                }
                Some(item) => self.value(&item.value),
            }
        }
        self.tape.close(at);
    }

    fn object<'p>(&mut self, props: &'p [Prop], span: Span) {
        let at = self.push(Node::Object, span);
        // What comes later may be of the same name.
        let open = |prop: &Prop| match prop {
            Prop::Value { key, .. } => matches!(key, PropKey::Computed(_)),
            Prop::Spread(_) => true,
        };
        let known_from = props.iter().rposition(open).map_or(0, |last| last + 1);
        if known_from > 0 {
            self.push(Node::Rest, span);
            self.push(Node::Unknown, span);
        }
        // The last one of a name counts.
        let named = |prop: &'p Prop| match prop {
            Prop::Value {
                key: PropKey::Static { name, .. },
                value,
                ..
            } => Some((name, value)),
            _ => None,
        };
        let mut last = HashMap::new();
        for (index, prop) in props.iter().enumerate() {
            if let Some((name, _)) = named(prop) {
                last.insert(name, index);
            }
        }
        for (index, prop) in props.iter().enumerate() {
            let Some((name, value)) = named(prop).filter(|(name, _)| last[name] == index) else {
                continue;
            };
            let Ok(name) = String::from_utf16(name) else {
                continue;
            };
            self.push(Node::String(Cow::Owned(name)), value.span);
            match index < known_from {
                true => {
                    self.push(Node::Unknown, value.span);
                }
                false => self.value(value),
            }
        }
        self.tape.close(at);
    }
}

fn number(value: f64) -> Node<'static> {
    // What JSON has no number for is null there.
    match value.is_finite() {
        true => Node::Number(Cow::Owned(value.to_string())),
        false => Node::Null,
    }
}

fn text(units: &[u16]) -> Node<'static> {
    match String::from_utf16(units) {
        Ok(text) => Node::String(Cow::Owned(text)),
        // A half of a pair cannot be stored, which is said elsewhere.
        Err(_) => Node::Unknown,
    }
}
