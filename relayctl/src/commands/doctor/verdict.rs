//! What came of the probe: the sentences about its answer, and about the search for it. Pure.

use super::finding::Finding;
use super::mend;
use super::retrieval::{Search, WORN};
use crate::relay::delivery_summary::{name, next};
use crate::relay::client::Answer;
use crate::aws::stack::Stack;
use crate::error::Error;

pub const NAME: &str = "probe";
pub const FORGERY: &str = "forgery";

/// What the answer to an event with a wrong signature says, if it was not accepted.
pub fn judge_forgery(stack: &Stack, answer: &Answer) -> Finding {
    match (answer.http_status, answer.said.error.as_deref()) {
        (Some(401), _) => Finding::ok(FORGERY, "an event with a wrong signature is refused"),
        // No 401 while the sender could have a secret that the relay has not.
        (Some(503), Some("try_again")) => {
            let says = "an event with a wrong signature is refused, but with 503: the relay cannot fetch its secret anew, \
                        so it knows of no change, and new instances have no secret at all";
            Finding::problem(FORGERY, says, in_a_moment(stack))
        }
        _ => unexpected(stack, FORGERY, answer),
    }
}

/// What the relay could not do may pass, and its log says why it could not.
fn in_a_moment(stack: &Stack) -> String {
    let doctor = mend::relayctl(stack, "doctor");
    let log = mend::read_log(stack.output("FunctionName").unwrap_or_default());
    format!("in 30 s, {doctor} again; if that says the same: {log}")
}

/// What an answer says that should not be.
pub fn unexpected(stack: &Stack, name_of_check: &str, answer: &Answer) -> Finding {
    if answer.http_status == Some(403) {
        let says = "this machine's address is not in AllowedSourceCidrs, so nothing goes through from here";
        let mend = "run the doctor where Labelbox's addresses are, or trust the newest event below";
        return Finding::not_checked(name_of_check, says, mend);
    }
    let mend = match answer.http_status {
        Some(500..) => in_a_moment(stack),
        _ => next(answer).to_owned(),
    };
    Finding::problem(name_of_check, format!("answered {}", name(answer)), mend)
}

/// What came of the search for a probe that is in the queue.
pub fn judge_search(
    stack: &Stack,
    answer: &Answer,
    search: Result<Search, Error>,
) -> Vec<Finding> {
    let id = answer.said.message_id.as_deref().unwrap_or_default();
    let search = match search {
        Ok(search) => search,
        Err(error) => return vec![left(stack, id, &error.line())],
    };
    let mut findings = vec![if search.is_found {
        let ms = answer.duration_ms;
        let says = format!("a signed event went through in {ms} ms, and was taken out again");
        Finding::ok(NAME, says)
    } else {
        left(stack, id, "it was not found")
    }];
    if search.worn > 0 {
        let says = format!(
            "{} unrouted events have been received {WORN} times or more, by the doctor or others; after five they are \
             dead letters",
            search.worn
        );
        let mend = mend::relayctl(stack, "doctor --no-probe");
        let mend = format!("give the queue a consumer, and till then: {mend}");
        findings.push(Finding::warning("unrouted events", says, mend));
    }
    findings
}

fn left(stack: &Stack, id: &str, why: &str) -> Finding {
    let says = format!(
        "a signed event went through, but stays in the Unrouted queue as message {id}: {why}"
    );
    let mend = mend::relayctl(stack, "doctor");
    let mend = format!("in a minute, {mend} takes it out, too");
    Finding::warning(NAME, says, mend)
}

#[cfg(test)]
mod tests;
