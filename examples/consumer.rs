//! A consumer of the relay's queues to start from: your work for each event that counts, the newest in a table.
//!
//! ```text
//! as a program           cargo run --example consumer -- QUEUE_URL TABLE [--until-empty]
//! as a Lambda function   variable `TABLE`, `ReportBatchItemFailures` switched on
//! ```
//!
//! `docs/consuming.md` says which events count and why, how to make the table, and how to build the function.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a program of its own, for a terminal"
)]

use aws_sdk_dynamodb::types::AttributeValue::{N, S};
use aws_sdk_sqs::Client as Sqs;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::env;
use std::process::ExitCode;

type Texts = HashMap<String, String>;

/// What Lambda hands over.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch {
    records: Vec<Record>,
}

/// A message in the form in which Lambda hands it over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    message_id: String,
    body: String,
    attributes: Texts,
    message_attributes: HashMap<String, Value>,
}

/// What a message says of its event.
struct Event {
    /// Whose newest event it may be: its entity's, or, without an entity or a time, only its own.
    id: String,
    /// Of two events with the same id, the newer has the larger one, as texts compare; repetitions have the same.
    version: String,
    attributes: Texts,
}

impl Event {
    fn read(record: &Record) -> Result<Self, Error> {
        let given = record.message_attributes.iter();
        let attributes: Texts = given
            .filter_map(|(name, value)| {
                Some((name.clone(), value.get("stringValue")?.as_str()?.into()))
            })
            .collect();
        let get = |name| attributes.get(name).map(String::as_str);
        let dedup_id = get("dedup_id").ok_or("it has no dedup_id, so it is none of the relay's")?;
        let id = match (get("entity"), get("entity_id"), get("occurred_at")) {
            (Some(entity), Some(id), Some(_)) => format!("{entity}#{id}"),
            _ => format!("event#{dedup_id}"),
        };
        // Labelbox may write whole seconds, so a deletion can have the time of the change before it.
        let rank = match get("event").and_then(|event| event.rsplit('_').next()) {
            Some("CREATED") => 0,
            Some("DELETED") => 2,
            _ => 1,
        };
        let occurred_at = get("occurred_at").unwrap_or_default();
        let version = format!("{occurred_at} {rank} {dedup_id}");
        Ok(Self {
            id,
            version,
            attributes,
        })
    }
}

/// Your work goes here. It may be called again for the same event, so let it come to the same end then.
///
/// If it fails, the message comes again. With a standard queue, compare `version` where the order matters.
async fn on_newest(event: &Event, body: &[u8]) -> Result<(), Error> {
    let topic = event.attributes.get("event").map_or("-", String::as_str);
    let (id, version, bytes) = (&event.id, &event.version, body.len());
    println!("{id} {topic} {version}: {bytes} bytes");
    Ok(())
}

/// Does the work for events newer than those in its table, and then writes them down there.
struct Consumer {
    table: String,
    dynamodb: aws_sdk_dynamodb::Client,
    s3: aws_sdk_s3::Client,
}

impl Consumer {
    /// Processes a batch in its order. Returns the ids of the messages that have to come again.
    ///
    /// A message that fails takes along those of its group behind it; otherwise they would overtake it.
    async fn handle(&self, records: &[Record]) -> Vec<String> {
        let (mut failed, mut stuck) = (Vec::new(), HashSet::new());
        for record in records {
            let group = record.attributes.get("MessageGroupId");
            let done = match group {
                Some(group) if stuck.contains(group) => Err("one of its group has failed".into()),
                _ => self.process(record).await,
            };
            if let Err(error) = done {
                let why = DisplayErrorContext(&*error);
                eprintln!("message {} has to come again: {why}", record.message_id);
                failed.push(record.message_id.clone());
                stuck.extend(group);
            }
        }
        failed
    }

    async fn process(&self, record: &Record) -> Result<(), Error> {
        let event = Event::read(record)?;
        if self.known(&event).await? >= Some(event.version.clone()) {
            return Ok(());
        }
        let size = event.attributes.get("ExtendedPayloadSize");
        let body = self.payload(&record.body, size).await?;
        on_newest(&event, &body).await?;
        self.remember(event, &body).await
    }

    /// The newest version so far.
    async fn known(&self, event: &Event) -> Result<Option<String>, Error> {
        let get = self.dynamodb.get_item().table_name(&self.table);
        let get = get.key("id", S(event.id.clone())).consistent_read(true);
        let item = get.send().await?.item;
        Ok(item.and_then(|item| item.get("version")?.as_s().ok().cloned()))
    }

    /// What Labelbox has signed: the message's body, or what it points to.
    async fn payload(&self, body: &str, size: Option<&String>) -> Result<Vec<u8>, Error> {
        let Some(size) = size else {
            return Ok(body.into());
        };
        let (_, place): (IgnoredAny, Texts) = serde_json::from_str(body)?;
        let get = self.s3.get_object();
        let get = get.set_bucket(place.get("s3BucketName").cloned());
        let object = get.set_key(place.get("s3Key").cloned()).send().await?;
        let payload = object.body.collect().await?.to_vec();
        if payload.len().to_string() != *size {
            return Err(format!("its payload has {} bytes, not {size}", payload.len()).into());
        }
        Ok(payload)
    }

    /// Not the body: an item holds 400 KB. Of several consumers at once, the one with the newest event prevails.
    async fn remember(&self, event: Event, body: &[u8]) -> Result<(), Error> {
        let Event {
            id,
            version,
            attributes,
        } = event;
        let attributes = attributes.into_iter().map(|(name, value)| (name, S(value)));
        let put = self.dynamodb.put_item().table_name(&self.table);
        let put = put
            .set_item(Some(attributes.collect()))
            .item("id", S(id))
            .item("version", S(version.clone()))
            .item("bytes", N(body.len().to_string()))
            .item("sha256", S(hex::encode(Sha256::digest(body))))
            .condition_expression("attribute_not_exists(id) OR version < :version")
            .expression_attribute_values(":version", S(version));
        match put.send().await.map_err(|error| error.into_service_error()) {
            Err(error) if !error.is_conditional_check_failed_exception() => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// What Lambda gets back; it deletes the messages that are not in it.
    async fn answer(&self, batch: Batch) -> Value {
        let failed = self.handle(&batch.records).await;
        let failures = failed.iter().map(|id| json!({"itemIdentifier": id}));
        json!({"batchItemFailures": failures.collect::<Vec<_>>()})
    }

    /// Takes messages off a queue, for ever or until there are none. Returns whether none has failed.
    async fn poll(&self, sqs: &Sqs, queue: &str, until_empty: bool) -> Result<bool, Error> {
        let mut all_done = true;
        loop {
            let receive = sqs
                .receive_message()
                .queue_url(queue)
                .max_number_of_messages(10)
                .wait_time_seconds(if until_empty { 2 } else { 20 })
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::All);
            let messages = receive.send().await?.messages.unwrap_or_default();
            if until_empty && messages.is_empty() {
                return Ok(all_done);
            }
            let records: Vec<_> = messages.iter().map(Record::from).collect();
            let failed = self.handle(&records).await;
            all_done &= failed.is_empty();
            for (message, record) in messages.into_iter().zip(&records) {
                if !failed.contains(&record.message_id) {
                    let delete = sqs.delete_message().queue_url(queue);
                    let delete = delete.set_receipt_handle(message.receipt_handle);
                    delete.send().await?;
                }
            }
        }
    }
}

impl From<&Message> for Record {
    fn from(message: &Message) -> Self {
        let attributes = message.attributes().into_iter().flatten();
        let given = message.message_attributes().into_iter().flatten();
        Self {
            message_id: message.message_id().unwrap_or_default().into(),
            body: message.body().unwrap_or_default().into(),
            attributes: attributes
                .map(|(name, value)| (name.to_string(), value.clone()))
                .collect(),
            message_attributes: given
                .map(|(name, value)| (name.clone(), json!({"stringValue": value.string_value()})))
                .collect(),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Error> {
    let tls = Provider::Rustls(CryptoMode::Ring);
    let http = aws_smithy_http_client::Builder::new().tls_provider(tls);
    let aws = aws_config::from_env()
        .http_client(http.build_https())
        .load()
        .await;
    let consumer = |table| Consumer {
        table,
        dynamodb: aws_sdk_dynamodb::Client::new(&aws),
        s3: aws_sdk_s3::Client::new(&aws),
    };
    if env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
        let consumer = &consumer(env::var("TABLE")?);
        let answer =
            async |event: LambdaEvent<Batch>| Ok::<_, Error>(consumer.answer(event.payload).await);
        lambda_runtime::run(service_fn(answer)).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (queue, table, until_empty) = match arguments.as_slice() {
        [queue, table] => (queue, table, false),
        [queue, table, last] if last == "--until-empty" => (queue, table, true),
        _ => return Err("needs QUEUE_URL TABLE [--until-empty]".into()),
    };
    let all_done = consumer(table.clone())
        .poll(&Sqs::new(&aws), queue, until_empty)
        .await?;
    Ok(ExitCode::from(u8::from(!all_done)))
}
