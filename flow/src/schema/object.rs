//! Keywords for objects.

use std::borrow::Cow;

use super::compare::{Compare, Compared, Fit, Halt, Member, Seen};
use super::node::{Id, Node, ObjectRules};
use super::words;
use crate::nearest::nearest;
use crate::regex::Budget;
use crate::tape::{Node as Json, Tape};

/// Names among which the one that was meant is looked for.
const CANDIDATES: usize = 50;
/// Properties among which they are looked for.
const LOOKS: usize = 1000;

/// Whether a property is there.
enum Presence {
    Yes,
    /// Its value may be undefined, or it may come with others.
    Maybe,
    No,
}

impl Compare<'_, '_, '_> {
    pub(super) fn object(&mut self, node: &Node, at: usize, seen: &mut Seen) -> Compared {
        let Some(rules) = &node.object else {
            return Ok(Fit::Yes);
        };
        let tape = self.tape;
        let has_rest = tape.has_rest(at);
        let mut fit = if has_rest { Fit::Maybe } else { Fit::Yes };
        let (mut sure, mut all) = (0, 0);
        for (name, value) in tape.entries(at) {
            self.fuel.spend(1)?;
            all += 1;
            sure += u64::from(*tape.node(value) != Json::Unknown);
            fit = fit.and(self.property(rules, name, value, seen)?);
            if fit == Fit::No && self.is_quiet() {
                return Ok(fit);
            }
        }
        fit = fit.and(match has_rest || sure < all {
            true => self.bounds(at, sure, None, rules.max, "property").and(
                if rules.min.or(rules.max).is_some() {
                    Fit::Maybe
                } else {
                    Fit::Yes
                },
            ),
            false => self.bounds(at, all, rules.min, rules.max, "property"),
        });
        for name in &rules.required {
            fit = fit.and(self.required(rules, name, at, has_rest)?);
        }
        for (name, needed) in &rules.dependent_required {
            match self.presence(name, at, has_rest)? {
                Presence::No => {}
                Presence::Maybe => fit = fit.and(Fit::Maybe),
                Presence::Yes => {
                    for name in needed {
                        fit = fit.and(self.required(rules, name, at, has_rest)?);
                    }
                }
            }
        }
        for (name, schema) in &rules.dependent {
            fit = fit.and(match self.presence(name, at, has_rest)? {
                Presence::No => Fit::Yes,
                Presence::Maybe => {
                    self.ask(*schema, at, Some(seen))?;
                    Fit::Maybe
                }
                Presence::Yes => self.node(*schema, at, Some(seen))?,
            });
        }
        Ok(fit)
    }

    /// One property with all that is said of it.
    fn property(
        &mut self,
        rules: &ObjectRules,
        name: &str,
        value: usize,
        seen: &mut Seen,
    ) -> Compared {
        let mut fit = Fit::Yes;
        let mut is_known = false;
        if let Some(of) = rules.property(name) {
            is_known = true;
            fit = self.within(&Member::Key(name), |compare| compare.node(of, value, None))?;
        }
        for (pattern, of) in &rules.patterns {
            if self.matches(pattern, name)? {
                is_known = true;
                let found =
                    self.within(&Member::Key(name), |compare| compare.node(*of, value, None))?;
                fit = fit.and(found);
            }
        }
        if !is_known && let Some(of) = rules.additional {
            is_known = true;
            fit = fit.and(self.extra(of, name, value, &rules.properties)?);
        }
        if is_known {
            seen.push(value);
        }
        if let Some(of) = rules.names {
            fit = fit.and(self.name(of, name, value)?);
        }
        Ok(fit)
    }

    /// A property that is not declared.
    pub(super) fn extra(
        &mut self,
        of: Id,
        name: &str,
        value: usize,
        declared: &[(String, Id)],
    ) -> Compared {
        if self.nodes[of].always != Some(false) {
            return self.within(&Member::Key(name), |compare| compare.node(of, value, None));
        }
        // What is undefined is not there.
        if *self.tape.node(value) == Json::Unknown {
            return Ok(Fit::Maybe);
        }
        self.within(&Member::Key(name), |compare| {
            compare.tell(value, || {
                let known = declared.iter().take(CANDIDATES);
                match nearest(name, known.map(|(name, _)| name.as_str())) {
                    Some(meant) => format!("is not declared; is \"{meant}\" meant?"),
                    None => "is not declared".to_owned(),
                }
            });
        });
        Ok(Fit::No)
    }

    fn required(&mut self, rules: &ObjectRules, name: &str, at: usize, has_rest: bool) -> Compared {
        match self.presence(name, at, has_rest)? {
            Presence::Yes => return Ok(Fit::Yes),
            Presence::Maybe => return Ok(Fit::Maybe),
            Presence::No => {}
        }
        let (nodes, tape) = (self.nodes, self.tape);
        self.within(&Member::Key(name), |compare| {
            compare.tell(at, || {
                let expected = match rules.property(name) {
                    Some(of) => format!("expected {}, ", words::describe(nodes, of)),
                    None => String::new(),
                };
                let undeclared = tape
                    .entries(at)
                    .take(LOOKS)
                    .map(|(name, _)| name)
                    .filter(|name| rules.property(name).is_none())
                    .take(CANDIDATES);
                match nearest(name, undeclared) {
                    Some(found) => format!("{expected}found nothing; is \"{found}\" meant?"),
                    None => format!("{expected}found nothing"),
                }
            });
        });
        Ok(Fit::No)
    }

    fn presence(&mut self, name: &str, at: usize, has_rest: bool) -> Result<Presence, Halt> {
        Ok(match self.get(at, name)? {
            Some(value) if *self.tape.node(value) == Json::Unknown => Presence::Maybe,
            Some(_) => Presence::Yes,
            None if has_rest => Presence::Maybe,
            None => Presence::No,
        })
    }

    /// `propertyNames`: the name itself as a value.
    fn name(&mut self, of: Id, name: &str, value: usize) -> Compared {
        let mut tape = Tape::default();
        tape.push(Json::String(Cow::Borrowed(name)));
        let fit = {
            let mut compare = Compare::new(self.nodes, &tape, self.fuel);
            compare.ask(of, 0, None)?
        };
        if fit == Fit::No {
            self.within(&Member::Key(name), |compare| {
                compare.tell(value, || "is no name that is allowed".to_owned());
            });
            if *self.tape.node(value) == Json::Unknown {
                return Ok(Fit::Maybe);
            }
        }
        Ok(fit)
    }
}
