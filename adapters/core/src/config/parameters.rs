//! The words of a connection string, URL or pairs, as libpq splits them. Pure: what the words mean is not known here.

use crate::error::{Error, ErrorKind, Result};

/// Names with their values; a name that was given twice has its last one.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads `postgresql://…` or `host=… dbname=…`.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let url = ["postgresql://", "postgres://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        match url {
            Some(rest) => Self::from_url(rest),
            None => Self::from_pairs(text),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.remove(at).1)
    }

    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.take(name);
        self.0.push((name.to_owned(), value.into()));
    }

    /// Takes from `more` what is not there yet.
    pub(super) fn complete_with(&mut self, more: Self) {
        for (name, value) in more.0 {
            if self.get(&name).is_none() {
                self.0.push((name, value));
            }
        }
    }

    /// Everything as pairs, each value quoted.
    pub(super) fn to_pairs(&self) -> String {
        let quoted = |value: &str| value.replace('\\', r"\\").replace('\'', r"\'");
        let pairs = self.0.iter();
        pairs
            .map(|(name, value)| format!("{name}='{}'", quoted(value)))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// `user:password@host:port,host:port/database?name=value&name=value`, each part percent-encoded and optional.
    fn from_url(text: &str) -> Result<Self> {
        let mut found = Self::default();
        let mut rest = text;
        if let Some(end) = text.find(['@', '/'])
            && text[end..].starts_with('@')
        {
            let (user, password) = text[..end].split_once(':').unwrap_or((&text[..end], ""));
            found.set_unless_empty("user", decode(user)?);
            found.set_unless_empty("password", decode(password)?);
            rest = &text[end + 1..];
        }
        let (places, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (mut hosts, mut ports) = (Vec::new(), Vec::new());
        for place in places.split(',') {
            let (host, port) = host_and_port(place)?;
            hosts.push(decode(host)?);
            ports.push(decode(port)?);
        }
        found.set_unless_empty("host", list(&hosts));
        found.set_unless_empty("port", list(&ports));
        let (database, words) = rest.split_once('?').unwrap_or((rest, ""));
        found.set_unless_empty("dbname", decode(database.trim_start_matches('/'))?);
        for word in words.split('&').filter(|word| !word.is_empty()) {
            let (name, value) = word
                .split_once('=')
                .ok_or_else(|| wrong(&format!("\"{word}\" is no name=value")))?;
            match (decode(name)?.as_str(), decode(value)?) {
                // As JDBC writes it.
                ("ssl", value) if value == "true" => found.set("sslmode", "require"),
                (name, value) => found.set(name, value),
            }
        }
        Ok(found)
    }

    /// `name = value name='a \'quoted\' value'`.
    fn from_pairs(text: &str) -> Result<Self> {
        let mut found = Self::default();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let end = rest.find(|c: char| c == '=' || c.is_whitespace());
            let (name, behind) = rest.split_at(end.unwrap_or(rest.len()));
            let Some(value) = behind.trim_start().strip_prefix('=') else {
                return Err(wrong(&format!("\"{name}\" is no name=value")));
            };
            let (value, behind) = value_of(value.trim_start())?;
            found.set(name, value);
            rest = behind.trim_start();
        }
        Ok(found)
    }

    fn set_unless_empty(&mut self, name: &str, value: String) {
        if !value.is_empty() {
            self.set(name, value);
        }
    }
}

/// The value at the head of `text`, and what follows it. A backslash takes the meaning of what is behind it.
fn value_of(text: &str) -> Result<(String, &str)> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut letters = text.char_indices().skip(usize::from(quoted));
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\'' if quoted => return Ok((value, &text[at + 1..])),
            _ if letter.is_whitespace() && !quoted => return Ok((value, &text[at..])),
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            _ => value.push(letter),
        }
    }
    if quoted {
        return Err(wrong("a quote is not closed"));
    }
    Ok((value, ""))
}

fn host_and_port(place: &str) -> Result<(&str, &str)> {
    // An IPv6 address has colons of its own, so it stands in brackets.
    if let Some(address) = place.strip_prefix('[') {
        let (host, behind) = address
            .split_once(']')
            .ok_or_else(|| wrong("an IPv6 address lacks its \"]\""))?;
        return match behind.strip_prefix(':') {
            Some(port) => Ok((host, port)),
            None if behind.is_empty() => Ok((host, "")),
            None => Err(wrong(&format!("\"{behind}\" follows an IPv6 address"))),
        };
    }
    Ok(place.split_once(':').unwrap_or((place, "")))
}

/// Separated by commas, or nothing where all are empty.
fn list(items: &[String]) -> String {
    if items.iter().all(String::is_empty) {
        return String::new();
    }
    items.join(",")
}

/// Takes back percent-encoding.
fn decode(text: &str) -> Result<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let code = part
            .get(..2)
            .filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let Some(byte) = code.filter(|code| *code != 0) else {
            return Err(wrong(&format!(
                "\"%{}\" stands for no character",
                part.chars().take(2).collect::<String>()
            )));
        };
        bytes.push(byte);
        bytes.extend(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).map_err(|_| wrong("it holds what is not UTF-8"))
}

pub(super) fn wrong(reason: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("the connection string is wrong: {reason}"),
    )
    .hint("Write it as postgresql://user@host:5432/database.")
}

#[cfg(test)]
mod tests {
    use super::Parameters;

    fn pairs(text: &str) -> String {
        match Parameters::parse(text) {
            Ok(found) => found.to_pairs(),
            Err(error) => error.message,
        }
    }

    #[test]
    fn urls_are_split_as_libpq_does() {
        for (url, expected) in [
            ("postgresql://", ""),
            ("postgres://h", "host='h'"),
            ("postgresql:///x", "dbname='x'"),
            (
                "postgresql://a%40b:p%2Fw@h:1/x%20y",
                r"user='a@b' password='p/w' host='h' port='1' dbname='x y'",
            ),
            (
                "postgresql://a:p@w@h/x",
                "user='a' password='p' host='w@h' dbname='x'",
            ),
            ("postgresql://a:1,b/x", "host='a,b' port='1,' dbname='x'"),
            (
                "postgresql://[::1]:7,[fe80::1]/x",
                "host='::1,fe80::1' port='7,' dbname='x'",
            ),
            ("postgresql://%2Frun%2Fpg/x", "host='/run/pg' dbname='x'"),
            (
                "postgresql://h?user=ada&ssl=true",
                "host='h' user='ada' sslmode='require'",
            ),
            ("postgresql://h/x?host=other", "dbname='x' host='other'"),
            ("postgresql://h:/x", "host='h' dbname='x'"),
        ] {
            assert_eq!(pairs(url), expected, "{url}");
        }
    }

    #[test]
    fn pairs_have_spaces_quotes_and_escapes() {
        for (text, expected) in [
            ("", ""),
            ("host = db  port= 6000 ", "host='db' port='6000'"),
            (
                r"password='a \'b\' \\ c' user=d\ e",
                r"password='a \'b\' \\ c' user='d e'",
            ),
            ("host='' dbname=x", "host='' dbname='x'"),
            ("host=a host=b", "host='b'"),
        ] {
            assert_eq!(pairs(text), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_split_is_named() {
        for (text, word) in [
            ("nonsense", "\"nonsense\""),
            ("host=a b", "\"b\""),
            ("host='a", "quote"),
            ("postgresql://[::1/x", "]"),
            ("postgresql://[::1]x/y", "\"x\""),
            ("postgresql://h/%zz", "%zz"),
            ("postgresql://h/%00", "%00"),
            ("postgresql://h/%é", "%é"),
            ("postgresql://h/x?sslmode", "\"sslmode\""),
        ] {
            let said = pairs(text);
            assert!(said.starts_with("the connection string is wrong"), "{said}");
            assert!(said.contains(word), "{said}");
        }
    }
}
