//! What a waiting run looks like. It is given the program and the save, reads no table, and so works on a standby too.

use std::sync::Arc;

use pgrx::prelude::*;
use rhythm_flow::{Bounds, Program, Suspended, suspended as frames_of};

use super::jsonb::Jsonb;
use crate::engine::json;
use crate::{guc, process};

/// `_suspended(program, save, variables, bytes)`: `{file, frames: [{function, line, col, promises, promise_count, variables: [{name,
/// value, cut}]}]}` with so many variables and bytes of a value at most, or `{fault}` where the save cannot be read.
#[pg_extern(sql = false)]
fn suspended(program: &[u8], save: &[u8], variables: i32, bytes: i32) -> Jsonb {
    let bounds = Bounds {
        variables: usize::try_from(variables).unwrap_or_default(),
        bytes: usize::try_from(bytes).unwrap_or_default(),
    };
    let looked = process::catch_panic(|| look(program, save, bounds));
    let mut out = String::from("{");
    match looked.and_then(|found| found) {
        Ok((file, frames)) => {
            json::key(&mut out, "file");
            json::quote(&mut out, &file);
            json::key(&mut out, "frames");
            out.push('[');
            for (number, frame) in frames.iter().enumerate() {
                if number > 0 {
                    out.push(',');
                }
                write_frame(&mut out, frame);
            }
            out.push(']');
        }
        Err(fault) => {
            json::key(&mut out, "fault");
            json::quote(&mut out, &fault);
        }
    }
    out.push('}');
    Jsonb(out)
}

fn look(program: &[u8], save: &[u8], bounds: Bounds) -> Result<(String, Vec<Suspended>), String> {
    let program = Program::decode(program).map_err(|fault| fault.to_string())?;
    let program = Arc::new(program);
    let frames = frames_of(&program, save, guc::limits(), bounds);
    let frames = frames.map_err(|fault| fault.to_string())?;
    Ok((program.file().to_owned(), frames))
}

fn write_frame(out: &mut String, frame: &Suspended) {
    out.push('{');
    json::key(out, "function");
    json::quote(out, &frame.function);
    let promises: Vec<String> = frame.promises.iter().map(u32::to_string).collect();
    for (name, text) in [
        ("line", frame.line.to_string()),
        ("col", frame.column.to_string()),
        ("promises", format!("[{}]", promises.join(","))),
        ("promise_count", frame.promise_count.to_string()),
    ] {
        json::key(out, name);
        out.push_str(&text);
    }
    json::key(out, "variables");
    out.push('[');
    for (number, variable) in frame.variables.iter().enumerate() {
        out.push_str(if number > 0 { ",{" } else { "{" });
        json::key(out, "name");
        json::quote(out, &variable.name);
        json::key(out, "value");
        json::quote(out, &variable.value);
        json::key(out, "cut");
        out.push_str(if variable.is_cut { "true" } else { "false" });
        out.push('}');
    }
    out.push_str("]}");
}
