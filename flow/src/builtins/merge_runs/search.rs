//! The search for a place in a run: from a hint in growing steps, then between the last two of them.

use super::{At, Gallop, MergeRuns, Pair, Run, Search};

impl MergeRuns {
    /// Finds the place of a key in a run, behind elements that are equal.
    pub(super) fn find_behind(
        &mut self,
        who: Search,
        key: isize,
        run: Run,
        hint: isize,
    ) -> Option<Pair> {
        self.find(who, key, run, hint, true)
    }

    /// Finds the place of a key in a run, in front of elements that are equal.
    pub(super) fn find_before(
        &mut self,
        who: Search,
        key: isize,
        run: Run,
        hint: isize,
    ) -> Option<Pair> {
        self.find(who, key, run, hint, false)
    }

    fn find(
        &mut self,
        who: Search,
        key: isize,
        run: Run,
        hint: isize,
        behind: bool,
    ) -> Option<Pair> {
        self.gallop = Gallop {
            who,
            key,
            base: run.base,
            length: run.length,
            hint,
            behind,
            upwards: false,
            most: 0,
            last: 0,
            offset: 1,
        };
        self.ask_key(At::Hint, hint)
    }

    /// The element comes first where the place is in front of those that are equal.
    fn ask_key(&mut self, at: At, place: isize) -> Option<Pair> {
        let (element, key) = (self.gallop.base + place, self.gallop.key);
        if self.gallop.behind {
            self.ask(at, key, element)
        } else {
            self.ask(at, element, key)
        }
    }

    pub(super) fn search<T: Copy>(&mut self, items: &mut [T], less: bool) -> Option<Pair> {
        // Whether the key belongs above the element.
        let above = less != self.gallop.behind;
        let gallop = &mut self.gallop;
        match self.at {
            At::Hint => {
                gallop.upwards = above;
                gallop.most = if above {
                    gallop.length - gallop.hint
                } else {
                    gallop.hint + 1
                };
                self.leap(items)
            }
            At::Leap if above == gallop.upwards => {
                gallop.last = gallop.offset;
                gallop.offset = gallop.offset.saturating_mul(2).saturating_add(1);
                self.leap(items)
            }
            At::Leap => self.begin_narrow(items),
            _ => {
                let middle = gallop.last + (gallop.offset - gallop.last) / 2;
                if above {
                    gallop.last = middle + 1;
                } else {
                    gallop.offset = middle;
                }
                self.narrow(items)
            }
        }
    }

    fn leap<T: Copy>(&mut self, items: &mut [T]) -> Option<Pair> {
        let gallop = &self.gallop;
        if gallop.offset >= gallop.most {
            return self.begin_narrow(items);
        }
        let place = if gallop.upwards {
            gallop.hint + gallop.offset
        } else {
            gallop.hint - gallop.offset
        };
        self.ask_key(At::Leap, place)
    }

    fn begin_narrow<T: Copy>(&mut self, items: &mut [T]) -> Option<Pair> {
        let gallop = &mut self.gallop;
        let offset = gallop.offset.min(gallop.most);
        (gallop.last, gallop.offset) = if gallop.upwards {
            (gallop.hint + gallop.last, gallop.hint + offset)
        } else {
            (gallop.hint - offset, gallop.hint - gallop.last)
        };
        gallop.last += 1;
        self.narrow(items)
    }

    fn narrow<T: Copy>(&mut self, items: &mut [T]) -> Option<Pair> {
        let Gallop {
            who, last, offset, ..
        } = self.gallop;
        if last < offset {
            return self.ask_key(At::Narrow, last + (offset - last) / 2);
        }
        match who {
            Search::Head => self.head_found(items, offset),
            Search::Tail => self.tail_found(items, offset),
            Search::UpLeft => self.up_left_found(items, offset),
            Search::UpRight => self.up_right_found(items, offset),
            Search::DownLeft => self.down_left_found(items, offset),
            Search::DownRight => self.down_right_found(items, offset),
        }
    }
}
