//! The relay and a faulty AWS. The law: a 2xx has a durable copy with the same bytes; no durable copy, no 2xx; no
//! panic; no answer after 10 s, nor after Lambda's deadline; no 401 or 404 for want of a newer secret.
//!
//! Begin with `sequence`, which plays, and `account`, which judges; `fault` is what can go wrong.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "on a paused clock, time is what the test makes of it; how long to play is up to who runs it"
)]

mod account;
mod aws;
mod cache;
mod delivery;
mod digest;
mod draft;
mod durable;
mod fault;
mod network;
mod objects;
mod program;
mod queues;
mod secret_value;
mod sequence;
mod server;
mod stack;
mod totals;
mod vault;
mod wire;

use std::fmt::Display;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use totals::Totals;

/// How many are played if `FAULT_SEQUENCES` does not say. Each has the seed after that of the one before.
const SEQUENCES: u64 = 10_000;
/// Among so many, each fault is met at least once; most are met more often than there are sequences in a hundred.
const SEQUENCES_PER_FAULT: u64 = 1_000;

#[test]
fn random_sequences_obey_the_law() {
    let number = |name| Some(std::env::var(name).ok()?.parse().unwrap());
    let sequences = number("FAULT_SEQUENCES").unwrap_or(SEQUENCES);
    let seed = number("FAULT_SEED").unwrap_or_else(|| fastrand::u64(..1 << 48));
    say(format!("{sequences} sequences from FAULT_SEED={seed}"));
    let totals = play(seed, sequences);
    say(&totals);
    if let Some((seed, violation)) = totals.violation {
        panic!(
            "sequence {seed} breaks the law: {violation}\n\
             once more: FAULT_SEED={seed} FAULT_SEQUENCES=1 cargo test --test faults random"
        );
    }
    let (fault, times) = totals.rarest();
    assert!(
        times >= sequences / SEQUENCES_PER_FAULT,
        "{fault:?} was met {times} times"
    );
}

/// Past the test harness, which would keep the words of a test that passes to itself.
fn say(words: impl Display) {
    writeln!(std::io::stdout().lock(), "{words}").unwrap();
}

#[test]
fn a_seed_always_stands_for_the_same_sequence() {
    for seed in 0..20 {
        let (once, again) = (sequence::play(seed), sequence::play(seed));
        assert_eq!(once.outcomes, again.outcomes, "{seed}");
        assert_eq!(once.faults, again.faults, "{seed}");
    }
}

/// Plays sequences on all cores, up to the first that breaks the law.
fn play(seed: u64, sequences: u64) -> Totals {
    let (next, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let totals = Mutex::new(Totals::default());
    let play_on = || {
        while !is_over.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= sequences {
                break;
            }
            let report = sequence::play(seed + number);
            is_over.fetch_or(report.violation.is_some(), Ordering::Relaxed);
            totals.lock().unwrap().add(seed + number, report);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().unwrap().get() {
            scope.spawn(play_on);
        }
    });
    totals.into_inner().unwrap()
}
