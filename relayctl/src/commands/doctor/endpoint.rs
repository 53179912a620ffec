//! The relay's own answers: to an uptime check, to an event with a valid signature, which has to arrive in the Unrouted queue and
//! is deleted there, and to one with an invalid signature, which has to be refused.

use super::CheckContext;
use super::check::{Check, Status};
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

/// Requests the health route, as an uptime check does.
pub async fn check_health(scope: &CheckContext<'_>) -> Check {
    let Ok(url) = scope.stack.output("HealthUrl") else {
        return Check::new(Status::NotChecked, HEALTH, "its URL is not known")
            .advise("see the outputs above");
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
            return Check::problem(HEALTH, error.to_string()).advise("check the network");
        }
    };
    let duration = (scope.context.clock)().duration_since(started).unwrap_or_default();
    let body: Json = serde_json::from_slice(&body).unwrap_or_default();
    if status == 200 && body == json!({"status": "ok"}) {
        return Check::ok(HEALTH, format!("answers 200 in {} ms", duration.as_millis()));
    }
    let message = format!("{url} answers {status}");
    if status == 200 {
        return Check::problem(HEALTH, format!("{message}, but it is not the relay that answers"))
            .advise("check where the name of this URL leads");
    }
    Check::problem(HEALTH, message).run(function_commands(scope))
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

pub async fn check_events(scope: &CheckContext<'_>, secret: Option<Value>) -> Vec<Check> {
    if scope.context.interrupt.is_pressed() {
        return Vec::new();
    }
    let webhook = secret.as_ref().and_then(webhook);
    let (Some(secret), Some(webhook)) = (secret, webhook) else {
        let message = "no webhook has a usable secret to sign an event with";
        return vec![
            Check::new(Status::NotChecked, PROBE, message).advise("repair the secret first"),
        ];
    };
    let (clients, stack) = (scope.clients, scope.stack);
    let signing = Secret::new(secret.newest(&webhook).map(|it| it.to_string()).unwrap_or_default());
    let sender = Sender::with(secret, clients, stack, scope.context.clock);
    let queue = Queue::new(clients, stack, Entity::Unrouted, false);
    let (sender, queue) = match (sender, queue) {
        (Ok(sender), Ok(queue)) => (sender, queue),
        (Err(error), _) | (_, Err(error)) => return vec![Check::failed(PROBE, &error, scope.args)],
    };
    // If the queue cannot be read, the relay may spill the probe.
    let stats = queue.stats().await.ok();
    if let Some(QueueStats { waiting, .. }) = stats
        && waiting > MAX_OTHERS
    {
        let message = format!(
            "not sent: {waiting} events wait in the Unrouted queue, among which it might not be found again"
        );
        let peek = scope.args.relayctl("peek unrouted");
        return vec![Check::new(Status::NotChecked, PROBE, message).run([peek])];
    }
    let delivery = Delivery {
        route: Route::Webhook(webhook.clone()),
        topic: Some(PROBE_TOPIC.to_owned()),
        delivery_id: Some(new_id()),
        body: probe_body(),
    };
    Probe { scope, sender, queue, stats, webhook, delivery }.run(&signing).await
}

/// A body that no other event has; all are of one length.
pub fn probe_body() -> Vec<u8> {
    json!({"probe": new_id(), "from": FROM}).to_string().into_bytes()
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
    webhook: String,
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
            Ok(false) => "it was not found; a consumer has it, or the function behind the alias live is of an older version and \
                          sends to other queues"
                .to_owned(),
            Err(error) => error.to_string(),
        };
        let message = format!(
            "a signed event was accepted, but may remain in the Unrouted queue, with topic {PROBE_TOPIC}: {reason}"
        );
        Check::new(Status::Warning, PROBE, message).run([self.scope.args.relayctl("peek unrouted")])
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

    /// Deletes the probe, and gives back all other messages. Returns whether it was found.
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
        let mut empty = 0;
        while empty < MAX_EMPTY_RECEIVES
            && clock().duration_since(started).unwrap_or_default() < SEARCH_TIMEOUT
        {
            let messages = self.queue.receive(BATCH, LOOK_SECONDS).await?;
            empty += u32::from(messages.is_empty());
            let is_own = |it: &ReceivedMessage| it.message.body.as_bytes() == self.delivery.body;
            let (own, rest): (Vec<_>, Vec<_>) = messages.into_iter().partition(is_own);
            others.extend(rest);
            if let Some(own) = own.first() {
                self.queue.delete(&own.receipt_handle).await?;
                return Ok(true);
            }
        }
        Ok(false)
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
