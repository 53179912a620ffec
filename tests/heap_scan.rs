//! Secrets are zeroed before their memory is freed: a scanning allocator checks every freed block.
//!
//! The stack, which holds for example the state of an HMAC, is not scanned. `docs/testing.md` lists what remains.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use aws_lite::test_util::{Replay, response};
use labelbox_relay::config::Config;
use labelbox_relay::deadlines::Deadlines;
use labelbox_relay::secrets::{Secret, Secrets};
use labelbox_relay::secrets::{SecretCache, SecretsManager};
use labelbox_relay::signature::{Signatures, Unverified};
use scanning_allocator::{ScanningAllocator, find_leaks};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

#[global_allocator]
static ALLOCATOR: ScanningAllocator = ScanningAllocator;

const SECRET: &str = "correct-horse-battery-staple";

/// Backtraces of the places that freed memory with the secret in it.
fn leaks_of<T>(work: impl FnOnce() -> T) -> Vec<String> {
    find_leaks(SECRET.as_bytes(), work)
}

#[track_caller]
fn assert_no_leaks<T>(name: &str, work: impl FnOnce() -> T) {
    let leaks = leaks_of(work);
    assert!(leaks.is_empty(), "{name}: {leaks:#?}");
}

/// The string of a Secrets Manager secret. Built outside of the scan, because building it copies the secret.
fn secret_string(template: &str) -> String {
    template.replace("SECRET", SECRET)
}

#[test]
fn scan_finds_memory_that_is_not_zeroed() {
    assert_eq!(leaks_of(|| SECRET.to_owned()).len(), 1);
    assert_eq!(leaks_of(|| SECRET[5..].to_owned()).len(), 1, "a part");
    let leaks = leaks_of(|| {
        let mut text = SECRET.to_owned();
        text.reserve(1000);
        text
    });
    assert_eq!(leaks.len(), 2, "before and after the reallocation");
    assert!(leaks_of(|| "another-long-enough-text".to_owned()).is_empty());
    assert!(
        leaks.iter().all(|backtrace| backtrace.contains("scan_finds_memory_that_is_not_zeroed"))
    );
}

#[test]
fn secret_is_zeroed_before_its_memory_is_freed() {
    assert_no_leaks("plain", || Secret::new(SECRET.to_owned()));
    assert_no_leaks("with a newline", || {
        let mut text = String::with_capacity(200);
        text.push_str(SECRET);
        text.push_str("\r\n");
        Secret::new(text)
    });
    assert_no_leaks("Debug", || format!("{:?}", Secret::new(SECRET.to_owned())));
}

#[test]
fn parsing_a_valid_value_leaks_nothing() {
    for template in [
        "SECRET",
        "SECRET\n",
        r#"{"labelbox": "SECRET"}"#,
        r#"{"labelbox": ["SECRET", "SECRET", "old"], "training": "SECRET"}"#,
        r#"{"a": "SECRET", "b": "SECRET", "c": "SECRET", "d": "SECRET", "e": "SECRET", "f": "SECRET"}"#,
        r#"{"twice": "SECRET", "twice": ["SECRET"], "twice": "SECRET"}"#,
    ] {
        let mut text = Some(secret_string(template));
        assert_no_leaks(template, || Secrets::parse(text.take().unwrap()).unwrap());
    }
}

#[test]
fn parsing_a_malformed_value_leaks_nothing() {
    for template in [
        r#"{"labelbox": "SECRET""#,
        r#"{"labelbox": SECRET}"#,
        r#"{"labelbox": {"SECRET": "SECRET"}}"#,
        r#"{"labelbox": ["SECRET", 5]}"#,
        r#"{"labelbox": ["SECRET", ["SECRET"]]}"#,
        r#"{"labelbox": "SECRET", "other": null}"#,
        r#"{"labelbox": "SECRET"} SECRET"#,
        "{SECRET",
    ] {
        let mut text = Some(secret_string(template));
        assert_no_leaks(template, || Secrets::parse(text.take().unwrap()).unwrap_err());
    }
}

#[test]
fn escaped_secret_leaks_only_in_serde_json() {
    let mut text = Some(secret_string(r#"{"labelbox": ["SECRET\n", "\u0041SECRET"]}"#));
    let leaks = leaks_of(|| Secrets::parse(text.take().unwrap()).unwrap());
    assert!(!leaks.is_empty(), "serde_json zeroes its buffer now: update docs/testing.md");
    assert!(leaks.iter().all(|backtrace| backtrace.contains("serde_json")), "{leaks:#?}");
}

#[test]
fn verifying_leaks_nothing() {
    assert_no_leaks("both signatures", || {
        let secrets = [Secret::new(SECRET.to_owned())];
        let (sha1, sha256) = (format!("sha1={:040}", 0), format!("sha256={:064}", 0));
        let signatures = Signatures::parse([&*sha1].into_iter(), [&*sha256].into_iter()).unwrap();
        let rejected = Unverified::new(b"{}".to_vec()).verify(&signatures, &secrets);
        assert!(rejected.is_err());
    });
}

#[test]
fn fetched_secret_leaks_only_in_the_response_body() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for template in ["SECRET", r#"{"labelbox": ["SECRET", "old"]}"#] {
        let store = secrets_manager(&secret_string(template));
        let leaks = leaks_of(|| {
            let cache = SecretCache::new(store, Duration::from_secs(60));
            let fetched = runtime.block_on(async {
                let deadline = Deadlines::starting_now(None).secret;
                cache.current(SystemTime::UNIX_EPOCH, deadline).await
            });
            drop(fetched.result.unwrap());
            drop(cache);
        });
        let [backtrace] = leaks.as_slice() else {
            panic!("{template}: {leaks:#?}");
        };
        assert!(backtrace.contains("bytes::bytes"), "not the response body: {backtrace}");
    }
}

/// A Secrets Manager client that returns this value once.
fn secrets_manager(value: &str) -> SecretsManager {
    let body = serde_json::json!({"Name": "relay", "SecretString": value}).to_string();
    let replay = Replay::new([response(200, body)]);
    let config = Config::load(|name| match name {
        "AWS_REGION" => Some("eu-central-1".to_owned()),
        name if name.ends_with("_QUEUE_URL") => Some("https://sqs.example/q.fifo".to_owned()),
        "SECRET_ARN" | "PAYLOAD_BUCKET" | "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => {
            Some("x".to_owned())
        }
        _ => None,
    });
    let config = config.unwrap();
    let aws = config.aws.for_clients(Arc::new(replay), || SystemTime::UNIX_EPOCH);
    SecretsManager::new(&config, &aws)
}
