//! Where Flow refuses what JavaScript runs: when a program is deployed, and while it runs. Tables only; the list in
//! docs/flow/README.md is made of them.

use crate::codes::Code;

/// What a code refuses that JavaScript would run, as the end of "refused is …"; none where JavaScript refuses it too, and
/// where it is about what JavaScript has not: host calls and the type of the inputs.
pub(crate) fn refused_by(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::Unexpected
        | Code::Unterminated
        | Code::BadCharacter
        | Code::BadNumber
        | Code::BadEscape
        | Code::MissingInitializer
        | Code::BadTarget
        | Code::OperatorMix
        | Code::LineBreak
        | Code::DeclarationPlace
        | Code::BadRegex
        | Code::TooMany
        | Code::CompilerFault
        | Code::AwaitOutsideAsync
        | Code::BadBreak
        | Code::UnknownLabel
        | Code::DuplicateLabel
        | Code::ArgumentCount
        | Code::ArgumentKind
        | Code::UnknownOption
        | Code::BadDuration
        | Code::BadInputType
        | Code::UnknownInput
        | Code::DuplicateInputType => return None,
        Code::UnusedName
        | Code::UseBeforeDeclaration
        | Code::ShadowedBuiltin
        | Code::DuplicateKey
        | Code::Unreachable
        | Code::AssignInCondition
        | Code::SuspiciousComparison
        | Code::NoEffect
        | Code::EmptyBody
        | Code::ForInArray
        | Code::LineGoesOn
        | Code::DuplicateCase
        | Code::DurationInMilliseconds
        | Code::ForgottenAwait
        | Code::UnawaitedResult
        | Code::AsyncCallback
        | Code::AwaitOfArray
        | Code::PromiseList
        | Code::ReturnInTry
        | Code::SqlInterpolation
        | Code::SqlParameters
        | Code::AbsentMethod
        | Code::AbsentProperty
        | Code::LateAwait
        | Code::UnknownWorkflow
        | Code::UnknownTask
        | Code::TaskInputs
        | Code::IgnoredInputType => return None,
        Code::TooDeep | Code::TooLarge | Code::TooBig => {
            "a file beyond the [limits of a file](#limits-of-a-file)"
        }
        Code::ReservedWord => "`await` as a name, also in functions that are not async",
        Code::BadDelete => {
            "`delete` of anything but a property: JavaScript gives `true` for `delete f()`"
        }
        Code::NotInFlow => {
            "what Flow has not, each [by its name](diagnostics.md#what-flow-refuses-by-name), with what to write instead"
        }
        Code::UnknownName => {
            "a name that nothing declares, also where it is never reached and behind `typeof`; \
             [names that JavaScript or its hosts have](library.md#names-that-flow-refuses) say what to write"
        }
        Code::AssignConst => {
            "an assignment to a constant, where JavaScript throws once it is reached"
        }
        Code::DuplicateName => {
            "two functions of one name in one scope, and a function with the name of a parameter"
        }
        Code::AssignGlobal => {
            "an assignment to what Flow provides (`Math`, `Task`, `Inputs` …): a declaration may hide it, with a warning"
        }
        Code::UnknownMember => {
            "a member that `Math`, `Object`, `Task` and the like have not, where JavaScript gives `undefined`"
        }
        Code::PropertyNotKept => {
            "a property of your own on an array, function, map, set or date, where the text shows that it is one"
        }
        Code::NotConstructor => {
            "`new` of anything but errors, dates, maps, sets and regular expressions, where JavaScript throws at best"
        }
    })
}

/// What throws a `TypeError` while a program runs, where JavaScript does something: how its message reads in the source of the
/// library, and what it is about. A test finds messages that are not here.
pub(crate) const WHILE_RUNNING: &[(&[&str], &str)] = &[
    (
        &[
            "which JavaScript's {} inherits.",
            "Flow's library has no '{name}' here.",
        ],
        "Reading a name that JavaScript's values inherit and Flow's have not (`order.__defineGetter__`, `fn.call`, \
         `list.constructor`), and any name that an object or function of the library does not have (`Math[key]`, \
         `const {tau = 6.28} = Math`): it is never `undefined`. [The library](library.md#methods) lists them.",
    ),
    (
        &["has a '{name}' of its own", "has a 'toJSON' of its own"],
        "Converting an object that has a `toString`, `valueOf` or `toJSON` of its own, as in `${order}` or `JSON.stringify`: call it \
         where you want its value.",
    ),
    (
        &[
            "A function has no string form",
            "This builtin object has no string form",
        ],
        "Making a text of a function or of `Math` and the like, as in `String(fn)`.",
    ),
    (
        &["does not know the name of a function under a computed key"],
        "Reading the `name` of a function that stands under a computed key.",
    ),
    (
        &[
            "An array of Flow holds only elements",
            "Flow keeps no properties on this kind of value",
            "Flow keeps no properties on a regular expression",
        ],
        "Setting a property of your own on an array, function, map, set, date, promise or regular expression. Objects and errors take \
         any; `Object.assign(new Error(\"no\"), { code: 5 })` is how an error gets a code.",
    ),
    (
        &["Flow cannot delete"],
        "Deleting the `name` or `length` of a function, or what the library has.",
    ),
    (
        &["works on {what} alone"],
        "Calling a method on a value of another kind, as in `const list = { length: 0, push: [].push }`: many of JavaScript's methods \
         work on whatever has the properties they look for.",
    ),
    (
        &["Flow does not list the legacy codes"],
        "`for…in` over an error of `atob`, `btoa` or `structuredClone`, which inherits the codes of all errors of a browser.",
    ),
    (
        &["Flow knows no locale but"],
        "`toLocaleUpperCase` and `toLocaleLowerCase` with a locale.",
    ),
    (
        &["Flow has no prototypes"],
        "Setting `__proto__`, also by a computed key: objects have no prototypes that a program could see or change.",
    ),
    (
        &["is not a class of Flow's library"],
        "`instanceof` with anything but a class of the library on its right.",
    ),
    (
        &["a thenable"],
        "Awaiting an object with a `then` of its own: only promises are awaited.",
    ),
    (
        &["Flow has no 'new Promise'"],
        "`new Promise`, also where a check could not see it: async functions, `Signal.next` and `Promise.resolve` take its place.",
    ),
    (
        &[
            "Flow has no wrapper objects",
            "Flow cannot make functions from text",
        ],
        "`Object(5)` and its like, which make an object of a value, and `Function(text)`.",
    ),
    (
        &[
            "Flow cannot freeze",
            "does not keep whether a function is frozen",
        ],
        "Freezing or sealing a map, set, date, promise or regular expression, and asking whether a function is frozen.",
    ),
    (
        &[
            "Object.assign of Flow needs",
            "Object.getOwnPropertyNames of Flow takes",
        ],
        "`Object.assign` to a value that is no object, and `Object.getOwnPropertyNames` of anything but objects, arrays and texts.",
    ),
    (
        &[
            "means local time, which Flow does not have",
            "Flow reads dates written as",
        ],
        "Dates in local time (`new Date(2024, 0, 1)`, `\"2024-01-31T12:00:00\"`), and texts in any other form than `2024-01-31` or \
         `2024-01-31T12:00:00Z` with any offset.",
    ),
    (
        &["no objects that act as sets"],
        "`union` and the like of a set with an object that is neither a set nor a map.",
    ),
    (
        &["does not have the flag 'v'"],
        "The flag `v` of `new RegExp`.",
    ),
];
