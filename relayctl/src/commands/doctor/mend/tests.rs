//! Commands as they can be pasted.

use super::*;
use serde_json::json;
use std::collections::HashMap;

#[test]
fn the_usual_stack_need_not_be_named() {
    let stack = |name| Stack::new(name, HashMap::new());
    assert_eq!(relayctl(&stack("labelbox-relay"), "count"), "relayctl count");
    assert_eq!(relayctl(&stack("mine"), "count"), "relayctl count --stack mine");
}

#[test]
fn words_are_quoted_for_a_shell() {
    let mend = set_queue("https://sqs/1/q.fifo", &json!({"a": "it's"}));
    assert_eq!(
        mend,
        r#"aws sqs set-queue-attributes --queue-url https://sqs/1/q.fifo --attributes '{"a":"it'\''s"}'"#
    );
}
