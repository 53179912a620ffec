//! The relay and a faulty AWS. The law: a 2xx has a durable copy with the same bytes; no durable copy, no 2xx; no
//! panic; no answer after 10 s, nor after Lambda's deadline.
//!
//! `FAULT_SEQUENCES` says how many random sequences are played, `FAULT_SEED` where they begin.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may panic, and this one prints its seed"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "on a paused clock, time is what the test makes of it"
)]

mod account;
mod aws;
mod delivery;
mod fault;
mod network;
mod objects;
mod program;
mod queues;
mod sequence;
mod server;
mod vault;
mod wire;

use fault::{Fault, SERVICES, Service};
use sequence::Report;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

const SEQUENCES: u64 = 10_000;

#[test]
fn random_sequences_obey_the_law() {
    let number = |name| Some(std::env::var(name).ok()?.parse().unwrap());
    let sequences = number("FAULT_SEQUENCES").unwrap_or(SEQUENCES);
    let seed = number("FAULT_SEED").unwrap_or_else(|| fastrand::u64(..1 << 48));
    println!("{sequences} sequences from FAULT_SEED={seed}");
    let totals = play(seed, sequences);
    totals.print();
    if let Some((seed, violation)) = totals.violation {
        panic!(
            "sequence {seed} breaks the law: {violation}\n\
             once more: FAULT_SEED={seed} FAULT_SEQUENCES=1 cargo test --test faults random -- --nocapture"
        );
    }
    if sequences >= SEQUENCES {
        let all = SERVICES
            .into_iter()
            .flat_map(|service| service.menu().map(move |fault| (service, fault)));
        for (service, fault) in all {
            let times = totals.times(service, fault);
            assert!(
                times >= sequences / 1000,
                "{service:?} {fault:?}: {times} times"
            );
        }
    }
}

/// Plays sequences on all cores, up to the first that breaks the law.
fn play(seed: u64, sequences: u64) -> Totals {
    let (next, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let totals = Mutex::new(Totals::default());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= sequences {
                        break;
                    }
                    let report = sequence::play(seed + number);
                    is_over.fetch_or(report.violation.is_some(), Ordering::Relaxed);
                    totals.lock().unwrap().add(seed + number, report);
                }
            });
        }
    });
    totals.into_inner().unwrap()
}

#[derive(Default)]
struct Totals {
    sequences: u64,
    outcomes: BTreeMap<String, u64>,
    faults: BTreeMap<String, u64>,
    /// The seed of the sequence that broke the law, and how.
    violation: Option<(u64, String)>,
}

impl Totals {
    fn add(&mut self, seed: u64, report: Report) {
        self.sequences += 1;
        for outcome in report.outcomes {
            *self.outcomes.entry(format!("{outcome:?}")).or_default() += 1;
        }
        for (service, fault) in report.faults {
            *self
                .faults
                .entry(format!("{service:?} {fault:?}"))
                .or_default() += 1;
        }
        let violation = report.violation.map(|violation| (seed, violation));
        self.violation = self.violation.take().or(violation);
    }

    fn times(&self, service: Service, fault: Fault) -> u64 {
        let times = self.faults.get(&format!("{service:?} {fault:?}"));
        times.copied().unwrap_or_default()
    }

    fn print(&self) {
        println!("{} sequences: {:?}", self.sequences, self.outcomes);
        println!("faults met: {:?}", self.faults);
    }
}
