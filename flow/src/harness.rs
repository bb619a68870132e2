//! A source as a part of a program around it, the *harness*: its statements become the body of the
//! harness's function `$file`, so it sees what the harness declares. Test files are such sources.
//!
//! Both are one text for the compiler, the source first: its lines and columns stay what they are, and
//! whatever stands behind its last line is the harness's. Knows nothing of tests: what a source can say of the
//! harness's functions beyond calling them, it is told as tables.

use crate::ast::{FunctionBody, StmtKind};
use crate::check::{Extras, extras};
use crate::diagnostic::Diagnostic;
use crate::source::Source;
use crate::{Checked, check, parse};

/// The async function of a harness that gets the statements of the source.
pub const PLACE: &str = "$file";

/// A harness.
#[derive(Clone, Copy, Debug)]
pub struct Harness {
    /// The program. Where a table has the member `skip` of a function `test`, it declares `test$skip`.
    pub text: &'static str,
    /// What its functions have besides being called.
    pub provided: &'static [Provided],
    /// What it has not, by name or with a member as in `vi.fn`, and what to write instead.
    pub absent: &'static [(&'static str, &'static str)],
}

/// A function of a harness, and what a source can say of it.
#[derive(Clone, Copy, Debug)]
pub struct Provided {
    /// The name of the function.
    pub name: &'static str,
    /// Its members, such as `skip` and `skip.each`.
    pub members: &'static [&'static str],
    /// The members that it has not, with what to write instead.
    pub absent: &'static [(&'static str, &'static str)],
    /// What it gives has these members and no others.
    pub gives: Option<&'static Gives>,
    /// The argument that takes options, if it is written as an object.
    pub options: Option<&'static Options>,
}

/// An object that a function of a harness gives.
#[derive(Clone, Copy, Debug)]
pub struct Gives {
    /// What a member is called.
    pub what: &'static str,
    /// The members.
    pub members: &'static [&'static str],
    /// Members that have all of these members again, such as `not`.
    pub again: &'static [&'static str],
    /// What it has not, with what to write instead.
    pub absent: &'static [(&'static str, &'static str)],
}

/// The options of a function of a harness.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Which argument it is, from 0.
    pub argument: usize,
    /// The keys.
    pub keys: &'static [&'static str],
    /// What it has not, with what to write instead.
    pub absent: &'static [(&'static str, &'static str)],
}

/// Checks and compiles a source within a harness. Diagnostics are about the source alone; the tasks and
/// workflows that it names are not told, since what they mean is the harness's business.
#[must_use]
pub fn check_within(source: &Source, harness: &Harness) -> Checked {
    // Read alone first: what an open bracket swallows must not be the harness.
    let (own, broken) = parse::parse(source);
    if broken.iter().any(Diagnostic::is_error) {
        return Checked {
            diagnostics: broken,
            program: None,
            calls: Vec::new(),
        };
    }
    let extras = extras(&own, source, harness);
    let end = source.text().len();
    let text = with_members(source.text(), &extras);
    // The line break ends a comment, the semicolon a statement.
    let joint = Source::new(source.name(), format!("{text}\n;{}", harness.text));
    let (mut script, mut found) = parse::parse(&joint);
    let first = script
        .body
        .partition_point(|stmt| (stmt.span.start as usize) < end);
    let around = script.body.split_off(first);
    let mut own = std::mem::replace(&mut script.body, around);
    for stmt in &mut script.body {
        if let StmtKind::Function(function) = &mut stmt.kind
            && function
                .name
                .as_ref()
                .is_some_and(|name| name.name == PLACE)
            && let FunctionBody::Block(body) = &mut function.body
        {
            body.append(&mut own);
        }
    }
    script.input_type = None;
    script.comments.clear();
    found.extend(check::check(&script, &joint));
    // Names that a source does not use are of no interest to its author.
    found.retain(|one| one.is_error() || (one.span.start as usize) < end);
    for one in &mut found {
        if let Some((_, hint)) = extras
            .names
            .iter()
            .find(|(place, _)| *place == one.span.start)
        {
            one.hint = Some((*hint).to_owned());
        }
    }
    found.extend(extras.found);
    crate::diagnostic::sort(&mut found);
    crate::compiled(&script, &joint, found, false).0
}

/// The text with `test.skip` as `test$skip`, a name that the harness declares. What stands between the words comes in
/// front, so that no byte behind them moves.
fn with_members(text: &str, extras: &Extras) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for words in &extras.members {
        let [first, .., last] = words.as_slice() else {
            continue;
        };
        out.push_str(&text[done..first.start as usize]);
        for pair in words.windows(2) {
            out.push_str(&without_stop(
                &text[pair[0].end as usize..pair[1].start as usize],
            ));
        }
        for (at, word) in words.iter().enumerate() {
            if at > 0 {
                out.push('$');
            }
            out.push_str(&text[word.start as usize..word.end as usize]);
        }
        debug_assert_eq!(out.len(), last.end as usize);
        done = last.end as usize;
    }
    out.push_str(&text[done..]);
    out
}

/// What stands between two words of a member without its full stop; comments may have their own.
fn without_stop(between: &str) -> String {
    let mut at = 0;
    while let Some(rest) = between.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some(behind) = rest.strip_prefix('.') {
            return format!("{}{behind}", &between[..at]);
        }
        at += if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
    }
    between.to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Gives, Harness, Options, Provided, check_within};
    use crate::diagnostic::Diagnostic;
    use crate::source::Source;

    const HARNESS: Harness = Harness {
        text: "const seen = []\nfunction note(x) { seen.push(x); return {twice: () => note(x)} }\n\
               const note$twice = (x) => { note(x); note(x) }\nconst note$twice$each = note$twice\n\
               async function $file() {}\nawait $file()\nreturn seen",
        provided: &[Provided {
            name: "note",
            members: &["twice", "twice.each"],
            absent: &[("thrice", "Write it three times.")],
            gives: Some(&Gives {
                what: "answer",
                members: &["twice"],
                again: &["not"],
                absent: &[],
            }),
            options: Some(&Options {
                argument: 1,
                keys: &["loud"],
                absent: &[],
            }),
        }],
        absent: &[("log.fn", "Write `note`."), ("log", "Write a note.")],
    };

    fn said(text: &str) -> Vec<String> {
        let source = Source::new("a.flow", text);
        let checked = check_within(&source, &HARNESS);
        let found = checked.diagnostics.iter();
        assert_eq!(
            checked.program.is_some(),
            !found.clone().any(Diagnostic::is_error)
        );
        found.map(|one| one.render(&source)).collect()
    }

    #[test]
    fn a_source_sees_what_the_harness_declares() {
        assert_eq!(said("note(1) // the end"), Vec::<String>::new());
        assert_eq!(
            said("const seen = 5; note(seen); return"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn members_of_functions_are_names_of_the_harness() {
        for text in [
            "note.twice(1); note.twice.each(2)",
            "note\n  // so. often\n  .twice\n  .each(3, { loud: true })\nnote(4).not.twice()",
            "const note = { other: 5, twice: 1 }; return note.other + note.twice",
            "return [{ thrice: 1 }].map((note) => note.thrice)",
        ] {
            assert_eq!(said(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn what_the_harness_has_not_is_told_with_candidates() {
        for (text, place, hint) in [
            (
                "note.twcie(1)",
                "1:6: error[E0105]",
                "Did you mean `note.twice`?",
            ),
            (
                "note.thrice(1)",
                "1:6: error[E0105]",
                "Write it three times.",
            ),
            (
                "note(1).not.twcie()",
                "1:13: error[E0105]",
                "Did you mean `twice`?",
            ),
            (
                "note(1, { luod: 1 })",
                "1:11: error[E0303]",
                "Did you mean `loud`?",
            ),
            ("\n\nlog.fn()", "3:1: error[E0101]", "Write `note`."),
            ("log(1)", "1:1: error[E0101]", "Write a note."),
        ] {
            let said = said(text).join("");
            assert!(said.starts_with(&format!("a.flow:{place}")), "{said}");
            assert!(said.contains(hint), "{said}");
        }
    }

    #[test]
    fn diagnostics_are_those_of_the_source() {
        let unknown = said("note(1)\nnode(2)").join("");
        assert!(unknown.starts_with("a.flow:2:1: error"), "{unknown}");
        assert!(unknown.contains("Did you mean `note`?"), "{unknown}");
        let open = said("if (true) { note(1)").join("");
        assert!(open.starts_with("a.flow:1:"), "{open}");
    }
}
