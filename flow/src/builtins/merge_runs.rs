//! The order in which `sort` compares: V8's, step by step, so that a comparator is called with the same pairs and one
//! that contradicts itself gives the same result. Knows neither values nor functions: it moves elements in a slice,
//! asks for one comparison at a time, and can wait for its answer as long as it likes.
//!
//! The method is Timsort: runs that are in order already are found and lengthened to a least length by binary
//! insertion; a stack of them is merged so that lengths stay balanced; where one run wins again and again, a merge
//! gallops through it. The slice has room behind the elements, where a merge keeps the shorter of its runs.

/// So many wins in a row begin a gallop, and keep it going.
const GALLOP: isize = 7;

/// Which answer is awaited.
#[derive(Clone, Copy, Debug)]
enum At {
    /// Nothing was asked yet.
    Start,
    /// The first two elements of a run.
    RunBegin,
    /// An element of a run and the one before it.
    RunNext,
    /// The element that is inserted, and one in the middle of where it may belong.
    Insert,
    /// A search: the element at the hint, at growing distances from it, between the last two of these.
    Hint,
    Leap,
    Narrow,
    /// A merge that goes upwards, and one that goes downwards.
    Up,
    Down,
}

/// Who searches.
#[derive(Clone, Copy, Debug)]
enum Search {
    /// A merge, for what of its runs is in place already.
    Head,
    Tail,
    /// A merge that gallops: in the left and in the right run.
    UpLeft,
    UpRight,
    DownLeft,
    DownRight,
}

/// A run in order: where it begins, and its length.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    base: isize,
    length: isize,
}

/// A search for the place of `key` in a run. The distances count from `base`, as soon as they have narrowed.
#[derive(Clone, Copy, Debug)]
struct Gallop {
    who: Search,
    key: isize,
    base: isize,
    length: isize,
    hint: isize,
    /// Whether it wants the place behind elements that are equal.
    behind: bool,
    upwards: bool,
    most: isize,
    last: isize,
    offset: isize,
}

/// A pair of places whose elements are to be compared.
pub(super) type Pair = (usize, usize);

/// A sort that is under way.
#[derive(Clone, Debug)]
pub(super) struct MergeRuns {
    at: At,
    length: isize,
    /// The least length of a run.
    least: isize,
    /// Where the run begins that is made, and how far it reaches.
    low: isize,
    next: isize,
    descends: bool,
    /// Where an inserted element may belong.
    left: isize,
    right: isize,
    runs: Vec<Run>,
    /// Whether all runs were found.
    closing: bool,
    gallop: Gallop,
    /// So many wins begin a gallop just now.
    least_wins: isize,
    a: Run,
    b: Run,
    wins_a: isize,
    wins_b: isize,
    /// Of a merge: where the next element goes, and where the next of each run is.
    to: isize,
    from_a: isize,
    from_b: isize,
    /// How many elements were moved since the last answer.
    moved: usize,
}

impl MergeRuns {
    /// A sort of so many elements.
    pub(super) fn new(length: usize) -> Self {
        // Below 64, all of them; else what divides the length into about a power of two.
        let (mut least, mut odd) = (length, 0);
        while least >= 64 {
            odd |= least & 1;
            least >>= 1;
        }
        Self {
            at: At::Start,
            length: length as isize,
            least: (least + odd) as isize,
            low: 0,
            next: 0,
            descends: false,
            left: 0,
            right: 0,
            runs: Vec::new(),
            closing: false,
            gallop: Gallop {
                who: Search::Head,
                key: 0,
                base: 0,
                length: 0,
                hint: 0,
                behind: false,
                upwards: false,
                most: 0,
                last: 0,
                offset: 0,
            },
            least_wins: GALLOP,
            a: Run::default(),
            b: Run::default(),
            wins_a: 0,
            wins_b: 0,
            to: 0,
            from_a: 0,
            from_b: 0,
            moved: 0,
        }
    }

    /// How many places the slice needs for so many elements.
    pub(super) fn room(length: usize) -> usize {
        length + length / 2
    }

    /// How many elements were moved since this was asked the last time.
    pub(super) fn take_moved(&mut self) -> usize {
        std::mem::take(&mut self.moved)
    }

    /// Goes on with the answer, whether the first of the pair is less than the second (at first: anything), to the
    /// next pair; none when all is in order.
    pub(super) fn answer<T: Copy>(&mut self, items: &mut [T], less: bool) -> Option<Pair> {
        match self.at {
            At::Start if self.length < 2 => None,
            At::Start => self.begin_run(items),
            At::RunBegin => {
                self.descends = less;
                self.next = self.low + 2;
                self.ask_next(items)
            }
            At::RunNext if less == self.descends => {
                self.next += 1;
                self.ask_next(items)
            }
            At::RunNext => self.end_run(items),
            At::Insert => {
                let middle = self.middle();
                if less {
                    self.right = middle;
                } else {
                    self.left = middle + 1;
                }
                if self.left < self.right {
                    return self.ask_insert();
                }
                let (left, place) = (self.left as usize, self.next as usize);
                items[left..=place].rotate_right(1);
                self.moved += place - left;
                self.next += 1;
                self.insert(items)
            }
            At::Hint | At::Leap | At::Narrow => self.search(items, less),
            At::Up => self.up(items, less),
            At::Down => self.down(items, less),
        }
    }

    fn ask(&mut self, at: At, first: isize, second: isize) -> Option<Pair> {
        self.at = at;
        Some((first as usize, second as usize))
    }

    fn copy<T: Copy>(&mut self, items: &mut [T], from: isize, to: isize, count: isize) {
        items.copy_within(from as usize..(from + count) as usize, to as usize);
        self.moved += count as usize;
    }

    // Runs.

    fn begin_run<T: Copy>(&mut self, items: &mut [T]) -> Option<Pair> {
        self.next = self.low + 1;
        self.descends = false;
        if self.next == self.length {
            return self.end_run(items);
        }
        self.ask(At::RunBegin, self.low + 1, self.low)
    }

    fn ask_next<T: Copy>(&mut self, items: &mut [T]) -> Option<Pair> {
        if self.next == self.length {
            return self.end_run(items);
        }
        self.ask(At::RunNext, self.next, self.next - 1)
    }

    /// The run reaches to `next`; if it is short, what follows is inserted.
    fn end_run<T: Copy>(&mut self, items: &mut [T]) -> Option<Pair> {
        if self.descends {
            items[self.low as usize..self.next as usize].reverse();
            self.moved += (self.next - self.low) as usize;
        }
        self.insert(items)
    }

    fn insert<T: Copy>(&mut self, items: &mut [T]) -> Option<Pair> {
        if self.next < self.length.min(self.low + self.least) {
            (self.left, self.right) = (self.low, self.next);
            return self.ask_insert();
        }
        self.runs.push(Run {
            base: self.low,
            length: self.next - self.low,
        });
        self.low = self.next;
        self.collapse(items)
    }

    fn middle(&self) -> isize {
        self.left + (self.right - self.left) / 2
    }

    fn ask_insert(&mut self) -> Option<Pair> {
        let middle = self.middle();
        self.ask(At::Insert, self.next, middle)
    }

    // The stack of runs.

    /// Whether a run is longer than the two above it together.
    fn outweighs(&self, top: usize) -> bool {
        let length = |at: usize| self.runs[at].length;
        top < 2 || length(top - 2) > length(top - 1) + length(top)
    }

    /// Merges runs whose lengths are out of balance, then finds the next one; at the end merges all.
    fn collapse<T: Copy>(&mut self, items: &mut [T]) -> Option<Pair> {
        let top = self.runs.len() - 1;
        let length = |at: usize| self.runs[at].length;
        if top >= 1 {
            let lopsided = !self.outweighs(top) || !self.outweighs(top - 1);
            if self.closing || lopsided {
                let lower = top >= 2 && length(top - 2) < length(top);
                return self.merge(top - 1 - usize::from(lower));
            }
            if length(top - 1) <= length(top) {
                return self.merge(top - 1);
            }
        }
        if self.low < self.length {
            return self.begin_run(items);
        }
        self.closing = true;
        // With more than one run left, this merges.
        if top >= 1 { self.collapse(items) } else { None }
    }

    // Merges.

    /// Merges run `at` with the one above it.
    fn merge(&mut self, at: usize) -> Option<Pair> {
        (self.a, self.b) = (self.runs[at], self.runs[at + 1]);
        self.runs[at].length += self.b.length;
        self.runs.remove(at + 1);
        self.find_behind(Search::Head, self.b.base, self.a, 0)
    }

    fn head_found<T: Copy>(&mut self, items: &mut [T], place: isize) -> Option<Pair> {
        self.a.base += place;
        self.a.length -= place;
        if self.a.length == 0 {
            return self.collapse(items);
        }
        let key = self.a.base + self.a.length - 1;
        self.find_before(Search::Tail, key, self.b, self.b.length - 1)
    }

    fn tail_found<T: Copy>(&mut self, items: &mut [T], place: isize) -> Option<Pair> {
        self.b.length = place;
        if place == 0 {
            return self.collapse(items);
        }
        (self.wins_a, self.wins_b) = (0, 0);
        if self.a.length <= self.b.length {
            self.begin_up(items)
        } else {
            self.begin_down(items)
        }
    }

    /// Where the copy of the shorter run begins.
    fn spare(&self) -> isize {
        self.length
    }

    fn begin_up<T: Copy>(&mut self, items: &mut [T]) -> Option<Pair> {
        self.copy(items, self.a.base, self.spare(), self.a.length);
        (self.to, self.from_a, self.from_b) = (self.a.base, self.spare(), self.b.base);
        self.up_take_b(items);
        if self.b.length == 0 {
            return self.end_up(items);
        }
        self.up_unless_last(items)
    }

    fn up_take_a<T: Copy>(&mut self, items: &mut [T]) {
        items[self.to as usize] = items[self.from_a as usize];
        self.to += 1;
        self.from_a += 1;
        self.a.length -= 1;
    }

    fn up_take_b<T: Copy>(&mut self, items: &mut [T]) {
        items[self.to as usize] = items[self.from_b as usize];
        self.to += 1;
        self.from_b += 1;
        self.b.length -= 1;
    }

    /// The last element of the left run belongs at the end: it needs no comparison.
    fn up_unless_last<T: Copy>(&mut self, items: &mut [T]) -> Option<Pair> {
        if self.a.length != 1 {
            return self.ask(At::Up, self.from_b, self.from_a);
        }
        self.copy(items, self.from_b, self.to, self.b.length);
        items[(self.to + self.b.length) as usize] = items[self.from_a as usize];
        self.collapse(items)
    }

    fn end_up<T: Copy>(&mut self, items: &mut [T]) -> Option<Pair> {
        self.copy(items, self.from_a, self.to, self.a.length);
        self.collapse(items)
    }

    fn up<T: Copy>(&mut self, items: &mut [T], less: bool) -> Option<Pair> {
        if less {
            self.up_take_b(items);
            (self.wins_a, self.wins_b) = (0, self.wins_b + 1);
            if self.b.length == 0 {
                return self.end_up(items);
            }
        } else {
            self.up_take_a(items);
            (self.wins_a, self.wins_b) = (self.wins_a + 1, 0);
            if self.a.length == 1 {
                return self.up_unless_last(items);
            }
        }
        if self.wins_a.max(self.wins_b) >= self.least_wins {
            return self.gallop_up();
        }
        self.up_unless_last(items)
    }

    fn gallop_up(&mut self) -> Option<Pair> {
        let run = Run {
            base: self.from_a,
            length: self.a.length,
        };
        self.find_behind(Search::UpLeft, self.from_b, run, 0)
    }

    fn up_left_found<T: Copy>(&mut self, items: &mut [T], place: isize) -> Option<Pair> {
        self.wins_a = place;
        self.copy(items, self.from_a, self.to, place);
        self.to += place;
        self.from_a += place;
        self.a.length -= place;
        if place > 0 && self.a.length == 1 {
            return self.up_unless_last(items);
        }
        // Only a comparator that contradicts itself comes here.
        if self.a.length == 0 {
            return self.end_up(items);
        }
        self.up_take_b(items);
        if self.b.length == 0 {
            return self.end_up(items);
        }
        let run = Run {
            base: self.from_b,
            length: self.b.length,
        };
        self.find_before(Search::UpRight, self.from_a, run, 0)
    }

    fn up_right_found<T: Copy>(&mut self, items: &mut [T], place: isize) -> Option<Pair> {
        self.wins_b = place;
        self.copy(items, self.from_b, self.to, place);
        self.to += place;
        self.from_b += place;
        self.b.length -= place;
        if self.b.length == 0 {
            return self.end_up(items);
        }
        self.up_take_a(items);
        if self.a.length == 1 {
            return self.up_unless_last(items);
        }
        if self.goes_on_galloping() {
            return self.gallop_up();
        }
        self.up_unless_last(items)
    }

    /// The longer a gallop lasts, the sooner the next one begins.
    fn goes_on_galloping(&mut self) -> bool {
        if self.wins_a.max(self.wins_b) >= GALLOP {
            self.least_wins = (self.least_wins - 1).max(1);
            return true;
        }
        self.least_wins += 1;
        (self.wins_a, self.wins_b) = (0, 0);
        false
    }

    fn begin_down<T: Copy>(&mut self, items: &mut [T]) -> Option<Pair> {
        self.copy(items, self.b.base, self.spare(), self.b.length);
        self.to = self.b.base + self.b.length - 1;
        self.from_a = self.a.base + self.a.length - 1;
        self.from_b = self.spare() + self.b.length - 1;
        self.down_take_a(items);
        if self.a.length == 0 {
            return self.end_down(items);
        }
        self.down_unless_last(items)
    }

    fn down_take_a<T: Copy>(&mut self, items: &mut [T]) {
        items[self.to as usize] = items[self.from_a as usize];
        self.to -= 1;
        self.from_a -= 1;
        self.a.length -= 1;
    }

    fn down_take_b<T: Copy>(&mut self, items: &mut [T]) {
        items[self.to as usize] = items[self.from_b as usize];
        self.to -= 1;
        self.from_b -= 1;
        self.b.length -= 1;
    }

    /// The first element of the right run belongs in front: it needs no comparison.
    fn down_unless_last<T: Copy>(&mut self, items: &mut [T]) -> Option<Pair> {
        if self.b.length != 1 {
            return self.ask(At::Down, self.from_b, self.from_a);
        }
        self.to -= self.a.length;
        self.from_a -= self.a.length;
        self.copy(items, self.from_a + 1, self.to + 1, self.a.length);
        items[self.to as usize] = items[self.from_b as usize];
        self.collapse(items)
    }

    fn end_down<T: Copy>(&mut self, items: &mut [T]) -> Option<Pair> {
        let to = self.to - self.b.length + 1;
        self.copy(items, self.spare(), to, self.b.length);
        self.collapse(items)
    }

    fn down<T: Copy>(&mut self, items: &mut [T], less: bool) -> Option<Pair> {
        if less {
            self.down_take_a(items);
            (self.wins_a, self.wins_b) = (self.wins_a + 1, 0);
            if self.a.length == 0 {
                return self.end_down(items);
            }
        } else {
            self.down_take_b(items);
            (self.wins_a, self.wins_b) = (0, self.wins_b + 1);
            if self.b.length == 1 {
                return self.down_unless_last(items);
            }
        }
        if self.wins_a.max(self.wins_b) >= self.least_wins {
            return self.gallop_down();
        }
        self.down_unless_last(items)
    }

    fn gallop_down(&mut self) -> Option<Pair> {
        self.find_behind(Search::DownLeft, self.from_b, self.a, self.a.length - 1)
    }

    fn down_left_found<T: Copy>(&mut self, items: &mut [T], place: isize) -> Option<Pair> {
        self.wins_a = self.a.length - place;
        self.to -= self.wins_a;
        self.from_a -= self.wins_a;
        self.copy(items, self.from_a + 1, self.to + 1, self.wins_a);
        self.a.length = place;
        if place == 0 {
            return self.end_down(items);
        }
        self.down_take_b(items);
        if self.b.length == 1 {
            return self.down_unless_last(items);
        }
        let run = Run {
            base: self.spare(),
            length: self.b.length,
        };
        self.find_before(Search::DownRight, self.from_a, run, run.length - 1)
    }

    fn down_right_found<T: Copy>(&mut self, items: &mut [T], place: isize) -> Option<Pair> {
        self.wins_b = self.b.length - place;
        self.to -= self.wins_b;
        self.from_b -= self.wins_b;
        self.copy(items, self.from_b + 1, self.to + 1, self.wins_b);
        self.b.length = place;
        if self.wins_b > 0 && place == 1 {
            return self.down_unless_last(items);
        }
        // Only a comparator that contradicts itself comes here.
        if place == 0 {
            return self.end_down(items);
        }
        self.down_take_a(items);
        if self.a.length == 0 {
            return self.end_down(items);
        }
        if self.goes_on_galloping() {
            return self.gallop_down();
        }
        self.down_unless_last(items)
    }

    // Searches.

    /// Finds the place of a key in a run, behind elements that are equal.
    fn find_behind(&mut self, who: Search, key: isize, run: Run, hint: isize) -> Option<Pair> {
        self.find(who, key, run, hint, true)
    }

    /// Finds the place of a key in a run, in front of elements that are equal.
    fn find_before(&mut self, who: Search, key: isize, run: Run, hint: isize) -> Option<Pair> {
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

    fn search<T: Copy>(&mut self, items: &mut [T], less: bool) -> Option<Pair> {
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

/// The sorts that are under way, each with the number of frames up to its own. Comparators cannot wait, so there is
/// none between steps, and saves know nothing of them. A comparator that throws leaves its sort behind.
#[derive(Debug, Default)]
pub(crate) struct Sorts(Vec<(usize, MergeRuns)>);

impl Sorts {
    /// Begins a sort; those of frames that are gone are forgotten.
    pub(super) fn begin(&mut self, depth: usize, sort: MergeRuns) {
        self.0
            .truncate(self.0.partition_point(|(at, _)| *at < depth));
        self.0.push((depth, sort));
    }

    /// The sort of the frame at this depth.
    pub(super) fn at(&mut self, depth: usize) -> Option<&mut MergeRuns> {
        self.0
            .truncate(self.0.partition_point(|(at, _)| *at <= depth));
        let (at, sort) = self.0.last_mut()?;
        (*at == depth).then_some(sort)
    }

    /// Ends the sort that was asked for last.
    pub(super) fn end(&mut self) {
        self.0.pop();
    }
}
