//! From the syntax tree to a program. One family of constructs a file.
//!
//! A statement leaves the operand stack as it found it, empty: what lives across statements
//! (iterators, pending results of `finally`) has a slot. So an error handler starts with one operand.

mod analyze;
mod assign;
mod call;
mod control;
mod expr;
mod func;
mod patch;
mod pattern;
mod phrase;
mod quote;
mod scope;
mod stmt;

use std::collections::{HashMap, HashSet};

use crate::ast::Script;
use crate::builtins::registry;
use crate::error::Fault;
use crate::op::Op;
use crate::program::{Const, Func, Line, Program};
use crate::source::{Source, Span};
use analyze::Analysis;
use control::Control;
use scope::Scope;

/// Why a script that the checker found without errors has no program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// The function here has too many variables.
    TooLarge(Span),
    /// The code is refused as that of a damaged program would be: a fault of this compiler.
    Fault(Fault),
}

/// Compiles a script that the checker found without errors. Where `cover` is true, the program tells
/// its host of each statement that it comes to (`Host::cover`). Gives the lines of these statements, by their numbers.
pub(crate) fn compile(
    script: &Script,
    source: &Source,
    cover: bool,
) -> Result<(Program, Vec<u32>), Unfit> {
    let mut compiler = Compiler {
        source,
        analysis: analyze::analyze(script),
        functions: Vec::new(),
        open: Vec::new(),
        consts: Vec::new(),
        strings: HashMap::new(),
        numbers: HashMap::new(),
        globals: Vec::new(),
        uses_sql: false,
        task_names: HashSet::new(),
        phrases: Vec::new(),
        phrase_numbers: HashMap::new(),
        names: Vec::new(),
        name_numbers: HashMap::new(),
        iterated: None,
        too_large: None,
        covered: cover.then(Vec::new),
    };
    compiler.main(script);
    if let Some(span) = compiler.too_large {
        return Err(Unfit::TooLarge(span));
    }
    let mut task_names: Vec<String> = compiler.task_names.into_iter().collect();
    task_names.sort_unstable();
    let mut program = Program {
        file: source.name().to_owned(),
        functions: compiler.functions,
        consts: compiler.consts,
        globals: compiler.globals,
        resolved: Vec::new(),
        uses_sql: compiler.uses_sql,
        task_names,
        input_type: script.input_type.clone(),
        phrases: compiler.phrases,
        names: compiler.names,
        hash: 0,
    };
    // The compiler names only builtins that it found in the registry and makes balanced code. Where it does not, the
    // author is told; fuzzing stops here.
    if let Err(fault) = program.finish() {
        debug_assert!(false, "{fault}\n{}", program.disassemble());
        return Err(Unfit::Fault(fault));
    }
    Ok((program, compiler.covered.unwrap_or_default()))
}

struct Compiler<'a> {
    source: &'a Source,
    analysis: Analysis,
    functions: Vec<Func>,
    open: Vec<OpenFunction>,
    consts: Vec<Const>,
    strings: HashMap<Vec<u16>, u32>,
    numbers: HashMap<u64, u32>,
    globals: Vec<String>,
    uses_sql: bool,
    task_names: HashSet<String>,
    /// What errors say of the source.
    phrases: Vec<String>,
    phrase_numbers: HashMap<String, u32>,
    /// The variables that can be seen in a save.
    names: Vec<String>,
    name_numbers: HashMap<String, u32>,
    /// The expression that is iterated as soon as it has a value.
    iterated: Option<Span>,
    too_large: Option<Span>,
    /// The lines of the statements that are told of, if any are.
    covered: Option<Vec<u32>>,
}

/// A function whose code is being made.
#[derive(Default)]
struct OpenFunction {
    number: u32,
    func: Func,
    scopes: Vec<Scope>,
    /// The first slot that is free.
    next_slot: u32,
    controls: Vec<Control>,
    /// The declarations that were captured, in the order of `func.captures`.
    captured: Vec<u32>,
    /// Their names.
    captured_names: Vec<String>,
    /// The place of the last `Await` so far.
    last_await: Option<u32>,
    chains: Vec<call::Chain>,
    /// Whether the code that follows is of a key in brackets.
    in_key: bool,
    /// Where the code that follows comes from.
    at: Span,
    span: Span,
}

impl Compiler<'_> {
    fn this(&mut self) -> &mut OpenFunction {
        let last = self.open.len() - 1;
        &mut self.open[last]
    }

    fn emit(&mut self, op: Op) -> usize {
        let at = self.this().at;
        let position = self.source.position(at.start);
        let func = &mut self.this().func;
        let pc = func.code.len();
        let line = Line {
            pc: pc as u32,
            line: position.line,
            column: position.column,
        };
        if func
            .lines
            .last()
            .is_none_or(|last| (last.line, last.column) != (line.line, line.column))
        {
            func.lines.push(line);
        }
        func.code.push(op);
        pc
    }

    /// Says where the code that follows comes from.
    fn mark(&mut self, span: Span) {
        self.this().at = span;
    }

    /// Tells of the statement that begins here. There are no operands yet, so nothing is in the way.
    fn cover(&mut self, span: Span) {
        let line = self.source.line_of(span.start);
        let Some(lines) = &mut self.covered else {
            return;
        };
        let number = lines.len();
        lines.push(line);
        if let Some(index) = self.global(crate::builtins::COVER) {
            self.number(number as f64);
            self.emit(Op::CallGlobal(index, 1));
            self.emit(Op::Pop);
        }
    }

    fn string(&mut self, units: &[u16]) -> u32 {
        if let Some(found) = self.strings.get(units) {
            return *found;
        }
        let index = self.consts.len() as u32;
        self.consts.push(Const::String(units.into()));
        self.strings.insert(units.to_vec(), index);
        index
    }

    /// The number of a variable's name.
    fn variable_name(&mut self, text: &str) -> u32 {
        if let Some(found) = self.name_numbers.get(text) {
            return *found;
        }
        let index = self.names.len() as u32;
        self.names.push(text.to_owned());
        self.name_numbers.insert(text.to_owned(), index);
        index
    }

    fn words(&mut self, text: &str) -> u32 {
        self.string(&text.encode_utf16().collect::<Vec<u16>>())
    }

    fn number(&mut self, number: f64) {
        let small = number as i32;
        if f64::from(small) == number && !(number == 0.0 && number.is_sign_negative()) {
            self.emit(Op::Int(small));
            return;
        }
        let next = self.consts.len() as u32;
        let index = *self.numbers.entry(number.to_bits()).or_insert(next);
        if index == next {
            self.consts.push(Const::Number(number));
        }
        self.emit(Op::Const(index));
    }

    /// The index of a builtin by its path, if there is one.
    fn global(&mut self, path: &str) -> Option<u32> {
        let known = registry();
        if known.find(path).is_none()
            && known.namespace(path).is_none()
            && known.constant(path).is_none()
        {
            return None;
        }
        if path == "Sql" || path.starts_with("Sql.") {
            self.uses_sql = true;
        }
        if let Some(found) = self.globals.iter().position(|global| global == path) {
            return Some(found as u32);
        }
        self.globals.push(path.to_owned());
        Some(self.globals.len() as u32 - 1)
    }
}
