//! The bytes of programs and saves: numbers of variable length, and a reader that never trusts them.

/// Writes bytes.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    /// What was written.
    pub(crate) bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// A number, seven bits a byte.
    pub(crate) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    pub(crate) fn size(&mut self, size: usize) {
        self.number(size as u64);
    }

    /// A number of either sign.
    pub(crate) fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)) as u64);
    }

    pub(crate) fn double(&mut self, number: f64) {
        self.bytes
            .extend_from_slice(&number.to_bits().to_le_bytes());
    }

    /// UTF-16 units: Latin-1 as a byte each, others as two.
    pub(crate) fn units(&mut self, units: &[u16]) {
        let narrow = units.iter().all(|unit| *unit < 0x100);
        self.number((units.len() as u64) << 1 | u64::from(!narrow));
        if narrow {
            self.bytes.extend(units.iter().map(|unit| *unit as u8));
        } else {
            self.bytes
                .extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        }
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.size(text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }
}

/// Reads bytes. `None` where they end or make no sense.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    /// Takes bytes off the end.
    pub(crate) fn drop_last(&mut self, count: usize) -> Option<&'a [u8]> {
        let (rest, last) = self.bytes.split_at(self.bytes.len().checked_sub(count)?);
        self.bytes = rest;
        Some(last)
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub(crate) fn index(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    /// A number of things that follow, each of at least one byte: no damaged size reserves memory.
    pub(crate) fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.left()).then_some(count)
    }

    pub(crate) fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub(crate) fn double(&mut self) -> Option<f64> {
        let bytes = self.take(8)?.try_into().ok()?;
        Some(f64::from_bits(u64::from_le_bytes(bytes)))
    }

    pub(crate) fn units(&mut self) -> Option<Vec<u16>> {
        let head = self.number()?;
        let count = usize::try_from(head >> 1).ok()?;
        if head & 1 == 0 {
            return Some(
                self.take(count)?
                    .iter()
                    .map(|byte| u16::from(*byte))
                    .collect(),
            );
        }
        let bytes = self.take(count.checked_mul(2)?)?;
        Some(
            bytes
                .chunks_exact(2)
                .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
                .collect(),
        )
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        let count = self.count()?;
        String::from_utf8(self.take(count)?.to_vec()).ok()
    }
}
