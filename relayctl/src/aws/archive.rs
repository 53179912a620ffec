//! The archive in the bucket: the events of a window of time, in the order in which the relay received them.
//!
//! An event is the object `archive/<entity>/<yyyy>/<mm>/<dd>/<hh>/<received_at>-<dedup_id>.json`, which holds its message. The body of
//! one that is a pointer is beside it and ends in `.body`. S3 lists keys in their order, and that of an entity's keys is the order of
//! their times: so each entity is listed from the start of the window to its end, a page at a time, and the lists are merged.

use crate::aws::message::OutgoingMessage;
use crate::aws::spilled_message;
use crate::aws::stack::{Entity, Stack};
use crate::aws::{CallResult, Clients};
use crate::error::{AwsError, Error};
use crate::summary::Kept;
use aws_sdk_s3::types::Object;
use futures_util::future::ready;
use futures_util::{FutureExt, Stream, TryStreamExt, stream};
use labelbox_relay::archive::PREFIX;
use labelbox_relay::event::timestamp;
use labelbox_relay::message::PAYLOAD_SIZE;
use std::ops::Range;
use std::vec;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const RECORD: &str = ".json";
const BODY: &str = ".body";
/// Characters of a time such as `2026-11-23T13:00:00.000Z`.
const TIME_LENGTH: usize = 24;
/// A message has up to 1 MiB, of which JSON escapes some.
const MAX_RECORD_BYTES: u64 = 4 << 20;
/// Records are read so far ahead, concurrently.
pub const CONCURRENT_READS: usize = 50;

/// An object that may be an archived event.
struct Entry {
    key: String,
    size: u64,
    /// The size of the body beside it, if there is one.
    body_size: Option<u64>,
}

/// What the key of an archived event says.
#[derive(Debug, PartialEq, Eq)]
struct Key<'k> {
    entity: Entity,
    /// The time as it is in the key.
    received_at: &'k str,
    time: OffsetDateTime,
    dedup_id: &'k str,
}

impl<'k> Key<'k> {
    /// Returns `None` if it is not the key of an archived event.
    fn read(key: &'k str) -> Option<Self> {
        let (entity, rest) = key.strip_prefix(PREFIX)?.strip_suffix(RECORD)?.split_once('/')?;
        let entity = Entity::of_name(entity)?;
        let (_, name) = rest.rsplit_once('/')?;
        let (received_at, dedup_id) = name.split_at_checked(TIME_LENGTH)?;
        let dedup_id = dedup_id.strip_prefix('-').filter(|id| !id.is_empty())?;
        let time = OffsetDateTime::parse(received_at, &Rfc3339).ok()?;
        // The order of the keys is that of the times only if each is where its time belongs.
        let own_key = format!("{}-{dedup_id}{RECORD}", position(entity, time));
        (key == own_key).then_some(Self { entity, received_at, time, dedup_id })
    }
}

/// Where events are that were received at this time (UTC): what their keys begin with.
fn position(entity: Entity, time: OffsetDateTime) -> String {
    let (day, hour) = (time.date().to_string().replace('-', "/"), time.hour());
    format!("{}{day}/{hour:02}/{}", prefix(entity), timestamp(time))
}

fn prefix(entity: Entity) -> String {
    format!("{PREFIX}{}/", entity.name())
}

/// An archived event.
#[derive(Debug)]
pub struct ArchivedEvent {
    /// The key of its object.
    pub key: String,
    pub entity: Entity,
    pub dedup_id: String,
    pub received_at: OffsetDateTime,
    /// The message, as for a FIFO queue. If it is a pointer, then to the archived body.
    pub message: OutgoingMessage,
    /// The key of the archived body, if the message is a pointer.
    pub body_key: Option<String>,
}

/// The events of a window of time.
pub struct Archive<'s> {
    s3: &'s aws_sdk_s3::Client,
    bucket: &'s str,
    listings: Vec<Listing>,
}

impl<'s> Archive<'s> {
    /// The archived events of these entities that were received in this time.
    pub fn new(
        clients: &'s Clients,
        stack: &'s Stack,
        entities: &[Entity],
        window: &Range<OffsetDateTime>,
    ) -> Result<Self, Error> {
        let listings = entities.iter().map(|entity| Listing {
            prefix: prefix(*entity),
            after: position(*entity, window.start),
            end: position(*entity, window.end),
            is_complete: false,
            page: vec::IntoIter::default(),
            next: None,
        });
        let bucket = stack.payload_bucket()?;
        Ok(Self { s3: &clients.s3, bucket, listings: listings.collect() })
    }

    /// The next object in the order of the times.
    async fn next(&mut self) -> Result<Option<Entry>, Error> {
        for listing in &mut self.listings {
            listing.fill(self.s3, self.bucket).await?;
        }
        let with_next = self.listings.iter_mut().filter(|listing| listing.next.is_some());
        let first = with_next.min_by(|one, other| one.order().cmp(&other.order()));
        Ok(first.and_then(|listing| listing.next.take()))
    }

    /// Reads the events that `is_wanted` accepts by their dedup_id. An object that is not an event is returned as `Kept`.
    pub fn events(
        self,
        is_wanted: impl Fn(&str) -> bool,
    ) -> impl Stream<Item = Result<Result<ArchivedEvent, Kept>, Error>> {
        let (s3, bucket) = (self.s3.clone(), self.bucket.to_owned());
        let entries = stream::try_unfold(self, async |mut archive| {
            Ok(archive.next().await?.map(|entry| (entry, archive)))
        });
        let is_wanted =
            move |entry: &Entry| Key::read(&entry.key).is_none_or(|key| is_wanted(key.dedup_id));
        let wanted = entries.try_filter(move |entry| ready(is_wanted(entry)));
        // Tasks of their own go on while the caller is busy with earlier events.
        let reads = wanted.map_ok(move |entry| {
            let (s3, bucket) = (s3.clone(), bucket.clone());
            let read = tokio::spawn(async move {
                let event = read(&s3, &bucket, &entry).await?;
                Ok(event.map_err(|reason| Kept { message: entry.key, reason }))
            });
            // A task fails only if it panics.
            read.map(|read| read.unwrap_or_else(|error| Err(Error::Refused(error.to_string()))))
        });
        reads.try_buffered(CONCURRENT_READS)
    }
}

/// What remains to be listed of an entity.
struct Listing {
    prefix: String,
    /// The last key that was listed.
    after: String,
    /// The first key that is too late.
    end: String,
    is_complete: bool,
    page: vec::IntoIter<Object>,
    next: Option<Entry>,
}

impl Listing {
    /// The key after its prefix: it begins with the time.
    fn order(&self) -> Option<&str> {
        self.next.as_ref()?.key.get(self.prefix.len()..)
    }

    /// Lists until there is a next object, or until there are no more.
    async fn fill(&mut self, s3: &aws_sdk_s3::Client, bucket: &str) -> Result<(), Error> {
        // The last body that was listed, and its size. Its event comes next.
        let mut body: Option<(String, u64)> = None;
        while self.next.is_none() {
            let Some(object) = self.page.next() else {
                if self.is_complete {
                    break;
                }
                let request = s3.list_objects_v2().bucket(bucket).prefix(&self.prefix);
                let page = request.start_after(&self.after).send().await.action("s3:ListBucket")?;
                self.is_complete = page.is_truncated != Some(true);
                self.page = page.contents.unwrap_or_default().into_iter();
                continue;
            };
            let (Some(key), Some(size)) = (object.key, object.size) else { continue };
            if key >= self.end {
                self.page = vec::IntoIter::default();
                self.is_complete = true;
                break;
            }
            self.after.clone_from(&key);
            let size = size.unsigned_abs();
            if let Some(name) = key.strip_suffix(BODY) {
                body = Some((name.to_owned(), size));
            // S3's console makes empty objects that it shows as folders.
            } else if !key.ends_with('/') {
                let body = body.take().filter(|(name, _)| key.strip_suffix(RECORD) == Some(name));
                self.next = Some(Entry { key, size, body_size: body.map(|(_, size)| size) });
            }
        }
        Ok(())
    }
}

/// Reads an event. The inner error says why there is none that can be sent.
async fn read(
    s3: &aws_sdk_s3::Client,
    bucket: &str,
    entry: &Entry,
) -> Result<Result<ArchivedEvent, String>, AwsError> {
    let Some(key) = Key::read(&entry.key) else {
        return Ok(Err("its key is not that of an archived event".to_owned()));
    };
    if entry.size > MAX_RECORD_BYTES {
        return Ok(Err(format!("it has {} bytes, more than a message can have", entry.size)));
    }
    let Some(object) = spilled_message::get(s3, bucket, &entry.key).await? else {
        return Ok(Err("it was deleted meanwhile".to_owned()));
    };
    Ok(event(bucket, key, entry, &object.content))
}

fn event(
    bucket: &str,
    key: Key<'_>,
    entry: &Entry,
    content: &[u8],
) -> Result<ArchivedEvent, String> {
    let Key { entity, dedup_id, .. } = key;
    let mut message =
        spilled_message::message(spilled_message::Key { entity, dedup_id }, content, true)?;
    if message.attribute("received_at") != Some(key.received_at) {
        return Err("its key and its attribute received_at differ".to_owned());
    }
    let mut body_key = None;
    if spilled_message::payload(&message)?.is_some() {
        let size = message.attribute(PAYLOAD_SIZE).and_then(|size| size.parse().ok());
        if entry.body_size.is_none() || entry.body_size != size {
            return Err("the archived body beside it is missing, or not whole".to_owned());
        }
        let key = format!("{}{BODY}", entry.key.trim_end_matches(RECORD));
        message.body = spilled_message::pointer(bucket, &key);
        body_key = Some(key);
    }
    Ok(ArchivedEvent {
        key: entry.key.clone(),
        entity,
        dedup_id: dedup_id.to_owned(),
        received_at: key.time,
        message,
        body_key,
    })
}

#[cfg(test)]
mod tests;
