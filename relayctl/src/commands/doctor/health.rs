//! Whether the relay answers at all.

use super::Visit;
use super::finding::Finding;
use super::mend;
use super::question::LIMIT;
use crate::http;
use crate::error::Error;
use labelbox_relay::error::error_chain;
use std::time::Duration;

/// Asks the relay how it is, as an uptime check does.
pub async fn look(visit: &Visit<'_>) -> Finding {
    match ask(visit).await {
        Ok((status, took)) => judge(status, took, visit),
        Err(error) => Finding::of_trouble("health", &error),
    }
}

/// The status, and how long it took.
async fn ask(visit: &Visit<'_>) -> Result<(u16, Duration), Error> {
    let url = visit.stack.output("HealthUrl")?;
    let clock = visit.context.clock;
    let started = clock();
    match http::client()?.get(url).timeout(LIMIT).send().await {
        Ok(answer) => {
            let took = clock().duration_since(started).unwrap_or_default();
            Ok((answer.status().as_u16(), took))
        }
        Err(error) => Err(Error::NoAnswerAt {
            url: url.to_owned(),
            said: error_chain(&error.without_url()),
        }),
    }
}

fn judge(status: u16, took: Duration, visit: &Visit<'_>) -> Finding {
    if status == 200 {
        let says = format!("answers 200 in {} ms", took.as_millis());
        return Finding::ok("health", says);
    }
    let says = format!("answers {status}");
    let function = visit.stack.output("FunctionName").unwrap_or_default();
    Finding::problem("health", says, mend::read_log(function))
}
