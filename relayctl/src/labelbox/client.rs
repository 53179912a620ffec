//! Labelbox's GraphQL API: a question is asked again when it may be answered in a moment, a change is sent once.

use super::error::LabelboxError;
use super::query::{self, PAGE, Query};
use super::response;
use super::webhook::{Scope, Topic, Webhook};
use crate::sanitize::excerpt;
use labelbox_relay::error::error_chain;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{Client, Url};
use serde_json::Value;
use std::time::Duration;

/// Pauses before a question is asked again.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
/// More than a workspace can sensibly have; a server that ignores `skip` would keep us for ever.
const MOST_PAGES: usize = 50;

/// The API, opened with a key.
pub struct Labelbox {
    http: Client,
    url: Url,
    authorization: HeaderValue,
}

impl Labelbox {
    pub fn new(http: Client, url: Url, authorization: HeaderValue) -> Self {
        Self { http, url, authorization }
    }

    /// The webhooks of a project, or all.
    pub async fn webhooks(&self, project: Option<&str>) -> Result<Vec<Webhook>, LabelboxError> {
        let (place, subject) = match project {
            None => ("organization", "workspace".to_owned()),
            Some(id) => ("project", format!("project {}", excerpt(id))),
        };
        let mut all = Vec::new();
        for page in 0..MOST_PAGES {
            let data = self.ask(&query::webhooks(project, page * PAGE), &subject).await?;
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
        let data = self.ask(&query::webhook(id), &subject).await?;
        read(&data, &["webhook"], &subject)
    }

    /// Which events a webhook gets, as far as Labelbox says so.
    pub async fn scope(&self, webhook: &str) -> Scope {
        let subject = subject(webhook);
        let data = self.ask(&query::project_of(webhook), &subject).await;
        let Ok(Value::Object(webhook)) = data.and_then(|data| read(&data, &["webhook"], &subject))
        else {
            return Scope::Unknown;
        };
        match webhook.get("project") {
            Some(Value::Null) => Scope::Global,
            Some(project) => match project.get("id").and_then(Value::as_str) {
                Some(id) => Scope::Project { project: excerpt(id) },
                None => Scope::Unknown,
            },
            None => Scope::Unknown,
        }
    }

    pub async fn create(
        &self,
        topics: &[Topic],
        url: &str,
        secret: &str,
        project: Option<&str>,
    ) -> Result<Webhook, LabelboxError> {
        let query = query::create(topics, url, secret, project);
        let subject =
            project.map_or("workspace".to_owned(), |id| format!("project {}", excerpt(id)));
        let outcome = self.send(&query, &subject).await;
        let created = outcome.and_then(|data| read(&data, &["createWebhook"], &subject));
        created.map_err(LabelboxError::of_change)
    }

    pub async fn disable(&self, id: &str) -> Result<Webhook, LabelboxError> {
        let subject = subject(id);
        let outcome = self.send(&query::disable(id), &subject).await;
        let disabled = outcome.and_then(|data| read(&data, &["updateWebhook"], &subject));
        disabled.map_err(LabelboxError::of_change)
    }

    /// Asks, and again after a pause where this may help.
    async fn ask(&self, query: &Query, subject: &str) -> Result<Value, LabelboxError> {
        for pause in PAUSES {
            match self.send(query, subject).await {
                Err(fault) if fault.passes() => tokio::time::sleep(pause).await,
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
        let no_answer = |error: reqwest::Error| LabelboxError::NoAnswer(error_chain(&error));
        let answer = request.json(query).send().await.map_err(no_answer)?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.map_err(no_answer)?;
        // An error may quote the request: first it loses what is secret, and then its length.
        let show = |said: &str| excerpt(&query.hide(said));
        response::read(status, &body, subject).map_err(|fault| fault.edit(show))
    }
}

fn subject(id: &str) -> String {
    format!("webhook {}", excerpt(id))
}

/// What is at this place of an answer. Where there is nothing, Labelbox does not have it.
fn read<T: serde::de::DeserializeOwned>(
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
