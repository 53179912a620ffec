//! The webhook names in use: all that the function has accepted lately, and those of the active webhooks at Labelbox.

use crate::aws::Clients;
use crate::aws::log;
use crate::aws::stack::Stack;
use crate::context::Context;
use crate::error::Error;
use serde_json::Value;
use std::collections::BTreeSet;

/// How far back the log is read.
const DAYS: i64 = 7;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Finds the names in use; `kept` need not be among them.
///
/// # Errors
/// If Labelbox cannot be asked although there is an API key, or without a key, if the log does not tell.
pub async fn find(
    context: &Context,
    clients: &Clients,
    stack: &Stack,
    kept: &[&str],
) -> Result<BTreeSet<String>, Error> {
    let logged = from_log(context, clients, stack, kept).await;
    let Some(key) = &context.api_key else { return logged };
    let url = stack.webhooks_url()?;
    let webhooks = context.labelbox(key, None).await?.webhooks(None).await?;
    let active = webhooks.iter().filter(|webhook| webhook.is_active());
    let names = active.filter_map(|webhook| webhook.url.strip_prefix(url)).map(str::to_owned);
    let mut names: BTreeSet<_> = names.collect();
    match logged {
        Ok(logged) => names.extend(logged),
        Err(error) => context.output.warn(format_args!("{}", error.line(&context.args))),
    }
    Ok(names)
}

async fn from_log(
    context: &Context,
    clients: &Clients,
    stack: &Stack,
    kept: &[&str],
) -> Result<BTreeSet<String>, Error> {
    if let Some(level @ ("warn" | "error")) = stack.parameter("LogLevel") {
        return Err(Error::Refused(format!(
            "the function's log does not name accepted webhooks at LogLevel {level}"
        )));
    }
    let group = stack.log_group(clients).await?;
    let mut pattern = r#"($.status = 200) && ($.route = "webhook")"#.to_owned();
    for name in kept {
        pattern += &format!(r#" && ($.webhook != "{name}")"#);
    }
    let start_ms = context.now().unix_timestamp() * 1000 - DAYS * DAY_MS;
    let events = log::read(clients, &group, start_ms, Some(&format!("{{ {pattern} }}"))).await?;
    let accepted = events.iter().filter(|it| it.fields.get("status") == Some(&Value::from(200)));
    let names = accepted.filter_map(|it| it.fields.get("webhook")?.as_str());
    Ok(names.map(str::to_owned).collect())
}
