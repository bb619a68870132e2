//! Keywords for texts and numbers.

use super::compare::{Compare, Compared, Fit, Halt};
use super::node::{Node, NumberRules, Pattern};
use super::number::Number;
use crate::regex::Budget;
use crate::tape::Node as Json;

impl Compare<'_, '_, '_> {
    pub(super) fn text(&mut self, node: &Node, at: usize) -> Compared {
        let (Some(rules), Json::String(text)) = (&node.text, self.tape.node(at)) else {
            return Ok(Fit::Yes);
        };
        let mut fit = Fit::Yes;
        if rules.min.or(rules.max).is_some() {
            self.fuel.spend(text.len() / 16)?;
            let length = text.chars().count() as u64;
            fit = fit.and(self.bounds(at, length, rules.min, rules.max, "character"));
        }
        if let Some(pattern) = &rules.pattern
            && !self.matches(pattern, text)?
        {
            let shown = self.tape.node(at).shown();
            self.tell(at, || {
                format!(
                    "expected text that matches /{}/, found {shown}",
                    pattern.text
                )
            });
            fit = Fit::No;
        }
        if let Some(format) = rules.format
            && !format.fits(text)
        {
            let shown = self.tape.node(at).shown();
            self.tell(at, || format!("expected {}, found {shown}", format.words()));
            fit = Fit::No;
        }
        Ok(fit)
    }

    pub(super) fn matches(&mut self, pattern: &Pattern, text: &str) -> Result<bool, Halt> {
        self.fuel.spend(text.len() / 16)?;
        let units: Vec<u16> = text.encode_utf16().collect();
        let scratch = &mut self.scratch;
        pattern.program.exec(&units, 0, false, scratch, self.fuel)
    }

    pub(super) fn number(&mut self, node: &Node, at: usize) -> Compared {
        let (Some(rules), Json::Number(text)) = (&node.number, self.tape.node(at)) else {
            return Ok(Fit::Yes);
        };
        let Some(wanted) = broken(rules, &Number::of(text)) else {
            return Ok(Fit::Yes);
        };
        let shown = self.tape.node(at).shown();
        self.tell(at, || format!("expected {wanted}, found {shown}"));
        Ok(Fit::No)
    }

    /// Compares a count with its bounds.
    pub(super) fn bounds(
        &mut self,
        at: usize,
        count: u64,
        min: Option<u64>,
        max: Option<u64>,
        what: &str,
    ) -> Fit {
        let (word, bound) = match (min, max) {
            (Some(min), _) if count < min => ("at least", min),
            (_, Some(max)) if count > max => ("at most", max),
            _ => return Fit::Yes,
        };
        let plural = match (bound, what) {
            (1, _) => what.to_owned(),
            (_, "property") => "properties".to_owned(),
            _ => format!("{what}s"),
        };
        self.tell(at, || {
            format!("expected {word} {bound} {plural}, found {count}")
        });
        Fit::No
    }
}

/// The first rule that a number breaks, in words.
fn broken(rules: &NumberRules, number: &Number) -> Option<String> {
    let told = |word: &str, bound: &Number| format!("{word} {}", bound.text());
    let is_wrong =
        |bound: &&Number, wrong: fn(std::cmp::Ordering) -> bool| wrong(number.compare(bound));
    if let Some(min) = rules
        .min
        .as_ref()
        .filter(|min| is_wrong(min, std::cmp::Ordering::is_lt))
    {
        return Some(told("at least", min));
    }
    if let Some(low) = rules
        .above
        .as_ref()
        .filter(|low| is_wrong(low, std::cmp::Ordering::is_le))
    {
        return Some(told("more than", low));
    }
    if let Some(max) = rules
        .max
        .as_ref()
        .filter(|max| is_wrong(max, std::cmp::Ordering::is_gt))
    {
        return Some(told("at most", max));
    }
    if let Some(high) = rules
        .below
        .as_ref()
        .filter(|high| is_wrong(high, std::cmp::Ordering::is_ge))
    {
        return Some(told("less than", high));
    }
    let step = rules.multiple_of.as_ref()?;
    (!number.is_multiple_of(step)).then(|| told("a multiple of", step))
}
