//! The order in which `sort` compares: V8's, step by step, so that a comparator is called with the same pairs and one
//! that contradicts itself gives the same result. Knows neither values nor functions: it moves elements in a slice,
//! asks for one comparison at a time, and can wait for its answer as long as it likes.
//!
//! The method is Timsort: runs that are in order already are found and lengthened to a least length by binary
//! insertion; a stack of them is merged so that lengths stay balanced; where one run wins again and again, a merge
//! gallops through it. The slice has room behind the elements, where a merge keeps the shorter of its runs.

mod merge;
mod search;

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
