//! What JavaScript has and Flow has not: each by name, with what to write instead.
//! The table in docs/flow/diagnostics.md is made of this one.

use super::token::Kind;
use super::{Broken, Parser};
use crate::codes::Code;
use crate::source::Span;

/// Something that is refused by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Refused {
    Class,
    ErrorClass,
    Var,
    This,
    Super,
    Generator,
    Yield,
    Import,
    Export,
    With,
    Debugger,
    Eval,
    Arguments,
    NewTarget,
    New,
    RegexSets,
    TaggedTemplate,
    Accessor,
    Comma,
    BigInt,
    PrivateName,
    ForAwait,
    LabelledFunction,
    HtmlComment,
    Hashbang,
    Prototype,
    Decorator,
    TypeAnnotation,
    TypeCast,
    TypeArguments,
    TypeDeclaration,
    Enum,
    NonNull,
    Jsx,
    ExportDefault,
    OptionalDelete,
    ForInit,
    LocalDate,
    ReviverContext,
}

impl Refused {
    /// All of them, in the order of the documentation.
    pub(crate) const ALL: &'static [Self] = &[
        Self::Class,
        Self::ErrorClass,
        Self::Var,
        Self::This,
        Self::Super,
        Self::New,
        Self::NewTarget,
        Self::Generator,
        Self::Yield,
        Self::ForAwait,
        Self::Import,
        Self::Export,
        Self::ExportDefault,
        Self::Eval,
        Self::Arguments,
        Self::With,
        Self::Debugger,
        Self::RegexSets,
        Self::TaggedTemplate,
        Self::Accessor,
        Self::PrivateName,
        Self::Decorator,
        Self::Prototype,
        Self::Comma,
        Self::BigInt,
        Self::LabelledFunction,
        Self::OptionalDelete,
        Self::ForInit,
        Self::LocalDate,
        Self::ReviverContext,
        Self::TypeAnnotation,
        Self::TypeCast,
        Self::TypeArguments,
        Self::TypeDeclaration,
        Self::Enum,
        Self::NonNull,
        Self::Jsx,
        Self::HtmlComment,
        Self::Hashbang,
    ];

    /// What it is called, and what to write instead.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Class => ("classes", "Use functions and object literals."),
            Self::ErrorClass => (
                "classes of errors",
                "Write a function that makes one: `const httpError = (message) => \
                 Object.assign(new Error(message), {name: \"HttpError\"})`. A `catch` then compares \
                 `error.name`.",
            ),
            Self::Var => ("`var`", "Use `let` or `const`."),
            Self::This => ("`this`", "Pass the object as a parameter."),
            Self::Super => ("`super`", "Call the function by its name."),
            Self::New => (
                "`new` of anything but a plain name",
                "`new` makes errors, dates, maps, sets and regular expressions; elsewhere call a function.",
            ),
            Self::NewTarget => ("`new.target`", "Flow has no constructors of your own."),
            Self::Generator => ("generators", "Return an array, or use an async function."),
            Self::Yield => ("`yield`", "Push to an array and return it, or use `await`."),
            Self::ForAwait => (
                "`for await`",
                "Write `for (const x of await Promise.all(list))`, or await in the loop.",
            ),
            Self::Import => (
                "modules",
                "A .flow file stands alone; call a task or a workflow.",
            ),
            Self::Export => ("modules", "The workflow's result is what the file returns."),
            Self::Eval => ("`eval`", "Write the code out, or choose among functions."),
            Self::Arguments => ("`arguments`", "Declare a rest parameter: `(...list) => …`."),
            Self::With => ("`with`", "Write the object in front of each property."),
            Self::Debugger => ("`debugger`", "Use `console.log`."),
            Self::RegexSets => (
                "the flag `v` of regular expressions",
                "Use the flag `u`, and a class or a lookahead instead of sets of sets.",
            ),
            Self::TaggedTemplate => (
                "tagged templates",
                "Call the function with its texts and values: `tag([\"a\", \"b\"], value)`.",
            ),
            Self::Accessor => ("getters and setters", "Use a property or a method."),
            Self::PrivateName => ("private names", "Use a plain name or a closure."),
            Self::Decorator => ("decorators", "Call the function yourself."),
            Self::Prototype => ("`__proto__`", "Copy properties with `{...other}`."),
            Self::Comma => ("the comma operator", "Write two statements."),
            Self::BigInt => (
                "BigInt numbers",
                "Write the number without `n`; beyond 2^53 keep it in a string.",
            ),
            Self::LabelledFunction => ("labelled functions", "Remove the label."),
            Self::OptionalDelete => (
                "`delete` of an optional chain",
                "Test first: `if (a != null) delete a.b`.",
            ),
            Self::ForInit => (
                "a value in the head of `for…in` or `for…of`",
                "Give the variable its value in the body.",
            ),
            Self::LocalDate => (
                "`new Date` of a year and a month, which means local time",
                "Write `new Date(Date.UTC(year, month, …))`.",
            ),
            Self::ReviverContext => (
                "the third argument of a reviver of `JSON.parse`",
                "Take the key and the value alone; numbers whose digits matter travel as strings.",
            ),
            Self::ExportDefault => (
                "`export default`",
                "Remove the function around the program: the file itself is the body, with `Inputs`, \
                 `await` and `return`.",
            ),
            Self::TypeAnnotation => (
                "types in the program",
                "Remove the type. That of the inputs stands in a JSDoc comment at the head of the \
                 file: `/** @param {{id: string}} Inputs */`.",
            ),
            Self::TypeCast => (
                "`as` and `satisfies`",
                "Remove it with its type: a value is what it is when the program runs.",
            ),
            Self::TypeArguments => ("type parameters", "Remove `<…>`."),
            Self::TypeDeclaration => (
                "declarations of types",
                "Remove it. The type of the inputs stands in a JSDoc comment at the head of the \
                 file: `/** @param {{id: string}} Inputs */`.",
            ),
            Self::Enum => ("`enum`", "Write an object: `const Color = {Red: \"red\"}`."),
            Self::NonNull => (
                "`!` behind a value",
                "Remove it; `?.` and `??` are for values that may be missing.",
            ),
            Self::Jsx => ("JSX and casts in `<…>`", "Remove it; render in a task."),
            Self::HtmlComment => (
                "HTML comments",
                "Write `//`, or put spaces between operators.",
            ),
            Self::Hashbang => ("`#!` lines", "Remove the line."),
        }
    }
}

/// Words that cannot be names in strict JavaScript inside of an async function.
pub(crate) fn is_reserved(name: &str) -> bool {
    is_keyword(name)
        || matches!(
            name,
            "await"
                | "enum"
                | "implements"
                | "interface"
                | "let"
                | "package"
                | "private"
                | "protected"
                | "public"
                | "static"
                | "yield"
        )
}

/// Words that begin or join statements and expressions.
fn is_keyword(name: &str) -> bool {
    matches!(
        name,
        "break"
            | "case"
            | "catch"
            | "class"
            | "const"
            | "continue"
            | "debugger"
            | "default"
            | "delete"
            | "do"
            | "else"
            | "export"
            | "extends"
            | "false"
            | "finally"
            | "for"
            | "function"
            | "if"
            | "import"
            | "in"
            | "instanceof"
            | "new"
            | "null"
            | "return"
            | "super"
            | "switch"
            | "this"
            | "throw"
            | "true"
            | "try"
            | "typeof"
            | "var"
            | "void"
            | "while"
            | "with"
    )
}

impl Parser<'_> {
    /// Reports a refused construct; reading may go on.
    pub(super) fn refuse(&mut self, what: Refused, span: Span) -> Broken {
        let (name, hint) = what.words();
        self.error(
            Code::NotInFlow,
            span,
            format!("Flow does not have {name}"),
            Some(hint),
        )
    }

    /// `class Order { … }`, which is passed over as a whole. A class of errors has a hint of its own, with its name.
    pub(super) fn refuse_class(&mut self) -> Broken {
        let span = self.span();
        self.advance();
        let has_name = self.current().kind == Kind::Name && !self.at_word("extends");
        let own = has_name.then(|| self.text_of(self.at));
        self.at += usize::from(has_name);
        let of_errors = self.eat_word("extends") && self.text_of(self.at).ends_with("Error");
        // What is extended may be an expression; the body is the first brace behind it.
        let mut body = self.at;
        while !self.punctuation_at(body, "{") && !self.token(body).after_line_break {
            match self.behind_mate(body) {
                Some(behind) if behind > body => body = behind,
                _ if self.token(body).kind == Kind::End => break,
                _ => body += 1,
            }
        }
        if self.punctuation_at(body, "{")
            && let Some(behind) = self.behind_mate(body)
        {
            self.at = behind;
        }
        let Some(own) = own.filter(|_| of_errors) else {
            let what = if of_errors {
                Refused::ErrorClass
            } else {
                Refused::Class
            };
            return self.refuse(what, span);
        };
        let (name, hint) = Refused::ErrorClass.words();
        let mut letters = own.chars();
        let first = letters.next().map(char::to_lowercase);
        let maker: String = first.into_iter().flatten().chain(letters).collect();
        let hint = hint.replace("httpError", &maker).replace("HttpError", own);
        let message = format!("Flow does not have {name}");
        self.error(Code::NotInFlow, span, message, Some(&hint))
    }

    pub(super) fn is_lexical_error(&self) -> bool {
        matches!(
            self.current().kind,
            Kind::BadNumber
                | Kind::OpenString
                | Kind::OpenComment
                | Kind::HtmlComment
                | Kind::BadCharacter
        )
    }

    /// Reports the current word if it is none.
    pub(super) fn lexical_error(&mut self) -> Option<Broken> {
        let token = self.current();
        let text = self.text_of(self.at);
        let broken = match token.kind {
            Kind::BadNumber => {
                self.bad_number(token.span);
                Broken
            }
            Kind::OpenString => {
                let hint = "A string ends on its line; use a template (`…`) for several lines.";
                let message = "the string is never closed";
                let broken = self.error(Code::Unterminated, token.span, message, Some(hint));
                if let Some(end) = self.end_of_open_string() {
                    self.at = end + 1;
                }
                broken
            }
            Kind::OpenComment => {
                let span = Span {
                    end: token.span.start + 2,
                    ..token.span
                };
                self.error(
                    Code::Unterminated,
                    span,
                    "the comment is never closed",
                    None,
                )
            }
            Kind::HtmlComment => self.refuse(Refused::HtmlComment, token.span),
            Kind::BadCharacter => self.bad_character(text, token.span),
            _ => return None,
        };
        Some(broken)
    }

    /// The quote on a later line that was meant to close this string. It opens another one on its own line; what stands
    /// behind it tells the two apart.
    fn end_of_open_string(&self) -> Option<usize> {
        let quote = self.text_of(self.at).chars().next()?;
        let mut at = self.at + 1;
        loop {
            match self.token(at).kind {
                Kind::End => return None,
                Kind::String if self.text_of(at).starts_with(quote) => return None,
                Kind::OpenString if self.text_of(at).starts_with(quote) => break,
                _ => at += 1,
            }
        }
        let behind = self.text_of(at).get(1..)?.trim_start();
        let closes = behind.is_empty() || behind.starts_with([';', ',', ')', ']', '}', '+', '.']);
        closes.then_some(at)
    }

    fn bad_character(&mut self, text: &str, span: Span) -> Broken {
        let next = self.token(self.at + 1);
        let glued = next.span.start == span.end;
        match text {
            "#" if self.at == 0 && self.punctuation_at(1, "!") => {
                self.refuse(Refused::Hashbang, span)
            }
            "#" if glued && next.kind == Kind::Name => {
                self.refuse(Refused::PrivateName, span.to(next.span))
            }
            "@" if glued && next.kind == Kind::Name => {
                self.refuse(Refused::Decorator, span.to(next.span))
            }
            "\\" => {
                let message = "a backslash outside of a string begins no known escape";
                self.error(
                    Code::BadEscape,
                    span,
                    message,
                    Some("In names, only `\\u0061` or `\\u{61}`."),
                )
            }
            "“" | "”" | "„" | "‘" | "’" => {
                let message = format!("`{text}` is no quote of JavaScript");
                self.error(
                    Code::BadCharacter,
                    span,
                    message,
                    Some("Write \" or ' instead."),
                )
            }
            _ => {
                let code = text.chars().next().map_or(0, u32::from);
                let message = format!("the character U+{code:04X} means nothing here");
                self.error(Code::BadCharacter, span, message, Some("Remove it."))
            }
        }
    }
}
