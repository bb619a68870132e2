//! Keywords for arrays.

use std::collections::HashSet;

use super::compare::{Compare, Compared, Fit, Member, Seen};
use super::node::{ArrayRules, Node};
use crate::regex::Budget;
use crate::tape::Node as Json;

impl Compare<'_, '_, '_> {
    pub(super) fn array(&mut self, node: &Node, at: usize, seen: &mut Seen) -> Compared {
        let Some(rules) = &node.array else {
            return Ok(Fit::Yes);
        };
        let mut members: Vec<usize> = self.tape.members(at).collect();
        self.fuel.spend(members.len() / 4)?;
        let has_rest = members
            .last()
            .is_some_and(|last| *self.tape.node(*last) == Json::Rest);
        if has_rest {
            members.pop();
        }
        let count = members.len() as u64;
        let mut fit = match has_rest {
            // There may be any number more.
            true => self
                .bounds(at, count, None, rules.max, "item")
                .and(Fit::Maybe),
            false => self.bounds(at, count, rules.min, rules.max, "item"),
        };
        for (index, member) in members.iter().enumerate() {
            let Some(of) = rules.prefix.get(index).copied().or(rules.items) else {
                break;
            };
            seen.push(*member);
            fit = fit.and(self.within(&Member::Index(index), |compare| {
                compare.node(of, *member, None)
            })?);
            if fit == Fit::No && self.is_quiet() {
                return Ok(fit);
            }
        }
        if rules.unique {
            fit = fit.and(self.unique(at, &members)?);
        }
        fit = fit.and(self.contains(rules, at, &members, has_rest, seen)?);
        Ok(fit)
    }

    fn unique(&mut self, at: usize, members: &[usize]) -> Compared {
        let mut known = HashSet::new();
        let mut fit = Fit::Yes;
        for (index, member) in members.iter().enumerate() {
            match self.canonical(*member)? {
                None => fit = Fit::Maybe,
                Some(own) => {
                    if !known.insert(own) {
                        self.within(&Member::Index(index), |compare| {
                            compare.tell(at, || "is there twice".to_owned());
                        });
                        return Ok(Fit::No);
                    }
                }
            }
        }
        Ok(fit)
    }

    fn contains(
        &mut self,
        rules: &ArrayRules,
        at: usize,
        members: &[usize],
        has_rest: bool,
        seen: &mut Seen,
    ) -> Compared {
        let Some(wanted) = rules.contains else {
            return Ok(Fit::Yes);
        };
        let (mut yes, mut maybe) = (0, 0);
        for member in members {
            match self.ask(wanted, *member, None)? {
                Fit::No => continue,
                Fit::Yes => yes += 1,
                Fit::Maybe => maybe += 1,
            }
            seen.push(*member);
        }
        let min = rules.min_contains.unwrap_or(1);
        if !has_rest && yes + maybe < min {
            self.tell(at, || {
                format!("expected at least {min} of what it has to contain, found {yes}")
            });
            return Ok(Fit::No);
        }
        if let Some(max) = rules.max_contains
            && yes > max
        {
            self.tell(at, || {
                format!("expected at most {max} of what it may contain, found {yes}")
            });
            return Ok(Fit::No);
        }
        let is_sure = yes >= min
            && rules
                .max_contains
                .is_none_or(|max| !has_rest && yes + maybe <= max);
        Ok(if is_sure { Fit::Yes } else { Fit::Maybe })
    }

    /// `unevaluatedItems` and `unevaluatedProperties`.
    pub(super) fn unevaluated(&mut self, node: &Node, at: usize, seen: &mut Seen) -> Compared {
        let mut fit = Fit::Yes;
        if node
            .unevaluated_items
            .or(node.unevaluated_properties)
            .is_some()
        {
            self.fuel.spend(seen.len() / 4)?;
        }
        match (
            self.tape.node(at),
            node.unevaluated_items,
            node.unevaluated_properties,
        ) {
            (Json::Array, Some(of), _) => {
                let members: Vec<usize> = self.tape.members(at).collect();
                let known: HashSet<usize> = seen.iter().copied().collect();
                for (index, member) in members.into_iter().enumerate() {
                    self.fuel.spend(1)?;
                    if known.contains(&member) {
                        continue;
                    }
                    fit = fit.and(match self.tape.node(member) {
                        Json::Rest => Fit::Maybe,
                        _ => self.within(&Member::Index(index), |compare| {
                            compare.node(of, member, None)
                        })?,
                    });
                    seen.push(member);
                }
            }
            (Json::Object, _, Some(of)) => {
                let known: HashSet<usize> = seen.iter().copied().collect();
                let tape = self.tape;
                if tape.has_rest(at) {
                    fit = Fit::Maybe;
                }
                for (name, value) in tape.entries(at) {
                    self.fuel.spend(1)?;
                    if known.contains(&value) {
                        continue;
                    }
                    fit = fit.and(self.extra(of, name, value, &[])?);
                    seen.push(value);
                }
            }
            _ => {}
        }
        Ok(fit)
    }
}
