//! Sets of characters as ascending ranges, with a bitmap for the most frequent ones.

/// The last code point.
pub(super) const LAST: u32 = 0x10_FFFF;

/// A set that is being made: ranges in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(pub(super) Vec<(u32, u32)>);

impl Ranges {
    pub(super) fn of(ranges: &[(u32, u32)]) -> Self {
        Self(ranges.to_vec())
    }

    pub(super) fn add(&mut self, first: u32, last: u32) {
        self.0.push((first, last));
    }

    pub(super) fn extend(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// Sorts, and joins what touches.
    pub(super) fn tidy(&mut self) {
        self.0.sort_unstable();
        let mut kept: Vec<(u32, u32)> = Vec::with_capacity(self.0.len());
        for (first, last) in self.0.drain(..) {
            match kept.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => {
                    before.1 = before.1.max(last);
                }
                _ => kept.push((first, last)),
            }
        }
        self.0 = kept;
    }

    /// All other code points. Expects tidy ranges.
    pub(super) fn inverted(&self) -> Self {
        let mut others = Vec::with_capacity(self.0.len() + 1);
        let mut next = 0;
        for (first, last) in &self.0 {
            if *first > next {
                others.push((next, first - 1));
            }
            next = last + 1;
        }
        if next <= LAST {
            others.push((next, LAST));
        }
        Self(others)
    }

    /// Whether a code point is in tidy ranges.
    pub(super) fn has(&self, point: u32) -> bool {
        let behind = self.0.partition_point(|(first, _)| *first <= point);
        behind > 0 && self.0[behind - 1].1 >= point
    }

    /// How many code points there are in tidy ranges.
    pub(super) fn count(&self) -> usize {
        self.0
            .iter()
            .map(|(first, last)| (last - first + 1) as usize)
            .sum()
    }

    pub(super) fn points(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flat_map(|(first, last)| *first..=*last)
    }
}

/// A set as the machine uses it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Set {
    /// The first 256 code points.
    low: [u64; 4],
    /// All others.
    high: Box<[(u32, u32)]>,
}

impl Set {
    /// A set of tidy ranges.
    pub(super) fn new(ranges: &Ranges) -> Self {
        let mut low = [0u64; 4];
        let mut high = Vec::new();
        for (first, last) in &ranges.0 {
            for point in *first..=(*last).min(255) {
                low[point as usize / 64] |= 1 << (point % 64);
            }
            if *last > 255 {
                high.push(((*first).max(256), *last));
            }
        }
        Self {
            low,
            high: high.into(),
        }
    }

    #[inline]
    pub(super) fn has(&self, point: u32) -> bool {
        match self.low.get(point as usize / 64) {
            Some(bits) => bits >> (point % 64) & 1 != 0,
            None => {
                let behind = self.high.partition_point(|(first, _)| *first <= point);
                behind > 0 && self.high[behind - 1].1 >= point
            }
        }
    }

    /// The first 256 code points, and whether there are others.
    pub(super) fn low(&self) -> ([u64; 4], bool) {
        (self.low, !self.high.is_empty())
    }

    /// How many ranges it has.
    pub(super) fn size(&self) -> usize {
        self.high.len()
    }
}
