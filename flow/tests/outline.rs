//! What a workflow may do, as a list and as diagrams.

use rhythm_flow::Source;
use rhythm_flow::check::{OutlineNode, outline};
use rhythm_flow::diagram::{dot, mermaid, rows};

const ORDER: &str = r#"
async function charge(order) {
  for (let attempt = 0; attempt < 3; attempt++) {
    const tried = await Task.try("charge", order);
    if (tried.success) return tried.value;
    await sleep("1m");
  }
}
const quick = (x) => x + 1;
const paid = await charge(Inputs);
const sent = Inputs.parcels.map((parcel) => Workflow.run("ship", { parcel }));
await Promise.all(sent);
quick(1);
await Sql.query(`insert into "orders"
  values (1)`);
try {
  await Signal.next("received", { timeout: "7d" });
} catch (e) {
  const queue = "remind";
  Task.run(queue);
} finally {
  for (const who of ["a", "b"]) await Task.run(`tell ${who}`);
}
while (true) {
  const call = await Signal.request("status");
  call.reply(1);
}
"#;

fn of(text: &str) -> OutlineNode {
    outline(&Source::new("order.flow", text), "order")
}

fn listed(text: &str) -> String {
    let rows = rows(&of(text));
    rows.iter().map(|row| format!("{}\n", row.text)).collect()
}

#[test]
fn the_list_tells_what_where_and_how_often() {
    assert_eq!(
        listed(ORDER),
        "\
workflow order
  function charge  2:1
    for (attempt < 3)  3:3, at most 3 times
      task charge  4:25, waits, at most 3 times
      timer 1m  6:11, waits, at most 3 times
  call charge  10:20, waits
  Inputs.parcels.map  11:33, any number of times
    child ship  11:45, any number of times
  await Promise.all  12:1, waits
  sql insert into \"orders\" values (1)  14:7
  signal received  17:9, waits
  catch  19:3
    task queue  20:3
  finally  22:3
    for each of [\"a\", \"b\"]  22:3, at most 2 times
      task `tell ${who}`  22:39, waits, at most 2 times
  while (true)  24:1, any number of times
    signal status  25:22, waits, any number of times
"
    );
}

#[test]
fn a_function_that_is_called_for_each_element_is_a_call_in_a_loop() {
    let text = "\
async function audit(one) { await Task.run('check', one); }
const idle = (x) => x;
await Promise.all(Inputs.all.map(audit));
return [1, 2].map(idle);
";
    assert_eq!(
        listed(text),
        "\
workflow order
  function audit  1:1
    task check  1:35, waits
  Inputs.all.map  3:34, any number of times
    call audit  3:34, any number of times
  await Promise.all  3:1, waits
"
    );
}

#[test]
fn a_mutex_is_a_place_to_wait() {
    let text = "const lock = await Mutex.acquire(`customer:${Inputs.id}`);
try { await Task.run('pay'); } finally { lock.release(); }
Mutex.acquire('later', { timeout: '1m' });
";
    assert_eq!(
        listed(text),
        "\
workflow order
  mutex `customer:${Inputs.id}`  1:20, waits
  task pay  2:13, waits
  mutex later  3:1
"
    );
}

#[test]
fn bounds_are_told_only_where_they_are_sure() {
    let bound = |head: &str, body: &str| {
        let text = format!("{head} {{ await sleep(1); {body} }}");
        let root = of(&text);
        root.children[0].times
    };
    assert_eq!(bound("for (let i = 2; i <= 4; i++)", ""), Some(3));
    assert_eq!(bound("for (let i = 0; i < 3; i++)", "i = 0;"), None);
    assert_eq!(bound("for (let i = 0; i < 3; i++)", "[i] = [0];"), None);
    assert_eq!(bound("for (let i = 0; i < 3; i += 0)", ""), None);
    assert_eq!(bound("for (let i = 0; i < Inputs.n; i++)", ""), None);
    assert_eq!(bound("for (const x of [1, ...Inputs.list])", ""), None);
    assert_eq!(bound("for (let i = 9; i < 3; i++)", ""), Some(0));
    let nested = of("for (const x of [1, 2]) for (const y of [1, 2, 3]) await Task.run('a');");
    assert_eq!(nested.children[0].children[0].children[0].times, Some(6));
}

#[test]
fn what_hides_a_name_is_no_call_of_the_host() {
    let text = "const Task = { run: (name) => name }; await Task.run('a');";
    let list = listed(text);
    assert!(!list.contains("task a"), "{list}");
    assert!(list.contains("await Task.run"), "{list}");
    // A broken source is told as far as it can be read.
    assert!(listed("await Task.run('a');\nconst = ;").contains("task a"));
}

#[test]
fn diagrams_hold_all_parts_and_escape_what_they_hold() {
    let root = of(ORDER);
    let drawn = mermaid(&root);
    assert!(drawn.starts_with("flowchart TD\n"), "{drawn}");
    for part in [
        "subgraph g1[\"function charge\"]",
        "[\"task charge\"]",
        "([\"timer 1m\"])",
        "[[\"child ship\"]]",
        "[(\"sql insert into #quot;orders#quot; values (1)\")]",
        "{{\"signal received\"}}",
        "(attempt #lt; 3) (at most 3 times)",
        "-.-> g1",
        "classDef waits",
    ] {
        assert!(drawn.contains(part), "{part}\n{drawn}");
    }
    let count = |word: &str| {
        let lines = drawn.lines().map(str::trim_start);
        lines.filter(|line| line.starts_with(word)).count()
    };
    assert_eq!(count("subgraph"), count("end"), "{drawn}");
    let drawn = dot(&root);
    assert!(drawn.starts_with("digraph \"order\" {\n") && drawn.ends_with("}\n"));
    assert_eq!(
        drawn.matches('{').count(),
        drawn.matches('}').count(),
        "{drawn}"
    );
    assert!(
        drawn.contains("sql insert into \\\"orders\\\" values (1)"),
        "{drawn}"
    );
    assert!(drawn.contains("lhead=cluster_g1"), "{drawn}");
    // One that does nothing is a diagram, too.
    assert_eq!(mermaid(&of("return 1;")), "flowchart TD\n");
}
