//! A compiled schema: each schema object is a node, and names others by their numbers.

use crate::regex;

use super::format::Format;
use super::number::Number;

/// The number of a node.
pub(super) type Id = usize;

/// Kinds of JSON values, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds(pub(super) u8);

impl Kinds {
    /// The words of `type`, in the order of their bits.
    pub(super) const WORDS: [&'static str; 7] = [
        "null", "boolean", "number", "integer", "string", "array", "object",
    ];
    pub(super) const NULL: Self = Self(1);
    pub(super) const BOOLEAN: Self = Self(1 << 1);
    pub(super) const NUMBER: Self = Self(1 << 2);
    pub(super) const INTEGER: Self = Self(1 << 3);
    pub(super) const STRING: Self = Self(1 << 4);
    pub(super) const ARRAY: Self = Self(1 << 5);
    pub(super) const OBJECT: Self = Self(1 << 6);

    pub(super) fn of_word(word: &str) -> Option<Self> {
        let at = Self::WORDS.iter().position(|known| *known == word)?;
        Some(Self(1 << at))
    }

    pub(super) fn has(self, kind: Self) -> bool {
        self.0 & kind.0 != 0
    }

    pub(super) fn with(self, kind: Self) -> Self {
        Self(self.0 | kind.0)
    }

    pub(super) fn words(self) -> impl Iterator<Item = &'static str> {
        let words = Self::WORDS.iter().enumerate();
        words
            .filter(move |(at, _)| self.0 & (1 << at) != 0)
            .map(|(_, word)| *word)
    }
}

/// A schema object, or `true` or `false`.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// `true` and `false` as schemas.
    pub(super) always: Option<bool>,
    /// Empty: any.
    pub(super) kinds: Kinds,
    /// `enum` and `const`.
    pub(super) one_of_values: Option<Box<Values>>,
    pub(super) text: Option<Box<TextRules>>,
    pub(super) number: Option<Box<NumberRules>>,
    pub(super) array: Option<Box<ArrayRules>>,
    pub(super) object: Option<Box<ObjectRules>>,
    /// Schemas that the same value has to fit: `$ref`, `$dynamicRef`, `allOf`.
    pub(super) all_of: Vec<Id>,
    /// Each list comes from one `anyOf`.
    pub(super) any_of: Option<Vec<Id>>,
    pub(super) one_of: Option<Vec<Id>>,
    pub(super) not: Option<Id>,
    pub(super) condition: Option<Box<Condition>>,
    pub(super) unevaluated_items: Option<Id>,
    pub(super) unevaluated_properties: Option<Id>,
}

impl Node {
    /// The nodes that are compared with the same value as this one.
    pub(super) fn in_place(&self) -> impl Iterator<Item = Id> + '_ {
        let condition = self.condition.iter();
        let condition = condition.flat_map(|one| [Some(one.test), one.then, one.otherwise]);
        let dependent = self.object.iter().flat_map(|rules| &rules.dependent);
        self.all_of
            .iter()
            .chain(self.any_of.iter().flatten())
            .chain(self.one_of.iter().flatten())
            .copied()
            .chain(self.not)
            .chain(condition.flatten())
            .chain(dependent.map(|(_, id)| *id))
    }
}

/// The values that are allowed.
#[derive(Debug)]
pub(super) struct Values {
    /// In the form in which values are compared.
    pub(super) canonical: Vec<String>,
    /// As they are told.
    pub(super) shown: Vec<String>,
}

/// `if`, `then`, `else`
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) test: Id,
    pub(super) then: Option<Id>,
    pub(super) otherwise: Option<Id>,
}

/// A regular expression with its text.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) text: String,
    pub(super) program: regex::Program,
}

/// Rules for strings.
#[derive(Debug, Default)]
pub(super) struct TextRules {
    pub(super) min: Option<u64>,
    pub(super) max: Option<u64>,
    pub(super) pattern: Option<Pattern>,
    pub(super) format: Option<Format>,
}

/// Rules for numbers.
#[derive(Debug, Default)]
pub(super) struct NumberRules {
    pub(super) min: Option<Number>,
    pub(super) above: Option<Number>,
    pub(super) max: Option<Number>,
    pub(super) below: Option<Number>,
    pub(super) multiple_of: Option<Number>,
}

/// Rules for arrays.
#[derive(Debug, Default)]
pub(super) struct ArrayRules {
    pub(super) prefix: Vec<Id>,
    pub(super) items: Option<Id>,
    pub(super) contains: Option<Id>,
    pub(super) min_contains: Option<u64>,
    pub(super) max_contains: Option<u64>,
    pub(super) min: Option<u64>,
    pub(super) max: Option<u64>,
    pub(super) unique: bool,
}

/// Rules for objects.
#[derive(Debug, Default)]
pub(super) struct ObjectRules {
    /// Sorted by name.
    pub(super) properties: Vec<(String, Id)>,
    pub(super) patterns: Vec<(Pattern, Id)>,
    pub(super) additional: Option<Id>,
    pub(super) names: Option<Id>,
    pub(super) required: Vec<String>,
    pub(super) min: Option<u64>,
    pub(super) max: Option<u64>,
    /// Where the first is there, the others have to be.
    pub(super) dependent_required: Vec<(String, Vec<String>)>,
    /// Where the property is there, the whole object has to fit.
    pub(super) dependent: Vec<(String, Id)>,
}

impl ObjectRules {
    pub(super) fn property(&self, name: &str) -> Option<Id> {
        let at = self
            .properties
            .binary_search_by(|(known, _)| known.as_str().cmp(name))
            .ok()?;
        Some(self.properties[at].1)
    }
}
