//! What the built tool prints without a stack: usage, wrong values, help and completions.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs::File;
use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_relayctl");

/// `TRYCMD=overwrite` writes what is printed today into the files.
#[test]
fn prints_what_the_files_say() {
    let cases = trycmd::TestCases::new();
    // These come before what a case sets.
    for (name, value) in [
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_PROFILE", ""),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ] {
        cases.env(name, value);
    }
    cases.case("tests/cli/*.trycmd");
}

fn output(words: &str) -> String {
    let output = Command::new(PROGRAM).args(words.split(' ')).env("COLUMNS", "60").output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

#[test]
fn help_wraps_at_60_columns() {
    for words in ["--help", "trigger --help", "redrive --help", "count -h"] {
        let help = output(words);
        assert!(help.contains("Usage: relayctl"), "{help}");
        // A word that is longer stands alone.
        let is_wide = |line: &&str| line.chars().count() > 60 && line.trim().contains(' ');
        assert_eq!(help.lines().find(is_wide), None, "{words}");
    }
}

#[test]
fn completions_know_topics_and_queues() {
    for shell in ["bash", "zsh", "fish"] {
        let script = output(&format!("completions {shell}"));
        for values in [
            "label workflow review model_run unrouted all",
            "LABEL_CREATED LABEL_UPDATED LABEL_DELETED WORKFLOW_ACTION MOVE",
            "MODEL_RUN_CREATED",
        ] {
            assert!(script.contains(values), "{shell}: {values}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn help_that_cannot_be_written_is_an_error() {
    for words in ["--help", "help send", "--version"] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let status = Command::new(PROGRAM).args(words.split(' ')).stdout(full).status();
        assert_eq!(status.unwrap().code(), Some(1), "{words}");
    }
}
