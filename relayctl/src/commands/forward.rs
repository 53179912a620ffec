//! `relayctl forward`: consumes a queue by posting each message to a URL, so that a consumer can be tried.

use crate::aws::Clients;
use crate::aws::message::ReceivedMessage;
use crate::aws::payload;
use crate::aws::queue::{LOOK_SECONDS, Queue};
use crate::aws::stack::Entity;
use crate::cli::End;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::sanitize::{excerpt, one_line};
use crate::summary::counted;
use anstyle::{AnsiColor, Style};
use futures_util::{StreamExt, stream};
use labelbox_relay::error::error_chain;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url};
use serde::de::IgnoredAny;
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::future::{Future, pending};
use std::pin::pin;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{interval, sleep};

const CONCURRENT_REQUESTS: usize = 10;
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
Messages of one FIFO group are posted in order, up to ten others at a time.

After Ctrl-C, requests in flight have five seconds; then their messages are released. The status is 1 if a message was not accepted, \
fewer than --count came, or nothing could be delivered; after Ctrl-C it is 130 if --count or --for was given.";

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
}

fn parse_url(text: &str) -> Result<Url, String> {
    let is_http = |url: &Url| matches!(url.scheme(), "http" | "https");
    if let Some(url) = Url::parse(text).ok().filter(is_http) {
        if url.password().is_some() {
            return Err("a URL with a password would be printed; give one without".to_owned());
        }
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
        context,
        remaining: Cell::new(end.count.unwrap_or(u64::MAX)),
        unreachable: RefCell::new(check_connection(&clients.http, &command.url).await),
        deleted: Cell::new(0),
        failed: RefCell::default(),
        stop: watch::Sender::new(false),
    };
    output.warn(format_args!("waiting for messages of {}; Ctrl-C ends", queue.name()));
    // One message is received at a time: SQS holds back its FIFO group until it is deleted or visible again, and a message that fails
    // costs those behind it no receive.
    let messages = stream::unfold((), async |()| {
        let received = forwarder.receive().await.transpose()?;
        Some((forwarder.stop_after_error(received), ()))
    });
    let mut work = pin!(
        messages
            .map(async |message| forwarder.stop_after_error(forwarder.forward(message?).await))
            .buffer_unordered(CONCURRENT_REQUESTS)
            .fold(Ok(()), async |first: Result<(), Error>, result| first.and(result))
    );
    let mut is_interrupted = false;
    let result = tokio::select! {
        result = &mut work => result,
        () = async {
            tokio::select! {
                () = end.time_over() => {}
                () = context.interrupt.pressed() => is_interrupted = end.is_given(),
            }
        } => {
            forwarder.stop.send_replace(true);
            work.await
        }
    };
    let (deleted, failed) = (forwarder.deleted.get(), forwarder.failed.borrow().len());
    let mut text = format!("forwarded {}", counted(deleted, "message"));
    if failed > 0 {
        text += &format!("; not accepted, so not deleted: {failed}");
    }
    let is_short = end.count.is_some() && forwarder.remaining.get() > 0;
    if is_short {
        text += &format!("; {} fewer than --count were received", forwarder.remaining.get());
    }
    let unreachable = forwarder.unreachable.borrow();
    if unreachable.is_some() {
        text += &format!("; {} cannot be reached", command.url);
    }
    output.warn(text);
    result?;
    Ok(match is_interrupted {
        true => ExitStatus::Interrupted,
        false if failed > 0 || is_short || (deleted == 0 && unreachable.is_some()) => {
            ExitStatus::Incomplete
        }
        false => ExitStatus::Success,
    })
}

struct Forwarder<'r> {
    queue: Queue<'r>,
    max_receive_count: Option<u32>,
    clients: &'r Clients,
    url: &'r Url,
    context: &'r Context,
    /// How many messages may still be received.
    remaining: Cell<u64>,
    /// Why the target cannot be reached; then no message is received.
    unreachable: RefCell<Option<String>>,
    deleted: Cell<u64>,
    /// Ids of messages whose last request was not accepted.
    failed: RefCell<HashSet<String>>,
    stop: watch::Sender<bool>,
}

impl Forwarder<'_> {
    fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    fn stop_after_error<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        result.inspect_err(|_| _ = self.stop.send_replace(true))
    }

    /// Receives one message, when the target can be reached; `None` once the command has to end.
    async fn receive(&self) -> Result<Option<ReceivedMessage>, Error> {
        let mut has_warned = false;
        while !self.is_stopped() && self.remaining.get() > 0 {
            let unreachable = self.unreachable.borrow().clone();
            if let Some(reason) = unreachable {
                if !has_warned {
                    let line = format!("{} cannot be reached: {reason}; waiting for it", self.url);
                    self.context.output.warn(line);
                }
                has_warned = true;
                self.unless_stopped(sleep(CONNECT_INTERVAL)).await;
                self.check_target().await;
                continue;
            }
            let Some(message) = self.queue.receive(1, LOOK_SECONDS).await?.pop() else { continue };
            if !self.is_stopped() {
                self.remaining.update(|remaining| remaining - 1);
                return Ok(Some(message));
            }
            // It is visible again in LOOK_SECONDS if this fails.
            let _ = self.queue.release(vec![message.receipt_handle]).await;
        }
        Ok(None)
    }

    /// Posts a message, and deletes it if it was accepted, or lets it be delivered again later.
    async fn forward(&self, received: ReceivedMessage) -> Result<(), Error> {
        let started = (self.context.clock)();
        let response = self.post_and_extend(&received).await;
        let duration = (self.context.clock)().duration_since(started).unwrap_or_default();
        let ReceivedMessage { message_id, receipt_handle, message, receive_count, .. } = received;
        let (http_status, error) = match response {
            Ok(status) => {
                let deleted = self.queue.delete(&receipt_handle).await;
                let error =
                    deleted.map_err(|it| format!("accepted, but not deleted: {}", it.reason()));
                (Some(status), error.err())
            }
            Err((http_status, reason)) => {
                let seconds =
                    if self.is_stopped() { 0 } else { self.backoff_seconds(receive_count) };
                // Otherwise it is visible again in LOOK_SECONDS.
                let _ = self.queue.hide(vec![receipt_handle], seconds).await;
                if http_status.is_none() {
                    self.check_target().await;
                }
                (http_status, Some(reason))
            }
        };
        if error.is_none() {
            self.deleted.update(|deleted| deleted + 1);
            self.failed.borrow_mut().remove(&message_id);
        } else {
            self.failed.borrow_mut().insert(message_id.clone());
        }
        let (event, entity_id) = (message.attribute("event"), message.attribute("entity_id"));
        let (max, duration_ms) = (self.max_receive_count, duration.as_millis() as u64);
        let outcome = if error.is_none() { "deleted" } else { "failed" };
        let output = &self.context.output;
        if output.is_json {
            return output.json(&json!({
                "message_id": message_id,
                "group_id": message.group_id,
                "event": event,
                "entity_id": entity_id,
                "outcome": outcome,
                "http_status": http_status,
                "error": error,
                "duration_ms": duration_ms,
                "receive_count": receive_count,
                "max_receive_count": max,
            }));
        }
        let dim = Style::new().dimmed();
        let color = if error.is_none() { AnsiColor::Green } else { AnsiColor::Red }.on_default();
        let status = http_status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        let (event, entity_id) =
            (one_line(event.unwrap_or("-")), one_line(entity_id.unwrap_or("-")));
        let max = max.map_or_else(String::new, |max| format!(" of {max}"));
        let error = error
            .filter(|error| !error.is_empty())
            .map_or_else(String::new, |error| format!(": {color}{}{color:#}", one_line(&error)));
        output.line(format_args!(
            "{color}{status:3} {outcome:7}{color:#} {event:18} {entity_id} {dim}{duration_ms} ms, message{dim:#} \
             {message_id}{dim}, receive {receive_count}{max}{dim:#}{error}"
        ))
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
            reason = extend => Err((None, reason)),
            () = grace => Err((None, "no response before the end".to_owned())),
        }
    }

    async fn post(&self, message: &ReceivedMessage) -> Result<u16, Failure> {
        let content = payload::read(self.clients, &message.message, None).await;
        let body = content.bytes;
        let body =
            body.map_err(|it| (None, format!("its body cannot be read: {}", excerpt(&it))))?;
        let request = self.clients.http.post(self.url.clone()).timeout(RESPONSE_TIMEOUT);
        let request = request.headers(headers(message)).header(CONTENT_TYPE, content_type(&body));
        let response = request.body(body).send().await;
        let response = response.map_err(|error| (None, error_chain(&error.without_url())))?;
        let status = response.status();
        if status.is_success() {
            return Ok(status.as_u16());
        }
        let text = response.text().await.unwrap_or_default();
        Err((Some(status.as_u16()), excerpt(&text)))
    }

    async fn check_target(&self) {
        let unreachable = check_connection(&self.clients.http, self.url).await;
        *self.unreachable.borrow_mut() = unreachable;
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

/// The status of a response that did not accept a message, if there was one, and why.
type Failure = (Option<u16>, String);

/// Says why nothing listens at the URL, so that a server that is down costs messages no receives.
async fn check_connection(client: &Client, url: &Url) -> Option<String> {
    let error = client.head(url.clone()).send().await.err().filter(reqwest::Error::is_connect);
    error.map(|error| error_chain(&error.without_url()))
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
