//! JSON as the server gives it back: what passes through `jsonb` loses the order of its keys and −0.
//! A test must not see an order that production does not have.

use serde_json::Value;

/// The text as `jsonb` would give it back; unchanged where it cannot be read (nested deeper than the
/// reader goes).
pub(crate) fn stored(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(value) => {
            let mut out = String::with_capacity(text.len());
            write(&mut out, &value);
            out
        }
        Err(_) => text.to_owned(),
    }
}

// Recurses as deep as the reader allows, which is 128.
fn write(out: &mut String, value: &Value) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_by_key(|key| (key.len(), key.as_str()));
            out.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write(out, &map[key]);
            }
            out.push('}');
        }
        Value::Number(number) if number.as_f64() == Some(0.0) => out.push('0'),
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::stored;

    #[test]
    fn keys_are_in_the_order_of_jsonb_and_zero_has_no_sign() {
        let text = r#"{"qty": 2, "order": "A-1", "sku": -0.0, "a": [{"zz": 1, "y": null}]}"#;
        let expected = r#"{"a":[{"y":null,"zz":1}],"qty":2,"sku":0,"order":"A-1"}"#;
        assert_eq!(stored(text), expected);
    }

    #[test]
    fn what_is_too_deep_to_be_read_stays_as_it_is() {
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        assert_eq!(stored(&deep), deep);
    }
}
