//! The evaluator: a value against a schema.
//!
//! It recurses over schema and value together, to a fixed depth, and pays for each step. What a schema says of itself
//! elsewhere (`anyOf`, `not`, `if`) is asked quietly, without telling why.

use super::node::{Id, Kinds, Node, Values};
use super::number::Number;
use super::words;
use crate::input_type::InputError;
use crate::regex::{Budget, Scratch};
use crate::tape::{Node as Json, Tape, step};

/// How many offending values are told.
const MAX_ERRORS: usize = 20;
/// Schemas that are compared inside of each other.
const MAX_DEPTH: usize = 500;
/// Steps for any value, and more for each byte.
const STEPS: usize = 2_000_000;
const STEPS_PER_BYTE: usize = 20;
/// Steps between two calls of `tick`.
const CHUNK: usize = 10_000;
/// What a pattern may take in memory.
const PATTERN_MEMORY: usize = 16 << 20;

/// Whether a value fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Yes,
    No,
    /// Only the run knows.
    Maybe,
}

impl Fit {
    /// Both have to fit.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Maybe, _) | (_, Self::Maybe) => Self::Maybe,
            _ => Self::Yes,
        }
    }
}

/// Why the comparison ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    /// It costs too much.
    Spent,
    /// Nested too deeply.
    Deep,
}

pub(super) type Compared = Result<Fit, Halt>;

/// What the comparison may cost.
pub(super) struct Fuel<'f> {
    left: usize,
    until_tick: usize,
    memory: usize,
    tick: &'f mut dyn FnMut(),
}

impl<'f> Fuel<'f> {
    pub(super) fn new(size: usize, tick: &'f mut dyn FnMut()) -> Self {
        Self {
            left: STEPS + size * STEPS_PER_BYTE,
            until_tick: CHUNK,
            memory: PATTERN_MEMORY,
            tick,
        }
    }
}

impl Budget for Fuel<'_> {
    type Error = Halt;

    fn spend(&mut self, steps: usize) -> Result<(), Halt> {
        self.left = self.left.checked_sub(steps).ok_or(Halt::Spent)?;
        match self.until_tick.checked_sub(steps) {
            Some(left) => self.until_tick = left,
            None => {
                // Who pays for more at once is about to do it: he is asked again right after.
                self.until_tick = CHUNK.saturating_sub(steps);
                (self.tick)();
            }
        }
        Ok(())
    }

    fn grow(&mut self, bytes: usize) -> Result<(), Halt> {
        self.memory = self.memory.checked_sub(bytes).ok_or(Halt::Spent)?;
        Ok(())
    }
}

/// A part that does not fit.
pub(super) struct Misfit {
    /// Its place on the tape; of a missing property, that of the object.
    pub(super) at: usize,
    pub(super) error: InputError,
    /// Whether it is known, and not only that the comparison ended.
    pub(super) is_certain: bool,
}

/// Places of members that were compared with something, for `unevaluated…`.
pub(super) type Seen = Vec<usize>;

pub(super) struct Compare<'c, 't, 'f> {
    pub(super) nodes: &'c [Node],
    pub(super) tape: &'c Tape<'t>,
    pub(super) fuel: &'c mut Fuel<'f>,
    pub(super) scratch: Scratch,
    path: String,
    found: Vec<Misfit>,
    /// How many askers do not want to know why.
    quiet: usize,
    depth: usize,
}

impl<'c, 't, 'f> Compare<'c, 't, 'f> {
    pub(super) fn new(nodes: &'c [Node], tape: &'c Tape<'t>, fuel: &'c mut Fuel<'f>) -> Self {
        Self {
            nodes,
            tape,
            fuel,
            scratch: Scratch::default(),
            path: String::new(),
            found: Vec::new(),
            quiet: 0,
            depth: 0,
        }
    }

    /// Everything that does not fit, up to a limit.
    pub(super) fn all(mut self) -> Vec<Misfit> {
        let message = match self.node(0, 0, None) {
            Ok(Fit::No) if self.found.is_empty() => "does not fit",
            Ok(_) => return self.found,
            Err(Halt::Spent) => "takes too long to be compared with the schema",
            Err(Halt::Deep) => "is nested too deeply to be compared with the schema",
        };
        let error = InputError {
            path: String::new(),
            message: message.to_owned(),
        };
        vec![Misfit {
            at: 0,
            error,
            is_certain: false,
        }]
    }

    /// Compares the value at a place with a schema; adds to `seen` which of its members were compared.
    pub(super) fn node(&mut self, id: Id, at: usize, seen: Option<&mut Seen>) -> Compared {
        self.fuel.spend(match self.tape.node(at) {
            // Its digits are read where it is compared with a type or a bound.
            Json::Number(text) => 1 + text.len() / 16,
            _ => 1,
        })?;
        let nodes = self.nodes;
        let node = &nodes[id];
        match (node.always, self.tape.node(at)) {
            (Some(true), _) => return Ok(Fit::Yes),
            (Some(false), Json::Unknown) => return Ok(Fit::Maybe),
            (Some(false), _) => {
                self.tell(at, || "nothing is allowed here".to_owned());
                return Ok(Fit::No);
            }
            (None, Json::Unknown) => return Ok(Fit::Maybe),
            (None, _) => {}
        }
        if self.depth == MAX_DEPTH {
            return Err(Halt::Deep);
        }
        self.depth += 1;
        let fit = self.keywords(node, id, at, seen);
        self.depth -= 1;
        fit
    }

    fn keywords(&mut self, node: &Node, id: Id, at: usize, seen: Option<&mut Seen>) -> Compared {
        if node.kinds != Kinds::default() && !self.is_of(node.kinds, at) {
            self.mismatch(id, at);
            return Ok(Fit::No);
        }
        let mut fit = Fit::Yes;
        if let Some(values) = &node.one_of_values {
            fit = self.values(values, id, at)?;
        }
        // Who looks at what was not seen has to know it himself.
        let mut own = Seen::new();
        let looks = node.unevaluated_items.or(node.unevaluated_properties);
        let wants = looks.is_some() || seen.is_some();
        fit = fit.and(match self.tape.node(at) {
            Json::String(_) => self.text(node, at)?,
            Json::Number(_) => self.number(node, at)?,
            Json::Array => self.array(node, at, &mut own)?,
            Json::Object => self.object(node, at, &mut own)?,
            _ => Fit::Yes,
        });
        if fit == Fit::No && self.is_quiet() {
            return Ok(fit);
        }
        fit = fit.and(self.in_place(node, id, at, wants.then_some(&mut own))?);
        // What did not fit saw nothing, so that what is unevaluated then says nothing.
        if fit != Fit::No {
            fit = fit.and(self.unevaluated(node, at, &mut own)?);
        }
        if let Some(seen) = seen
            && fit != Fit::No
        {
            seen.append(&mut own);
        }
        Ok(fit)
    }

    /// The schemas for the same value.
    fn in_place(
        &mut self,
        node: &Node,
        id: Id,
        at: usize,
        mut seen: Option<&mut Seen>,
    ) -> Compared {
        let mut fit = Fit::Yes;
        for one in &node.all_of {
            fit = fit.and(self.node(*one, at, seen.as_deref_mut())?);
            if fit == Fit::No && self.is_quiet() {
                return Ok(fit);
            }
        }
        if let Some(branches) = &node.any_of {
            fit = fit.and(self.some(branches, id, at, seen.as_deref_mut(), false)?);
        }
        if let Some(branches) = &node.one_of {
            fit = fit.and(self.some(branches, id, at, seen.as_deref_mut(), true)?);
        }
        if let Some(not) = node.not {
            fit = fit.and(match self.ask(not, at, None)? {
                Fit::Yes => {
                    let nodes = self.nodes;
                    self.tell(at, || {
                        format!("expected anything but {}", words::describe(nodes, not))
                    });
                    Fit::No
                }
                Fit::No => Fit::Yes,
                Fit::Maybe => Fit::Maybe,
            });
        }
        if let Some(condition) = &node.condition {
            let branch = match self.ask(condition.test, at, seen.as_deref_mut())? {
                Fit::Yes => condition.then,
                Fit::No => condition.otherwise,
                Fit::Maybe => {
                    // Either may be seen, and nothing more is known.
                    for branch in [condition.then, condition.otherwise].into_iter().flatten() {
                        self.ask(branch, at, seen.as_deref_mut())?;
                    }
                    return Ok(fit.and(Fit::Maybe));
                }
            };
            if let Some(branch) = branch {
                fit = fit.and(self.node(branch, at, seen)?);
            }
        }
        Ok(fit)
    }

    /// `anyOf`, and `oneOf` where exactly one may fit.
    fn some(
        &mut self,
        branches: &[Id],
        id: Id,
        at: usize,
        mut seen: Option<&mut Seen>,
        exactly_one: bool,
    ) -> Compared {
        let (mut yes, mut maybe) = (0, 0);
        for branch in branches {
            match self.ask(*branch, at, seen.as_deref_mut())? {
                Fit::Yes => yes += 1,
                Fit::Maybe => maybe += 1,
                Fit::No => {}
            }
            // What else was seen matters only to who asks for it.
            if yes > 0 && !exactly_one && seen.is_none() {
                return Ok(Fit::Yes);
            }
        }
        Ok(match (yes, maybe) {
            (0, 0) => {
                self.tell_branch(branches, id, at)?;
                Fit::No
            }
            (1.., _) if !exactly_one => Fit::Yes,
            (1, 0) => Fit::Yes,
            (2.., _) => {
                let nodes = self.nodes;
                self.tell(at, || {
                    format!(
                        "expected exactly one of {}, and several fit",
                        words::describe(nodes, id)
                    )
                });
                Fit::No
            }
            _ => Fit::Maybe,
        })
    }

    /// If only one branch can be meant, that one says more.
    fn tell_branch(&mut self, branches: &[Id], id: Id, at: usize) -> Result<(), Halt> {
        if self.is_quiet() {
            return Ok(());
        }
        let mut meant = Vec::new();
        for branch in branches {
            if self.can_be_meant(*branch, at)? {
                meant.push(*branch);
            }
        }
        match meant[..] {
            [only] => {
                self.node(only, at, None)?;
            }
            _ => self.mismatch(id, at),
        }
        Ok(())
    }

    /// Whether a value is of the kind that a branch wants, and has the values that tell it from its neighbours.
    fn can_be_meant(&mut self, branch: Id, at: usize) -> Result<bool, Halt> {
        let nodes = self.nodes;
        let mut branch = &nodes[branch];
        // A branch is often just a reference.
        while branch.kinds == Kinds::default()
            && let [only] = branch.all_of[..]
        {
            self.fuel.spend(1)?;
            branch = &nodes[only];
        }
        let is_scalar = !matches!(self.tape.node(at), Json::Array | Json::Object);
        if branch.kinds == Kinds::default() || !self.is_of(branch.kinds, at) {
            return Ok(false);
        }
        if is_scalar && branch.one_of_values.is_some() {
            return Ok(false);
        }
        let Some(rules) = &branch.object else {
            return Ok(true);
        };
        for (name, property) in &rules.properties {
            self.fuel.spend(1)?;
            if nodes[*property].one_of_values.is_some()
                && let Some(value) = self.get(at, name)?
                && self.ask(*property, value, None)? == Fit::No
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn values(&mut self, values: &Values, id: Id, at: usize) -> Compared {
        let Some(own) = self.canonical(at)? else {
            return Ok(Fit::Maybe);
        };
        // Most differ in their length.
        self.fuel.spend(values.canonical.len() + own.len() / 16)?;
        if values.canonical.contains(&own) {
            return Ok(Fit::Yes);
        }
        self.mismatch(id, at);
        Ok(Fit::No)
    }

    /// The value of a key. The look, which is one at all of them, is paid for.
    pub(super) fn get(&mut self, at: usize, name: &str) -> Result<Option<usize>, Halt> {
        let (mut found, mut count) = (None, 0);
        for (key, value) in self.tape.entries(at) {
            count += 1;
            if key == name {
                found = Some(value);
            }
        }
        self.fuel.spend(1 + count / 8)?;
        Ok(found)
    }

    /// A text that equal values share; none if only the run knows the value.
    pub(super) fn canonical(&mut self, at: usize) -> Result<Option<String>, Halt> {
        canonical(self.tape, at, &mut |steps| self.fuel.spend(steps))
    }

    /// Asks without telling why not. What did not fit saw nothing.
    pub(super) fn ask(&mut self, id: Id, at: usize, seen: Option<&mut Seen>) -> Compared {
        self.quiet += 1;
        let fit = self.node(id, at, seen);
        self.quiet -= 1;
        fit
    }

    fn is_of(&self, kinds: Kinds, at: usize) -> bool {
        let kind = match self.tape.node(at) {
            Json::Null => Kinds::NULL,
            Json::Bool(_) => Kinds::BOOLEAN,
            Json::Number(text) => {
                return kinds.has(Kinds::NUMBER)
                    || kinds.has(Kinds::INTEGER) && Number::of(text).is_integer();
            }
            Json::String(_) => Kinds::STRING,
            Json::Array => Kinds::ARRAY,
            Json::Object => Kinds::OBJECT,
            Json::Unknown | Json::Rest => return true,
        };
        kinds.has(kind)
    }

    fn mismatch(&mut self, id: Id, at: usize) {
        let (nodes, tape) = (self.nodes, self.tape);
        self.tell(at, || {
            let expected = words::describe(nodes, id);
            format!("expected {expected}, found {}", tape.node(at).shown())
        });
    }

    /// Whether nobody wants to hear more of one value: the first fault decides.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet > 0 || self.found.len() >= MAX_ERRORS
    }

    pub(super) fn tell(&mut self, at: usize, message: impl FnOnce() -> String) {
        if !self.is_quiet() {
            let path = self.path.strip_prefix('.').unwrap_or(&self.path).to_owned();
            let message = message();
            let error = InputError { path, message };
            // A value may be wrong in the same way for two reasons.
            if self.found.iter().all(|one| one.error != error) {
                self.found.push(Misfit {
                    at,
                    error,
                    is_certain: true,
                });
            }
        }
    }

    /// Does something with a member, whose key or index is a step of the path.
    pub(super) fn within<R>(
        &mut self,
        member: &Member<'_>,
        work: impl FnOnce(&mut Self) -> R,
    ) -> R {
        if self.quiet > 0 {
            return work(self);
        }
        let length = self.path.len();
        match member {
            Member::Key(name) => self.path.push_str(&step(name)),
            Member::Index(index) => self.path.push_str(&format!("[{index}]")),
        }
        let result = work(self);
        self.path.truncate(length);
        result
    }
}

/// A step of a path.
pub(super) enum Member<'m> {
    Key(&'m str),
    Index(usize),
}

/// The canonical text of a value of a schema, whose size is limited.
pub(super) fn known(tape: &Tape<'_>, at: usize) -> Option<String> {
    canonical(tape, at, &mut |_| Ok(())).ok().flatten()
}

/// A text that equal values share, whatever the order of their keys; none if only the run knows the value.
fn canonical(
    tape: &Tape<'_>,
    at: usize,
    pay: &mut impl FnMut(usize) -> Result<(), Halt>,
) -> Result<Option<String>, Halt> {
    enum Step<'s> {
        Value(usize),
        Text(&'s str),
        Key(&'s str),
    }
    let mut out = String::new();
    let mut steps = vec![Step::Value(at)];
    while let Some(next) = steps.pop() {
        let at = match next {
            Step::Value(at) => at,
            Step::Text(text) => {
                out.push_str(text);
                continue;
            }
            Step::Key(name) => {
                pay(name.len() / 16)?;
                out.push_str(&format!("{name:?}:"));
                continue;
            }
        };
        pay(1)?;
        match tape.node(at) {
            Json::Null => out.push_str("null"),
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Number(text) => {
                pay(text.len() / 16)?;
                out.push_str(&Number::of(text).canonical());
            }
            Json::String(text) => {
                pay(text.len() / 16)?;
                out.push_str(&format!("{text:?}"));
            }
            Json::Array => {
                out.push('[');
                steps.push(Step::Text("]"));
                let members: Vec<usize> = tape.members(at).collect();
                for member in members.into_iter().rev() {
                    steps.push(Step::Text(","));
                    steps.push(Step::Value(member));
                }
            }
            Json::Object => {
                if tape.has_rest(at) {
                    return Ok(None);
                }
                out.push('{');
                steps.push(Step::Text("}"));
                let mut entries: Vec<(&str, usize)> = tape.entries(at).collect();
                entries.sort_by_key(|(name, _)| *name);
                for (name, value) in entries.into_iter().rev() {
                    steps.push(Step::Text(","));
                    steps.push(Step::Value(value));
                    steps.push(Step::Key(name));
                }
            }
            Json::Unknown | Json::Rest => return Ok(None),
        }
    }
    Ok(Some(out))
}
