//! `Task.map` and `Workflow.map`: one of them for each value of a list, so many at once.
//!
//! All are handed to the host at once, which holds back those that have no turn yet. So a run is saved once for the whole list, and
//! loaded when it is decided: what a completion costs does not grow with the list.

use super::task::name_argument;
use super::{Builtin, options, plain};
use crate::error::Throw;
use crate::host::{Kind, TaskCall};
use crate::value::promise::Wrap;
use crate::value::{Value, json};
use crate::vm::cx::{Call, Cx};

/// The builtins of this file.
pub(super) const TABLE: &[Builtin] = &[
    plain("Task.map", 2, tasks),
    plain("Workflow.map", 2, workflows),
];

/// `await Task.map("resize", images, {concurrency: 20})` → the results, in the order of the images
fn tasks(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    map(cx, call, Kind::Task, "Task.map")
}

/// `await Workflow.map("ship", orders, {concurrency: 5})` → the results, in the order of the orders
fn workflows(cx: &mut Cx<'_>, call: Call) -> Result<Value, Throw> {
    map(cx, call, Kind::Workflow, "Workflow.map")
}

fn map(cx: &mut Cx<'_>, call: Call, kind: Kind, what: &str) -> Result<Value, Throw> {
    let name = name_argument(cx, cx.arg(call, 0), what, kind.word())?;
    let items = cx.spread_argument(cx.arg(call, 1))?;
    let (concurrency, options) = options::fan_out(cx, kind, cx.arg(call, 2))?;
    // All or none: a value that cannot leave the program throws before anything is started.
    let mut inputs = Vec::with_capacity(items.len());
    for item in items {
        cx.work(100)?;
        inputs.push(json::to_host(cx.heap, item)?.unwrap_or_else(|| "{}".to_owned()));
    }
    let first = cx.state.next_promise;
    let mut promises = Vec::with_capacity(inputs.len());
    let mut refused = None;
    for inputs in inputs {
        let (id, promise) = cx.host_promise(Wrap::Plain);
        let started = TaskCall {
            kind,
            name: name.clone(),
            inputs,
            options: options.clone(),
        };
        if let Err(error) = cx.host.start_task(id, started) {
            refused = Some(error);
            break;
        }
        promises.push(cx.host_accepted(id, promise));
    }
    if !promises.is_empty() {
        cx.host.fan_out(first, promises.len() as u32, concurrency);
    }
    match refused {
        Some(error) => Err(cx.thrown_by_host(&error)),
        None => cx.combine_fan_out(first, promises),
    }
}
