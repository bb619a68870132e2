//! The merges of two neighbouring runs: upwards where the left one is the shorter, else downwards.

use super::{At, GALLOP, MergeRuns, Pair, Run, Search};

impl MergeRuns {
    /// Merges run `at` with the one above it.
    pub(super) fn merge(&mut self, at: usize) -> Option<Pair> {
        (self.a, self.b) = (self.runs[at], self.runs[at + 1]);
        self.runs[at].length += self.b.length;
        self.runs.remove(at + 1);
        self.find_behind(Search::Head, self.b.base, self.a, 0)
    }

    pub(super) fn head_found<T: Copy>(&mut self, items: &mut [T], place: isize) -> Option<Pair> {
        self.a.base += place;
        self.a.length -= place;
        if self.a.length == 0 {
            return self.collapse(items);
        }
        let key = self.a.base + self.a.length - 1;
        self.find_before(Search::Tail, key, self.b, self.b.length - 1)
    }

    pub(super) fn tail_found<T: Copy>(&mut self, items: &mut [T], place: isize) -> Option<Pair> {
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

    pub(super) fn up<T: Copy>(&mut self, items: &mut [T], less: bool) -> Option<Pair> {
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

    pub(super) fn up_left_found<T: Copy>(&mut self, items: &mut [T], place: isize) -> Option<Pair> {
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

    pub(super) fn up_right_found<T: Copy>(
        &mut self,
        items: &mut [T],
        place: isize,
    ) -> Option<Pair> {
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

    pub(super) fn down<T: Copy>(&mut self, items: &mut [T], less: bool) -> Option<Pair> {
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

    pub(super) fn down_left_found<T: Copy>(
        &mut self,
        items: &mut [T],
        place: isize,
    ) -> Option<Pair> {
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

    pub(super) fn down_right_found<T: Copy>(
        &mut self,
        items: &mut [T],
        place: isize,
    ) -> Option<Pair> {
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
}
