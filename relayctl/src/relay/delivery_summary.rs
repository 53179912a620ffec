//! The account of what was sent: how many events were answered how, how fast, and what to do about the others.

use crate::error::ExitStatus;
use crate::relay::client::Answer;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// How many deliveries came to what.
#[derive(Debug, Default, Serialize)]
pub struct Deliveries {
    interrupted: bool,
    sent: u64,
    accepted: u64,
    /// By what the relay called it, or by status and error.
    answers: BTreeMap<String, u64>,
    seconds: f64,
    #[serde(skip)]
    durations_ms: Vec<f64>,
    duration_ms: Quantiles,
    /// What to do about those that were not accepted.
    next: BTreeMap<String, &'static str>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize)]
struct Quantiles {
    p50: f64,
    p99: f64,
    max: f64,
}

impl Deliveries {
    pub fn enter(&mut self, answer: &Answer) {
        let name = name(answer);
        self.sent += 1;
        if answer.is_success() {
            self.accepted += 1;
        } else {
            self.next.insert(name.clone(), next(answer));
        }
        if answer.http_status.is_some() {
            self.durations_ms.push(answer.duration_ms);
        }
        *self.answers.entry(name).or_default() += 1;
    }

    /// Ends the account after `took`.
    pub fn close(&mut self, took: Duration, interrupted: bool) {
        self.interrupted = interrupted;
        self.seconds = took.as_secs_f64();
        self.durations_ms.sort_by(f64::total_cmp);
        self.duration_ms = Quantiles {
            p50: quantile(&self.durations_ms, 0.50),
            p99: quantile(&self.durations_ms, 0.99),
            max: self.durations_ms.last().copied().unwrap_or_default(),
        };
    }

    pub fn exit_status(&self) -> ExitStatus {
        if self.interrupted {
            ExitStatus::Interrupted
        } else if self.accepted < self.sent {
            ExitStatus::Incomplete
        } else {
            ExitStatus::Success
        }
    }
}

/// The value that the share `of` of all are not above.
fn quantile(sorted: &[f64], of: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank is a small whole number"
    )]
    let rank = (sorted.len() as f64 * of).ceil() as usize;
    let value = sorted.get(rank.saturating_sub(1));
    value.copied().unwrap_or_default()
}

/// What came of a delivery, in a word or three.
pub fn name(answer: &Answer) -> String {
    let said = &answer.said;
    let word = [&said.status, &said.error, &said.message];
    let word = word.into_iter().flatten().next().cloned();
    match (answer.http_status, word) {
        (Some(status), Some(word)) => format!("{status} {word}"),
        (Some(status), None) => status.to_string(),
        (None, word) => word.unwrap_or_default(),
    }
}

/// What to do where a delivery was not accepted.
pub fn next(answer: &Answer) -> &'static str {
    match answer.http_status {
        None => "is the stack up, and the network? `relayctl doctor` looks",
        Some(400) => "the body cannot be sent as base64",
        Some(401) => "the relay has another secret; if it was changed, try again in 30 s",
        Some(403) => "this machine's address is not in AllowedSourceCidrs",
        Some(404) => {
            "the relay does not know this webhook; `relayctl secret show-names` lists those that it does"
        }
        Some(413) => "the gateway takes up to 10 MB, and Lambda 6 MB of event",
        Some(429) => "too much at once for ThrottleRate; send it with a lower --rate",
        Some(_) => "`relayctl doctor` says what is wrong, and the function's log why",
    }
}

impl fmt::Display for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sent         {:>8}", self.sent)?;
        for (answer, count) in &self.answers {
            writeln!(f, "  {answer:<20} {count:>8}")?;
            if let Some(next) = self.next.get(answer) {
                writeln!(f, "    {next}")?;
            }
        }
        if self.seconds > 0.0 && !self.durations_ms.is_empty() {
            let Quantiles { p50, p99, max } = self.duration_ms;
            writeln!(
                f,
                "answer after {p50:.1} ms (p50), {p99:.1} ms (p99), {max:.1} ms (longest)"
            )?;
            #[expect(clippy::cast_precision_loss, reason = "nobody sends that many")]
            writeln!(
                f,
                "{:.1} s, {:.1} events per second",
                self.seconds,
                self.sent as f64 / self.seconds
            )?;
        }
        if self.interrupted {
            writeln!(f, "interrupted: what was under way was finished")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
