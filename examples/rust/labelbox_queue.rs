//! Reads a queue of the relay so that no event is lost and the newest one of each entity wins.
//!
//! Add it to your program as a module, as it is. `consumer.rs` beside it shows how, `docs/consuming.md`
//! explains the rules.

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

type Texts = HashMap<String, String>;
type Item = HashMap<String, AttributeValue>;

/// What Lambda passes to a function.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Batch {
    records: Vec<Record>,
}

/// A message as Lambda passes it to a function.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    message_id: String,
    receipt_handle: String,
    body: String,
    attributes: Texts,
    message_attributes: HashMap<String, Value>,
}

/// What the attributes of a message say about its event.
pub(crate) struct Event {
    /// The entity that it competes for; without an entity or a time, the event itself.
    pub(crate) id: String,
    /// Of two events with the same id, the one with the greater version wins.
    pub(crate) version: String,
    pub(crate) attributes: Texts,
}

impl Event {
    fn from_record(record: &Record) -> Result<Self, Error> {
        let values = record.message_attributes.iter();
        let attributes: Texts = values
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
        Ok(Self {
            id,
            version,
            attributes,
        })
    }
}

/// Calls `on_newest` for each event that is newer than the one in the table, then stores it there.
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
    /// `table` is a DynamoDB table with the text `id` as its key.
    pub(crate) fn new(on_newest: F, table: &str, aws: &SdkConfig) -> Self {
        Self {
            on_newest,
            table: table.into(),
            dynamodb: aws_sdk_dynamodb::Client::new(aws),
            s3: aws_sdk_s3::Client::new(aws),
            sqs: aws_sdk_sqs::Client::new(aws),
        }
    }

    /// The handler of a Lambda function. Its event source mapping needs `ReportBatchItemFailures`.
    pub(crate) async fn handle(&self, batch: Batch) -> Value {
        let (mut groups, mut failures) = (Groups::default(), Vec::new());
        for record in &batch.records {
            if !groups.attempt(record, self.process(record)).await {
                failures.push(json!({"itemIdentifier": record.message_id}));
            }
        }
        json!({"batchItemFailures": failures})
    }

    /// Receives messages for ever, or until there are none. Returns whether each was processed and deleted.
    pub(crate) async fn poll(&self, queue_url: &str, until_empty: bool) -> Result<bool, Error> {
        let visibility_timeout = self.visibility_timeout(queue_url).await?;
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
            // A third, so that one call may fail.
            let mut heartbeat =
                tokio::time::interval(Duration::from_secs(visibility_timeout.max(1)) / 3);
            heartbeat.reset();
            let (mut groups, mut remaining) = (Groups::default(), records.as_slice());
            while let Some((record, behind)) = remaining.split_first() {
                let extending =
                    self.keep_invisible(queue_url, remaining, visibility_timeout, &mut heartbeat);
                let work = async {
                    tokio::select! {
                        result = self.process(record) => result,
                        never = extending => match never {},
                    }
                };
                let succeeded = groups.attempt(record, work).await;
                all_done &= succeeded && self.delete(queue_url, record).await;
                remaining = behind;
            }
        }
    }

    /// Processes one message. If this fails, the table is as before and the message has to be received again.
    async fn process(&self, record: &Record) -> Result<(), Error> {
        let event = Event::from_record(record)?;
        while let Some(known) = self.known(&event).await? {
            let Some(version) = text(&known, "version") else {
                break;
            };
            if version >= event.version.as_str() {
                return Ok(());
            }
            if text(&known, "dedup_id") != event.attributes.get("dedup_id").map(String::as_str) {
                break;
            }
            // Received again later: no work, but its version counts against other events of the same time.
            let facts = ["bytes", "sha256"].into_iter();
            let facts = facts.filter_map(|name| Some((name, known.get(name)?.clone())));
            let stored = self.store(&event, facts, "version = :version", version);
            if stored.await? {
                return Ok(());
            }
            // Another consumer has stored something since.
        }
        let body = self.fetch_body(record, &event).await?;
        (self.on_newest)(&event, &body).await?;
        let facts = [
            ("bytes", N(body.len().to_string())),
            ("sha256", S(hex::encode(Sha256::digest(&body)))),
        ];
        let condition = "attribute_not_exists(version) OR version < :version";
        self.store(&event, facts, condition, &event.version).await?;
        Ok(())
    }

    /// The newest event so far.
    async fn known(&self, event: &Event) -> Result<Option<Item>, Error> {
        let get = self.dynamodb.get_item().table_name(&self.table);
        let get = get.key("id", S(event.id.clone())).consistent_read(true);
        Ok(get.send().await?.item)
    }

    /// The body that Labelbox signed: the message's own, or the object that the message points to.
    async fn fetch_body(&self, record: &Record, event: &Event) -> Result<Vec<u8>, Error> {
        let Some(size) = event.attributes.get("ExtendedPayloadSize") else {
            return Ok(record.body.clone().into());
        };
        let (_, pointer): (IgnoredAny, Texts) = serde_json::from_str(&record.body)?;
        let get = self.s3.get_object();
        let get = get.set_bucket(pointer.get("s3BucketName").cloned());
        let object = get.set_key(pointer.get("s3Key").cloned()).send().await?;
        let body = object.body.collect().await?.to_vec();
        if body.len().to_string() != *size {
            return Err(format!("the payload has {} bytes, not {size}", body.len()).into());
        }
        Ok(body)
    }

    /// Returns whether the condition held. The body is not stored: an item cannot exceed 400 KB.
    async fn store(
        &self,
        event: &Event,
        facts: impl IntoIterator<Item = (&str, AttributeValue)>,
        condition: &str,
        version: &str,
    ) -> Result<bool, Error> {
        let texts = event.attributes.clone().into_iter();
        let put = self.dynamodb.put_item().table_name(&self.table);
        let put = put
            .set_item(Some(texts.map(|(name, value)| (name, S(value))).collect()))
            .item("id", S(event.id.clone()))
            .item("version", S(event.version.clone()));
        let put = facts
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

    /// The queue's, in seconds.
    async fn visibility_timeout(&self, queue_url: &str) -> Result<u64, Error> {
        let name = QueueAttributeName::VisibilityTimeout;
        let get = self.sqs.get_queue_attributes().queue_url(queue_url);
        let answer = get.attribute_names(name.clone()).send().await?;
        let value = answer
            .attributes()
            .and_then(|attributes| attributes.get(&name));
        Ok(value
            .ok_or("the queue has no visibility timeout")?
            .parse()?)
    }

    /// Extends the visibility timeout of a batch's remaining messages, so that nobody else receives them.
    async fn keep_invisible(
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
                Ok(answer) => {
                    for failure in answer.failed() {
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

    /// Returns whether SQS deleted it. If not, as when its receipt handle has expired, it is received again.
    async fn delete(&self, queue_url: &str, record: &Record) -> bool {
        let delete = self.sqs.delete_message().queue_url(queue_url);
        let result = delete.receipt_handle(&record.receipt_handle).send().await;
        if let Err(error) = &result {
            let (id, error) = (&record.message_id, DisplayErrorContext(error));
            eprintln!(
                "message {id} was processed, not deleted, and will be received again: {error}"
            );
        }
        result.is_ok()
    }
}

/// The FIFO groups of a batch in which a message failed.
#[derive(Default)]
struct Groups {
    failed: HashSet<String>,
}

impl Groups {
    /// Processes a message. Returns whether it succeeded.
    ///
    /// After a failure, the other messages of the same FIFO group fail too: processed now, they would overtake it.
    async fn attempt(
        &mut self,
        record: &Record,
        work: impl Future<Output = Result<(), Error>>,
    ) -> bool {
        let group = record.attributes.get("MessageGroupId");
        let result = match group {
            Some(group) if self.failed.contains(group) => {
                Err("an earlier message of its group failed".into())
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
    /// Converts a message from the form of SQS to that of Lambda.
    fn from(message: Message) -> Self {
        let attributes = message.attributes.into_iter().flatten();
        let values = message.message_attributes.into_iter().flatten();
        Self {
            message_id: message.message_id.unwrap_or_default(),
            receipt_handle: message.receipt_handle.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
            attributes: attributes
                .map(|(name, value)| (name.to_string(), value))
                .collect(),
            message_attributes: values
                .map(|(name, value)| (name, json!({"stringValue": value.string_value})))
                .collect(),
        }
    }
}

fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    Some(item.get(name)?.as_s().ok()?)
}
