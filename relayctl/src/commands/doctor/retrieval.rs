//! Taking the probe out of the Unrouted queue again, with the least harm to what else is in it.

use super::probe::TOPIC;
use super::question::LIMIT;
use crate::aws::queue::{Queue, MOST_AT_ONCE};
use crate::aws::message::ReceivedMessage;
use crate::error::Error;
use std::time::{Duration, SystemTime};
use tokio::time::timeout;

/// So many receives of ten find the probe, or it is left.
const RECEIVES: u32 = 10;
/// A queue may hand out nothing once or twice, though there is something.
const EMPTY_RECEIVES: u32 = 3;
/// Shorter than what was received stays hidden, so that nothing is received twice.
const TIME_LIMIT: Duration = Duration::from_secs(12);
/// A younger probe may be that of another doctor at work.
const LEFT_AFTER: Duration = Duration::from_secs(60);
/// With so many receives, a message is about to become a dead letter.
pub const WORN: u32 = 4;

/// What is looked for.
pub struct Wanted<'w> {
    /// Not known where the relay's answer is not.
    pub message_id: Option<&'w str>,
    /// No two probes have the same.
    pub body: &'w [u8],
}

/// What a search came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Search {
    pub is_found: bool,
    /// Other messages that have been received [`WORN`] times or more.
    pub worn: usize,
}

/// What a message in the queue is to this run.
#[derive(Debug, PartialEq, Eq)]
enum Whose {
    Ours,
    /// A probe that an earlier run has left.
    Left,
    Anothers,
}

/// Looks for the probe and deletes it, and what earlier runs have left. The others are hidden until the end, so that none
/// is received twice, and then given back.
pub async fn take_out(
    queue: Queue<'_>,
    wanted: &Wanted<'_>,
    clock: fn() -> SystemTime,
) -> Result<Search, Error> {
    let mut others = Vec::new();
    let mut search = Search::default();
    let outcome = look(queue, wanted, clock, &mut others, &mut search).await;
    // What cannot be given back comes back by itself, soon.
    let _ = queue.release(others).await;
    outcome.map(|()| search)
}

async fn look(
    queue: Queue<'_>,
    wanted: &Wanted<'_>,
    clock: fn() -> SystemTime,
    others: &mut Vec<String>,
    search: &mut Search,
) -> Result<(), Error> {
    let started = clock();
    let mut empty = 0;
    for _ in 0..RECEIVES {
        let passed = clock().duration_since(started).unwrap_or_default();
        if search.is_found || empty == EMPTY_RECEIVES || passed > TIME_LIMIT {
            break;
        }
        let messages = timeout(LIMIT, queue.receive(MOST_AT_ONCE)).await;
        let messages = messages.map_err(|_| no_answer())??;
        empty += u32::from(messages.is_empty());
        for message in messages {
            match whose(&message, wanted, clock()) {
                Whose::Anothers => {
                    search.worn += usize::from(message.receives >= WORN);
                    others.push(message.receipt_handle);
                }
                Whose::Ours => {
                    queue.delete(message.receipt_handle).await?;
                    search.is_found = true;
                }
                Whose::Left => queue.delete(message.receipt_handle).await?,
            }
        }
    }
    Ok(())
}

fn no_answer() -> Error {
    Error::NoAnswer {
        action: "sqs:ReceiveMessage",
        said: format!("nothing within {} s", LIMIT.as_secs()),
    }
}

fn whose(message: &ReceivedMessage, wanted: &Wanted<'_>, now: SystemTime) -> Whose {
    let has_id = wanted.message_id == Some(message.message_id.as_str());
    if has_id || message.message.body.as_bytes() == wanted.body {
        return Whose::Ours;
    }
    let age = message.sent_at.map(|sent_at| now.duration_since(sent_at.into()));
    let is_old = age.is_some_and(|age| age.is_ok_and(|age| age > LEFT_AFTER));
    if is_old && message.message.attribute("event") == Some(TOPIC) {
        return Whose::Left;
    }
    Whose::Anothers
}

#[cfg(test)]
mod tests;
