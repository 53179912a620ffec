//! Runs the oracles on every stored input of the fuzz targets: seeds, corpus, and inputs that once failed.

use super::{event, handler, secret, signature};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Checks the stored inputs of a target, and panics with the names of those that fail.
fn check_all(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let corpus = fs::read_to_string(folder.join(format!("corpus/{target}.base64"))).unwrap();
    let corpus = (1..).zip(corpus.lines());
    let mut inputs: Vec<_> = corpus
        .map(|(number, line)| {
            let name = format!("line {number} of the corpus");
            (name, STANDARD.decode(line).unwrap())
        })
        .collect();
    assert!(inputs.len() >= 10, "{} in {target}'s corpus", inputs.len());
    let seeds = fs::read_dir(folder.join("seeds").join(target)).unwrap();
    // The folder exists only if an input failed.
    let failures = fs::read_dir(folder.join("failures").join(target));
    for entry in seeds.chain(failures.into_iter().flatten()) {
        let path = entry.unwrap().path();
        inputs.push((path.display().to_string(), fs::read(&path).unwrap()));
    }
    inputs.retain(|(_, input)| std::panic::catch_unwind(|| check(input)).is_err());
    let failed: Vec<_> = inputs.iter().map(|(name, _)| name).collect();
    assert!(failed.is_empty(), "failed: {failed:#?}");
}

#[test]
fn handler_agrees_with_oracle_on_stored_inputs() {
    check_all("handler", handler::check);
}

#[test]
fn verifier_agrees_with_oracle_on_stored_inputs() {
    check_all("signature", signature::check);
}

#[test]
fn event_reader_agrees_with_oracle_on_stored_inputs() {
    check_all("body_v1", event::check);
    check_all("body_v2", event::check);
}

#[test]
fn secret_parser_agrees_with_oracle_on_stored_inputs() {
    check_all("secret", secret::check);
}

/// The name and version of each package in a lock file.
fn packages(lock_file: &str) -> BTreeSet<(String, String)> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(lock_file)).unwrap();
    let packages = text.split("[[package]]").skip(1).map(|package| {
        let mut quoted = package.split('"').skip(1).step_by(2).map(str::to_owned);
        (quoted.next().unwrap(), quoted.next().unwrap())
    });
    packages.collect()
}

#[test]
fn fuzz_lock_file_has_same_versions() {
    let (relay, fuzz) = (packages("Cargo.lock"), packages("fuzz/Cargo.lock"));
    let names: BTreeSet<&String> = relay.iter().map(|(name, _)| name).collect();
    let different: Vec<_> =
        fuzz.difference(&relay).filter(|(name, _)| names.contains(name)).collect();
    assert!(
        different.is_empty(),
        "cp Cargo.lock fuzz/ && cargo metadata --manifest-path fuzz/Cargo.toml > /dev/null\n{different:#?}"
    );
    assert!(fuzz.len() > 100);
}
