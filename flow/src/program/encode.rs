//! Programs as bytes. The format's version stands in front; older versions stay readable.

use super::wire::{Reader, Writer};
use super::{Capture, Const, Func, Handler, Line, Name, Phrase, Program};
use crate::error::Fault;
use crate::input_type::InputType;
use crate::op::Op;

const MAGIC: &[u8] = b"FLOW";
const VERSION: u64 = 1;

impl Program {
    /// The program as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.bytes.extend_from_slice(MAGIC);
        out.number(VERSION);
        out.text(&self.file);
        out.byte(u8::from(self.uses_sql));
        write_texts(&mut out, &self.task_names);
        out.text(
            &self
                .input_type
                .as_ref()
                .map(InputType::to_json)
                .unwrap_or_default(),
        );
        write_texts(&mut out, &self.globals);
        out.size(self.consts.len());
        for constant in &self.consts {
            match constant {
                Const::String(units) => {
                    out.byte(0);
                    out.units(units);
                }
                Const::Number(number) => {
                    out.byte(1);
                    out.double(*number);
                }
            }
        }
        out.size(self.functions.len());
        for function in &self.functions {
            write_function(&mut out, function);
        }
        // Programs of older compilers have no phrases and no names, and keep their bytes.
        if !self.phrases.is_empty() || !self.names.is_empty() {
            write_phrases(&mut out, self);
        }
        if !self.names.is_empty() {
            write_names(&mut out, self);
        }
        out.bytes
    }

    /// Reads what `encode` wrote.
    ///
    /// # Errors
    /// When the bytes are no program, are damaged, or are too new.
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let body = bytes.strip_prefix(MAGIC).ok_or(Fault::NotOurs("program"))?;
        let mut input = Reader::new(body);
        let version = input.number().ok_or(Fault::Damaged("program header"))?;
        if version != VERSION {
            return Err(Fault::TooNew {
                what: "program",
                version: version as u32,
            });
        }
        let mut program = read_program(&mut input).ok_or(Fault::Damaged("program body"))?;
        program.link()?;
        // Those are the bytes that `encode` gives again; writing them would take as long as reading them.
        program.hash = hash(bytes);
        Ok(program)
    }

    /// A hash of the program's bytes: equal programs have equal hashes on every machine.
    #[must_use]
    pub fn content_hash(&self) -> u64 {
        self.hash
    }
}

/// FNV-1a: enough to tell versions apart; nobody gains from a collision with himself.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

fn write_texts(out: &mut Writer, texts: &[String]) {
    out.size(texts.len());
    texts.iter().for_each(|text| out.text(text));
}

fn read_texts(input: &mut Reader<'_>) -> Option<Vec<String>> {
    (0..input.count()?).map(|_| input.text()).collect()
}

fn write_function(out: &mut Writer, function: &Func) {
    out.text(&function.name);
    out.number(u64::from(function.params));
    let flags = [function.rest, function.is_async, function.is_constructor];
    let bits = flags.iter().enumerate();
    out.byte(bits.fold(0, |byte, (at, flag)| byte | u8::from(*flag) << at));
    out.number(u64::from(function.length));
    out.number(u64::from(function.locals));
    out.size(function.captures.len());
    for capture in &function.captures {
        let (kind, index) = match capture {
            Capture::Local(slot) => (0, *slot),
            Capture::Outer(index) => (1, *index),
        };
        out.number(u64::from(index) << 1 | kind);
    }
    out.size(function.code.len());
    function.code.iter().for_each(|op| op.write(out));
    out.size(function.handlers.len());
    for handler in &function.handlers {
        out.number(u64::from(handler.start));
        out.number(u64::from(handler.end));
        out.number(u64::from(handler.target));
    }
    out.size(function.lines.len());
    let (mut pc, mut at) = (0, 0);
    for line in &function.lines {
        out.number(u64::from(line.pc - pc));
        out.signed(i64::from(line.line) - i64::from(at));
        out.number(u64::from(line.column));
        (pc, at) = (line.pc, line.line);
    }
}

fn write_phrases(out: &mut Writer, program: &Program) {
    write_texts(out, &program.phrases);
    for function in &program.functions {
        out.size(function.phrases.len());
        let mut pc = 0;
        for phrase in &function.phrases {
            out.number(u64::from(phrase.pc - pc));
            out.number(u64::from(phrase.index));
            pc = phrase.pc;
        }
    }
}

fn read_phrases(input: &mut Reader<'_>, functions: &mut [Func]) -> Option<Vec<String>> {
    let texts = read_texts(input)?;
    for function in functions {
        let mut pc = 0u32;
        for _ in 0..input.count()? {
            pc = pc.checked_add(input.index()?)?;
            let index = input.index()?;
            if index as usize >= texts.len() {
                return None;
            }
            function.phrases.push(Phrase { pc, index });
        }
    }
    Some(texts)
}

fn write_names(out: &mut Writer, program: &Program) {
    write_texts(out, &program.names);
    for function in &program.functions {
        out.size(function.names.len());
        for name in &function.names {
            out.number(u64::from(name.slot));
            out.number(u64::from(name.index));
            out.number(u64::from(name.start));
            out.number(u64::from(name.end - name.start));
        }
        out.size(function.capture_names.len());
        for index in &function.capture_names {
            out.number(u64::from(*index));
        }
    }
}

fn read_names(input: &mut Reader<'_>, functions: &mut [Func]) -> Option<Vec<String>> {
    let texts = read_texts(input)?;
    let known = |index: &u32| (*index as usize) < texts.len();
    for function in functions {
        for _ in 0..input.count()? {
            let slot = input.index()?;
            let index = input.index().filter(known)?;
            let start = input.index()?;
            let end = start.checked_add(input.index()?)?;
            function.names.push(Name {
                slot,
                index,
                start,
                end,
            });
        }
        for _ in 0..input.count()? {
            function.capture_names.push(input.index().filter(known)?);
        }
    }
    Some(texts)
}

fn read_program(input: &mut Reader<'_>) -> Option<Program> {
    let file = input.text()?;
    let uses_sql = input.byte()? != 0;
    let task_names = read_texts(input)?;
    let declared = input.text()?;
    let input_type = match declared.as_str() {
        "" => None,
        json => Some(InputType::from_json(json)?),
    };
    let globals = read_texts(input)?;
    let consts = (0..input.count()?)
        .map(|_| {
            Some(match input.byte()? {
                0 => Const::String(input.units()?.into()),
                1 => Const::Number(input.double()?),
                _ => return None,
            })
        })
        .collect::<Option<_>>()?;
    let mut functions: Vec<Func> = (0..input.count()?)
        .map(|_| read_function(input))
        .collect::<Option<_>>()?;
    let phrases = if input.left() > 0 {
        read_phrases(input, &mut functions)?
    } else {
        Vec::new()
    };
    let names = if input.left() > 0 {
        read_names(input, &mut functions)?
    } else {
        Vec::new()
    };
    Some(Program {
        file,
        functions,
        consts,
        globals,
        resolved: Vec::new(),
        uses_sql,
        task_names,
        input_type,
        phrases,
        names,
        hash: 0,
    })
}

fn read_function(input: &mut Reader<'_>) -> Option<Func> {
    let name = input.text()?;
    let params = input.index()?;
    let flags = input.byte()?;
    let length = input.index()?;
    let locals = input.index()?;
    let captures = (0..input.count()?)
        .map(|_| {
            let number = input.number()?;
            let index = u32::try_from(number >> 1).ok()?;
            Some(if number & 1 == 0 {
                Capture::Local(index)
            } else {
                Capture::Outer(index)
            })
        })
        .collect::<Option<_>>()?;
    let code = (0..input.count()?)
        .map(|_| Op::read(input))
        .collect::<Option<_>>()?;
    let handlers = (0..input.count()?)
        .map(|_| {
            Some(Handler {
                start: input.index()?,
                end: input.index()?,
                target: input.index()?,
            })
        })
        .collect::<Option<_>>()?;
    let mut lines = Vec::new();
    let (mut pc, mut at) = (0u32, 0u32);
    for _ in 0..input.count()? {
        pc = pc.checked_add(input.index()?)?;
        at =
            u32::try_from(i64::from(at) + input.signed()?.clamp(-0xFFFF_FFFF, 0xFFFF_FFFF)).ok()?;
        lines.push(Line {
            pc,
            line: at,
            column: input.index()?,
        });
    }
    let (rest, is_async, is_constructor) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0);
    Some(Func {
        name,
        params,
        rest,
        length,
        is_async,
        is_constructor,
        locals,
        captures,
        code,
        handlers,
        lines,
        ..Func::default()
    })
}
