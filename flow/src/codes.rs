//! The table of diagnostic codes: one line each. A number is never reused or changed.
//!
//! `E` codes are errors: the program is refused. `W` codes are warnings. Each has a page in `explain/`,
//! with a program that gives it and one that does not; `rhythm explain` and docs/flow show them.

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The program is refused.
    Error,
    /// The program runs, but probably not as it was meant.
    Warning,
}

impl Severity {
    /// The word that messages use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! codes {
    ($($variant:ident $number:literal $name:literal $doc:literal)*) => {
        /// A stable code of a kind of diagnostic.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $doc] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number that messages show, such as `E0101`.
            #[must_use]
            pub fn number(self) -> &'static str {
                match self { $(Self::$variant => $number,)* }
            }

            /// The name, such as `unknown-name`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The long form, in Markdown. A block marked `js refused` or `js warned` gives this code; one
            /// marked `js` is right.
            #[must_use]
            pub fn page(self) -> &'static str {
                match self { $(Self::$variant => include_str!(concat!("explain/", $number, ".md")),)* }
            }

            /// One sentence that says what it is about.
            #[must_use]
            pub fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }
        }
    };
}

codes! {
    Unexpected "E0001" "unexpected-token" "The text does not go on as the grammar of JavaScript wants it."
    Unterminated "E0002" "unterminated" "A bracket, string, template or comment is never closed."
    TooDeep "E0003" "nesting-too-deep" "Brackets, blocks or operators are nested deeper than Flow allows."
    TooLarge "E0004" "file-too-large" "The file is larger than Flow allows."
    BadCharacter "E0005" "bad-character" "A character that has no meaning in JavaScript."
    BadNumber "E0006" "bad-number" "A number is not written as strict JavaScript writes it."
    BadEscape "E0007" "bad-escape" "A backslash in a string, template or name is not followed by a known escape."
    MissingInitializer "E0008" "missing-initializer" "A `const` or a destructuring declaration has no value."
    BadTarget "E0009" "bad-assignment-target" "Only a variable, a property or a pattern can be assigned to."
    ReservedWord "E0010" "reserved-word" "A reserved word is used as the name of something."
    OperatorMix "E0011" "operator-mix" "JavaScript wants parentheses around one of two operators."
    LineBreak "E0012" "line-break-not-allowed" "JavaScript does not allow a line break at this place."
    DeclarationPlace "E0013" "declaration-needs-block" "A declaration cannot be the whole body of `if`, a loop or a label."
    BadDelete "E0014" "bad-delete" "`delete` takes a property, such as `delete order.note`."
    BadRegex "E0015" "bad-regex" "A regular expression is not written as JavaScript writes it."
    TooMany "E0019" "too-many-errors" "Only the first errors of a file are reported."
    NotInFlow "E0050" "not-in-flow" "JavaScript has it, Flow has not: the message says what to write instead."
    UnknownName "E0101" "unknown-name" "A name that is not declared anywhere around its use."
    AssignConst "E0102" "assign-to-const" "A constant gets its value once, in its declaration."
    DuplicateName "E0103" "duplicate-name" "Two declarations in one scope, or two parameters, have the same name."
    AssignGlobal "E0104" "assign-to-builtin" "What Flow provides, such as `Math`, cannot be replaced."
    UnknownMember "E0105" "unknown-member" "A built-in object has no member of this name."
    NotConstructor "E0106" "not-a-constructor" "`new` makes errors, dates, maps, sets and regular expressions, and nothing else."
    PropertyNotKept "E0126" "property-not-kept" "A property is set on an array, a function, a map, a set or a date, which keep none."
    AwaitOutsideAsync "E0201" "await-outside-async" "`await` stands in a function that is not `async`, or among parameters."
    BadBreak "E0202" "break-outside-loop" "`break` or `continue` with nothing around it that it could leave."
    UnknownLabel "E0203" "unknown-label" "`break` or `continue` names a label that is not around it."
    DuplicateLabel "E0204" "duplicate-label" "A label is used again inside the statement that it names."
    ArgumentCount "E0301" "argument-count" "A host call has too few or too many arguments."
    ArgumentKind "E0302" "argument-kind" "An argument of a host call is of a kind that can never work."
    UnknownOption "E0303" "unknown-option" "The options of a host call have a key that it does not know."
    BadDuration "E0304" "bad-duration" "A duration is a number of seconds or a text such as \"90s\" or \"1h30m\"."
    BadInputType "E0401" "bad-input-type" "The declared type of `Inputs` cannot be read."
    UnknownInput "E0402" "unknown-input" "The declared type of `Inputs` has no such field."
    DuplicateInputType "E0403" "duplicate-input-type" "`Inputs` is declared more than once."
    TooBig "E0501" "program-too-big" "The program has more functions, constants or variables than one file may have."
    CompilerFault "E0502" "compiler-fault" "The compiler made code that its own check refuses: a fault of Rhythm, not of the file."
    UnusedName "W0101" "unused-name" "A variable, parameter or function is declared and never used."
    UseBeforeDeclaration "W0102" "use-before-declaration" "A variable is used above its declaration, where it has no value yet."
    ShadowedBuiltin "W0103" "shadowed-builtin" "A declaration hides something that Flow provides."
    DuplicateKey "W0104" "duplicate-key" "An object literal has the same key twice."
    Unreachable "W0201" "unreachable-code" "No way leads to these statements."
    AssignInCondition "W0202" "assignment-in-condition" "`=` in a condition: `===` was probably meant."
    SuspiciousComparison "W0203" "suspicious-comparison" "A comparison that says always the same, or compares something else than it seems to."
    NoEffect "W0204" "no-effect" "A statement computes a value that nobody gets."
    EmptyBody "W0205" "empty-body" "A `;` is the whole body of an `if` or a loop."
    ForInArray "W0206" "for-in-array" "`for…in` over an array gives indexes, not elements."
    LineGoesOn "W0207" "line-goes-on" "A line that begins with `(` or `[` goes on with the line above, which has no `;`."
    DuplicateCase "W0208" "duplicate-case" "A `switch` has the same case twice, of which the second is never reached."
    DurationInMilliseconds "W0301" "duration-in-seconds" "A long number of seconds, probably meant as milliseconds."
    ForgottenAwait "W0302" "forgotten-await" "A promise is used as if it were the value that it promises."
    UnawaitedResult "W0303" "unawaited-result" "The result of a call that has to be awaited is thrown away."
    AsyncCallback "W0304" "async-callback" "A method of arrays gets a function that gives promises, and does not wait for them."
    AwaitOfArray "W0305" "await-of-array" "An array of promises is awaited or returned, where `Promise.all` of it was meant."
    PromiseList "W0306" "promise-list" "`Promise.all` and its like take one list of promises."
    ReturnInTry "W0307" "return-in-try" "A promise is returned out of a `try` without `await`, so its `catch` never sees it fail."
    SqlInterpolation "W0308" "sql-interpolation" "A value is written into the text of a query instead of being a parameter of it."
    SqlParameters "W0309" "sql-parameters" "The placeholders of a query and its parameters do not fit together."
    AbsentMethod "W0310" "absent-method" "A method that Flow's values do not have."
    LateAwait "W0311" "late-await" "A promise can fail while something else is awaited, past every `catch`."
    AbsentProperty "W0331" "absent-property" "A property of JavaScript's prototypes or classes, which Flow does not have."
    UnknownWorkflow "W0401" "unknown-workflow" "A workflow is named that no file defines."
    UnknownTask "W0402" "unknown-task" "A task is named that nobody seems to serve, or almost like another one."
    TaskInputs "W0403" "task-inputs" "A task is given what its published schema does not allow."
    IgnoredInputType "W0404" "ignored-input-type" "A declaration of the type of `Inputs` has no effect."
}

impl Code {
    /// The code of a number or name, such as `E0101`, `e0101` or `unknown-name`.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| {
            code.number().eq_ignore_ascii_case(text) || code.name().eq_ignore_ascii_case(text)
        })
    }

    /// Whether it says that a program is too large for Flow, and not that it is wrong.
    #[must_use]
    pub fn is_limit(self) -> bool {
        matches!(self, Self::TooDeep | Self::TooLarge | Self::TooBig)
    }

    /// Whether it refuses the program.
    #[must_use]
    pub fn severity(self) -> Severity {
        if self.number().starts_with('E') {
            Severity::Error
        } else {
            Severity::Warning
        }
    }
}
