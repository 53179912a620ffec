//! What the built tool prints without a stack: usage, wrong values, help and completions.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs::File;
use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_relayctl");
const NOWHERE: &str = "http://127.0.0.1:9";

/// `TRYCMD=overwrite` writes what is printed today into the files.
#[test]
fn prints_what_the_files_say() {
    let cases = trycmd::TestCases::new();
    // These come before what a case sets.
    for (name, value) in [
        ("AWS_CA_BUNDLE", ""),
        ("AWS_ENDPOINT_URL", NOWHERE),
        ("AWS_PROFILE", ""),
        ("LABELBOX_API_URL", ""),
    ] {
        cases.env(name, value);
    }
    cases.case("tests/cli/*.trycmd");
}

#[test]
fn what_makes_every_command_impossible_is_said_on_one_line() {
    let region = ("AWS_REGION", "us-east-1");
    let credentials = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
    for (variables, start, end) in [
        (
            vec![region],
            "no usable AWS credentials: neither environment variables nor the profile have any; ",
            "",
        ),
        (vec![("AWS_ENDPOINT_URL_SQS", "")], "AWS_ENDPOINT_URL_SQS is empty; unset it, or ", ""),
        (credentials.to_vec(), "no AWS region is set; give --region, or set AWS_REGION, or ", ""),
        (
            [&credentials[..], &[region]].concat(),
            "no response from AWS to cloudformation:DescribeStacks: Connection refused",
            "; check the network, the region and AWS_ENDPOINT_URL\n",
        ),
    ] {
        let output = Command::new(PROGRAM)
            .args(["count", "--json"])
            .env_clear()
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", NOWHERE)
            .envs(variables)
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout), (Some(3), vec![]), "{error}");
        assert!(error.starts_with(&format!("relayctl: {start}")), "{error}");
        assert!(error.ends_with(end) && error.lines().count() == 1, "{error}");
    }
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
