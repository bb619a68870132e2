//! The properties of regular expressions.

use super::cx::Cx;
use crate::error::Throw;
use crate::regex::Flags;
use crate::value::Value;
use crate::value::inherited::{Kind, is_getter};
use crate::value::object::Key;

impl Cx<'_> {
    /// What a regular expression tells of itself; none for another value or name.
    pub(super) fn regex_property(
        &mut self,
        value: Value,
        name: &str,
    ) -> Result<Option<Value>, Throw> {
        let Some(regex) = self.heap.regex(value) else {
            return Ok(None);
        };
        let flag = match name {
            "source" => return Ok(Some(Value::String(regex.source))),
            "flags" => {
                let flags = regex.flags.text();
                return self.heap.str(&flags).map(Some);
            }
            "global" => Flags::GLOBAL,
            "ignoreCase" => Flags::IGNORE_CASE,
            "multiline" => Flags::MULTILINE,
            "dotAll" => Flags::DOT_ALL,
            "unicode" => Flags::UNICODE,
            "sticky" => Flags::STICKY,
            "hasIndices" => Flags::INDICES,
            "unicodeSets" => return Ok(Some(Value::Bool(false))),
            _ => return Ok(None),
        };
        Ok(Some(Value::Bool(regex.flags.has(flag))))
    }

    /// Sets `lastIndex`; all else is fixed.
    pub(super) fn set_regex(&mut self, regex: Value, key: Key, new: Value) -> Result<(), Throw> {
        let name = self.key_text(key);
        if name == "lastIndex" {
            self.heap.set_last_index(regex, new);
            return Ok(());
        }
        // V8 names the prototype, which has the getter.
        Err(Throw::type_error(if is_getter(Kind::RegExp, &name) {
            format!("Cannot set property {name} of [object Object] which has only a getter")
        } else {
            format!("Flow keeps no properties on a regular expression: '{name}' cannot be set.")
        }))
    }
}
