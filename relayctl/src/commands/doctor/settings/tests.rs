//! What is said of a function's configuration.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::super::finding::Status;
use super::*;
use aws_sdk_lambda::types::EnvironmentResponse;
use std::collections::HashMap;

fn variables() -> HashMap<String, String> {
    let queue = |name: &str| format!("https://sqs/1/{name}.fifo");
    [
        ("SECRET_ARN", "arn:secret".to_owned()),
        ("QUEUE_TYPE", "fifo".to_owned()),
        ("PAYLOAD_BUCKET", "bucket".to_owned()),
        ("LABEL_QUEUE_URL", queue("label")),
        ("WORKFLOW_QUEUE_URL", queue("workflow")),
        ("REVIEW_QUEUE_URL", queue("review")),
        ("MODEL_RUN_QUEUE_URL", queue("model-run")),
        ("UNROUTED_QUEUE_URL", queue("unrouted")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// The stack that gave these variables.
fn stack() -> Stack {
    let given = variables();
    let outputs = FROM_OUTPUTS.iter().filter_map(|(variable, output)| {
        Some(((*output).to_owned(), given.get(*variable)?.clone()))
    });
    Stack::new("relay", outputs.collect())
}

fn function(variables: HashMap<String, String>) -> Function {
    let environment = EnvironmentResponse::builder().set_variables(Some(variables));
    Function::builder()
        .state(State::Active)
        .last_update_status(LastUpdateStatus::Successful)
        .memory_size(128)
        .timeout(15)
        .environment(environment.build())
        .build()
}

#[track_caller]
fn check(function: &Function, name: &str, expected: Status, says: &str) {
    let findings = judge(function, &stack());
    let found = findings.iter().find(|finding| finding.name == name).unwrap();
    assert_eq!(found.status, expected, "{found:?}");
    assert!(found.says.contains(says), "{found:?}");
}

#[test]
fn a_function_as_the_stack_made_it_is_well() {
    for finding in judge(&function(variables()), &stack()) {
        assert_eq!(finding.status, Status::Ok, "{finding:?}");
    }
}

#[test]
fn variables_that_differ_or_are_unsound_are_named() {
    let changed = |name: &str, value: &str| {
        let mut changed = variables();
        changed.insert(name.to_owned(), value.to_owned());
        function(changed)
    };
    let moved = changed("LABEL_QUEUE_URL", "https://sqs/1/another.fifo");
    check(&moved, "variables", Status::Problem, "LABEL_QUEUE_URL");
    let unsound = changed("INLINE_LIMIT_KIB", "much");
    check(&unsound, "variables", Status::Problem, "INLINE_LIMIT_KIB");
    let mut missing = variables();
    missing.remove("SECRET_ARN");
    check(&function(missing), "variables", Status::Problem, "SECRET_ARN");
}

#[test]
fn a_function_that_does_not_run_says_why() {
    let mut failed = function(variables());
    check(&failed, "function", Status::Ok, "active");
    failed = Function::builder().state(State::Failed).state_reason("no image").build();
    check(&failed, "function", Status::Problem, "no image");
    let pending = Function::builder().state(State::Pending).build();
    check(&pending, "function", Status::Warning, "being updated");
    let hasty = Function::builder().timeout(3).build();
    check(&hasty, "limits", Status::Warning, "cut off");
}
