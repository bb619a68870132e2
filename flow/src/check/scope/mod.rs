//! Names: what each stands for, and what is wrong with its declaration or its use.

mod declare;

use std::collections::{HashMap, HashSet};

use super::globals::{self, PARAMETERS};
use super::walk::{self, Visitor};
use crate::absent;
use crate::ast::{
    Case, Catch, Declare, Expr, ExprKind, ForInit, ForLeft, Function, FunctionBody, Ident, Pattern,
    PatternKind, Script, Stmt, StmtKind,
};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::nearest::{Letters, nearest};
use crate::parse::MAX_DIAGNOSTICS;
use crate::parse::refuse::is_reserved;
use crate::source::{Source, Span};

/// What the names of a program mean.
pub(super) struct Names {
    /// Where uses of what Flow provides begin.
    builtin: HashSet<u32>,
    /// Where uses and declarations of the program's own names begin, and which binding that is.
    own: HashMap<u32, usize>,
    /// For each binding, whether it is assigned to behind its declaration.
    written: Vec<bool>,
    /// A broken statement may have declared or used any name.
    pub(super) has_broken: bool,
}

impl Names {
    /// The program's own binding that a name uses or declares.
    pub(super) fn binding(&self, name: &Ident) -> Option<usize> {
        self.own.get(&name.span.start).copied()
    }

    /// Whether a binding keeps the value of its declaration.
    pub(super) fn is_fixed(&self, binding: usize) -> bool {
        self.written.get(binding).is_some_and(|written| !written)
    }

    /// The builtin (or `Inputs`, `Context`) that an expression names.
    pub(super) fn builtin<'a>(&self, expr: &'a Expr) -> Option<&'a Ident> {
        match &expr.kind {
            ExprKind::Name(name) => self.is_builtin(name).then_some(name),
            ExprKind::Paren(inner) => self.builtin(inner),
            _ => None,
        }
    }

    /// Whether a name means a builtin where it stands.
    pub(super) fn is_builtin(&self, name: &Ident) -> bool {
        self.builtin.contains(&name.span.start)
    }
}

/// Resolves all names of a program.
pub(super) fn resolve(script: &Script, source: &Source, found: &mut Vec<Diagnostic>) -> Names {
    let mut resolver = Resolver {
        source,
        found,
        scopes: Vec::new(),
        bindings: Vec::new(),
        function: 0,
        names: Names {
            builtin: HashSet::new(),
            own: HashMap::new(),
            written: Vec::new(),
            has_broken: has_broken(script),
        },
        unknown: HashMap::new(),
    };
    resolver.enter(false);
    resolver.list_here(&script.body);
    resolver.leave();
    resolver.explain_unknown();
    let written = resolver.bindings.iter().map(|binding| binding.written);
    resolver.names.written = written.collect();
    resolver.names
}

/// What declares a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Let,
    Const,
    Function,
    /// The own name of a function expression.
    Itself,
    Parameter,
    Catch,
}

struct Binding<'a> {
    name: &'a Ident,
    kind: Kind,
    /// The function that it belongs to, by depth.
    function: u32,
    /// Whether its declaration has been reached, in the order of the text.
    ready: bool,
    read: bool,
    written: bool,
    /// Whether it is of no importance that nobody reads it.
    may_be_unused: bool,
}

struct Scope<'a> {
    names: HashMap<&'a str, usize>,
    /// Whether names may be the same as those of the scope around it: the body of a function and
    /// its parameters may not.
    joined: bool,
}

struct Resolver<'a, 's> {
    source: &'s Source,
    found: &'s mut Vec<Diagnostic>,
    scopes: Vec<Scope<'a>>,
    bindings: Vec<Binding<'a>>,
    /// How many functions are around.
    function: u32,
    names: Names,
    /// Unknown names that were told, once each, and which finding that is.
    unknown: HashMap<&'a str, usize>,
}

impl<'a> Resolver<'a, '_> {
    fn enter(&mut self, joined: bool) {
        self.scopes.push(Scope {
            names: HashMap::new(),
            joined,
        });
    }

    fn leave(&mut self) {
        let Some(scope) = self.scopes.pop() else {
            return;
        };
        for index in scope.names.into_values() {
            let binding = &self.bindings[index];
            let name = &binding.name.name;
            // A reserved word has been refused as a name, and is none where it is used.
            let excused = name.starts_with('_') || is_reserved(name);
            if binding.read || binding.may_be_unused || self.names.has_broken || excused {
                continue;
            }
            let what = match binding.kind {
                Kind::Function => "function",
                Kind::Parameter => "parameter",
                _ => "variable",
            };
            let message = if binding.written {
                format!("the {what} `{name}` gets values, but is never read")
            } else {
                format!("the {what} `{name}` is never used")
            };
            let hint = format!("Remove it, or call it `_{name}`.");
            self.found.push(
                Diagnostic::new(Code::UnusedName, binding.name.span, message).with_hint(hint),
            );
        }
    }

    fn report(&mut self, code: Code, span: Span, message: String, hint: Option<String>) {
        let mut diagnostic = Diagnostic::new(code, span, message);
        diagnostic.hint = hint;
        self.found.push(diagnostic);
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.scopes
            .iter()
            .rev()
            .find_map(|scope| scope.names.get(name).copied())
    }

    fn read(&mut self, name: &'a Ident) {
        if let Some(index) = self.find(&name.name) {
            self.bindings[index].read = true;
            self.names.own.insert(name.span.start, index);
            self.warn_if_early(index, name);
        } else if PARAMETERS.contains(&name.name.as_str()) || globals::is_builtin(&name.name) {
            self.names.builtin.insert(name.span.start);
        } else {
            self.unknown(name, None);
        }
    }

    fn write(&mut self, name: &'a Ident) {
        let text = name.name.as_str();
        if let Some(index) = self.find(text) {
            self.bindings[index].written = true;
            let line = self.source.line_of(self.bindings[index].name.span.start);
            let (message, hint) = match self.bindings[index].kind {
                Kind::Const => (
                    format!("`{text}` is a constant, declared in line {line}"),
                    "Declare it with `let` if it has to change.",
                ),
                Kind::Itself => (
                    format!("`{text}` is the function itself"),
                    "Use another variable.",
                ),
                _ => {
                    self.warn_if_early(index, name);
                    return;
                }
            };
            self.report(Code::AssignConst, name.span, message, Some(hint.to_owned()));
        } else if PARAMETERS.contains(&text) || globals::is_builtin(text) {
            let message = format!("`{text}` is provided by Flow and cannot be replaced");
            let hint = "Use a variable of your own.".to_owned();
            self.report(Code::AssignGlobal, name.span, message, Some(hint));
        } else {
            self.unknown(name, Some(format!("Declare it first: `let {text} = …`.")));
        }
    }

    fn warn_if_early(&mut self, index: usize, name: &Ident) {
        let binding = &self.bindings[index];
        // Inside of another function, it may well run later.
        if binding.ready || binding.function != self.function {
            return;
        }
        let line = self.source.line_of(binding.name.span.start);
        let message = format!(
            "`{}` has no value yet: it is declared in line {line}",
            name.name
        );
        let hint = "Move the declaration up; this throws a ReferenceError.".to_owned();
        self.report(Code::UseBeforeDeclaration, name.span, message, Some(hint));
    }

    fn unknown(&mut self, name: &'a Ident, otherwise: Option<String>) {
        // Told once; a broken statement may have declared it.
        if self.names.has_broken || self.unknown.contains_key(name.name.as_str()) {
            return;
        }
        let hint = match absent::name(&name.name) {
            Some(hint) => Some(hint.to_owned()),
            // What is not shown needs no guess: that compares the name with all others.
            None if self.unknown.len() >= MAX_DIAGNOSTICS => otherwise,
            None => {
                let meant = self.nearest(&name.name);
                // That nobody reads the one that was meant is no news.
                if let Some(index) = meant.and_then(|meant| self.find(meant)) {
                    self.bindings[index].read = true;
                }
                meant
                    .map(|meant| format!("Did you mean `{meant}`?"))
                    .or(otherwise)
            }
        };
        let message = format!("`{}` is not defined", name.name);
        self.unknown.insert(&name.name, self.found.len());
        self.report(Code::UnknownName, name.span, message, hint);
    }

    /// The name in sight that was probably meant.
    fn nearest(&self, name: &str) -> Option<&'a str> {
        let letters = Letters::of(name)?;
        let scopes = self.scopes.iter().rev();
        let declared = scopes.flat_map(|scope| scope.names.keys().copied());
        let mut known: Vec<&str> = declared
            // `$` sets names apart on purpose, such as those of a harness.
            .filter(|known| !known.contains('$') || name.contains('$'))
            .filter(|known| letters.may_be_near(known))
            .collect();
        known.sort_unstable();
        known.extend(PARAMETERS);
        known.extend(globals::builtins());
        nearest(name, known)
    }

    /// Says of unknown names where they are declared, out of sight; the unused declaration is no news then.
    fn explain_unknown(&mut self) {
        let mut unused = HashSet::new();
        for binding in &self.bindings {
            let Some(index) = self.unknown.get(binding.name.name.as_str()).copied() else {
                continue;
            };
            // What comes later may belong to a harness, and is seldom what was meant.
            if binding.name.span.start > self.found[index].span.start {
                continue;
            }
            let line = self.source.line_of(binding.name.span.start);
            let name = &binding.name.name;
            let hint = match binding.kind {
                // One of many callbacks may have a parameter of this name; that says little.
                Kind::Itself | Kind::Catch | Kind::Parameter => continue,
                Kind::Function => format!(
                    "The function of line {line} is known only inside of its block: move it out of there."
                ),
                Kind::Let | Kind::Const => format!(
                    "`{name}` of line {line} is known only inside of its block: declare it in front of that."
                ),
            };
            self.found[index].hint = Some(hint);
            unused.insert(binding.name.span.start);
        }
        self.found
            .retain(|one| one.code != Code::UnusedName || !unused.contains(&one.span.start));
    }

    fn for_loop(&mut self, stmt: &'a Stmt) {
        match &stmt.kind {
            StmtKind::For {
                init,
                before,
                test,
                update,
                body,
            } => {
                match init {
                    Some(ForInit::Declare(declare)) => {
                        self.hoist_declare(declare);
                        Visitor::declare(self, declare);
                    }
                    Some(ForInit::Exprs(exprs)) => exprs.iter().for_each(|expr| self.expr(expr)),
                    None => {}
                }
                before.iter().chain(test).for_each(|expr| self.expr(expr));
                self.stmt(body);
                update.iter().for_each(|expr| self.expr(expr));
            }
            StmtKind::ForOf { left, right, body } | StmtKind::ForIn { left, right, body } => {
                if let ForLeft::Declare { constant, target } = left {
                    let kind = if *constant { Kind::Const } else { Kind::Let };
                    self.declare_pattern(target, kind, false);
                }
                self.expr(right);
                match left {
                    ForLeft::Declare { target, .. } => self.bind(target),
                    ForLeft::Assign(target) => self.pattern(target),
                }
                self.stmt(body);
            }
            _ => {}
        }
    }
}

impl<'a> Visitor<'a> for Resolver<'a, '_> {
    fn list(&mut self, body: &'a [Stmt]) {
        self.enter(false);
        self.list_here(body);
        self.leave();
    }

    fn stmt(&mut self, stmt: &'a Stmt) {
        if matches!(
            stmt.kind,
            StmtKind::For { .. } | StmtKind::ForOf { .. } | StmtKind::ForIn { .. }
        ) {
            self.enter(false);
            self.for_loop(stmt);
            self.leave();
        } else {
            walk::walk_stmt(self, stmt);
        }
    }

    fn declare(&mut self, declare: &'a Declare) {
        for part in &declare.parts {
            if let Some(init) = &part.init {
                self.expr(init);
            }
            self.bind(&part.target);
        }
    }

    fn cases(&mut self, cases: &'a [Case]) {
        self.enter(false);
        for case in cases {
            self.hoist(&case.body);
        }
        for case in cases {
            if let Some(test) = &case.test {
                self.expr(test);
            }
            for stmt in &case.body {
                self.stmt(stmt);
            }
        }
        self.leave();
    }

    fn catch(&mut self, catch: &'a Catch) {
        self.enter(false);
        if let Some(param) = &catch.param {
            self.declare_pattern(param, Kind::Catch, true);
            self.bind(param);
        }
        self.enter(true);
        self.list_here(&catch.body);
        self.leave();
        self.leave();
    }

    fn function(&mut self, function: &'a Function) {
        self.function += 1;
        self.enter(false);
        for param in &function.params {
            self.declare_pattern(&param.target, Kind::Parameter, false);
        }
        if let Some(rest) = &function.rest {
            self.declare_pattern(rest, Kind::Parameter, false);
        }
        for param in &function.params {
            if let Some(default) = &param.default {
                self.expr(default);
            }
            self.bind(&param.target);
        }
        if let Some(rest) = &function.rest {
            self.bind(rest);
        }
        match &function.body {
            FunctionBody::Block(body) => {
                self.enter(true);
                self.list_here(body);
                self.leave();
            }
            FunctionBody::Expr(value) => self.expr(value),
        }
        self.mark_parameters();
        self.leave();
        self.function -= 1;
    }

    fn expr(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Name(name) => self.read(name),
            ExprKind::New { callee, .. } => {
                // `members` says what is wrong with a name that nothing declares.
                if self.find(&callee.name).is_some() || globals::is_builtin(&callee.name) {
                    self.read(callee);
                }
                walk::walk_expr(self, expr);
            }
            ExprKind::Function(function) => {
                // The own name of a function expression is around its parameters.
                self.enter(false);
                if let Some(name) = &function.name {
                    self.declare(name, Kind::Itself, true);
                }
                self.function(function);
                self.leave();
            }
            ExprKind::Compound { target, value, .. } => {
                if let PatternKind::Name(name) = &target.kind {
                    self.read_known(name);
                }
                self.expr(value);
                self.pattern(target);
            }
            ExprKind::Update { target, .. } => {
                if let PatternKind::Name(name) = &target.kind {
                    self.read_known(name);
                }
                self.pattern(target);
            }
            _ => walk::walk_expr(self, expr),
        }
    }

    /// A pattern that assigns.
    fn pattern(&mut self, pattern: &'a Pattern) {
        match &pattern.kind {
            PatternKind::Name(name) => self.write(name),
            PatternKind::Path(path) => self.expr(path),
            PatternKind::Array { .. } | PatternKind::Object { .. } => {
                self.parts(pattern, |resolver, inner| resolver.pattern(inner));
            }
        }
    }
}

impl Resolver<'_, '_> {
    /// `n += 1` reads `n`; what is wrong with the name is told once, where it is written.
    fn read_known(&mut self, name: &Ident) {
        if let Some(index) = self.find(&name.name) {
            self.bindings[index].read = true;
        }
    }
}

/// Whether any statement could not be read.
fn has_broken(script: &Script) -> bool {
    struct Search(bool);
    impl<'a> Visitor<'a> for Search {
        fn stmt(&mut self, stmt: &'a Stmt) {
            self.0 |= matches!(stmt.kind, StmtKind::Broken);
            walk::walk_stmt(self, stmt);
        }
    }
    let mut search = Search(false);
    search.list(&script.body);
    search.0
}
