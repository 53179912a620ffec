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
        Ok((status, body)) => judge(status, &body, visit),
        Err(trouble) => Finding::of_trouble("health", &trouble),
    }
}

async fn ask(visit: &Visit<'_>) -> Result<(u16, String), Trouble> {
    let url = visit.stack.output("HealthUrl")?;
    let unanswered = |error: reqwest::Error| Trouble::NoAnswerAt {
        url: url.to_owned(),
        said: chain(&error.without_url()),
    };
    let answer = http::client()?.get(url).send().await.map_err(unanswered)?;
    let status = answer.status().as_u16();
    Ok((status, answer.text().await.map_err(unanswered)?))
}

fn judge(status: u16, body: &str, visit: &Visit<'_>) -> Finding {
    if status == 200 && body == r#"{"status":"ok"}"# {
        return Finding::ok("health", "answers 200");
    }
    let says = format!("answers {status}");
    let function = visit.stack.output("FunctionName").unwrap_or_default();
    Finding::problem("health", says, mend::read_log(function))
}
