//! Secrets are zeroed before their memory is freed: every block is looked at as it is freed.
//!
//! What is on the stack, such as the state of an HMAC, is not looked at; `docs/security.md` says what is left.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use aws_lite::test_util::{Replay, response};
use freed::{Freed, with_secret_in};
use labelbox_relay::config::Config;
use labelbox_relay::deadlines::Deadlines;
use labelbox_relay::secrets::{Secret, Secrets};
use labelbox_relay::secrets::{SecretCache, SecretsManager};
use labelbox_relay::signature::{Signatures, Unverified};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

#[global_allocator]
static MEMORY: Freed = Freed;

const SECRET: &str = "correct-horse-battery-staple";

/// Works with a secret that is nowhere on the heap before, and gives the traces of those who left it there.
fn left_by<T>(work: impl FnOnce() -> T) -> Vec<String> {
    with_secret_in(SECRET.as_bytes(), work)
}

#[track_caller]
fn check_nothing_is_left<T>(name: &str, work: impl FnOnce() -> T) {
    let left = left_by(work);
    assert!(left.is_empty(), "{name}: {left:#?}");
}

/// Text of a secret's value; what it is made of is not to be looked at.
fn value(json: &str) -> String {
    json.replace("SECRET", SECRET)
}

#[test]
fn what_is_not_zeroed_is_found() {
    assert_eq!(left_by(|| SECRET.to_owned()).len(), 1);
    assert_eq!(left_by(|| SECRET[5..].to_owned()).len(), 1, "a part");
    let grown = left_by(|| {
        let mut text = SECRET.to_owned();
        text.reserve(1000);
        text
    });
    assert_eq!(grown.len(), 2, "at the old place and at the new one");
    assert!(left_by(|| "another-long-enough-text".to_owned()).is_empty());
    assert!(
        grown
            .iter()
            .all(|trace| trace.contains("what_is_not_zeroed_is_found"))
    );
}

#[test]
fn a_secret_is_zeroed_before_its_memory_is_freed() {
    check_nothing_is_left("as it is", || Secret::new(SECRET.to_owned()));
    check_nothing_is_left("with a newline", || {
        let mut text = String::with_capacity(200);
        text.push_str(SECRET);
        text.push_str("\r\n");
        Secret::new(text)
    });
    check_nothing_is_left("printed", || {
        format!("{:?}", Secret::new(SECRET.to_owned()))
    });
}

#[test]
fn no_form_of_the_value_leaves_a_secret_behind() {
    for form in [
        "SECRET",
        "SECRET\n",
        r#"{"labelbox": "SECRET"}"#,
        r#"{"labelbox": ["SECRET", "SECRET", "old"], "training": "SECRET"}"#,
        r#"{"a": "SECRET", "b": "SECRET", "c": "SECRET", "d": "SECRET", "e": "SECRET", "f": "SECRET"}"#,
        r#"{"twice": "SECRET", "twice": ["SECRET"], "twice": "SECRET"}"#,
    ] {
        let mut text = Some(value(form));
        check_nothing_is_left(form, || Secrets::parse(text.take().unwrap()).unwrap());
    }
}

#[test]
fn a_malformed_value_leaves_none_behind_either() {
    for form in [
        r#"{"labelbox": "SECRET""#,
        r#"{"labelbox": SECRET}"#,
        r#"{"labelbox": {"SECRET": "SECRET"}}"#,
        r#"{"labelbox": ["SECRET", 5]}"#,
        r#"{"labelbox": ["SECRET", ["SECRET"]]}"#,
        r#"{"labelbox": "SECRET", "other": null}"#,
        r#"{"labelbox": "SECRET"} SECRET"#,
        "{SECRET",
    ] {
        let mut text = Some(value(form));
        check_nothing_is_left(form, || Secrets::parse(text.take().unwrap()).unwrap_err());
    }
}

#[test]
fn the_parser_s_own_buffer_is_the_one_place_that_an_escaped_secret_is_left_in() {
    let mut text = Some(value(r#"{"labelbox": ["SECRET\n", "\u0041SECRET"]}"#));
    let left = left_by(|| Secrets::parse(text.take().unwrap()).unwrap());
    assert!(
        !left.is_empty(),
        "if it is zeroed now, docs/security.md need not say so"
    );
    assert!(
        left.iter().all(|trace| trace.contains("serde_json")),
        "{left:#?}"
    );
}

#[test]
fn verifying_leaves_nothing_on_the_heap() {
    check_nothing_is_left("both MACs", || {
        let secrets = [Secret::new(SECRET.to_owned())];
        let (sha1, sha256) = (format!("sha1={:040}", 0), format!("sha256={:064}", 0));
        let signatures = Signatures::read([&*sha1].into_iter(), [&*sha256].into_iter()).unwrap();
        let rejected = Unverified::new(b"{}".to_vec()).verify(&signatures, &secrets);
        assert!(rejected.is_err());
    });
}

#[test]
fn the_answer_of_secrets_manager_is_the_one_place_that_a_fetched_secret_is_left_in() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    for form in ["SECRET", r#"{"labelbox": ["SECRET", "old"]}"#] {
        let store = store(&value(form));
        let left = left_by(|| {
            let cache = SecretCache::new(store, Duration::from_secs(60));
            let fetched = runtime.block_on(async {
                let deadline = Deadlines::starting_now(None).secret;
                cache.current(SystemTime::UNIX_EPOCH, deadline).await
            });
            drop(fetched.result.unwrap());
            drop(cache);
        });
        let [trace] = left.as_slice() else {
            panic!("{form}: {left:#?}");
        };
        assert!(trace.contains("bytes::bytes"), "not the answer: {trace}");
    }
}

/// Secrets Manager, which answers once with this value.
fn store(value: &str) -> SecretsManager {
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
    let aws = config
        .aws
        .for_clients(Arc::new(replay), || SystemTime::UNIX_EPOCH);
    SecretsManager::new(&config, &aws)
}
