//! The house rules that a reader relies on: what only one room says.

use std::fs;
use std::path::{Path, PathBuf};

/// What is said, and the rooms that may say it.
const ONLY_IN: [(&str, &[&str]); 12] = [
    ("lambda_http", &["main.rs", "http.rs", "http/"]),
    ("hmac::", &["signature.rs", "aws/signer.rs"]),
    ("sha1::", &["signature.rs"]),
    ("md5::", &["message/checksum.rs"]),
    ("aws_sdk_sqs", &["queue.rs", "aws/places.rs"]),
    ("rustls", &["aws/internet.rs"]),
    ("aws_sdk_secretsmanager", &["secrets.rs"]),
    ("metrique", &["telemetry.rs", "telemetry/"]),
    ("std::env::", &["main.rs"]),
    ("SystemTime::now", &["main.rs"]),
    ("Instant::now", &["schedule.rs"]),
    ("new_v4", &["receive.rs"]),
];

/// Each room with its text.
pub(crate) fn rooms() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut rooms = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("tests.rs") {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                rooms.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    assert!(rooms.len() > 15);
    rooms
}

#[test]
fn only_one_room_says_it() {
    for (room, text) in rooms() {
        let code: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        for (said, allowed) in ONLY_IN {
            let may = allowed
                .iter()
                .any(|name| room == *name || (name.ends_with('/') && room.starts_with(name)));
            assert!(
                may || !code.contains(said),
                "{room} says {said}; only {allowed:?} may"
            );
        }
    }
}

#[test]
fn every_file_opens_with_a_doc_comment() {
    for (file, text) in rooms() {
        assert!(text.starts_with("//! "), "{file} does not open with //!");
    }
}
