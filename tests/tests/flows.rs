//! Random workflows under random schedules, against a small model (`rhythm_tests::flows`).
//!
//! `RHYTHM_TEST_CASES` says how many; the seed of each counts up from `RHYTHM_TEST_SEED`. A case that fails is made smaller, as long as
//! what is left fails too, and printed with its seed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rhythm_tests::flows::case::{Case, draw};
use rhythm_tests::flows::facts::Facts;
use rhythm_tests::flows::play::Stage;
use rhythm_tests::flows::source::source;
use rhythm_tests::invariant::report;
use rhythm_tests::race::{number, seed};

/// In the gate.
const CASES: u64 = 240;
/// Databases in which cases are played at the same time.
const LANES: u64 = 4;
/// How long a case is made smaller.
const SHRINKING: Duration = Duration::from_secs(60);

/// Whether the operations of a case come one at a time: one case of four.
fn is_serial(seed: u64) -> bool {
    seed.is_multiple_of(LANES)
}

/// What was there in all cases, by kind and state.
type Census = BTreeMap<String, u64>;

fn count(census: &mut Census, facts: &Facts) {
    for run in facts.runs.values() {
        *census
            .entry(format!("{} {}", run.kind, run.state))
            .or_default() += 1;
        let retries = run.earlier.len() as u64;
        *census.entry(format!("{} retried", run.kind)).or_default() += retries;
    }
    let effects = facts.effects.values().map(Vec::len).sum::<usize>() as u64;
    *census.entry("effects".to_owned()).or_default() += effects;
}

/// Makes the case of a seed smaller as long as it fails.
async fn shrink(stage: &mut Stage, seed: u64, mut wrong: String) -> (Case, String) {
    let begun = Instant::now();
    let mut smallest = draw(seed, &[]).expect("it was drawn before");
    // Whether each of the smaller ones has failed, which is how the next one comes about.
    let mut failed = vec![true];
    while let Some(case) = draw(seed, &failed)
        && begun.elapsed() < SHRINKING
    {
        let mut fails = false;
        // How sessions interleave is no part of the seed.
        for _ in 0..3 {
            if let Err(what) = stage.play(&case).await {
                (smallest, wrong, fails) = (case, what, true);
                stage.reset().await;
                break;
            }
        }
        failed.push(fails);
    }
    (smallest, wrong)
}

/// Plays its share of the cases, one after another.
async fn lane(number: u64, first: u64, cases: u64, done: Arc<AtomicU64>) -> Census {
    let mut census = Census::new();
    let mut stage: Option<Stage> = None;
    for seed in (first..first + cases).filter(|seed| seed % LANES == number) {
        let stage = match &mut stage {
            Some(stage) => stage,
            none => none.insert(Stage::open(is_serial(seed)).await),
        };
        let case = draw(seed, &[]).expect("there is a case of every seed");
        match stage.play(&case).await {
            Ok(facts) => count(&mut census, &facts),
            Err(wrong) => {
                eprintln!("RHYTHM_TEST_SEED={seed} RHYTHM_TEST_CASES=1: {wrong:.3000}");
                stage.reset().await;
                let (case, wrong) = shrink(stage, seed, wrong).await;
                let sources: Vec<_> = case.programs.iter().map(source).collect();
                panic!(
                    "RHYTHM_TEST_SEED={seed} RHYTHM_TEST_CASES=1, made smaller:\n{case:#?}\n{wrong}\n{}",
                    sources.join("\n---\n")
                );
            }
        }
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(500) {
            report(&format!("flows: {done} of {cases} cases"));
        }
    }
    if let Some(stage) = stage {
        stage.close().await;
    }
    census
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn random_workflows_do_what_a_small_model_says() {
    let first = seed("flows");
    let cases = number("RHYTHM_TEST_CASES").unwrap_or(CASES);
    let begun = Instant::now();
    let done = Arc::new(AtomicU64::new(0));
    let lanes: Vec<_> = (0..LANES)
        .map(|one| tokio::spawn(lane(one, first, cases, Arc::clone(&done))))
        .collect();
    let mut census = Census::new();
    for lane in lanes {
        for (what, count) in lane.await.expect("no case fails") {
            *census.entry(what).or_default() += count;
        }
    }
    report(&format!(
        "flows: {cases} cases from seed {first} in {:.0} s: {census:?}",
        begun.elapsed().as_secs_f64()
    ));
    if cases >= CASES {
        for what in [
            "workflow completed",
            "workflow failed",
            "workflow cancelled",
            "workflow timed_out",
            "workflow retried",
            "task completed",
            "task failed",
            "task cancelled",
            "task retried",
            "effects",
        ] {
            let count = census.get(what).copied().unwrap_or_default();
            assert!(count > 0, "there is no `{what}` in {census:?}");
        }
    }
}
