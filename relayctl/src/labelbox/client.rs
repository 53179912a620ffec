//! Client of Labelbox's GraphQL API. It repeats queries that fail for a moment, and sends a mutation once.

use super::api_key::{ApiKey, parse_url};
use super::query::{self, PAGE, Query};
use super::webhook::{Scope, Webhook};
use crate::error::LabelboxError;
use crate::sanitize::excerpt;
use labelbox_relay::error::error_chain;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{Client, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// Pauses before a query is repeated.
const BACKOFF: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
/// No workspace has as many webhooks; a server that ignores `skip` would send pages for ever.
const MAX_PAGES: usize = 50;

pub struct Labelbox {
    pub(super) http: Client,
    url: Url,
    authorization: HeaderValue,
}

impl Labelbox {
    /// The address of the API, if no other is given.
    pub const URL: &str = "https://api.labelbox.com/graphql";

    /// # Errors
    /// If the key cannot be one, or must not go to this URL.
    pub fn new(http: Client, url: &str, key: &ApiKey) -> Result<Self, LabelboxError> {
        Ok(Self { http, url: parse_url(url)?, authorization: key.authorization()? })
    }

    /// The webhooks of a project, or all.
    pub async fn webhooks(&self, project: Option<&str>) -> Result<Vec<Webhook>, LabelboxError> {
        let place = if project.is_some() { "project" } else { "organization" };
        let subject = owner(project);
        let mut all = Vec::new();
        for page in 0..MAX_PAGES {
            let data = self.query(&query::webhooks(project, page * PAGE), &subject).await?;
            let found: Vec<Webhook> = read(&data, &[place, "webhooks"], &subject)?;
            let is_last = found.len() < PAGE;
            all.extend(found);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    pub async fn webhook(&self, id: &str) -> Result<Webhook, LabelboxError> {
        let subject = subject(id);
        let data = self.query(&query::webhook(id), &subject).await?;
        read(&data, &["webhook"], &subject)
    }

    /// The scope of a webhook, as far as Labelbox tells it.
    pub async fn scope(&self, webhook: &str) -> Scope {
        let data = self.query(&query::project_of(webhook), &subject(webhook)).await;
        let data = data.unwrap_or_default();
        match (data.pointer("/webhook/project"), data.pointer("/webhook/project/id")) {
            (Some(Value::Null), _) => Scope::Global,
            (_, Some(Value::String(id))) => Scope::of(Some(id)),
            _ => Scope::Unknown,
        }
    }

    pub async fn create(
        &self,
        topics: &[String],
        url: &str,
        secret: &str,
        project: Option<&str>,
    ) -> Result<Webhook, LabelboxError> {
        let mutation = query::create(topics, url, secret, project);
        self.mutate(&mutation, "createWebhook", &owner(project)).await
    }

    pub async fn disable(&self, id: &str) -> Result<Webhook, LabelboxError> {
        self.mutate(&query::disable(id), "updateWebhook", &subject(id)).await
    }

    async fn mutate(
        &self,
        mutation: &Query,
        field: &str,
        subject: &str,
    ) -> Result<Webhook, LabelboxError> {
        let outcome = self.send(mutation, subject).await;
        let outcome = outcome.and_then(|data| read(&data, &[field], subject));
        outcome.map_err(LabelboxError::of_mutation)
    }

    pub(super) async fn query(&self, query: &Query, subject: &str) -> Result<Value, LabelboxError> {
        for pause in BACKOFF {
            match self.send(query, subject).await {
                Err(error) if error.is_retryable() => tokio::time::sleep(pause).await,
                outcome => return outcome,
            }
        }
        self.send(query, subject).await
    }

    async fn send(&self, query: &Query, subject: &str) -> Result<Value, LabelboxError> {
        let request = self.http.post(self.url.clone());
        let request = request
            .header(AUTHORIZATION, self.authorization.clone())
            .header(ACCEPT, "application/json")
            .header("X-User-Agent", concat!("relayctl ", env!("CARGO_PKG_VERSION")));
        let no_response =
            |error: reqwest::Error| LabelboxError::NoResponse(excerpt(&error_chain(&error)));
        let response = request.json(query).send().await.map_err(no_response)?;
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(no_response)?;
        // Secrets are hidden before the text is cut, which could leave a part of one.
        read_response(status, &body, subject, |message| excerpt(&query.hide(message)))
    }
}

fn subject(id: &str) -> String {
    format!("webhook {}", excerpt(id))
}

pub(super) fn owner(project: Option<&str>) -> String {
    project.map_or("workspace".to_owned(), |id| format!("project {}", excerpt(id)))
}

/// Reads what is at this place of the data. Labelbox does not have what is missing or null there.
pub(super) fn read<T: DeserializeOwned>(
    data: &Value,
    place: &[&str],
    subject: &str,
) -> Result<T, LabelboxError> {
    let mut here = data;
    for step in place {
        here = here.get(step).unwrap_or(&Value::Null);
        if here.is_null() {
            return Err(LabelboxError::NotFound(subject.to_owned()));
        }
    }
    T::deserialize(here).map_err(|error| LabelboxError::Unreadable(excerpt(&error.to_string())))
}

/// Reads the data of a response about `subject`. Error messages are passed through `clean` first: they may quote the request.
fn read_response(
    status: u16,
    body: &[u8],
    subject: &str,
    clean: impl Fn(&str) -> String,
) -> Result<Value, LabelboxError> {
    let response: Option<Value> = serde_json::from_slice(body).ok().filter(Value::is_object);
    let field = |pointer: &str| response.as_ref().and_then(|response| response.pointer(pointer));
    let error = field("/errors/0");
    // Without data and errors if there were too many requests.
    let message = field("/errors/0/message").or(field("/message")).and_then(Value::as_str);
    let message = message.map_or_else(|| format!("status {status}"), clean);
    Err(match (status, error) {
        (401, _) => LabelboxError::KeyRefused,
        (429, _) => LabelboxError::Limited(message),
        (500..=599, _) => LabelboxError::Failed(message),
        _ if response.is_none() => LabelboxError::Unreadable(format!("{message}, and no JSON")),
        (_, Some(error)) => of_error(error, message, subject),
        _ if message.starts_with("You have exceeded") => LabelboxError::Limited(message),
        (403, _) => LabelboxError::NotAllowed(message),
        (200..=299, _) => match field("/data").filter(|data| !data.is_null()) {
            Some(data) => return Ok(data.clone()),
            None => LabelboxError::Unreadable(message),
        },
        _ => LabelboxError::Unreadable(message),
    })
}

/// Source: `lbox/request_client.py` of <https://pypi.org/project/lbox-clients/> 1.1.2.
fn of_error(error: &Value, message: String, subject: &str) -> LabelboxError {
    let code = error.pointer("/extensions/code").and_then(Value::as_str);
    match code.unwrap_or_default() {
        "AUTHENTICATION_ERROR" | "UNAUTHENTICATED" => LabelboxError::KeyRefused,
        "AUTHORIZATION_ERROR" | "OPERATION_NOT_ALLOWED" | "FORBIDDEN" => {
            LabelboxError::NotAllowed(message)
        }
        "RESOURCE_NOT_FOUND" => LabelboxError::NotFound(subject.to_owned()),
        "GRAPHQL_VALIDATION_FAILED"
        | "GRAPHQL_PARSE_FAILED"
        | "MALFORMED_REQUEST"
        | "RESOURCE_CONFLICT"
        | "BAD_USER_INPUT" => LabelboxError::Invalid(message),
        // Labelbox calls many errors of the caller an error of the server, with a status inside.
        "INTERNAL_SERVER_ERROR" if is_callers(error.pointer("/extensions/exception/status")) => {
            LabelboxError::Invalid(message)
        }
        _ => LabelboxError::Failed(message),
    }
}

fn is_callers(status: Option<&Value>) -> bool {
    let text = status.map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned));
    matches!(text.as_deref(), Some("400" | "422" | "426"))
}

#[cfg(test)]
mod tests;
