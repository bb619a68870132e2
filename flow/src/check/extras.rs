//! What a source within a harness says of the harness's functions: `test.skip`, `expect(x).toBe`, options.
//!
//! A name that the source declares itself is its own, and nothing is said of it.

use super::meant;
use super::scope::{self, Names};
use super::walk::{self, Visitor};
use crate::ast::{Element, Expr, ExprKind, Ident, Prop, PropKey, Script};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::harness::{Gives, Harness, Options, Provided};
use crate::source::{Source, Span};

/// What a source says of the functions of its harness.
pub(crate) struct Extras {
    /// The words of each member that is there, such as `test`, `skip`, in the order of the text.
    pub(crate) members: Vec<Vec<Span>>,
    /// Where names begin that the harness has not, with what to write instead.
    pub(crate) names: Vec<(u32, &'static str)>,
    /// What is wrong.
    pub(crate) found: Vec<Diagnostic>,
}

/// Looks for all of it.
pub(crate) fn extras(script: &Script, source: &Source, harness: &Harness) -> Extras {
    let mut unused = Vec::new();
    let names = scope::resolve(script, source, &mut unused);
    let mut search = Search {
        names: &names,
        harness,
        extras: Extras {
            members: Vec::new(),
            names: Vec::new(),
            found: Vec::new(),
        },
    };
    search.list(&script.body);
    search.extras.members.sort_by_key(|words| words[0].start);
    search.extras
}

struct Search<'c> {
    names: &'c Names,
    harness: &'c Harness,
    extras: Extras,
}

impl Search<'_> {
    /// A name that the source does not declare.
    fn foreign<'e>(&self, expr: &'e Expr) -> Option<&'e Ident> {
        match &expr.kind {
            ExprKind::Name(name) if self.names.binding(name).is_none() => Some(name),
            _ => None,
        }
    }

    fn provided(&self, expr: &Expr) -> Option<&'static Provided> {
        let name = self.foreign(expr)?;
        let all: &'static [Provided] = self.harness.provided;
        all.iter().find(|one| one.name == name.name)
    }

    fn report(&mut self, code: Code, span: Span, message: String, hint: String) {
        let diagnostic = Diagnostic::new(code, span, message).with_hint(hint);
        self.extras.found.push(diagnostic);
    }

    /// `test.skip` and `test.skip.each`, from the outside; tells whether it is one.
    fn member(&mut self, expr: &Expr) -> bool {
        let mut words: Vec<&Ident> = Vec::new();
        let mut object = expr;
        while let ExprKind::Member {
            object: inner,
            name,
            optional: false,
        } = &object.kind
        {
            words.push(name);
            object = inner;
        }
        let (Some(of), Some(root)) = (self.provided(object), self.foreign(object)) else {
            return false;
        };
        words.reverse();
        let path = |count: usize| {
            let names: Vec<&str> = words[..count]
                .iter()
                .map(|word| word.name.as_str())
                .collect();
            names.join(".")
        };
        // What comes behind a member that is there is a member of what it is.
        let known =
            (1..=words.len()).take_while(|count| of.members.contains(&path(*count).as_str()));
        let known = known.last().unwrap_or_default();
        if known > 0 {
            let mut spans = vec![root.span];
            spans.extend(words[..known].iter().map(|word| word.span));
            self.extras.members.push(spans);
        }
        let Some(unknown) = words.get(known) else {
            return true;
        };
        let elsewhere = lookup(of.absent, &unknown.name);
        let before = if known > 0 {
            format!("{}.{}", of.name, path(known))
        } else {
            of.name.to_owned()
        };
        // A function has no members but these, so nothing else can be meant.
        let members = of
            .members
            .iter()
            .copied()
            .filter(|member| !member.contains('.'));
        let hint = match (
            elsewhere,
            meant(&self.extras.found, &unknown.name, members.clone()),
        ) {
            (Some(hint), _) => hint.to_owned(),
            (None, Some(meant)) => format!("Did you mean `{before}.{meant}`?"),
            (None, None) if of.members.is_empty() => format!("Call it: `{}(…)`.", of.name),
            (None, None) => format!("It has `{}`.", members.collect::<Vec<_>>().join("`, `")),
        };
        let message = format!("`{before}` has no member `{}`", unknown.name);
        self.report(Code::UnknownMember, unknown.span, message, hint);
        true
    }

    /// What an expression is, if a function of the harness gave it: `expect(x)`, `expect(x).not`.
    fn given(&self, expr: &Expr) -> Option<&'static Gives> {
        match &expr.kind {
            ExprKind::Call {
                callee,
                optional: false,
                ..
            } => self.provided(callee)?.gives,
            ExprKind::Member {
                object,
                name,
                optional: false,
            } => self
                .given(object)
                .filter(|gives| gives.again.contains(&name.name.as_str())),
            _ => None,
        }
    }

    fn member_of_given(&mut self, object: &Expr, name: &Ident) {
        let Some(gives) = self.given(object) else {
            return;
        };
        let text = name.name.as_str();
        if gives.members.contains(&text) || gives.again.contains(&text) {
            return;
        }
        let known = gives.members.iter().chain(gives.again).copied();
        let hint = match (
            lookup(gives.absent, text),
            meant(&self.extras.found, text, known),
        ) {
            (Some(hint), _) => hint.to_owned(),
            (None, Some(meant)) => format!("Did you mean `{meant}`?"),
            (None, None) => format!("There are `{}`.", gives.members.join("`, `")),
        };
        let message = format!("there is no {} `{text}`", gives.what);
        self.report(Code::UnknownMember, name.span, message, hint);
    }

    fn options(&mut self, of: &str, options: &Options, args: &[Element]) {
        let place = ..=options.argument;
        let Some(ExprKind::Object(props)) = args
            .get(options.argument)
            .filter(|_| args[place].iter().all(|arg| !arg.spread))
            .map(|arg| &arg.value.kind)
        else {
            return;
        };
        for prop in props {
            let Prop::Value {
                key: PropKey::Static { name, span },
                ..
            } = prop
            else {
                continue;
            };
            let name = String::from_utf16_lossy(name);
            if options.keys.contains(&name.as_str()) {
                continue;
            }
            let known = options.keys.iter().copied();
            let hint = match (
                lookup(options.absent, &name),
                meant(&self.extras.found, &name, known),
            ) {
                (Some(hint), _) => hint.to_owned(),
                (None, Some(meant)) => format!("Did you mean `{meant}`?"),
                (None, None) => format!("Known: `{}`.", options.keys.join("`, `")),
            };
            let message = format!("no option `{name}` in the options of `{of}`");
            self.report(Code::UnknownOption, *span, message, hint);
        }
    }

    /// A name that the harness has not, with or without a member.
    fn absent(&mut self, name: &Ident, member: Option<&Ident>) {
        let path = member.map(|member| format!("{}.{}", name.name, member.name));
        let hint = path
            .and_then(|path| lookup(self.harness.absent, &path))
            .or_else(|| lookup(self.harness.absent, &name.name));
        if let Some(hint) = hint {
            self.extras.names.push((name.span.start, hint));
        }
    }
}

impl<'a> Visitor<'a> for Search<'_> {
    fn expr(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Member { object, name, .. } => {
                if self.member(expr) {
                    return;
                }
                if let Some(root) = self.foreign(object) {
                    self.absent(root, Some(name));
                    return;
                }
                self.member_of_given(object, name);
            }
            ExprKind::Name(name) if self.foreign(expr).is_some() => self.absent(name, None),
            ExprKind::Call { callee, args, .. } => {
                // `test.skip(name, {…}, body)` takes what `test` takes.
                let mut root = &**callee;
                while let ExprKind::Member { object, .. } = &root.kind {
                    root = object;
                }
                if let Some(of) = self.provided(root)
                    && let Some(options) = of.options
                {
                    self.options(of.name, options, args);
                }
            }
            _ => {}
        }
        walk::walk_expr(self, expr);
    }
}

fn lookup(table: &[(&'static str, &'static str)], name: &str) -> Option<&'static str> {
    table
        .iter()
        .find(|(absent, _)| *absent == name)
        .map(|(_, hint)| *hint)
}
