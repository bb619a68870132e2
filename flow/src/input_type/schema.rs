//! A type as a JSON Schema: how it is stored, and what other tools can read.

use super::{Field, MAX_DEPTH, Type};
use crate::tape::{Node, Tape};

pub(super) fn write(of: &Type) -> String {
    match of {
        Type::Any => "{}".to_owned(),
        Type::Null => r#"{"type":"null"}"#.to_owned(),
        Type::Boolean => r#"{"type":"boolean"}"#.to_owned(),
        Type::Number => r#"{"type":"number"}"#.to_owned(),
        Type::String => r#"{"type":"string"}"#.to_owned(),
        Type::True(value) => format!(r#"{{"const":{value}}}"#),
        Type::Exactly(value) => format!(r#"{{"const":{value}}}"#),
        Type::Text(text) => format!(r#"{{"const":{}}}"#, quote(text)),
        Type::Array(of) => format!(r#"{{"type":"array","items":{}}}"#, write(of)),
        Type::Union(types) => {
            let types: Vec<String> = types.iter().map(write).collect();
            format!(r#"{{"anyOf":[{}]}}"#, types.join(","))
        }
        Type::Object { fields, others } => {
            let mut out = String::from(r#"{"type":"object""#);
            if !fields.is_empty() {
                let properties: Vec<String> = fields
                    .iter()
                    .map(|field| format!("{}:{}", quote(&field.name), write(&field.of)))
                    .collect();
                let required: Vec<String> = fields
                    .iter()
                    .filter(|field| !field.optional)
                    .map(|field| quote(&field.name))
                    .collect();
                out.push_str(&format!(
                    r#","properties":{{{}}},"required":[{}]"#,
                    properties.join(","),
                    required.join(",")
                ));
            }
            if let Some(of) = others {
                out.push_str(&format!(r#","additionalProperties":{}"#, write(of)));
            }
            out + "}"
        }
    }
}

pub(super) fn read(text: &str) -> Option<Type> {
    let tape = Tape::read(text)?;
    type_at(&tape, 0, 0)
}

fn type_at(tape: &Tape<'_>, at: usize, depth: usize) -> Option<Type> {
    if *tape.node(at) != Node::Object || depth > MAX_DEPTH * 2 {
        return None;
    }
    let inner = |at| type_at(tape, at, depth + 1);
    if let Some(value) = tape.get(at, "const") {
        return match tape.node(value) {
            Node::Bool(value) => Some(Type::True(*value)),
            Node::Number(text) => text.parse().ok().map(Type::Exactly),
            Node::String(text) => Some(Type::Text(text.to_string())),
            _ => None,
        };
    }
    if let Some(types) = tape.get(at, "anyOf") {
        return tape
            .members(types)
            .map(inner)
            .collect::<Option<_>>()
            .map(Type::Union);
    }
    let Some(kind) = tape.get(at, "type") else {
        return Some(Type::Any);
    };
    let Node::String(kind) = tape.node(kind) else {
        return None;
    };
    match kind.as_ref() {
        "null" => Some(Type::Null),
        "boolean" => Some(Type::Boolean),
        "number" => Some(Type::Number),
        "string" => Some(Type::String),
        "array" => {
            let of = tape.get(at, "items").map_or(Some(Type::Any), inner)?;
            Some(Type::Array(Box::new(of)))
        }
        "object" => {
            let mut fields = Vec::new();
            if let Some(properties) = tape.get(at, "properties") {
                for (name, of) in tape.entries(properties) {
                    let required = tape.get(at, "required").is_some_and(|list| {
                        tape.members(list)
                            .any(|member| matches!(tape.node(member), Node::String(text) if text == name))
                    });
                    let of = inner(of)?;
                    fields.push(Field {
                        name: name.to_owned(),
                        optional: !required,
                        of,
                    });
                }
            }
            let others = match tape.get(at, "additionalProperties") {
                Some(of) => Some(Box::new(inner(of)?)),
                None => None,
            };
            Some(Type::Object { fields, others })
        }
        _ => None,
    }
}

/// A JSON string.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            char if (char as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", char as u32)),
            char => out.push(char),
        }
    }
    out + "\""
}
