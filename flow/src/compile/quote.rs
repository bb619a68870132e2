//! An expression as V8 prints it in a message: from its syntax tree, with `(intermediate value)` for what it does not
//! print. Knows nothing of the messages.

use crate::ast::{
    BinaryOp, Element, Expr, ExprKind, Function, LogicalOp, Pattern, PatternItem, PatternKind,
    UnaryOp,
};
use crate::program::phrase;
use crate::value::{coerce::int32, number};

/// Longer expressions are not quoted; the error then has words of the VM.
const LONGEST: usize = 200;

pub(super) const UNPRINTED: &str = "(intermediate value)";

pub(super) fn unwrapped(mut expr: &Expr) -> &Expr {
    while let ExprKind::Paren(inner) = &expr.kind {
        expr = inner;
    }
    expr
}

/// The text of a literal.
pub(super) fn text_of(expr: &Expr) -> Option<&Vec<u16>> {
    match &unwrapped(expr).kind {
        ExprKind::String(units) => Some(units),
        ExprKind::Template { strings, exprs } if exprs.is_empty() => strings.first(),
        _ => None,
    }
}

/// Whether all parameters are names.
fn is_simple(function: &Function) -> bool {
    let plain = |param: &PatternItem| {
        param.default.is_none() && matches!(param.target.kind, PatternKind::Name(_))
    };
    function.rest.is_none() && function.params.iter().all(plain)
}

/// The number that V8's parser makes of an expression of numbers.
pub(super) fn computed(expr: &Expr) -> Option<f64> {
    match &expr.kind {
        ExprKind::Number(number) => Some(*number),
        ExprKind::Paren(inner) => computed(inner),
        ExprKind::Unary { op, value } => {
            let value = computed(value)?;
            match op {
                UnaryOp::Minus => Some(-value),
                UnaryOp::Plus => Some(value),
                UnaryOp::BitNot => Some(f64::from(!int32(value))),
                _ => None,
            }
        }
        ExprKind::Binary {
            op, left, right, ..
        } => {
            let (a, b) = (computed(left)?, computed(right)?);
            let shift = int32(b) as u32 & 31;
            Some(match op {
                BinaryOp::Add => a + b,
                BinaryOp::Sub => a - b,
                BinaryOp::Mul => a * b,
                BinaryOp::Div => a / b,
                BinaryOp::Rem => a % b,
                BinaryOp::Pow => number::power(a, b),
                BinaryOp::BitAnd => f64::from(int32(a) & int32(b)),
                BinaryOp::BitOr => f64::from(int32(a) | int32(b)),
                BinaryOp::BitXor => f64::from(int32(a) ^ int32(b)),
                BinaryOp::Shl => f64::from(int32(a) << shift),
                BinaryOp::Shr => f64::from(int32(a) >> shift),
                BinaryOp::UShr => f64::from(int32(a) as u32 >> shift),
                _ => return None,
            })
        }
        _ => None,
    }
}

/// Whether an expression is truthy, where V8's parser knows it.
fn known_truth(expr: &Expr) -> Option<bool> {
    match &unwrapped(expr).kind {
        ExprKind::Null => Some(false),
        ExprKind::Bool(value) => Some(*value),
        ExprKind::Unary {
            op: UnaryOp::Not,
            value,
        } => known_truth(value).map(|truthy| !truthy),
        _ => match text_of(expr) {
            Some(text) => Some(!text.is_empty()),
            None => computed(expr).map(|number| number != 0.0 && !number.is_nan()),
        },
    }
}

/// The number of operands of a chain of one operator, as in `a + b + c`.
pub(super) fn operands(expr: &Expr) -> Option<usize> {
    chain_of(expr).map(|(_, operands)| operands.len())
}

/// The operator and the operands of an expression that has them.
fn chain_of(expr: &Expr) -> Option<(&'static str, Vec<&Expr>)> {
    let (word, _, right) = sides(expr)?;
    let mut operands = vec![right];
    let mut left = expr;
    // From the last to the first.
    loop {
        match sides(left) {
            Some((other, within, last)) if other == word => {
                if !std::ptr::eq(left, expr) {
                    operands.push(last);
                }
                // Parentheses on the left change nothing, but for `??`.
                left = if word == "??" {
                    within
                } else {
                    unwrapped(within)
                };
                if !makes_chains(expr) {
                    break;
                }
            }
            _ => break,
        }
    }
    operands.push(left);
    operands.reverse();
    Some((word, operands))
}

fn sides(expr: &Expr) -> Option<(&'static str, &Expr, &Expr)> {
    match &expr.kind {
        ExprKind::Binary {
            op, left, right, ..
        } => Some((binary_word(*op), left, right)),
        ExprKind::Logical { op, left, right } => Some((logical_word(*op), left, right)),
        _ => None,
    }
}

/// `**` groups to the right, and V8 takes comparisons one by one.
fn makes_chains(expr: &Expr) -> bool {
    use BinaryOp as B;
    match &expr.kind {
        ExprKind::Binary { op, .. } => matches!(
            op,
            B::Add
                | B::Sub
                | B::Mul
                | B::Div
                | B::Rem
                | B::BitAnd
                | B::BitOr
                | B::BitXor
                | B::Shl
                | B::Shr
                | B::UShr
        ),
        _ => true,
    }
}

fn binary_word(op: BinaryOp) -> &'static str {
    use BinaryOp as B;
    match op {
        B::Add => "+",
        B::Sub => "-",
        B::Mul => "*",
        B::Div => "/",
        B::Rem => "%",
        B::Pow => "**",
        B::BitAnd => "&",
        B::BitOr => "|",
        B::BitXor => "^",
        B::Shl => "<<",
        B::Shr => ">>",
        B::UShr => ">>>",
        B::Eq => "==",
        B::Ne => "!=",
        B::StrictEq => "===",
        B::StrictNe => "!==",
        B::Lt => "<",
        B::Le => "<=",
        B::Gt => ">",
        B::Ge => ">=",
        B::In => "in",
        B::Instanceof => "instanceof",
    }
}

fn logical_word(op: LogicalOp) -> &'static str {
    match op {
        LogicalOp::And => "&&",
        LogicalOp::Or => "||",
        LogicalOp::Nullish => "??",
    }
}

/// An expression as V8 prints it, if it is not too long. Where an iteration failed, calls in it lose their arguments.
pub(super) fn quote(expr: &Expr, iterating: bool) -> Option<String> {
    let mut printer = Printer {
        out: String::new(),
        iterating,
    };
    printer.print(expr);
    let special = [
        phrase::NOTHING,
        phrase::VALUE,
        phrase::OTHERWISE,
        phrase::APPLIED,
    ];
    (printer.out.len() <= LONGEST && !printer.out.contains(special)).then_some(printer.out)
}

struct Printer {
    out: String,
    iterating: bool,
}

impl Printer {
    fn say(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn list(&mut self, items: &[Option<Element>]) {
        self.say("[");
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.say(",");
            }
            match item {
                Some(item) if item.spread => {
                    self.say("(...");
                    self.print(&item.value);
                    self.say(")");
                }
                Some(item) => self.print(&item.value),
                None => self.say(UNPRINTED),
            }
        }
        self.say("]");
    }

    /// The parser limits nesting, so this may recurse.
    fn print(&mut self, expr: &Expr) {
        if self.out.len() > LONGEST {
            return;
        }
        if let Some(computed) = computed(expr) {
            return self.say(&number::format(computed));
        }
        match &expr.kind {
            ExprKind::Null => self.say("null"),
            ExprKind::Bool(value) => self.say(if *value { "true" } else { "false" }),
            ExprKind::Number(value) => self.say(&number::format(*value)),
            ExprKind::String(units) => self.quoted(units),
            ExprKind::Regex { pattern, flags } => {
                self.say("/");
                self.say(&String::from_utf16_lossy(pattern));
                self.say("/");
                self.say(&flags.text());
            }
            ExprKind::Template { strings, exprs } if exprs.is_empty() => {
                self.quoted(strings.first().map_or(&[], |text| text));
            }
            ExprKind::Template { exprs, .. } => exprs.iter().for_each(|expr| self.print(expr)),
            ExprKind::Name(name) => self.say(&name.name),
            ExprKind::Array(items) => self.list(items),
            ExprKind::Object(props) => {
                self.say("{");
                self.say(&UNPRINTED.repeat(props.len()));
                self.say("}");
            }
            ExprKind::Unary { op, value } => self.unary(*op, value),
            ExprKind::Delete(path) => {
                self.say("(delete ");
                self.print(path);
                self.say(")");
            }
            ExprKind::Binary { .. } | ExprKind::Logical { .. } => self.operators(expr),
            ExprKind::Conditional { .. } => self.say(&UNPRINTED.repeat(3)),
            ExprKind::Assign { target, .. } | ExprKind::Compound { target, .. } => {
                self.target(target);
            }
            ExprKind::Update {
                increment,
                prefix,
                target,
            } => {
                let word = if *increment { "++" } else { "--" };
                self.say("(");
                self.say(if *prefix { word } else { "" });
                self.target(target);
                self.say(if *prefix { "" } else { word });
                self.say(")");
            }
            ExprKind::Member {
                object,
                name,
                optional,
            } => {
                self.print(object);
                self.say(if *optional { "?." } else { "." });
                self.say(&name.name);
            }
            ExprKind::Index {
                object,
                index,
                optional,
            } => self.index(object, index, *optional),
            ExprKind::Call { callee, .. } => {
                self.print(callee);
                self.say(if self.iterating { "" } else { "(...)" });
            }
            ExprKind::New { callee, .. } if self.iterating => self.say(&callee.name),
            ExprKind::Paren(inner) => self.print(inner),
            // V8 also finds nothing to print in how its parameters get their values.
            ExprKind::Function(function) if function.is_arrow && !is_simple(function) => {
                self.say(&UNPRINTED.repeat(2));
            }
            ExprKind::Broken
            | ExprKind::Function(_)
            | ExprKind::Chain(_)
            | ExprKind::New { .. }
            | ExprKind::Await(_) => self.say(UNPRINTED),
        }
    }

    fn quoted(&mut self, units: &[u16]) {
        self.say("\"");
        self.say(&String::from_utf16_lossy(units));
        self.say("\"");
    }

    fn index(&mut self, object: &Expr, index: &Expr, optional: bool) {
        self.print(object);
        match text_of(index) {
            Some(key) => {
                self.say(if optional { "?." } else { "." });
                self.say(&String::from_utf16_lossy(key));
            }
            None => {
                self.say(if optional { "?.[" } else { "[" });
                self.print(index);
                self.say("]");
            }
        }
    }

    fn unary(&mut self, op: UnaryOp, value: &Expr) {
        if let (UnaryOp::Not, Some(truthy)) = (op, known_truth(value)) {
            return self.say(if truthy { "false" } else { "true" });
        }
        self.say(match op {
            UnaryOp::Minus => "(-",
            UnaryOp::Plus => "(+",
            UnaryOp::Not => "(!",
            UnaryOp::BitNot => "(~",
            UnaryOp::Typeof => "(typeof ",
            UnaryOp::Void => "(void ",
        });
        self.print(value);
        self.say(")");
    }

    fn operators(&mut self, expr: &Expr) {
        let Some((word, operands)) = chain_of(expr) else {
            return;
        };
        // For V8 `a != b` is `!(a == b)`.
        let (word, negated) = match word {
            "!=" => ("==", true),
            "!==" => ("===", true),
            word => (word, false),
        };
        self.say(if negated { "(!(" } else { "(" });
        for (at, operand) in operands.into_iter().enumerate() {
            if at > 0 {
                self.say(" ");
                self.say(word);
                self.say(" ");
            }
            self.print(operand);
        }
        self.say(if negated { "))" } else { ")" });
    }

    fn target(&mut self, target: &Pattern) {
        match &target.kind {
            PatternKind::Name(name) => self.say(&name.name),
            PatternKind::Path(path) => self.print(path),
            _ => self.say(UNPRINTED),
        }
    }
}
