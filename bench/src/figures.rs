//! What was measured, what it comes to, and what it should have come to.

use crate::function::Program;
use anyhow::Result;
use std::time::Duration;

/// All that was measured of one program with bodies of one size.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    /// From the program's start to its first answer.
    pub(crate) cold_starts: Vec<Duration>,
    /// The same, where the names of the services have to be looked up.
    pub(crate) cold_starts_by_name: Vec<Duration>,
    /// CPU time until the program was idle again after its first answer.
    pub(crate) cold_cpu: Vec<Duration>,
    /// CPU time of one event, from idle to idle.
    pub(crate) cpu: Vec<Duration>,
    /// The same, where one event comes right after the other.
    pub(crate) busy_cpu: Vec<Duration>,
    /// From handing over an event to its answer.
    pub(crate) latencies: Vec<Duration>,
    /// Peak memory of each process, in bytes.
    pub(crate) peaks: Vec<usize>,
    /// What each request to a service took there.
    pub(crate) services: Vec<Duration>,
    /// Whether the program could not do it.
    pub(crate) has_failed: bool,
}

/// A program and all that is known of it.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) program_bytes: usize,
    pub(crate) package_bytes: usize,
    /// Instructions of one warm event with the smallest body.
    pub(crate) instructions: Option<u64>,
    /// By size of body, the smallest first.
    pub(crate) samples: Vec<Samples>,
}

/// The result of a run.
pub(crate) struct Outcome {
    /// Name and bytes of each body.
    pub(crate) bodies: Vec<(&'static str, usize)>,
    pub(crate) noop: Entry,
    pub(crate) relay: Entry,
    pub(crate) usual: Option<Entry>,
}

/// Something that the relay should reach.
pub(crate) struct Target {
    pub(crate) what: &'static str,
    pub(crate) limit: f64,
    pub(crate) reached: f64,
    pub(crate) unit: &'static str,
}

impl Target {
    pub(crate) fn is_met(&self) -> bool {
        self.reached <= self.limit
    }
}

/// The value in the middle; of nothing, not a number.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    quantile(values, 0.5)
}

/// The smallest value that is not below this share of all values.
pub(crate) fn quantile(values: impl IntoIterator<Item = f64>, share: f64) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    let place = (share * values.len() as f64).ceil() as usize;
    let found = values.get(place.saturating_sub(1));
    found.copied().unwrap_or(f64::NAN)
}

/// Durations in milliseconds.
pub(crate) fn milliseconds(durations: &[Duration]) -> impl Iterator<Item = f64> {
    durations.iter().map(|it| it.as_secs_f64() * 1000.0)
}

impl Samples {
    pub(crate) fn cold_start(&self) -> f64 {
        median(milliseconds(&self.cold_starts))
    }

    pub(crate) fn cold_start_by_name(&self) -> f64 {
        median(milliseconds(&self.cold_starts_by_name))
    }

    pub(crate) fn busy_cpu(&self) -> f64 {
        median(milliseconds(&self.busy_cpu))
    }

    pub(crate) fn cold_cpu(&self) -> f64 {
        median(milliseconds(&self.cold_cpu))
    }

    pub(crate) fn cpu(&self, share: f64) -> f64 {
        quantile(milliseconds(&self.cpu), share)
    }

    pub(crate) fn latency(&self, share: f64) -> f64 {
        quantile(milliseconds(&self.latencies), share)
    }

    pub(crate) fn service(&self, share: f64) -> f64 {
        quantile(milliseconds(&self.services), share)
    }

    /// In megabytes.
    pub(crate) fn peak(&self) -> f64 {
        median(self.peaks.iter().map(|bytes| *bytes as f64 / 1e6))
    }
}

impl Entry {
    /// Nothing is known yet but the sizes.
    pub(crate) fn new(program: &Program, body_sizes: usize) -> Result<Self> {
        let (program_bytes, package_bytes) = program.sizes()?;
        let mut samples = Vec::new();
        samples.resize_with(body_sizes, Samples::default);
        Ok(Self { name: program.name, program_bytes, package_bytes, instructions: None, samples })
    }

    pub(crate) fn small(&self) -> Option<&Samples> {
        self.samples.first()
    }

    pub(crate) fn large(&self) -> Option<&Samples> {
        self.samples.last()
    }
}

impl Outcome {
    /// What the relay should reach beside the handler that does nothing.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let (relay, noop) = (&self.relay, &self.noop);
        let (Some(small), Some(nothing), Some(large), Some(nothing_large)) =
            (relay.small(), noop.small(), relay.large(), noop.large())
        else {
            return Vec::new();
        };
        let per_byte = |place: usize| {
            let bytes = self.bodies.get(place).map_or(f64::NAN, |(_, bytes)| *bytes as f64);
            relay.samples.get(place).map_or(f64::NAN, |samples| samples.cpu(0.5)) / bytes
        };
        let last = self.bodies.len().saturating_sub(1);
        let target = |what, reached, limit, unit| Target { what, limit, reached, unit };
        vec![
            target(
                "cold start to first answer",
                small.cold_start() / nothing.cold_start(),
                2.0,
                "times the no-op's",
            ),
            target(
                "CPU of a warm event, 2 KB",
                small.cpu(0.5) / nothing.cpu(0.5),
                2.0,
                "times the no-op's",
            ),
            target(
                "p99 of a warm event, less the services' own median",
                (small.latency(0.99) - small.service(0.5)) / nothing.latency(0.5),
                3.0,
                "times the no-op's p50",
            ),
            target("peak memory, 2 KB", small.peak() / nothing.peak(), 2.0, "times the no-op's"),
            target(
                "peak memory, 4.3 MB",
                large.peak() / nothing_large.peak(),
                1.5,
                "times the no-op's",
            ),
            target(
                "CPU of a warm event, 4.3 MB",
                large.cpu(0.5) / nothing_large.cpu(0.5),
                2.0,
                "times the no-op's",
            ),
            target(
                "CPU per byte, 4.3 MB",
                per_byte(last) / per_byte(last.saturating_sub(1)),
                1.2,
                "times that at 900 KB",
            ),
            target("program", relay.program_bytes as f64 / 1e6, 5.0, "MB"),
            target("deployment package", relay.package_bytes as f64 / 1e6, 2.5, "MB"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values = || (1..=100).rev().map(f64::from);
        assert_eq!(quantile(values(), 0.5), 50.0);
        assert_eq!(quantile(values(), 0.99), 99.0);
        assert_eq!(quantile([7.0], 0.99), 7.0);
        assert!(median([]).is_nan());
    }

    #[test]
    fn what_could_not_be_measured_meets_no_target() {
        let target = Target { what: "", limit: 2.0, reached: median([]), unit: "" };
        assert!(!target.is_met());
    }
}
