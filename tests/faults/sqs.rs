//! A fake SQS that implements `SendMessage`.

use crate::aws::service_error;
use crate::fault::{Fault, Service};
use crate::http::{Request, Response};
use crate::s3::FakeS3;
use md5::{Digest, Md5};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html>.
const DEDUPLICATION_INTERVAL: Duration = Duration::from_secs(300);
const MAX_BYTES: usize = 1_048_576;
const MAX_ATTRIBUTES: usize = 10;
const POINTER_CLASS: &str = "software.amazon.payloadoffloading.PayloadS3Pointer";

/// All queues of the relay.
#[derive(Default)]
pub(crate) struct FakeSqs {
    queue_urls: Vec<String>,
    pub(crate) messages: Vec<StoredMessage>,
}

/// A message in a queue.
pub(crate) struct StoredMessage {
    pub(crate) id: String,
    pub(crate) queue_url: String,
    pub(crate) body: String,
    pub(crate) attributes: Attributes,
    pub(crate) trace: Option<String>,
    pub(crate) group_id: Option<String>,
    pub(crate) dedup_id: Option<String>,
    sent_at: Instant,
    /// Whether it differs from what was sent.
    is_corrupted: bool,
}

/// The data type and the value of each attribute.
pub(crate) type Attributes = BTreeMap<String, (String, String)>;

impl FakeSqs {
    pub(crate) fn new(queue_urls: impl IntoIterator<Item = String>) -> Self {
        Self { queue_urls: queue_urls.into_iter().collect(), messages: Vec::new() }
    }

    /// Describes the violation if a message is sent before the payload that it points to is stored.
    pub(crate) fn dangling_pointer(&self, request: &Request, s3: &FakeS3) -> Option<String> {
        let input: Value = serde_json::from_slice(&request.body).unwrap();
        let (bucket, key) = parse_pointer(input["MessageBody"].as_str()?)?;
        let is_dangling = s3.get(&bucket, &key).is_none();
        is_dangling.then(|| format!("a message was sent before its payload was stored: {key}"))
    }

    pub(crate) fn handle(&mut self, request: &Request, fault: Option<Fault>) -> Response {
        assert_eq!(request.header("x-amz-target"), Some("AmazonSQS.SendMessage"));
        let input: Value = serde_json::from_slice(&request.body).unwrap();
        let message = parse_input(&input);
        if !self.queue_urls.contains(&message.queue_url) {
            return service_error(Service::Sqs, 400, "com.amazonaws.sqs#QueueDoesNotExist");
        }
        if !is_valid(&message) {
            return service_error(Service::Sqs, 400, "com.amazonaws.sqs#InvalidMessageContents");
        }
        let (body_md5, attributes_md5) =
            (md5_hex(&message.body), md5_of_attributes(&message.attributes));
        let stored = self.store(corrupt(message, fault));
        let mut output = json!({
            "MessageId": stored.id,
            "MD5OfMessageBody": body_md5,
            "MD5OfMessageAttributes": attributes_md5,
        });
        // SQS confirms a duplicate with the checksums of the duplicate. Only for a corrupted message the checksums are those
        // of the stored one; otherwise no sender could detect it.
        if stored.is_corrupted {
            output["MD5OfMessageBody"] = json!(md5_hex(&stored.body));
            output["MD5OfMessageAttributes"] = json!(md5_of_attributes(&stored.attributes));
        }
        falsify(&mut output, fault);
        Response::new(200, "application/x-amz-json-1.0", output.to_string())
    }

    /// Stores a message, or returns the stored one that it duplicates.
    pub(crate) fn store(&mut self, message: StoredMessage) -> &StoredMessage {
        let is_original = |known: &StoredMessage| {
            known.queue_url == message.queue_url
                && known.dedup_id.is_some()
                && known.dedup_id == message.dedup_id
                && known.sent_at.elapsed() < DEDUPLICATION_INTERVAL
        };
        let index = match self.messages.iter().position(is_original) {
            Some(index) => index,
            None => {
                let id = format!("message-{}", self.messages.len());
                self.messages.push(StoredMessage { id, ..message });
                self.messages.len() - 1
            }
        };
        &self.messages[index]
    }
}

/// The bucket and the key in a pointer of the SQS Extended Client; `None` for any other message body.
pub(crate) fn parse_pointer(body: &str) -> Option<(String, String)> {
    let pointer: Value = serde_json::from_str(body).ok()?;
    let [class, location] = pointer.as_array()?.as_slice() else {
        return None;
    };
    (class == POINTER_CLASS).then(|| {
        let text = |name: &str| location[name].as_str().unwrap().to_owned();
        (text("s3BucketName"), text("s3Key"))
    })
}

/// Parses the record of a spilled message.
pub(crate) fn parse_spilled(queue_url: &str, record: &[u8]) -> serde_json::Result<StoredMessage> {
    let mut input: Value = serde_json::from_slice(record)?;
    input["QueueUrl"] = json!(queue_url);
    Ok(parse_input(&input))
}

fn parse_input(input: &Value) -> StoredMessage {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let attribute = |(name, value): (&String, &Value)| {
        let data_type = text(&value["DataType"]).unwrap();
        (name.clone(), (data_type, text(&value["StringValue"]).unwrap()))
    };
    let attributes = input["MessageAttributes"].as_object().into_iter().flatten();
    StoredMessage {
        id: String::new(),
        queue_url: text(&input["QueueUrl"]).unwrap(),
        body: text(&input["MessageBody"]).unwrap(),
        attributes: attributes.map(attribute).collect(),
        trace: text(&input["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"]),
        group_id: text(&input["MessageGroupId"]),
        dedup_id: text(&input["MessageDeduplicationId"]),
        sent_at: Instant::now(),
        is_corrupted: false,
    }
}

/// Whether SQS accepts a message. Source:
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
    let is_fifo = message.queue_url.ends_with(".fifo");
    texts.all(|text| !text.is_empty() && !text.contains(is_forbidden))
        && bytes <= MAX_BYTES
        && message.attributes.len() <= MAX_ATTRIBUTES
        && message.group_id.is_some() == is_fifo
        && message.dedup_id.is_some() == is_fifo
}

/// Changes what is stored of a message.
fn corrupt(mut message: StoredMessage, fault: Option<Fault>) -> StoredMessage {
    match fault {
        Some(Fault::CorruptedBody) => message.body.push(' '),
        Some(Fault::LostAttribute) => drop(message.attributes.pop_first()),
        _ => return message,
    }
    message.is_corrupted = true;
    message
}

/// Changes what the response reports of a stored message.
fn falsify(output: &mut Value, fault: Option<Fault>) {
    let wrong = md5_hex("something else");
    match fault {
        Some(Fault::WrongChecksum) => output["MD5OfMessageBody"] = json!(wrong),
        Some(Fault::WrongAttributesChecksum) => output["MD5OfMessageAttributes"] = json!(wrong),
        Some(Fault::NoChecksum) => output["MD5OfMessageBody"] = Value::Null,
        Some(Fault::NoMessageId) => output["MessageId"] = Value::Null,
        _ => {}
    }
}

pub(crate) fn md5_hex(content: impl AsRef<[u8]>) -> String {
    hex::encode(Md5::digest(content))
}

/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>.
fn md5_of_attributes(attributes: &Attributes) -> String {
    let mut bytes = Vec::new();
    let add = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend((text.len() as u32).to_be_bytes());
        bytes.extend(text.as_bytes());
    };
    for (name, (data_type, value)) in attributes {
        add(&mut bytes, name);
        add(&mut bytes, data_type);
        // The transport type of a string value.
        bytes.push(1);
        add(&mut bytes, value);
    }
    md5_hex(bytes)
}
