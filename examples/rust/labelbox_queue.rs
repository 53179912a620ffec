//! Consumes a queue of the relay without losing events, and lets the newest event of each entity win.
//!
//! Add it to your program as a module, unchanged except for `mod tests`, as in `consumer.rs`. `docs/consuming.md` explains the rules. It needs
//! edition 2024 and these dependencies:
//!
//! ```toml
//! aws-config = { version = "1.13.0", default-features = false, features = ["behavior-version-latest", "rt-tokio"] }
//! aws-sdk-dynamodb = { version = "1.136.0", default-features = false, features = ["behavior-version-latest", "rt-tokio"] }
//! aws-sdk-s3 = { version = "1.157.0", default-features = false, features = ["behavior-version-latest", "rt-tokio"] }
//! aws-sdk-sqs = { version = "1.119.0", default-features = false, features = ["behavior-version-latest", "rt-tokio"] }
//! hex = "0.4.3"
//! serde = { version = "1.0.229", features = ["derive"] }
//! serde_json = "1.0.154"
//! sha2 = "0.11.1"
//! tokio = { version = "1.54.1", features = ["macros", "rt", "time"] }
//! # for consumer.rs only
//! aws-smithy-http-client = { version = "1.5.2", default-features = false, features = ["rustls-ring"] }
//! lambda_runtime = { version = "1.5.0", default-features = false }
//! ```

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue::{self, N, S};
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message, MessageSystemAttributeName,
    QueueAttributeName,
};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::Interval;

#[cfg(test)]
mod tests;

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

type StringMap = HashMap<String, String>;
type Item = HashMap<String, AttributeValue>;

/// A Lambda event with the messages of a batch.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Batch {
    records: Vec<Record>,
}

/// A message in the form of a Lambda event.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    message_id: String,
    receipt_handle: String,
    body: String,
    attributes: StringMap,
    message_attributes: HashMap<String, Value>,
}

/// An event as the attributes of its message describe it.
pub(crate) struct Event {
    /// Key in the table: the entity, or the event itself if it has no entity or no time.
    pub(crate) id: String,
    /// Of two events with the same id, the one with the greater version wins. Versions compare as strings.
    pub(crate) version: String,
    pub(crate) attributes: StringMap,
}

impl Event {
    fn from_record(record: &Record) -> Result<Self, Error> {
        let values = record.message_attributes.iter();
        let attributes: StringMap = values
            .filter_map(|(name, value)| {
                Some((name.clone(), value.get("stringValue")?.as_str()?.into()))
            })
            .collect();
        let get = |name| attributes.get(name).map(String::as_str);
        let dedup_id =
            get("dedup_id").ok_or("the message has no dedup_id, so it is not from the relay")?;
        let id = match (get("entity"), get("entity_id"), get("occurred_at")) {
            (Some(entity), Some(id), Some(_)) => format!("{entity}#{id}"),
            _ => format!("event#{dedup_id}"),
        };
        let time = |name| get(name).unwrap_or_default();
        let version = format!("{} {} {dedup_id}", time("occurred_at"), time("received_at"));
        Ok(Self { id, version, attributes })
    }
}

/// Calls `on_newest` for each event that is newer than the one in the table, then stores the event in the table.
///
/// `on_newest` may be called twice for the same event, and must not block its thread.
pub(crate) struct Consumer<F> {
    on_newest: F,
    table: String,
    dynamodb: aws_sdk_dynamodb::Client,
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
}

impl<F: AsyncFn(&Event, &[u8]) -> Result<(), Error>> Consumer<F> {
    /// `table` is a DynamoDB table whose partition key is the string `id`.
    pub(crate) fn new(on_newest: F, table: &str, aws: &SdkConfig) -> Self {
        Self {
            on_newest,
            table: table.into(),
            dynamodb: aws_sdk_dynamodb::Client::new(aws),
            s3: aws_sdk_s3::Client::new(aws),
            sqs: aws_sdk_sqs::Client::new(aws),
        }
    }

    /// Handles a batch in a Lambda function. The event source mapping must have `ReportBatchItemFailures`.
    pub(crate) async fn handle(&self, batch: Batch) -> Value {
        let (mut groups, mut failures) = (FailedGroups::default(), Vec::new());
        for record in &batch.records {
            if !groups.attempt(record, self.process(record)).await {
                failures.push(json!({"itemIdentifier": record.message_id}));
            }
        }
        json!({"batchItemFailures": failures})
    }

    /// Receives messages forever, or until none arrive. Returns whether all were processed and deleted.
    pub(crate) async fn poll(&self, queue_url: &str, until_empty: bool) -> Result<bool, Error> {
        let timeout = self.visibility_timeout(queue_url).await?;
        let mut all_done = true;
        loop {
            let receive = self
                .sqs
                .receive_message()
                .queue_url(queue_url)
                .max_number_of_messages(10)
                .wait_time_seconds(if until_empty { 2 } else { 20 })
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::All);
            let messages = receive.send().await?.messages.unwrap_or_default();
            if until_empty && messages.is_empty() {
                return Ok(all_done);
            }
            let records: Vec<_> = messages.into_iter().map(Record::from).collect();
            // A third of the timeout, so that one call may fail. The timeout may be 0.
            let mut heartbeat = tokio::time::interval(Duration::from_secs(timeout.max(1)) / 3);
            heartbeat.reset();
            let (mut groups, mut remaining) = (FailedGroups::default(), records.as_slice());
            while let Some((record, rest)) = remaining.split_first() {
                let extend = self.extend_visibility(queue_url, remaining, timeout, &mut heartbeat);
                let work = async {
                    tokio::select! {
                        result = self.process(record) => result,
                        never = extend => match never {},
                    }
                };
                let succeeded = groups.attempt(record, work).await;
                all_done &= succeeded && self.delete(queue_url, record).await;
                remaining = rest;
            }
        }
    }

    /// Forgets the events that were received in this time, so that a replay of them is processed again.
    ///
    /// Both are times as in `received_at`. Returns how many items were deleted. An item that changes meanwhile is kept.
    #[allow(dead_code, reason = "a program calls it once, by hand")]
    pub(crate) async fn forget(&self, since: &str, until: &str) -> Result<usize, Error> {
        let scan = self
            .dynamodb
            .scan()
            .table_name(&self.table)
            .filter_expression("received_at >= :since AND received_at < :until")
            .expression_attribute_values(":since", S(since.into()))
            .expression_attribute_values(":until", S(until.into()))
            .consistent_read(true);
        let mut items = scan.into_paginator().items().send();
        let mut count = 0;
        while let Some(mut item) = items.try_next().await? {
            let delete = self
                .dynamodb
                .delete_item()
                .table_name(&self.table)
                .set_key(item.remove_entry("id").map(|key| HashMap::from([key])))
                .condition_expression("version = :version");
            let version = item.remove("version").map(|it| HashMap::from([(":version".into(), it)]));
            let delete = delete.set_expression_attribute_values(version);
            match delete.send().await.map_err(|error| error.into_service_error()) {
                Ok(_) => count += 1,
                Err(error) if error.is_conditional_check_failed_exception() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(count)
    }

    /// Processes one message. If this fails, the table is unchanged and the message must be received again.
    async fn process(&self, record: &Record) -> Result<(), Error> {
        let event = Event::from_record(record)?;
        while let Some(item) = self.load(&event).await? {
            let Some(version) = string(&item, "version") else {
                break;
            };
            if version >= event.version.as_str() {
                return Ok(());
            }
            if string(&item, "dedup_id") != event.attributes.get("dedup_id").map(String::as_str) {
                break;
            }
            // A duplicate is not processed again, but its later version decides ties with other events.
            let digest = ["bytes", "sha256"].into_iter();
            let digest = digest.filter_map(|name| Some((name, item.get(name)?.clone())));
            let stored = self.store(&event, digest, "version = :version", version);
            if stored.await? {
                return Ok(());
            }
            // Another consumer has updated the item.
        }
        let body = self.fetch_body(record, &event).await?;
        (self.on_newest)(&event, &body).await?;
        let digest = [
            ("bytes", N(body.len().to_string())),
            ("sha256", S(hex::encode(Sha256::digest(&body)))),
        ];
        let condition = "attribute_not_exists(version) OR version < :version";
        self.store(&event, digest, condition, &event.version).await?;
        Ok(())
    }

    /// Returns the item that is stored under the id of `event`.
    async fn load(&self, event: &Event) -> Result<Option<Item>, Error> {
        let get = self.dynamodb.get_item().table_name(&self.table);
        let get = get.key("id", S(event.id.clone())).consistent_read(true);
        Ok(get.send().await?.item)
    }

    /// Returns the body that Labelbox signed: the message body, or the object that it points to.
    async fn fetch_body(&self, record: &Record, event: &Event) -> Result<Vec<u8>, Error> {
        let Some(size) = event.attributes.get("ExtendedPayloadSize") else {
            return Ok(record.body.clone().into());
        };
        let (_, pointer): (IgnoredAny, StringMap) = serde_json::from_str(&record.body)?;
        let get = self.s3.get_object();
        let get = get.set_bucket(pointer.get("s3BucketName").cloned());
        let object = get.set_key(pointer.get("s3Key").cloned()).send().await?;
        let body = object.body.collect().await?.to_vec();
        if body.len().to_string() != *size {
            return Err(format!("the payload has {} bytes, not {size}", body.len()).into());
        }
        Ok(body)
    }

    /// Stores the event. Returns whether the condition held. The body is omitted: an item cannot exceed 400 KB.
    async fn store(
        &self,
        event: &Event,
        digest: impl IntoIterator<Item = (&str, AttributeValue)>,
        condition: &str,
        version: &str,
    ) -> Result<bool, Error> {
        let pairs = event.attributes.clone().into_iter();
        let put = self.dynamodb.put_item().table_name(&self.table);
        let put = put
            .set_item(Some(pairs.map(|(name, value)| (name, S(value))).collect()))
            .item("id", S(event.id.clone()))
            .item("version", S(event.version.clone()));
        let put = digest
            .into_iter()
            .fold(put, |put, (name, value)| put.item(name, value))
            .condition_expression(condition)
            .expression_attribute_values(":version", S(version.into()));
        match put.send().await.map_err(|error| error.into_service_error()) {
            Ok(_) => Ok(true),
            Err(error) if error.is_conditional_check_failed_exception() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the visibility timeout of the queue in seconds.
    async fn visibility_timeout(&self, queue_url: &str) -> Result<u64, Error> {
        let name = QueueAttributeName::VisibilityTimeout;
        let get = self.sqs.get_queue_attributes().queue_url(queue_url);
        let output = get.attribute_names(name.clone()).send().await?;
        let value = output.attributes().and_then(|attributes| attributes.get(&name));
        Ok(value.ok_or("the queue has no visibility timeout")?.parse()?)
    }

    /// Extends the visibility timeout of a batch's remaining messages, so that no other consumer receives them.
    async fn extend_visibility(
        &self,
        queue_url: &str,
        remaining: &[Record],
        visibility_timeout: u64,
        heartbeat: &mut Interval,
    ) -> Infallible {
        loop {
            heartbeat.tick().await;
            let entries = remaining.iter().map(|record| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(&record.message_id)
                    .receipt_handle(&record.receipt_handle)
                    .visibility_timeout(visibility_timeout.try_into().unwrap_or(i32::MAX))
                    .build()
            });
            let extend = self.sqs.change_message_visibility_batch();
            let extend = extend.set_entries(entries.collect::<Result<_, _>>().ok());
            match extend.queue_url(queue_url).send().await {
                Ok(output) => {
                    for failure in output.failed() {
                        let (id, code) = (failure.id(), failure.code());
                        eprintln!(
                            "the visibility timeout of message {id} was not extended: {code}"
                        );
                    }
                }
                Err(error) => {
                    let error = DisplayErrorContext(error);
                    eprintln!("the visibility timeout could not be extended: {error}");
                }
            }
        }
    }

    /// Returns whether SQS deleted the message. If it did not, for instance because the receipt handle has expired, the
    /// message is received again.
    async fn delete(&self, queue_url: &str, record: &Record) -> bool {
        let delete = self.sqs.delete_message().queue_url(queue_url);
        let result = delete.receipt_handle(&record.receipt_handle).send().await;
        if let Err(error) = &result {
            let (id, error) = (&record.message_id, DisplayErrorContext(error));
            eprintln!(
                "message {id} was processed but not deleted, and will be received again: {error}"
            );
        }
        result.is_ok()
    }
}

/// The FIFO groups of a batch in which a message failed.
#[derive(Default)]
struct FailedGroups {
    failed: HashSet<String>,
}

impl FailedGroups {
    /// Processes a message. Returns whether it succeeded.
    ///
    /// After a failure, later messages of the same FIFO group fail too, so that they do not overtake the failed one.
    async fn attempt(
        &mut self,
        record: &Record,
        work: impl Future<Output = Result<(), Error>>,
    ) -> bool {
        let group = record.attributes.get("MessageGroupId");
        let result = match group {
            Some(group) if self.failed.contains(group) => {
                Err("an earlier message of the same group failed".into())
            }
            _ => work.await,
        };
        if let Err(error) = &result {
            let (id, error) = (&record.message_id, DisplayErrorContext(&**error));
            eprintln!("message {id} will be received again: {error}");
            self.failed.extend(group.cloned());
        }
        result.is_ok()
    }
}

impl From<Message> for Record {
    /// Converts a message from the form of `ReceiveMessage` to that of a Lambda event.
    fn from(message: Message) -> Self {
        let attributes = message.attributes.into_iter().flatten();
        let values = message.message_attributes.into_iter().flatten();
        Self {
            message_id: message.message_id.unwrap_or_default(),
            receipt_handle: message.receipt_handle.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
            attributes: attributes.map(|(name, value)| (name.to_string(), value)).collect(),
            message_attributes: values
                .map(|(name, value)| (name, json!({"stringValue": value.string_value})))
                .collect(),
        }
    }
}

fn string<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    Some(item.get(name)?.as_s().ok()?)
}
