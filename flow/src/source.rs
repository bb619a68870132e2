//! Source text and positions in it. Knows nothing of the language.

/// A half-open byte range of a source text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

impl Span {
    /// Returns the span from `start` up to, not including, `end`.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        // Sources are limited to far less than 4 GiB by the parser.
        Self {
            start: start as u32,
            end: end as u32,
        }
    }

    /// Returns the smallest span that covers both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }
}

/// A named source text with an index of its lines.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    text: String,
    line_starts: Vec<u32>,
    /// How many UTF-16 units are in front of each full `STRIDE` bytes, or of the letter that is cut there.
    units: Vec<u32>,
}

/// How many bytes are counted at most to know a column, about: a line may be the whole text.
const STRIDE: usize = 512;

/// A position as editors show it: both count from 1, the column in UTF-16 units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in UTF-16 units, from 1.
    pub column: u32,
}

impl Source {
    /// Indexes the lines of `text`. `name` is what messages call the file.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at as u32 + 1))
            .collect();
        let units = count_units(&text);
        Self {
            name: name.into(),
            text,
            line_starts,
            units,
        }
    }

    /// The name that messages use.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of a span.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text
            .get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    }

    /// The text of a span as a hint repeats it: if it is one line of at most `most` letters.
    pub(crate) fn quote(&self, span: Span, most: usize) -> Option<&str> {
        let text = self.slice(span);
        (text.chars().count() <= most && !text.contains('\n')).then_some(text)
    }

    /// The line of a byte offset, from 1. Cheaper than `position`, which has to count the column.
    #[must_use]
    pub fn line_of(&self, offset: u32) -> u32 {
        self.line_starts
            .partition_point(|start| *start <= offset)
            .max(1) as u32
    }

    /// The line and column of a byte offset.
    #[must_use]
    pub fn position(&self, offset: u32) -> Position {
        let line = self.line_of(offset);
        let (start, end) = (self.line_start(line) as usize, offset as usize);
        let before = if end - start <= STRIDE {
            let text = self.text.get(start..end).unwrap_or_default();
            text.encode_utf16().count() as u32
        } else {
            self.units_before(end) - self.units_before(start)
        };
        Position {
            line,
            column: before + 1,
        }
    }

    /// How many UTF-16 units are in front of a byte.
    fn units_before(&self, offset: usize) -> u32 {
        let offset = offset.min(self.text.len());
        let stride = offset / STRIDE;
        let start = self.text.floor_char_boundary(stride * STRIDE);
        let rest = self.text.get(start..offset).unwrap_or_default();
        self.units[stride] + rest.encode_utf16().count() as u32
    }

    /// The byte offset at which a line (from 1) starts.
    #[must_use]
    pub fn line_start(&self, line: u32) -> u32 {
        let index = (line as usize).saturating_sub(1);
        self.line_starts.get(index).copied().unwrap_or_default()
    }

    /// The text of a line (from 1) without its line break; empty for a line that is not there.
    #[must_use]
    pub fn line(&self, line: u32) -> &str {
        let index = line as usize;
        let Some(start) = index.checked_sub(1).and_then(|i| self.line_starts.get(i)) else {
            return "";
        };
        let end = self
            .line_starts
            .get(index)
            .map_or(self.text.len(), |next| *next as usize);
        self.text[*start as usize..end].trim_end_matches(['\n', '\r'])
    }
}

fn count_units(text: &str) -> Vec<u32> {
    let mut units = Vec::with_capacity(text.len() / STRIDE + 1);
    let (mut start, mut count) = (0, 0);
    for stride in 0..=text.len() / STRIDE {
        let end = text.floor_char_boundary(stride * STRIDE);
        count += text[start..end].encode_utf16().count() as u32;
        units.push(count);
        start = end;
    }
    units
}

#[cfg(test)]
mod tests {
    use super::{STRIDE, Source};

    #[test]
    fn columns_count_utf16_units_in_lines_of_any_length() {
        for letter in ["a", "é", "€", "😀"] {
            for before in ["", "\n", "first\n", &"é\n".repeat(STRIDE)] {
                let line = letter.repeat(3 * STRIDE);
                let source = Source::new("a.flow", format!("{before}x{line}\nlast"));
                let mut expected = 1;
                for (at, char) in source.text()[before.len()..].char_indices() {
                    if char == '\n' {
                        break;
                    }
                    let position = source.position((before.len() + at) as u32);
                    assert_eq!(position.column, expected, "{letter} at {at}");
                    expected += char.len_utf16() as u32;
                }
                let end = source.position(source.text().len() as u32);
                assert_eq!(end.column, 5);
            }
        }
        assert_eq!(Source::new("", "").position(0).column, 1);
    }
}
