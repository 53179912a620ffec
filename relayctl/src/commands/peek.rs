//! `relayctl peek`: what is at the front of a queue now.

use crate::aws::queue::{LOOK_SECONDS, Queue, QueueStats};
use crate::aws::stack::Entity;
use crate::context::Context;
use crate::error::Error;
use crate::error::ExitStatus;
use crate::message_view::View;
use crate::output::Output;

const ABOUT: &str = "\
Shows up to ten messages that SQS hands out now, and gives them back at once, before they are printed.

SQS knows no way to look at a message without receiving it. So each peek costs each message that it receives, also those that a \
filter leaves, one of the five receives after which it goes to the dead-message queue (`relayctl redrive` brings it back from there), \
and hides it for a moment. Looking at dead letters costs them nothing, nor does `relayctl count` cost anything.

Of a FIFO queue, the front is the oldest messages of the groups of which nobody has one in hand; of a standard queue, it is \
what SQS picks.";

const EXAMPLES: &str = "\
Examples:
  relayctl peek label
  relayctl peek workflow --count 1 --full
  relayctl peek model_run --dead-letters --json | jq .attributes";

/// Show what is at the front of a queue now, without consuming it
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Peek {
    /// Whose queue
    queue: Entity,
    /// Look at its dead-letter queue instead
    #[arg(long)]
    dead_letters: bool,
    /// Messages to receive, at most
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(i32).range(1..=10))]
    count: i32,
    #[command(flatten)]
    view: View,
}

pub async fn run(command: &Peek, context: &Context) -> Result<ExitStatus, Error> {
    let (clients, stack) = context.find_stack().await?;
    let queue = Queue::new(&clients, &stack, command.queue, command.dead_letters)?;
    let stats = queue.stats().await?;
    let messages = queue.receive(command.count, LOOK_SECONDS).await?;
    let handles = messages.iter().map(|it| it.receipt_handle.clone());
    let output = &context.output;
    if let Err(reason) = queue.release(handles.collect()).await {
        output.warn(format_args!(
            "not everything could be given back at once ({reason}); it comes back by itself within 20 seconds"
        ));
    }
    if messages.is_empty() {
        say_why_nothing(&queue, stats, output);
    }
    let wanted = command.view.filter.at(context.now());
    let (mut skipped, mut spent) = (0, 0);
    for message in messages {
        let most = stats.max_receive_count;
        spent += usize::from(most.is_some_and(|most| message.receive_count >= most));
        if wanted.matches(&message.message) {
            let view = &command.view;
            (view.print(message, &queue, stats, &clients, output)).await?;
        } else {
            skipped += 1;
        }
    }
    if skipped > 0 {
        output.warn(format_args!("{skipped} others are not what the filter asks for"));
    }
    if spent > 0 {
        let name = queue.entity.name();
        output.warn(format_args!(
            "{spent} messages have no receive left and go to the dead-letter queue if nobody has deleted them; relayctl redrive {name} brings them back"
        ));
    }
    Ok(ExitStatus::Success)
}

fn say_why_nothing(queue: &Queue<'_>, stats: QueueStats, output: &Output) {
    let name = queue.name();
    match stats.in_flight {
        0 => output.warn(format_args!("{name}: there are no messages")),
        count => output
            .warn(format_args!("{name}: no message can be had; consumers have {count} in hand")),
    }
}
