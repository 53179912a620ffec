//! A signed event through the whole relay and out of its queue again, and one with a wrong signature that stays outside.

use super::Visit;
use super::finding::Finding;
use super::mend;
use super::secret::USUAL_WEBHOOK;
use crate::deliveries::{name, next};
use crate::live_queue::{LiveQueue, MOST_AT_ONCE};
use crate::send::new_id;
use crate::signed::{Answer, Delivery, Route, Sender};
use crate::stack::Entity;
use crate::trouble::Trouble;
use labelbox_relay::secret::{Secret, Secrets};
use serde_json::json;
use std::time::Duration;

/// A topic that Labelbox does not have: the event goes to the Unrouted queue.
pub const TOPIC: &str = "RELAYCTL_PROBE";
/// So many receives of ten find the probe, or it is left.
const RECEIVES: u32 = 10;
const NAME: &str = "probe";
/// The relay looks for a newer secret at most once in 30 s.
const UNTIL_FETCHED: Duration = Duration::from_secs(31);

pub async fn look(visit: &Visit<'_>, secrets: &Secrets) -> Vec<Finding> {
    let sender = Sender::find(visit.clients, visit.stack, visit.session.clock).await;
    let (sender, webhook) = match (sender, webhook(secrets)) {
        (Ok(sender), Some(webhook)) => (sender, webhook),
        (Err(trouble), _) => return vec![Finding::of_trouble(NAME, &trouble)],
        (_, None) => {
            let says = "there is no usable secret of a webhook to sign an event with";
            return vec![Finding::not_checked(NAME, says, "mend the secret first")];
        }
    };
    let delivery = delivery(webhook);
    // The wrong one comes last: it makes the relay look for a newer secret, which it does once in 30 s only.
    vec![
        right(visit, &sender, &delivery).await,
        wrong(visit, &sender, &delivery).await,
    ]
}

/// The webhook that has a secret: the usual one, or else the first by name.
fn webhook(secrets: &Secrets) -> Option<String> {
    let is_usable = |name: &str| {
        let all = secrets.of_webhook(name).unwrap_or_default();
        all.iter().any(|secret| !secret.is_empty())
    };
    if is_usable(USUAL_WEBHOOK) {
        return Some(USUAL_WEBHOOK.to_owned());
    }
    let Secrets::ByWebhook(by_webhook) = secrets else {
        return None;
    };
    by_webhook
        .keys()
        .filter(|name| is_usable(name))
        .min()
        .cloned()
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

async fn wrong(visit: &Visit<'_>, sender: &Sender, delivery: &Delivery) -> Finding {
    let answer = sender.post_as(delivery, &Secret::new(new_id())).await;
    match answer.http_status {
        Some(401) => Finding::ok("forgery", "an event with a wrong signature is refused"),
        Some(200..300) => {
            let says = "an event with a wrong signature was let in";
            Finding::problem("forgery", says, mend::deploy(visit.stack))
        }
        _ => unexpected("forgery", &answer),
    }
}

fn unexpected(name_of_check: &str, answer: &Answer) -> Finding {
    if answer.http_status == Some(403) {
        let says = "this machine's address is not in AllowedSourceCidrs, so nothing goes through from here";
        let mend = "run the doctor where Labelbox's addresses are, or trust the newest event below";
        return Finding::not_checked(name_of_check, says, mend);
    }
    Finding::problem(
        name_of_check,
        format!("answered {}", name(answer)),
        next(answer),
    )
}

/// Posts the probe, and once more where the relay has had no chance yet to fetch a secret that was just changed.
async fn post_patiently(
    visit: &Visit<'_>,
    sender: &Sender,
    delivery: &Delivery,
) -> Result<Answer, Trouble> {
    let answer = sender.post(delivery).await?;
    if answer.http_status != Some(401) {
        return Ok(answer);
    }
    let seconds = UNTIL_FETCHED.as_secs();
    visit.session.printer.note(format_args!(
        "relayctl: the relay refuses the newest secret; if that was just changed, it has it in {seconds} s: waiting"
    ));
    tokio::select! {
        () = tokio::time::sleep(UNTIL_FETCHED) => sender.post(delivery).await,
        () = visit.session.interrupt.pressed() => Ok(answer),
    }
}

async fn right(visit: &Visit<'_>, sender: &Sender, delivery: &Delivery) -> Finding {
    let answer = match post_patiently(visit, sender, delivery).await {
        Ok(answer) => answer,
        Err(trouble) => return Finding::of_trouble(NAME, &trouble),
    };
    let id = answer.said.message_id.clone().unwrap_or_default();
    match answer.said.status.as_deref() {
        Some("unrouted") => match take_out(visit, &id).await {
            Ok(true) => {
                let says = format!(
                    "a signed event went through in {} ms, and was taken out again",
                    answer.duration_ms
                );
                Finding::ok(NAME, says)
            }
            Ok(false) => left(visit, &id, "it is behind many others"),
            Err(trouble) => left(visit, &id, &trouble.line()),
        },
        Some("spilled") => {
            let says = "a signed event could not be queued and went to the bucket";
            let mend = mend::read_log(visit.stack.output("FunctionName").unwrap_or_default());
            let says = match delete_object(visit, &id).await {
                Ok(()) => format!("{says}, where it was deleted"),
                Err(trouble) => format!("{says}, where it stays as {id}: {}", trouble.line()),
            };
            Finding::problem(NAME, says, mend)
        }
        _ => unexpected(NAME, &answer),
    }
}

fn left(visit: &Visit<'_>, id: &str, why: &str) -> Finding {
    let says = format!(
        "a signed event went through, but stays in the Unrouted queue as message {id}: {why}"
    );
    let mend = format!(
        "{} shows it; its consumer may ignore the topic {TOPIC}",
        mend::relayctl(visit.stack, "tail unrouted")
    );
    Finding::warning(NAME, says, mend)
}

/// Takes our message out of the Unrouted queue. The others are hidden until it is found, so that none is received twice,
/// and then given back.
async fn take_out(visit: &Visit<'_>, id: &str) -> Result<bool, Trouble> {
    let queue = LiveQueue::new(visit.clients, visit.stack, Entity::Unrouted, false)?;
    let mut others = Vec::new();
    let mut found = Ok(false);
    for _ in 0..RECEIVES {
        match queue.receive(MOST_AT_ONCE).await {
            Ok(messages) if messages.is_empty() => break,
            Ok(messages) => {
                let (ours, theirs): (Vec<_>, Vec<_>) = messages
                    .into_iter()
                    .partition(|message| message.message_id == id);
                others.extend(theirs.into_iter().map(|message| message.receipt_handle));
                if let Some(ours) = ours.into_iter().next() {
                    found = queue.delete(ours.receipt_handle).await.map(|()| true);
                    break;
                }
            }
            Err(trouble) => {
                found = Err(trouble);
                break;
            }
        }
    }
    // What cannot be given back comes back by itself, soon.
    let _ = queue.release(others).await;
    found
}

async fn delete_object(visit: &Visit<'_>, key: &str) -> Result<(), Trouble> {
    let bucket = visit.stack.payload_bucket()?;
    let question = visit.clients.s3.delete_object().bucket(bucket).key(key);
    super::question::ask("s3:DeleteObject", question.send()).await?;
    Ok(())
}
