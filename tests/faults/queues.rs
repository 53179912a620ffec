//! SQS: what `SendMessage` stores and confirms.

use crate::aws::error;
use crate::digest::{md5_of, md5_of_attributes};
use crate::fault::{Fault, Service};
use crate::objects::Objects;
use crate::wire::{Answer, Request};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html>.
const DEDUPLICATED_FOR: Duration = Duration::from_secs(300);
const MAX_BYTES: usize = 1_048_576;
const MAX_ATTRIBUTES: usize = 10;
const POINTER_CLASS: &str = "software.amazon.payloadoffloading.PayloadS3Pointer";

/// Every queue of the stack.
#[derive(Default)]
pub(crate) struct Queues {
    urls: Vec<String>,
    pub(crate) messages: Vec<StoredMessage>,
}

/// A message in a queue.
pub(crate) struct StoredMessage {
    pub(crate) id: String,
    pub(crate) queue: String,
    pub(crate) body: String,
    pub(crate) attributes: Attributes,
    pub(crate) trace: Option<String>,
    pub(crate) group_id: Option<String>,
    pub(crate) dedup_id: Option<String>,
    at: Instant,
    /// Whether it is not what was sent.
    is_changed: bool,
}

/// Each attribute's data type and value.
pub(crate) type Attributes = BTreeMap<String, (String, String)>;

impl Queues {
    pub(crate) fn at(urls: impl IntoIterator<Item = String>) -> Self {
        Self {
            urls: urls.into_iter().collect(),
            messages: Vec::new(),
        }
    }

    /// Says so when a message is sent before the payload that it points to is stored.
    pub(crate) fn dangling_pointer(&self, request: &Request, objects: &Objects) -> Option<String> {
        let input: Value = serde_json::from_slice(&request.body).unwrap();
        let (bucket, key) = pointer(input["MessageBody"].as_str()?)?;
        let is_dangling = objects.get(&bucket, &key).is_none();
        is_dangling.then(|| format!("a message was sent that points to nothing: {key}"))
    }

    pub(crate) fn answer(&mut self, request: &Request, fault: Option<Fault>) -> Answer {
        assert_eq!(
            request.header("x-amz-target"),
            Some("AmazonSQS.SendMessage")
        );
        let input: Value = serde_json::from_slice(&request.body).unwrap();
        let sent = read(&input);
        if !self.urls.contains(&sent.queue) {
            return error(Service::Sqs, 400, "com.amazonaws.sqs#QueueDoesNotExist");
        }
        if !is_valid(&sent) {
            return error(
                Service::Sqs,
                400,
                "com.amazonaws.sqs#InvalidMessageContents",
            );
        }
        let (body_md5, attributes_md5) = (md5_of(&sent.body), md5_of_attributes(&sent.attributes));
        let stored = self.store(changed(sent, fault));
        let mut confirmation = json!({
            "MessageId": stored.id,
            "MD5OfMessageBody": body_md5,
            "MD5OfMessageAttributes": attributes_md5,
        });
        // A duplicate is confirmed with its own digests. Only of a message that was spoilt SQS says what it has, or no
        // sender could ever tell.
        if stored.is_changed {
            confirmation["MD5OfMessageBody"] = json!(md5_of(&stored.body));
            confirmation["MD5OfMessageAttributes"] = json!(md5_of_attributes(&stored.attributes));
        }
        let confirmation = misreported(confirmation, fault);
        Answer::new(200, "application/x-amz-json-1.0", confirmation.to_string())
    }

    /// Keeps a message, unless it is the duplicate of one that is there.
    pub(crate) fn store(&mut self, message: StoredMessage) -> &StoredMessage {
        let is_first = |known: &StoredMessage| {
            known.queue == message.queue
                && known.dedup_id.is_some()
                && known.dedup_id == message.dedup_id
                && known.at.elapsed() < DEDUPLICATED_FOR
        };
        let place = match self.messages.iter().position(is_first) {
            Some(place) => place,
            None => {
                let id = format!("message-{}", self.messages.len());
                self.messages.push(StoredMessage { id, ..message });
                self.messages.len() - 1
            }
        };
        &self.messages[place]
    }
}

/// Bucket and key, if a message's body is a pointer of the SQS Extended Client.
pub(crate) fn pointer(body: &str) -> Option<(String, String)> {
    let pointer: Value = serde_json::from_str(body).ok()?;
    let [class, place] = pointer.as_array()?.as_slice() else {
        return None;
    };
    (class == POINTER_CLASS).then(|| {
        let text = |name: &str| place[name].as_str().unwrap().to_owned();
        (text("s3BucketName"), text("s3Key"))
    })
}

/// Reads the record of a spilled message.
pub(crate) fn of_record(queue: &str, record: &[u8]) -> serde_json::Result<StoredMessage> {
    let mut input: Value = serde_json::from_slice(record)?;
    input["QueueUrl"] = json!(queue);
    Ok(read(&input))
}

fn read(input: &Value) -> StoredMessage {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let attribute = |(name, value): (&String, &Value)| {
        let data_type = text(&value["DataType"]).unwrap();
        (
            name.clone(),
            (data_type, text(&value["StringValue"]).unwrap()),
        )
    };
    let attributes = input["MessageAttributes"].as_object().into_iter().flatten();
    StoredMessage {
        id: String::new(),
        queue: text(&input["QueueUrl"]).unwrap(),
        body: text(&input["MessageBody"]).unwrap(),
        attributes: attributes.map(attribute).collect(),
        trace: text(&input["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"]),
        group_id: text(&input["MessageGroupId"]),
        dedup_id: text(&input["MessageDeduplicationId"]),
        at: Instant::now(),
        is_changed: false,
    }
}

/// What SQS takes. Source:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>.
pub(crate) fn is_valid(message: &StoredMessage) -> bool {
    let is_forbidden =
        |c: char| (c < ' ' && !"\t\n\r".contains(c)) || ('\u{fffe}'..='\u{ffff}').contains(&c);
    let values = message.attributes.values().map(|(_, value)| value);
    let mut texts = values.chain([&message.body]);
    let bytes = |(name, (data_type, value)): (&String, &(String, String))| {
        name.len() + data_type.len() + value.len()
    };
    let bytes = message.body.len() + message.attributes.iter().map(bytes).sum::<usize>();
    let is_fifo = message.queue.ends_with(".fifo");
    texts.all(|text| !text.is_empty() && !text.contains(is_forbidden))
        && bytes <= MAX_BYTES
        && message.attributes.len() <= MAX_ATTRIBUTES
        && message.group_id.is_some() == is_fifo
        && message.dedup_id.is_some() == is_fifo
}

/// What is stored of a message.
fn changed(mut message: StoredMessage, fault: Option<Fault>) -> StoredMessage {
    match fault {
        Some(Fault::ChangedContent) => message.body.push(' '),
        Some(Fault::ChangedAttribute) => drop(message.attributes.pop_first()),
        _ => return message,
    }
    message.is_changed = true;
    message
}

/// What is said of a message that is stored.
fn misreported(mut confirmation: Value, fault: Option<Fault>) -> Value {
    let other = md5_of("something else");
    match fault {
        Some(Fault::WrongDigest) => confirmation["MD5OfMessageBody"] = json!(other),
        Some(Fault::WrongAttributeDigest) => confirmation["MD5OfMessageAttributes"] = json!(other),
        Some(Fault::NoDigest) => confirmation["MD5OfMessageBody"] = Value::Null,
        Some(Fault::NoMessageId) => confirmation["MessageId"] = Value::Null,
        _ => {}
    }
    confirmation
}
