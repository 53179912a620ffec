//! `relayctl forward`: consumes a queue by posting each message to a URL, so that a consumer can be tried.

use crate::aws::Clients;
use crate::aws::message::ReceivedMessage;
use crate::aws::payload;
use crate::aws::queue::{LOOK_SECONDS, Queue};
use crate::aws::stack::Entity;
use crate::cli::End;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::output::Output;
use crate::sanitize::{excerpt, one_line};
use anstyle::{AnsiColor, Style};
use futures_util::{StreamExt, stream};
use labelbox_relay::error::error_chain;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url};
use serde::de::IgnoredAny;
use serde_json::json;
use std::cell::Cell;
use std::collections::HashSet;
use std::future::{Future, pending};
use std::pin::pin;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::{interval, sleep};

/// As long as a consumer on Lambda has.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(15 * 60);
const EXTEND_INTERVAL: Duration = Duration::from_secs(LOOK_SECONDS as u64 / 4);
/// How long a request in flight may go on after Ctrl-C.
const GRACE: Duration = Duration::from_secs(5);
const CONNECT_INTERVAL: Duration = Duration::from_secs(1);
const MAX_BACKOFF_SECONDS: i32 = 30;

const ABOUT: &str = "\
To try a consumer in any language. A 2xx response deletes the message. After any other, or none within 15 minutes, the queue \
delivers it again, 2, 4, 8 and 16 seconds later, and it goes to the dead-letter queue after five receives, as with every consumer. \
While nothing listens at the URL, it receives nothing.

The body is the event, also of a message that points to the bucket. Headers are the message's attributes, such as \
x-relay-event, x-relay-entity-id and x-relay-dedup-id, with x-relay-message-id, x-relay-group-id and x-relay-receive-count. \
Messages of one FIFO group are posted in order, others concurrently.

After Ctrl-C, requests in flight have five seconds; then their messages are released. The status is 1 if a message was not accepted, \
and 130 if --count or --for was given.";

const EXAMPLES: &str = "\
Examples:
  relayctl forward label http://localhost:3000/events
  relayctl forward workflow http://localhost:8080/ --count 1
  relayctl forward review http://localhost:8080/ --dead-letters --for 1m";

/// Post each message of a queue to a URL, and delete it on a 2xx response
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Forward {
    /// Whose queue
    queue: Entity,
    /// Where to post to, http or https
    #[arg(value_parser = parse_url)]
    url: Url,
    /// Forward its dead-letter queue
    #[arg(long)]
    dead_letters: bool,
    #[command(flatten)]
    end: End,
    /// Requests at a time
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    concurrency: u16,
}

fn parse_url(text: &str) -> Result<Url, String> {
    let is_http = |url: &Url| matches!(url.scheme(), "http" | "https");
    if let Some(url) = Url::parse(text).ok().filter(is_http) {
        return Ok(url);
    }
    // Of `localhost:3000`, a URL has `localhost` as its scheme.
    match Url::parse(&format!("http://{text}")) {
        Ok(url) if !text.contains("://") => Err(format!("did you mean {url}?")),
        _ => Err("give an http or https URL, such as http://localhost:3000/events".to_owned()),
    }
}

pub async fn run(command: &Forward, context: &Context) -> Result<ExitStatus, Error> {
    let (clients, stack) = context.find_stack_to_change().await?;
    let queue = Queue::new(&clients, &stack, command.queue, command.dead_letters)?;
    let (output, end) = (&context.output, &command.end);
    let forwarder = Forwarder {
        max_receive_count: queue.stats().await?.max_receive_count,
        queue,
        clients: &clients,
        url: &command.url,
        output,
        clock: context.clock,
        is_reachable: Cell::new(false),
        stop: watch::Sender::new(false),
    };
    output.warn(format_args!("waiting for messages of {}; Ctrl-C ends", queue.name()));
    let mut remaining = end.count.unwrap_or(u64::MAX);
    let results = stream::unfold(remaining, async |remaining| match remaining.checked_sub(1) {
        Some(less) => Some((forwarder.receive().await.transpose()?, less)),
        None => None,
    });
    let results = results.map(async |message| forwarder.forward(message?).await);
    let mut results = pin!(results.buffer_unordered(command.concurrency.into()));
    let mut stop = pin!(async {
        tokio::select! {
            () = end.time_over() => false,
            () = context.interrupt.pressed() => end.is_given(),
        }
    });
    let (mut deleted, mut is_interrupted, mut error) = (0, false, None);
    // Ids of messages whose last request was not accepted.
    let mut failed = HashSet::new();
    loop {
        let result = tokio::select! {
            result = results.next() => result,
            interrupted = &mut stop, if !forwarder.is_stopped() => {
                forwarder.stop.send_replace(true);
                is_interrupted = interrupted;
                continue;
            }
        };
        let printed = match result {
            None => break,
            Some(Ok(Forwarded { message_id, is_deleted, printed })) => {
                remaining -= 1;
                if is_deleted {
                    deleted += 1;
                    failed.remove(&message_id);
                } else {
                    failed.insert(message_id);
                }
                printed
            }
            Some(Err(error)) => Err(error),
        };
        if let Err(reason) = printed {
            forwarder.stop.send_replace(true);
            error.get_or_insert(reason);
        }
    }
    output.warn(match failed.len() {
        0 => format!("forwarded {deleted}"),
        failed => format!("forwarded {deleted}; {failed} failed and were not deleted"),
    });
    let is_short = end.count.is_some() && remaining > 0;
    match error {
        Some(error) => Err(error),
        None if is_interrupted => Ok(ExitStatus::Interrupted),
        None if failed.is_empty() && !is_short => Ok(ExitStatus::Success),
        None => Ok(ExitStatus::Incomplete),
    }
}

struct Forwarder<'r> {
    queue: Queue<'r>,
    max_receive_count: Option<u32>,
    clients: &'r Clients,
    url: &'r Url,
    output: &'r Output,
    clock: fn() -> SystemTime,
    /// Until a request gets no response.
    is_reachable: Cell<bool>,
    stop: watch::Sender<bool>,
}

impl Forwarder<'_> {
    fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Receives one message, when the target can be reached; `None` once the command has to end.
    ///
    /// One message at a time: SQS holds back its FIFO group until it is deleted or visible again, and a message that fails costs
    /// those behind it no receive.
    async fn receive(&self) -> Result<Option<ReceivedMessage>, Error> {
        let mut has_warned = false;
        while !self.is_stopped() {
            if !self.is_reachable.get()
                && let Err(reason) = check_connection(&self.clients.http, self.url).await
            {
                if !has_warned {
                    let url = self.url;
                    self.output
                        .warn(format_args!("{url} cannot be reached: {reason}; waiting for it"));
                }
                has_warned = true;
                self.unless_stopped(sleep(CONNECT_INTERVAL)).await;
                continue;
            }
            self.is_reachable.set(true);
            let Some(message) = self.queue.receive(1, LOOK_SECONDS).await?.pop() else { continue };
            if !self.is_stopped() {
                return Ok(Some(message));
            }
            // It is visible again in LOOK_SECONDS if this fails.
            let _ = self.queue.release(vec![message.receipt_handle]).await;
        }
        Ok(None)
    }

    /// Posts a message, and deletes it if it was accepted, or lets it be delivered again later.
    async fn forward(&self, received: ReceivedMessage) -> Result<Forwarded, Error> {
        let started = (self.clock)();
        let response = self.post_and_extend(&received).await;
        let duration = (self.clock)().duration_since(started).unwrap_or_default();
        let ReceivedMessage { message_id, receipt_handle, message, receive_count, .. } = received;
        let (http_status, error) = match response {
            Ok(status) => {
                let deleted = self.queue.delete(&receipt_handle).await;
                let error =
                    deleted.map_err(|it| format!("accepted, but not deleted: {}", it.reason()));
                (Some(status), error.err())
            }
            Err(Failure { http_status, reason }) => {
                let seconds =
                    if self.is_stopped() { 0 } else { self.backoff_seconds(receive_count) };
                // Otherwise it is visible again in LOOK_SECONDS.
                let _ = self.queue.hide(vec![receipt_handle], seconds).await;
                self.is_reachable.set(http_status.is_some());
                (http_status, Some(reason))
            }
        };
        let (event, entity_id) = (message.attribute("event"), message.attribute("entity_id"));
        let (max, duration_ms) = (self.max_receive_count, duration.as_millis());
        let outcome = if error.is_none() { "deleted" } else { "failed" };
        let printed = if self.output.is_json {
            self.output.json(&json!({
                "message_id": message_id,
                "group_id": message.group_id,
                "event": event,
                "entity_id": entity_id,
                "outcome": outcome,
                "http_status": http_status,
                "error": error,
                "duration_ms": u64::try_from(duration_ms).unwrap_or(u64::MAX),
                "receive_count": receive_count,
                "max_receive_count": max,
            }))
        } else {
            let dim = Style::new().dimmed();
            let color = if error.is_none() { AnsiColor::Green } else { AnsiColor::Red };
            let color = color.on_default();
            let status = http_status.map_or_else(|| "-".to_owned(), |status| status.to_string());
            let (event, entity_id) =
                (one_line(event.unwrap_or("-")), one_line(entity_id.unwrap_or("-")));
            let max = max.map_or_else(String::new, |max| format!(" of {max}"));
            let error = error
                .as_deref()
                .map_or_else(String::new, |error| format!(": {color}{}{color:#}", one_line(error)));
            self.output.line(format_args!(
                "{color}{status:3} {outcome:7}{color:#} {event:18} {entity_id} {dim}{duration_ms} ms, message{dim:#} \
                 {message_id}{dim}, receive {receive_count}{max}{dim:#}{error}"
            ))
        };
        Ok(Forwarded { message_id, is_deleted: outcome == "deleted", printed })
    }

    /// Posts a message, and keeps it from other consumers until there is a response.
    async fn post_and_extend(&self, message: &ReceivedMessage) -> Result<u16, Failure> {
        let extend = async {
            let mut ticks = interval(EXTEND_INTERVAL);
            ticks.tick().await;
            loop {
                ticks.tick().await;
                let handles = vec![message.receipt_handle.clone()];
                if let Err(reason) = self.queue.hide(handles, LOOK_SECONDS).await {
                    return format!("its visibility timeout cannot be extended: {reason}");
                }
            }
        };
        let grace = async {
            self.unless_stopped(pending()).await;
            sleep(GRACE).await;
        };
        tokio::select! {
            response = self.post(message) => response,
            reason = extend => Err(Failure::without_response(reason)),
            () = grace => Err(Failure::without_response("no response before the end".to_owned())),
        }
    }

    async fn post(&self, message: &ReceivedMessage) -> Result<u16, Failure> {
        let content = payload::read(self.clients, &message.message, None).await;
        let body = content.bytes.map_err(|reason| {
            Failure::without_response(format!("its body cannot be read: {}", excerpt(&reason)))
        })?;
        let request = self.clients.http.post(self.url.clone()).timeout(RESPONSE_TIMEOUT);
        let request = request.headers(headers(message)).header(CONTENT_TYPE, content_type(&body));
        let response = request.body(body).send().await;
        let response = response
            .map_err(|error| Failure::without_response(error_chain(&error.without_url())))?;
        let status = response.status();
        if status.is_success() {
            return Ok(status.as_u16());
        }
        let text = response.text().await.unwrap_or_default();
        Err(Failure { http_status: Some(status.as_u16()), reason: excerpt(&text) })
    }

    fn backoff_seconds(&self, receive_count: u32) -> i32 {
        // After its last receive, it moves to the dead-letter queue as soon as it is visible.
        let is_last = self.max_receive_count.is_some_and(|max| receive_count >= max);
        if is_last { 0 } else { 2_i32.saturating_pow(receive_count).min(MAX_BACKOFF_SECONDS) }
    }

    async fn unless_stopped(&self, wait: impl Future<Output = ()>) {
        let mut stop = self.stop.subscribe();
        tokio::select! {
            () = wait => {}
            _ = stop.wait_for(|is_stopped| *is_stopped) => {}
        }
    }
}

/// What became of one request.
struct Forwarded {
    message_id: String,
    is_deleted: bool,
    printed: Result<(), Error>,
}

/// Why a message was not accepted.
#[derive(Debug)]
struct Failure {
    http_status: Option<u16>,
    reason: String,
}

impl Failure {
    fn without_response(reason: String) -> Self {
        Self { http_status: None, reason }
    }
}

/// Checks with a HEAD request whether anything listens, so that a server that is down costs messages no receives.
async fn check_connection(client: &Client, url: &Url) -> Result<(), String> {
    match client.head(url.clone()).send().await {
        Err(error) if error.is_connect() => Err(error_chain(&error.without_url())),
        _ => Ok(()),
    }
}

/// The attributes of a message as headers. A value that no header can have, with a line break or a control character, is left out.
fn headers(message: &ReceivedMessage) -> HeaderMap {
    let mut values = message.message.attribute_texts();
    values.insert("message_id".to_owned(), message.message_id.clone());
    values.insert("receive_count".to_owned(), message.receive_count.to_string());
    values.extend(message.message.group_id.clone().map(|id| ("group_id".to_owned(), id)));
    let header = |(name, value): (String, String)| {
        let name = format!("x-relay-{}", name.replace('_', "-"));
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    };
    values.into_iter().filter_map(header).collect()
}

fn content_type(body: &[u8]) -> &'static str {
    match std::str::from_utf8(body) {
        Ok(text) if serde_json::from_str::<IgnoredAny>(text).is_ok() => "application/json",
        Ok(_) => "text/plain; charset=utf-8",
        Err(_) => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
