//! `relayctl tail`: messages as they arrive, which stay for those whom they are for.

use crate::aws::Clients;
use crate::care::Care;
use crate::ending::Ending;
use crate::follow::{Farewell, follow};
use crate::live_queue::{LiveQueue, Standing};
use crate::message_view::View;
use crate::printer::Printer;
use crate::received::Received;
use crate::session::Session;
use crate::stack::{Entity, Stack};
use crate::trouble::Trouble;
use clap::ValueEnum;
use futures_util::future::join_all;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::sleep;

/// Messages that may wait to be printed: each can have a megabyte.
const MOST_IN_LINE: usize = 20;

const ABOUT: &str = "\
Shows each message once, without taking it from the queue. What SQS cannot carry, and the relay keeps in its bucket, is shown \
from there.

SQS knows no way to look at a message without receiving it, so looking has a price:

- A look hides what it receives from consumers, for a second or two, at most for --hold while it reads on; a killed tool, for \
20 seconds. What waits behind it in a FIFO group waits as long.
- Each receive counts. A message goes to its dead-letter queue after five that did not end with its deletion, and a tail \
uses up to two of them (--receives). It looks again only when more waits than it has shown. What has cost its receives by then stays hidden until the tail ends, and with it \
what comes after it in its FIFO group. After ten minutes of that (--keep), or \
with a thousand such messages, the tail of this queue ends by itself.
- Where consumers are at work, they take messages before the tail does: it shows a part of them. Where none are, it shows \
all, but of a FIFO group only the first ten that wait.

Nothing is lost, doubled, or put out of order by it. All is given back at the end, also after Ctrl-C. What has no receive \
left then is counted on standard error: it goes to the dead-letter queue next, and `relayctl redrive` brings it back. \
Dead letters have no such count: looking at them is free.

Ctrl-C is the usual end, with status 0; where another end was asked for and has not come, the status is 130. \
It is 1 where fewer messages than --count came, or a tail has ended by itself.";

const EXAMPLES: &str = "\
Examples:
  relayctl tail
  relayctl tail label workflow --topic LABEL_CREATED --topic MOVE
  relayctl tail label --dead-letters --full --idle 5s
  relayctl tail review --count 1 --for 30s --json | jq -r .body";

/// Show messages as they arrive, without consuming them
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Tail {
    /// Whose queues; all of them, if none is named
    queue: Vec<Entity>,
    /// Show their dead-letter queues instead
    #[arg(long)]
    dead_letters: bool,
    /// End after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after this time, such as 30s or 5m
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    time: Option<Duration>,
    /// End when nothing new has come for this time
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    idle: Option<Duration>,
    #[command(flatten)]
    view: View,
    #[command(flatten)]
    care: Care,
}

pub async fn run(command: &Tail, session: &Session<'_>) -> Result<Ending, Trouble> {
    let (clients, stack) = session.find_stack().await?;
    let queues = command.queues(&clients, &stack)?;
    let (line, found) = channel(MOST_IN_LINE);
    let followed = queues.into_iter().map(|queue| follow(queue, command.care, line.clone()));
    let followed = join_all(followed.collect::<Vec<_>>());
    drop(line);
    let shown = command.show(found, &clients, session);
    let (farewells, outcome) = tokio::join!(followed, shown);
    for farewell in farewells {
        farewell.say(session.printer);
    }
    Ok(command.ending(outcome?))
}

/// Why a tail has ended, and whether it has shown as many messages as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Complete,
    OutOfTime,
    Interrupted,
    CutShort,
}

type Found<'r> = Result<(LiveQueue<'r>, Standing, Received), Trouble>;

impl Tail {
    fn queues<'r>(
        &self,
        clients: &'r Clients,
        stack: &'r Stack,
    ) -> Result<Vec<LiveQueue<'r>>, Trouble> {
        let mut entities = self.queue.clone();
        if entities.is_empty() {
            entities = Entity::value_variants().to_vec();
        }
        entities.sort_unstable();
        entities.dedup();
        let queue = |entity| LiveQueue::new(clients, stack, entity, self.dead_letters);
        entities.into_iter().map(queue).collect()
    }

    /// Prints what is found until the end. Who looks for more sees then that nobody listens.
    async fn show(
        &self,
        mut found: Receiver<Found<'_>>,
        clients: &Clients,
        session: &Session<'_>,
    ) -> Result<End, Trouble> {
        let wanted = self.view.filter.at(session.now());
        let mut out_of_time = pin!(after(self.time));
        let mut idle = pin!(after(self.idle));
        let mut shown = 0;
        loop {
            let (queue, standing, received) = tokio::select! {
                biased;
                () = session.interrupt.pressed() => return Ok(End::Interrupted),
                () = &mut out_of_time => return Ok(End::OutOfTime),
                () = &mut idle => return Ok(End::OutOfTime),
                next = found.recv() => match next {
                    Some(found) => found?,
                    None => return Ok(End::CutShort),
                },
            };
            if !wanted.takes(&received.letter) {
                continue;
            }
            let printer = session.printer;
            (self.view.print(received, &queue, standing, clients, printer)).await?;
            shown += 1;
            if Some(shown) == self.count {
                return Ok(End::Complete);
            }
            idle.set(after(self.idle));
        }
    }

    fn ending(&self, end: End) -> Ending {
        let has_end = self.count.is_some() || self.time.is_some() || self.idle.is_some();
        match end {
            End::Interrupted if has_end => Ending::Interrupted,
            End::OutOfTime if self.count.is_some() => Ending::Incomplete,
            End::CutShort => Ending::Incomplete,
            End::Interrupted | End::OutOfTime | End::Complete => Ending::Done,
        }
    }
}

/// Ends after this time, or never.
async fn after(time: Option<Duration>) {
    match time {
        Some(time) => sleep(time).await,
        None => std::future::pending().await,
    }
}

impl Farewell {
    /// Says what the user ought to know of a queue, if there is anything.
    fn say(&self, printer: Printer) {
        let queue = &self.queue;
        if self.was_cut_short {
            printer.warn(format_args!(
                "{queue}: messages that nobody takes were hidden for as long, or as many, as may be; they are given back, and this tail is over"
            ));
        }
        if self.unseen > 0 {
            printer.warn(format_args!(
                "{queue}: about {} messages came behind others of their FIFO group that nobody took, and were not shown; start again to see them",
                self.unseen
            ));
        }
        if let Some(reason) = &self.not_given_back {
            printer.warn(format_args!(
                "{queue}: not everything could be given back at once ({reason}); it comes back by itself within 20 seconds"
            ));
        }
        if self.spent > 0 {
            printer.warn(format_args!(
                "{queue}: {} messages have no receive left and go to the dead-letter queue if nobody has deleted them; relayctl redrive {queue} brings them back",
                self.spent
            ));
        }
    }
}

#[cfg(test)]
mod tests;
