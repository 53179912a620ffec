//! How a failure reads in the log.

use super::error_chain;

#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Cause {
    text: &'static str,
    source: Option<Box<Self>>,
}

#[test]
fn a_chain_names_every_cause_from_the_outside_in() {
    let cause = |text, source: Option<Cause>| Cause {
        text,
        source: source.map(Box::new),
    };
    assert_eq!(error_chain(&cause("alone", None)), "alone");
    let three = cause(
        "service error",
        Some(cause("refused", Some(cause("key is disabled", None)))),
    );
    assert_eq!(
        error_chain(&three),
        "service error: refused: key is disabled"
    );
    let repeated = cause(
        "service error",
        Some(cause("refused", Some(cause("refused", None)))),
    );
    assert_eq!(error_chain(&repeated), "service error: refused");
}
