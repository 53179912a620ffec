//! Every stored input of the fuzz targets, played once: the seeds, what a long run added to them, and each that ever failed.

use super::{door, event, secret, signature};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Plays what is stored for a target.
fn play(target: &str, oracle: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let corpus = fs::read_to_string(folder.join(format!("corpus/{target}.base64"))).unwrap();
    let mut inputs: Vec<_> = (1..)
        .zip(corpus.lines())
        .map(|(number, line)| {
            (
                format!("line {number} of the corpus"),
                STANDARD.decode(line).unwrap(),
            )
        })
        .collect();
    assert!(
        inputs.len() >= 10,
        "{target} has a corpus of {}",
        inputs.len()
    );
    let seeds = fs::read_dir(folder.join("seeds").join(target)).unwrap();
    // Where nothing ever failed, there is no such folder.
    let failures = fs::read_dir(folder.join("failures").join(target));
    for entry in seeds.chain(failures.into_iter().flatten()) {
        let path = entry.unwrap().path();
        inputs.push((path.display().to_string(), fs::read(&path).unwrap()));
    }
    inputs.retain(|(_, input)| std::panic::catch_unwind(|| oracle(input)).is_err());
    let failed: Vec<_> = inputs.iter().map(|(name, _)| name).collect();
    assert!(failed.is_empty(), "{failed:#?} fail");
}

#[test]
fn the_door_does_with_every_stored_event_what_the_contract_says() {
    play("door", door::check);
}

#[test]
fn only_right_signatures_are_let_through() {
    play("signature", signature::check);
}

#[test]
fn every_stored_body_reads_as_its_tree_says() {
    play("body_v1", event::check);
    play("body_v2", event::check);
}

#[test]
fn every_stored_secret_opens_what_its_tree_says() {
    play("secret", secret::check);
}

/// The crates of a lock file: name and version.
fn locked(file: &str) -> BTreeSet<(String, String)> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let crates = text.split("[[package]]").skip(1).map(|text| {
        let mut quoted = text.split('"').skip(1).step_by(2).map(str::to_owned);
        (quoted.next().unwrap(), quoted.next().unwrap())
    });
    crates.collect()
}

#[test]
fn the_fuzzer_plays_to_the_versions_that_the_relay_has() {
    let (ours, fuzzed) = (locked("Cargo.lock"), locked("fuzz/Cargo.lock"));
    let names: BTreeSet<&String> = ours.iter().map(|(name, _)| name).collect();
    let others: Vec<_> = fuzzed
        .difference(&ours)
        .filter(|(name, _)| names.contains(name))
        .collect();
    assert!(
        others.is_empty(),
        "cp Cargo.lock fuzz/ && cargo metadata --manifest-path fuzz/Cargo.toml > /dev/null\n{others:#?}"
    );
    assert!(fuzzed.len() > 100);
}
