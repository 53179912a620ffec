//! Two events of the doctor's own: one with a valid signature, which has to arrive in the Unrouted queue and is deleted
//! there, and one with an invalid signature, which has to be refused.

use super::CheckContext;
use super::check::{Check, Remediation, Status};
use crate::aws;
use crate::aws::message::ReceivedMessage;
use crate::aws::queue::{BATCH, LOOK_SECONDS, Queue, QueueStats};
use crate::aws::spilled_message::{self, Key};
use crate::aws::stack::Entity;
use crate::error::Error;
use crate::relay::client::{Delivery, RelayResponse, ResponseBody, Route, Sender, new_id};
use crate::secret::{DEFAULT_NAME, check_webhook_name};
use labelbox_relay::secrets::{Secret, SecretScope, Secrets};
use labelbox_relay::spill::PREFIX;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;

/// Labelbox has no such topic, so the relay sends the event to the Unrouted queue.
pub const TOPIC: &str = "RELAYCTL_PROBE";
const PROBE: &str = "probe";
const FORGERY: &str = "forgery";
const FROM: &str = "relayctl doctor, which deletes it";
/// Among more messages, the search for the probe would take too long.
const MAX_OTHERS: u64 = 50;
/// The relay responds within 10 s.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(12);
/// The relay fetches its secret at most once in 30 s for an unknown signature.
const SECRET_INTERVAL: Duration = Duration::from_secs(31);
const MAX_RECEIVES: u32 = 10;
const MAX_EMPTY_RECEIVES: u32 = 3;
/// Shorter than what was received stays hidden, so that nothing is received twice.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(12);
/// A younger probe may belong to another doctor that is running.
const OLD_PROBE: Duration = Duration::from_secs(60);

pub async fn check(scope: &CheckContext<'_>, secrets: &Secrets) -> Vec<Check> {
    if scope.context.interrupt.is_pressed() {
        return Vec::new();
    }
    let (clients, stack) = (scope.clients, scope.stack);
    let Some(webhook) = webhook(secrets) else {
        let message = "no webhook has a usable secret to sign an event with";
        return vec![Check::new(Status::NotChecked, PROBE, message, "repair the secret first")];
    };
    let sender = Sender::find(clients, stack, scope.context.clock).await;
    let queue = Queue::new(clients, stack, Entity::Unrouted, false);
    let (sender, queue) = match (sender, queue) {
        (Ok(sender), Ok(queue)) => (sender, queue),
        (Err(error), _) | (_, Err(error)) => return vec![Check::failed(PROBE, &error, scope)],
    };
    // If the queue cannot be read, the relay may spill the probe.
    let stats = queue.stats().await.ok();
    if let Some(QueueStats { waiting, .. }) = stats
        && waiting > MAX_OTHERS
    {
        let message = format!(
            "not sent: {waiting} events wait in the Unrouted queue, among which it might not be found again"
        );
        let peek = Remediation::command(scope.context.args.relayctl("peek unrouted"));
        return vec![Check::new(Status::NotChecked, PROBE, message, peek)];
    }
    let delivery = Delivery {
        route: Route::Webhook(webhook),
        topic: Some(TOPIC.to_owned()),
        delivery_id: Some(new_id()),
        body: json!({"probe": new_id(), "from": FROM}).to_string().into_bytes(),
    };
    Probe { scope, sender, queue, stats, delivery }.run().await
}

/// The webhook that has a secret: the default one, or else the first by name.
fn webhook(secrets: &Secrets) -> Option<String> {
    let is_usable = |name: &str| {
        let all = secrets.get(SecretScope::Webhook(name)).unwrap_or_default();
        check_webhook_name(name).is_ok() && all.iter().any(|secret| !secret.is_empty())
    };
    if is_usable(DEFAULT_NAME) {
        return Some(DEFAULT_NAME.to_owned());
    }
    let Secrets::ByWebhook(by_webhook) = secrets else { return None };
    by_webhook.keys().filter(|name| is_usable(name)).min().cloned()
}

struct Probe<'p> {
    scope: &'p CheckContext<'p>,
    sender: Sender,
    queue: Queue<'p>,
    /// `None` if the queue cannot be read.
    stats: Option<QueueStats>,
    delivery: Delivery,
}

impl Probe<'_> {
    async fn run(&self) -> Vec<Check> {
        let secret = match self.sender.secret(&self.delivery.route) {
            Ok(secret) => secret,
            Err(error) => return vec![Check::failed(PROBE, &error, self.scope)],
        };
        let response = self.post_patiently(&secret).await;
        let mut checks = vec![match response.body.status.as_deref() {
            Some("unrouted") => self.check_arrival(&response).await,
            Some("spilled") => self.check_spilled(&response).await,
            _ => self.check_failure(&response).await,
        }];
        // The invalid one comes last: it makes the relay fetch its secret, which it does once in 30 s only.
        if response.http_status.is_some() {
            checks.push(self.check_forgery().await);
        }
        checks
    }

    async fn post(&self, secret: &Secret) -> RelayResponse {
        let response = timeout(RESPONSE_TIMEOUT, self.sender.post_as(&self.delivery, secret)).await;
        let error = || Some(format!("no response within {} s", RESPONSE_TIMEOUT.as_secs()));
        response.unwrap_or_else(|_| RelayResponse {
            http_status: None,
            body: ResponseBody { error: error(), ..ResponseBody::default() },
            duration_ms: 0.0,
        })
    }

    /// Posts the probe, and once more if the relay may not have fetched a secret that was just changed.
    async fn post_patiently(&self, secret: &Secret) -> RelayResponse {
        let response = self.post(secret).await;
        if response.http_status != Some(401) {
            return response;
        }
        let seconds = SECRET_INTERVAL.as_secs();
        self.scope.context.output.warn(format_args!(
            "the relay refuses the newest secret; if it was just changed, the relay fetches it within {seconds} s: waiting"
        ));
        tokio::select! {
            () = tokio::time::sleep(SECRET_INTERVAL) => self.post(secret).await,
            () = self.scope.context.interrupt.pressed() => response,
        }
    }

    async fn check_arrival(&self, response: &RelayResponse) -> Check {
        let reason = match self.delete_from_queue().await {
            Ok(true) => {
                let message = format!(
                    "a signed event arrived in {} ms, and was deleted from the queue",
                    response.duration_ms
                );
                return Check::ok(PROBE, message);
            }
            Ok(false) => "it was not found".to_owned(),
            Err(error) => error.to_string(),
        };
        let message = format!(
            "a signed event was accepted, but remains in the Unrouted queue: {reason}. A later run of the doctor deletes it"
        );
        let again = Remediation::command(self.scope.context.args.relayctl("doctor"));
        Check::new(Status::Warning, PROBE, message, again)
    }

    async fn check_spilled(&self, response: &RelayResponse) -> Check {
        let result = match self.delete_spilled().await {
            Ok(true) => "where it was deleted".to_owned(),
            Ok(false) => {
                let key = response.body.message_id.as_deref().unwrap_or("no key");
                format!("but the relay names {key}, which is not the probe's; nothing was deleted")
            }
            Err(error) => format!("where it remains: {error}"),
        };
        let message =
            format!("a signed event could not be queued, and was stored in the bucket, {result}");
        Check::new(Status::Problem, PROBE, message, self.scope.log_command())
    }

    /// After a failure or without a response, the event may be in the queue all the same.
    async fn check_failure(&self, response: &RelayResponse) -> Check {
        let mut check = self.unexpected(PROBE, response);
        let is_unclear = response.http_status.is_none_or(|status| status >= 500);
        if is_unclear && self.delete_from_queue().await.is_ok_and(|is_found| is_found) {
            check.message += "; the event arrived all the same, and was deleted";
        }
        check
    }

    async fn check_forgery(&self) -> Check {
        let response = self.post(&Secret::new(new_id())).await;
        if response.is_success() {
            // Nothing is worse, whether or not it is found.
            let _ = self.delete_from_queue().await;
            let message = "an event with an invalid signature was accepted";
            let remediation = "deploy the current version of the relay, and rotate its secrets";
            return Check::new(Status::Problem, FORGERY, message, remediation);
        }
        match (response.http_status, response.body.error.as_deref()) {
            (Some(401), _) => Check::ok(FORGERY, "an event with an invalid signature is refused"),
            // The relay does not response 401 while the sender may have a secret that it has not.
            (Some(503), Some("try_again")) => {
                let message = "an event with an invalid signature is refused, but with 503: the relay cannot fetch its \
                               secret; new instances of the function have none";
                Check::new(Status::Problem, FORGERY, message, self.scope.log_command())
            }
            _ => self.unexpected(FORGERY, &response),
        }
    }

    fn unexpected(&self, check: &str, response: &RelayResponse) -> Check {
        if response.http_status == Some(403) {
            let message = "this machine's address is not in AllowedSourceCidrs, so nothing can be sent from here";
            let remediation =
                "run the doctor from an allowed address, or see the newest event below";
            return Check::new(Status::NotChecked, check, message, remediation);
        }
        let remediation = match response.http_status {
            Some(500..) => self.scope.log_command(),
            Some(429) => {
                "see the function's concurrency above; else more events come than ThrottleRate allows".into()
            }
            _ => Remediation::Text(response.remediation(&self.scope.context.args)),
        };
        Check::new(Status::Problem, check, format!("answered {}", response.summary()), remediation)
    }

    /// Deletes the probe, and those that earlier runs have left. Gives back all other messages. Returns whether this run's
    /// probe was found.
    async fn delete_from_queue(&self) -> Result<bool, Error> {
        // Without the queue's limit, a receive may be the last one of a message.
        let Some(stats) = self.stats else {
            return Err(Error::Refused("the queue's attributes cannot be read".to_owned()));
        };
        let mut others = Vec::new();
        let found = self.search(&mut others).await;
        let given_back = self.queue.give_back(&others, stats.max_receive_count).await;
        if let Err(reason) = given_back {
            self.scope.context.output.warn(format_args!(
                "some unrouted events are visible again in {LOOK_SECONDS} s only: {reason}"
            ));
        }
        found
    }

    async fn search(&self, others: &mut Vec<ReceivedMessage>) -> Result<bool, Error> {
        let clock = self.scope.context.clock;
        let started = clock();
        let (mut is_found, mut empty) = (false, 0);
        for _ in 0..MAX_RECEIVES {
            let passed = clock().duration_since(started).unwrap_or_default();
            if is_found || empty == MAX_EMPTY_RECEIVES || passed > SEARCH_TIMEOUT {
                break;
            }
            let mut messages = self.queue.receive(BATCH, LOOK_SECONDS).await?.into_iter();
            empty += u32::from(messages.len() == 0);
            while let Some(message) = messages.next() {
                let is_own = message.message.body.as_bytes() == self.delivery.body;
                let sent = message.sent_at.map(|sent_at| clock().duration_since(sent_at.into()));
                let is_old = sent.is_some_and(|age| age.is_ok_and(|age| age > OLD_PROBE));
                if !(is_own || is_old && is_probe(&message.message.body)) {
                    others.push(message);
                    continue;
                }
                if let Err(error) = self.queue.delete(&message.receipt_handle).await {
                    others.extend(std::iter::once(message).chain(messages));
                    return Err(error.into());
                }
                is_found |= is_own;
            }
        }
        Ok(is_found)
    }

    /// Deletes the spilled probe under the key that it has to have, if the object is this run's probe. Returns whether it was.
    async fn delete_spilled(&self) -> Result<bool, Error> {
        let dedup_id = dedup_id(&self.delivery);
        let (bucket, s3) = (self.scope.stack.payload_bucket()?, &self.scope.clients.s3);
        let now = self.scope.context.now();
        // It may have been stored before midnight.
        let mut days = vec![now.date(), (now - OLD_PROBE).date()];
        days.dedup();
        for day in days {
            let day = day.to_string().replace('-', "/");
            let key = format!("{PREFIX}{}/{day}/{dedup_id}.json", Entity::Unrouted.name());
            let object = s3.get_object().bucket(bucket).key(&key).send().await;
            let object = match object.map_err(|it| aws::error("s3:GetObject", &it)) {
                Ok(object) => object,
                Err(error) if error.code.as_deref() == Some("NoSuchKey") => continue,
                Err(error) => return Err(error.into()),
            };
            let etag = object.e_tag.clone();
            let content = object.body.collect().await.map(|it| it.to_vec()).unwrap_or_default();
            let of_probe = Key { entity: Entity::Unrouted, dedup_id: &dedup_id };
            let message = spilled_message::message(of_probe, &content, false);
            let is_own = message.is_ok_and(|it| it.body.as_bytes() == self.delivery.body);
            let Some(etag) = etag.filter(|_| is_own) else { return Ok(false) };
            let deleted = s3.delete_object().bucket(bucket).key(&key).if_match(etag).send().await;
            deleted.map_err(|it| aws::error("s3:DeleteObject", &it))?;
            return Ok(true);
        }
        Ok(false)
    }
}

/// Whether a body has the form of a probe's.
fn is_probe(body: &str) -> bool {
    let Ok(Value::Object(object)) = serde_json::from_str(body) else { return false };
    let id = object.get("probe").and_then(Value::as_str);
    object.len() == 2
        && id.is_some_and(|id| Uuid::try_parse(id).is_ok())
        && object.get("from").is_some_and(|from| from == FROM)
}

/// The deduplication id that the relay gives a probe: of webhook, topic, delivery id and body.
fn dedup_id(delivery: &Delivery) -> String {
    let webhook = match &delivery.route {
        Route::Webhook(name) => name.as_str(),
        Route::ModelRun => "",
    };
    let mut hash = Sha256::new();
    for part in [Some(webhook), delivery.topic.as_deref(), delivery.delivery_id.as_deref()] {
        hash.update(part.unwrap_or_default());
        hash.update([0]);
    }
    hash.update(&delivery.body);
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn signs_for_a_webhook_that_has_a_route() {
        for (secrets, expected) in [
            ("plain", Some("labelbox")),
            (r#"{"a":"x","labelbox":"y"}"#, Some("labelbox")),
            (r#"{"Project":"x","backfill":"x","labelbox":"","x":"y","training":"z"}"#, Some("x")),
            (r#"{"backfill":"x","training":"z"}"#, None),
        ] {
            let secrets = Secrets::parse(secrets.to_owned()).unwrap();
            assert_eq!(webhook(&secrets).as_deref(), expected, "{secrets:?}");
        }
    }

    #[test]
    fn only_bodies_of_the_probes_form_are_probes() {
        let id = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
        for (body, expected) in [
            (json!({"probe": id, "from": FROM}), true),
            (json!({"probe": id, "from": "me"}), false),
            (json!({"probe": "1", "from": FROM}), false),
            (json!({"probe": id, "from": FROM, "id": 1}), false),
            (json!([id, FROM]), false),
        ] {
            assert_eq!(is_probe(&body.to_string()), expected, "{body}");
        }
    }
}
