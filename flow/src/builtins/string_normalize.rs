//! `String.prototype.normalize`.

use unicode_normalization::UnicodeNormalization;

use super::string::receiver;
use super::{Builtin, plain};
use crate::error::Throw;
use crate::value::Value;
use crate::vm::cx::{Call, Cx};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[plain("String.prototype.normalize", 0, normalize)];

/// `"e\u0301".normalize()` → `"é"`
fn normalize(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    let text = receiver(cx, call.this, "normalize")?;
    let form = match cx.arg(call, 0) {
        Value::Undefined => "NFC".to_owned(),
        form => {
            let form = cx.string(form)?;
            cx.heap.rust_text(form)
        }
    };
    let form = match form.as_str() {
        "NFC" => Form::Nfc,
        "NFD" => Form::Nfd,
        "NFKC" => Form::Nfkc,
        "NFKD" => Form::Nfkd,
        _ => {
            return Err(Throw::range_error(
                "The normalization form should be one of NFC, NFD, NFKC, NFKD.",
            ));
        }
    };
    cx.work(text.len())?;
    // A character becomes eighteen at most; a text that is too long is refused below.
    let most = cx.heap.meter.limits.string_units + 1;
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut run = String::new();
    // Half a character stays, and nothing is composed over it.
    for point in char::decode_utf16(text.iter().copied()) {
        match point {
            Ok(char) => run.push(char),
            Err(lone) => {
                form.add(&run, &mut units, most);
                run.clear();
                units.push(lone.unpaired_surrogate());
            }
        }
    }
    form.add(&run, &mut units, most);
    cx.work(units.len() / 4)?;
    cx.heap.string(&units)
}

enum Form {
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
}

impl Form {
    fn add(&self, text: &str, units: &mut Vec<u16>, most: usize) {
        match self {
            Self::Nfc => put(text.nfc(), units, most),
            Self::Nfd => put(text.nfd(), units, most),
            Self::Nfkc => put(text.nfkc(), units, most),
            Self::Nfkd => put(text.nfkd(), units, most),
        }
    }
}

fn put(chars: impl Iterator<Item = char>, units: &mut Vec<u16>, most: usize) {
    let mut pair = [0; 2];
    for char in chars {
        if units.len() > most {
            return;
        }
        units.extend_from_slice(char.encode_utf16(&mut pair));
    }
}
