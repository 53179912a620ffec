//! Runs the relay against a fake AWS that injects faults, and checks the invariants of `docs/testing.md`.
//!
//! `sequence` runs a random sequence of deliveries, `invariants` checks each response, and `fault` lists the faults.
//! `FAULT_SEED` and `FAULT_SEQUENCES` select the sequences.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
#![expect(
    clippy::disallowed_methods,
    reason = "the clock is paused, and the environment selects the sequences"
)]

mod aws;
mod binary;
mod cache_model;
mod delivery;
mod fault;
mod fixture;
mod http;
mod invariants;
mod network;
mod s3;
mod secrets_manager;
mod sequence;
mod server;
mod sqs;

use fault::{Fault, SERVICES, Service};
use sequence::Report;
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// The number of sequences without `FAULT_SEQUENCES`. Sequence `n` has the seed `FAULT_SEED + n`.
const DEFAULT_SEQUENCES: u64 = 2_000;
/// Every fault must be injected at least once in this many sequences. Most occur over ten times as often.
const SEQUENCES_PER_FAULT: u64 = 1_000;

#[test]
fn random_sequences_uphold_the_invariants() {
    let number = |name| Some(std::env::var(name).ok()?.parse().unwrap());
    let sequences = number("FAULT_SEQUENCES").unwrap_or(DEFAULT_SEQUENCES);
    let seed = number("FAULT_SEED").unwrap_or_else(|| fastrand::u64(..1 << 48));
    print(format!("{sequences} sequences from FAULT_SEED={seed}"));
    let totals = run_all(seed, sequences);
    print(&totals);
    if let Some((seed, violation)) = totals.violation {
        panic!(
            "sequence {seed} violates an invariant: {violation}\n\
             reproduce: FAULT_SEED={seed} FAULT_SEQUENCES=1 cargo test --test faults random"
        );
    }
    let (fault, count) = totals.rarest_fault();
    assert!(count >= sequences / SEQUENCES_PER_FAULT, "{fault:?} was injected only {count} times");
}

#[test]
fn same_seed_runs_same_sequence() {
    for seed in 0..20 {
        let (first, second) = (sequence::run(seed), sequence::run(seed));
        assert_eq!(first.outcomes, second.outcomes, "{seed}");
        assert_eq!(first.faults, second.faults, "{seed}");
    }
}

/// Runs sequences on all cores, and stops after the first violation.
fn run_all(seed: u64, sequences: u64) -> Totals {
    let (next, is_stopped) = (AtomicU64::new(0), AtomicBool::new(false));
    let totals = Mutex::new(Totals::default());
    let run = || {
        while !is_stopped.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= sequences {
                break;
            }
            let report = sequence::run(seed + number);
            is_stopped.fetch_or(report.violation.is_some(), Ordering::Relaxed);
            totals.lock().unwrap().add(seed + number, report);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().unwrap().get() {
            scope.spawn(run);
        }
    });
    totals.into_inner().unwrap()
}

/// The results of all sequences.
#[derive(Default)]
struct Totals {
    sequences: u64,
    outcomes: BTreeMap<String, u64>,
    faults: BTreeMap<(Service, Fault), u64>,
    /// The seed of a sequence that violated an invariant, and the violation.
    violation: Option<(u64, String)>,
}

impl Totals {
    fn add(&mut self, seed: u64, report: Report) {
        self.sequences += 1;
        for outcome in report.outcomes {
            *self.outcomes.entry(format!("{outcome:?}")).or_default() += 1;
        }
        for fault in report.faults {
            *self.faults.entry(fault).or_default() += 1;
        }
        let violation = report.violation.map(|violation| (seed, violation));
        self.violation = self.violation.take().or(violation);
    }

    /// The fault that was injected least often, and its count.
    fn rarest_fault(&self) -> ((Service, Fault), u64) {
        let all = SERVICES
            .into_iter()
            .flat_map(|service| service.faults().map(move |fault| (service, fault)));
        let counts = all.map(|fault| (fault, self.faults.get(&fault).copied().unwrap_or_default()));
        counts.min_by_key(|(_, count)| *count).unwrap()
    }
}

impl Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} sequences: {:?}", self.sequences, self.outcomes)?;
        for service in SERVICES {
            write!(f, "{service:?}:")?;
            let faults = self.faults.iter();
            for ((_, fault), count) in faults.filter(|((of, _), _)| *of == service) {
                write!(f, " {fault:?} {count}")?;
            }
            writeln!(f)?;
        }
        write!(f, "rarest fault: {:?}", self.rarest_fault())
    }
}

/// Prints even when the test passes: the test harness captures only `print!`.
fn print(text: impl Display) {
    writeln!(std::io::stdout().lock(), "{text}").unwrap();
}
