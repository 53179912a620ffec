//! What became of the events that a command has sent.

use super::client::{DeliveryResult, RelayResponse};
use crate::cli::GlobalArgs;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

/// How many events were sent, with which responses, and how fast.
#[derive(Debug, Default, Serialize)]
pub struct DeliverySummary {
    interrupted: bool,
    sent: u64,
    accepted: u64,
    spilled: u64,
    /// Files that could not be sent.
    #[serde(skip)]
    pub not_sent: u64,
    /// How many responses of each kind, such as `200 queued`.
    answers: BTreeMap<String, u64>,
    seconds: f64,
    #[serde(skip)]
    durations_ms: Vec<f64>,
    duration_ms: Quantiles,
    /// What to do about events that were not accepted, by response.
    next: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<DeliveryResult>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize)]
struct Quantiles {
    p50: f64,
    p99: f64,
    max: f64,
}

impl DeliverySummary {
    pub fn add(&mut self, response: &RelayResponse, args: &GlobalArgs) {
        let name = response.summary();
        self.sent += 1;
        self.spilled += u64::from(response.is_spilled());
        if response.is_success() {
            self.accepted += 1;
        } else {
            self.next.entry(name.clone()).or_insert_with(|| response.remediation(args));
        }
        if response.http_status.is_some() {
            self.durations_ms.push(response.duration_ms);
        }
        *self.answers.entry(name).or_default() += 1;
    }

    /// Prints the summary if it is `wanted`, and warns of spilled events.
    pub fn close(
        mut self,
        started: SystemTime,
        wanted: bool,
        context: &Context,
    ) -> Result<ExitStatus, Error> {
        let duration = (context.clock)().duration_since(started).unwrap_or_default();
        self.finish(duration, context.interrupt.is_pressed());
        if wanted {
            context.output.show(&self)?;
        }
        if self.spilled > 0 {
            context.output.warn(self.spill_warning(&context.args));
        }
        Ok(self.exit_status())
    }

    fn spill_warning(&self, args: &GlobalArgs) -> String {
        let unit = if self.spilled == 1 { "event was" } else { "events were" };
        let (doctor, replay) = (args.relayctl("doctor"), args.relayctl("replay-spill"));
        format!(
            "warning: {} {unit} spilled to the bucket, because the queue did not accept the message; {doctor} says why, and \
             then {replay} sends what was spilled",
            self.spilled
        )
    }

    fn finish(&mut self, duration: Duration, interrupted: bool) {
        self.interrupted = interrupted;
        self.seconds = duration.as_secs_f64();
        self.durations_ms.sort_by(f64::total_cmp);
        self.duration_ms = Quantiles {
            p50: quantile(&self.durations_ms, 0.50),
            p99: quantile(&self.durations_ms, 0.99),
            max: quantile(&self.durations_ms, 1.0),
        };
    }

    fn exit_status(&self) -> ExitStatus {
        if self.interrupted {
            ExitStatus::Interrupted
        } else if self.accepted < self.sent + self.not_sent {
            ExitStatus::Incomplete
        } else {
            ExitStatus::Success
        }
    }
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank is a small whole number"
    )]
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

impl fmt::Display for DeliverySummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sent         {:>8}", self.sent)?;
        for (answer, count) in &self.answers {
            writeln!(f, "  {answer:<20} {count:>8}")?;
            if let Some(next) = self.next.get(answer) {
                writeln!(f, "    {next}")?;
            }
        }
        if self.not_sent > 0 {
            writeln!(f, "not sent     {:>8}", self.not_sent)?;
        }
        if self.seconds > 0.0 && !self.durations_ms.is_empty() {
            let Quantiles { p50, p99, max } = self.duration_ms;
            writeln!(f, "response after {p50:.1} ms (p50), {p99:.1} ms (p99), {max:.1} ms (max)")?;
            #[expect(clippy::cast_precision_loss, reason = "nobody sends that many")]
            let rate = self.sent as f64 / self.seconds;
            writeln!(f, "{:.1} s, {rate:.1} events per second", self.seconds)?;
        }
        if self.interrupted {
            writeln!(f, "interrupted: what had begun is finished")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
