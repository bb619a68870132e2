//! The keywords for texts, numbers, arrays and objects, and how their values are read.

use super::compare::known;
use super::compile::{Compiled, Compiler, Here, SchemaError};
use super::format::Format;
use super::node::{Id, Kinds, Node, Pattern, Values};
use super::number::Number;
use crate::regex::{self, Flags};
use crate::tape;

/// What the patterns of a schema may take together.
const MAX_PATTERN_BYTES: usize = 4 << 20;

/// Each gives whether the keyword is one of its own.
impl Compiler<'_> {
    pub(super) fn text_rule(&mut self, key: &str, here: &Here, node: &mut Node) -> Compiled<bool> {
        if !matches!(key, "minLength" | "maxLength" | "pattern" | "format") {
            return Ok(false);
        }
        let rules = node.text.get_or_insert_default();
        match key {
            "minLength" => rules.min = Some(self.count(here)?),
            "maxLength" => rules.max = Some(self.count(here)?),
            "format" => rules.format = Format::of_word(&self.text(here)?),
            _ => {
                let text = self.text(here)?;
                rules.pattern = Some(self.pattern(text, here)?);
            }
        }
        Ok(true)
    }

    pub(super) fn number_rule(
        &mut self,
        key: &str,
        here: &Here,
        node: &mut Node,
    ) -> Compiled<bool> {
        const WORDS: [&str; 5] = [
            "minimum",
            "exclusiveMinimum",
            "maximum",
            "exclusiveMaximum",
            "multipleOf",
        ];
        if !WORDS.contains(&key) {
            return Ok(false);
        }
        let tape::Node::Number(text) = self.tape.node(here.at) else {
            return Err(self.expected("a number", here));
        };
        let number = Number::of(text);
        let rules = node.number.get_or_insert_default();
        match key {
            "minimum" => rules.min = Some(number),
            "exclusiveMinimum" => rules.above = Some(number),
            "maximum" => rules.max = Some(number),
            "exclusiveMaximum" => rules.below = Some(number),
            _ if number.compare(&Number::of("0")).is_le() => {
                return Err(self.expected("a number above 0", here));
            }
            _ => rules.multiple_of = Some(number),
        }
        Ok(true)
    }

    pub(super) fn array_rule(&mut self, key: &str, here: &Here, node: &mut Node) -> Compiled<bool> {
        const WORDS: [&str; 8] = [
            "prefixItems",
            "items",
            "contains",
            "minContains",
            "maxContains",
            "minItems",
            "maxItems",
            "uniqueItems",
        ];
        if !WORDS.contains(&key) {
            return Ok(false);
        }
        let rules = node.array.get_or_insert_default();
        match key {
            "prefixItems" => rules.prefix = self.schemas(here)?,
            "items" if *self.tape.node(here.at) == tape::Node::Array => {
                let message = "is a list of schemas, as in older drafts; write prefixItems";
                return Err(here.wrong(message.to_owned()));
            }
            "items" => rules.items = Some(self.child(here.at, here)),
            "contains" => rules.contains = Some(self.child(here.at, here)),
            "minContains" => rules.min_contains = Some(self.count(here)?),
            "maxContains" => rules.max_contains = Some(self.count(here)?),
            "minItems" => rules.min = Some(self.count(here)?),
            "maxItems" => rules.max = Some(self.count(here)?),
            _ => match self.tape.node(here.at) {
                tape::Node::Bool(unique) => rules.unique = *unique,
                _ => return Err(self.expected("true or false", here)),
            },
        }
        Ok(true)
    }

    pub(super) fn object_rule(
        &mut self,
        key: &str,
        here: &Here,
        node: &mut Node,
    ) -> Compiled<bool> {
        const WORDS: [&str; 9] = [
            "properties",
            "patternProperties",
            "additionalProperties",
            "propertyNames",
            "required",
            "minProperties",
            "maxProperties",
            "dependentRequired",
            "dependentSchemas",
        ];
        if !WORDS.contains(&key) {
            return Ok(false);
        }
        let rules = node.object.get_or_insert_default();
        match key {
            "properties" => {
                // The last one of a name counts, as everywhere in JSON.
                let mut properties = self.map(here)?;
                properties.reverse();
                properties.sort_by(|(one, _), (other, _)| one.cmp(other));
                properties.dedup_by(|one, other| one.0 == other.0);
                rules.properties = properties;
            }
            "patternProperties" => {
                for (text, id) in self.map(here)? {
                    rules.patterns.push((self.pattern(text, here)?, id));
                }
            }
            "additionalProperties" => rules.additional = Some(self.child(here.at, here)),
            "propertyNames" => rules.names = Some(self.child(here.at, here)),
            "required" => rules.required = self.texts(here)?,
            "minProperties" => rules.min = Some(self.count(here)?),
            "maxProperties" => rules.max = Some(self.count(here)?),
            "dependentSchemas" => rules.dependent = self.map(here)?,
            _ => {
                self.object(here)?;
                for (name, at) in self.tape.entries(here.at) {
                    let there = Here {
                        at,
                        ..here.within(name)
                    };
                    let needed = self.texts(&there)?;
                    rules.dependent_required.push((name.to_owned(), needed));
                }
            }
        }
        Ok(true)
    }
}

/// Readers of values.
impl Compiler<'_> {
    fn expected(&self, what: &str, here: &Here) -> SchemaError {
        let found = self.tape.node(here.at).shown();
        here.wrong(format!("expected {what}, found {found}"))
    }

    pub(super) fn text(&self, here: &Here) -> Compiled<String> {
        match self.tape.node(here.at) {
            tape::Node::String(text) => Ok(text.to_string()),
            _ => Err(self.expected("a string", here)),
        }
    }

    pub(super) fn count(&self, here: &Here) -> Compiled<u64> {
        let tape::Node::Number(text) = self.tape.node(here.at) else {
            return Err(self.expected("a whole number", here));
        };
        let number: f64 = text.parse().unwrap_or(f64::NAN);
        if number.fract() == 0.0 && number >= 0.0 {
            // Beyond what can be counted it is all the same.
            Ok(number as u64)
        } else {
            Err(self.expected("a whole number from 0 on", here))
        }
    }

    pub(super) fn list(&self, here: &Here) -> Compiled<Vec<usize>> {
        match self.tape.node(here.at) {
            tape::Node::Array => Ok(self.tape.members(here.at).collect()),
            _ => Err(self.expected("an array", here)),
        }
    }

    pub(super) fn object(&self, here: &Here) -> Compiled<()> {
        match self.tape.node(here.at) {
            tape::Node::Object => Ok(()),
            _ => Err(self.expected("an object", here)),
        }
    }

    pub(super) fn texts(&self, here: &Here) -> Compiled<Vec<String>> {
        let members = self.list(here)?;
        members
            .into_iter()
            .map(|at| self.text(&Here { at, ..here.clone() }))
            .collect()
    }

    pub(super) fn schemas(&mut self, here: &Here) -> Compiled<Vec<Id>> {
        let members = self.list(here)?;
        if members.is_empty() {
            return Err(here.wrong("needs at least one schema".to_owned()));
        }
        let number = |(index, at)| {
            let path = here.path_of(&format!("[{index}]"));
            self.id(at, path, here.depth)
        };
        Ok(members.into_iter().enumerate().map(number).collect())
    }

    /// The schemas of an object, by name.
    pub(super) fn map(&mut self, here: &Here) -> Compiled<Vec<(String, Id)>> {
        self.object(here)?;
        let tape = self.tape;
        let number = |(name, at): (&str, usize)| {
            let there = here.within(name);
            (name.to_owned(), self.id(at, there.path, there.depth))
        };
        Ok(tape.entries(here.at).map(number).collect())
    }

    pub(super) fn kinds(&self, here: &Here) -> Compiled<Kinds> {
        let places = match self.tape.node(here.at) {
            tape::Node::Array => self.list(here)?,
            _ => vec![here.at],
        };
        let mut kinds = Kinds::default();
        for at in places {
            let there = Here { at, ..here.clone() };
            let word = self.text(&there)?;
            let Some(kind) = Kinds::of_word(&word) else {
                return Err(there.wrong(format!(
                    "there is no type \"{}\"; types are {}",
                    tape::shorten(&word),
                    Kinds::WORDS.join(", ")
                )));
            };
            kinds = kinds.with(kind);
        }
        if kinds == Kinds::default() {
            return Err(here.wrong("needs at least one type".to_owned()));
        }
        Ok(kinds)
    }

    pub(super) fn values(&self, places: &[usize]) -> Values {
        let shown = |at: &usize| match self.tape.node(*at) {
            tape::Node::String(text) => format!("\"{}\"", tape::shorten(text)),
            tape::Node::Number(text) => text.to_string(),
            tape::Node::Bool(value) => value.to_string(),
            other => other.shown(),
        };
        Values {
            canonical: places
                .iter()
                .filter_map(|at| known(self.tape, *at))
                .collect(),
            shown: places.iter().map(shown).collect(),
        }
    }

    pub(super) fn pattern(&mut self, text: String, here: &Here) -> Compiled<Pattern> {
        let units: Vec<u16> = text.encode_utf16().collect();
        // Many patterns escape more than the stricter syntax allows.
        let program = regex::compile(&units, Flags::UNICODE)
            .or_else(|_| regex::compile(&units, Flags::default()))
            .map_err(|error| {
                here.wrong(format!(
                    "\"{}\" is no regular expression of JavaScript: {}",
                    tape::shorten(&text),
                    error.message
                ))
            })?;
        self.pattern_bytes += program.bytes();
        if self.pattern_bytes > MAX_PATTERN_BYTES {
            return Err(here.wrong("the patterns of the schema are too large together".to_owned()));
        }
        Ok(Pattern { text, program })
    }
}
