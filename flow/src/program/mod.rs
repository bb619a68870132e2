//! A compiled workflow: functions, constants, the builtins that it names, and where each instruction
//! comes from. Owns all its data, so it outlives its source and goes into the database.

mod encode;
pub(crate) mod lockstep;
pub(crate) mod lower;
pub(crate) mod phrase;
pub(crate) mod twins;
mod verify;
pub(crate) mod wire;

pub use twins::Refusal;

use crate::builtins::registry;
use crate::error::Fault;
use crate::op::Op;

/// The name of functions under a computed key, each of which JavaScript names after its key.
pub(crate) const NAME_OF_KEY: &str = "<computed>";

/// No string: an operand of kind `Words` that has none.
pub(crate) const NO_WORDS: u32 = u32::MAX;

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Const {
    /// A string.
    String(Box<[u16]>),
    /// A number.
    Number(f64),
}

/// Where a closure takes a captured variable from when it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capture {
    /// A slot of the function that makes it.
    Local(u32),
    /// A captured variable of the function that makes it.
    Outer(u32),
}

/// Where an error goes that is thrown in a range of instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handler {
    /// The first instruction.
    pub(crate) start: u32,
    /// Behind the last.
    pub(crate) end: u32,
    /// Where to go on, with the error as the only operand.
    pub(crate) target: u32,
}

/// From here on instructions come from this line and column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) pc: u32,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// An instruction whose error has words of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Phrase {
    pub(crate) pc: u32,
    /// The number of the text (`Program::phrases`).
    pub(crate) index: u32,
}

/// A variable in the slots of a function, for people: nothing that runs looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) slot: u32,
    /// The number of the text (`Program::names`).
    pub(crate) index: u32,
    /// The first instruction at which it has its value.
    pub(crate) start: u32,
    /// Behind the last.
    pub(crate) end: u32,
}

/// A function.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Func {
    /// Its name, or the one inferred; empty if it has none.
    pub(crate) name: String,
    /// How many arguments are put into the first slots.
    pub(crate) params: u32,
    /// Whether further arguments go into the slot behind, as an array.
    pub(crate) rest: bool,
    /// What JavaScript says `length` is.
    pub(crate) length: u32,
    /// Whether it gives a promise.
    pub(crate) is_async: bool,
    /// Whether JavaScript could make objects with it: it then has a `prototype`.
    pub(crate) is_constructor: bool,
    /// How many slots it has, parameters included.
    pub(crate) locals: u32,
    /// What a closure of it captures.
    pub(crate) captures: Vec<Capture>,
    /// The instructions.
    pub(crate) code: Vec<Op>,
    /// Inner ranges first.
    pub(crate) handlers: Vec<Handler>,
    /// Ascending.
    pub(crate) lines: Vec<Line>,
    /// What the errors of some instructions say. Ascending.
    pub(crate) phrases: Vec<Phrase>,
    /// The variables that an `Await` may see. Ascending by slot; a slot serves one variable after another.
    pub(crate) names: Vec<Name>,
    /// The names of its captures (`Program::names`); empty if it never waits.
    pub(crate) capture_names: Vec<u32>,
    /// For each `Await`, in order: its place and the operands below the awaited one. Not stored.
    pub(crate) awaits: Vec<(u32, u32)>,
    /// How many slots and operands there are before each instruction. Not stored.
    pub(crate) tops: Vec<u32>,
    /// The instructions as the loop runs them. Not stored.
    pub(crate) fast: Vec<lower::Fast>,
}

impl Func {
    /// The number of the text that the error of an instruction has.
    pub(crate) fn phrase(&self, pc: u32) -> Option<u32> {
        let at = self.phrases.binary_search_by_key(&pc, |phrase| phrase.pc);
        at.ok().map(|at| self.phrases[at].index)
    }

    /// The line and column of an instruction.
    pub(crate) fn position(&self, pc: u32) -> (u32, u32) {
        let behind = self.lines.partition_point(|line| line.pc <= pc);
        self.lines
            .get(behind.wrapping_sub(1))
            .map_or((0, 0), |line| (line.line, line.column))
    }
}

/// What a name of the library means in this process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Resolved {
    Native(u16),
    Namespace(u16),
    Number(f64),
}

/// A compiled workflow.
#[derive(Clone, Debug)]
pub struct Program {
    pub(crate) file: String,
    pub(crate) functions: Vec<Func>,
    pub(crate) consts: Vec<Const>,
    pub(crate) globals: Vec<String>,
    pub(crate) resolved: Vec<Resolved>,
    pub(crate) uses_sql: bool,
    pub(crate) task_names: Vec<String>,
    pub(crate) input_type: Option<crate::input_type::InputType>,
    /// Templates of messages: see `phrase`.
    pub(crate) phrases: Vec<String>,
    /// Names of variables; empty in programs of older compilers.
    pub(crate) names: Vec<String>,
    /// Of the encoded form; made by `link`.
    pub(crate) hash: u64,
}

impl Program {
    /// Whether it names `Sql`.
    #[must_use]
    pub fn uses_sql(&self) -> bool {
        self.uses_sql
    }

    /// The names of tasks that stand as literals in `Task.run`, `Task.try` and `Task.map`.
    #[must_use]
    pub fn task_names(&self) -> &[String] {
        &self.task_names
    }

    /// The declared type of `Inputs`.
    #[must_use]
    pub fn input_type(&self) -> Option<&crate::input_type::InputType> {
        self.input_type.as_ref()
    }

    /// The name of the source file.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Links a program that was just compiled.
    pub(crate) fn finish(&mut self) -> Result<(), Fault> {
        self.link()?;
        self.hash = encode::hash(&self.encode());
        Ok(())
    }

    /// Looks up the builtins and checks every number in the code.
    fn link(&mut self) -> Result<(), Fault> {
        self.resolved = self
            .globals
            .iter()
            .map(|path| resolve(path))
            .collect::<Result<_, _>>()?;
        verify::verify(self)
    }

    /// The instructions of all functions as text, for tests and for people.
    #[must_use]
    pub fn disassemble(&self) -> String {
        use std::fmt::Write as _;
        let mut out = String::new();
        for (number, function) in self.functions.iter().enumerate() {
            let name = if function.name.is_empty() {
                "(anonymous)"
            } else {
                &function.name
            };
            let is_async = if function.is_async { "async " } else { "" };
            let _ = writeln!(
                out,
                "{is_async}function {number} {name} locals={}",
                function.locals
            );
            for (pc, op) in function.code.iter().enumerate() {
                let (line, column) = function.position(pc as u32);
                let _ = write!(out, "  {pc:4} {line:3}:{column:<3} {op:?}");
                op.operands(|_, index| {
                    if let Some(name) = self.operand_name(*op, index) {
                        let _ = write!(out, "  ; {name}");
                    }
                });
                out.push('\n');
            }
            for Handler { start, end, target } in &function.handlers {
                let _ = writeln!(out, "  catch {start}..{end} -> {target}");
            }
        }
        out
    }

    fn operand_name(&self, op: Op, index: u32) -> Option<String> {
        use crate::op::Operand;
        let mut name = None;
        op.operands(|kind, operand| {
            if operand == index && name.is_none() {
                name = match kind {
                    Operand::Name | Operand::Const | Operand::Words => {
                        match self.consts.get(operand as usize) {
                            Some(Const::String(units)) => Some(String::from_utf16_lossy(units)),
                            Some(Const::Number(number)) => Some(number.to_string()),
                            None => None,
                        }
                    }
                    Operand::Global => self.globals.get(operand as usize).cloned(),
                    _ => None,
                };
            }
        });
        name
    }
}

fn resolve(path: &str) -> Result<Resolved, Fault> {
    let registry = registry();
    if let Some(number) = registry.find(path) {
        return Ok(Resolved::Native(number));
    }
    if let Some(number) = registry.namespace(path) {
        return Ok(Resolved::Namespace(number));
    }
    if let Some(number) = registry.constant(path) {
        return Ok(Resolved::Number(number));
    }
    Err(Fault::UnknownBuiltin(path.to_owned()))
}
