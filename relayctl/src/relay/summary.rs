//! What became of the events that a command has sent.

use super::client::{DeliveryResult, RelayResponse};
use crate::cli::GlobalArgs;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::summary::counted;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// How many events were sent, and with which responses.
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
    /// What to do about events that were not accepted, by response.
    next: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<DeliveryResult>,
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
        *self.answers.entry(name).or_default() += 1;
    }

    /// Prints the summary if it is `wanted`, and warns of spilled events.
    pub fn close(mut self, wanted: bool, context: &Context) -> Result<ExitStatus, Error> {
        self.interrupted = context.interrupt.is_pressed();
        if wanted {
            context.output.show(&self)?;
        }
        if self.spilled > 0 {
            context.output.warn(self.spill_warning(&context.args));
        }
        Ok(match self {
            Self { interrupted: true, .. } => ExitStatus::Interrupted,
            Self { accepted, sent, not_sent, .. } if accepted < sent + not_sent => {
                ExitStatus::Incomplete
            }
            _ => ExitStatus::Success,
        })
    }

    fn spill_warning(&self, args: &GlobalArgs) -> String {
        let events = counted(self.spilled, "event");
        let (doctor, replay) = (args.relayctl("doctor"), args.relayctl("replay-spill"));
        format!(
            "warning: {events} spilled to the bucket, because the queue did not accept the message; {doctor} says why, and \
             then {replay} sends what was spilled"
        )
    }
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
        if self.interrupted {
            writeln!(f, "interrupted: what had begun is finished")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
