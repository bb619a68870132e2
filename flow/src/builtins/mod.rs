//! The table of everything that a program can name without declaring it.
//!
//! A builtin is one function and one line in the table of its file. Programs and saves name builtins
//! by path, so the order of the tables does not matter and a path must never change its meaning.

mod array;
mod array_closed;
mod array_sort;
mod array_walk;
mod console;
mod context;
mod coverage;
mod crypto;
mod date;
pub mod duration;
mod encoding;
mod error;
mod fan_out;
mod globals;
pub(crate) mod inspect;
mod iterator;
mod iterator_walk;
mod json;
mod map_set;
mod math;
mod math_log;
mod math_reduce;
mod math_trig;
mod merge_runs;
mod mutex;
mod number;
mod object;
pub(crate) mod options;
mod promise;
pub(crate) mod regexp;
mod regexp_replace;
mod replacement;
mod signal;
mod sql;
mod string;
mod string_normalize;
mod string_replace;
mod task;
mod timer;
mod workflow;

pub(crate) use coverage::COVER;
pub(crate) use merge_runs::Sorts;
pub(crate) use mutex::RELEASE;
pub(crate) use signal::REPLY;

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::error::Throw;
use crate::value::Value;
use crate::value::inherited::Kind;
use crate::vm::cx::{Call, Cx, Native, Step};

/// A builtin function.
#[derive(Debug)]
pub struct Builtin {
    /// `parseInt`, `Math.max`, `Array.prototype.map`, `new Date`.
    pub path: &'static str,
    /// What JavaScript says `length` is.
    pub length: u8,
    /// What it does.
    pub run: Run,
}

/// The two forms of a builtin.
#[derive(Clone, Copy, Debug)]
pub enum Run {
    /// Takes its arguments and gives a value. Calls no function of the program.
    Plain(fn(&mut Cx<'_>, Call) -> Result<Value, Throw>),
    /// Calls functions of the program: a frame of the VM with `registers` values that the function
    /// keeps between its steps. Register 0 is the receiver, 1 … the arguments, as many as `params`.
    Stepped {
        /// How many arguments are kept.
        params: u8,
        /// How many values it keeps besides receiver and arguments.
        registers: u8,
        /// Called first with `undefined`, and then with what each called function returned.
        step: fn(&mut Cx<'_>, Native, Value) -> Result<Step, Throw>,
    },
}

/// A line of a table: a plain builtin.
#[must_use]
pub const fn plain(
    path: &'static str,
    length: u8,
    run: fn(&mut Cx<'_>, Call) -> Result<Value, Throw>,
) -> Builtin {
    Builtin {
        path,
        length,
        run: Run::Plain(run),
    }
}

/// A line of a table: a builtin that calls functions of the program.
#[must_use]
pub const fn stepped(
    path: &'static str,
    length: u8,
    params: u8,
    registers: u8,
    step: fn(&mut Cx<'_>, Native, Value) -> Result<Step, Throw>,
) -> Builtin {
    Builtin {
        path,
        length,
        run: Run::Stepped {
            params,
            registers,
            step,
        },
    }
}

/// The tables, one for each file.
const TABLES: &[&[Builtin]] = &[
    array::TABLE,
    array_sort::TABLE,
    array_walk::TABLE,
    iterator::TABLE,
    iterator_walk::TABLE,
    map_set::TABLE,
    number::TABLE,
    string::TABLE,
    string_normalize::TABLE,
    string_replace::TABLE,
    object::TABLE,
    json::TABLE,
    date::TABLE,
    math::TABLE,
    console::TABLE,
    globals::TABLE,
    context::TABLE,
    coverage::TABLE,
    crypto::TABLE,
    encoding::TABLE,
    error::TABLE,
    fan_out::TABLE,
    mutex::TABLE,
    promise::TABLE,
    regexp::TABLE,
    signal::TABLE,
    sql::TABLE,
    task::TABLE,
    workflow::TABLE,
    timer::TABLE,
];

/// Other names of functions: the same one, as in JavaScript. Programs and saves may name these too.
pub const ALIASES: &[(&str, &str)] = &[
    ("Date.prototype.toGMTString", "Date.prototype.toUTCString"),
    ("Number.parseFloat", "parseFloat"),
    ("Number.parseInt", "parseInt"),
    ("Set.prototype.keys", "Set.prototype.values"),
    ("String.prototype.trimLeft", "String.prototype.trimStart"),
    ("String.prototype.trimRight", "String.prototype.trimEnd"),
];

/// The tables of constants: `Math.PI` and the like.
const CONSTANTS: &[&[(&str, f64)]] = &[math::CONSTANTS, number::CONSTANTS];

/// All builtins with their indexes.
#[derive(Debug)]
pub struct Registry {
    /// By number. Numbers are of this process only.
    pub all: Vec<&'static Builtin>,
    paths: HashMap<&'static str, u16>,
    methods: HashMap<(Kind, &'static str), u16>,
    constants: HashMap<&'static str, f64>,
    /// Names with members that are no functions: `Math`, `JSON`.
    pub namespaces: Vec<&'static str>,
}

impl Registry {
    fn new() -> Self {
        let all: Vec<&'static Builtin> = TABLES.iter().flat_map(|table| table.iter()).collect();
        let mut paths = HashMap::new();
        let mut methods = HashMap::new();
        for (number, builtin) in all.iter().enumerate() {
            let number = number as u16;
            paths.insert(builtin.path, number);
            if let Some((class, name)) = builtin.path.split_once(".prototype.")
                && let Some(kind) = Kind::of_name(class)
            {
                methods.insert((kind, name), number);
            }
        }
        for (path, same) in ALIASES {
            let Some(number) = paths.get(same).copied() else {
                continue;
            };
            paths.insert(path, number);
            if let Some((class, name)) = path.split_once(".prototype.")
                && let Some(kind) = Kind::of_name(class)
            {
                methods.insert((kind, name), number);
            }
        }
        let constants: HashMap<_, _> = CONSTANTS
            .iter()
            .flat_map(|table| table.iter().copied())
            .collect();
        let mut namespaces: Vec<&'static str> = all
            .iter()
            .map(|builtin| builtin.path)
            .chain(constants.keys().copied())
            .filter(|path| !path.contains(".prototype.") && !path.starts_with("new "))
            .filter_map(|path| path.split_once('.').map(|(head, _)| head))
            .filter(|head| !paths.contains_key(head))
            .collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        Self {
            all,
            paths,
            methods,
            constants,
            namespaces,
        }
    }

    /// The number of a path.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<u16> {
        self.paths.get(path).copied()
    }

    /// The number of a method.
    #[must_use]
    pub fn method(&self, kind: Kind, name: &str) -> Option<u16> {
        // `HashMap<(Kind, &'static str)>` cannot be asked with a shorter-lived name otherwise.
        let path = self.methods.get(&(kind, name));
        path.copied()
    }

    /// The number of a method that values of a kind have or inherit.
    #[must_use]
    pub fn method_or_inherited(&self, kind: Kind, name: &str) -> Option<u16> {
        self.method(kind, name).or_else(|| match kind {
            Kind::Bare => None,
            _ => self.method(Kind::Object, name),
        })
    }

    /// The number of a namespace.
    #[must_use]
    pub fn namespace(&self, name: &str) -> Option<u16> {
        self.namespaces
            .binary_search(&name)
            .ok()
            .map(|at| at as u16)
    }

    /// The value of a constant such as `Math.PI`.
    #[must_use]
    pub fn constant(&self, path: &str) -> Option<f64> {
        self.constants.get(path).copied()
    }

    /// Whether a name may be used without a declaration.
    #[must_use]
    pub fn is_global(&self, name: &str) -> bool {
        self.find(name).is_some()
            || self.namespace(name).is_some()
            || self.find(&format!("new {name}")).is_some()
            || matches!(name, "undefined" | "NaN" | "Infinity")
    }

    /// The names of the members of a global: `max`, `PI` … for `Math`.
    #[must_use]
    pub fn members(&self, global: &str) -> Vec<&'static str> {
        let paths = self
            .all
            .iter()
            .map(|builtin| builtin.path)
            .chain(ALIASES.iter().map(|(path, _)| *path))
            .chain(self.constants.keys().copied());
        let mut names: Vec<&'static str> = paths
            .filter_map(|path| path.strip_prefix(global)?.strip_prefix('.'))
            .filter(|name| !name.contains('.'))
            .collect();
        names.sort_unstable();
        names
    }

    /// The names of all methods, of whatever receiver.
    #[must_use]
    pub fn methods(&self) -> Vec<&'static str> {
        let mut names: Vec<&'static str> = self.methods.keys().map(|(_, name)| *name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The names of the globals.
    #[must_use]
    pub fn globals(&self) -> Vec<&'static str> {
        let paths = self.all.iter().map(|builtin| builtin.path);
        let mut names: Vec<&'static str> = paths
            .filter_map(|path| {
                let path = path.strip_prefix("new ").unwrap_or(path);
                (!path.contains('.') && path != COVER).then_some(path)
            })
            .chain(self.namespaces.iter().copied())
            .chain(["undefined", "NaN", "Infinity"])
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The one registry of the process.
#[must_use]
pub fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(Registry::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Programs and saves of before name builtins by what are aliases now.
    #[test]
    fn aliases_are_found_by_their_paths() {
        for (path, same) in ALIASES {
            let number = registry().find(path);
            assert!(number.is_some(), "{path}");
            assert_eq!(number, registry().find(same), "{path}");
        }
    }
}
