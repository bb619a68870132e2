//! Compares inputs with their declared type.

use super::{Field, InputError, Type};
use crate::nearest::nearest;
use crate::tape::{Node, Tape, step};

/// How many offending values are told.
const MAX_ERRORS: usize = 20;

pub(super) fn check(root: &Type, inputs: &str) -> Result<(), Vec<InputError>> {
    let Some(tape) = Tape::read(inputs) else {
        let message = "the inputs are no JSON".to_owned();
        return Err(vec![InputError {
            path: String::new(),
            message,
        }]);
    };
    let mut check = Check {
        tape: &tape,
        path: String::new(),
        errors: Vec::new(),
    };
    check.value(root, 0);
    if check.errors.is_empty() {
        Ok(())
    } else {
        Err(check.errors)
    }
}

struct Check<'t> {
    tape: &'t Tape<'t>,
    path: String,
    errors: Vec<InputError>,
}

impl Check<'_> {
    /// Recurses as deep as the type, not as deep as the inputs.
    fn value(&mut self, of: &Type, at: usize) {
        if self.errors.len() >= MAX_ERRORS {
            return;
        }
        match (of, self.tape.node(at)) {
            (Type::Array(of), Node::Array) => {
                for (index, member) in self.tape.members(at).enumerate() {
                    self.within(&format!("[{index}]"), |check| check.value(of, member));
                }
            }
            (Type::Object { fields, others }, Node::Object) => {
                self.object(fields, others.as_deref(), at);
            }
            (Type::Union(types), node) => {
                if types.iter().any(|of| self.fits(of, at)) {
                    return;
                }
                // If it can only be meant for one of them, that one says more.
                let mut meant = types.iter().filter(|of| same_kind(of, node));
                match (meant.next(), meant.next()) {
                    (Some(of), None) => self.value(of, at),
                    _ => self.mismatch(of, at),
                }
            }
            (of, node) => {
                if !is_of(of, node) {
                    self.mismatch(of, at);
                }
            }
        }
    }

    fn object(&mut self, fields: &[Field], others: Option<&Type>, at: usize) {
        for field in fields {
            match self.tape.get(at, &field.name) {
                Some(value) => {
                    self.within(&step(&field.name), |check| check.value(&field.of, value));
                }
                None if field.optional => {}
                None => self.missing(field, fields, at),
            }
        }
        let Some(of) = others else { return };
        let tape = self.tape;
        for (name, value) in tape.entries(at) {
            if !fields.iter().any(|field| field.name == name) {
                self.within(&step(name), |check| check.value(of, value));
            }
        }
    }

    fn missing(&mut self, field: &Field, fields: &[Field], at: usize) {
        let undeclared: Vec<&str> = self
            .tape
            .entries(at)
            .map(|(name, _)| name)
            .filter(|name| !fields.iter().any(|field| field.name == *name))
            .take(MAX_ERRORS)
            .collect();
        let found = match nearest(&field.name, undeclared.iter().copied()) {
            Some(name) => format!("found nothing; is \"{name}\" meant?"),
            None => "found nothing".to_owned(),
        };
        let message = format!("expected {}, {found}", field.of);
        self.within(&step(&field.name), |check| check.push(message));
    }

    fn mismatch(&mut self, of: &Type, at: usize) {
        let found = self.tape.node(at).shown();
        self.push(format!("expected {of}, found {found}"));
    }

    fn push(&mut self, message: String) {
        if self.errors.len() < MAX_ERRORS {
            let path = self.path.strip_prefix('.').unwrap_or(&self.path).to_owned();
            self.errors.push(InputError { path, message });
        }
    }

    fn within(&mut self, step: &str, check: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(step);
        check(self);
        self.path.truncate(length);
    }

    fn fits(&self, of: &Type, at: usize) -> bool {
        let mut check = Check {
            tape: self.tape,
            path: String::new(),
            errors: Vec::new(),
        };
        check.value(of, at);
        check.errors.is_empty()
    }
}

/// Whether a value without members is of a type.
fn is_of(of: &Type, node: &Node<'_>) -> bool {
    match (of, node) {
        (Type::Any, _)
        | (Type::Null, Node::Null)
        | (Type::Boolean, Node::Bool(_))
        | (Type::Number, Node::Number(_))
        | (Type::String, Node::String(_)) => true,
        (Type::True(wanted), Node::Bool(found)) => wanted == found,
        (Type::Exactly(wanted), Node::Number(found)) => found.parse() == Ok(*wanted),
        (Type::Text(wanted), Node::String(found)) => wanted == found,
        _ => false,
    }
}

fn same_kind(of: &Type, node: &Node<'_>) -> bool {
    matches!(
        (of, node),
        (Type::Object { .. }, Node::Object) | (Type::Array(_), Node::Array)
    )
}

#[cfg(test)]
mod tests {
    use super::super::InputType;
    use crate::source::Source;

    fn errors(of: &str, inputs: &str) -> Vec<String> {
        let source = Source::new(
            "test.flow",
            format!("/** @param {{{of}}} Inputs */\nreturn 1"),
        );
        let (script, diagnostics) = crate::parse::parse(&source);
        assert_eq!(diagnostics, [], "{of}");
        let of = script.input_type.expect("a declared type");
        // What a program keeps is the written form.
        let of = InputType::from_json(&of.to_json()).expect("it reads what it wrote");
        let errors = of.check(inputs).err().unwrap_or_default();
        errors
            .into_iter()
            .map(|error| format!("{}: {}", error.path, error.message))
            .collect()
    }

    #[test]
    fn the_path_of_each_offending_field_is_told() {
        let of = "{customer: string, items: {sku: string, qty: number}[], note?: string}";
        assert_eq!(
            errors(of, r#"{"customer": "a", "items": [], "more": 1}"#),
            [""; 0]
        );
        let inputs = r#"{"custmer": "a", "note": 5, "items": [
            {"sku": "x", "qty": 1}, {"sku": null, "qty": "2"}, 3]}"#;
        assert_eq!(
            errors(of, inputs),
            [
                "customer: expected string, found nothing; is \"custmer\" meant?",
                "items[1].sku: expected string, found null",
                "items[1].qty: expected number, found string \"2\"",
                "items[2]: expected {sku, qty}, found number 3",
                "note: expected string, found number 5",
            ]
        );
        assert_eq!(
            errors(of, "null"),
            [": expected {customer, items, note}, found null"]
        );
        assert_eq!(errors(of, "{"), [": the inputs are no JSON"]);
    }

    #[test]
    fn unions_literals_and_records() {
        assert_eq!(errors("'a' | 'b' | null", "\"a\""), [""; 0]);
        assert_eq!(
            errors("'a' | 3 | null", "\"c\""),
            [": expected \"a\" | 3 | null, found string \"c\""]
        );
        let of = "Record<string, (number | {n: -1.5})[]>";
        assert_eq!(errors(of, r#"{"x y": [1, {"n": -1.5}]}"#), [""; 0]);
        assert_eq!(
            errors(of, r#"{"x y": [1, {"n": 2}, false]}"#),
            [
                "[\"x y\"][1].n: expected -1.5, found number 2",
                "[\"x y\"][2]: expected number | {n}, found boolean false"
            ]
        );
        assert_eq!(errors("?string[]", "null"), [""; 0]);
        assert_eq!(
            errors(
                "{[key: string]: boolean, a: Array<any>}",
                r#"{"a": [1], "b": 2}"#
            ),
            ["b: expected boolean, found number 2"]
        );
    }
}
