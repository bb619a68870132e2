//! Any bytes: parsing and checking end, recurse nowhere without a limit, and every diagnostic can be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rhythm_flow::check::check;
use rhythm_flow::parse::parse;
use rhythm_flow::source::Source;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let source = Source::new("fuzz.flow", &*text);
    let (script, mut diagnostics) = parse(&source);
    diagnostics.extend(check(&script, &source));
    for one in &diagnostics {
        assert!(one.span.start <= one.span.end && one.span.end as usize <= text.len());
        assert!(!one.render(&source).is_empty());
    }
});
