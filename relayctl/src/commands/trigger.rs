//! `relayctl trigger`: sample events to the relay, as many and as fast as one likes.

use crate::commands::send::new_id;
use crate::context::Context;
use crate::error::Error;
use crate::error::ExitStatus;
use crate::relay::client::{Delivery, Route, Sender};
use crate::relay::delivery_summary::Deliveries;
use crate::relay::sample_event::{self, Setting, Shape};
use fastrand::Rng;
use futures_util::{StreamExt, stream};
use labelbox_relay::event::{MODEL_RUN_CREATED, timestamp};
use serde_json::Value;
use std::time::{Duration, SystemTime};
use tokio::time::{MissedTickBehavior, interval};

const ABOUT: &str = "\
Each is an event of its own: what its body is about gets a new id, its time is now, and its delivery id is new. With \
--same, one request is sent again and again, of which a FIFO queue takes one in five minutes; but a call for a training \
run has no delivery id, so each call is an event.

A topic that the relay does not know goes to the Unrouted queue. MODEL_RUN_CREATED is a call for a training run.";

const EXAMPLES: &str = "\
Examples:
  relayctl trigger LABEL_CREATED
  relayctl trigger WORKFLOW_ACTION --set project.id=cm5w7pstij2bw07zspv2c2lkt
  relayctl trigger LABEL_UPDATED --count 1000 --rate 50 --concurrency 20 --json
  relayctl trigger LABEL_CREATED --bytes 2000000";

/// Send sample events of a topic to the relay
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Trigger {
    /// Topic, such as LABEL_CREATED, WORKFLOW_ACTION, MOVE or MODEL_RUN_CREATED
    topic: String,
    /// How many events
    #[arg(long, default_value_t = 1)]
    count: u64,
    /// How many per second, at most [default: as fast as they are answered]
    #[arg(long, value_parser = rate)]
    rate: Option<f64>,
    /// How many at once, at most
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    /// Set a field of the body; the value is JSON, or else a text; may be given more than once
    #[arg(long = "set", value_name = "FIELD.FIELD=VALUE")]
    settings: Vec<Setting>,
    /// Which of Labelbox's shapes of a body
    #[arg(long, value_enum, default_value_t = Shape::V1)]
    shape: Shape,
    /// Make the body at least so large: over 1 MiB, a pointer goes to the queue
    #[arg(long, default_value_t = 0)]
    bytes: usize,
    /// Send the same request again and again
    #[arg(long)]
    same: bool,
    /// Name of the webhook, which picks its secret
    #[arg(long, default_value = "labelbox")]
    webhook: String,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().map_err(|error| error.to_string())?;
    if (0.001..=100_000.0).contains(&rate) {
        Ok(rate)
    } else {
        Err("it has to be between 0.001 and 100000".to_owned())
    }
}

impl Trigger {
    /// The next event.
    fn event(&self, now: SystemTime, random: &mut Rng) -> Result<Delivery, Error> {
        let broken = |said: String| Error::Sample(said);
        let body = sample_event::of_topic(&self.topic, self.shape);
        let mut body = body.map_err(|error| broken(error.to_string()))?;
        sample_event::renew(&mut body, &timestamp(now.into()), random);
        for setting in &self.settings {
            setting.apply(&mut body).map_err(broken)?;
        }
        let is_run = self.topic.eq_ignore_ascii_case(MODEL_RUN_CREATED);
        Ok(Delivery {
            route: if is_run { Route::ModelRun } else { Route::Webhook(self.webhook.clone()) },
            topic: (!is_run).then(|| self.topic.clone()),
            delivery_id: (!is_run).then(new_id),
            body: written(&mut body, self.bytes),
        })
    }
}

/// The body as text, with so much in a field that nobody reads that it has at least `bytes`.
fn written(body: &mut Value, bytes: usize) -> Vec<u8> {
    let short = body.to_string();
    let (Some(fields), Some(missing)) = (body.as_object_mut(), bytes.checked_sub(short.len()))
    else {
        return short.into_bytes();
    };
    if missing > 0 {
        fields.insert("padding".to_owned(), Value::String("x".repeat(missing)));
    }
    body.to_string().into_bytes()
}

/// Sends the events, and prints the account.
pub async fn run(command: &Trigger, context: &Context) -> Result<ExitStatus, Error> {
    let mut random = Rng::new();
    let first = command.event((context.clock)(), &mut random)?;
    let (clients, stack) = context.find_stack().await?;
    let sender = Sender::find(&clients, &stack, context.clock).await?;
    sender.secret(&first.route)?;
    let bar = context.output.progress("trigger", command.count);
    let started = (context.clock)();
    let mut summary = Deliveries::default();
    let answers = stream::iter(0..command.count)
        .zip(pace(command.rate))
        .take_until(context.interrupt.pressed())
        .map(|_| match command.same {
            true => Ok(first.clone()),
            false => command.event((context.clock)(), &mut random),
        })
        .map(async |delivery| sender.post(&delivery?).await)
        .buffer_unordered(command.concurrency.into());
    tokio::pin!(answers);
    while let Some(answer) = answers.next().await {
        summary.enter(&answer?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let took = (context.clock)().duration_since(started);
    summary.close(took.unwrap_or_default(), context.interrupt.is_pressed());
    context.output.show(&summary)?;
    Ok(summary.exit_status())
}

/// Something at this rate, or all at once. What comes late is not made up for by a burst.
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
