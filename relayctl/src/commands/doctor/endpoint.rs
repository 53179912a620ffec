//! The relay's own answers: to an uptime check, to an event with a valid signature, which has to arrive in the Unrouted queue and
//! is deleted there, and to one with an invalid signature, which has to be refused.

use super::CheckContext;
use super::check::{Check, Remediation, Status};
use crate::aws;
use crate::aws::message::ReceivedMessage;
use crate::aws::queue::{BATCH, LOOK_SECONDS, Queue, QueueStats};
use crate::aws::spilled_message::{self, Key};
use crate::aws::stack::Entity;
use crate::cli::quote;
use crate::error::Error;
use crate::relay::PROBE_TOPIC;
use crate::relay::client::{Delivery, RelayResponse, Route, Sender, new_id};
use crate::secret::{DEFAULT_NAME, Value, check_webhook_name};
use labelbox_relay::error::error_chain;
use labelbox_relay::message::dedup_id;
use labelbox_relay::secrets::Secret;
use serde_json::{Value as Json, json};
use std::time::Duration;
use uuid::Uuid;

const HEALTH: &str = "health";
const PROBE: &str = "probe";
const FORGERY: &str = "forgery";
const FROM: &str = "relayctl doctor, which deletes it";
/// Among more messages, the search for the probe would take too long.
const MAX_OTHERS: u64 = 50;
/// The relay fetches its secret at most once in 30 s for an unknown signature.
const SECRET_INTERVAL: Duration = Duration::from_secs(31);
const MAX_RECEIVES: u32 = 10;
const MAX_EMPTY_RECEIVES: u32 = 3;
/// Shorter than what was received stays hidden, so that nothing is received twice.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(12);
/// A younger probe may belong to another doctor that is running.
const OLD_PROBE: Duration = Duration::from_secs(60);

/// Requests the health route, as an uptime check does.
pub async fn check_health(scope: &CheckContext<'_>) -> Check {
    let Ok(url) = scope.stack.output("HealthUrl") else {
        let message = "its URL is not known";
        return Check::new(Status::NotChecked, HEALTH, message, "see the outputs above");
    };
    let started = (scope.context.clock)();
    let response = async {
        let response = scope.clients.http.get(url).send().await?;
        Ok::<_, reqwest::Error>((response.status().as_u16(), response.bytes().await?))
    };
    let (status, body) = match response.await {
        Ok(response) => response,
        Err(error) => {
            let reason = error_chain(&error.without_url());
            let error = Error::NoResponse { url: url.to_owned(), reason };
            return Check::new(Status::Problem, HEALTH, error.to_string(), "check the network");
        }
    };
    let duration = (scope.context.clock)().duration_since(started).unwrap_or_default();
    let body: Json = serde_json::from_slice(&body).unwrap_or_default();
    if status == 200 && body == json!({"status": "ok"}) {
        return Check::ok(HEALTH, format!("answers 200 in {} ms", duration.as_millis()));
    }
    let message = format!("{url} answers {status}");
    if status == 200 {
        let message = format!("{message}, but it is not the relay that answers");
        return Check::new(
            Status::Problem,
            HEALTH,
            message,
            "check where the name of this URL leads",
        );
    }
    Check::new(Status::Problem, HEALTH, message, function_commands(scope))
}

/// Prints the function's state, and its log.
fn function_commands(scope: &CheckContext<'_>) -> Remediation {
    let function = scope.stack.output("FunctionName").ok().map(|name| {
        scope.context.args.aws(&format!(
            "lambda get-function --function-name {} --query '[Configuration.[State, StateReason, LastUpdateStatusReason], Concurrency]'",
            quote(name)
        ))
    });
    Remediation::Commands(function.into_iter().chain([scope.log_command()]).collect())
}

pub async fn check_events(scope: &CheckContext<'_>, secret: Value) -> Vec<Check> {
    if scope.context.interrupt.is_pressed() {
        return Vec::new();
    }
    let Some(webhook) = webhook(&secret) else {
        let message = "no webhook has a usable secret to sign an event with";
        return vec![Check::new(Status::NotChecked, PROBE, message, "repair the secret first")];
    };
    let (clients, stack) = (scope.clients, scope.stack);
    let signing = Secret::new(secret.newest(&webhook).map(|it| it.to_string()).unwrap_or_default());
    let sender = Sender::with(secret, clients, stack, scope.context.clock);
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
        topic: Some(PROBE_TOPIC.to_owned()),
        delivery_id: Some(new_id()),
        body: json!({"probe": new_id(), "from": FROM}).to_string().into_bytes(),
    };
    Probe { scope, sender, queue, stats, delivery }.run(&signing).await
}

/// The webhook that has a secret: the default one, or else the first.
fn webhook(secret: &Value) -> Option<String> {
    let is_usable = |name: &&str| check_webhook_name(name).is_ok() && secret.newest(name).is_some();
    let mut names = std::iter::once(DEFAULT_NAME).chain(secret.entries().map(|(name, _)| name));
    names.find(is_usable).map(str::to_owned)
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
    async fn run(&self, secret: &Secret) -> Vec<Check> {
        let response = self.post_patiently(secret).await;
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

    /// Posts the probe, and once more if the relay may not have fetched a secret that was just changed.
    async fn post_patiently(&self, secret: &Secret) -> RelayResponse {
        let response = self.sender.post_as(&self.delivery, secret).await;
        if response.http_status != Some(401) {
            return response;
        }
        let seconds = SECRET_INTERVAL.as_secs();
        self.scope.context.output.warn(format_args!(
            "the relay refuses the newest secret; if it was just changed, the relay fetches it within {seconds} s: waiting"
        ));
        tokio::select! {
            () = tokio::time::sleep(SECRET_INTERVAL) => self.sender.post_as(&self.delivery, secret).await,
            () = self.scope.context.interrupt.pressed() => response,
        }
    }

    async fn check_arrival(&self, response: &RelayResponse) -> Check {
        let reason = match self.delete_from_queue().await {
            Ok(true) => {
                let ms = response.duration_ms;
                let message =
                    format!("a signed event arrived in {ms} ms, and was deleted from the queue");
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
        let key = response.body.message_id.as_deref().unwrap_or("no key");
        let result = match self.delete_spilled(key).await {
            Ok(true) => "where it was deleted".to_owned(),
            Ok(false) => {
                format!("but the relay names {key}, which is not the probe's; nothing was deleted")
            }
            Err(error) => format!("where it remains: {error}"),
        };
        let message =
            format!("a signed event could not be queued, and was stored in the bucket, {result}");
        Check::new(Status::Problem, PROBE, message, Remediation::command(self.scope.log_command()))
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
        let response = self.sender.post_as(&self.delivery, &Secret::new(new_id())).await;
        if response.is_success() {
            // Nothing is worse, whether or not it is found.
            let _ = self.delete_from_queue().await;
            let message = "an event with an invalid signature was accepted";
            let remediation = "deploy the current version of the relay, and rotate its secrets";
            return Check::new(Status::Problem, FORGERY, message, remediation);
        }
        match (response.http_status, response.body.error.as_deref()) {
            (Some(401), _) => Check::ok(FORGERY, "an event with an invalid signature is refused"),
            // The relay does not respond 401 while the sender may have a secret that it has not.
            (Some(503), Some("try_again")) => {
                let message = "an event with an invalid signature is refused, but with 503: the relay cannot fetch its \
                               secret; new instances of the function have none";
                let log = Remediation::command(self.scope.log_command());
                Check::new(Status::Problem, FORGERY, message, log)
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
            Some(429 | 500..) => function_commands(self.scope),
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

    /// Deletes the spilled object that the relay names if its key and its body are the probe's. Returns whether they were.
    async fn delete_spilled(&self, key: &str) -> Result<bool, Error> {
        let Delivery { route, topic, delivery_id, body } = &self.delivery;
        let webhook = match route {
            Route::Webhook(name) => Some(name.as_str()),
            Route::ModelRun => None,
        };
        let dedup_id = dedup_id(webhook, topic.as_deref(), delivery_id.as_deref(), body);
        let of_probe = Key { entity: Entity::Unrouted, dedup_id: &dedup_id };
        if Key::read(key) != Some(of_probe) {
            return Ok(false);
        }
        let (bucket, s3) = (self.scope.stack.payload_bucket()?, &self.scope.clients.s3);
        let object = s3.get_object().bucket(bucket).key(key).send().await;
        let object = object.map_err(|it| aws::error("s3:GetObject", &it))?;
        let etag = object.e_tag.clone();
        let content = object.body.collect().await.map(|it| it.to_vec()).unwrap_or_default();
        let message = spilled_message::message(of_probe, &content, false);
        let is_own = message.is_ok_and(|it| it.body.as_bytes() == body);
        let Some(etag) = etag.filter(|_| is_own) else { return Ok(false) };
        let deleted = s3.delete_object().bucket(bucket).key(key).if_match(etag).send().await;
        deleted.map_err(|it| aws::error("s3:DeleteObject", &it))?;
        Ok(true)
    }
}

/// Whether a body has the form of a probe's.
fn is_probe(body: &str) -> bool {
    let Ok(Json::Object(object)) = serde_json::from_str(body) else { return false };
    let id = object.get("probe").and_then(Json::as_str);
    object.len() == 2
        && id.is_some_and(|id| Uuid::try_parse(id).is_ok())
        && object.get("from").is_some_and(|from| from == FROM)
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
            let value = Value::read(secrets.to_owned().into()).unwrap();
            assert_eq!(webhook(&value).as_deref(), expected, "{secrets}");
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
