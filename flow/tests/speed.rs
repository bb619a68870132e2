//! Checking and formatting take time as the text is long, whatever it is of; what is nested too deeply is refused at once.
//!
//! Times are CPU times: tests share the machine. The bounds are far above what is measured.

use std::time::Duration;

use rhythm_flow::codes::Code;
use rhythm_flow::format::format;
use rhythm_flow::project::Project;
use rhythm_flow::source::Source;

/// The CPU time that something takes.
fn time<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let cpu = || -> Duration {
        let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
        nix::time::clock_gettime(clock)
            .expect("every Linux has this clock")
            .into()
    };
    let before = cpu();
    let made = what();
    (made, cpu() - before)
}

/// What grows as its text does takes four times as long for four times the text. Another worker of the machine may take
/// the caches away, so it has three tries.
fn assert_linear(name: &str, few: usize, most: Duration, work: impl Fn(usize) -> Duration) {
    let mut told = String::new();
    for _ in 0..3 {
        let (one, four) = (work(few), work(4 * few));
        if four < most && four < one * 8 + Duration::from_millis(30) {
            return;
        }
        told.push_str(&format!("{one:?} for {few}, {four:?} for {}; ", 4 * few));
    }
    panic!("{name}: {told}");
}

/// `count` texts with a number each.
fn each(count: usize, between: &str, text: impl Fn(usize) -> String) -> String {
    (0..count).map(text).collect::<Vec<_>>().join(between)
}

fn check(text: String) -> Duration {
    time(|| rhythm_flow::check(&Source::new("test.flow", text))).1
}

#[test]
fn ten_thousand_levels_are_refused_at_once() {
    let deep = |open: &str, middle: &str, close: &str| {
        format!("{}{middle}{}", open.repeat(10_000), close.repeat(10_000))
    };
    let nested = [
        deep("return (", "1", ")"),
        deep("(", "1", ")"),
        deep("(a) => ", "1", ""),
        deep("(a) => (", "1", ")"),
        deep("async (a) => (", "1", ")"),
        deep("async (a) => { return ", "1", "}"),
        deep("async a => ", "1", ""),
        deep("`${", "1", "}`"),
        deep("[", "1", "]"),
        deep("x = {a: ", "1", "}"),
        deep("{", "", "}"),
        deep("!", "a", ""),
        deep("!(", "a", ")"),
        deep("a ? b : ", "c", ""),
        deep("a ? ", "b", " : c"),
        deep("if (a) {", "", "}"),
        deep("if (a) ", "b", ""),
        deep("if (a) b; else ", "c", ""),
        deep("if (a) { b } else ", "{ c }", ""),
        deep("f(", "", ")"),
        deep("f(a, ", "", ")"),
        deep("new Map(", "", ")"),
        deep("x", "", ".a"),
        deep("x", "", "?.a"),
        deep("x", "", "[0]"),
        deep("x", "", ".a()"),
        deep("x[", "0", "]"),
        deep("await ", "a", ""),
        deep("let [", "a", "] = b"),
        deep("let {a: ", "a", "} = b"),
        deep("function f(a = ", "1", ") {}"),
        deep("function f() {", "", "}"),
        deep("for (;;) {", "", "}"),
        deep("switch (a) { case 1: ", "", "}"),
        deep("try {", "", "} catch {}"),
        deep("a: ", "b", ""),
        deep("a = ", "b", ""),
        deep("a ?? (", "b", ")"),
        deep("1 + (", "b", ")"),
        deep("...[", "b", "]"),
    ];
    for text in nested {
        let source = Source::new("test.flow", text);
        let (checked, took) = time(|| rhythm_flow::check(&source));
        let (_, formatting) = time(|| format(&source));
        let start: String = source.text().chars().take(20).collect();
        let mut codes = checked.diagnostics.iter().map(|one| one.code);
        assert!(
            codes.any(|code| code == Code::TooDeep) || start.starts_with("..."),
            "{start}: {:?}",
            checked.diagnostics.first()
        );
        assert!(took < Duration::from_millis(500), "{start}: {took:?}");
        assert!(
            formatting < Duration::from_millis(500),
            "{start}: {formatting:?}"
        );
    }
}

#[test]
fn twenty_thousand_lines_take_less_than_a_second() {
    let block = "  if (list.length > 10) {\n    list.push({ a: 1, b: `no ${list.length}` });\n  } else {\n    list.push(list.map((n) => n * 2));\n  }\n";
    let work = |lines: usize| {
        let mut text = String::from("const list = [];\n");
        for function in 0..lines / 50 {
            text.push_str(&format!("function f{function}() {{\n"));
            text.push_str(&block.repeat(9));
            text.push_str("  return list;\n}\n");
            text.push_str(&format!("f{function}();\n\n"));
        }
        text.push_str("return list;\n");
        let (checked, took) = time(|| rhythm_flow::check(&Source::new("test.flow", text)));
        assert!(
            checked.program.is_some(),
            "{:?}",
            checked.diagnostics.first()
        );
        took
    };
    assert_linear("20 000 lines", 5_000, Duration::from_secs(1), work);
}

#[test]
fn twenty_thousand_names_of_tasks_are_compared_soon() {
    let project = |files: Vec<String>, declared: usize| {
        let mut project = Project::default();
        for (number, text) in files.into_iter().enumerate() {
            let source = Source::new(format!("f{number}.flow"), text);
            project.add(Some(format!("f{number}")), source);
        }
        if declared > 0 {
            project.declare_tasks((0..declared).map(|n| format!("tksa_numbre_{n}")));
        }
        time(|| project.finish()).1
    };
    let most = Duration::from_secs(2);
    let uses = |count: usize, name: fn(usize) -> String| {
        each(count, "\n", |n| {
            format!("await Task.run(\"{}\", {{}});", name(n))
        })
    };
    assert_linear("names told apart by digits", 5_000, most, |count| {
        project(vec![uses(count, |n| format!("task_number_{n}"))], 0)
    });
    assert_linear("names that are used twice", 5_000, most, |count| {
        let text = uses(count, |n| format!("task_number_{}", n / 2));
        project(vec![text], 0)
    });
    assert_linear("names told apart by a letter", 2_500, most, |count| {
        let name = |n: usize| {
            let letter = char::from_u32(0x4e00 + n as u32 / 2).unwrap_or('x');
            format!("task_{letter}_{}", "b".repeat(n % 2))
        };
        project(vec![uses(count, name)], 0)
    });
    assert_linear("files with names of their own", 500, most, |count| {
        let text = |file: usize| {
            each(8, "\n", |n| {
                format!("await Task.run(\"file_{file}_{n}\", {{}});")
            })
        };
        project((0..count).map(text).collect(), 0)
    });
    assert_linear("names that nobody serves", 5_000, most, |count| {
        project(vec![uses(count, |n| format!("task_number_{n}"))], count)
    });
    assert_linear("workflows that nobody has", 5_000, most, |count| {
        let text = each(count, "\n", |n| {
            format!("await Workflow.run(\"flow_{n}\");")
        });
        let mut files = vec![text];
        files.extend((0..count).map(|_| String::new()));
        project(files, 0)
    });
}

#[test]
fn ten_thousand_misspelt_names_take_no_second() {
    assert_linear("misspelt names", 2_500, Duration::from_secs(1), |count| {
        check(
            each(count, "\n", |n| {
                format!("const customer_number_{n:05} = 1;")
            }) + &each(count, "\n", |n| format!("f(custoner_numbre_{n:05});")),
        )
    });
}

#[test]
fn the_first_hundred_unknown_names_have_a_candidate() {
    // Warnings in front of them, of which there are many, change nothing.
    let text = each(300, "\n", |n| {
        format!("function g{n}(unused) {{ return 1; }}\ng{n}();")
    }) + "\nconst customer = 1;\n"
        + &each(200, "\n", |n| {
            format!("f(custo{}mer);", "m".repeat(1 + n % 2))
        })
        + &each(120, "\n", |n| format!("f(custome_{n});"));
    let checked = rhythm_flow::check(&Source::new("test.flow", text));
    let unknown = checked
        .diagnostics
        .iter()
        .filter(|one| one.code == Code::UnknownName);
    let unknown: Vec<_> = unknown
        .filter(|one| one.message.contains("custo"))
        .collect();
    assert!(unknown.len() > 90, "{}", unknown.len());
    for one in unknown {
        assert_eq!(
            one.hint.as_deref(),
            Some("Did you mean `customer`?"),
            "{}",
            one.message
        );
    }
}

/// A name, and a text of any length.
type Long = (&'static str, fn(usize) -> String);

/// Texts that get longer in one way each.
const LONG: &[Long] = &[
    ("statements in a line", |n| {
        each(n, " ", |n| format!("console.log({n});"))
    }),
    ("comments in a line", |n| {
        format!("return [{}]", each(n, ", ", |n| format!("/* {n} */ {n}")))
    }),
    ("comments", |n| {
        each(n, "\n", |n| format!("// {n}\nconsole.log({n}) // t"))
    }),
    ("comments in front of all", |n| {
        each(n, " ", |n| format!("/* {n} */")) + " return 1"
    }),
    ("items in a line", |n| {
        format!("return [{}]", each(n, ", ", |n| format!("'é{n}'")))
    }),
    ("warnings in a line", |n| {
        each(n, " ", |n| format!("{n} + 1;"))
    }),
    ("tasks in a line", |n| {
        each(n, " ", |n| format!("await Task.run('t{n}');"))
    }),
    ("parts of a template", |n| {
        format!("return `{}`", "a ${Inputs.a} ".repeat(n))
    }),
    ("arguments", |n| {
        format!("console.log({})", each(n, ", ", |n| n.to_string()))
    }),
    ("parameters", |n| {
        format!(
            "function f({}) {{ return p0 }}\nf()",
            each(n, ", ", |n| format!("p{n} = {n}"))
        )
    }),
    ("destructured names", |n| {
        format!(
            "const {{{}}} = Inputs\nreturn p0",
            each(n, ", ", |n| format!("p{n}"))
        )
    }),
    ("variables of a loop", |n| {
        format!(
            "for (let {};;) {{ console.log(p0); break }}",
            each(n, ", ", |n| format!("p{n} = 0"))
        )
    }),
    ("functions", |n| {
        each(n, "\n", |at| {
            format!("function f{at}() {{ return f{}() }}", at * 7 % n)
        })
    }),
    ("captured variables", |n| {
        each(n, "\n", |n| format!("let v{n} = {n}"))
            + "\nconst f = () => {"
            + &each(n, "\n", |n| format!("v{n}++"))
            + "}\nf()"
    }),
    ("branches", |n| {
        format!(
            "switch (Inputs.a) {{{}}}",
            each(n, "\n", |n| format!("case {n}: console.log({n}); break;"))
        )
    }),
    ("ways out of a loop", |n| {
        format!(
            "for (;;) {{ try {{{}}} finally {{ console.log(1) }} }}",
            each(n, "\n", |n| format!("if (Inputs.a{n}) break;"))
        )
    }),
    ("properties", |n| {
        format!("return {{{}}}", each(n, ",\n", |n| format!("k{n}: {n}")))
    }),
    ("a string", |n| {
        format!("return '{}'", "é\\n".repeat(n * 10))
    }),
    ("a number", |n| format!("return {}", "1".repeat(n * 10))),
    ("syntax errors", |n| {
        each(n, "\n", |n| format!("let v{n} = ;"))
    }),
    ("names declared twice", |n| {
        each(n, "\n", |n| format!("let v{} = {n}", n % 10))
    }),
    ("promises", |n| {
        each(n, "\n", |n| format!("const p{n} = Task.run('t')"))
            + "\n"
            + &each(n, "\n", |n| format!("await p{n}"))
    }),
    ("asynchronous functions", |n| {
        each(n, "\n", |n| {
            format!(
                "async function f{n}() {{ await f{}() }}",
                n.saturating_sub(1)
            )
        }) + "\nawait f0()"
    }),
    ("queries", |n| {
        each(n, "\n", |n| format!("await Sql.query('select $2', [{n}])"))
    }),
    ("fields of the inputs", |n| {
        format!(
            "/** @param {{{{{}}}}} Inputs */\n",
            each(n, ", ", |n| format!("f{n}: string"))
        ) + &each(n, "\n", |n| format!("console.log(Inputs.g{n})"))
    }),
    ("letters of a pattern", |n| {
        format!("return /{}/.test('x')", "a|[bc]".repeat(n))
    }),
];

#[test]
fn time_grows_as_the_text_does() {
    for (name, text) in LONG {
        assert_linear(name, 2_500, Duration::from_secs(3), |count| {
            check(text(count))
        });
        assert_linear(
            &format!("{name}, formatted"),
            2_500,
            Duration::from_secs(3),
            |count| {
                let source = Source::new("test.flow", text(count));
                time(|| format(&source)).1
            },
        );
    }
}
