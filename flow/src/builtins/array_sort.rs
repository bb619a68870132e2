//! `sort` and `toSorted`: a stable merge sort whose comparisons may be functions of the program.
//!
//! A comparator may be inconsistent; then the order is any, but nothing is lost and nothing panics.

use std::cmp::Ordering;
use std::rc::Rc;

use super::array::receiver;
use super::{Builtin, stepped};
use crate::error::Throw;
use crate::value::object::{Integrity, Key};
use crate::value::{Body, Ref, Value};
use crate::vm::cx::{Cx, Native, Step};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    stepped("Array.prototype.sort", 1, 1, 7, sort),
    stepped("Array.prototype.toSorted", 1, 1, 7, to_sorted),
];

const COMPARATOR: usize = 1;
/// The runs of the last round, and where they are merged to.
const FROM: usize = 2;
const TO: usize = 3;
/// The length of a run.
const WIDTH: usize = 4;
/// Where the two runs that are being merged begin.
const LOW: usize = 5;
/// The next of the left and of the right run.
const LEFT: usize = 6;
const RIGHT: usize = 7;
/// How many elements behind the sorted ones are `undefined`.
const UNDEFINED: usize = 8;

/// `[3, 1, 2].sort((a, b) => a - b)` → `[1, 2, 3]`, the same array.
fn sort(cx: &mut Cx<'_>, frame: Native, input: Value) -> Result<Step, Throw> {
    merge_sort(cx, frame, input, true)
}

/// `[3, 1, 2].toSorted()` → `[1, 2, 3]`, a new array.
fn to_sorted(cx: &mut Cx<'_>, frame: Native, input: Value) -> Result<Step, Throw> {
    merge_sort(cx, frame, input, false)
}

fn number(cx: &Cx<'_>, frame: Native, register: usize) -> usize {
    match cx.reg(frame, register) {
        Value::Number(number) => number as usize,
        _ => 0,
    }
}

fn array(cx: &Cx<'_>, frame: Native, register: usize) -> Result<Ref, Throw> {
    match cx.reg(frame, register) {
        Value::Object(at) => Ok(at),
        _ => Err(Throw::fault("array of a sort")),
    }
}

fn merge_sort(cx: &mut Cx<'_>, frame: Native, input: Value, in_place: bool) -> Result<Step, Throw> {
    if frame.state == 0 {
        begin(cx, frame, in_place)?;
    } else {
        // More than zero: the right one goes first. NaN counts as zero.
        let order = cx.heap.to_number(input)?;
        take(cx, frame, order > 0.0)?;
    }
    let comparator = cx.reg(frame, COMPARATOR);
    loop {
        cx.work(1)?;
        let from = array(cx, frame, FROM)?;
        let length = cx.heap.items(from).map_or(0, <[Value]>::len);
        let (width, low) = (number(cx, frame, WIDTH), number(cx, frame, LOW));
        if width >= length {
            return finish(cx, frame, in_place).map(Step::Return);
        }
        if low >= length {
            // The round is over: what was merged is merged again, in runs of twice the length.
            let (from, to) = (cx.reg(frame, FROM), cx.reg(frame, TO));
            cx.set_reg(frame, FROM, to);
            cx.set_reg(frame, TO, from);
            cx.set_reg(frame, WIDTH, Value::from(width * 2));
            start_runs(cx, frame, 0, width * 2, length);
            continue;
        }
        let (middle, high) = ((low + width).min(length), (low + 2 * width).min(length));
        let (left, right) = (number(cx, frame, LEFT), number(cx, frame, RIGHT));
        if left < middle && right < high {
            let items = cx.heap.items(from).unwrap_or_default();
            let pair = [items[left], items[right]];
            return Ok(Step::call(comparator, &pair, 1));
        }
        // One run is used up: the rest of the other follows.
        let rest = if left < middle {
            left..middle
        } else {
            right..high
        };
        cx.work(rest.len())?;
        let start = low + (left - low) + (right - middle);
        let items = cx.heap.items(from).unwrap_or_default()[rest].to_vec();
        let to = array(cx, frame, TO)?;
        if let Body::Array(to) = cx.heap.body_mut(to) {
            to.items[start..start + items.len()].copy_from_slice(&items);
        }
        start_runs(cx, frame, high, width, length);
    }
}

/// Begins with the two runs at `low`; the last one may be short, or missing.
fn start_runs(cx: &mut Cx<'_>, frame: Native, low: usize, width: usize, length: usize) {
    cx.set_reg(frame, LOW, Value::from(low));
    cx.set_reg(frame, LEFT, Value::from(low));
    cx.set_reg(frame, RIGHT, Value::from((low + width).min(length)));
}

fn begin(cx: &mut Cx<'_>, frame: Native, in_place: bool) -> Result<(), Throw> {
    let (at, length) = receiver(
        cx,
        cx.reg(frame, 0),
        if in_place { "sort" } else { "toSorted" },
    )?;
    let comparator = cx.reg(frame, COMPARATOR);
    if !comparator.is_undefined() && !cx.heap.is_callable(comparator) {
        let what = cx.told(comparator);
        return Err(Throw::type_error(format!(
            "The comparison function must be either a function or undefined: {what}"
        )));
    }
    cx.work(length)?;
    cx.heap.meter.charge(length * 32)?;
    let items = cx.heap.items(at).unwrap_or_default();
    // Holes come last in `sort`, and are `undefined` in `toSorted`.
    let undefined = |item: &&Value| item.is_undefined() || (!in_place && item.is_empty());
    let behind = items.iter().filter(undefined).count();
    let is_value = |item: &&Value| !item.is_undefined() && !item.is_empty();
    let mut wanted: Vec<Value> = items.iter().filter(is_value).copied().collect();
    if comparator.is_undefined() {
        // Sorted by their strings, which are made once; the values come back by their index.
        wanted = sorted_by_text(cx, wanted)?;
    }
    let count = wanted.len();
    let room = vec![Value::Undefined; count];
    let width = if comparator.is_undefined() {
        count.max(1)
    } else {
        1
    };
    let from = cx.heap.array(wanted);
    let to = cx.heap.array(room);
    cx.set_reg(frame, FROM, from);
    cx.set_reg(frame, TO, to);
    cx.set_reg(frame, WIDTH, Value::from(width));
    cx.set_reg(frame, UNDEFINED, Value::from(behind));
    start_runs(cx, frame, 0, width, count);
    Ok(())
}

/// An element, and its text.
type Keyed = (Rc<[u16]>, Value);

/// Texts of so many units pay for being compared.
const LONG: usize = 256;

/// The default order needs no function of the program: strings are in a total order.
fn sorted_by_text(cx: &mut Cx<'_>, items: Vec<Value>) -> Result<Vec<Value>, Throw> {
    let mut keyed: Vec<Keyed> = Vec::with_capacity(items.len());
    let mut longest = 0;
    // One element needs no order, and so no text: it may have none.
    if items.len() < 2 {
        return Ok(items);
    }
    for item in items {
        cx.work(1)?;
        let units = cx.units(item)?;
        longest = longest.max(units.len());
        keyed.push((units, item));
    }
    cx.work(keyed.len() * (keyed.len().max(2).ilog2() as usize))?;
    if longest < LONG {
        keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
    } else {
        keyed = sorted_by_long_text(cx, keyed)?;
    }
    Ok(keyed.into_iter().map(|(_, item)| item).collect())
}

/// As the sort of Rust, but the comparisons pay for the units that they look at, and can be interrupted.
fn sorted_by_long_text(cx: &mut Cx<'_>, mut from: Vec<Keyed>) -> Result<Vec<Keyed>, Throw> {
    let mut width = 1;
    while width < from.len() {
        let mut to = Vec::with_capacity(from.len());
        for runs in from.chunks(width * 2) {
            let (mut left, mut right) = runs.split_at(width.min(runs.len()));
            while let (Some(a), Some(b)) = (left.first(), right.first()) {
                if compare_long(cx, &a.0, &b.0)?.is_gt() {
                    to.push(b.clone());
                    right = &right[1..];
                } else {
                    to.push(a.clone());
                    left = &left[1..];
                }
            }
            to.extend_from_slice(left);
            to.extend_from_slice(right);
        }
        from = to;
        width *= 2;
    }
    Ok(from)
}

fn compare_long(cx: &mut Cx<'_>, a: &Rc<[u16]>, b: &Rc<[u16]>) -> Result<Ordering, Throw> {
    if Rc::ptr_eq(a, b) {
        return Ok(Ordering::Equal);
    }
    for (a, b) in a.chunks(LONG).zip(b.chunks(LONG)) {
        cx.work(a.len().min(b.len()) / 16)?;
        if a != b {
            return Ok(a.cmp(b));
        }
    }
    // One begins with the other.
    Ok(a.len().cmp(&b.len()))
}

/// Takes the next element of the right or left run.
fn take(cx: &mut Cx<'_>, frame: Native, right_first: bool) -> Result<(), Throw> {
    let (from, to) = (array(cx, frame, FROM)?, array(cx, frame, TO)?);
    let (left, right) = (number(cx, frame, LEFT), number(cx, frame, RIGHT));
    let low = number(cx, frame, LOW);
    let length = cx.heap.items(from).map_or(0, <[Value]>::len);
    let middle = (low + number(cx, frame, WIDTH)).min(length);
    let taken = if right_first { right } else { left };
    let item = cx
        .heap
        .items(from)
        .and_then(|items| items.get(taken))
        .copied();
    let place = left + right - middle;
    if let (Some(item), Body::Array(to)) = (item, cx.heap.body_mut(to))
        && let Some(slot) = to.items.get_mut(place)
    {
        *slot = item;
    }
    if right_first {
        cx.set_reg(frame, RIGHT, Value::from(right + 1));
    } else {
        cx.set_reg(frame, LEFT, Value::from(left + 1));
    }
    Ok(())
}

fn finish(cx: &mut Cx<'_>, frame: Native, in_place: bool) -> Result<Value, Throw> {
    let from = array(cx, frame, FROM)?;
    let mut items = cx
        .heap
        .items(from)
        .map(<[Value]>::to_vec)
        .unwrap_or_default();
    items.resize(items.len() + number(cx, frame, UNDEFINED), Value::Undefined);
    cx.heap.meter.charge(items.len() * 16)?;
    if !in_place {
        return Ok(cx.heap.array(items));
    }
    let this = cx.reg(frame, 0);
    let (at, _) = receiver(cx, this, "sort")?;
    if let Body::Array(array) = cx.heap.body_mut(at) {
        let length = array.items.len().max(items.len());
        items.resize(length, Value::Empty);
        if array.integrity() == Integrity::Open {
            array.items = items;
            return Ok(this);
        }
    }
    if items.len() < 2 {
        return Ok(this);
    }
    for (index, item) in items.into_iter().enumerate() {
        let key = Key::Index(index as u32);
        if item.is_empty() {
            cx.delete(this, key)?;
        } else {
            cx.set(this, key, item)?;
        }
    }
    Ok(this)
}
