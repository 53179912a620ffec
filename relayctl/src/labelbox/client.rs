//! Client of Labelbox's GraphQL API. It repeats queries that fail for a moment, and sends a mutation once.

use super::api_key::{ApiKey, parse_url};
use super::error::LabelboxError;
use super::query::{self, PAGE, Query};
use super::response;
use super::webhook::{Scope, Webhook};
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
        let subject = subject(webhook);
        let data = self.query(&query::project_of(webhook), &subject).await;
        let webhook: Result<Value, _> = data.and_then(|data| read(&data, &["webhook"], &subject));
        match webhook.as_ref().ok().and_then(|it| it.get("project")) {
            Some(Value::Null) => Scope::Global,
            Some(project) => match project.get("id").and_then(Value::as_str) {
                Some(id) => Scope::of(Some(id)),
                None => Scope::Unknown,
            },
            None => Scope::Unknown,
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
        response::read(status, &body, subject, |message| excerpt(&query.hide(message)))
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
