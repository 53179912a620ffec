//! `relayctl replay`: sends archived events to their queues again.

mod checkpoint;

use crate::aws::archive::{Archive, ArchivedEvent, CONCURRENT_READS, UnusableObject};
use crate::aws::message::OutgoingMessage;
use crate::aws::queue::{BATCH, BATCH_BYTES, Queue};
use crate::aws::spilled_message;
use crate::aws::stack::{Entity, Stack};
use crate::aws::{self, Clients};
use crate::context::Context;
use crate::error::{AwsError, AwsErrorKind, Error, ExitStatus};
use crate::filter::{Filter, Moment};
use crate::summary::{Kept, write_kept};
use checkpoint::{Checkpoint, Plan};
use clap::ValueEnum;
use futures_util::future::join_all;
use futures_util::{Stream, TryStreamExt};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::iter::Peekable;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::time::Duration;
use std::vec;
use time::OffsetDateTime;
use tokio::time::sleep;
use uuid::Uuid;

/// So many events are sent before the progress is kept: as many as are read meanwhile. With a low rate they are fewer, four times a
/// second.
const CHUNK: u32 = CONCURRENT_READS as u32;
const CHUNKS_PER_SECOND: u32 = 4;
/// A replay stops when it has found so many events that cannot be sent: something else is wrong.
const MAX_KEPT: usize = 1000;

const ABOUT: &str = "\
Sends the events that the relay received between --since and --until to the queues of their entities, or all to one other queue, in \
the order received, with their bodies and attributes unchanged. The stack has an archive if its ArchiveDays is not 0. Consumers \
ignore events that they have recorded: docs/consuming.md says how they forget them first.

An event that cannot be sent is named and left out, and holds back the later ones of its FIFO group. If a queue or the bucket fails, \
the replay stops.

The command may be interrupted at any time, also by a loss of power, and run by two people at once: no event is left out. \
`replay --resume` goes on where it was. Some events may arrive twice, with the same dedup_id.";

const EXAMPLES: &str = "\
Examples:
  relayctl replay --since 2026-11-20 --until 2026-11-23 --dry-run
  relayctl replay --since '3 days ago' --entity label --project cm8d4
  relayctl replay --since 2h --to https://sqs.eu-west-1.amazonaws.com/123456789012/new
  relayctl replay --resume";

/// Send archived events to their queues again
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Replay {
    /// Only events of this entity; may be given more than once
    #[arg(long, value_name = "ENTITY", help_heading = "Filters")]
    entity: Vec<Entity>,
    #[command(flatten)]
    filter: Filter,
    /// Send to this queue, FIFO or standard, and not to the queues of the entities
    #[arg(long, value_name = "QUEUE_URL", value_parser = queue_url)]
    to: Option<String>,
    /// Events per second, at most
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Change nothing, say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Go on with an interrupted replay: the one with this id, or the only one
    #[arg(
        long,
        value_name = "ID",
        num_args = 0..=1,
        default_missing_value = "",
        conflicts_with_all = ["entity", "topic", "project", "entity_id", "dedup_id", "since", "until", "to", "rate", "dry_run"],
    )]
    resume: Option<String>,
}

fn queue_url(text: &str) -> Result<String, &'static str> {
    match reqwest::Url::parse(text) {
        Ok(url) if url.has_host() => Ok(text.to_owned()),
        _ => Err("give a URL such as https://sqs.eu-central-1.amazonaws.com/123456789012/queue"),
    }
}

/// Replays the window, and prints the summary.
pub async fn run(command: &Replay, context: &Context) -> Result<ExitStatus, Error> {
    let (clients, stack) = &match command.dry_run {
        true => context.find_stack().await?,
        false => context.find_stack_to_change().await?,
    };
    let (plan, mut checkpoint) = prepare(command, context, stack)?;
    let window = window(&plan)?;
    let mut summary = Summary { dry_run: command.dry_run, ..Summary::default() };
    let mut run = Run {
        context,
        clients,
        stack,
        plan: &plan,
        id: checkpoint.as_ref().map(|checkpoint| checkpoint.run.clone()),
        held_back: HashMap::new(),
        existing: HashSet::new(),
    };
    let result = run.replay(&window, &mut checkpoint, &mut summary).await;
    let is_complete = result.is_ok() && !summary.interrupted && !summary.stopped;
    let is_empty = result.is_err() && summary.found == 0;
    if let Some(checkpoint) = checkpoint {
        if is_complete || (is_empty && command.resume.is_none()) {
            checkpoint.remove();
        } else {
            let words = format!("replay --resume {}", checkpoint.run);
            summary.resume = Some(context.args.relayctl(&words));
        }
    }
    if is_complete && summary.found == 0 {
        let days = stack.archive_days()?;
        let (since, until) = (Moment::At(window.start), Moment::At(window.end));
        context.output.warn(format_args!(
            "the archive, which keeps events for {days} days, has none received from {since} to {until}"
        ));
    }
    let printed = if is_empty { Ok(()) } else { context.output.show(&summary) };
    result?;
    match printed {
        Err(Error::Output(error)) => Err(Error::Summary(error)),
        printed => printed.map(|()| summary.exit_status()),
    }
}

/// What to replay, and the checkpoint of a replay that sends.
fn prepare(
    command: &Replay,
    context: &Context,
    stack: &Stack,
) -> Result<(Plan, Option<Checkpoint>), Error> {
    let folder = || {
        let folder = context.environment.state_dir.as_ref();
        let folder = folder.ok_or_else(|| {
            Error::Usage("there is no home directory to keep the progress in; set HOME".to_owned())
        });
        folder.map(|folder| folder.join("replay"))
    };
    if let Some(id) = &command.resume {
        let checkpoint = Checkpoint::find(folder()?, &stack.id, id)?;
        return Ok((checkpoint.plan.clone(), Some(checkpoint)));
    }
    let now = context.now();
    let Some(since) = command.filter.since else {
        return Err(Error::Usage("say from when on with --since, or --resume a replay".to_owned()));
    };
    let at = |moment: Moment| Moment::At(moment.from(now));
    let mut filter = command.filter.clone();
    filter.since = Some(at(since));
    filter.until = Some(filter.until.map_or(Moment::At(now), at));
    let is_wanted = |it: &Entity| command.entity.is_empty() || command.entity.contains(it);
    let plan = Plan {
        stack: stack.id.clone(),
        entities: Entity::value_variants().iter().copied().filter(is_wanted).collect(),
        filter,
        to: command.to.clone(),
        rate: command.rate,
    };
    // Wrong times are found before there is a file.
    window(&plan)?;
    let checkpoint = match command.dry_run {
        true => None,
        false => Some(Checkpoint::create(folder()?, plan.clone())?),
    };
    Ok((plan, checkpoint))
}

fn window(plan: &Plan) -> Result<Range<OffsetDateTime>, Error> {
    match (plan.filter.since, plan.filter.until) {
        (Some(Moment::At(since)), Some(Moment::At(until))) if since < until => Ok(since..until),
        _ => Err(Error::Usage("--since must be before --until, and before now".to_owned())),
    }
}

/// One run of the command.
struct Run<'r> {
    context: &'r Context,
    clients: &'r Clients,
    stack: &'r Stack,
    plan: &'r Plan,
    /// The id of a replay that sends.
    id: Option<String>,
    /// The groups with an event that could not be sent, and that event.
    held_back: HashMap<Group, String>,
    /// The queues of which a dry run knows that they exist.
    existing: HashSet<Target>,
}

/// The entity whose queue it is, or the one queue that gets all.
type Target = Option<Entity>;
type Group = (Target, String);
/// What became of an event of a group.
type Sent = (Option<Group>, Result<(), Kept>);

impl Run<'_> {
    /// Replays chunk after chunk, and keeps the progress after each.
    async fn replay(
        &mut self,
        window: &Range<OffsetDateTime>,
        checkpoint: &mut Option<Checkpoint>,
        summary: &mut Summary,
    ) -> Result<(), Error> {
        let (context, plan) = (self.context, self.plan);
        let archive = Archive::new(self.clients, self.stack, &plan.entities, window)?;
        let mut events = pin!(archive.events(|id| plan.filter.matches_id(id)));
        let size = (plan.rate / CHUNKS_PER_SECOND).clamp(1, CHUNK);
        let bar = context.output.timeline(milliseconds(window.start, window.end));
        while !summary.interrupted && !summary.stopped {
            let chunk = tokio::select! {
                chunk = next_chunk(events.as_mut(), size) => chunk?,
                () = context.interrupt.pressed() => {
                    summary.interrupted = true;
                    break;
                }
            };
            if chunk.is_empty() {
                break;
            }
            let last = chunk.iter().rev().find_map(|event| event.as_ref().ok());
            let last = last.map(|event| event.received_at);
            let selected = self.select(chunk, summary);
            let count: usize = selected.values().map(Vec::len).sum();
            let pause = sleep(Duration::from_secs(count as u64) / plan.rate);
            if self.id.is_some() {
                self.send(selected, summary).await?;
            } else {
                self.check_queues(selected.keys()).await?;
                summary.would_send += count as u64;
            }
            if let Some(time) = last {
                if let Some(checkpoint) = checkpoint {
                    checkpoint.advance(time)?;
                }
                bar.set_position(milliseconds(window.start, time));
                bar.set_message(format!("{} events, to {}", summary.found, Moment::At(time)));
            }
            summary.stopped = summary.kept.len() >= MAX_KEPT;
            tokio::select! {
                () = pause => {}
                () = context.interrupt.pressed() => summary.interrupted = true,
            }
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// The events of a chunk that are to be sent, by their queues, each in its order.
    fn select(
        &self,
        chunk: Vec<Result<ArchivedEvent, UnusableObject>>,
        summary: &mut Summary,
    ) -> BTreeMap<Target, Vec<ArchivedEvent>> {
        let wanted = self.plan.filter.at(self.context.now());
        let mut selected: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for event in chunk {
            summary.found += 1;
            match event {
                Err(UnusableObject { key, reason }) => {
                    summary.kept.push(Kept { message: key, reason });
                }
                Ok(event) if wanted.matches(&event.message) => {
                    let target = self.plan.to.is_none().then_some(event.entity);
                    selected.entry(target).or_default().push(event);
                }
                Ok(_) => summary.skipped += 1,
            }
        }
        selected
    }

    /// A dry run finds out whether the queues exist.
    async fn check_queues(&mut self, targets: impl Iterator<Item = &Target>) -> Result<(), Error> {
        for target in targets {
            if self.existing.insert(*target) {
                self.queue(*target)?.stats().await?;
            }
        }
        Ok(())
    }

    fn queue(&self, target: Target) -> Result<Queue<'_>, Error> {
        match (target, &self.plan.to) {
            (Some(entity), _) => Queue::new(self.clients, self.stack, entity, false),
            (None, to) => Ok(Queue::at(self.clients, to.as_deref().unwrap_or_default(), "--to")),
        }
    }

    /// Sends to all queues at the same time.
    async fn send(
        &mut self,
        selected: BTreeMap<Target, Vec<ArchivedEvent>>,
        summary: &mut Summary,
    ) -> Result<(), Error> {
        let this = &*self;
        let sends = selected.into_iter().map(|(target, events)| this.send_in_order(target, events));
        let mut result = Ok(());
        for (sent, ended) in join_all(sends).await {
            for (group, sent) in sent {
                match (group, sent) {
                    (_, Ok(())) => summary.sent += 1,
                    (group, Err(kept)) => {
                        if let Some(group) = group {
                            let first = || kept.message.clone();
                            self.held_back.entry(group).or_insert_with(first);
                        }
                        summary.kept.push(kept);
                    }
                }
            }
            result = result.and(ended);
        }
        result
    }

    /// Sends events to one queue, batch after batch.
    ///
    /// # Errors
    /// If the queue or the bucket fails. What was sent before has its result.
    async fn send_in_order(
        &self,
        target: Target,
        events: Vec<ArchivedEvent>,
    ) -> (Vec<Sent>, Result<(), Error>) {
        let mut sent = Vec::new();
        let result = async {
            let queue = self.queue(target)?;
            let mut events = events.into_iter().peekable();
            while events.peek().is_some() {
                let batch = next_batch(&mut events);
                self.send_batch(&queue, target, batch, &mut sent).await?;
            }
            Ok(())
        };
        let result = result.await;
        (sent, result)
    }

    async fn send_batch(
        &self,
        queue: &Queue<'_>,
        target: Target,
        batch: Vec<ArchivedEvent>,
        sent: &mut Vec<Sent>,
    ) -> Result<(), Error> {
        let mut groups = Vec::new();
        let mut messages = Vec::new();
        for event in batch {
            let key = event.key.clone();
            let group = event.message.group_id.clone().filter(|_| queue.is_fifo());
            let group = group.map(|group| (target, group));
            match self.message(event, queue, group.as_ref(), sent).await? {
                Ok(message) => {
                    groups.push((group, key));
                    messages.push(message);
                }
                Err(reason) => sent.push((group, Err(Kept { message: key, reason }))),
            }
        }
        if messages.is_empty() {
            return Ok(());
        }
        let results = queue.send_batch(&messages).await?;
        for ((group, message), result) in groups.into_iter().zip(results) {
            sent.push((group, result.map_err(|reason| Kept { message, reason })));
        }
        Ok(())
    }

    /// The message of an event. The inner error says why it has none.
    async fn message(
        &self,
        event: ArchivedEvent,
        queue: &Queue<'_>,
        group: Option<&Group>,
        sent: &[Sent],
    ) -> Result<Result<OutgoingMessage, String>, Error> {
        let failed_now = || {
            sent.iter().find_map(|(other, result)| {
                let kept = result.as_ref().err().filter(|_| other.as_ref() == group)?;
                Some(&kept.message)
            })
        };
        let first = group.and_then(|group| self.held_back.get(group).or_else(failed_now));
        if let Some(first) = first {
            return Ok(Err(format!("held back by {first}, which comes before it in its group")));
        }
        let mut message = event.message;
        if let Some(body_key) = event.body_key {
            let key = format!("payloads/{}/{}", event.dedup_id, Uuid::new_v4());
            let bucket = self.stack.payload_bucket()?;
            match self.copy(bucket, &body_key, &key).await {
                Ok(()) => message.body = spilled_message::pointer(bucket, &key),
                Err(error) if error.kind == AwsErrorKind::NotFound => {
                    return Ok(Err("its archived body was deleted meanwhile".to_owned()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        if queue.is_fifo() {
            // The same for an event that is sent again after an interruption, so that the queue drops it within five minutes.
            let id = self.id.as_deref().unwrap_or_default();
            let ms = event.received_at.unix_timestamp_nanos() / 1_000_000;
            message.dedup_id = Some(format!("{}-{id}-{ms}", event.dedup_id));
        } else {
            (message.group_id, message.dedup_id) = (None, None);
        }
        Ok(Ok(message))
    }

    async fn copy(&self, bucket: &str, from: &str, to: &str) -> Result<(), AwsError> {
        let request = self.clients.s3.copy_object().bucket(bucket).key(to);
        let copied = request.copy_source(format!("{bucket}/{from}")).send().await;
        copied.map(|_| ()).map_err(|error| aws::error("s3:PutObject", &error))
    }
}

/// The next events, up to so many.
async fn next_chunk<T>(
    mut events: Pin<&mut impl Stream<Item = Result<T, Error>>>,
    size: u32,
) -> Result<Vec<T>, Error> {
    let mut chunk = Vec::new();
    while chunk.len() < size as usize
        && let Some(event) = events.try_next().await?
    {
        chunk.push(event);
    }
    Ok(chunk)
}

/// The next events that can be sent together: if one fails, none of its group may be behind it.
fn next_batch(events: &mut Peekable<vec::IntoIter<ArchivedEvent>>) -> Vec<ArchivedEvent> {
    let mut batch: Vec<ArchivedEvent> = Vec::new();
    let mut bytes = 0;
    let mut fits = |event: &ArchivedEvent, batch: &[ArchivedEvent]| {
        bytes += event.message.byte_count();
        let is_same_group =
            |other: &ArchivedEvent| other.message.group_id == event.message.group_id;
        batch.is_empty()
            || batch.len() < BATCH as usize
                && bytes <= BATCH_BYTES
                && !batch.iter().any(is_same_group)
    };
    while let Some(event) = events.next_if(|event| fits(event, &batch)) {
        batch.push(event);
    }
    batch
}

fn milliseconds(start: OffsetDateTime, end: OffsetDateTime) -> u64 {
    (end - start).whole_milliseconds().try_into().unwrap_or_default()
}

/// What became of the events, for people and for scripts.
#[derive(Debug, Default, Serialize)]
struct Summary {
    dry_run: bool,
    interrupted: bool,
    /// Whether too many events could not be sent.
    stopped: bool,
    found: u64,
    would_send: u64,
    sent: u64,
    skipped: u64,
    kept: Vec<Kept>,
    /// The command that goes on.
    resume: Option<String>,
}

impl Summary {
    fn exit_status(&self) -> ExitStatus {
        match self {
            Self { interrupted: true, .. } => ExitStatus::Interrupted,
            Self { kept, .. } if !kept.is_empty() => ExitStatus::Incomplete,
            _ => ExitStatus::Success,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, count: u64| writeln!(f, "{name:13}{count:>8}");
        line("found", self.found)?;
        match self.dry_run {
            true => line("would send", self.would_send)?,
            false => line("sent", self.sent)?,
        }
        if self.skipped > 0 {
            line("skipped", self.skipped)?;
        }
        line("not sent", self.kept.len() as u64)?;
        write_kept(f, &self.kept)?;
        match &self.resume {
            Some(resume) => writeln!(f, "not complete: {resume} goes on"),
            None if self.interrupted => writeln!(f, "interrupted: the counts are incomplete"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
