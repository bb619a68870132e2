//! The syntax tree: nodes with spans, no behaviour. Made by `parse`, read by `check` and `compile`.
//!
//! The parser limits nesting (see `parse`), so passes may recurse over a tree.

use crate::source::Span;

/// A whole file: the body of an async function of `Inputs` and `Context`.
#[derive(Clone, Debug)]
pub struct Script {
    /// The statements at the top level.
    pub body: Vec<Stmt>,
    /// The declared type of `Inputs`, from the JSDoc comment at the head of the file.
    pub input_type: Option<crate::input_type::InputType>,
    /// What stands between two words and has a comment with tags such as `@param`.
    pub comments: Vec<Span>,
}

/// A name where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident {
    /// The name, with unicode escapes resolved.
    pub name: String,
    /// Where it stands.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug)]
pub struct Stmt {
    /// What it is.
    pub kind: StmtKind,
    /// All of its text.
    pub span: Span,
}

/// The kinds of statement.
#[derive(Clone, Debug)]
// The fields are named by what they hold.
#[allow(missing_docs)]
pub enum StmtKind {
    /// `;`
    Empty,
    /// A statement that was broken and reported; nothing is known of it.
    Broken,
    /// An expression.
    Expr(Expr),
    /// `let` or `const`.
    Declare(Declare),
    /// A function declaration, hoisted in its block.
    Function(Box<Function>),
    /// `return`.
    Return(Option<Expr>),
    /// `if … else …`
    If {
        test: Expr,
        then: Box<Stmt>,
        otherwise: Option<Box<Stmt>>,
    },
    /// `while`
    While { test: Expr, body: Box<Stmt> },
    /// `do … while`
    DoWhile { body: Box<Stmt>, test: Expr },
    /// `for (init; test; update)`. `update` holds the parts of a comma list, and `before` those in front of the last
    /// one of the test.
    For {
        init: Option<ForInit>,
        before: Vec<Expr>,
        test: Option<Expr>,
        update: Vec<Expr>,
        body: Box<Stmt>,
    },
    /// `for (left of right)`
    ForOf {
        left: ForLeft,
        right: Expr,
        body: Box<Stmt>,
    },
    /// `for (left in right)`
    ForIn {
        left: ForLeft,
        right: Expr,
        body: Box<Stmt>,
    },
    /// `switch`
    Switch { value: Expr, cases: Vec<Case> },
    /// `break` with an optional label.
    Break(Option<Ident>),
    /// `continue` with an optional label.
    Continue(Option<Ident>),
    /// `throw`
    Throw(Expr),
    /// `try`, with at least one of handler and finalizer.
    Try {
        block: Vec<Stmt>,
        handler: Option<Catch>,
        finalizer: Option<Vec<Stmt>>,
    },
    /// `{ … }`
    Block(Vec<Stmt>),
    /// `label: …`
    Labeled { label: Ident, body: Box<Stmt> },
}

/// `catch (param) { body }`
#[derive(Clone, Debug)]
pub struct Catch {
    /// What the error is bound to.
    pub param: Option<Pattern>,
    /// The statements.
    pub body: Vec<Stmt>,
}

/// One `case` (or `default`, without a test) of a switch.
#[derive(Clone, Debug)]
pub struct Case {
    /// The value compared with `===`; none for `default`.
    pub test: Option<Expr>,
    /// The statements.
    pub body: Vec<Stmt>,
    /// All of its text.
    pub span: Span,
}

/// `let` or `const` with its declarators.
#[derive(Clone, Debug)]
pub struct Declare {
    /// Whether it is `const`.
    pub constant: bool,
    /// The parts, in order.
    pub parts: Vec<Declarator>,
}

/// `pattern = init` of a declaration.
#[derive(Clone, Debug)]
pub struct Declarator {
    /// What is bound.
    pub target: Pattern,
    /// The initial value.
    pub init: Option<Expr>,
}

/// The first part of a `for (;;)`.
#[derive(Clone, Debug)]
pub enum ForInit {
    /// `let` or `const`: a fresh binding for each turn.
    Declare(Declare),
    /// The parts of a comma list.
    Exprs(Vec<Expr>),
}

/// The left side of `for … of` and `for … in`.
#[derive(Clone, Debug)]
// The fields are named by what they hold.
#[allow(missing_docs)]
pub enum ForLeft {
    /// `const x`, `let [a, b]`: a fresh binding for each turn.
    Declare { constant: bool, target: Pattern },
    /// An existing variable, path or pattern.
    Assign(Pattern),
}

/// A target of a binding or an assignment.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// What it is.
    pub kind: PatternKind,
    /// All of its text.
    pub span: Span,
}

/// The kinds of pattern.
#[derive(Clone, Debug)]
// The fields are named by what they hold.
#[allow(missing_docs)]
pub enum PatternKind {
    /// A variable.
    Name(Ident),
    /// A path such as `a.b[c]`; only in assignments. Always `Member` or `Index`, never optional.
    Path(Box<Expr>),
    /// `[a, , b = 1, ...rest]`; `None` is a hole.
    Array {
        items: Vec<Option<PatternItem>>,
        rest: Option<Box<Pattern>>,
    },
    /// `{a, b: c = 1, [k]: d, ...rest}`
    Object {
        props: Vec<PatternProp>,
        rest: Option<Box<Pattern>>,
    },
}

/// A pattern with an optional default.
#[derive(Clone, Debug)]
pub struct PatternItem {
    /// What is bound.
    pub target: Pattern,
    /// The value taken where the source has `undefined`.
    pub default: Option<Expr>,
}

/// `key: item` of an object pattern.
#[derive(Clone, Debug)]
pub struct PatternProp {
    /// The property read.
    pub key: PropKey,
    /// What it is bound to.
    pub item: PatternItem,
}

/// The key of a property.
#[derive(Clone, Debug)]
// The fields are named by what they hold.
#[allow(missing_docs)]
pub enum PropKey {
    /// A name, string or number, as the property name that it means, in UTF-16 units.
    Static { name: Vec<u16>, span: Span },
    /// `[expr]`
    Computed(Expr),
}

/// A function of any form.
#[derive(Clone, Debug)]
pub struct Function {
    /// The name, if it has one.
    pub name: Option<Ident>,
    /// Whether it is `async`.
    pub is_async: bool,
    /// Whether it is an arrow.
    pub is_arrow: bool,
    /// The parameters in front of the rest parameter.
    pub params: Vec<PatternItem>,
    /// `...rest`
    pub rest: Option<Pattern>,
    /// The body.
    pub body: FunctionBody,
    /// All of its text.
    pub span: Span,
}

/// The body of a function.
#[derive(Clone, Debug)]
pub enum FunctionBody {
    /// `{ … }`
    Block(Vec<Stmt>),
    /// The expression of an arrow.
    Expr(Box<Expr>),
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// All of its text, without surrounding parentheses.
    pub span: Span,
}

/// The kinds of expression.
#[derive(Clone, Debug)]
// The fields are named by what they hold.
#[allow(missing_docs)]
pub enum ExprKind {
    /// An expression that was broken and reported.
    Broken,
    /// `undefined` is a name; `null` is this.
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number.
    Number(f64),
    /// A string in UTF-16 units: a literal may hold lone surrogates.
    String(Vec<u16>),
    /// `/pattern/flags`, checked.
    Regex {
        pattern: Vec<u16>,
        flags: crate::regex::Flags,
    },
    /// A template: `strings` has one more part than `exprs`.
    Template {
        strings: Vec<Vec<u16>>,
        exprs: Vec<Expr>,
    },
    /// A variable.
    Name(Ident),
    /// `[a, , ...b]`; `None` is a hole.
    Array(Vec<Option<Element>>),
    /// `{a: 1, b, [c]: 2, ...d, m() {}}`
    Object(Vec<Prop>),
    /// A function expression or arrow.
    Function(Box<Function>),
    /// `op value`
    Unary { op: UnaryOp, value: Box<Expr> },
    /// `delete path`; the path is a `Member` or `Index`.
    Delete(Box<Expr>),
    /// `left op right`
    Binary {
        op: BinaryOp,
        op_span: Span,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `left && right` and the like, which may leave out the right side.
    Logical {
        op: LogicalOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `test ? then : otherwise`
    Conditional {
        test: Box<Expr>,
        then: Box<Expr>,
        otherwise: Box<Expr>,
    },
    /// `target = value`
    Assign {
        target: Box<Pattern>,
        value: Box<Expr>,
    },
    /// `target += value`, `target ??= value`; the target is a name or path.
    Compound {
        op: CompoundOp,
        target: Box<Pattern>,
        value: Box<Expr>,
    },
    /// `++target`, `target--`; the target is a name or path.
    Update {
        increment: bool,
        prefix: bool,
        target: Box<Pattern>,
    },
    /// `object.name`; `optional` for `?.`.
    Member {
        object: Box<Expr>,
        name: Ident,
        optional: bool,
    },
    /// `object[index]`; `optional` for `?.[`.
    Index {
        object: Box<Expr>,
        index: Box<Expr>,
        optional: bool,
    },
    /// `callee(args)`; `optional` for `?.(`.
    Call {
        callee: Box<Expr>,
        args: Vec<Element>,
        optional: bool,
    },
    /// A whole optional chain: where a `?.` in it finds null or undefined, all of it is undefined.
    Chain(Box<Expr>),
    /// `new Callee(args)`
    New { callee: Ident, args: Vec<Element> },
    /// `await value`
    Await(Box<Expr>),
    /// Parentheses that matter to the meaning or to a check, such as around a chain.
    Paren(Box<Expr>),
}

/// An element of an array literal or an argument.
#[derive(Clone, Debug)]
pub struct Element {
    /// Whether it is `...value`.
    pub spread: bool,
    /// The value.
    pub value: Expr,
}

/// A part of an object literal.
#[derive(Clone, Debug)]
// The fields are named by what they hold.
#[allow(missing_docs)]
pub enum Prop {
    /// `key: value`, also for shorthand and methods.
    Value {
        key: PropKey,
        value: Expr,
        shorthand: bool,
    },
    /// `...value`
    Spread(Expr),
}

/// Prefix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum UnaryOp {
    Minus,
    Plus,
    Not,
    BitNot,
    Typeof,
    Void,
}

/// Operators that evaluate both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Pow,
    BitAnd,
    BitOr,
    BitXor,
    Shl,
    Shr,
    UShr,
    Eq,
    Ne,
    StrictEq,
    StrictNe,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    Instanceof,
}

/// Operators that may leave out their right side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LogicalOp {
    And,
    Or,
    Nullish,
}

/// The operator of a compound assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompoundOp {
    /// `+=`, `<<=` …
    Binary(BinaryOp),
    /// `&&=`, `||=`, `??=`
    Logical(LogicalOp),
}
