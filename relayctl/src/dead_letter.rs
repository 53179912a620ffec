//! A dead letter as it is received: the letter that goes back to its queue. Pure.

use crate::letter::Letter;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};

/// A received dead letter.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    pub message_id: String,
    /// What deletes it.
    pub receipt_handle: String,
    /// What goes back.
    pub letter: Letter,
    /// Whether it has the checksums that SQS has for it.
    pub is_intact: bool,
}

impl DeadLetter {
    /// Reads what SQS has handed out. `None` for what has no id or handle, which SQS never does.
    pub fn read(message: Message, is_fifo: bool) -> Option<Self> {
        let system = message.attributes.unwrap_or_default();
        let get = |name| system.get(&name).cloned();
        let message_id = message.message_id?;
        let letter = Letter {
            body: message.body.unwrap_or_default(),
            attributes: message.message_attributes.unwrap_or_default(),
            trace: get(MessageSystemAttributeName::AwsTraceHeader),
            group_id: get(MessageSystemAttributeName::MessageGroupId),
            // Its old one will not do: a FIFO queue drops a message whose deduplication id it has taken within five minutes,
            // even if that message was deleted since, and a message may die within seconds. The dead letter's message id,
            // which no other message has, does all that is wanted. However often the same dead letter is sent, by two
            // people or by a run that was interrupted before it could delete, the queue takes it once in five minutes. In
            // its queue it is a new message with a new id, so it can go back again if it dies again. Source:
            // <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html>.
            dedup_id: is_fifo.then(|| message_id.clone()),
        };
        let sums = letter.checksums();
        Some(Self {
            message_id,
            is_intact: message.md5_of_body.as_ref() == Some(&sums.body)
                && message.md5_of_message_attributes == sums.attributes,
            receipt_handle: message.receipt_handle?,
            letter,
        })
    }
}

/// Dead letters by group, each group in the order received. What has no group is a group of its own.
pub fn by_group(letters: Vec<DeadLetter>) -> Vec<Vec<DeadLetter>> {
    let mut groups: Vec<Vec<DeadLetter>> = Vec::new();
    for letter in letters {
        let group_id = &letter.letter.group_id;
        let same = |group: &&mut Vec<DeadLetter>| {
            group_id.is_some() && group.iter().any(|other| other.letter.group_id == *group_id)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(letter),
            None => groups.push(vec![letter]),
        }
    }
    groups
}

#[cfg(test)]
mod tests;
