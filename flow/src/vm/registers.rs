//! The loop. It runs the function on top on its registers, as long as what it meets is simple: numbers where
//! numbers are expected, properties that are there. It changes nothing before it knows that; whatever is not
//! simple is given to the stored instructions (`execute`), which mean the same.

use super::cx::Cx;
use super::execute::{After, Place};
use super::frame::{Frame, FrameKind};
use super::operate::remainder;
use crate::error::Throw;
use crate::program::Func;
use crate::program::lower::Fast;
use crate::value::coerce::int32;
use crate::value::heap::IterKind;
use crate::value::object::{Integrity, Key};
use crate::value::{Body, Heap, Ref, Value};

/// A number as an index, if it is one of those that arrays usually have.
#[inline]
fn index(number: f64) -> Option<usize> {
    let whole = number as i32;
    (f64::from(whole) == number)
        .then_some(whole)
        .and_then(|whole| usize::try_from(whole).ok())
}

/// A captured variable of a closure.
#[inline]
fn captured(heap: &Heap, closure: Option<Ref>, index: u32) -> Option<Ref> {
    match heap.body(closure?) {
        Body::Closure(closure) => closure.captures.get(index as usize).copied(),
        _ => None,
    }
}

/// The value of a captured variable that is initialised, if that must be looked at.
#[inline]
fn variable(heap: &Heap, at: Option<Ref>, checked: bool) -> Option<&Value> {
    match heap.body(at?) {
        Body::Variable(value) if !(checked && value.is_empty()) => Some(value),
        _ => None,
    }
}

#[inline]
fn variable_mut(heap: &mut Heap, at: Option<Ref>) -> Option<&mut Value> {
    match heap.body_mut(at?) {
        Body::Variable(value) => Some(value),
        _ => None,
    }
}

/// Copies a value by its parts. What was written in two parts a moment ago can be read in two parts at once; to
/// read it as a whole, the processor waits until it has left its buffers.
macro_rules! copy {
    ($to:expr, $from:expr) => {
        match $from {
            Value::Number(number) => $to = Value::Number(number),
            Value::Object(at) => $to = Value::Object(at),
            Value::String(at) => $to = Value::String(at),
            Value::Bool(truth) => $to = Value::Bool(truth),
            Value::Undefined => $to = Value::Undefined,
            other => $to = other,
        }
    };
}

#[inline]
fn held(slot: Value) -> Option<Ref> {
    match slot {
        Value::Variable(at) => Some(at),
        _ => None,
    }
}

impl Cx<'_> {
    /// Runs stored instructions one by one; returns where it goes on.
    #[inline(never)]
    fn replay(
        &mut self,
        function: &Func,
        place: Place,
        from: usize,
        len: u8,
    ) -> Result<After, Throw> {
        for pc in from..from + usize::from(len) {
            self.stack.set_top(place.base + function.tops[pc] as usize);
            if let Some(frame) = self.frames.last_mut() {
                frame.pc = pc as u32 + 1;
            }
            if self.heap.meter.countdown < 0 {
                self.pause()?;
            }
            match self.execute(function.code[pc], place)? {
                After::Next => {}
                gone => return Ok(gone),
            }
        }
        Ok(After::Next)
    }

    /// Runs the function on top until a frame that is no function is there, or none.
    // Each arm of the loop ends with a jump, so none gives a value.
    #[allow(clippy::semicolon_if_nothing_returned)]
    pub(super) fn run_code(&mut self) -> Result<(), Throw> {
        let program = self.program;
        // Instructions that the meter does not know of yet.
        let mut ran = 0;
        'frame: loop {
            self.heap.meter.countdown -= ran;
            ran = 0;
            let Some(Frame {
                kind:
                    FrameKind::Code {
                        function,
                        closure,
                        task,
                    },
                base,
                pc,
                ..
            }) = self.frames.last().copied()
            else {
                return Ok(());
            };
            let function = &program.functions[function as usize];
            let fast = &function.fast[..];
            let place = Place {
                base: base as usize,
                closure,
            };
            let mut pc = pc as usize;
            loop {
                let Some(regs) = self.stack.registers(place.base) else {
                    return Err(Throw::fault("registers"));
                };
                // How many stored instructions must run because the short way does not do.
                let len = 'fast: loop {
                    // Each way ends with one of these.
                    macro_rules! next {
                        ($len:expr) => {{
                            ran += i64::from($len);
                            pc += usize::from($len);
                            continue 'fast;
                        }};
                    }
                    macro_rules! put {
                        ($to:ident, $value:expr, $len:expr) => {{
                            regs[usize::from($to)] = $value;
                            next!($len)
                        }};
                    }
                    // Backwards only as long as the meter has nothing to say.
                    macro_rules! jump {
                        ($to:expr, $len:expr) => {{
                            let to = $to as usize;
                            if to <= pc && ran > self.heap.meter.countdown {
                                break 'fast $len;
                            }
                            ran += i64::from($len);
                            pc = to;
                            continue 'fast;
                        }};
                    }
                    macro_rules! reg {
                        ($at:expr) => {
                            regs[usize::from($at)]
                        };
                    }
                    macro_rules! arithmetic {
                        ($len:expr, $a:ident, $b:expr, $to:ident, |$x:ident, $y:ident| $result:expr) => {
                            if let (Value::Number($x), Value::Number($y)) = (reg!($a), $b) {
                                put!($to, Value::Number($result), $len)
                            } else {
                                break 'fast $len;
                            }
                        };
                    }
                    macro_rules! compare {
                        ($len:expr, $a:ident, $b:ident, $to:ident, $op:tt) => {
                            if let (Value::Number(a), Value::Number(b)) = (reg!($a), reg!($b)) {
                                put!($to, Value::Bool(a $op b), $len)
                            } else {
                                break 'fast $len
                            }
                        };
                    }
                    macro_rules! unless {
                        ($len:expr, $a:ident, $b:expr, $to:ident, $op:tt) => {
                            if let (Value::Number(a), Value::Number(b)) = (reg!($a), $b) {
                                if a $op b {
                                    next!($len)
                                }
                                jump!($to, $len)
                            } else {
                                break 'fast $len
                            }
                        };
                    }
                    macro_rules! int {
                        ($value:expr) => {
                            Value::Number(f64::from($value))
                        };
                    }
                    macro_rules! shift {
                        ($y:expr) => {
                            (int32($y) as u32 & 31)
                        };
                    }
                    match fast[pc] {
                        Fast::Plain {} => break 'fast 1,
                        Fast::Skip {} => next!(1u8),
                        Fast::Move { len, from, to } => {
                            copy!(reg!(to), reg!(from));
                            next!(len)
                        }
                        Fast::Int { len, to, value } => put!(to, int!(value), len),
                        Fast::Const { len, to, index } => {
                            let value = self.state.consts[index as usize].value;
                            if value.is_empty() {
                                break 'fast len;
                            }
                            put!(to, value, len)
                        }
                        Fast::Undefined { len, to } => put!(to, Value::Undefined, len),
                        Fast::Null { len, to } => put!(to, Value::Null, len),
                        Fast::Bool { len, to, value } => put!(to, Value::Bool(value), len),
                        Fast::Dup2 { to } => {
                            let to = usize::from(to);
                            (regs[to], regs[to + 1]) = (regs[to - 2], regs[to - 1]);
                            next!(1u8)
                        }
                        Fast::Rot3 { from } => {
                            let from = usize::from(from);
                            regs[from..from + 3].rotate_right(1);
                            next!(1u8)
                        }
                        Fast::Rot4 { from } => {
                            let from = usize::from(from);
                            regs[from..from + 4].rotate_right(1);
                            next!(1u8)
                        }
                        Fast::CheckInit { from } => {
                            if reg!(from).is_empty() {
                                break 'fast 1;
                            }
                            next!(1u8)
                        }
                        Fast::LoadVar {
                            len,
                            slot,
                            to,
                            checked,
                        } => match variable(self.heap, held(reg!(slot)), checked) {
                            Some(value) => {
                                copy!(reg!(to), *value);
                                next!(len)
                            }
                            None => break 'fast len,
                        },
                        Fast::StoreVar { len, slot, from } => {
                            if let Some(variable) = variable_mut(self.heap, held(reg!(slot))) {
                                copy!(*variable, reg!(from));
                                next!(len)
                            }
                            break 'fast len;
                        }
                        Fast::LoadCapture {
                            len,
                            to,
                            checked,
                            index,
                        } => {
                            let at = captured(self.heap, closure, index);
                            match variable(self.heap, at, checked) {
                                Some(value) => {
                                    copy!(reg!(to), *value);
                                    next!(len)
                                }
                                None => break 'fast len,
                            }
                        }
                        Fast::StoreCapture { len, from, index } => {
                            let at = captured(self.heap, closure, index);
                            if let Some(variable) = variable_mut(self.heap, at) {
                                copy!(*variable, reg!(from));
                                next!(len)
                            }
                            break 'fast len;
                        }
                        Fast::Inc { len, from, to } => {
                            arithmetic!(len, from, int!(1), to, |x, y| x + y)
                        }
                        Fast::Dec { len, from, to } => {
                            arithmetic!(len, from, int!(1), to, |x, y| x - y)
                        }
                        Fast::Not { len, from, to } => {
                            let truthy = self.heap.truthy(reg!(from));
                            put!(to, Value::Bool(!truthy), len)
                        }
                        Fast::Add { len, a, b, to } => {
                            arithmetic!(len, a, reg!(b), to, |x, y| x + y)
                        }
                        Fast::AddInt { len, a, b, to } => {
                            arithmetic!(len, a, int!(b), to, |x, y| x + y)
                        }
                        Fast::Sub { len, a, b, to } => {
                            arithmetic!(len, a, reg!(b), to, |x, y| x - y)
                        }
                        Fast::SubInt { len, a, b, to } => {
                            arithmetic!(len, a, int!(b), to, |x, y| x - y)
                        }
                        Fast::Mul { len, a, b, to } => {
                            arithmetic!(len, a, reg!(b), to, |x, y| x * y)
                        }
                        Fast::MulInt { len, a, b, to } => {
                            arithmetic!(len, a, int!(b), to, |x, y| x * y)
                        }
                        Fast::Div { len, a, b, to } => {
                            arithmetic!(len, a, reg!(b), to, |x, y| x / y)
                        }
                        Fast::DivInt { len, a, b, to } => {
                            arithmetic!(len, a, int!(b), to, |x, y| x / y)
                        }
                        Fast::Rem { len, a, b, to } => {
                            arithmetic!(len, a, reg!(b), to, |x, y| remainder(x, y))
                        }
                        Fast::RemInt { len, a, b, to } => {
                            arithmetic!(len, a, int!(b), to, |x, y| remainder(x, y))
                        }
                        Fast::BitAnd { len, a, b, to } => {
                            arithmetic!(len, a, reg!(b), to, |x, y| f64::from(int32(x) & int32(y)))
                        }
                        Fast::BitAndInt { len, a, b, to } => {
                            arithmetic!(len, a, int!(b), to, |x, y| f64::from(int32(x) & int32(y)))
                        }
                        Fast::BitOr { len, a, b, to } => {
                            arithmetic!(len, a, reg!(b), to, |x, y| f64::from(int32(x) | int32(y)))
                        }
                        Fast::BitOrInt { len, a, b, to } => {
                            arithmetic!(len, a, int!(b), to, |x, y| f64::from(int32(x) | int32(y)))
                        }
                        Fast::BitXor { len, a, b, to } => {
                            arithmetic!(len, a, reg!(b), to, |x, y| f64::from(int32(x) ^ int32(y)))
                        }
                        Fast::BitXorInt { len, a, b, to } => {
                            arithmetic!(len, a, int!(b), to, |x, y| f64::from(int32(x) ^ int32(y)))
                        }
                        Fast::Shl { len, a, b, to } => {
                            arithmetic!(len, a, reg!(b), to, |x, y| f64::from(
                                int32(x) << shift!(y)
                            ))
                        }
                        Fast::ShlInt { len, a, b, to } => {
                            arithmetic!(len, a, int!(b), to, |x, y| f64::from(
                                int32(x) << shift!(y)
                            ))
                        }
                        Fast::Shr { len, a, b, to } => {
                            arithmetic!(len, a, reg!(b), to, |x, y| f64::from(
                                int32(x) >> shift!(y)
                            ))
                        }
                        Fast::ShrInt { len, a, b, to } => {
                            arithmetic!(len, a, int!(b), to, |x, y| f64::from(
                                int32(x) >> shift!(y)
                            ))
                        }
                        Fast::UShr { len, a, b, to } => {
                            arithmetic!(len, a, reg!(b), to, |x, y| f64::from(
                                int32(x) as u32 >> shift!(y)
                            ))
                        }
                        Fast::UShrInt { len, a, b, to } => {
                            arithmetic!(len, a, int!(b), to, |x, y| f64::from(
                                int32(x) as u32 >> shift!(y)
                            ))
                        }
                        Fast::Lt { len, a, b, to } => compare!(len, a, b, to, <),
                        Fast::Le { len, a, b, to } => compare!(len, a, b, to, <=),
                        Fast::Gt { len, a, b, to } => compare!(len, a, b, to, >),
                        Fast::Ge { len, a, b, to } => compare!(len, a, b, to, >=),
                        Fast::StrictEq { len, a, b, to } => {
                            let equal = self.heap.strict_equal(reg!(a), reg!(b));
                            put!(to, Value::Bool(equal), len)
                        }
                        Fast::StrictNe { len, a, b, to } => {
                            let equal = self.heap.strict_equal(reg!(a), reg!(b));
                            put!(to, Value::Bool(!equal), len)
                        }
                        Fast::UnlessLt { len, a, b, to } => unless!(len, a, reg!(b), to, <),
                        Fast::UnlessLtInt { len, a, b, to } => unless!(len, a, int!(b), to, <),
                        Fast::UnlessLe { len, a, b, to } => unless!(len, a, reg!(b), to, <=),
                        Fast::UnlessLeInt { len, a, b, to } => unless!(len, a, int!(b), to, <=),
                        Fast::UnlessGt { len, a, b, to } => unless!(len, a, reg!(b), to, >),
                        Fast::UnlessGtInt { len, a, b, to } => unless!(len, a, int!(b), to, >),
                        Fast::UnlessGe { len, a, b, to } => unless!(len, a, reg!(b), to, >=),
                        Fast::UnlessGeInt { len, a, b, to } => unless!(len, a, int!(b), to, >=),
                        Fast::UnlessEq { len, a, b, to } => {
                            if self.heap.strict_equal(reg!(a), reg!(b)) {
                                next!(len)
                            }
                            jump!(to, len)
                        }
                        Fast::UnlessNe { len, a, b, to } => {
                            if !self.heap.strict_equal(reg!(a), reg!(b)) {
                                next!(len)
                            }
                            jump!(to, len)
                        }
                        Fast::UnlessEqInt { len, a, b, to } => {
                            if matches!(reg!(a), Value::Number(a) if a == f64::from(b)) {
                                next!(len)
                            }
                            jump!(to, len)
                        }
                        Fast::UnlessNeInt { len, a, b, to } => {
                            if !matches!(reg!(a), Value::Number(a) if a == f64::from(b)) {
                                next!(len)
                            }
                            jump!(to, len)
                        }
                        Fast::Jump { to } => jump!(to, 1),
                        Fast::JumpIfFalse { len, from, to } => {
                            if self.heap.truthy(reg!(from)) {
                                next!(len)
                            }
                            jump!(to, len)
                        }
                        Fast::JumpIfTrue { len, from, to } => {
                            if !self.heap.truthy(reg!(from)) {
                                next!(len)
                            }
                            jump!(to, len)
                        }
                        Fast::JumpIfNullish { from, to } => {
                            if !reg!(from).is_nullish() {
                                next!(1u8)
                            }
                            jump!(to, 1)
                        }
                        Fast::JumpIfValue { from, to } => {
                            if reg!(from).is_nullish() {
                                next!(1u8)
                            }
                            jump!(to, 1)
                        }
                        Fast::JumpIfDefined { from, to } => {
                            if reg!(from).is_undefined() {
                                next!(1u8)
                            }
                            jump!(to, 1)
                        }
                        Fast::GetProp {
                            len,
                            from,
                            to,
                            name,
                        } => {
                            let constant = &mut self.state.consts[name as usize];
                            match (reg!(from), constant.key) {
                                (Value::Object(at), Key::Name(key)) => match self.heap.body(at) {
                                    Body::Object(props) => {
                                        if let Some(value) = props.get_near(key, &mut constant.near)
                                        {
                                            copy!(reg!(to), *value);
                                            next!(len)
                                        }
                                        if constant.is_own {
                                            put!(to, Value::Undefined, len)
                                        }
                                    }
                                    Body::Array(array) if constant.is_length => {
                                        put!(to, Value::from(array.items.len()), len)
                                    }
                                    _ => {}
                                },
                                (Value::String(at), _) if constant.is_length => {
                                    put!(to, Value::from(self.heap.string_len(at)), len)
                                }
                                _ => {}
                            }
                            break 'fast len;
                        }
                        Fast::SetProp {
                            len,
                            object,
                            from,
                            to,
                            name,
                        } => {
                            let constant = &mut self.state.consts[name as usize];
                            if let (Value::Object(at), Key::Name(key)) =
                                (reg!(object), constant.key)
                                && let Body::Object(props) = self.heap.body_mut(at)
                                && props.integrity == Integrity::Open
                                && let Some(slot) = props.slot_near(key, &mut constant.near)
                            {
                                copy!(*slot, reg!(from));
                                copy!(reg!(to), reg!(from));
                                next!(len)
                            }
                            break 'fast len;
                        }
                        Fast::DefineProp {
                            len,
                            object,
                            from,
                            name,
                        } => {
                            let key = self.state.consts[name as usize].key;
                            if let (Value::Object(at), Key::Name(_)) = (reg!(object), key)
                                && let Body::Object(props) = self.heap.body_mut(at)
                            {
                                props.set(key, reg!(from));
                                self.heap.meter.allocated(24);
                                next!(len)
                            }
                            break 'fast len;
                        }
                        Fast::GetIndex {
                            len,
                            from,
                            index: at,
                            to,
                        } => {
                            if let (Value::Object(array), Value::Number(number)) =
                                (reg!(from), reg!(at))
                                && let Some(items) = self.heap.items(array)
                                && let Some(item) = index(number).and_then(|at| items.get(at))
                                && !item.is_empty()
                            {
                                copy!(reg!(to), *item);
                                next!(len)
                            }
                            break 'fast len;
                        }
                        Fast::SetIndex {
                            len,
                            array,
                            index: at,
                            from,
                            to,
                        } => {
                            if let (Value::Object(array), Value::Number(number)) =
                                (reg!(array), reg!(at))
                                && let Body::Array(array) = self.heap.body_mut(array)
                                && array.integrity() == Integrity::Open
                                && let Some(item) =
                                    index(number).and_then(|at| array.items.get_mut(at))
                            {
                                copy!(*item, reg!(from));
                                copy!(reg!(to), reg!(from));
                                next!(len)
                            }
                            break 'fast len;
                        }
                        Fast::ArrayPush { len, array, from } => {
                            if let Value::Object(array) = reg!(array)
                                && let Body::Array(array) = self.heap.body_mut(array)
                            {
                                array.items.push(reg!(from));
                                self.heap.meter.allocated(16);
                                next!(len)
                            }
                            break 'fast len;
                        }
                        Fast::Next { len, slot, to, end } => {
                            let _ = end;
                            if let Value::Object(iterator) = reg!(slot)
                                && let Body::Iterator(iter) = self.heap.body(iterator)
                                && iter.kind == IterKind::Values
                                && let Value::Object(source) = iter.source
                                && let Some(items) = self.heap.items(source)
                                && let Some(item) = items.get(iter.at as usize)
                            {
                                let item = item.or_undefined();
                                if let Body::Iterator(iter) = self.heap.body_mut(iterator) {
                                    iter.at += 1;
                                }
                                put!(to, item, len)
                            }
                            break 'fast len;
                        }
                        Fast::CallMethod {
                            receiver,
                            count,
                            name,
                        } => {
                            if ran > self.heap.meter.countdown {
                                break 'fast 1;
                            }
                            let constant = &mut self.state.consts[name as usize];
                            let own = match (reg!(receiver), constant.key) {
                                (Value::Object(at), Key::Name(key)) => match self.heap.body(at) {
                                    Body::Object(props) => props.get_near(key, &mut constant.near),
                                    _ => None,
                                },
                                _ => None,
                            };
                            if let Some(Value::Object(at)) = own
                                && let Body::Closure(body) = self.heap.body(*at)
                            {
                                ran += 1;
                                let (number, at) = (body.function, *at);
                                let floor = place.base + usize::from(receiver);
                                let count = usize::from(count);
                                self.stack.set_top(floor + 1 + count);
                                if let Some(frame) = self.frames.last_mut() {
                                    frame.pc = pc as u32 + 1;
                                }
                                self.enter(number, Some(at), count, floor)?;
                                continue 'frame;
                            }
                            break 'fast 1;
                        }
                        Fast::Call { callee, count } => {
                            if let Value::Object(at) = reg!(callee)
                                && let Body::Closure(body) = self.heap.body(at)
                                && ran <= self.heap.meter.countdown
                            {
                                ran += 1;
                                let number = body.function;
                                let floor = place.base + usize::from(callee);
                                let count = usize::from(count);
                                self.stack.set_top(floor + 1 + count);
                                if let Some(frame) = self.frames.last_mut() {
                                    frame.pc = pc as u32 + 1;
                                }
                                self.enter(number, Some(at), count, floor)?;
                                continue 'frame;
                            }
                            break 'fast 1;
                        }
                        Fast::Return { len, from } => {
                            if task.is_some() {
                                break 'fast len;
                            }
                            ran += i64::from(len);
                            let value = reg!(from);
                            if let Some(frame) = self.frames.pop() {
                                self.stack.set_top(frame.floor as usize);
                            }
                            self.deliver(value);
                            continue 'frame;
                        }
                    }
                };
                self.heap.meter.countdown -= ran + i64::from(len);
                ran = 0;
                match self.replay(function, place, pc, len)? {
                    After::Next => pc += usize::from(len),
                    After::Jump(to) => pc = to as usize,
                    After::Frame => continue 'frame,
                }
            }
        }
    }
}
