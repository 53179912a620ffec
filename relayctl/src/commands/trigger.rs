//! `relayctl trigger`: sample events to the relay, in any number and at any rate.

use crate::cli::positive;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::relay::client::{Delivery, Route, Sender, new_id};
use crate::relay::event_file::webhook_name;
use crate::relay::sample_event::{self, Setting, any_topic_parser, other_topic};
use crate::relay::summary::DeliverySummary;
use crate::secret::DEFAULT_NAME;
use fastrand::Rng;
use futures_util::{StreamExt, stream};
use labelbox_relay::event::{MODEL_RUN_CREATED, timestamp};
use std::time::{Duration, SystemTime};
use tokio::time::{MissedTickBehavior, interval};

/// Of more events, people get the summary only.
const MAX_PRINTED: u64 = 10;

const ABOUT: &str = "\
Each event is unique: its body has a new id and the current time, and its delivery id is new. Up to 10 events are printed one by \
one; of more, the summary. --json has all.

MODEL_RUN_CREATED is a request for a training run. With --any-topic, the event goes to the Unrouted queue, unless the topic begins \
with LABEL_, WORKFLOW_ or REVIEW_.";

const EXAMPLES: &str = "\
Examples:
  relayctl trigger LABEL_CREATED
  relayctl trigger WORKFLOW_ACTION --set project.id=cm5w7pstij2bw07zspv2c2lkt
  relayctl trigger LABEL_UPDATED --count 1000 --rate 50 --concurrency 20 --json
  relayctl trigger --any-topic ISSUE_CREATED";

/// Send sample events of a topic to the relay
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Trigger {
    /// Topic
    #[arg(required_unless_present = "any_topic", ignore_case = true)]
    #[arg(value_parser = any_topic_parser())]
    topic: Option<String>,
    /// A topic that Labelbox does not have yet
    #[arg(long, value_name = "TOPIC", conflicts_with = "topic", value_parser = other_topic)]
    any_topic: Option<String>,
    /// How many events
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = positive)]
    count: u64,
    /// How many per second, at most [default: as fast as they are answered]
    #[arg(long, value_parser = rate)]
    rate: Option<f64>,
    /// How many at once, at most
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    /// Set a field of the body; the value is JSON, or else a string; may be given more than once
    #[arg(long = "set", value_name = "FIELD.FIELD=VALUE")]
    settings: Vec<Setting>,
    /// Name of the webhook, which selects its secret [default: labelbox]
    #[arg(long, value_parser = webhook_name)]
    webhook: Option<String>,
}

fn rate(text: &str) -> Result<f64, &'static str> {
    let rate = text.parse().ok().filter(|rate| (0.001..=100_000.0).contains(rate));
    rate.ok_or("it has to be a number between 0.001 and 100000")
}

impl Trigger {
    /// The next event.
    fn event(&self, now: SystemTime, random: &mut Rng) -> Result<Delivery, Error> {
        let topic = self.topic.as_ref().or(self.any_topic.as_ref());
        let topic = topic.map(String::as_str).unwrap_or_default();
        let mut body = sample_event::of_topic(topic);
        sample_event::renew(&mut body, &timestamp(now.into()), random);
        for setting in &self.settings {
            setting.apply(&mut body).map_err(Error::Usage)?;
        }
        let body = body.to_string().into_bytes();
        if topic.eq_ignore_ascii_case(MODEL_RUN_CREATED) {
            if self.webhook.is_some() {
                let message = "a training run does not belong to a webhook: leave out --webhook";
                return Err(Error::Usage(message.to_owned()));
            }
            let route = Route::ModelRun;
            return Ok(Delivery { route, topic: None, delivery_id: None, body });
        }
        Ok(Delivery {
            route: Route::Webhook(self.webhook.as_deref().unwrap_or(DEFAULT_NAME).to_owned()),
            topic: Some(topic.to_owned()),
            delivery_id: Some(new_id()),
            body,
        })
    }
}

/// Sends the events, and prints the summary.
pub async fn run(command: &Trigger, context: &Context) -> Result<ExitStatus, Error> {
    let mut random = Rng::new();
    // What cannot be sent is found before AWS is asked for anything.
    let first = command.event((context.clock)(), &mut random)?;
    let (clients, stack) = context.find_stack_to_change().await?;
    let sender = Sender::find(&clients, &stack, context.clock).await?;
    sender.secret(&first.route)?;
    let bar = context.output.progress("trigger", command.count);
    let mut summary = DeliverySummary::default();
    let results = stream::iter(0..command.count)
        .zip(pace(command.rate))
        .take_until(context.interrupt.pressed())
        .map(|_| command.event((context.clock)(), &mut random))
        .map(async |delivery| sender.deliver(&delivery?).await)
        .buffer_unordered(command.concurrency.into());
    tokio::pin!(results);
    while let Some(result) = results.next().await {
        let result = result?;
        summary.add(&result.response, &context.args);
        if context.output.is_json {
            summary.events.push(result);
        } else if command.count <= MAX_PRINTED {
            context.output.line(result.line(&context.args))?;
        }
        if command.count > MAX_PRINTED {
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    summary.close(context.output.is_json || command.count > 1, context)
}

/// Items at this rate, or all at once. A late item does not make the next ones come sooner.
fn pace(rate: Option<f64>) -> impl stream::Stream<Item = ()> {
    let ticks = rate.map(|rate| {
        let mut ticks = interval(Duration::from_secs_f64(1.0 / rate));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    });
    stream::unfold(ticks, async |mut ticks| {
        if let Some(ticks) = &mut ticks {
            ticks.tick().await;
        }
        Some(((), ticks))
    })
}

#[cfg(test)]
mod tests;
