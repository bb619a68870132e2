//! What the engine does at each event, without its database: start, load, step, save.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use rhythm_flow::host::Settlement;
use rhythm_flow::mock::MockHost;
use rhythm_flow::{Limits, Outcome, Program, Start, Vm};

use crate::{compile, cpu};

/// A run that holds ten variables over its steps.
const TEN: &str = "
const id = Inputs.id, name = 'Ada Lovelace', email = 'ada@example.com', amount = 129.5, currency = 'EUR';
const lines = [{sku: 'a-1', qty: 2}, {sku: 'b-7', qty: 1}];
let state = 'new', attempts = 0, last = null, notes = ['one', 'two'];
while (true) {
  last = await Task.run('next', {id, attempts});
  attempts++;
  state = `${state[0]}-${attempts % 10}`;
  if (last.stop) return [name, email, amount, currency, lines, state, notes];
}
";

/// The least of some rounds, in microseconds a time: what the work costs when nobody disturbs it.
fn each(times: u32, mut work: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..7 {
        let before = cpu();
        for _ in 0..times {
            work();
        }
        best = best.min((cpu() - before).as_secs_f64() * 1e6 / f64::from(times));
    }
    best
}

fn begin(program: &Arc<Program>, inputs: &str) -> Result<(Vec<u8>, u32), String> {
    let start = Start {
        inputs: inputs.to_owned(),
        ..Start::default()
    };
    let mut vm = Vm::start(Arc::clone(program), start, Limits::default());
    let mut host = MockHost::default();
    match vm.run(&mut host) {
        Outcome::Suspended => {}
        other => return Err(format!("{other:?}")),
    }
    let save = vm.save().map_err(|error| error.message)?;
    let promise = host.tasks.first().map(|(promise, _)| *promise);
    Ok((save, promise.unwrap_or(1)))
}

fn step(program: &Arc<Program>, save: &[u8], promise: u32) -> Result<Vec<u8>, String> {
    let mut vm = Vm::load(Arc::clone(program), save, Limits::default())
        .map_err(|fault| fault.to_string())?;
    vm.settle(
        promise,
        Settlement::Fulfilled(Some("{\"stop\":false}".to_owned())),
    );
    match vm.run(&mut MockHost::default()) {
        Outcome::Suspended => vm.save().map_err(|error| error.message),
        other => Err(format!("{other:?}")),
    }
}

/// Measures all of it; `file` is the workflow whose start is measured.
pub(crate) fn measure(file: &str) -> Result<String, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let bytes = compile(file, &text)?.encode();
    let inputs = "{\"order\":\"o-1\",\"sku\":\"a-1\",\"qty\":2,\"amount\":10}";
    let decode = each(2_000, || {
        black_box(Program::decode(&bytes).is_ok());
    });
    let program = Arc::new(Program::decode(&bytes).map_err(|fault| fault.to_string())?);
    let start = each(2_000, || {
        black_box(begin(&program, inputs).is_ok());
    });
    let (start_save, _) = begin(&program, inputs)?;

    let ten = Arc::new(compile("ten.flow", TEN)?);
    let (save, promise) = begin(&ten, "{\"id\":\"o-1\"}")?;
    step(&ten, &save, promise)?;
    let ten_step = each(2_000, || {
        black_box(step(&ten, &save, promise).is_ok());
    });

    let mut out = format!(
        "{{\"decode\":{decode:.2},\"start\":{start:.2},\"start_bytes\":{},\"step\":{ten_step:.2},\"step_bytes\":{},\"large\":[",
        start_save.len(),
        save.len()
    );
    for (at, count) in [5_000, 10_000, 20_000, 40_000].into_iter().enumerate() {
        let text = format!(
            "const rows = []; for (let i = 0; i < {count}; i++) rows.push({{id: i, name: `row number ${{i}}`, tags: ['a', 'b']}}); await Task.run('next'); return rows.length;"
        );
        let program = Arc::new(compile("large.flow", &text)?);
        let (save, _) = begin(&program, "null")?;
        let load = each(2, || {
            black_box(Vm::load(Arc::clone(&program), &save, Limits::default()).is_ok());
        });
        let vm = Vm::load(Arc::clone(&program), &save, Limits::default())
            .map_err(|fault| fault.to_string())?;
        let write = each(2, || {
            black_box(vm.save().is_ok());
        });
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(
            out,
            "{comma}{{\"bytes\":{},\"load\":{load:.0},\"save\":{write:.0}}}",
            save.len()
        );
    }
    out.push_str("]}");
    Ok(out)
}
