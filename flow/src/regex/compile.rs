//! From a tree to a program. Patterns that are nested become jumps; nothing is copied, so a program is about as long as
//! its pattern.

use std::collections::HashMap;

use super::Flags;
use super::first::First;
use super::program::{Counted, Inst, Program, Run};
use super::set::{Ranges, Set};
use super::tree::{INFINITE, Node, Tree};

pub(super) fn compile(tree: Tree, flags: Flags) -> Program {
    let mut compiler = Compiler {
        code: Vec::new(),
        sets: Vec::new(),
        numbers: HashMap::new(),
        runs: Vec::new(),
        loops: Vec::new(),
        registers: tree.groups * 2,
        multiline: flags.has(Flags::MULTILINE),
    };
    compiler.node(&tree.root, false);
    compiler.code.push(Inst::Match);
    Program {
        first: First::of(&tree.root),
        cost: tree.cost + compiler.code.len(),
        code: compiler.code,
        sets: compiler.sets,
        runs: compiler.runs,
        loops: compiler.loops,
        registers: compiler.registers,
        groups: tree.groups,
        names: tree.names,
        unicode: flags.has(Flags::UNICODE),
        ignore_case: flags.has(Flags::IGNORE_CASE),
    }
}

struct Compiler {
    code: Vec<Inst>,
    sets: Vec<Set>,
    numbers: HashMap<Set, u32>,
    runs: Vec<Run>,
    loops: Vec<Counted>,
    registers: u32,
    multiline: bool,
}

impl Compiler {
    fn emit(&mut self, inst: Inst) -> usize {
        self.code.push(inst);
        self.code.len() - 1
    }

    fn here(&self) -> u32 {
        self.code.len() as u32
    }

    fn register(&mut self) -> u32 {
        self.registers += 1;
        self.registers - 1
    }

    fn set(&mut self, ranges: &Ranges) -> u32 {
        let set = Set::new(ranges);
        let next = self.sets.len() as u32;
        let number = *self.numbers.entry(set.clone()).or_insert(next);
        if number == next {
            self.sets.push(set);
        }
        number
    }

    /// Code that fits a node. `back`: inside of a lookbehind everything is read from its end.
    fn node(&mut self, node: &Node, back: bool) {
        match node {
            Node::Empty => {}
            Node::Char(point) => {
                let point = *point;
                self.emit(Inst::Char { point, back });
            }
            Node::Set(ranges) => {
                let set = self.set(ranges);
                self.emit(Inst::Set { set, back });
            }
            Node::Sequence(parts) if back => {
                parts.iter().rev().for_each(|part| self.node(part, back));
            }
            Node::Sequence(parts) => parts.iter().for_each(|part| self.node(part, back)),
            Node::Either(parts) => self.either(parts, back),
            Node::Group(number, body) => {
                let (start, end) = (number * 2, number * 2 + 1);
                let (first, last) = if back { (end, start) } else { (start, end) };
                self.emit(Inst::Mark { register: first });
                self.node(body, back);
                self.emit(Inst::Mark { register: last });
            }
            Node::Look {
                ahead,
                negative,
                body,
            } => self.look(!ahead, *negative, body),
            Node::Back(group) => {
                let group = *group;
                self.emit(Inst::Back { group, back });
            }
            Node::Start if self.multiline => drop(self.emit(Inst::LineStart)),
            Node::Start => drop(self.emit(Inst::TextStart)),
            Node::End if self.multiline => drop(self.emit(Inst::LineEnd)),
            Node::End => drop(self.emit(Inst::TextEnd)),
            Node::Boundary { negative } => {
                let negative = *negative;
                self.emit(Inst::Boundary { negative });
            }
            Node::Repeat {
                body,
                min,
                max,
                greedy,
                groups,
            } => self.repeat(body, (*min, *max, *greedy), *groups, back),
        }
    }

    fn either(&mut self, parts: &[Node], back: bool) {
        let mut ends = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            if at + 1 == parts.len() {
                self.node(part, back);
                break;
            }
            let choice = self.emit(Inst::Try { other: 0 });
            self.node(part, back);
            ends.push(self.emit(Inst::Jump { to: 0 }));
            let other = self.here();
            self.code[choice] = Inst::Try { other };
        }
        let to = self.here();
        for end in ends {
            self.code[end] = Inst::Jump { to };
        }
    }

    fn look(&mut self, back: bool, negative: bool, body: &Node) {
        let register = self.register();
        self.register();
        let look = self.emit(Inst::Look {
            register,
            negative,
            end: 0,
        });
        self.node(body, back);
        self.emit(if negative {
            Inst::Unwanted { register }
        } else {
            Inst::Seen { register }
        });
        let end = self.here();
        self.code[look] = Inst::Look {
            register,
            negative,
            end,
        };
    }

    fn repeat(&mut self, body: &Node, times: (u32, u32, bool), groups: (u32, u32), back: bool) {
        let (mut min, mut max, greedy) = times;
        if body.is_empty() {
            // All turns fit alike, and one that need not be done may not be empty.
            (min, max) = (min.min(1), min.min(1));
        }
        if max == 0 {
            return;
        }
        let single = match body {
            Node::Char(point) => Some(self.set(&Ranges::of(&[(*point, *point)]))),
            Node::Set(ranges) => Some(self.set(ranges)),
            _ => None,
        };
        if let Some(set) = single {
            self.emit(Inst::Run(self.runs.len() as u32));
            self.runs.push(Run {
                set,
                min,
                max,
                greedy,
                back,
            });
            return;
        }
        let empty = body.may_be_empty();
        match (min, max) {
            (1, 1) => self.turn(body, None, groups, back),
            (0, 1) => {
                let mark = empty.then(|| self.register());
                let entry = self.enter(greedy);
                self.turn(body, mark, groups, back);
                self.leave(entry, greedy);
            }
            (0, INFINITE) => {
                let mark = empty.then(|| self.register());
                let to = self.here();
                let entry = self.enter(greedy);
                self.turn(body, mark, groups, back);
                self.emit(Inst::Jump { to });
                self.leave(entry, greedy);
            }
            (1, INFINITE) if !empty => {
                let head = self.here();
                self.turn(body, None, groups, back);
                if greedy {
                    let other = self.here() + 2;
                    self.emit(Inst::Try { other });
                    self.emit(Inst::Jump { to: head });
                } else {
                    self.emit(Inst::Try { other: head });
                }
            }
            _ => self.counted(body, (min, max, greedy), groups, back),
        }
    }

    /// Decides whether to do a turn: its instruction has to learn where the loop ends.
    fn enter(&mut self, greedy: bool) -> usize {
        let entry = self.emit(Inst::Try { other: 0 });
        if greedy {
            return entry;
        }
        // Not doing it comes first: the turn is the other way.
        let other = self.here() + 1;
        self.code[entry] = Inst::Try { other };
        self.emit(Inst::Jump { to: 0 })
    }

    fn leave(&mut self, entry: usize, greedy: bool) {
        let end = self.here();
        self.code[entry] = if greedy {
            Inst::Try { other: end }
        } else {
            Inst::Jump { to: end }
        };
    }

    /// One turn of a loop that has to use up something.
    fn turn(&mut self, body: &Node, mark: Option<u32>, groups: (u32, u32), back: bool) {
        if let Some(register) = mark {
            self.emit(Inst::Mark { register });
        }
        self.clear(groups);
        self.node(body, back);
        if let Some(register) = mark {
            self.emit(Inst::Moved { register });
        }
    }

    /// Each turn begins with its groups empty.
    fn clear(&mut self, (from, to): (u32, u32)) {
        if from < to {
            self.emit(Inst::Clear {
                from: from * 2,
                to: to * 2,
            });
        }
    }

    fn counted(&mut self, body: &Node, times: (u32, u32, bool), groups: (u32, u32), back: bool) {
        let (min, max, greedy) = times;
        let counter = self.register();
        let mark = body.may_be_empty().then(|| {
            let mark = self.register();
            self.register();
            mark
        });
        let number = self.loops.len();
        self.emit(Inst::Zero { register: counter });
        let head = self.here();
        self.loops.push(Counted {
            counter,
            mark,
            min,
            max,
            greedy,
            head,
            exit: 0,
        });
        self.emit(Inst::Loop(number as u32));
        if let Some(register) = mark {
            self.emit(Inst::Turn { register });
        }
        self.clear(groups);
        self.node(body, back);
        self.emit(Inst::Next(number as u32));
        self.loops[number].exit = self.here();
    }
}
