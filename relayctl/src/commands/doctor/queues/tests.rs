//! What is said of a queue, and what makes it as it was.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::super::finding::Status;
use super::*;

const URL: &str = "https://sqs/1/label.fifo";
const DEAD: &str = "arn:aws:sqs:r:1:label-dead.fifo";

fn attributes(redrive: &str) -> Attributes {
    let all = [(QueueAttributeName::QueueArn, DEAD), (QueueAttributeName::RedrivePolicy, redrive)];
    all.map(|(name, value)| (name, value.to_owned())).into()
}

#[track_caller]
fn check(redrive: &str, expected: Option<(Status, &str)>) {
    let finding = judge_redrive("queue label", URL, &attributes(redrive), &attributes(""));
    let said = finding.as_ref().map(|it| (it.status, it.says.as_str()));
    match expected {
        None => assert_eq!(said, None),
        Some((status, says)) => {
            let (found, said) = said.unwrap();
            assert!(found == status && said.contains(says), "{redrive}: {said}");
            let mend = finding.unwrap().mend.unwrap();
            assert!(mend.contains(DEAD) && mend.contains(URL), "{mend}");
        }
    }
}

#[test]
fn what_fails_goes_to_its_own_dead_letters_after_five_receives() {
    let policy = |arn: &str, count: &str| {
        format!(r#"{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": {count}}}"#)
    };
    check(&policy(DEAD, "5"), None);
    check(&policy(DEAD, "\"5\""), None);
    check(&policy(DEAD, "50"), Some((Status::Warning, "after 50 receives")));
    check(&policy("arn:other", "5"), Some((Status::Problem, "arn:other, which is not its own")));
    check("", Some((Status::Problem, "no dead-letter queue")));
}

#[test]
fn a_queue_is_made_anew_with_all_that_the_template_gave_it() {
    let stack = Stack::default();
    let living = living(URL, &attributes(""), &stack);
    let mut names: Vec<_> = living.as_object().unwrap().keys().cloned().collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "DeduplicationScope",
            "FifoQueue",
            "FifoThroughputLimit",
            "MaximumMessageSize",
            "MessageRetentionPeriod",
            "Policy",
            "RedrivePolicy",
            "SqsManagedSseEnabled",
            "VisibilityTimeout",
        ]
    );
    let of_standard = given("https://sqs/1/label", &stack);
    assert!(!of_standard.to_string().contains("Fifo"));
}
