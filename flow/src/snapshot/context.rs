//! The `Context` of a saved run, which tells the program whose it is. Knows no bytes.

use crate::builtins::registry;
use crate::value::object::{Integrity, Key};
use crate::value::{Body, Heap, Ref, Value};

/// Lets the run's `Context` tell another value under this name.
pub(super) fn tell(heap: &mut Heap, name: &str, value: Value) {
    let Ok(Value::String(name)) = heap.str(name) else {
        return;
    };
    let key = Key::Name(heap.intern_ref(name));
    let set = registry().find("Context.set");
    // It is frozen and holds `Context.set`: no object of a program is like that.
    let is_set = |value: Value| match value {
        Value::Object(at) => {
            matches!(heap.body(at), Body::Native(number) if Some(*number) == set)
        }
        _ => false,
    };
    let contexts: Vec<Ref> = heap
        .iter()
        .filter(|(_, body)| match body {
            Body::Object(props) => {
                props.integrity == Integrity::Frozen
                    && props.get(key).is_some()
                    && props.iter().any(|(_, value)| is_set(value))
            }
            _ => false,
        })
        .map(|(at, _)| at)
        .collect();
    for at in contexts {
        if let Body::Object(props) = heap.body_mut(at) {
            props.set(key, value);
        }
    }
}
