//! The engine by itself. What it shares with Node is compared in tests/conformance.

use super::{Budget, Flags, Scratch, compile};

/// Pays for some steps and bytes.
struct Purse {
    steps: usize,
    bytes: usize,
}

impl Budget for Purse {
    type Error = &'static str;

    fn spend(&mut self, steps: usize) -> Result<(), Self::Error> {
        self.steps = self.steps.checked_sub(steps).ok_or("steps")?;
        Ok(())
    }

    fn grow(&mut self, bytes: usize) -> Result<(), Self::Error> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or("bytes")?;
        Ok(())
    }
}

fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

fn run(pattern: &str, flags: &str, text: &str, purse: &mut Purse) -> Result<String, &'static str> {
    let flags = Flags::of(&units(flags)).expect("flags");
    let program = compile(&units(pattern), flags).map_err(|error| error.message)?;
    let text = units(text);
    let mut scratch = Scratch::default();
    if !program.exec(&text, 0, false, &mut scratch, purse)? {
        return Ok("no".to_owned());
    }
    let groups = (0..program.groups()).map(|group| match scratch.group(group) {
        Some((start, end)) => String::from_utf16_lossy(&text[start..end]),
        None => "-".to_owned(),
    });
    Ok(groups.collect::<Vec<_>>().join("|"))
}

fn exec(pattern: &str, flags: &str, text: &str) -> String {
    let mut purse = Purse {
        steps: 1_000_000,
        bytes: 1 << 24,
    };
    run(pattern, flags, text, &mut purse).unwrap_or_else(|why| format!("! {why}"))
}

#[test]
fn the_first_way_that_fits_is_taken() {
    assert_eq!(exec("a|ab", "", "abc"), "a");
    assert_eq!(exec("((a)|(ab))((c)|(bc))", "", "abc"), "abc|a|a|-|bc|-|bc");
    assert_eq!(exec("a[a-z]{2,4}?", "", "abcdefghi"), "abc");
    assert_eq!(exec("(aa|aabaac|ba|b|c)*", "", "aabaac"), "aaba|ba");
    assert_eq!(
        exec("(z)((a+)?(b+)?(c))*", "", "zaacbbbcac"),
        "zaacbbbcac|z|ac|a|-|c"
    );
}

#[test]
fn empty_turns_end_loops() {
    assert_eq!(exec("(a*)*", "", "b"), "|-");
    assert_eq!(exec("(?=(a+))a*b\\1", "", "baaabac"), "aba|a");
    assert_eq!(
        exec("(.*?)a(?!(a+)b\\2c)\\2(.*)", "", "baaabaac"),
        "baaabaac|ba|-|abaac"
    );
    assert_eq!(exec("(a?){3}", "", "aa"), "aa|");
    assert_eq!(exec("(a?){2,5}?b", "", "aab"), "aab|a");
}

#[test]
fn looking_behind_reads_backwards() {
    assert_eq!(exec("(?<=(\\d+)(\\d+))$", "", "1053"), "|1|053");
    assert_eq!(exec("(?<=\\1(a))b", "", "aab"), "b|a");
    assert_eq!(exec("(?<!a)b", "", "abcb"), "b");
}

#[test]
fn the_flag_u_reads_code_points() {
    assert_eq!(exec("^.$", "u", "😀"), "😀");
    assert_eq!(exec("^.$", "", "😀"), "no");
    assert_eq!(exec("\\p{Script=Greek}+", "u", "abγδ"), "γδ");
    assert_eq!(exec("[^\\p{L}]", "u", "a1"), "1");
    assert_eq!(exec("\\u{1F600}{2}", "u", "😀😀"), "😀😀");
}

#[test]
fn what_is_wrong_is_said_as_v8_does() {
    assert_eq!(exec("(", "", ""), "! Unterminated group");
    assert_eq!(exec("a**", "", ""), "! Nothing to repeat");
    assert_eq!(exec("\\u{110000}", "u", ""), "! Invalid Unicode escape");
    assert_eq!(
        exec("(?<a>)(?<a>)", "", ""),
        "! Duplicate capture group name"
    );
    assert_eq!(
        exec(&"(".repeat(1000), "", ""),
        "! Regular expression too large"
    );
}

#[test]
fn a_pattern_that_explodes_stops_when_nobody_pays() {
    let mut purse = Purse {
        steps: 100_000,
        bytes: 1 << 20,
    };
    let text = format!("{}b", "a".repeat(40));
    assert_eq!(run("(a+)+$", "", &text, &mut purse), Err("steps"));
    purse.steps = usize::MAX;
    let text = "ab".repeat(100_000);
    assert_eq!(run("(?:a|b)*", "", &text, &mut purse), Err("bytes"));
}

#[test]
fn the_room_of_a_large_match_is_given_back() {
    let mut purse = Purse {
        steps: usize::MAX,
        bytes: 8 << 20,
    };
    let program = compile(&units("(?:a|b)*"), Flags::default()).expect("a pattern");
    let text = units(&"ab".repeat(100_000));
    let mut scratch = Scratch::default();
    // Paid for once, however often it is taken again.
    for _ in 0..3 {
        assert_eq!(
            program.exec(&text, 0, false, &mut scratch, &mut purse),
            Ok(true)
        );
        assert!(scratch.stack.capacity() >= 200_000);
        scratch.trim();
        assert_eq!(scratch.stack.capacity(), 0);
        assert_eq!(scratch.group(0), Some((0, 200_000)));
    }
    program
        .exec(&text[..1000], 0, false, &mut scratch, &mut purse)
        .expect("steps");
    scratch.trim();
    assert!(scratch.stack.capacity() > 0);
}

#[test]
fn turns_that_use_up_nothing_are_not_counted_one_by_one() {
    // Whatever is done a thousand million times on nothing is done once.
    for pattern in [
        "(?:){1000000000}",
        "(?:){1000000000,}",
        "(?:^|\\b){1000000000}",
        "(?:(?=(a))|(?=b)){999999999,1000000000}",
        "(?:(?:)*|$){1000000000}",
        "(?:c?){1000000000}",
        "(?:\\1){1000000000}()",
        "(?:c|){1000000000}",
        "(?:(?:c?){1000000000}){1000000000}",
        "(?<=(?:c?){1000000000})",
    ] {
        assert!(!exec(pattern, "", "ab").starts_with('!'), "{pattern}");
    }
    assert_eq!(exec("(?:(?=(a))|(?=(b))){5}", "", "ab"), "|a|-");
    assert_eq!(exec("(?:(?=(a))){0,5}", "", "ab"), "|-");
    // The turns behind an empty one may be others.
    assert_eq!(exec("(?:|a){3}b", "", "aaab"), "aaab");
    assert_eq!(exec("(?:(?=a)|a){2}b", "", "ab"), "ab");
    assert_eq!(exec("(?:a?){3}b", "", "aab"), "aab");
    assert_eq!(exec("(?:(a)|b?){4}c", "", "abc"), "abc|-");
    assert_eq!(exec("(?:(a?)b??){3}c", "", "abac"), "abac|a");
}

#[test]
fn what_is_expensive_to_make_counts_as_large() {
    // The same set in many words: it is kept once, but made each time.
    let pattern: String = (1..300)
        .map(|times| format!("[\\p{{L}}{}]", "a".repeat(times)))
        .collect();
    let program = compile(&units(&pattern), Flags::UNICODE).expect("a pattern");
    assert!(program.cost() > 200_000 && program.bytes() >= program.cost());
}
