//! The names that JavaScript's prototypes have. Flow has no prototypes: a name that is inherited in
//! JavaScript is a builtin method of Flow, or reading it throws by name. It is never `undefined`.

/// The kinds of receiver that have methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    Object,
    Array,
    String,
    Number,
    Boolean,
    Function,
    Promise,
    Error,
    Date,
    Map,
    Set,
    Iterator,
    RegExp,
    /// An object that inherits nothing.
    Bare,
}

impl Kind {
    /// The name of the class, as in `Array.prototype.map`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Object => "Object",
            Self::Array => "Array",
            Self::String => "String",
            Self::Number => "Number",
            Self::Boolean => "Boolean",
            Self::Function => "Function",
            Self::Promise => "Promise",
            Self::Error => "Error",
            Self::Date => "Date",
            Self::Map => "Map",
            Self::Set => "Set",
            Self::Iterator => "Iterator",
            Self::RegExp => "RegExp",
            Self::Bare => "null",
        }
    }

    /// Whether its values can be iterated.
    #[must_use]
    pub fn can_iterate(self) -> bool {
        matches!(
            self,
            Self::Array | Self::String | Self::Map | Self::Set | Self::Iterator
        )
    }

    /// All kinds that have methods.
    pub const ALL: [Self; 13] = [
        Self::Object,
        Self::Array,
        Self::String,
        Self::Number,
        Self::Boolean,
        Self::Function,
        Self::Promise,
        Self::Error,
        Self::Date,
        Self::Map,
        Self::Set,
        Self::Iterator,
        Self::RegExp,
    ];

    /// The kind of a class name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Names of `Object.prototype`.
const OBJECT: &[&str] = &[
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
];

/// Names of `Array.prototype`.
const ARRAY: &[&str] = &[
    "at",
    "concat",
    "copyWithin",
    "entries",
    "every",
    "fill",
    "filter",
    "find",
    "findIndex",
    "findLast",
    "findLastIndex",
    "flat",
    "flatMap",
    "forEach",
    "includes",
    "indexOf",
    "join",
    "keys",
    "lastIndexOf",
    "map",
    "pop",
    "push",
    "reduce",
    "reduceRight",
    "reverse",
    "shift",
    "slice",
    "some",
    "sort",
    "splice",
    "toReversed",
    "toSorted",
    "toSpliced",
    "unshift",
    "values",
    "with",
];

/// Names of `String.prototype`.
const STRING: &[&str] = &[
    "anchor",
    "at",
    "big",
    "blink",
    "bold",
    "charAt",
    "charCodeAt",
    "codePointAt",
    "concat",
    "endsWith",
    "fixed",
    "fontcolor",
    "fontsize",
    "includes",
    "indexOf",
    "isWellFormed",
    "italics",
    "lastIndexOf",
    "link",
    "localeCompare",
    "match",
    "matchAll",
    "normalize",
    "padEnd",
    "padStart",
    "repeat",
    "replace",
    "replaceAll",
    "search",
    "slice",
    "small",
    "split",
    "startsWith",
    "strike",
    "sub",
    "substr",
    "substring",
    "sup",
    "toLocaleLowerCase",
    "toLocaleUpperCase",
    "toLowerCase",
    "toUpperCase",
    "toWellFormed",
    "trim",
    "trimEnd",
    "trimLeft",
    "trimRight",
    "trimStart",
];

/// Names of `Number.prototype`.
const NUMBER: &[&str] = &["toExponential", "toFixed", "toPrecision"];

/// Names of `Function.prototype`.
const FUNCTION: &[&str] = &["apply", "arguments", "bind", "call", "caller", "prototype"];

/// Names of `Promise.prototype`.
const PROMISE: &[&str] = &["catch", "finally", "then"];

/// Names of `Date.prototype`.
const DATE: &[&str] = &[
    "getDate",
    "getDay",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "getTime",
    "getTimezoneOffset",
    "getUTCDate",
    "getUTCDay",
    "getUTCFullYear",
    "getUTCHours",
    "getUTCMilliseconds",
    "getUTCMinutes",
    "getUTCMonth",
    "getUTCSeconds",
    "getYear",
    "setDate",
    "setFullYear",
    "setHours",
    "setMilliseconds",
    "setMinutes",
    "setMonth",
    "setSeconds",
    "setTime",
    "setUTCDate",
    "setUTCFullYear",
    "setUTCHours",
    "setUTCMilliseconds",
    "setUTCMinutes",
    "setUTCMonth",
    "setUTCSeconds",
    "setYear",
    "toDateString",
    "toGMTString",
    "toISOString",
    "toJSON",
    "toLocaleDateString",
    "toLocaleTimeString",
    "toTimeString",
    "toUTCString",
];

/// Names of `Map.prototype`.
const MAP: &[&str] = &[
    "clear", "delete", "entries", "forEach", "get", "has", "keys", "set", "values",
];

/// Names of `Set.prototype`.
const SET: &[&str] = &[
    "add",
    "clear",
    "delete",
    "difference",
    "entries",
    "forEach",
    "has",
    "intersection",
    "isDisjointFrom",
    "isSubsetOf",
    "isSupersetOf",
    "keys",
    "symmetricDifference",
    "union",
    "values",
];

/// Names of the prototypes of iterators.
const ITERATOR: &[&str] = &[
    "drop", "every", "filter", "find", "flatMap", "forEach", "map", "next", "reduce", "some",
    "take", "toArray",
];

/// Names of `RegExp.prototype`.
const REGEXP: &[&str] = &[
    "compile",
    "dotAll",
    "exec",
    "flags",
    "global",
    "hasIndices",
    "ignoreCase",
    "multiline",
    "source",
    "sticky",
    "test",
    "toString",
    "unicode",
    "unicodeSets",
];

/// Whether a name is no method but a property that Flow has.
#[must_use]
pub fn is_getter(kind: Kind, name: &str) -> bool {
    let method = matches!(name, "compile" | "exec" | "test" | "toString");
    kind == Kind::RegExp && REGEXP.contains(&name) && !method
}

/// The names of the prototype of a kind.
#[must_use]
pub fn names(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Object => OBJECT,
        Kind::Boolean | Kind::Error | Kind::Bare => &[],
        Kind::Array => ARRAY,
        Kind::String => STRING,
        Kind::Number => NUMBER,
        Kind::Function => FUNCTION,
        Kind::Promise => PROMISE,
        Kind::Date => DATE,
        Kind::Map => MAP,
        Kind::Set => SET,
        Kind::Iterator => ITERATOR,
        Kind::RegExp => REGEXP,
    }
}

/// Whether JavaScript's prototypes of this kind have the name.
#[must_use]
pub fn is_inherited(kind: Kind, name: &str) -> bool {
    kind != Kind::Bare && (OBJECT.contains(&name) || names(kind).contains(&name))
}
