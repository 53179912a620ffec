//! Differential test: compares the signature verifier and the event reader with independent implementations in Python.
//!
//! `cases.py` generates cases from a seed; `verifier.py` and `event_reader.py` compute the expected results.
//! `DIFFERENTIAL_SEED` and `DIFFERENTIAL_CASES` select the cases.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(
    clippy::disallowed_methods,
    reason = "the environment selects the cases and the Python interpreter"
)]

mod case;
mod coverage;

use case::{Case, relay_result};
use coverage::Coverage;
use std::fmt::Display;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// The number of cases without `DIFFERENTIAL_CASES`.
const DEFAULT_CASES: u64 = 3_000;
/// With fewer cases, the coverage is left to chance and is not checked.
const MIN_CASES_FOR_COVERAGE: u64 = 2_000;

#[test]
fn relay_agrees_with_python_implementation() {
    let Some(python) = python() else { return };
    let number = |name| Some(std::env::var(name).ok()?.parse().unwrap());
    let cases = number("DIFFERENTIAL_CASES").unwrap_or(DEFAULT_CASES);
    let seed = number("DIFFERENTIAL_SEED").unwrap_or_else(|| fastrand::u64(..1 << 48));
    print(format!("{cases} cases from DIFFERENTIAL_SEED={seed}"));
    let mut coverage = Coverage::default();
    for_each_case(&python, seed, cases, |case| {
        let actual = relay_result(&case);
        assert!(
            actual == case.event,
            "different results for {case}\nPython: {:#?}\nrelay: {actual:#?}\n\
             reproduce: DIFFERENTIAL_SEED={} DIFFERENTIAL_CASES=1 cargo test --test differential",
            case.event,
            case.seed,
        );
        coverage.add(&case);
    });
    assert_eq!(coverage.cases, cases);
    print(&coverage);
    if cases >= MIN_CASES_FOR_COVERAGE {
        assert_eq!(coverage.too_low(), Vec::<String>::new());
    }
}

#[test]
fn same_seed_generates_same_case() {
    let Some(python) = python() else { return };
    let generate = |seed, count| {
        let mut cases = Vec::new();
        for_each_case(&python, seed, count, |case| cases.push(case.to_string()));
        cases
    };
    let cases = generate(7, 20);
    assert_eq!(cases, generate(7, 20));
    assert_eq!(cases.last(), generate(26, 1).last());
}

/// The interpreter: `PYTHON`, or `python3` if it is installed.
fn python() -> Option<String> {
    if let Ok(python) = std::env::var("PYTHON") {
        return Some(python);
    }
    let version = Command::new("python3").arg("--version").output();
    if version.is_err() {
        print("skipped: python3 is not installed");
    }
    version.ok().map(|_| "python3".to_owned())
}

/// Generates cases in Python, and calls `check` with each.
fn for_each_case(python: &str, seed: u64, count: u64, mut check: impl FnMut(Case)) {
    let mut generator = Command::new(python)
        // Without bytecode files in the source tree.
        .arg("-B")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential/cases.py"))
        .args([seed.to_string(), count.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {python}: {error}"));
    for line in BufReader::new(generator.stdout.take().unwrap()).lines() {
        check(serde_json::from_str(&line.unwrap()).unwrap());
    }
    assert!(generator.wait().unwrap().success());
}

/// Prints even when the test passes: the test harness captures only `print!`.
fn print(text: impl Display) {
    writeln!(std::io::stdout().lock(), "{text}").unwrap();
}
