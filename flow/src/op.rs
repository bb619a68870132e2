//! The instructions. Their numbers are in stored programs: only ever append, never reuse.
//!
//! A stack machine: operands are popped from and results pushed to the operand stack of a frame.

use crate::program::wire::{Reader, Writer};

macro_rules! operand {
    (Int) => {
        i32
    };
    (Short) => {
        u16
    };
    ($other:ident) => {
        u32
    };
}

macro_rules! ops {
    ($($number:literal $name:ident $(($($field:ident : $kind:ident),+))? $doc:literal;)+) => {
        /// An instruction.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Op {
            $(#[doc = $doc] $name $(($(operand!($kind)),+))?,)+
        }

        impl Op {
            /// All numbers and names, for the list that tests keep.
            pub const LIST: &'static [(u8, &'static str)] = &[$(($number, stringify!($name))),+];

            /// Writes the number and the operands.
            pub(crate) fn write(self, out: &mut Writer) {
                match self {
                    $(Self::$name $(($($field),+))? => {
                        out.byte($number);
                        $($(write_operand!(out, $field, $kind);)+)?
                    })+
                }
            }

            /// Reads what `write` wrote; `None` for an unknown number or a missing operand.
            pub(crate) fn read(input: &mut Reader<'_>) -> Option<Self> {
                Some(match input.byte()? {
                    $($number => Self::$name $(($(read_operand!(input, $kind)),+))?,)+
                    _ => return None,
                })
            }

            /// The operands and what they point to, for the check of a stored program.
            pub(crate) fn operands(self, mut see: impl FnMut(Operand, u32)) {
                match self {
                    $(Self::$name $(($($field),+))? => {
                        $($(see(Operand::$kind, $field as u32);)+)?
                    })+
                }
                let _ = &mut see;
            }
        }
    };
}

macro_rules! write_operand {
    ($out:ident, $field:ident, Int) => {
        $out.signed(i64::from($field))
    };
    ($out:ident, $field:ident, $kind:ident) => {
        $out.number(u64::from($field))
    };
}

macro_rules! read_operand {
    ($input:ident, Int) => {
        i32::try_from($input.signed()?).ok()?
    };
    ($input:ident, Short) => {
        u16::try_from($input.number()?).ok()?
    };
    ($input:ident, $kind:ident) => {
        u32::try_from($input.number()?).ok()?
    };
}

/// What an operand points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    /// A constant that is a string.
    Name,
    /// A constant.
    Const,
    /// A constant that is a string, or `u32::MAX`.
    Words,
    /// A slot of the frame.
    Local,
    /// A number of slots of the frame.
    Live,
    /// A captured variable.
    Capture,
    /// An instruction of the function.
    Target,
    /// A function of the program.
    Function,
    /// A global of the program.
    Global,
    /// A number of operands.
    Count,
    /// A slot of the frame or a number of operands, in two bytes.
    Short,
    /// A number.
    Int,
}

ops! {
    0 Undefined "Pushes `undefined`.";
    1 Null "Pushes `null`.";
    2 True "Pushes `true`.";
    3 False "Pushes `false`.";
    4 Int(value: Int) "Pushes a small integer.";
    5 Const(index: Const) "Pushes a constant.";
    6 Pop "Drops the top.";
    7 Dup "Pushes the top again.";
    8 Dup2 "Pushes the top two again.";
    9 Swap "Exchanges the top two.";
    10 Rot3 "Moves the top under the two below it.";
    11 Rot4 "Moves the top under the three below it.";
    12 LoadLocal(slot: Local) "Pushes a slot.";
    13 StoreLocal(slot: Local) "Pops into a slot.";
    14 LoadVar(slot: Local) "Pushes the captured variable that a slot holds.";
    15 StoreVar(slot: Local) "Pops into the captured variable that a slot holds.";
    16 LoadCapture(index: Capture) "Pushes a variable of an outer function.";
    17 StoreCapture(index: Capture) "Pops into a variable of an outer function.";
    18 CheckInit(name: Name) "Throws if the top is a variable before its declaration.";
    19 ClearLocal(slot: Local) "Makes a slot a variable before its declaration.";
    20 NewVar(slot: Local) "Puts a fresh captured variable into a slot.";
    21 BoxVar(slot: Local) "Makes the value of a slot a captured variable.";
    22 CopyVar(slot: Local) "Replaces the captured variable of a slot by a copy.";
    23 Global(index: Global) "Pushes a builtin.";
    24 Add "`a + b`";
    25 Sub "`a - b`";
    26 Mul "`a * b`";
    27 Div "`a / b`";
    28 Rem "`a % b`";
    29 Pow "`a ** b`";
    30 BitAnd "`a & b`";
    31 BitOr "`a | b`";
    32 BitXor "`a ^ b`";
    33 Shl "`a << b`";
    34 Shr "`a >> b`";
    35 UShr "`a >>> b`";
    36 Neg "`-a`";
    37 ToNumber "`+a`";
    38 Not "`!a`";
    39 BitNot "`~a`";
    40 Typeof "`typeof a`";
    41 Eq "`a == b`";
    42 Ne "`a != b`";
    43 StrictEq "`a === b`";
    44 StrictNe "`a !== b`";
    45 Lt "`a < b`";
    46 Le "`a <= b`";
    47 Gt "`a > b`";
    48 Ge "`a >= b`";
    49 In "`a in b`";
    50 Instanceof "`a instanceof b`, where `b` is a builtin class";
    51 Inc "Adds 1 to a number.";
    52 Dec "Subtracts 1 from a number.";
    53 Template(count: Count) "Joins the top values as strings.";
    54 Jump(to: Target) "Goes on elsewhere.";
    55 JumpIfFalse(to: Target) "Pops; jumps if falsy.";
    56 JumpIfTrue(to: Target) "Pops; jumps if truthy.";
    57 JumpIfFalseOrPop(to: Target) "Jumps if the top is falsy, else pops it (`&&`).";
    58 JumpIfTrueOrPop(to: Target) "Jumps if the top is truthy, else pops it (`||`).";
    59 JumpIfValueOrPop(to: Target) "Jumps if the top is not nullish, else pops it (`??`).";
    60 JumpIfNullish(to: Target) "Jumps if the top is nullish; keeps it (`?.`).";
    61 JumpIfDefined(to: Target) "Jumps if the top is not undefined, else pops it (defaults).";
    62 NewObject "Pushes an empty object.";
    63 NewArray(room: Count) "Pushes an empty array.";
    64 ArrayPush "array value → array";
    65 ArrayHole "array → array with a hole at its end";
    66 ArraySpread "array iterable → array";
    67 DefineProp(name: Name) "object value → object";
    68 DefineIndex "object key value → object";
    69 ObjectSpread "object source → object";
    70 GetProp(name: Name) "object → value";
    71 GetIndex "object key → value";
    72 SetProp(name: Name) "object value → value";
    73 SetIndex "object key value → value";
    74 DeleteProp(name: Name) "object → bool";
    75 DeleteIndex "object key → bool";
    76 Call(words: Words, count: Short) "callee arguments… → value";
    77 CallMethod(name: Name, count: Short) "receiver arguments… → value";
    78 CallIndex(count: Short) "receiver key arguments… → value";
    79 CallThis(words: Words, count: Short) "receiver callee arguments… → value";
    80 CallGlobal(index: Global, count: Short) "arguments… → value";
    81 CallSpread(words: Words) "receiver callee array → value";
    82 Closure(function: Function) "Pushes a new closure.";
    83 Return "Ends the function with the top.";
    84 Throw "Throws the top.";
    85 Await(live: Live) "Suspends until the top is settled; slots from `live` on are dead.";
    86 Iterate "iterable → iterator";
    87 NextOrJump(to: Target, slot: Short) "Pushes the next value of the iterator in a slot, or jumps.";
    88 NextOrUndefined(slot: Local) "Pushes the next value of the iterator in a slot, or `undefined`.";
    89 RestOfIterator(slot: Local) "Pushes an array of what is left of the iterator in a slot.";
    90 KeysToWalk "object → iterator of its keys (`for … in`)";
    91 HasKey "key object → whether the key is still there (`for … in`)";
    92 RequireObject(words: Words) "Throws if the top is nullish: it cannot be destructured.";
    93 RestOfObject(count: Count) "object keys… → object without these keys";
    94 IncLocal(slot: Local) "Adds 1 to a slot.";
    95 LocalLtJump(to: Target, slot: Short) "Pops; jumps unless the slot is less than it.";
}

impl Op {
    /// How many operands it pops and pushes, where it goes on behind itself.
    #[must_use]
    pub(crate) fn effect(self) -> (u32, u32) {
        match self {
            Self::Undefined | Self::Null | Self::True | Self::False | Self::Int(_) => (0, 1),
            Self::Const(_) | Self::LoadLocal(_) | Self::LoadVar(_) | Self::LoadCapture(_) => (0, 1),
            Self::Global(_) | Self::NewObject | Self::NewArray(_) | Self::Closure(_) => (0, 1),
            Self::NextOrJump(..) | Self::NextOrUndefined(_) | Self::RestOfIterator(_) => (0, 1),
            Self::Pop | Self::StoreLocal(_) | Self::StoreVar(_) | Self::StoreCapture(_) => (1, 0),
            Self::JumpIfFalse(_) | Self::JumpIfTrue(_) | Self::Return | Self::Throw => (1, 0),
            Self::JumpIfFalseOrPop(_) | Self::JumpIfTrueOrPop(_) | Self::JumpIfValueOrPop(_) => {
                (1, 0)
            }
            Self::JumpIfDefined(_) | Self::LocalLtJump(..) => (1, 0),
            Self::Dup => (1, 2),
            Self::Dup2 => (2, 4),
            Self::Swap => (2, 2),
            Self::Rot3 => (3, 3),
            Self::Rot4 => (4, 4),
            Self::ClearLocal(_) | Self::NewVar(_) | Self::BoxVar(_) | Self::CopyVar(_) => (0, 0),
            Self::Jump(_) | Self::IncLocal(_) => (0, 0),
            Self::CheckInit(_) | Self::JumpIfNullish(_) | Self::RequireObject(_) => (1, 1),
            Self::Neg | Self::ToNumber | Self::Not | Self::BitNot | Self::Typeof => (1, 1),
            Self::Inc | Self::Dec | Self::Await(_) => (1, 1),
            Self::ArrayHole | Self::GetProp(_) | Self::DeleteProp(_) => (1, 1),
            Self::Iterate | Self::KeysToWalk => (1, 1),
            Self::Add | Self::Sub | Self::Mul | Self::Div | Self::Rem | Self::Pow => (2, 1),
            Self::BitAnd | Self::BitOr | Self::BitXor | Self::Shl | Self::Shr => (2, 1),
            Self::UShr | Self::Eq | Self::Ne | Self::StrictEq | Self::StrictNe => (2, 1),
            Self::Lt | Self::Le | Self::Gt | Self::Ge | Self::In | Self::HasKey => (2, 1),
            Self::Instanceof => (2, 1),
            Self::ArrayPush | Self::ArraySpread | Self::DefineProp(_) => (2, 1),
            Self::ObjectSpread | Self::GetIndex | Self::SetProp(_) | Self::DeleteIndex => (2, 1),
            Self::DefineIndex | Self::SetIndex | Self::CallSpread(_) => (3, 1),
            Self::Template(count) => (count, 1),
            Self::Call(_, count) | Self::CallMethod(_, count) => (u32::from(count) + 1, 1),
            Self::CallIndex(count) | Self::CallThis(_, count) => (u32::from(count) + 2, 1),
            Self::CallGlobal(_, count) => (u32::from(count), 1),
            Self::RestOfObject(count) => (count.saturating_add(1), 1),
        }
    }

    /// Where else it may go on, and how many operands more than behind itself are there then.
    #[must_use]
    pub(crate) fn target(self) -> Option<(u32, i32)> {
        match self {
            Self::Jump(to) | Self::JumpIfFalse(to) | Self::JumpIfTrue(to) => Some((to, 0)),
            Self::JumpIfNullish(to) | Self::LocalLtJump(to, _) => Some((to, 0)),
            Self::JumpIfFalseOrPop(to)
            | Self::JumpIfTrueOrPop(to)
            | Self::JumpIfValueOrPop(to)
            | Self::JumpIfDefined(to) => Some((to, 1)),
            Self::NextOrJump(to, _) => Some((to, -1)),
            _ => None,
        }
    }

    /// The same jump to another place.
    #[must_use]
    pub(crate) fn with_target(self, to: u32) -> Self {
        match self {
            Self::Jump(_) => Self::Jump(to),
            Self::JumpIfFalse(_) => Self::JumpIfFalse(to),
            Self::JumpIfTrue(_) => Self::JumpIfTrue(to),
            Self::JumpIfFalseOrPop(_) => Self::JumpIfFalseOrPop(to),
            Self::JumpIfTrueOrPop(_) => Self::JumpIfTrueOrPop(to),
            Self::JumpIfValueOrPop(_) => Self::JumpIfValueOrPop(to),
            Self::JumpIfNullish(_) => Self::JumpIfNullish(to),
            Self::JumpIfDefined(_) => Self::JumpIfDefined(to),
            Self::NextOrJump(_, slot) => Self::NextOrJump(to, slot),
            Self::LocalLtJump(_, slot) => Self::LocalLtJump(to, slot),
            other => other,
        }
    }

    /// Whether the next instruction never runs after it.
    #[must_use]
    pub(crate) fn ends(self) -> bool {
        matches!(self, Self::Jump(_) | Self::Return | Self::Throw)
    }
}
