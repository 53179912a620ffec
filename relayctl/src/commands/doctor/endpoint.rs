//! The relay's own answers: to an uptime check, to an event with a valid signature, which has to arrive in the Unrouted queue and
//! is deleted there, and to one with an invalid signature, which has to be refused.

use super::CheckContext;
use super::check::{Check, Status};
use crate::aws::CallResult;
use crate::aws::queue::{BATCH, LOOK_SECONDS, Queue, QueueStats};
use crate::aws::spilled_message::{self, Key, Object};
use crate::aws::stack::Entity;
use crate::cli::quote;
use crate::error::Error;
use crate::relay::PROBE_TOPIC;
use crate::relay::client::{Delivery, RelayResponse, Route, Sender, new_id};
use crate::secret::{DEFAULT_NAME, Value, check_webhook_name};
use labelbox_relay::error::error_chain;
use labelbox_relay::event::timestamp;
use labelbox_relay::message::dedup_id;
use labelbox_relay::secrets::Secret;
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

const HEALTH: &str = "health";
const PROBE: &str = "probe";
const FORGERY: &str = "forgery";
const FROM: &str = "relayctl doctor, which deletes it";
/// Among more messages, the search for the probe would take too long.
const MAX_OTHERS: u64 = 50;
/// The relay fetches its secret at most once in 30 s for an unknown signature.
const SECRET_INTERVAL: Duration = Duration::from_secs(31);
const MAX_EMPTY_RECEIVES: u32 = 3;
/// Shorter than what was received stays hidden, so that nothing is received twice.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(12);
/// A consumer that waits for messages has one by then.
const CONSUMER_TIME: Duration = Duration::from_secs(2);

/// Requests the health route, as an uptime check does.
pub async fn check_health(scope: &CheckContext<'_>) -> Result<Check, Error> {
    let url = scope.stack.output("HealthUrl")?;
    let response = async {
        let response = scope.clients.http.get(url).send().await?;
        Ok::<_, reqwest::Error>((response.status().as_u16(), response.bytes().await?))
    };
    let started = (scope.context.clock)();
    let response = response.await;
    let duration = (scope.context.clock)().duration_since(started).unwrap_or_default();
    Ok(match response {
        Ok((200, body)) if body == r#"{"status":"ok"}"# => {
            Check::ok(HEALTH, format!("answers 200 in {} ms", duration.as_millis()))
        }
        Ok((200, _)) => {
            let message = format!("{url} answers 200, but it is not the relay that answers");
            Check::problem(HEALTH, message).advise("check where the name of this URL leads")
        }
        Ok((status, _)) => {
            let message = format!("{url} answers {status}");
            Check::problem(HEALTH, message).run(function_commands(scope))
        }
        Err(error) => {
            let reason = error_chain(&error.without_url());
            let error = Error::NoResponse { url: url.to_owned(), reason };
            Check::problem(HEALTH, error.to_string()).advise("check the network")
        }
    })
}

/// Prints the function's state, and its log.
fn function_commands(scope: &CheckContext<'_>) -> impl Iterator<Item = String> {
    let function = scope.stack.output("FunctionName").ok().map(|name| {
        scope.args.aws(&format!(
            "lambda get-function --function-name {} --query '[Configuration.[State, StateReason, LastUpdateStatusReason], Concurrency]'",
            quote(name)
        ))
    });
    function.into_iter().chain([scope.log_command()])
}

/// Sends a signed event and a forged one.
pub async fn check_events(scope: &CheckContext<'_>, secret: Option<Value>) -> Vec<Check> {
    let probe = match Probe::new(scope, secret).await {
        Ok(probe) => probe,
        Err(check) => return vec![check],
    };
    let response = probe.post_patiently().await;
    let mut checks = vec![match response.body.status.as_deref() {
        Some("unrouted") => probe.check_arrival(&response).await,
        Some("spilled") => probe.check_spilled(&response).await,
        _ => probe.check_failure(&response).await,
    }];
    // The forged one comes last: it makes the relay fetch its secret, which it does once in 30 s only.
    if response.http_status.is_some() {
        checks.push(probe.check_forgery().await);
    }
    checks
}

/// A body that no other event has; all are of one length.
pub fn probe_body() -> String {
    json!({"probe": new_id(), "from": FROM}).to_string()
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
    secret: Secret,
    queue: Queue<'p>,
    /// `None` if the queue cannot be read: then the relay may spill the probe.
    stats: Option<QueueStats>,
    webhook: String,
    delivery: Delivery,
}

impl<'p> Probe<'p> {
    /// The probe, or why none is sent.
    async fn new(scope: &'p CheckContext<'p>, secrets: Option<Value>) -> Result<Self, Check> {
        let failed = |error| Check::failed(PROBE, &error, scope.args);
        let webhook = secrets.as_ref().and_then(webhook);
        let (Some(secrets), Some(webhook)) = (secrets, webhook) else {
            let message = "no webhook has a usable secret to sign an event with";
            let check = Check::new(Status::NotChecked, PROBE, message);
            return Err(check.advise("repair the secret first"));
        };
        let route = Route::Webhook(webhook.clone());
        let sender = Sender::with(secrets, scope.clients, scope.stack, scope.context.clock);
        let sender = sender.map_err(failed)?;
        let secret = sender.secret(&route).map_err(failed)?;
        let queue = Queue::new(scope.clients, scope.stack, Entity::Unrouted, false);
        let queue = queue.map_err(failed)?;
        let stats = queue.stats().await.ok();
        let waiting = stats.map_or(0, |stats| stats.waiting);
        if waiting > MAX_OTHERS {
            let message = format!(
                "not sent: {waiting} events wait in the Unrouted queue, among which it might not be found again"
            );
            let peek = scope.args.relayctl("peek unrouted");
            return Err(Check::new(Status::NotChecked, PROBE, message).run([peek]));
        }
        let delivery = Delivery {
            route,
            topic: Some(PROBE_TOPIC.to_owned()),
            delivery_id: Some(new_id()),
            body: probe_body().into_bytes(),
        };
        Ok(Self { scope, sender, secret, queue, stats, webhook, delivery })
    }

    /// Posts the probe, and once more if the relay may not have fetched a secret that was just changed.
    async fn post_patiently(&self) -> RelayResponse {
        let post = || self.sender.post_as(&self.delivery, &self.secret);
        let response = post().await;
        if response.http_status != Some(401) {
            return response;
        }
        let seconds = SECRET_INTERVAL.as_secs();
        self.scope.context.output.warn(format_args!(
            "the relay refuses the newest secret; if it was just changed, the relay fetches it within {seconds} s: waiting"
        ));
        tokio::select! {
            () = sleep(SECRET_INTERVAL) => post().await,
            () = self.scope.context.interrupt.pressed() => response,
        }
    }

    async fn check_arrival(&self, response: &RelayResponse) -> Check {
        let has_consumer = match self.delete_from_queue(&self.delivery.body).await {
            Ok(true) => {
                let ms = response.duration_ms;
                let message =
                    format!("a signed event arrived in {ms} ms, and was deleted from the queue");
                return Check::ok(PROBE, message);
            }
            Ok(false) => self.has_consumer().await,
            Err(error) => Err(error),
        };
        let (status, reason) = match has_consumer {
            Ok(true) => (Status::Warning, "a consumer of the Unrouted queue has it".to_owned()),
            Ok(false) => {
                let reason = "it did not arrive in the Unrouted queue, which has no consumer: the function sends to another \
                              queue, or something else has answered";
                (Status::Problem, reason.to_owned())
            }
            Err(error) => (Status::Warning, format!("it may be in the Unrouted queue: {error}")),
        };
        let message =
            format!("a signed event, with topic {PROBE_TOPIC}, was accepted, but {reason}");
        let peek = self.scope.args.relayctl("peek unrouted");
        Check::new(status, PROBE, message).run([peek, self.scope.log_command()])
    }

    /// Whether somebody else receives from the queue: messages were in flight before, or one that is sent to it directly is gone, too.
    async fn has_consumer(&self) -> Result<bool, Error> {
        if self.stats.is_some_and(|stats| stats.in_flight > 0) {
            return Ok(true);
        }
        let (id, body) = (new_id(), probe_body());
        let text = |value: &str| json!({"DataType": "String", "StringValue": value});
        // With what a consumer may rely on.
        let record = json!({"MessageBody": body, "MessageAttributes": {
            "event": text(PROBE_TOPIC),
            "entity": text(Entity::Unrouted.name()),
            "reason": text("unknown_topic"),
            "webhook": text(&self.webhook),
            "dedup_id": text(&id),
            "received_at": text(&timestamp(self.scope.context.now())),
        }});
        let key = Key { entity: Entity::Unrouted, dedup_id: &id };
        let record = record.to_string().into_bytes();
        let message = spilled_message::message(key, &record, self.queue.is_fifo());
        self.queue.send(message.map_err(Error::Refused)?).await.map_err(Error::Refused)?;
        sleep(CONSUMER_TIME).await;
        Ok(!self.delete_from_queue(body.as_bytes()).await?)
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
        Check::problem(PROBE, message).run([self.scope.log_command()])
    }

    /// After a failure or without a response, the event may be in the queue all the same.
    async fn check_failure(&self, response: &RelayResponse) -> Check {
        let mut check = self.unexpected(PROBE, response);
        let is_unclear = response.http_status.is_none_or(|status| status >= 500);
        if is_unclear && self.delete_from_queue(&self.delivery.body).await.is_ok_and(|it| it) {
            check.message += "; the event arrived all the same, and was deleted";
        }
        check
    }

    async fn check_forgery(&self) -> Check {
        let response = self.sender.post_as(&self.delivery, &Secret::new(new_id())).await;
        if response.is_success() {
            // Nothing is worse, whether or not it is found.
            let _ = self.delete_from_queue(&self.delivery.body).await;
            return Check::problem(FORGERY, "an event with an invalid signature was accepted")
                .advise("deploy the current version of the relay, and rotate its secrets");
        }
        match (response.http_status, response.body.error.as_deref()) {
            (Some(401), _) => Check::ok(FORGERY, "an event with an invalid signature is refused"),
            // The relay does not respond 401 while the sender may have a secret that it has not.
            (Some(503), Some("try_again")) => {
                let message = "an event with an invalid signature is refused, but with 503: the relay cannot fetch its \
                               secret; new instances of the function have none";
                Check::problem(FORGERY, message).run([self.scope.log_command()])
            }
            _ => self.unexpected(FORGERY, &response),
        }
    }

    fn unexpected(&self, check: &str, response: &RelayResponse) -> Check {
        if response.http_status == Some(403) {
            let message = "this machine's address is not in AllowedSourceCidrs, so nothing can be sent from here";
            return Check::new(Status::NotChecked, check, message)
                .advise("run the doctor from an allowed address, or see the newest event below");
        }
        let check = Check::problem(check, format!("answered {}", response.summary()));
        match response.http_status {
            Some(429 | 500..) => check.run(function_commands(self.scope)),
            _ => check.advise(response.remediation(self.scope.args)),
        }
    }

    /// Deletes the message with this body, and gives back all others. Returns whether it was found.
    async fn delete_from_queue(&self, body: &[u8]) -> Result<bool, Error> {
        // Without the queue's limit, a receive may be the last one of a message.
        let Some(stats) = self.stats else {
            return Err(Error::Refused("the queue's attributes cannot be read".to_owned()));
        };
        let clock = self.scope.context.clock;
        let (started, mut empty) = (clock(), 0);
        let mut others = Vec::new();
        let search = async {
            while empty < MAX_EMPTY_RECEIVES
                && clock().duration_since(started).unwrap_or_default() < SEARCH_TIMEOUT
            {
                let messages = self.queue.receive(BATCH, LOOK_SECONDS).await?;
                empty += u32::from(messages.is_empty());
                let (own, rest): (Vec<_>, Vec<_>) =
                    messages.into_iter().partition(|it| it.message.body.as_bytes() == body);
                others.extend(rest);
                if let Some(own) = own.first() {
                    self.queue.delete(&own.receipt_handle).await?;
                    return Ok(true);
                }
            }
            Ok(false)
        };
        let found = search.await;
        let given_back = self.queue.give_back(&others, stats.max_receive_count).await;
        if let Err(reason) = given_back {
            self.scope.context.output.warn(format_args!(
                "some unrouted events are visible again in {LOOK_SECONDS} s only: {reason}"
            ));
        }
        found
    }

    /// Deletes the spilled object that the relay names if its key and its body are the probe's. Returns whether they were.
    async fn delete_spilled(&self, key: &str) -> Result<bool, Error> {
        let Delivery { delivery_id, body, .. } = &self.delivery;
        let webhook = Some(self.webhook.as_str());
        let dedup_id = dedup_id(webhook, Some(PROBE_TOPIC), delivery_id.as_deref(), body);
        let of_probe = Key { entity: Entity::Unrouted, dedup_id: &dedup_id };
        if Key::read(key) != Some(of_probe) {
            return Ok(false);
        }
        let (bucket, s3) = (self.scope.stack.payload_bucket()?, &self.scope.clients.s3);
        let Some(Object { content, etag }) = spilled_message::get(s3, bucket, key).await? else {
            return Ok(false);
        };
        let message = spilled_message::message(of_probe, &content, false);
        let is_own = message.is_ok_and(|it| it.body.as_bytes() == body);
        let Some(etag) = etag.filter(|_| is_own) else { return Ok(false) };
        let deleted = s3.delete_object().bucket(bucket).key(key).if_match(etag).send().await;
        deleted.action("s3:DeleteObject")?;
        Ok(true)
    }
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
}
