//! Architecture rules, checked against the source text of the library.

use std::fs;
use std::path::{Path, PathBuf};

/// Names, and the files that may use them.
const RESTRICTED: [(&str, &[&str]); 12] = [
    ("lambda_http", &["main.rs", "http.rs", "http/", "outcome.rs"]),
    ("hmac::", &["signature.rs", "aws_lite/sign.rs"]),
    ("sha1::", &["signature.rs"]),
    ("md5::", &["message/checksum.rs"]),
    ("aws_sdk", &[]),
    ("smithy", &[]),
    ("rustls", &["aws_lite/tls.rs"]),
    ("metrique", &["telemetry.rs", "telemetry/"]),
    ("std::env::", &["main.rs"]),
    ("SystemTime::now", &["main.rs"]),
    ("Instant::now", &["deadlines.rs", "aws_lite/pool.rs"]),
    ("new_v4", &["http.rs"]),
];

/// The path and the text of each source file of the function and of its AWS client.
pub(crate) fn modules() -> Vec<(String, String)> {
    let mut modules = Vec::new();
    for (source, prefix) in [("src", ""), ("aws-lite/src", "aws_lite/")] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path: PathBuf = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.ends_with("tests.rs") {
                    let name = path.strip_prefix(&root).unwrap().display();
                    let name = format!("{prefix}{name}");
                    modules.push((name, fs::read_to_string(path).unwrap()));
                }
            }
        }
        assert!(modules.len() > 10);
    }
    modules
}

#[test]
fn only_allowed_modules_use_restricted_names() {
    for (module, text) in modules() {
        let code: String =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for (restricted, allowed) in RESTRICTED {
            let is_allowed = allowed
                .iter()
                .any(|name| module == *name || (name.ends_with('/') && module.starts_with(name)));
            assert!(
                is_allowed || !code.contains(restricted),
                "{module} uses {restricted}; only {allowed:?} may use it"
            );
        }
    }
}

#[test]
fn every_file_opens_with_a_doc_comment() {
    for (file, text) in modules() {
        assert!(text.starts_with("//! "), "{file} does not open with //!");
    }
}
