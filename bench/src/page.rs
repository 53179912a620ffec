//! The figures as Markdown, between the marks of a page.

use crate::figures::{Entry, Outcome, Samples};
use anyhow::{Context, Result};
use std::fmt::Write;
use std::path::Path;

const BEGIN: &str = "<!-- figures: written by `make bench` -->\n";
const END: &str = "<!-- end of figures -->";

/// Puts the figures between the marks of the page.
pub(crate) fn write(page: &Path, section: &str) -> Result<()> {
    let text = std::fs::read_to_string(page)?;
    let (before, rest) = text.split_once(BEGIN).context("its first mark is missing")?;
    let (_, after) = rest.split_once(END).context("its second mark is missing")?;
    Ok(std::fs::write(page, format!("{before}{BEGIN}{section}{END}{after}"))?)
}

/// All figures of a run.
pub(crate) fn section(outcome: &Outcome) -> String {
    let mut page = Table::new(&["", "no-op", "relay", "ratio", "usual handler", "ratio"]);
    let small = |entry: &Entry, figure: fn(&Samples) -> f64| entry.small().map_or(f64::NAN, figure);
    page.compare(outcome, "cold start to first answer, ms", 1, |it| small(it, Samples::cold_start));
    page.compare(outcome, "its CPU, ms", 1, |it| small(it, Samples::cold_cpu));
    page.compare(outcome, "cold start with names to look up, ms", 1, |it| {
        small(it, Samples::cold_start_by_name)
    });
    page.compare(outcome, "2 KB, one right after the other: CPU, ms", 3, |it| {
        small(it, Samples::busy_cpu)
    });
    page.compare(outcome, "program, MB", 2, |it| it.program_bytes as f64 / 1e6);
    page.compare(outcome, "deployment package, MB", 2, |it| it.package_bytes as f64 / 1e6);
    page.compare(outcome, "instructions of a warm event, 2 KB, thousands", 0, |it| {
        it.instructions.map_or(f64::NAN, |count| count as f64 / 1000.0)
    });
    for (place, (name, bytes)) in outcome.bodies.iter().enumerate() {
        let of = |entry: &Entry, figure: &dyn Fn(&Samples) -> f64| {
            entry.samples.get(place).map_or(f64::NAN, figure)
        };
        page.compare(outcome, &format!("{name}: CPU of a warm event, p50, ms"), 3, |it| {
            of(it, &|it| it.cpu(0.5))
        });
        page.compare(outcome, &format!("{name}: CPU of a warm event, p99, ms"), 3, |it| {
            of(it, &|it| it.cpu(0.99))
        });
        page.compare(outcome, &format!("{name}: time to the answer, p50, ms"), 3, |it| {
            of(it, &|it| it.latency(0.5))
        });
        page.compare(outcome, &format!("{name}: time to the answer, p99, ms"), 3, |it| {
            of(it, &|it| it.latency(0.99))
        });
        page.compare(outcome, &format!("{name}: the services' share of it, p50, ms"), 3, |it| {
            of(it, &|it| {
                if it.services.is_empty() { f64::NAN } else { it.service(0.5) }
            })
        });
        page.compare(outcome, &format!("{name}: CPU per MB of body, ms"), 2, |it| {
            of(it, &|it| it.cpu(0.5) / (*bytes as f64 / 1e6))
        });
        page.compare(outcome, &format!("{name}: peak memory, MB"), 1, |it| of(it, &Samples::peak));
    }
    let mut targets = Table::new(&["target", "limit", "reached", ""]);
    for target in outcome.targets() {
        targets.row([
            target.what.to_owned(),
            format!("{:.1} {}", target.limit, target.unit),
            format!("{:.2}", target.reached),
            if target.is_met() { "met" } else { "**missed**" }.to_owned(),
        ]);
    }
    format!("\n{}\n{}\n", targets.0, page.0)
}

struct Table(String);

impl Table {
    fn new(names: &[&str]) -> Self {
        let mut table = Self(String::new());
        table.row(names);
        table.row(names.iter().map(|_| "---"));
        table
    }

    fn row(&mut self, cells: impl IntoIterator<Item = impl AsRef<str>>) {
        self.0.push('|');
        for cell in cells {
            // Writing to a String never fails.
            let _ = write!(self.0, " {} |", cell.as_ref());
        }
        self.0.push('\n');
    }

    /// A row with the figure of each program, and how it compares with the handler that does nothing.
    fn compare(
        &mut self,
        outcome: &Outcome,
        what: &str,
        digits: usize,
        figure: impl Fn(&Entry) -> f64,
    ) {
        let show = |value: f64| {
            if value.is_nan() { "–".to_owned() } else { format!("{value:.digits$}") }
        };
        let (noop, relay) = (figure(&outcome.noop), figure(&outcome.relay));
        let usual = outcome.usual.as_ref().map_or(f64::NAN, &figure);
        let ratio = |value: f64| {
            let ratio = value / noop;
            if ratio.is_nan() { "–".to_owned() } else { format!("{ratio:.2}") }
        };
        self.row([
            what.to_owned(),
            show(noop),
            show(relay),
            ratio(relay),
            show(usual),
            ratio(usual),
        ]);
    }
}
