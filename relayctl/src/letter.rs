//! One message to a queue, believed to be there only if SQS confirms its checksums.

use crate::aws;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
};
use labelbox_relay::message::Checksums;
use labelbox_relay::queue::{SendMessageOutput, verify_response};
use std::collections::HashMap;

/// A message as it goes to a queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    pub body: String,
    pub attributes: HashMap<String, MessageAttributeValue>,
    pub trace: Option<String>,
    pub group_id: Option<String>,
    /// FIFO only.
    pub dedup_id: Option<String>,
}

impl Letter {
    /// The value of a text attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name)?.string_value()
    }

    /// What SQS has to confirm.
    pub fn checksums(&self) -> Checksums {
        let attributes = self.attributes.iter();
        Checksums::compute(
            &self.body,
            attributes.map(|(name, it)| (name.as_str(), it.data_type(), value_bytes(it))),
        )
    }
}

fn value_bytes(value: &MessageAttributeValue) -> &[u8] {
    match (value.binary_value(), value.string_value()) {
        (Some(bytes), _) => bytes.as_ref(),
        (None, text) => text.unwrap_or_default().as_bytes(),
    }
}

/// Sends a message. Gives the message id of the stored copy.
///
/// # Errors
/// Says why there is no confirmed copy. There may still be one: what counts is the confirmation.
pub async fn send(sqs: &Client, queue_url: &str, letter: Letter) -> Result<String, String> {
    let expected = letter.checksums();
    let mut request = sqs
        .send_message()
        .queue_url(queue_url)
        .message_body(letter.body)
        .set_message_group_id(letter.group_id)
        .set_message_deduplication_id(letter.dedup_id)
        .set_message_attributes(Some(letter.attributes));
    if let Some(trace) = letter.trace {
        let value = MessageSystemAttributeValue::builder()
            .data_type("String")
            .string_value(trace)
            .build()
            .map_err(|error| error.to_string())?;
        request = request
            .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, value);
    }
    let confirmation = request.send().await.map_err(|error| aws::said(&error))?;
    let confirmation = SendMessageOutput {
        message_id: confirmation.message_id,
        md5_of_message_body: confirmation.md5_of_message_body,
        md5_of_message_attributes: confirmation.md5_of_message_attributes,
    };
    verify_response(confirmation, &expected).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
