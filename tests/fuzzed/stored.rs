//! Every stored input of the fuzz targets, played once: the seeds, what a long run added to them, and each that ever failed.

use super::{door, event, secret, signature};
use std::fs;
use std::path::Path;

/// Plays what is stored for a target.
fn play(target: &str, oracle: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let (mut inputs, mut failed) = (0, Vec::new());
    for kind in ["seeds", "corpus", "failures"] {
        // Where nothing ever failed, there is no folder.
        for entry in fs::read_dir(folder.join(kind).join(target))
            .into_iter()
            .flatten()
        {
            let path = entry.unwrap().path();
            let input = fs::read(&path).unwrap();
            if std::panic::catch_unwind(|| oracle(&input)).is_err() {
                failed.push(path);
            }
            inputs += 1;
        }
    }
    assert!(failed.is_empty(), "{failed:#?} fail");
    assert!(inputs >= 10, "{target} has {inputs} stored inputs");
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
fn every_stored_v1_body_reads_as_its_tree_says() {
    play("body_v1", event::check);
}

#[test]
fn every_stored_v2_body_reads_as_its_tree_says() {
    play("body_v2", event::check);
}

#[test]
fn every_stored_secret_opens_what_its_tree_says() {
    play("secret", secret::check);
}
