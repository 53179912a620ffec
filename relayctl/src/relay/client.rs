//! A request as Labelbox would send it: signed with the stack's secret, and posted to the relay.

use crate::aws::Clients;
use crate::aws::secret_store::Store;
use crate::aws::stack::Stack;
use crate::error::Error;
use crate::secret::{TRAINING, Value, check_webhook_name};
use hmac::{Hmac, KeyInit, Mac};
use labelbox_relay::error::error_chain;
use labelbox_relay::secrets::Secret;
use labelbox_relay::signature::{SHA1_HEADER, SHA256_HEADER};
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::Sha256;
use std::time::{Duration, SystemTime};

const JSON: &str = "application/json";
const TOPIC_HEADER: &str = "X-Labelbox-Event";
const DELIVERY_ID_HEADER: &str = "X-Labelbox-Id";

/// Which route a request takes, and so which secret signs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    Webhook(String),
    ModelRun,
}

/// What is posted.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub route: Route,
    pub topic: Option<String>,
    pub delivery_id: Option<String>,
    pub body: Vec<u8>,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// None where there was no answer at all.
    pub http_status: Option<u16>,
    #[serde(flatten)]
    pub said: Said,
    pub duration_ms: f64,
}

/// What the relay, or the gateway in front of it, said.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Said {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The gateway's own word for what it did not let through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Answer {
    pub fn is_success(&self) -> bool {
        self.http_status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// The newest usable secret of a route.
///
/// # Errors
/// When there is none.
fn newest(value: &Value, route: &Route) -> Result<Secret, Error> {
    let name = match route {
        Route::Webhook(name) => {
            check_webhook_name(name)?;
            name
        }
        Route::ModelRun => TRAINING,
    };
    let text = value.newest(name);
    let text = text.ok_or_else(|| Error::NoSecret(name.to_owned()))?;
    Ok(Secret::new(text.to_string()))
}

/// The headers that prove who signed a body: Labelbox's, and the stronger one of its sample for AWS Lambda.
pub fn signatures(secret: &Secret, body: &[u8]) -> [(&'static str, String); 2] {
    [
        (SHA1_HEADER, format!("sha1={}", mac::<Hmac<Sha1>>(secret, body))),
        (SHA256_HEADER, format!("sha256={}", mac::<Hmac<Sha256>>(secret, body))),
    ]
}

fn mac<M: Mac + KeyInit>(secret: &Secret, body: &[u8]) -> String {
    // HMAC takes keys of any length, so there is always one; an empty signature would be refused.
    let mac = <M as KeyInit>::new_from_slice(secret.as_bytes());
    mac.map(|mac| hex::encode(mac.chain_update(body).finalize().into_bytes())).unwrap_or_default()
}

/// All headers of a delivery.
pub fn headers(delivery: &Delivery, secret: &Secret) -> Vec<(&'static str, String)> {
    let mut headers = vec![(CONTENT_TYPE.as_str(), JSON.to_owned())];
    headers.extend(signatures(secret, &delivery.body));
    headers.extend(delivery.topic.clone().map(|topic| (TOPIC_HEADER, topic)));
    headers.extend(delivery.delivery_id.clone().map(|id| (DELIVERY_ID_HEADER, id)));
    headers
}

/// Posts deliveries to one stack.
pub struct Sender {
    http: reqwest::Client,
    secrets: Value,
    webhooks_url: String,
    training_url: String,
    clock: fn() -> SystemTime,
}

impl Sender {
    /// Finds where to post to and what to sign with.
    pub async fn find(
        clients: &Clients,
        stack: &Stack,
        clock: fn() -> SystemTime,
    ) -> Result<Self, Error> {
        let store = Store::of(clients.secrets_manager.clone(), stack)?;
        let current = store.read().await?;
        Ok(Self {
            http: clients.http.clone(),
            secrets: Value::read(current.text)?,
            webhooks_url: stack.webhooks_url()?.to_owned(),
            training_url: stack.training_url()?.to_owned(),
            clock,
        })
    }

    /// The secret that signs what takes this route.
    pub fn secret(&self, route: &Route) -> Result<Secret, Error> {
        newest(&self.secrets, route)
    }

    /// Where a route begins.
    pub fn url(&self, route: &Route) -> String {
        match route {
            Route::Webhook(name) => format!("{}{name}", self.webhooks_url),
            Route::ModelRun => format!("{}/model_run", self.training_url),
        }
    }

    /// Posts a delivery once. It is not repeated, whatever comes of it: an event that arrived without an answer would
    /// come twice.
    pub async fn post(&self, delivery: &Delivery) -> Result<Answer, Error> {
        let secret = self.secret(&delivery.route)?;
        Ok(self.post_as(delivery, &secret).await)
    }

    /// The same, signed with any secret.
    pub async fn post_as(&self, delivery: &Delivery, secret: &Secret) -> Answer {
        let mut request = self.http.post(self.url(&delivery.route));
        for (name, value) in headers(delivery, secret) {
            request = request.header(name, value);
        }
        let started = (self.clock)();
        let answered = request.body(delivery.body.clone()).send().await;
        let (http_status, said) = match answered {
            Ok(answer) => {
                let status = answer.status().as_u16();
                let text = answer.bytes().await.unwrap_or_default();
                (Some(status), serde_json::from_slice(&text).unwrap_or_default())
            }
            Err(error) => (None, no_answer(&error)),
        };
        let duration = (self.clock)().duration_since(started);
        Answer { http_status, said, duration_ms: milliseconds(duration.unwrap_or_default()) }
    }
}

fn no_answer(error: &reqwest::Error) -> Said {
    let error = error_chain(error);
    Said { error: Some(format!("no answer: {error}")), ..Said::default() }
}

/// With as many digits as one can believe.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests;
