//! A signed event through the whole relay and out of its queue again, and one with a wrong signature that stays outside.

use super::Visit;
use super::finding::Finding;
use super::mend;
use super::question::LIMIT;
use super::retrieval::{self, Search, Wanted};
use super::secret::USUAL_WEBHOOK;
use super::verdict::{FORGERY, NAME, judge_forgery, judge_search, unexpected};
use crate::aws::queue::Queue;
use crate::secret::check_webhook_name;
use crate::commands::send::new_id;
use crate::relay::client::{Answer, Delivery, Route, Said, Sender};
use crate::aws::stack::Entity;
use crate::error::Error;
use labelbox_relay::secrets::{Secret, SecretScope, Secrets};
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

/// A topic that Labelbox does not have: the event goes to the Unrouted queue.
pub const TOPIC: &str = "RELAYCTL_PROBE";
/// Among more, the probe might not be found again, and each search counts as a receive of all of them.
const MOST_OTHERS: u64 = 50;
/// The relay answers within 10 s.
const TIME_LIMIT: Duration = Duration::from_secs(12);
/// The relay looks for a newer secret at most once in 30 s.
const UNTIL_FETCHED: Duration = Duration::from_secs(31);

pub async fn look(visit: &Visit<'_>, secrets: &Secrets) -> Vec<Finding> {
    if visit.context.interrupt.is_pressed() {
        return Vec::new();
    }
    let sender = Sender::find(visit.clients, visit.stack, visit.context.clock).await;
    let (sender, webhook) = match (sender, webhook(secrets)) {
        (Ok(sender), Some(webhook)) => (sender, webhook),
        (Err(error), _) => return vec![Finding::of_trouble(NAME, &error)],
        (_, None) => {
            let says = "there is no usable secret of a webhook to sign an event with";
            return vec![Finding::not_checked(NAME, says, "mend the secret first")];
        }
    };
    let probe = Probe { visit, sender, delivery: delivery(webhook) };
    probe.send().await
}

/// The webhook that has a secret: the usual one, or else the first by name.
fn webhook(secrets: &Secrets) -> Option<String> {
    let is_usable = |name: &str| {
        let all = secrets.get(SecretScope::Webhook(name)).unwrap_or_default();
        check_webhook_name(name).is_ok() && all.iter().any(|secret| !secret.is_empty())
    };
    if is_usable(USUAL_WEBHOOK) {
        return Some(USUAL_WEBHOOK.to_owned());
    }
    let Secrets::ByWebhook(by_webhook) = secrets else {
        return None;
    };
    by_webhook.keys().filter(|name| is_usable(name)).min().cloned()
}

fn delivery(webhook: String) -> Delivery {
    let body =
        json!({"probe": new_id(), "of": "relayctl doctor, which takes it out of the queue again"});
    Delivery {
        route: Route::Webhook(webhook),
        topic: Some(TOPIC.to_owned()),
        delivery_id: Some(new_id()),
        body: body.to_string().into_bytes(),
    }
}

/// An event of our own on its way.
struct Probe<'p> {
    visit: &'p Visit<'p>,
    sender: Sender,
    delivery: Delivery,
}

impl Probe<'_> {
    async fn send(&self) -> Vec<Finding> {
        let queue = Queue::new(self.visit.clients, self.visit.stack, Entity::Unrouted, false);
        let queue = match queue {
            Ok(queue) => queue,
            Err(error) => return vec![Finding::of_trouble(NAME, &error)],
        };
        if let Some(crowded) = self.judge_crowd(queue).await {
            return vec![crowded];
        }
        // The wrong one comes last: it makes the relay look for a newer secret, which it does once in 30 s only.
        let (mut findings, is_answered) = self.send_right(queue).await;
        if is_answered {
            findings.push(self.send_wrong(queue).await);
        }
        findings
    }

    /// What keeps the probe from being found again. A queue that cannot be asked may still take it: that is to be seen.
    async fn judge_crowd(&self, queue: Queue<'_>) -> Option<Finding> {
        let stats = timeout(LIMIT, queue.stats()).await.ok()?.ok()?;
        if stats.waiting <= MOST_OTHERS {
            return None;
        }
        let says = format!(
            "not sent: {} events wait in the Unrouted queue, among which it could not be found again",
            stats.waiting
        );
        let mend = mend::relayctl(self.visit.stack, "peek unrouted");
        let mend = format!("{mend} shows some; give the queue a consumer");
        Some(Finding::not_checked(NAME, says, mend))
    }

    async fn post(&self, secret: &Secret) -> Answer {
        let answer = timeout(TIME_LIMIT, self.sender.post_as(&self.delivery, secret)).await;
        answer.unwrap_or_else(|_| Answer {
            http_status: None,
            said: Said {
                error: Some(format!("no answer within {} s", TIME_LIMIT.as_secs())),
                ..Said::default()
            },
            duration_ms: 0.0,
        })
    }

    /// Posts the probe, and once more where the relay has had no chance yet to fetch a secret that was just changed.
    async fn post_patiently(&self, secret: &Secret) -> Answer {
        let answer = self.post(secret).await;
        if answer.http_status != Some(401) {
            return answer;
        }
        let seconds = UNTIL_FETCHED.as_secs();
        self.visit.context.output.note(format_args!(
            "relayctl: the relay refuses the newest secret; if that was just changed, it has it in {seconds} s: waiting"
        ));
        tokio::select! {
            () = tokio::time::sleep(UNTIL_FETCHED) => self.post(secret).await,
            () = self.visit.context.interrupt.pressed() => answer,
        }
    }

    /// Says, too, whether there was an answer at all.
    async fn send_right(&self, queue: Queue<'_>) -> (Vec<Finding>, bool) {
        let secret = match self.sender.secret(&self.delivery.route) {
            Ok(secret) => secret,
            Err(error) => return (vec![Finding::of_trouble(NAME, &error)], false),
        };
        let answer = self.post_patiently(&secret).await;
        let id = answer.said.message_id.as_deref();
        let findings = match answer.said.status.as_deref() {
            Some("unrouted") => {
                let search = self.take_out(queue, id).await;
                judge_search(self.visit.stack, &answer, search)
            }
            Some("spilled") => vec![self.unspill(id.unwrap_or_default()).await],
            _ => vec![self.judge_failure(queue, &answer).await],
        };
        (findings, answer.http_status.is_some())
    }

    async fn send_wrong(&self, queue: Queue<'_>) -> Finding {
        let answer = self.post(&Secret::new(new_id())).await;
        if !answer.is_success() {
            return judge_forgery(self.visit.stack, &answer);
        }
        // Said whether or not it is found: nothing is worse.
        let _ = self.take_out(queue, answer.said.message_id.as_deref()).await;
        let says = "an event with a wrong signature was let in";
        Finding::problem(FORGERY, says, mend::deploy(self.visit.stack))
    }

    /// Where the relay has no answer or a fault of its own, the event may be in the queue all the same.
    async fn judge_failure(&self, queue: Queue<'_>, answer: &Answer) -> Finding {
        let mut finding = unexpected(self.visit.stack, NAME, answer);
        let is_unclear = answer.http_status.is_none_or(|status| status >= 500);
        if is_unclear && self.take_out(queue, None).await.is_ok_and(|it| it.is_found) {
            finding.says += "; the event arrived all the same, and was taken out again";
        }
        finding
    }

    async fn take_out(&self, queue: Queue<'_>, id: Option<&str>) -> Result<Search, Error> {
        let wanted = Wanted { message_id: id, body: &self.delivery.body };
        retrieval::take_out(queue, &wanted, self.visit.context.clock).await
    }

    async fn unspill(&self, key: &str) -> Finding {
        let stack = self.visit.stack;
        let says = "a signed event could not be queued and went to the bucket";
        let mend = mend::read_log(stack.output("FunctionName").unwrap_or_default());
        let says = match delete_object(self.visit, key).await {
            Ok(()) => format!("{says}, where it was deleted"),
            Err(error) => format!("{says}, where it stays as {key}: {}", error.line()),
        };
        Finding::problem(NAME, says, mend)
    }
}

async fn delete_object(visit: &Visit<'_>, key: &str) -> Result<(), Error> {
    let bucket = visit.stack.payload_bucket()?;
    let question = visit.clients.s3.delete_object().bucket(bucket).key(key);
    super::question::ask("s3:DeleteObject", question.send()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn the_probe_takes_a_webhook_that_the_relay_has_a_route_for() {
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
}
