//! How a deployment ended, and what a stack lacks.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::super::finding::Status;
use super::*;
use std::collections::HashMap;

fn whole() -> HashMap<String, String> {
    let mut outputs: HashMap<_, _> = OUTPUTS.map(|name| (name.to_owned(), "x".to_owned())).into();
    for queue in ["Label", "Workflow", "Review", "ModelRun", "Unrouted"] {
        outputs.insert(format!("{queue}QueueUrl"), "x".to_owned());
        outputs.insert(format!("{queue}DeadLetterQueueUrl"), "x".to_owned());
    }
    outputs
}

#[test]
fn only_a_finished_deployment_is_well() {
    for (status, expected) in [
        ("CREATE_COMPLETE", Status::Ok),
        ("UPDATE_COMPLETE", Status::Ok),
        ("UPDATE_IN_PROGRESS", Status::Warning),
        ("UPDATE_ROLLBACK_COMPLETE", Status::Warning),
        ("ROLLBACK_COMPLETE", Status::Problem),
        ("UPDATE_ROLLBACK_FAILED", Status::Problem),
        ("DELETE_FAILED", Status::Problem),
    ] {
        let mut stack = Stack::new("relay", whole());
        status.clone_into(&mut stack.status);
        let [found, outputs] = judge(&stack).unwrap().try_into().unwrap();
        assert_eq!((found.status, outputs.status), (expected, Status::Ok), "{status}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let mut outputs = whole();
    outputs.remove("ReviewDeadLetterQueueUrl");
    let findings = judge(&Stack::new("relay", outputs)).unwrap();
    let says = &findings.last().unwrap().says;
    assert!(says.starts_with("missing: ReviewDeadLetterQueueUrl;"), "{says}");
    assert!(judge(&Stack::new("another", HashMap::new())).is_err(), "that is no relay");
}
