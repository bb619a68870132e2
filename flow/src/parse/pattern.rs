//! Patterns: what a declaration, a parameter or a destructuring assignment binds.

use super::token::Kind;
use super::{Parsed, Parser};
use crate::ast::{Ident, Pattern, PatternItem, PatternKind, PatternProp, PropKey};
use crate::codes::Code;

/// Whether a pattern declares names or assigns to what is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Declare,
    Assign,
}

impl Parser<'_> {
    /// A pattern that declares names.
    pub(super) fn binding_pattern(&mut self) -> Parsed<Pattern> {
        self.pattern(Mode::Declare)
    }

    /// A pattern that declares names, with an optional default.
    pub(super) fn binding_item(&mut self) -> Parsed<PatternItem> {
        self.pattern_item(Mode::Declare)
    }

    /// The pattern in front of the `=` of an assignment, or a target of `for…of`.
    pub(super) fn assignment_pattern(&mut self) -> Parsed<Pattern> {
        self.pattern(Mode::Assign)
    }

    fn pattern(&mut self, mode: Mode) -> Parsed<Pattern> {
        self.nested(|parser| parser.pattern_here(mode))
    }

    fn pattern_here(&mut self, mode: Mode) -> Parsed<Pattern> {
        let start = self.span().start;
        let kind = if (self.at("[") || self.at("{")) && self.is_nested_pattern(mode) {
            let list = |parser: &mut Self| {
                if parser.at("[") {
                    parser.array_pattern(mode)
                } else {
                    parser.object_pattern(mode)
                }
            };
            self.with_in(true, list)?
        } else if mode == Mode::Declare {
            PatternKind::Name(self.binding_name("a name or a pattern")?)
        } else {
            let expr = self.left_hand_side()?;
            return self.target(expr);
        };
        Ok(Pattern {
            kind,
            span: self.span_from(start),
        })
    }

    /// In an assignment `[a].b` is a path that begins with an array, not a pattern.
    fn is_nested_pattern(&self, mode: Mode) -> bool {
        let Some(behind) = self.behind_mate(self.at) else {
            return true;
        };
        let ends = |text: &&str| self.punctuation_at(behind, text);
        mode == Mode::Declare
            || ["=", ",", "]", "}", ")"].iter().any(ends)
            || self.word_at(behind, "of")
            || self.word_at(behind, "in")
    }

    fn pattern_item(&mut self, mode: Mode) -> Parsed<PatternItem> {
        let target = self.pattern(mode)?;
        let default = if self.eat("=") {
            Some(self.assignment()?)
        } else {
            None
        };
        Ok(PatternItem { target, default })
    }

    fn array_pattern(&mut self, mode: Mode) -> Parsed<PatternKind> {
        let opener = self.open("[")?;
        let (mut items, mut rest) = (Vec::new(), None);
        while !self.at("]") {
            if self.eat(",") {
                items.push(None);
                continue;
            }
            if self.eat("...") {
                rest = Some(Box::new(self.pattern(mode)?));
                self.refuse_behind_rest()?;
                break;
            }
            items.push(Some(self.element(|parser| parser.pattern_item(mode))?));
            if !self.eat(",") {
                break;
            }
        }
        self.close(opener, "]", "`,` or ")?;
        Ok(PatternKind::Array { items, rest })
    }

    fn object_pattern(&mut self, mode: Mode) -> Parsed<PatternKind> {
        let opener = self.open("{")?;
        let (mut props, mut rest) = (Vec::new(), None);
        while !self.at("}") {
            if self.eat("...") {
                let target = self.pattern(mode)?;
                if matches!(
                    target.kind,
                    PatternKind::Array { .. } | PatternKind::Object { .. }
                ) {
                    let message = "`...` in an object pattern takes a plain name";
                    self.report(Code::BadTarget, target.span, message, None);
                }
                rest = Some(Box::new(target));
                self.refuse_behind_rest()?;
                break;
            }
            props.push(self.element(|parser| parser.pattern_property(mode))?);
            if !self.eat(",") {
                break;
            }
        }
        self.close(opener, "}", "`,` or ")?;
        Ok(PatternKind::Object { props, rest })
    }

    fn pattern_property(&mut self, mode: Mode) -> Parsed<PatternProp> {
        let token = self.current();
        let key = self.property_key()?;
        if self.eat(":") {
            return Ok(PatternProp {
                key,
                item: self.pattern_item(mode)?,
            });
        }
        if token.kind != Kind::Name || matches!(key, PropKey::Computed(_)) {
            return Err(self.unexpected("`:`"));
        }
        // Shorthand: read the word again, as a name.
        self.at -= 1;
        let name = self.binding_name("a name")?;
        let span = name.span;
        let target = Pattern {
            kind: PatternKind::Name(Ident {
                name: name.name,
                span,
            }),
            span,
        };
        let default = if self.eat("=") {
            Some(self.assignment()?)
        } else {
            None
        };
        Ok(PatternProp {
            key,
            item: PatternItem { target, default },
        })
    }

    fn refuse_behind_rest(&mut self) -> Parsed<()> {
        if self.at("=") || self.at(",") {
            let message = "`...` is the last part of a pattern, and has no default";
            return Err(self.error(Code::Unexpected, self.span(), message, None));
        }
        Ok(())
    }
}
