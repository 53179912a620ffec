//! The memory of the process does not grow with unauthenticated requests, each of which has another name or signature.

use crate::process::Process;
use crate::requests::{BODY, SECRET, gateway_event, webhook_request, with};
use labelbox_relay::message::Checksums;
use serde_json::{Value, json};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// After this many requests, the process has allocated what it needs to handle them.
const WARM_UP_REQUESTS: usize = 1_000;
const REQUESTS: usize = 4_000;
/// The limit for the growth of peak memory in bytes. A map with the names of the webhooks would exceed it.
const MAX_GROWTH: usize = 128 * 1024;

/// The response of Secrets Manager or SQS. Other tests check that the checksums are correct.
fn aws_response(request: &Value) -> Value {
    if request.get("SecretId").is_some() {
        let secret = json!({"labelbox": SECRET}).to_string();
        return json!({"SecretString": secret});
    }
    let attributes = request["MessageAttributes"].as_object().unwrap();
    let checksums = Checksums::compute(
        request["MessageBody"].as_str().unwrap(),
        attributes.iter().map(|(name, attribute)| {
            let value = attribute["StringValue"].as_str().unwrap();
            (name.as_str(), "String", value.as_bytes())
        }),
    );
    json!({
        "MessageId": "message",
        "MD5OfMessageBody": checksums.body,
        "MD5OfMessageAttributes": checksums.attributes,
    })
}

/// An unauthenticated request that differs from every other, and the status of its response.
fn unauthenticated_request(number: usize) -> (Value, u16) {
    let name = format!("{number:064}");
    let long = name.repeat(160);
    let unknown_webhook = webhook_request(&name, &name, BODY);
    match number % 4 {
        0 => {
            let body = format!("{BODY}{name}");
            (webhook_request("labelbox", &name, &body), 401)
        }
        1 => (unknown_webhook, 404),
        2 => (with(unknown_webhook, "/headers/x-hub-signature", json!(long)), 404),
        _ => {
            let headers = json!({name.as_str(): long});
            let path = format!("/{long}");
            (gateway_event("POST", &path, headers, Some(&name)), 404)
        }
    }
}

fn assert_status(process: &Process, event: &Value, status: u16) {
    let response = process.invoke(event);
    assert_eq!(response["statusCode"], status, "{response}");
}

/// Sends unauthenticated requests, and returns the peak memory of the process in bytes.
fn peak_memory_after(process: &Process, numbers: Range<usize>) -> usize {
    for (event, status) in numbers.map(unauthenticated_request) {
        assert_status(process, &event, status);
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.unwrap().split_whitespace().next().unwrap();
    kib.parse::<usize>().unwrap() * 1024
}

#[test]
#[cfg(target_os = "linux")]
fn unauthenticated_requests_neither_grow_memory_nor_log_errors() {
    let fetch_count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&fetch_count);
    let process = Process::start(&[], move |request| {
        if request.get("SecretId").is_some() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        (200, aws_response(request).to_string())
    });
    let started = Instant::now();
    let valid = webhook_request("labelbox", SECRET, BODY);
    assert_status(&process, &valid, 200);
    let before = peak_memory_after(&process, 0..WARM_UP_REQUESTS);
    let total = WARM_UP_REQUESTS + REQUESTS;
    let after = peak_memory_after(&process, WARM_UP_REQUESTS..total);
    assert!(after.saturating_sub(before) <= MAX_GROWTH, "from {before} to {after} bytes");
    assert_status(&process, &valid, 200);
    // One at the start, and one for unauthenticated requests in each 30 s.
    let max_fetches = 2 + started.elapsed().as_secs() as usize / 30;
    let fetches = fetch_count.load(Ordering::Relaxed);
    assert!(
        (2..=max_fetches).contains(&fetches),
        "{fetches} fetches, at most {max_fetches} allowed"
    );
    let output = process.stop();
    assert_eq!(output.lines().count(), total + 2);
    assert!(!output.contains("ERROR"), "{output}");
}
