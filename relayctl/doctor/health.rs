//! Whether the relay answers at all.

use super::Visit;
use super::finding::Finding;
use super::mend;
use crate::http;
use crate::trouble::Trouble;
use labelbox_relay::error::chain;

/// Asks the relay how it is, as an uptime check does.
pub async fn look(visit: &Visit<'_>) -> Finding {
    match ask(visit).await {
        Ok(status) => judge(status, visit),
        Err(trouble) => Finding::of_trouble("health", &trouble),
    }
}

async fn ask(visit: &Visit<'_>) -> Result<u16, Trouble> {
    let url = visit.stack.output("HealthUrl")?;
    match http::client()?.get(url).send().await {
        Ok(answer) => Ok(answer.status().as_u16()),
        Err(error) => Err(Trouble::NoAnswerAt {
            url: url.to_owned(),
            said: chain(&error.without_url()),
        }),
    }
}

fn judge(status: u16, visit: &Visit<'_>) -> Finding {
    if status == 200 {
        return Finding::ok("health", "answers 200");
    }
    let says = format!("answers {status}");
    let function = visit.stack.output("FunctionName").unwrap_or_default();
    Finding::problem("health", says, mend::read_log(function))
}
