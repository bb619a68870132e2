//! The help of every verb in one snapshot, so that a change of the surface is seen in review.

use crate::rhythm;

const VERBS: [&[&str]; 66] = [
    &[],
    &["dev"],
    &["deploy"],
    &["check"],
    &["fmt"],
    &["explain"],
    &["explain-workflow"],
    &["test"],
    &["start"],
    &["enqueue"],
    &["enqueue-many"],
    &["enqueue-rows"],
    &["wait"],
    &["list"],
    &["show"],
    &["trace"],
    &["log"],
    &["why"],
    &["limits"],
    &["signal"],
    &["call"],
    &["cancel"],
    &["terminate"],
    &["retry"],
    &["resolve"],
    &["move"],
    &["migrate-runs"],
    &["states"],
    &["fork"],
    &["workflow"],
    &["workflow", "versions"],
    &["workflow", "retire"],
    &["workflow", "unretire"],
    &["workflow", "undeploy"],
    &["cleanup"],
    &["queue"],
    &["queue", "list"],
    &["queue", "show"],
    &["queue", "configure"],
    &["queue", "pause"],
    &["queue", "resume"],
    &["schedule"],
    &["schedule", "list"],
    &["schedule", "show"],
    &["schedule", "set"],
    &["schedule", "delete"],
    &["schedule", "pause"],
    &["schedule", "resume"],
    &["schedule", "trigger"],
    &["schedule", "backfill"],
    &["schedule", "next"],
    &["calendar"],
    &["calendar", "list"],
    &["calendar", "show"],
    &["calendar", "set"],
    &["calendar", "delete"],
    &["pause"],
    &["resume"],
    &["adopt"],
    &["task"],
    &["task", "list"],
    &["task", "show"],
    &["task", "pause"],
    &["task", "resume"],
    &["worker", "list"],
    &["completions"],
];

#[test]
fn the_reference() {
    let mut reference = String::new();
    for verb in VERBS {
        let help = rhythm(&[verb, &["--help"]].concat());
        assert!(help.status.success(), "{verb:?}");
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        reference.push_str(&format!("# rhythm {}\n\n{help}\n", verb.join(" ")));
    }
    insta::assert_snapshot!("cli-reference", reference);
}

#[test]
fn completions_know_every_verb() {
    for shell in ["bash", "zsh", "fish"] {
        let script = rhythm(&["completions", shell]);
        let script = String::from_utf8_lossy(&script.stdout).into_owned();
        for verb in VERBS.iter().filter_map(|verb| verb.first()) {
            assert!(script.contains(verb), "{shell} lacks {verb}");
        }
    }
}
