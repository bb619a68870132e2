//! `Promise`: its combinators and methods. What moves promises is in `vm::promise`.

use super::{Builtin, plain, registry};
use crate::error::Throw;
use crate::value::promise::{Combinator, Reaction};
use crate::value::{Body, Ref, Value};
use crate::vm::cx::{Call, Cx};
use crate::vm::words::works_on;

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    plain("Promise", 1, constructor),
    plain("new Promise", 1, constructor),
    plain("Promise.all", 1, all),
    plain("Promise.allSettled", 1, all_settled),
    plain("Promise.any", 1, any),
    plain("Promise.race", 1, race),
    plain("Promise.resolve", 1, resolve),
    plain("Promise.reject", 1, reject),
    plain("Promise.prototype.then", 2, then),
    plain("Promise.prototype.catch", 1, catch),
    plain("Promise.prototype.finally", 1, finally),
];

/// `Promise` is the class of `instanceof`; Flow makes promises by async functions and host calls.
fn constructor(_cx: &mut Cx<'_>, _call: Call) -> Result<Value, Throw> {
    Err(Throw::type_error(
        "Flow has no 'new Promise': use an async function, Promise.resolve or a host call.",
    ))
}

/// `await Promise.all([1, Promise.resolve(2)])` → `[1, 2]`
fn all(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    combine(cx, call, Combinator::All)
}

/// `await Promise.allSettled([1])` → `[{status: "fulfilled", value: 1}]`
fn all_settled(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    combine(cx, call, Combinator::AllSettled)
}

/// `await Promise.any([Promise.reject(1), 2])` → `2`
fn any(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    combine(cx, call, Combinator::Any)
}

/// `await Promise.race([1, 2])` → `1`
fn race(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    combine(cx, call, Combinator::Race)
}

/// That a static was called on `Promise`, which JavaScript's need: `[1].map(Promise.resolve)` throws.
fn of_class(cx: &mut Cx<'_>, call: Call, name: &str) -> Result<(), Throw> {
    match call.this {
        // By its path.
        Value::Empty => Ok(()),
        Value::Object(at) => {
            let class = registry().find("Promise");
            if matches!(cx.heap.body(at), Body::Native(number) if Some(*number) == class) {
                return Ok(());
            }
            let what = cx.told(call.this);
            Err(Throw::type_error(format!("{what} is not a constructor")))
        }
        _ => Err(Throw::type_error(format!("{name} called on non-object"))),
    }
}

/// What is wrong with the values rejects the promise, as in JavaScript.
fn combine(cx: &mut Cx<'_>, call: Call, kind: Combinator) -> Result<Value, Throw> {
    let path = match kind {
        Combinator::All | Combinator::FanOut => "Promise.all",
        Combinator::AllSettled => "Promise.allSettled",
        Combinator::Any => "Promise.any",
        Combinator::Race => "Promise.race",
    };
    of_class(cx, call, path)?;
    let made = cx
        .spread_argument(cx.arg(call, 0))
        .and_then(|values| cx.combine(kind, values));
    match made {
        Err(fatal @ Throw::Fatal(_)) => Err(fatal),
        Err(throw) => rejected(cx, throw),
        made => made,
    }
}

fn rejected(cx: &mut Cx<'_>, throw: Throw) -> Result<Value, Throw> {
    let error = cx.thrown(throw);
    let promise = cx.new_promise();
    cx.reject(promise, error);
    Ok(Value::Object(promise))
}

/// `await Promise.resolve(1)` → `1`
fn resolve(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    of_class(cx, call, "PromiseResolve")?;
    match cx.promise_of(cx.arg(call, 0)) {
        Ok(promise) => Ok(Value::Object(promise)),
        Err(fatal @ Throw::Fatal(_)) => Err(fatal),
        Err(throw) => rejected(cx, throw),
    }
}

/// `await Promise.reject(new Error("no"))` throws.
fn reject(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    of_class(cx, call, "PromiseReject")?;
    let promise = cx.new_promise();
    cx.reject(promise, cx.arg(call, 0));
    Ok(Value::Object(promise))
}

/// The promise that a method was called on; those of JavaScript but `then` work on whatever has a `then`.
fn receiver(cx: &mut Cx<'_>, call: Call, name: &str) -> Result<Ref, Throw> {
    if let Some(promise) = cx.as_promise(call.this) {
        return Ok(promise);
    }
    Err(match name {
        "then" => cx.incompatible(call),
        "catch" if call.this.is_undefined() => {
            Throw::type_error("Cannot read properties of undefined (reading 'then')")
        }
        "finally" if call.this.is_undefined() => {
            Throw::type_error("Promise.prototype.finally called on non-object")
        }
        _ => works_on(name, "promises"),
    })
}

/// `Promise.resolve(1).then((n) => n + 1)` → a promise of `2`
fn then(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let promise = receiver(cx, call, "then")?;
    let derived = cx.new_promise();
    let (fulfilled, rejected) = (cx.arg(call, 0), cx.arg(call, 1));
    cx.react(
        promise,
        Reaction::Then {
            fulfilled,
            rejected,
            derived,
        },
    );
    Ok(Value::Object(derived))
}

/// `Promise.reject(1).catch((e) => e + 1)` → a promise of `2`
fn catch(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let promise = receiver(cx, call, "catch")?;
    let derived = cx.new_promise();
    let (fulfilled, rejected) = (Value::Undefined, cx.arg(call, 0));
    cx.react(
        promise,
        Reaction::Then {
            fulfilled,
            rejected,
            derived,
        },
    );
    Ok(Value::Object(derived))
}

/// `promise.finally(f)` → a promise that settles as this one, after `f`.
fn finally(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let promise = receiver(cx, call, "finally")?;
    let derived = cx.new_promise();
    let callback = cx.arg(call, 0);
    let reaction = if cx.heap.is_callable(callback) {
        Reaction::Finally { callback, derived }
    } else {
        Reaction::Then {
            fulfilled: Value::Undefined,
            rejected: Value::Undefined,
            derived,
        }
    };
    cx.react(promise, reaction);
    Ok(Value::Object(derived))
}
