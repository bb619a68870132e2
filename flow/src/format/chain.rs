//! Members, indexes and calls that follow each other: `a.b(c).d[e]`.

use super::cursor::Printer;
use super::doc::Line;
use super::parens::Place;
use crate::ast::{Expr, ExprKind};

/// From this many calls of methods on, each has a line of its own if all do not fit on one.
const MANY: usize = 3;

impl<'s> Printer<'s> {
    pub(super) fn chain(&mut self, expr: &Expr) {
        let (head, links) = links(expr);
        // The links that stay with the head: its own calls, and members in front of the first method.
        let mut near = links.iter().take_while(|link| !is_member(link)).count();
        let plain = near == 0;
        while plain
            && links.get(near).is_some_and(|link| is_member(link))
            && links.get(near + 1).is_some_and(|link| is_member(link))
        {
            near += 1;
        }
        let methods = links[near..]
            .windows(2)
            .filter(|pair| is_member(pair[0]) && is_call(pair[1]))
            .count();
        let commented = links[near..]
            .iter()
            .any(|link| self.has_comment_in_front(link));
        // `Promise.all(…)` and the like stay together.
        let merge = plain && near == 0 && is_factory(head);
        let breaks = methods >= MANY + usize::from(merge) || commented;

        let mut first = merge
            && !links
                .first()
                .is_some_and(|link| self.has_comment_in_front(link));
        if breaks {
            self.doc.open();
        }
        self.expr(head, Place::Object);
        if breaks {
            self.doc.indent();
        }
        let mut after_call = true;
        for (index, link) in links.iter().enumerate() {
            if breaks && index >= near && is_member(link) && after_call {
                if !std::mem::take(&mut first) {
                    self.doc.line(Line::Soft);
                }
                after_call = false;
            }
            if is_call(link) {
                after_call = true;
            }
            self.link(link);
        }
        if breaks {
            self.doc.dedent();
            self.doc.close();
        }
    }

    fn link(&mut self, link: &Expr) {
        match &link.kind {
            ExprKind::Member { .. } => {
                self.take();
                self.take();
            }
            ExprKind::Index {
                index, optional, ..
            } => {
                if *optional {
                    self.expect("?.");
                }
                self.leading();
                self.doc.open();
                self.expect("[");
                self.doc.indent();
                self.doc.line(Line::Soft);
                self.expr(index, Place::Indented);
                self.before_closer(false);
                self.doc.dedent();
                self.doc.line(Line::Soft);
                self.expect("]");
                self.doc.close();
            }
            ExprKind::Call { args, optional, .. } => {
                if *optional {
                    self.expect("?.");
                }
                self.arguments(args);
            }
            _ => self.lose(),
        }
    }

    fn has_comment_in_front(&self, link: &Expr) -> bool {
        match &link.kind {
            ExprKind::Member { object, name, .. } => {
                self.comment_between(object.span.end, self.word_before(name.span.start))
            }
            _ => false,
        }
    }
}

/// What a chain begins with, and its links in the order of the text.
fn links(expr: &Expr) -> (&Expr, Vec<&Expr>) {
    let mut links = Vec::new();
    let mut at = expr;
    loop {
        at = match &at.kind {
            ExprKind::Chain(inner) => {
                at = inner;
                continue;
            }
            ExprKind::Member { object, .. } | ExprKind::Index { object, .. } => {
                links.push(at);
                object
            }
            ExprKind::Call { callee, .. } => {
                links.push(at);
                callee
            }
            _ => break,
        };
    }
    links.reverse();
    (at, links)
}

fn is_member(link: &Expr) -> bool {
    matches!(link.kind, ExprKind::Member { .. })
}

fn is_call(link: &Expr) -> bool {
    matches!(link.kind, ExprKind::Call { .. })
}

/// A name that is short, or that begins with a capital, and is followed by what belongs to it.
fn is_factory(head: &Expr) -> bool {
    match &head.kind {
        ExprKind::Name(name) => {
            name.name.len() <= 2 || name.name.starts_with(|char: char| char.is_uppercase())
        }
        _ => false,
    }
}
