//! Error objects: a class, own properties, and those that listing does not show.

use super::object::{Key, Props};
use super::{Body, Heap, Ref, Value};
use crate::error::{ErrorClass, Throw};

/// An error.
#[derive(Debug)]
pub struct ErrorBody {
    /// Decides `instanceof` and the inherited `name`.
    pub class: ErrorClass,
    /// Own properties that listing shows: what the program set, `code`, `data`.
    pub props: Props,
    /// Own properties that listing does not show: `message`, `stack`, `cause`, `errors`.
    pub hidden: Props,
}

impl Heap {
    /// Makes an error without a stack; the VM adds one (`Cx::new_error`).
    ///
    /// # Errors
    /// When the message is longer than the limit.
    pub(crate) fn error(&mut self, class: ErrorClass, message: Option<&str>) -> Result<Ref, Throw> {
        let mut hidden = Props::default();
        if let Some(message) = message {
            let text = self.str(message)?;
            hidden.set(Key::Name(self.intern_str("message")), text);
        }
        Ok(self.alloc(Body::Error(Box::new(ErrorBody {
            class,
            props: Props::default(),
            hidden,
        }))))
    }

    /// Reads an own property of an error by its name.
    pub fn error_get(&mut self, error: Ref, name: &str) -> Option<Value> {
        let key = Key::Name(self.intern_str(name));
        match self.body(error) {
            Body::Error(body) => body.hidden.get(key).or_else(|| body.props.get(key)),
            _ => None,
        }
    }

    /// Sets an own property that listing does not show.
    pub fn error_hide(&mut self, error: Ref, name: &str, value: Value) {
        let key = Key::Name(self.intern_str(name));
        if let Body::Error(body) = self.body_mut(error) {
            body.hidden.set(key, value);
        }
    }

    /// Sets an own property that listing shows.
    pub fn error_set(&mut self, error: Ref, name: &str, value: Value) {
        let key = Key::Name(self.intern_str(name));
        if let Body::Error(body) = self.body_mut(error) {
            body.props.set(key, value);
        }
    }
}
