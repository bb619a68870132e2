//! Object literals and their methods.

use super::refuse::Refused;
use super::token::Kind;
use super::{Parsed, Parser};
use crate::ast::{Expr, ExprKind, Ident, Prop, PropKey};
use crate::codes::Code;

impl Parser<'_> {
    pub(super) fn object(&mut self) -> Parsed<Expr> {
        let start = self.span().start;
        let opener = self.open("{")?;
        let mut props = Vec::new();
        while !self.at("}") {
            props.push(self.element(|parser| parser.with_in(true, Self::property))?);
            if !self.eat(",") {
                break;
            }
        }
        self.close(opener, "}", "`,` or ")?;
        Ok(Expr {
            kind: ExprKind::Object(props),
            span: self.span_from(start),
        })
    }

    fn property(&mut self) -> Parsed<Prop> {
        if self.eat("...") {
            return Ok(Prop::Spread(self.assignment()?));
        }
        let start = self.span();
        if self.at("*") {
            return Err(self.refuse(Refused::Generator, start));
        }
        if (self.at_word("get") || self.at_word("set")) && self.is_key(self.at + 1) {
            return Err(self.refuse(Refused::Accessor, start));
        }
        if self.at_word("async")
            && (self.is_key(self.at + 1) || self.punctuation_at(self.at + 1, "*"))
        {
            if self.breaks_before_next() {
                let message = "`async` and the method's name must be on one line";
                return Err(self.error(Code::LineBreak, start, message, None));
            }
            self.advance();
            if self.at("*") {
                return Err(self.refuse(Refused::Generator, self.span()));
            }
            let key = self.property_key()?;
            return self.method(key, true, start.start);
        }
        let is_name = self.current().kind == Kind::Name;
        let key = self.property_key()?;
        if self.at("(") {
            return self.method(key, false, start.start);
        }
        if is_name && !self.at(":") {
            return self.shorthand(key);
        }
        self.expect(":")?;
        self.refuse_prototype(&key);
        let value = self.assignment()?;
        Ok(Prop::Value {
            key,
            value,
            shorthand: false,
        })
    }

    /// Whether the word at `index` begins the key of a property.
    fn is_key(&self, index: usize) -> bool {
        matches!(
            self.token(index).kind,
            Kind::Name | Kind::String | Kind::Number
        ) || self.punctuation_at(index, "[")
    }

    /// A name, string, number or `[expression]`.
    pub(super) fn property_key(&mut self) -> Parsed<PropKey> {
        if self.at("[") {
            let opener = self.open("[")?;
            let key = self.with_in(true, Self::assignment)?;
            self.close(opener, "]", "")?;
            return Ok(PropKey::Computed(key));
        }
        let span = self.span();
        match self.static_key() {
            Some(name) => {
                self.advance();
                Ok(PropKey::Static { name, span })
            }
            None => Err(self.unexpected("a property name")),
        }
    }

    fn method(&mut self, key: PropKey, is_async: bool, start: u32) -> Parsed<Prop> {
        let function = self.function_rest(None, is_async, start)?;
        let span = function.span;
        let value = Expr {
            kind: ExprKind::Function(Box::new(function)),
            span,
        };
        Ok(Prop::Value {
            key,
            value,
            shorthand: false,
        })
    }

    fn shorthand(&mut self, key: PropKey) -> Parsed<Prop> {
        let PropKey::Static { span, .. } = key else {
            return Err(self.unexpected("`:`"));
        };
        if !(self.at(",") || self.at("}") || self.at("=")) {
            return Err(self.unexpected("`:`, `,` or `}`"));
        }
        let name = self.decode_name(span);
        self.refuse_reserved(&name, span);
        if name == "arguments" {
            self.refuse(Refused::Arguments, span);
        } else if name == "eval" {
            self.refuse(Refused::Eval, span);
        } else if name == "__proto__" {
            self.refuse(Refused::Prototype, span);
        }
        if self.at("=") {
            let message = "a property of an object literal gets its value with `:`";
            let hint = "`{name = value}` is for defaults in a pattern.";
            return Err(self.error(Code::Unexpected, self.span(), message, Some(hint)));
        }
        let value = Expr {
            kind: ExprKind::Name(Ident { name, span }),
            span,
        };
        Ok(Prop::Value {
            key,
            value,
            shorthand: true,
        })
    }

    /// `{__proto__: x}` would set a prototype, which objects of Flow do not have.
    fn refuse_prototype(&mut self, key: &PropKey) {
        if let PropKey::Static { name, span } = key
            && name.iter().copied().eq("__proto__".encode_utf16())
        {
            self.refuse(Refused::Prototype, *span);
        }
    }
}
