//! `relayctl replay`: sends archived events to their queues again.

mod checkpoint;

use crate::aws::CallResult;
use crate::aws::archive::{Archive, ArchivedEvent, CONCURRENT_READS};
use crate::aws::message::OutgoingMessage;
use crate::aws::queue::{BATCH, BATCH_BYTES, Queue, client_of};
use crate::aws::spilled_message;
use crate::aws::stack::{Entity, Stack};
use crate::context::Context;
use crate::error::{AwsError, AwsErrorKind, Error, ExitStatus};
use crate::filter::{Filter, Moment, or_all};
use crate::relay::PROBE_TOPIC;
use crate::sanitize::one_line;
use crate::summary::{Kept, Summary, counted};
use checkpoint::{Checkpoint, Plan};
use futures_util::future::join_all;
use futures_util::{StreamExt, TryStreamExt};
use labelbox_relay::event::timestamp;
use serde_json::json;
use std::collections::HashMap;
use std::iter::Peekable;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;
use std::vec;
use time::OffsetDateTime;
use tokio::time::sleep;
use uuid::Uuid;

/// Progress is saved after each chunk: as many events as are read ahead or, at a low rate, those of a part of a second.
const CHUNKS_PER_SECOND: usize = 4;
/// A replay stops when it has found so many events that cannot be sent: something else is wrong.
const MAX_KEPT: usize = 1000;

const ABOUT: &str = "\
Sends the events that the relay received between --since and --until to the queues of their entities, or all to one other queue, in \
the order received, with their bodies and attributes unchanged. The stack has an archive if its ArchiveDays is not 0. Consumers \
ignore events that they have recorded: docs/consuming.md says how they forget them first.

An event that its queue rejects is named and left out, and holds back the later ones of its FIFO group. An object that cannot be read \
is named and left out. Skipped are events that the options leave out, and the doctor's. If a queue or the bucket fails, the replay \
stops.

The command may be interrupted at any time, also by a loss of power, and run by two people at once: no event is left out. It prints \
the command that resumes it, and --list shows it again. Some events may arrive twice, with the same dedup_id.";

const EXAMPLES: &str = "\
Examples:
  relayctl replay --since 2026-11-20 --until 2026-11-23 --dry-run
  relayctl replay --since '3 days ago' --entity label --project cm8d4
  relayctl replay --since 2h --to https://sqs.eu-west-1.amazonaws.com/123456789012/new
  relayctl replay --list
  relayctl replay --resume";

/// The options of a new replay.
const OF_NEW: [&str; 10] = [
    "entity",
    "topic",
    "project",
    "entity_id",
    "dedup_id",
    "since",
    "until",
    "to",
    "rate",
    "dry_run",
];

/// Send archived events to their queues again
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Replay {
    /// Only events of this entity; may be given more than once
    #[arg(long, value_name = "ENTITY", help_heading = "Filters")]
    entity: Vec<Entity>,
    #[command(flatten)]
    filter: Filter,
    /// Send to this queue, FIFO or standard, and not to the queues of the entities. It may be of another region or account
    #[arg(long, value_name = "QUEUE_URL", value_parser = queue_url)]
    to: Option<String>,
    /// Events per second, at most
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Change nothing, say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Resume an unfinished replay: the one with this id, or the only one
    #[arg(long, value_name = "ID", num_args = 0..=1, default_missing_value = "", conflicts_with_all = OF_NEW)]
    resume: Option<String>,
    /// List the unfinished replays that were begun on this machine, and the commands that resume them
    #[arg(long, conflicts_with_all = OF_NEW, conflicts_with = "resume")]
    list: bool,
}

fn queue_url(text: &str) -> Result<String, &'static str> {
    match reqwest::Url::parse(text) {
        Ok(url) if url.has_host() => Ok(text.to_owned()),
        _ => Err("give a URL such as https://sqs.eu-central-1.amazonaws.com/123456789012/queue"),
    }
}

/// Replays the window, and prints the summary.
pub async fn run(command: &Replay, context: &Context) -> Result<ExitStatus, Error> {
    let folder = context.environment.state_dir.as_ref().map(|folder| folder.join("replay"));
    let no_folder = "there is no home directory to keep the progress in; set HOME";
    // A dry run has no progress.
    let folder = folder.or_else(|| command.dry_run.then(PathBuf::new));
    let folder = folder.ok_or_else(|| Error::Usage(no_folder.to_owned()))?;
    if command.list {
        return list(&folder, context);
    }
    let (clients, stack) = &context.find_stack_for(command.dry_run).await?;
    let mut checkpoint = match &command.resume {
        Some(id) => Checkpoint::find(folder, &stack.id, id)?,
        None => Checkpoint { folder, plan: command.plan(context, stack)? },
    };
    let plan = &checkpoint.plan.clone();
    let window = plan.filter.window(context.now())?;
    let sqs = client_of(&clients.sqs, plan.to.as_deref().unwrap_or_default());
    let mut queues = Vec::new();
    if let Some(url) = &plan.to {
        queues.push((None, Queue::at(&sqs, url, "--to")));
    } else {
        for entity in &plan.entities {
            queues.push((Some(*entity), Queue::new(clients, stack, *entity, false)?));
        }
    }
    for (_, queue) in &queues {
        // A replay to a queue that does not exist is not begun. Who may only send to it is not told whether it exists.
        if let Err(error) = queue.stats().await
            && error.kind == AwsErrorKind::NotFound
        {
            let missing = |url| Error::Setup(format!("--to: there is no queue {url}"));
            return Err(plan.to.as_ref().map_or_else(|| error.into(), missing));
        }
    }
    if command.resume.is_some() {
        context.output.warn(format_args!("resumes {plan}"));
    } else if !command.dry_run {
        checkpoint.save()?;
    }
    let bucket = stack.payload_bucket()?;
    let lanes = queues.into_iter().filter(|_| !command.dry_run).map(|(entity, queue)| Lane {
        entity,
        queue,
        replay_id: &plan.id,
        s3: &clients.s3,
        bucket,
        events: Vec::new(),
        sent: 0,
        kept: Vec::new(),
        held_back: plan.held_back.get(queue.label).cloned().unwrap_or_default(),
    });
    let mut summary = Summary::new(command.dry_run);
    let lanes = lanes.collect();
    let mut run = Run { context, plan, lanes, checkpoint: &mut checkpoint };
    let archive = Archive::new(clients, stack, &plan.entities, &window)?;
    let result = run.replay(archive, &window, &mut summary).await;
    let is_stopped = summary.kept.len() >= MAX_KEPT;
    let is_complete = result.is_ok() && !summary.interrupted && !is_stopped;
    let is_unbegun = result.is_err() && summary.found == 0 && command.resume.is_none();
    let held_back = plan.held_back.values().map(HashMap::len).sum::<usize>();
    if held_back > 0 {
        let groups = counted(held_back as u64, "FIFO group");
        summary.remarks.push(format!("an earlier part of this replay holds back {groups}"));
    }
    if is_stopped {
        summary.remarks.push("stopped: too many events cannot be sent".to_owned());
    }
    if command.dry_run && summary.interrupted {
        summary.remarks.push("interrupted: the counts are incomplete".to_owned());
    } else if is_complete || is_unbegun {
        checkpoint.remove();
    } else if !command.dry_run {
        summary.remarks.push(format!("not complete; resume with: {}", plan.resume));
        summary.resume = Some(plan.resume.clone());
    }
    if is_complete && summary.found == 0 {
        let days = stack.archive_days()?;
        let none = if plan.filter.has_ids() { "none of these ids" } else { "none" };
        context.output.warn(format_args!(
            "the archive, which keeps events for {days} days, has {none} received from {} to {}",
            timestamp(window.start),
            timestamp(window.end)
        ));
    }
    match summary.close(result, &context.output)? {
        ExitStatus::Success if held_back > 0 => Ok(ExitStatus::Incomplete),
        status => Ok(status),
    }
}

fn list(folder: &Path, context: &Context) -> Result<ExitStatus, Error> {
    let (plans, others) = checkpoint::list(folder)?;
    for path in others {
        let path = path.display();
        context.output.warn(format_args!("{path} is not the progress of a replay; delete it"));
    }
    if context.output.is_json {
        context.output.json(&json!({ "replays": plans }))?;
        return Ok(ExitStatus::Success);
    }
    for plan in &plans {
        context.output.line(format_args!("{plan}\n  resume with: {}", one_line(&plan.resume)))?;
    }
    let folder = folder.display();
    context.output.warn(match plans.len() {
        0 => format!("there are no unfinished replays in {folder}"),
        _ => format!("they are in {folder}; delete the file of one to abandon it"),
    });
    Ok(ExitStatus::Success)
}

impl Replay {
    /// What to replay. Its times are absolute.
    fn plan(&self, context: &Context, stack: &Stack) -> Result<Plan, Error> {
        let now = context.now();
        let Some(since) = self.filter.since else {
            let message = "say from when on with --since, or --resume a replay";
            return Err(Error::Usage(message.to_owned()));
        };
        let at = |moment: Moment| Moment::At(moment.from(now));
        let mut filter = self.filter.clone();
        filter.since = Some(at(since));
        filter.until = Some(filter.until.map_or(Moment::At(now), at));
        let mut id = Uuid::new_v4().simple().to_string();
        id.truncate(12);
        let words: Vec<_> = std::env::args().skip(1).collect();
        let words = shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default();
        Ok(Plan {
            command: format!("relayctl {words}"),
            begun: timestamp(now),
            resume: context.args.relayctl(&format!("replay --resume {id}")),
            id,
            stack: stack.id.clone(),
            entities: or_all(&self.entity),
            filter,
            to: self.to.clone(),
            rate: self.rate,
            held_back: HashMap::new(),
        })
    }
}

/// One run of the command.
struct Run<'r> {
    context: &'r Context,
    plan: &'r Plan,
    /// None for a dry run.
    lanes: Vec<Lane<'r>>,
    checkpoint: &'r mut Checkpoint,
}

impl Run<'_> {
    /// Replays chunk after chunk, and keeps the progress after each.
    async fn replay(
        &mut self,
        archive: Archive<'_>,
        window: &Range<OffsetDateTime>,
        summary: &mut Summary,
    ) -> Result<(), Error> {
        let (context, plan) = (self.context, self.plan);
        let mut events = pin!(archive.events(|id| plan.filter.matches_id(id)));
        let size = (plan.rate as usize / CHUNKS_PER_SECOND).clamp(1, CONCURRENT_READS);
        let bar = context.output.timeline(milliseconds(window.start, window.end));
        while !summary.interrupted && summary.kept.len() < MAX_KEPT {
            let chunk = tokio::select! {
                chunk = events.as_mut().take(size).try_collect::<Vec<_>>() => chunk?,
                () = context.interrupt.pressed() => {
                    summary.interrupted = true;
                    break;
                }
            };
            if chunk.is_empty() {
                break;
            }
            if summary.found == 0 && !summary.dry_run {
                let resume = &plan.resume;
                context.output.warn(format_args!("if it is interrupted, resume with: {resume}"));
            }
            let last = chunk.iter().rev().find_map(|event| event.as_ref().ok());
            let last = last.map(|event| event.received_at);
            let count = self.select(chunk, summary);
            let pause = sleep(Duration::from_secs(count) / plan.rate);
            match summary.dry_run {
                true => summary.would_send += count,
                false => self.send(summary).await?,
            }
            if let Some(time) = last {
                if !summary.dry_run {
                    let held_back =
                        |lane: &Lane<'_>| (lane.queue.label.to_owned(), lane.held_back.clone());
                    self.checkpoint.advance(time, self.lanes.iter().map(held_back).collect())?;
                }
                let events = counted(summary.found, "event");
                bar.set_position(milliseconds(window.start, time));
                bar.set_message(format!("{events}, to {}", timestamp(time)));
            }
            tokio::select! {
                () = pause => {}
                () = context.interrupt.pressed() => summary.interrupted = true,
            }
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Gives the events of a chunk that are to be sent to their lanes. Returns how many those are.
    fn select(&mut self, chunk: Vec<Result<ArchivedEvent, Kept>>, summary: &mut Summary) -> u64 {
        let (filter, now) = (&self.plan.filter, self.context.now());
        let mut count = 0;
        for event in chunk {
            summary.found += 1;
            match event {
                Err(kept) => summary.kept.push(kept),
                Ok(event) if filter.matches(&event.message, now) && !is_probe(&event.message) => {
                    count += 1;
                    let is_of =
                        |lane: &&mut Lane<'_>| lane.entity.is_none_or(|it| it == event.entity);
                    if let Some(lane) = self.lanes.iter_mut().find(is_of) {
                        lane.events.push(event);
                    }
                }
                // Of the window's hours, but not chosen; or the doctor's.
                Ok(_) => summary.skipped += 1,
            }
        }
        count
    }

    /// Sends to all queues at the same time.
    async fn send(&mut self, summary: &mut Summary) -> Result<(), Error> {
        let results = join_all(self.lanes.iter_mut().map(Lane::send)).await;
        for lane in &mut self.lanes {
            summary.sent += std::mem::take(&mut lane.sent);
            summary.kept.append(&mut lane.kept);
        }
        let is_gone = |error: &AwsError| {
            error.kind == AwsErrorKind::NotFound && error.action == "sqs:SendMessage"
        };
        let result = results.into_iter().collect::<Result<(), AwsError>>();
        result.map_err(|error| match &self.plan.to {
            Some(url) if is_gone(&error) => Error::Setup(format!(
                "--to: there is no queue {url} any more; when it is back, resume with: {}",
                self.plan.resume
            )),
            _ => error.into(),
        })
    }
}

/// A queue, and the events of a chunk that it gets.
struct Lane<'r> {
    /// Whose events those are; `None` for all.
    entity: Option<Entity>,
    queue: Queue<'r>,
    replay_id: &'r str,
    s3: &'r aws_sdk_s3::Client,
    bucket: &'r str,
    events: Vec<ArchivedEvent>,
    sent: u64,
    kept: Vec<Kept>,
    /// The FIFO groups with an event that could not be sent, and that event.
    held_back: HashMap<String, String>,
}

impl Lane<'_> {
    /// Sends the events, batch after batch, until the queue or the bucket fails.
    async fn send(&mut self) -> Result<(), AwsError> {
        let mut events = std::mem::take(&mut self.events).into_iter().peekable();
        while events.peek().is_some() {
            let (mut names, mut messages) = (Vec::new(), Vec::new());
            for event in next_batch(&mut events) {
                let name = (event.key.clone(), event.message.group_id.clone());
                match self.message(event).await? {
                    Ok(message) => {
                        names.push(name);
                        messages.push(message);
                    }
                    Err(reason) => self.keep(name, reason),
                }
            }
            if messages.is_empty() {
                continue;
            }
            let results = self.queue.send_batch(&messages).await?;
            for (name, result) in names.into_iter().zip(results) {
                match result {
                    Ok(_) => self.sent += 1,
                    Err(reason) => self.keep(name, reason),
                }
            }
        }
        Ok(())
    }

    /// An event that cannot be sent: later ones of its group must not overtake it.
    fn keep(&mut self, (message, group): (String, Option<String>), reason: String) {
        if let Some(group) = group.filter(|_| self.queue.is_fifo()) {
            self.held_back.entry(group).or_insert_with(|| message.clone());
        }
        self.kept.push(Kept { message, reason });
    }

    /// The message of an event. The inner error says why it has none.
    async fn message(
        &self,
        event: ArchivedEvent,
    ) -> Result<Result<OutgoingMessage, String>, AwsError> {
        let mut message = event.message;
        let group = message.group_id.as_ref();
        if let Some(first) = group.and_then(|group| self.held_back.get(group)) {
            return Ok(Err(format!("held back by {first}, which comes before it in its group")));
        }
        if let Some(body_key) = event.body_key {
            let key = format!("payloads/{}/{}", event.dedup_id, Uuid::new_v4());
            let request = self.s3.copy_object().bucket(self.bucket).key(&key);
            let copied = request.copy_source(format!("{}/{body_key}", self.bucket)).send().await;
            match copied.action("s3:PutObject") {
                Ok(_) => message.body = spilled_message::pointer(self.bucket, &key),
                Err(error) if error.code.as_deref() == Some("NoSuchKey") => {
                    return Ok(Err("its archived body was deleted meanwhile".to_owned()));
                }
                Err(error) => return Err(error),
            }
        }
        if self.queue.is_fifo() {
            // The same for an event that is sent again after an interruption, so that the queue drops it within five minutes.
            let ms = event.received_at.unix_timestamp_nanos() / 1_000_000;
            message.dedup_id = Some(format!("{}-{}-{ms}", event.dedup_id, self.replay_id));
        } else {
            (message.group_id, message.dedup_id) = (None, None);
        }
        Ok(Ok(message))
    }
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

/// Whether it is a probe of the doctor, which deletes it from its queue.
fn is_probe(message: &OutgoingMessage) -> bool {
    message.attribute("event") == Some(PROBE_TOPIC)
}

fn milliseconds(start: OffsetDateTime, end: OffsetDateTime) -> u64 {
    (end - start).whole_milliseconds().try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests;
