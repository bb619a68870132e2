//! Programs of the small language as Flow.

use std::fmt::Write;

use super::tree::{How, Tree, What};

/// What every program begins with. `leaf` awaits promises of the host alone, so each outcome is noted in the step that takes it.
const PRELUDE: &str = r#"
const log = [];
const say = (...entry) => { log.push(entry); Context.set("log", log); };
const settled = (all) =>
  all.map((one) => one.status === "fulfilled" ? ["ok", one.value] : ["no", one.reason.name, one.reason.message]);
async function leaf(label, promise) {
  try {
    const value = await promise;
    say("got", label, value);
    return value;
  } catch (error) {
    say("lost", label, error.name, error.message);
    throw error;
  }
}
const tried = (promise) =>
  promise.then((r) => r.success ? ["ok", r.value] : ["no", r.error.name, r.error.message]);
const task = (label, options) => { say("task", label); return Task.run("work", { label }, options); };
const tryTask = (label, options) => { say("task", label); return tried(Task.try("work", { label }, options)); };
const child = (label, name) => { say("task", label); return Workflow.run(name, { label }); };
const tryChild = (label, name) => { say("task", label); return tried(Workflow.try(name, { label })); };
async function nap(label, time) {
  const since = Date.now();
  try {
    await sleep(time);
    const slept = Date.now() - since;
    say("got", label, slept);
    return slept;
  } catch (error) {
    say("lost", label, error.name, error.message);
    throw error;
  }
}
function fail(label, word) {
  const error = new Error(`${word} ${label}`);
  say("lost", label, error.name, error.message);
  throw error;
}
async function together(label, how, parts) {
  try {
    const all = parts.map((part) => part());
    if (how === "all") return await Promise.all(all);
    if (how === "settled") return settled(await Promise.allSettled(all));
    if (how === "race") return await Promise.race(all);
    return await Promise.any(all);
  } catch (error) {
    if (error.name === "CancelledError") say("cut", label);
    throw error;
  }
}
"#;

/// What programs that use SQL have besides.
const SQL: &str = r#"
async function sql(label) {
  await Sql.exec("insert into effects (run, label) values ($1, $2)", [Context.executionId, label]);
  say("got", label, null);
  return null;
}
const badSql = (label) => leaf(label, Sql.exec(
  "insert into effects (run, label) select $1, $2 from generate_series(1, 2) n where 1 / (2 - n) = 1",
  [Context.executionId, label]));
async function flaky(label) {
  const [{ n }] = await Sql.query("select count(*)::int as n from mended");
  if (n === 0) fail(label, "flaky");
  say("got", label, null);
  return null;
}
"#;

/// The program.
#[must_use]
pub fn source(tree: &Tree) -> String {
    let mut uses_sql = false;
    tree.walk(&mut |node| {
        uses_sql |= matches!(node.what, What::Sql | What::BadSql | What::Flaky);
    });
    let mut text = PRELUDE.to_owned();
    if uses_sql {
        text.push_str(SQL);
    }
    let _ = writeln!(text, "return {};", value(tree));
    text
}

/// The name under which a program is deployed.
#[must_use]
pub fn name(program: usize) -> String {
    format!("w{program}")
}

/// A promise of the host, as which a leaf begins.
fn promise(tree: &Tree) -> String {
    let label = tree.label;
    match tree.what {
        What::Step => "sleep(0)".to_owned(),
        What::Timer(minutes) => format!("sleep(\"{minutes}m\")"),
        What::Task { tries, shared } => {
            let call = if tries { "tryTask" } else { "task" };
            match shared {
                Some(key) => format!("{call}({label}, {{ taskId: \"k{key}\" }})"),
                None => format!("{call}({label})"),
            }
        }
        What::Child { program, tries } => {
            let call = if tries { "tryChild" } else { "child" };
            format!("{call}({label}, \"{}\")", name(program))
        }
        What::Signal(name, None) => format!("Signal.next(\"s{name}\")"),
        What::Signal(name, Some(minutes)) => {
            format!("Signal.next(\"s{name}\", {{ timeout: \"{minutes}m\" }})")
        }
        _ => unreachable!("no promise of the host: {tree:?}"),
    }
}

/// An expression in an async function that has the node's value, or throws.
fn value(tree: &Tree) -> String {
    let label = tree.label;
    let part = |i: usize| value(&tree.below[i]);
    match tree.what {
        What::Timer(minutes) => format!("await nap({label}, \"{minutes}m\")"),
        What::Step | What::Task { .. } | What::Child { .. } | What::Signal(..) => {
            format!("await leaf({label}, {})", promise(tree))
        }
        What::Sql => format!("await sql({label})"),
        What::BadSql => format!("await badSql({label})"),
        What::Flaky => format!("await flaky({label})"),
        What::Throw => format!("fail({label}, \"throw\")"),
        What::Fan(how) => {
            let members: Vec<_> = tree.below.iter().map(promise).collect();
            let members = members.join(", ");
            match how {
                How::All => format!("await leaf({label}, Promise.all([{members}]))"),
                How::Settled => {
                    format!("await leaf({label}, Promise.allSettled([{members}]).then(settled))")
                }
                How::Race => format!("await leaf({label}, Promise.race([{members}]))"),
                How::Any => format!("await leaf({label}, Promise.any([{members}]))"),
                How::First => format!(
                    "await (async () => {{ const all = [{members}]; try {{ return await leaf({label}, Promise.race(all)); }} \
                     finally {{ all.forEach((one) => Task.cancel(one)); }} }})()"
                ),
            }
        }
        What::Seq => {
            let (last, before) = tree.below.split_last().expect("there is one");
            let before: String = before.iter().map(|one| value(one) + "; ").collect();
            format!(
                "await (async () => {{ {before}return {}; }})()",
                value(last)
            )
        }
        What::Together(how) => {
            let parts: Vec<_> = tree
                .below
                .iter()
                .enumerate()
                .map(|(i, one)| match how {
                    How::All | How::Settled => format!("async () => {}", value(one)),
                    _ => format!("async () => [{i}, {}]", value(one)),
                })
                .collect();
            let how = match how {
                How::All => "all",
                How::Settled => "settled",
                How::Race | How::First => "race",
                How::Any => "any",
            };
            format!("await together({label}, \"{how}\", [{}])", parts.join(", "))
        }
        What::Catch => format!(
            "await (async () => {{ try {{ return {}; }} catch (error) {{ say(\"caught\", {label}, error.name, error.message); return {}; }} }})()",
            part(0),
            part(1)
        ),
        What::Finally => format!(
            "await (async () => {{ try {{ return {}; }} finally {{ {}; }} }})()",
            part(0),
            part(1)
        ),
    }
}
