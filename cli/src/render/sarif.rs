//! SARIF 2.1.0, which code scanning services and editors read.

use std::collections::BTreeMap;

use rhythm_flow::codes::Code;
use rhythm_flow::project::File;
use rhythm_flow::{Diagnostic, Source};
use serde_json::{Value, json};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The whole log: one run, with the rules that were broken.
pub(crate) fn log(files: &[File]) -> Value {
    let all = || {
        files
            .iter()
            .flat_map(|file| file.checked.diagnostics.iter().map(move |one| (file, one)))
    };
    let mut indexes: BTreeMap<Code, usize> = all().map(|(_, one)| (one.code, 0)).collect();
    for (index, at) in indexes.values_mut().enumerate() {
        *at = index;
    }
    let results: Vec<Value> = all()
        .map(|(file, one)| result(one, &file.source, indexes[&one.code]))
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "rhythm",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": indexes.keys().map(|code| rule(*code)).collect::<Vec<_>>(),
            }},
            "columnKind": "utf16CodeUnits",
            "results": results,
        }],
    })
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.number(),
        "name": code.name(),
        "shortDescription": {"text": code.explanation()},
        "help": {"text": code.page(), "markdown": code.page()},
        "defaultConfiguration": {"level": code.severity().word()},
    })
}

fn result(one: &Diagnostic, source: &Source, rule_index: usize) -> Value {
    let (start, end) = (
        source.position(one.span.start),
        source.position(one.span.end),
    );
    let message = match &one.hint {
        Some(hint) => format!("{}. {hint}", one.message),
        None => one.message.clone(),
    };
    json!({
        "ruleId": one.code.number(),
        "ruleIndex": rule_index,
        "level": one.severity.word(),
        "message": {"text": message},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri(source.name())},
            "region": {
                "startLine": start.line,
                "startColumn": start.column,
                "endLine": end.line,
                "endColumn": end.column,
            },
        }}],
    })
}

/// A path as a reference: what a URI has another meaning for is escaped.
fn uri(path: &str) -> String {
    let path = path.replace('\\', "/");
    let mut out = String::new();
    if path.starts_with('/') {
        out.push_str("file://");
    }
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn paths_become_references() {
        assert_eq!(uri("flows/order.flow"), "flows/order.flow");
        assert_eq!(uri("/a b/ü.flow"), "file:///a%20b/%C3%BC.flow");
    }
}
