//! A message as SQS hands it out to somebody who only looks. Pure.

use crate::letter::Letter;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use std::str::FromStr;
use time::OffsetDateTime;

/// A received message.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    pub message_id: String,
    /// What hides it for longer, or makes it visible again.
    pub receipt_handle: String,
    pub letter: Letter,
    /// How often it has been received, this time included.
    pub receives: u32,
    /// When it was sent to its queue.
    pub sent_at: Option<OffsetDateTime>,
}

impl Received {
    /// Reads what SQS has handed out. `None` for what has no id or handle, which SQS never does.
    pub fn read(message: Message) -> Option<Self> {
        let system = message.attributes.unwrap_or_default();
        let get = |name| system.get(&name).cloned();
        let receives = number(get(MessageSystemAttributeName::ApproximateReceiveCount));
        let sent_at = number(get(MessageSystemAttributeName::SentTimestamp));
        Some(Self {
            message_id: message.message_id?,
            receipt_handle: message.receipt_handle?,
            letter: Letter {
                body: message.body.unwrap_or_default(),
                attributes: message.message_attributes.unwrap_or_default(),
                trace: get(MessageSystemAttributeName::AwsTraceHeader),
                group_id: get(MessageSystemAttributeName::MessageGroupId),
                dedup_id: get(MessageSystemAttributeName::MessageDeduplicationId),
            },
            receives: receives.unwrap_or(1),
            sent_at: sent_at.and_then(time_of_ms),
        })
    }
}

fn number<T: FromStr>(text: Option<String>) -> Option<T> {
    text?.parse().ok()
}

fn time_of_ms(ms: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()
}

#[cfg(test)]
mod tests;
