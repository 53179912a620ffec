//! The differential judge: verifier and event reader against implementations that were written from the contract in
//! Python, on generated cases. `cases.py` draws them, `verifier.py` and `reader.py` say what has to come of each.
//!
//! `JUDGE_SEED` and `JUDGE_CASES` say which; `make judge` takes 100,000.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(
    clippy::disallowed_methods,
    reason = "which cases, and with which Python, is up to who runs it"
)]

mod case;
mod mix;
mod relay;

use case::Case;
use mix::Mix;
use std::fmt::Display;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// How many cases are judged if `JUDGE_CASES` does not say.
const CASES: u64 = 3_000;
/// With fewer, chance decides what is met.
const ENOUGH_FOR_SHARES: u64 = 2_000;

#[test]
fn the_relay_and_an_independent_implementation_say_the_same() {
    let number = |name| Some(std::env::var(name).ok()?.parse().unwrap());
    let cases = number("JUDGE_CASES").unwrap_or(CASES);
    let seed = number("JUDGE_SEED").unwrap_or_else(|| fastrand::u64(..1 << 48));
    say(format!("{cases} cases from JUDGE_SEED={seed}"));
    let mut mix = Mix::default();
    draw(seed, cases, |case| {
        let said = relay::says(&case);
        assert!(
            said == case.event,
            "a disagreement about the case with seed {seed}: a {case}\n\
             Python says {:#?}\nthe relay says {said:#?}\n\
             once more: JUDGE_SEED={seed} JUDGE_CASES=1 cargo test --test judge",
            case.event,
            seed = case.seed,
        );
        mix.add(&case);
    });
    assert_eq!(mix.cases, cases);
    say(&mix);
    if cases >= ENOUGH_FOR_SHARES {
        assert_eq!(mix.rare(), Vec::<String>::new());
    }
}

#[test]
fn a_seed_always_stands_for_the_same_case() {
    let lines = |seed, cases| {
        let mut drawn = Vec::new();
        draw(seed, cases, |case| drawn.push(case.to_string()));
        drawn
    };
    let together = lines(7, 20);
    assert_eq!(together, lines(7, 20));
    assert_eq!(together.last(), lines(26, 1).last());
}

/// Has Python draw cases, and looks at each.
fn draw(seed: u64, cases: u64, mut look: impl FnMut(Case)) {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut drawing = Command::new(&python)
        // Without this it would leave its own files beside ours.
        .arg("-B")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/judge/cases.py"))
        .args([seed.to_string(), cases.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{python} draws the cases: {error}"));
    for line in BufReader::new(drawing.stdout.take().unwrap()).lines() {
        look(serde_json::from_str(&line.unwrap()).unwrap());
    }
    assert!(drawing.wait().unwrap().success());
}

/// Past the test harness, which would keep the words of a test that passes to itself.
fn say(words: impl Display) {
    writeln!(std::io::stdout().lock(), "{words}").unwrap();
}
