//! `sort` and `toSorted`, whose comparisons may be functions of the program. In which order these are called is the
//! matter of `merge_runs`.

use std::cmp::Ordering;
use std::rc::Rc;

use super::array::receiver;
use super::merge_runs::MergeRuns;
use super::{Builtin, stepped};
use crate::error::Throw;
use crate::value::object::{Integrity, Key};
use crate::value::{Body, Ref, Value};
use crate::vm::cx::{Cx, Native, Step};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    stepped("Array.prototype.sort", 1, 1, 4, sort),
    stepped("Array.prototype.toSorted", 1, 1, 3, to_sorted),
];

const COMPARATOR: usize = 1;
/// The elements that are sorted, and room behind them.
const WORK: usize = 2;
/// How many there are, and how many behind them are `undefined`.
const COUNT: usize = 3;
const UNDEFINED: usize = 4;
/// Of `sort` alone: how long the array was, holes included.
const LENGTH: usize = 5;

/// `[3, 1, 2].sort((a, b) => a - b)` → `[1, 2, 3]`, the same array.
fn sort(cx: &mut Cx<'_>, frame: Native, input: Value) -> Result<Step, Throw> {
    sorted(cx, frame, input, true)
}

/// `[3, 1, 2].toSorted()` → `[1, 2, 3]`, a new array.
fn to_sorted(cx: &mut Cx<'_>, frame: Native, input: Value) -> Result<Step, Throw> {
    sorted(cx, frame, input, false)
}

fn number(cx: &Cx<'_>, frame: Native, register: usize) -> usize {
    match cx.reg(frame, register) {
        Value::Number(number) => number as usize,
        _ => 0,
    }
}

fn work_array(cx: &Cx<'_>, frame: Native) -> Result<Ref, Throw> {
    match cx.reg(frame, WORK) {
        Value::Object(at) => Ok(at),
        _ => Err(Throw::fault("array of a sort")),
    }
}

fn sorted(cx: &mut Cx<'_>, frame: Native, input: Value, in_place: bool) -> Result<Step, Throw> {
    let less = if frame.state == 0 {
        begin(cx, frame, in_place)?;
        if cx.reg(frame, COMPARATOR).is_undefined() {
            return finish(cx, frame, in_place).map(Step::Return);
        }
        false
    } else {
        // NaN counts as zero.
        cx.heap.to_number(input)? < 0.0
    };
    let work = work_array(cx, frame)?;
    let depth = cx.frames.len();
    let Some(sort) = cx.state.sorts.at(depth) else {
        return Err(Throw::fault("sort"));
    };
    let Body::Array(array) = cx.heap.body_mut(work) else {
        return Err(Throw::fault("array of a sort"));
    };
    let pair = sort
        .answer(&mut array.items, less)
        .map(|(first, second)| [array.items[first], array.items[second]]);
    let moved = sort.take_moved();
    cx.work(1 + moved / MOVES)?;
    match pair {
        Some(pair) => Ok(Step::call(cx.reg(frame, COMPARATOR), &pair, 1)),
        None => {
            cx.state.sorts.end();
            finish(cx, frame, in_place).map(Step::Return)
        }
    }
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
    if !comparator.is_undefined() {
        wanted.resize(MergeRuns::room(count), Value::Undefined);
        cx.state.sorts.begin(cx.frames.len(), MergeRuns::new(count));
    }
    let work = cx.heap.array(wanted);
    cx.set_reg(frame, WORK, work);
    cx.set_reg(frame, COUNT, Value::from(count));
    cx.set_reg(frame, UNDEFINED, Value::from(behind));
    if in_place {
        cx.set_reg(frame, LENGTH, Value::from(length));
    }
    Ok(())
}

/// So many elements are moved at the price of an instruction.
const MOVES: usize = 8;

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

fn finish(cx: &mut Cx<'_>, frame: Native, in_place: bool) -> Result<Value, Throw> {
    let work = work_array(cx, frame)?;
    let count = number(cx, frame, COUNT);
    let items = cx.heap.items(work).unwrap_or_default();
    let mut items = items[..count].to_vec();
    items.resize(count + number(cx, frame, UNDEFINED), Value::Undefined);
    cx.heap.meter.charge(items.len() * 16)?;
    if !in_place {
        return Ok(cx.heap.array(items));
    }
    let this = cx.reg(frame, 0);
    let (at, _) = receiver(cx, this, "sort")?;
    let length = number(cx, frame, LENGTH);
    if let Body::Array(array) = cx.heap.body_mut(at) {
        // Holes come last. What was added behind them meanwhile stays.
        let holes = length.min(array.items.len()).saturating_sub(items.len());
        items.extend(std::iter::repeat_n(Value::Empty, holes));
        items.extend(array.items.iter().skip(items.len()));
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
