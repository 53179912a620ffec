//! Tests of error chains.

use super::error_chain;

#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct TestError {
    text: &'static str,
    source: Option<Box<Self>>,
}

#[test]
fn joins_all_causes_and_omits_repetitions() {
    let error = |text, source: Option<TestError>| TestError { text, source: source.map(Box::new) };
    assert_eq!(error_chain(&error("alone", None)), "alone");
    let chain =
        error("service error", Some(error("access denied", Some(error("key is disabled", None)))));
    assert_eq!(error_chain(&chain), "service error: access denied: key is disabled");
    let repeated =
        error("service error", Some(error("access denied", Some(error("access denied", None)))));
    assert_eq!(error_chain(&repeated), "service error: access denied");
}
