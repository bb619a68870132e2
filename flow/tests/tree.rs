//! Prints a syntax tree as nested lists, so that a golden file can be judged at a glance.

use std::fmt::Write as _;

use rhythm_flow::ast::*;

/// The statements of a file, one a line.
pub(crate) fn script(script: &Script) -> String {
    script
        .body
        .iter()
        .map(|stmt| self::stmt(stmt) + "\n")
        .collect()
}

fn list(head: &str, parts: impl IntoIterator<Item = String>) -> String {
    let mut out = format!("({head}");
    for part in parts {
        let _ = write!(out, " {part}");
    }
    out + ")"
}

fn block(body: &[Stmt]) -> String {
    list("block", body.iter().map(stmt))
}

fn stmt(stmt: &Stmt) -> String {
    match &stmt.kind {
        StmtKind::Empty => "(empty)".into(),
        StmtKind::Broken => "(broken)".into(),
        StmtKind::Expr(value) => expr(value),
        StmtKind::Declare(value) => declare(value),
        StmtKind::Function(value) => function(value),
        StmtKind::Return(value) => list("return", value.iter().map(expr)),
        StmtKind::If {
            test,
            then,
            otherwise,
        } => list(
            "if",
            [expr(test), self::stmt(then)]
                .into_iter()
                .chain(otherwise.iter().map(|other| self::stmt(other))),
        ),
        StmtKind::While { test, body } => list("while", [expr(test), self::stmt(body)]),
        StmtKind::DoWhile { body, test } => list("do", [self::stmt(body), expr(test)]),
        StmtKind::For {
            init,
            before,
            test,
            update,
            body,
        } => {
            let init = match init {
                None => "_".into(),
                Some(ForInit::Declare(value)) => declare(value),
                Some(ForInit::Exprs(values)) => list(",", values.iter().map(expr)),
            };
            let test = test.as_ref().map_or("_".into(), expr);
            let test = match &before[..] {
                [] => test,
                before => list(",", before.iter().map(expr).chain([test])),
            };
            let update = list(",", update.iter().map(expr));
            list("for", [init, test, update, self::stmt(body)])
        }
        StmtKind::ForOf { left, right, body } => {
            list("for-of", [for_left(left), expr(right), self::stmt(body)])
        }
        StmtKind::ForIn { left, right, body } => {
            list("for-in", [for_left(left), expr(right), self::stmt(body)])
        }
        StmtKind::Switch { value, cases } => list(
            "switch",
            std::iter::once(expr(value)).chain(cases.iter().map(|case| {
                let test = case.test.as_ref().map_or("default".into(), expr);
                list(&test, case.body.iter().map(self::stmt))
            })),
        ),
        StmtKind::Break(label) => list("break", label.iter().map(|label| label.name.clone())),
        StmtKind::Continue(label) => list("continue", label.iter().map(|label| label.name.clone())),
        StmtKind::Throw(value) => list("throw", [expr(value)]),
        StmtKind::Try {
            block: body,
            handler,
            finalizer,
        } => list(
            "try",
            std::iter::once(block(body))
                .chain(handler.iter().map(|handler| {
                    let param = handler.param.as_ref().map_or("_".into(), pattern);
                    list("catch", [param, block(&handler.body)])
                }))
                .chain(finalizer.iter().map(|body| list("finally", [block(body)]))),
        ),
        StmtKind::Block(body) => block(body),
        StmtKind::Labeled { label, body } => list("label", [label.name.clone(), self::stmt(body)]),
    }
}

fn declare(declare: &Declare) -> String {
    let parts = declare.parts.iter().map(|part| {
        let init = part.init.as_ref().map_or("_".into(), expr);
        format!("{} = {init}", pattern(&part.target))
    });
    list(if declare.constant { "const" } else { "let" }, parts)
}

fn for_left(left: &ForLeft) -> String {
    match left {
        ForLeft::Declare { constant, target } => {
            list(if *constant { "const" } else { "let" }, [pattern(target)])
        }
        ForLeft::Assign(target) => pattern(target),
    }
}

fn pattern(value: &Pattern) -> String {
    match &value.kind {
        PatternKind::Name(name) => name.name.clone(),
        PatternKind::Path(path) => expr(path),
        PatternKind::Array { items, rest } => list(
            "[]",
            items
                .iter()
                .map(|item| item.as_ref().map_or("hole".into(), pattern_item))
                .chain(rest.iter().map(|rest| format!("...{}", pattern(rest)))),
        ),
        PatternKind::Object { props, rest } => list(
            "{}",
            props
                .iter()
                .map(|prop| format!("{}:{}", key(&prop.key), pattern_item(&prop.item)))
                .chain(rest.iter().map(|rest| format!("...{}", pattern(rest)))),
        ),
    }
}

fn pattern_item(item: &PatternItem) -> String {
    match &item.default {
        None => pattern(&item.target),
        Some(default) => format!("{}={}", pattern(&item.target), expr(default)),
    }
}

fn key(key: &PropKey) -> String {
    match key {
        PropKey::Static { name, .. } => format!("{:?}", String::from_utf16_lossy(name)),
        PropKey::Computed(value) => format!("[{}]", expr(value)),
    }
}

fn function(function: &Function) -> String {
    let mut head = String::new();
    if function.is_async {
        head.push_str("async-");
    }
    head.push_str(if function.is_arrow {
        "arrow"
    } else {
        "function"
    });
    if let Some(name) = &function.name {
        let _ = write!(head, " {}", name.name);
    }
    let params = function.params.iter().map(pattern_item).chain(
        function
            .rest
            .iter()
            .map(|rest| format!("...{}", pattern(rest))),
    );
    let params = list("", params);
    let body = match &function.body {
        FunctionBody::Block(body) => block(body),
        FunctionBody::Expr(value) => expr(value),
    };
    list(&head, [params, body])
}

fn element(element: &Element) -> String {
    format!(
        "{}{}",
        if element.spread { "..." } else { "" },
        expr(&element.value)
    )
}

fn expr(value: &Expr) -> String {
    let mark = |optional: &bool| if *optional { "?" } else { "" };
    match &value.kind {
        ExprKind::Broken => "broken".into(),
        ExprKind::Null => "null".into(),
        ExprKind::Bool(value) => value.to_string(),
        ExprKind::Number(value) => value.to_string(),
        ExprKind::String(units) => text(units),
        ExprKind::Regex { pattern, flags } => {
            format!("/{}/{}", String::from_utf16_lossy(pattern), flags.text())
        }
        ExprKind::Template { strings, exprs } => {
            let mut parts = vec![text(&strings[0])];
            for (value, string) in exprs.iter().zip(&strings[1..]) {
                parts.extend([expr(value), text(string)]);
            }
            list("template", parts)
        }
        ExprKind::Name(name) => name.name.clone(),
        ExprKind::Array(items) => list(
            "array",
            items
                .iter()
                .map(|item| item.as_ref().map_or("hole".into(), element)),
        ),
        ExprKind::Object(props) => list(
            "object",
            props.iter().map(|prop| match prop {
                Prop::Value {
                    key: name, value, ..
                } => format!("{}:{}", key(name), expr(value)),
                Prop::Spread(value) => format!("...{}", expr(value)),
            }),
        ),
        ExprKind::Function(value) => function(value),
        ExprKind::Unary { op, value } => list(&format!("{op:?}"), [expr(value)]),
        ExprKind::Delete(path) => list("delete", [expr(path)]),
        ExprKind::Binary {
            op, left, right, ..
        } => list(&format!("{op:?}"), [expr(left), expr(right)]),
        ExprKind::Logical { op, left, right } => {
            list(&format!("{op:?}"), [expr(left), expr(right)])
        }
        ExprKind::Conditional {
            test,
            then,
            otherwise,
        } => list("?:", [expr(test), expr(then), expr(otherwise)]),
        ExprKind::Assign { target, value } => list("=", [pattern(target), expr(value)]),
        ExprKind::Compound { op, target, value } => {
            let op = match op {
                CompoundOp::Binary(op) => format!("{op:?}="),
                CompoundOp::Logical(op) => format!("{op:?}="),
            };
            list(&op, [pattern(target), expr(value)])
        }
        ExprKind::Update {
            increment,
            prefix,
            target,
        } => {
            let op = if *increment { "++" } else { "--" };
            let place = if *prefix { "before" } else { "after" };
            list(&format!("{op}{place}"), [pattern(target)])
        }
        ExprKind::Member {
            object,
            name,
            optional,
        } => {
            format!("{}{}.{}", expr(object), mark(optional), name.name)
        }
        ExprKind::Index {
            object,
            index,
            optional,
        } => {
            format!("{}{}[{}]", expr(object), mark(optional), expr(index))
        }
        ExprKind::Call {
            callee,
            args,
            optional,
        } => list(
            &format!("call{}", mark(optional)),
            std::iter::once(expr(callee)).chain(args.iter().map(element)),
        ),
        ExprKind::Chain(value) => list("chain", [expr(value)]),
        ExprKind::New { callee, args } => {
            list(&format!("new {}", callee.name), args.iter().map(element))
        }
        ExprKind::Await(value) => list("await", [expr(value)]),
        ExprKind::Paren(value) => list("paren", [expr(value)]),
    }
}

fn text(units: &[u16]) -> String {
    let chars = char::decode_utf16(units.iter().copied()).map(|unit| match unit {
        Ok(char) => char.escape_debug().to_string(),
        Err(lone) => format!("\\u{:04x}", lone.unpaired_surrogate()),
    });
    format!("\"{}\"", chars.collect::<String>())
}
