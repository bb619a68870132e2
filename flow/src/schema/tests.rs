//! Schemas, values, and what is told.

use std::time::{Duration, Instant};

use super::Schema;
use super::compare::Fuel;
use super::compile::Here;
use crate::check::NamedKind;
use crate::regex::Budget;
use crate::source::Source;
use crate::tape::step;

#[track_caller]
fn schema(text: &str) -> Schema {
    Schema::read(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[track_caller]
fn errors(of: &str, value: &str) -> Vec<String> {
    let found = schema(of).check(value, &mut || {}).err();
    found
        .unwrap_or_default()
        .into_iter()
        .map(|error| format!("{}: {}", error.path, error.message))
        .collect()
}

#[track_caller]
fn fits(of: &str, values: &[&str]) {
    for value in values {
        assert_eq!(errors(of, value), [""; 0], "{of} {value}");
    }
}

#[track_caller]
fn misfits(of: &str, values: &[&str]) {
    for value in values {
        assert_ne!(errors(of, value), [""; 0], "{of} {value}");
    }
}

#[track_caller]
fn refused(text: &str) -> String {
    match Schema::read(text) {
        Ok(_) => panic!("{text} is taken"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_path_and_the_fault_of_each_field_are_told() {
    let of = r#"{"type": "object", "required": ["amount", "to"], "additionalProperties": false, "properties": {
        "amount": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.01},
        "to": {"type": "string", "maxLength": 5, "pattern": "^[a-z]+$"},
        "kind": {"enum": ["card", "cash", 1]},
        "items": {"type": "array", "minItems": 1, "uniqueItems": true,
          "items": {"type": "object", "properties": {"qty": {"type": "integer"}}}},
        "at": {"type": "string", "format": "date-time"}}}"#;
    fits(
        of,
        &[
            r#"{"amount": 19.99, "to": "ann", "kind": 1.0, "items": [{"qty": 1.0}, {"qty": 2}]}"#,
            r#"{"amount": 1e3, "to": "ann", "at": "2026-01-31T12:30:00.5+02:00"}"#,
            r#"{"amount": 12345678901234567890.01, "to": "ann", "at": "2026-01-31 12:30:00"}"#,
        ],
    );
    let wrong = r#"{"amuont": 1, "to": "Much too long", "kind": "credit", "items": [{"qty": "1"}, {}, {}],
        "at": "tomorrow"}"#;
    assert_eq!(
        errors(of, wrong),
        [
            "amuont: is not declared; is \"amount\" meant?",
            "to: expected at most 5 characters, found 13",
            "to: expected text that matches /^[a-z]+$/, found string \"Much too long\"",
            "kind: expected \"card\" | \"cash\" | 1, found string \"credit\"",
            "items[0].qty: expected integer, found string \"1\"",
            "items[2]: is there twice",
            "at: expected a date and time such as 2026-01-31T12:30:00Z, found string \"tomorrow\"",
            "amount: expected number, found nothing; is \"amuont\" meant?",
        ]
    );
    assert_eq!(
        errors(of, "[]"),
        [": expected {amount, to, at, items, kind}, found an array"]
    );
    fits(
        r#"{"multipleOf": 0.123456789}"#,
        &["123456789e300", "-0.246913578"],
    );
    misfits(r#"{"multipleOf": 0.123456789}"#, &["1e308", "0.1234567891"]);
    for (amount, wanted) in [("0", "more than 0"), ("0.005", "a multiple of 0.01")] {
        assert_eq!(
            errors(of, &format!(r#"{{"amount": {amount}, "to": "a"}}"#)),
            [format!("amount: expected {wanted}, found number {amount}")]
        );
    }
}

#[test]
fn of_several_branches_the_one_that_was_meant_is_told() {
    let of = r##"{"anyOf": [{"$ref": "#/$defs/card"}, {"$ref": "#/$defs/cash"}, {"type": "null"}], "$defs": {
        "card": {"type": "object", "required": ["no"], "properties": {"kind": {"const": "card"}, "no": {"type": "string"}}},
        "cash": {"type": "object", "properties": {"kind": {"const": "cash"}, "till": {"type": "integer"}}}}}"##;
    fits(
        of,
        &[
            "null",
            r#"{"kind": "card", "no": "1"}"#,
            r#"{"kind": "cash"}"#,
        ],
    );
    assert_eq!(
        errors(of, r#"{"kind": "card", "no": 1}"#),
        ["no: expected string, found number 1"]
    );
    assert_eq!(
        errors(of, r#"{"kind": "cash", "till": 1.5}"#),
        ["till: expected integer, found number 1.5"]
    );
    assert_eq!(
        errors(of, r#"{"kind": "gift"}"#),
        [": expected {no, kind} | {kind, till} | null, found an object"]
    );
    assert_eq!(
        errors(r#"{"type": ["integer", "null"]}"#, "1.5"),
        [": expected null | integer, found number 1.5"]
    );
}

#[test]
fn keywords_that_combine() {
    let one = r#"{"oneOf": [{"type": "number", "minimum": 5}, {"type": "integer"}]}"#;
    fits(one, &["3", "5.5"]);
    misfits(one, &["7", "\"x\"", "4.5"]);
    fits(r#"{"not": {"type": "string"}}"#, &["1"]);
    misfits(r#"{"not": {"type": "string"}}"#, &["\"a\""]);
    let when = r#"{"if": {"properties": {"a": {"const": 1}}, "required": ["a"]}, "then": {"required": ["b"]},
        "else": {"required": ["c"]}}"#;
    fits(when, &[r#"{"a": 1, "b": 2}"#, r#"{"c": 1}"#]);
    misfits(when, &[r#"{"a": 1}"#, r#"{"a": 2}"#]);
    let open = r#"{"allOf": [{"properties": {"a": true}}], "anyOf": [{"properties": {"b": true}, "required": ["b"]}, true],
        "unevaluatedProperties": false}"#;
    fits(open, &[r#"{"a": 1, "b": 2}"#, r#"{"a": 1}"#]);
    misfits(open, &[r#"{"a": 1, "c": 2}"#]);
    let tuple = r#"{"prefixItems": [{"type": "string"}], "contains": {"const": 7}, "maxContains": 1, "unevaluatedItems": false}"#;
    fits(tuple, &[r#"["a", 7]"#]);
    misfits(
        tuple,
        &[r#"["a"]"#, r#"["a", 7, 7]"#, r#"["a", 7, 8]"#, "[1, 7]"],
    );
    let names = r#"{"propertyNames": {"pattern": "^[a-z]+$"}, "patternProperties": {"^n": {"type": "number"}},
        "dependentRequired": {"a": ["b"]}, "dependentSchemas": {"c": {"maxProperties": 1}}, "minProperties": 1}"#;
    fits(
        names,
        &[r#"{"n": 1}"#, r#"{"a": 1, "b": 1}"#, r#"{"c": 1}"#],
    );
    misfits(
        names,
        &[
            "{}",
            r#"{"N": 1}"#,
            r#"{"nn": "1"}"#,
            r#"{"a": 1}"#,
            r#"{"c": 1, "d": 1}"#,
        ],
    );
    fits("true", &["1"]);
    assert_eq!(errors("false", "1"), [": nothing is allowed here"]);
}

#[test]
fn references_stay_inside() {
    let tree = r##"{"$id": "https://example.org/tree", "$ref": "#node", "$defs": {"n": {"$anchor": "node", "type": "object",
        "properties": {"left": {"$dynamicRef": "#node"}, "right": {"$ref": "https://example.org/tree#/$defs/n"},
          "name~/": {"$ref": "#/$defs/n/properties/of%25"}, "of%": {"type": "string"}}}}}"##;
    fits(tree, &[r#"{"left": {"right": {}}, "name~/": "x"}"#]);
    assert_eq!(
        errors(tree, r#"{"left": {"right": {"name~/": 1}}}"#),
        ["left.right[\"name~/\"]: expected string, found number 1"]
    );
    insta::assert_snapshot!(
        [
            r##"{"properties": {"a": {"$ref": "https://example.org/x.json"}}}"##,
            r##"{"$ref": "#/$defs/none"}"##,
            r##"{"$ref": "#"}"##,
            r##"{"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}}"##,
            r##"{"$defs": {"a": {"$id": "other"}}}"##,
        ]
        .map(refused)
        .join("\n")
    );
}

#[test]
fn a_schema_that_is_wrong_is_refused_with_its_path() {
    let large = format!(r#"{{"title": "{}"}}"#, "x".repeat(300_000));
    let deep = format!("{}true{}", r#"{"not":"#.repeat(5000), "}".repeat(5000));
    insta::assert_snapshot!(
        [
            "{",
            "[]",
            &large,
            &deep,
            r#"{"type": "text"}"#,
            r#"{"type": []}"#,
            r#"{"properties": {"a b": {"type": "number", "minimum": "1"}}}"#,
            r#"{"properties": ["a"]}"#,
            r#"{"items": [{"type": "number"}]}"#,
            r#"{"dependencies": {}}"#,
            r#"{"required": "a"}"#,
            r#"{"required": [1]}"#,
            r#"{"anyOf": []}"#,
            r#"{"minLength": -1}"#,
            r#"{"multipleOf": 0}"#,
            r#"{"pattern": "(a"}"#,
            r#"{"$schema": "http://json-schema.org/draft-04/schema#"}"#,
        ]
        .map(|text| refused(text).chars().take(150).collect::<String>())
        .join("\n")
    );
    fits(
        r#"{"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {}, "x-mine": 1}"#,
        &["1"],
    );
    fits(r#"{"pattern": "^\\-+$"}"#, &["\"--\""]);
}

#[test]
fn nothing_hangs_or_overflows() {
    let long = format!("\"{}!\"", "a".repeat(5000));
    let cost = errors(r#"{"pattern": "^(a+)+$"}"#, &long);
    assert_eq!(cost, [": takes too long to be compared with the schema"]);

    let tree = r##"{"type": "array", "items": {"$ref": "#"}}"##;
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    fits(tree, &[&nested(240)]);
    // A quarter of what a server process has at least.
    let text = nested(200_000);
    let deep = std::thread::Builder::new()
        .stack_size(512 << 10)
        .spawn(move || errors(tree, &text));
    let deep = deep
        .expect("a thread")
        .join()
        .expect("it does not overflow");
    assert_eq!(
        deep,
        [": is nested too deeply to be compared with the schema"]
    );
    // What the schema does not look into may be as deep as it likes.
    fits(r#"{"type": "array"}"#, &[&nested(200_000)]);
    fits(r#"{"uniqueItems": true}"#, &[&nested(200_000)]);

    // Two ways at each level.
    let branches = r##"{"anyOf": [{"properties": {"c": {"$ref": "#"}, "k": {"const": 1}}, "required": ["k"]},
        {"properties": {"c": {"$ref": "#"}, "k": {"const": 2}}, "required": ["k"]}]}"##;
    let value = format!(
        "{}{{\"k\": 3}}{}",
        r#"{"c": "#.repeat(60),
        r#", "k": 2}"#.repeat(60)
    );
    let cost = errors(branches, &value);
    assert_eq!(cost, [": takes too long to be compared with the schema"]);

    let mut ticks = 0;
    let many = format!("[{}1]", "1,".repeat(100_000));
    let of = schema(r#"{"items": {"type": "string"}}"#);
    assert_eq!(
        of.check(&many, &mut || ticks += 1)
            .err()
            .map(|all| all.len()),
        Some(20)
    );
    let of = schema(r#"{"items": {"type": "number"}}"#);
    assert!(of.check(&many, &mut || ticks += 1).is_ok() && ticks > 5);
    misfits(r#"{"type": "integer"}"#, &["1e400.5", "0.1e-400"]);
    fits(
        r#"{"type": "integer", "minimum": 5}"#,
        &["1e400", "123456789012345678901234567890123456789012"],
    );
}

fn joined(count: usize, part: impl Fn(usize) -> String) -> String {
    (0..count).map(part).collect::<Vec<_>>().join(", ")
}

#[test]
fn each_look_for_a_name_is_paid_for() {
    let value = format!(
        "{{{}, \"a\": 1}}",
        joined(20_000, |n| format!("\"k{n}\": 1"))
    );
    let needed = joined(10_000, |n| format!("\"b{n}\""));
    let long = [": takes too long to be compared with the schema"];
    assert_eq!(
        errors(
            &format!(r#"{{"dependentRequired": {{"a": [{needed}]}}}}"#),
            &value
        ),
        long
    );
    // Whether a branch was meant is asked of each value that tells it from the others.
    let tags = joined(5000, |n| format!("\"b{n}\": {{\"const\": 1}}"));
    let of = format!(
        r#"{{"anyOf": [{{"type": "object", "required": ["b"], "properties": {{{tags}}}}}]}}"#
    );
    assert_eq!(errors(&of, &value), long);
    // Who pays for much at once is asked right after, too.
    let mut ticks = 0;
    let mut tick = || ticks += 1;
    let mut fuel = Fuel::new(0, &mut tick);
    assert_eq!((fuel.spend(50_000), fuel.spend(1)), (Ok(()), Ok(())));
    assert_eq!(ticks, 2);
}

#[test]
fn names_that_are_long_or_many_cost_little() {
    let name = "n".repeat(100_000);
    assert!(step(&name).len() < 200);
    let mut here = Here {
        id: 0,
        at: 0,
        path: String::new(),
        depth: 0,
    };
    for _ in 0..1000 {
        here = here.within(&name);
    }
    assert!(here.path.len() < 2000, "{}", here.path.len());
    let of = format!(
        r#"{{"properties": {{"{name}": {{"allOf": [{}]}}}}}}"#,
        joined(9000, |_| "{}".into())
    );
    fits(&of, &["{}"]);

    let names = joined(12_000, |n| format!("\"k{n:05}\""));
    let properties = joined(12_000, |n| format!("\"k{n:05}\":{{}}"));
    let of = format!(
        r#"{{"items":{{"type":"object","required":[{names}],"properties":{{{properties}}}}}}}"#
    )
    .replace(", ", ",");
    let begun = Instant::now();
    assert_eq!(
        errors(&of, &format!("[{}]", joined(20, |_| "1".into())))[19],
        "[19]: expected {k00000, k00001, k00002, k00003, k00004, k00005, …}, found number 1"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    // Branches that are branches.
    let refs = |of: &str| joined(5000, |_| format!(r##"{{"$ref":"#{of}"}}"##));
    let of = format!(
        r##"{{"$defs":{{"b":{{"$anchor":"b","anyOf":[{}]}},"c":{{"$anchor":"c","anyOf":[{}]}},"d":{{"$anchor":"d","type":"number"}}}},"items":{{"not":{{"$ref":"#b"}}}}}}"##,
        refs("c"),
        refs("d")
    )
    .replace(", ", ",");
    let begun = Instant::now();
    let ones = format!("[{}]", joined(20, |_| "1".into()));
    assert_eq!(errors(&of, &ones).len(), 20);
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    let long = format!("\"12:30:00.{}\"", "1".repeat(200));
    misfits(r#"{"format": "time"}"#, &[&long]);
}

#[test]
fn what_does_not_fit_makes_nothing_else_undeclared() {
    let of = r#"{"allOf": [{"properties": {"a": {"type": "number"}, "b": true}}], "unevaluatedProperties": false}"#;
    assert_eq!(
        errors(of, r#"{"a": "x", "b": 1}"#),
        ["a: expected number, found string \"x\""]
    );
    assert_eq!(errors(of, r#"{"a": 1, "c": 1}"#), ["c: is not declared"]);
}

/// What is told of the calls of a program, with the text that each is about.
fn told(of: &str, program: &str) -> Vec<String> {
    let source = Source::new("test.flow", program);
    let checked = crate::check(&source);
    assert!(checked.program.is_some(), "{:?}", checked.diagnostics);
    let of = schema(of);
    assert!(
        checked
            .calls
            .iter()
            .all(|call| call.kind == NamedKind::Task)
    );
    super::misfits(&checked.calls, |name| (name == "charge").then_some(&of))
        .into_iter()
        .map(|one| format!("{} | {}", source.slice(one.span), one.message))
        .collect()
}

#[test]
fn a_call_is_told_where_it_cannot_fit_whatever_the_run_adds() {
    let of = r#"{"type": "object", "required": ["amount"], "additionalProperties": false, "properties": {
        "amount": {"type": "number", "minimum": 1}, "tags": {"type": "array", "maxItems": 2, "items": {"type": "string"}},
        "to": {"anyOf": [{"type": "string"}, {"type": "object", "required": ["id"]}]}}}"#;
    assert_eq!(
        told(
            of,
            "const x = Inputs.x
             await Task.run('charge', {amount: 'x'})
             await Task.run('charge')
             await Task.try('charge', {amount: -5, amuont: 2, to: 7})
             await Task.run('charge', {...x, tags: ['a', 5, ...x]})
             await Task.run('charge', {amount: 1, tags: [x, x, x]})
             await Task.run('charge', [])"
        ),
        [
            "'x' | `amount` cannot be what the task `charge` takes: expected number, found string \"x\"",
            "'charge' | `amount` cannot be what the task `charge` takes: expected number, found nothing",
            "-5 | `amount` cannot be what the task `charge` takes: expected at least 1, found number -5",
            "2 | `amuont` cannot be what the task `charge` takes: is not declared; is \"amount\" meant?",
            "7 | `to` cannot be what the task `charge` takes: expected string | {id}, found number 7",
            "5 | `tags[1]` cannot be what the task `charge` takes: expected string, found number 5",
            "[x, x, x] | `tags` cannot be what the task `charge` takes: expected at most 2 items, found 3",
            "[] | the inputs cannot be what the task `charge` takes: expected {amount, tags, to}, found an array",
        ]
    );
    assert_eq!(
        told(
            of,
            "const x = Inputs.x
             await Task.run('charge', {amount: x, more: x})
             await Task.run('charge', {amount: '1', ...x})
             await Task.run('charge', {amount: '1', [x]: 2})
             await Task.run('charge', {...x})
             await Task.run('charge', x)
             await Task.run('charge', {amount: 2, tags: [...x, 1], to: {id: x}})
             await Task.run('charge', {amount: 2, to: {...x}})
             await Task.run('charge', {amount: 'x', tags: 1, amount: 5, ...{}, tags: []})
             await Task.run('charge', {amount: 'x', amount: 5})
             await Task.run('other', {amount: 'x'})
             await Task.run(x, {amount: 'x'})"
        ),
        [""; 0]
    );
}
