//! Reads the types themselves: a subset of TypeScript's.

use std::collections::HashSet;

use super::declare::{Bad, Reader, is_name};
use super::{Field, MAX_DEPTH, Type};

impl<'s> Reader<'s> {
    pub(super) fn union(&mut self) -> Result<Type, Bad> {
        self.deeper(Self::alternatives)
    }

    /// Reads what stands one level deeper.
    fn deeper(&mut self, read: fn(&mut Self) -> Result<Type, Bad>) -> Result<Type, Bad> {
        if self.depth >= MAX_DEPTH {
            return Err(self.too_deep());
        }
        self.depth += 1;
        let of = read(self)?;
        self.depth -= 1;
        Ok(of)
    }

    fn too_deep(&self) -> Bad {
        Bad {
            at: self.at,
            message: format!("types are nested more than {MAX_DEPTH} levels deep"),
            hint: None,
        }
    }

    fn alternatives(&mut self) -> Result<Type, Bad> {
        self.skip();
        self.eat("|");
        let mut types = vec![self.array()?];
        loop {
            self.skip();
            if self.rest().starts_with('&') {
                let message = "intersections (`A & B`) are not supported".into();
                let hint = Some("Write one object type with the fields of both.");
                return Err(Bad {
                    at: self.at,
                    message,
                    hint,
                });
            }
            if !self.eat("|") {
                break;
            }
            types.push(self.array()?);
        }
        Ok(union_of(types))
    }

    fn array(&mut self) -> Result<Type, Bad> {
        self.skip();
        // JSDoc: `?string` is a string or null, `!string` is never null.
        let nullable = self.eat("?");
        if !nullable {
            self.eat("!");
        }
        let mut of = self.primary()?;
        // Each pair of brackets nests without a bracket of its own to read through.
        let mut height = None;
        loop {
            self.skip();
            if !self.eat("[") {
                break;
            }
            let levels = height.unwrap_or_else(|| of.height()) + 1;
            if self.depth + levels > MAX_DEPTH {
                return Err(self.too_deep());
            }
            height = Some(levels);
            self.skip();
            if !self.eat("]") {
                return Err(self.unexpected("`]`"));
            }
            of = Type::Array(Box::new(of));
        }
        Ok(if nullable {
            union_of(vec![of, Type::Null])
        } else {
            of
        })
    }

    fn primary(&mut self) -> Result<Type, Bad> {
        self.skip();
        let start = self.at;
        let Some(first) = self.rest().chars().next() else {
            return Err(self.unexpected("a type"));
        };
        match first {
            '(' => {
                self.at += 1;
                let of = self.union()?;
                self.skip();
                if self.eat(")") {
                    Ok(of)
                } else {
                    Err(self.unexpected("`)`"))
                }
            }
            '{' => self.object(),
            '*' => {
                self.at += 1;
                Ok(Type::Any)
            }
            '"' | '\'' => self.quoted().map(Type::Text),
            '-' | '0'..='9' => {
                let length = self
                    .rest()
                    .find(|char: char| !char.is_ascii_alphanumeric() && !matches!(char, '-' | '.'))
                    .unwrap_or(self.rest().len());
                let text = &self.rest()[..length];
                let number = text.parse().ok().filter(|number: &f64| number.is_finite());
                let Some(number) = number else {
                    let message = format!("`{text}` is no number");
                    return Err(Bad {
                        at: start,
                        message,
                        hint: None,
                    });
                };
                self.at += length;
                Ok(Type::Exactly(number))
            }
            '[' => Err(Bad {
                at: start,
                message: "tuples are not supported".into(),
                hint: Some("Write `T[]`, or an object with a name for each part."),
            }),
            _ if is_name(first) => {
                let name = self.name();
                self.named(name, start)
            }
            _ => Err(self.unexpected("a type")),
        }
    }

    fn named(&mut self, name: &str, start: usize) -> Result<Type, Bad> {
        let unknown = |message: String, hint| {
            Err(Bad {
                at: start,
                message,
                hint: Some(hint),
            })
        };
        Ok(match name {
            "string" => Type::String,
            "number" => Type::Number,
            "boolean" => Type::Boolean,
            "null" => Type::Null,
            "any" | "unknown" => Type::Any,
            "true" => Type::True(true),
            "false" => Type::True(false),
            "object" | "Object" => Type::Object {
                fields: Vec::new(),
                others: None,
            },
            "readonly" => return self.deeper(Self::array),
            "Array" | "ReadonlyArray" => {
                let [of] = self.arguments(name)?;
                Type::Array(Box::new(of))
            }
            "Record" => {
                let [key, of] = self.arguments(name)?;
                if key != Type::String {
                    return unknown(
                        "the keys of a `Record` are strings".into(),
                        "Write `Record<string, T>`.",
                    );
                }
                Type::Object {
                    fields: Vec::new(),
                    others: Some(Box::new(of)),
                }
            }
            "undefined" | "void" => {
                return unknown(
                    format!("`{name}` is no JSON value"),
                    "Mark the field as optional: `note?: string`.",
                );
            }
            "Date" => {
                return unknown(
                    "`Date` is no JSON value".into(),
                    "Write `string`, and `new Date(Inputs.when)` in the program.",
                );
            }
            "String" | "Number" | "Boolean" | "bool" | "int" | "integer" | "float" | "str" => {
                return unknown(
                    format!("`{name}` is no type of TypeScript for JSON values"),
                    "The plain types are `string`, `number`, `boolean` and `null`.",
                );
            }
            _ => {
                return unknown(
                    format!("the type `{name}` is not known"),
                    "Write the type out; known are string, number, boolean, null, any, {…}, T[], Array<T>, \
                     Record<string, T>, literals and unions.",
                );
            }
        })
    }

    /// `<A, B>`
    fn arguments<const N: usize>(&mut self, name: &str) -> Result<[Type; N], Bad> {
        self.skip();
        self.eat(".");
        let open = self.at;
        if !self.eat("<") {
            return Err(self.unexpected("`<`"));
        }
        let mut types = vec![self.union()?];
        self.skip();
        while self.eat(",") {
            types.push(self.union()?);
            self.skip();
        }
        if !self.eat(">") {
            return Err(self.unexpected("`>`"));
        }
        let count = types.len();
        types.try_into().map_err(|_| Bad {
            at: open,
            message: format!("`{name}` takes {N} type(s), not {count}"),
            hint: None,
        })
    }

    fn object(&mut self) -> Result<Type, Bad> {
        self.eat("{");
        let (mut fields, mut others): (Vec<Field>, _) = (Vec::new(), None);
        let mut names = HashSet::new();
        loop {
            self.skip();
            if self.eat("}") {
                return Ok(Type::Object { fields, others });
            }
            let start = self.at;
            if self.eat("[") {
                // `[key: string]: T`
                let parts = [":", "string", "]", ":"];
                self.skip();
                self.name();
                for part in parts {
                    self.skip();
                    if !self.eat(part) {
                        return Err(self.unexpected(&format!("`{part}`")));
                    }
                }
                others = Some(Box::new(self.union()?));
            } else {
                let field = self.field()?;
                if !names.insert(field.name.clone()) {
                    let message = format!("the field `{}` is declared twice", field.name);
                    return Err(Bad {
                        at: start,
                        message,
                        hint: None,
                    });
                }
                fields.push(field);
            }
            let line = self.at;
            self.skip();
            let separated = self.eat(",")
                || self.eat(";")
                || self.rest().starts_with('}')
                || self.text[line..self.at].contains('\n');
            if !separated {
                return Err(self.unexpected("`,` or `}`"));
            }
        }
    }

    fn field(&mut self) -> Result<Field, Bad> {
        let name = match self.rest().chars().next() {
            Some('"' | '\'') => self.quoted()?,
            Some(char) if is_name(char) => self.name().to_owned(),
            _ => return Err(self.unexpected("the name of a field")),
        };
        self.skip();
        let optional = self.eat("?");
        self.skip();
        if !self.eat(":") {
            return Err(self.unexpected("`:`"));
        }
        Ok(Field {
            name,
            optional,
            of: self.union()?,
        })
    }

    fn quoted(&mut self) -> Result<String, Bad> {
        let start = self.at;
        let quote = &self.rest()[..1];
        self.at += 1;
        let length = self
            .rest()
            .find([quote.chars().next().unwrap_or('"'), '\n', '\\']);
        match length {
            Some(length) if self.rest()[length..].starts_with(quote) => {
                let text = self.rest()[..length].to_owned();
                self.at += length + 1;
                Ok(text)
            }
            _ => Err(Bad {
                at: start,
                message: "the string is not closed on its line, or has a backslash".into(),
                hint: None,
            }),
        }
    }

    fn name(&mut self) -> &'s str {
        let rest = self.rest();
        let length = rest.find(|char| !is_name(char)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn rest(&self) -> &'s str {
        &self.text[self.at.min(self.end)..self.end]
    }

    pub(super) fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// Goes over blanks, and over the stars with which the lines of a JSDoc comment begin.
    pub(super) fn skip(&mut self) {
        let mut after_line_break = false;
        while let Some(char) = self.rest().chars().next() {
            match char {
                '\n' => after_line_break = true,
                '*' if after_line_break => after_line_break = false,
                _ if char.is_whitespace() => {}
                _ => return,
            }
            self.at += char.len_utf8();
        }
    }

    pub(super) fn unexpected(&self, wanted: &str) -> Bad {
        let found = self.rest().chars().next();
        let message = match found {
            Some(char) if !char.is_whitespace() => format!("expected {wanted}, found `{char}`"),
            _ => format!("expected {wanted}"),
        };
        Bad {
            at: self.at.min(self.end),
            message: format!("in the type of `Inputs`: {message}"),
            hint: None,
        }
    }
}

/// A union without unions in it; one type alone is itself.
fn union_of(types: Vec<Type>) -> Type {
    let mut flat = Vec::new();
    for of in types {
        match of {
            Type::Union(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    if flat.contains(&Type::Any) {
        return Type::Any;
    }
    if flat.len() == 1 {
        flat.remove(0)
    } else {
        Type::Union(flat)
    }
}
