//! From the text of a schema to its nodes. What is wrong with a schema is told with its path in it.

use std::collections::{HashMap, VecDeque};
use std::fmt;

use super::node::{Condition, Id, Node};
use super::refs;
use crate::tape::{self, Tape, step};

/// The longest text of a schema.
pub const MAX_BYTES: usize = 256 << 10;
/// How deep a schema may be nested.
const MAX_DEPTH: usize = 200;
/// How much of a path is told.
const MAX_PATH: usize = 200;
/// Drafts whose forms that still exist mean the same.
const DRAFTS: [&str; 4] = [
    "json-schema.org/draft/2020-12/schema",
    "json-schema.org/draft/2019-09/schema",
    "json-schema.org/draft-07/schema",
    "json-schema.org/draft-06/schema",
];
/// Words of older drafts, and what to write today. Ignoring them would silently allow everything.
const GONE: [(&str, &str); 5] = [
    ("additionalItems", "items beside prefixItems"),
    ("dependencies", "dependentRequired or dependentSchemas"),
    ("$recursiveRef", "$ref"),
    ("$recursiveAnchor", "$anchor"),
    ("extends", "allOf"),
];

/// Why a text is no schema that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaError {
    /// Where in the schema, such as `properties.amount.minimum`; empty for all of it.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

pub(super) type Compiled<T> = Result<T, SchemaError>;

pub(super) fn compile(text: &str) -> Compiled<Vec<Node>> {
    let whole = |message: String| SchemaError {
        path: String::new(),
        message,
    };
    if text.len() > MAX_BYTES {
        return Err(whole(format!(
            "the schema has {} bytes, and {MAX_BYTES} are the most",
            text.len()
        )));
    }
    let tape = Tape::read(text).ok_or_else(|| whole("the schema is no JSON".to_owned()))?;
    let mut compiler = Compiler {
        tape: &tape,
        nodes: Vec::new(),
        ids: HashMap::new(),
        queue: VecDeque::new(),
        anchors: HashMap::new(),
        refs: Vec::new(),
        pattern_bytes: 0,
    };
    compiler.id(0, String::new(), 0);
    loop {
        while let Some(next) = compiler.queue.pop_front() {
            compiler.schema(&next)?;
        }
        // What a reference names may be something that is compiled for its sake alone.
        let Some((id, target, here)) = compiler.refs.pop() else {
            break;
        };
        let named = match refs::named(&tape, &target) {
            Some(refs::Named::Place(at)) => {
                let path = tape::shorten(&target).into_owned();
                Some(compiler.id(at, path, here.depth))
            }
            Some(refs::Named::Anchor(name)) => compiler.anchors.get(&name).copied(),
            None => None,
        };
        let Some(named) = named else {
            return Err(here.wrong(format!(
                "refers to \"{}\", which is not in this schema; put it into $defs",
                tape::shorten(&target)
            )));
        };
        compiler.nodes[id].all_of.push(named);
    }
    if refs::has_cycle(&compiler.nodes) {
        return Err(whole(
            "the schema refers to itself without going into the value".to_owned(),
        ));
    }
    Ok(compiler.nodes)
}

/// A place of a schema: of a schema object, or of the value of one of its keywords.
#[derive(Clone)]
pub(super) struct Here {
    pub(super) id: Id,
    pub(super) at: usize,
    pub(super) path: String,
    pub(super) depth: usize,
}

impl Here {
    pub(super) fn wrong(&self, message: String) -> SchemaError {
        let path = self.path.strip_prefix('.').unwrap_or(&self.path);
        let path = match path.char_indices().nth(MAX_PATH) {
            Some((at, _)) => format!("{}…", &path[..at]),
            None => path.to_owned(),
        };
        SchemaError { path, message }
    }

    pub(super) fn within(&self, key: &str) -> Self {
        Self {
            path: self.path_of(&step(key)),
            ..*self
        }
    }

    /// The path of a part. It ends where no more is told, as each of many parts keeps its own.
    pub(super) fn path_of(&self, step: &str) -> String {
        if self.path.len() > 4 * MAX_PATH {
            return self.path.clone();
        }
        format!("{}{step}", self.path)
    }
}

pub(super) struct Compiler<'t> {
    pub(super) tape: &'t Tape<'t>,
    nodes: Vec<Node>,
    /// Schemas by their places.
    ids: HashMap<usize, Id>,
    queue: VecDeque<Here>,
    anchors: HashMap<String, Id>,
    /// References that are not resolved yet: whose, to what, and where they stand.
    refs: Vec<(Id, String, Here)>,
    pub(super) pattern_bytes: usize,
}

impl Compiler<'_> {
    /// The number of the schema at a place, which is compiled in its turn.
    pub(super) fn id(&mut self, at: usize, path: String, depth: usize) -> Id {
        let next = self.nodes.len();
        let id = *self.ids.entry(at).or_insert(next);
        if id == next {
            self.nodes.push(Node::default());
            self.queue.push_back(Here {
                id,
                at,
                path,
                depth: depth + 1,
            });
        }
        id
    }

    pub(super) fn child(&mut self, at: usize, here: &Here) -> Id {
        self.id(at, here.path.clone(), here.depth)
    }

    fn schema(&mut self, here: &Here) -> Compiled<()> {
        if here.depth > MAX_DEPTH {
            return Err(here.wrong(format!("nested more than {MAX_DEPTH} deep")));
        }
        match self.tape.node(here.at) {
            tape::Node::Bool(always) => self.nodes[here.id].always = Some(*always),
            tape::Node::Object => {
                let mut node = Node::default();
                for (key, at) in self.tape.entries(here.at) {
                    let there = Here {
                        at,
                        ..here.within(key)
                    };
                    self.keyword(key, &there, &mut node)?;
                }
                self.condition(here, &mut node);
                self.nodes[here.id] = node;
            }
            other => {
                return Err(here.wrong(format!(
                    "a schema is an object, true or false, not {}",
                    other.shown()
                )));
            }
        }
        Ok(())
    }

    fn keyword(&mut self, key: &str, here: &Here, node: &mut Node) -> Compiled<()> {
        match key {
            "$schema" => {
                let text = self.text(here)?;
                let bare = text.trim_end_matches('#');
                let bare = bare.strip_prefix("http").unwrap_or(bare);
                let bare = bare.trim_start_matches(['s', ':', '/']);
                if !DRAFTS.contains(&bare) {
                    return Err(here.wrong(format!(
                        "\"{}\" is unknown; schemas are of draft 2020-12",
                        tape::shorten(&text)
                    )));
                }
            }
            "$id" if self.tape.get(0, "$id") != Some(here.at) => {
                return Err(here.wrong("only the whole schema may have an $id".to_owned()));
            }
            "$anchor" | "$dynamicAnchor" => {
                let name = self.text(here)?;
                self.anchors.insert(name, here.id);
            }
            "$ref" | "$dynamicRef" => {
                let target = self.text(here)?;
                self.refs.push((here.id, target, here.clone()));
            }
            "$defs" | "definitions" => {
                self.map(here)?;
            }
            "type" => node.kinds = self.kinds(here)?,
            "enum" => {
                let members = self.list(here)?;
                let values = self.values(&members);
                // A `const` beside it says more.
                node.one_of_values.get_or_insert_with(|| Box::new(values));
            }
            "const" => node.one_of_values = Some(Box::new(self.values(&[here.at]))),
            "allOf" => {
                let all = self.schemas(here)?;
                node.all_of.extend(all);
            }
            "anyOf" => node.any_of = Some(self.schemas(here)?),
            "oneOf" => node.one_of = Some(self.schemas(here)?),
            "not" => node.not = Some(self.child(here.at, here)),
            "unevaluatedItems" => node.unevaluated_items = Some(self.child(here.at, here)),
            "unevaluatedProperties" => {
                node.unevaluated_properties = Some(self.child(here.at, here));
            }
            _ => {
                if let Some((_, today)) = GONE.iter().find(|(gone, _)| *gone == key) {
                    return Err(here.wrong(format!(
                        "is of an older draft of JSON Schema; write {today}"
                    )));
                }
                // Any other word says nothing to a check: title, default, and whatever tools add.
                let _ = self.text_rule(key, here, node)?
                    || self.number_rule(key, here, node)?
                    || self.array_rule(key, here, node)?
                    || self.object_rule(key, here, node)?;
            }
        }
        Ok(())
    }

    /// `if`, which is nothing without the other two, nor they without it.
    fn condition(&mut self, here: &Here, node: &mut Node) {
        let tape = self.tape;
        let mut part = |key| {
            let at = tape.get(here.at, key)?;
            Some(self.child(at, &here.within(key)))
        };
        let Some(test) = part("if") else { return };
        node.condition = Some(Box::new(Condition {
            test,
            then: part("then"),
            otherwise: part("else"),
        }));
    }
}
