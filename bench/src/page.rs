//! The figures as Markdown, between the marks of a page.

use crate::figures::{FLOOR, Figure, Mode, Outcome, RELAY, Spread};
use crate::services::Host;
use anyhow::{Context, Result};
use std::fmt::Write;
use std::path::Path;

const BEGIN: &str = "<!-- figures: written by `make bench` -->\n";
const END: &str = "<!-- end of figures -->";

/// The share of a virtual processor that a function of 128 MB has.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>.
const CPU_SHARE: f64 = 128.0 / 1769.0;
/// What services in the same region take to answer, which is not measured here.
const ASSUMED_WAIT_MS: f64 = 10.0;
/// For a millisecond of 128 MB and for a request, arm64 in us-east-1. Source: <https://aws.amazon.com/lambda/pricing/>.
const DOLLARS_PER_MILLISECOND: f64 = 0.125 * 0.000_013_333_4 / 1000.0;
const DOLLARS_PER_REQUEST: f64 = 0.000_000_2;

/// Puts the figures between the marks of the page.
pub(crate) fn write(page: &Path, section: &str) -> Result<()> {
    let text = std::fs::read_to_string(page)?;
    let (before, rest) = text.split_once(BEGIN).context("its first mark is missing")?;
    let (_, after) = rest.split_once(END).context("its second mark is missing")?;
    Ok(std::fs::write(page, format!("{before}{BEGIN}{section}{END}{after}"))?)
}

/// All figures of a run.
pub(crate) fn section(outcome: &Outcome) -> String {
    let ratios = compare(outcome, RELAY, "times the floor, with quartiles", |figure, place| {
        spread(&outcome.ratios(figure, place))
    });
    let medians = compare(outcome, FLOOR, "median, in ms or MB", |figure, place| {
        let at = |share| short(outcome.quantile(figure, place, share));
        match figure {
            Figure::Answer(_) => format!("{}, p99 {}", at(0.5), at(0.99)),
            _ => at(0.5),
        }
    });
    let tables = [targets(outcome), ratios, medians, bill(outcome)];
    format!("\n{}\n", tables.map(|table| table.0).join("\n"))
}

fn targets(outcome: &Outcome) -> Table {
    let mut table = Table::new(["the relay's", "limit", "reached", ""]);
    let mut row = |what: &str, limit: f64, unit: &str, reached: f64, shown: String| {
        let is_met = if reached <= limit { "met" } else { "**missed**" };
        table.row([what, &format!("{limit} {unit}"), &shown, is_met]);
    };
    let unit = "times the floor's";
    for (figure, limit) in [
        (Figure::Cpu(0, Mode::Rested), 1.35),
        (Figure::Cpu(0, Mode::Hot), 1.35),
        (Figure::ColdStart(Host::Address), 1.25),
        (Figure::ColdStart(Host::Name), 1.25),
        (Figure::Answer(0), 1.25),
        (Figure::Cpu(1, Mode::Rested), 1.25),
        (Figure::Cpu(2, Mode::Rested), 1.25),
        (Figure::Cpu(3, Mode::Rested), 1.25),
        (Figure::Peak(0), 1.4),
        (Figure::Peak(3), 1.1),
    ] {
        let ratios = outcome.ratios(figure, RELAY);
        row(&label(outcome, figure), limit, unit, Spread::of(&ratios).median, spread(&ratios));
    }
    let p99 = |place| outcome.quantile(Figure::Answer(0), place, 0.99);
    let p99 = p99(RELAY) / p99(FLOOR);
    row("time to the answer, 2 KB, p99", 1.5, unit, p99, format!("{p99:.2}"));
    if let Some((_, Some(sizes))) = outcome.programs.get(RELAY) {
        let megabytes = |bytes| bytes as f64 / 1e6;
        let (program, package) = (megabytes(sizes.program), megabytes(sizes.package));
        row("program", 3.9, "MB", program, format!("{program:.2}"));
        row("deployment package", 1.94, "MB", package, format!("{package:.2}"));
    }
    table
}

/// One row for each of the main figures, one column for each program from `first` on.
fn compare(
    outcome: &Outcome,
    first: usize,
    corner: &str,
    cell: impl Fn(Figure, usize) -> String,
) -> Table {
    let mut table = Table::new(header(outcome, first, corner));
    // As a function mostly runs: idle between events, with services that have names. Time and memory are shown for the
    // smallest and the largest body.
    let is_shown = |figure: &Figure| match figure {
        Figure::ColdStart(host) => *host == Host::Name,
        Figure::Cpu(_, mode) => *mode == Mode::Rested,
        Figure::Answer(size) | Figure::Peak(size) => [0, outcome.bodies.len() - 1].contains(size),
        Figure::ColdCpu(_) => false,
    };
    for figure in outcome.figures().into_iter().filter(is_shown) {
        let cells = (first..outcome.programs.len()).map(|place| match figure {
            Figure::Cpu(size, _) | Figure::Answer(size) | Figure::Peak(size)
                if outcome.fails(size, place) =>
            {
                "fails".to_owned()
            }
            _ => cell(figure, place),
        });
        table.row([label(outcome, figure)].into_iter().chain(cells));
    }
    table
}

/// What Lambda bills for an event and for a million of them.
fn bill(outcome: &Outcome) -> Table {
    let mut table = Table::new(header(outcome, FLOOR, "billed at 128 MB"));
    for (size, (name, _)) in outcome.bodies.iter().enumerate() {
        let cells = (0..outcome.programs.len()).map(|place| {
            if outcome.fails(size, place) {
                return "fails".to_owned();
            }
            let cpu = outcome.quantile(Figure::Cpu(size, Mode::Rested), place, 0.5);
            let billed = (cpu / CPU_SHARE).max(cpu + ASSUMED_WAIT_MS).ceil();
            let dollars = 1e6 * (billed * DOLLARS_PER_MILLISECOND + DOLLARS_PER_REQUEST);
            format!("{billed} ms, ${dollars:.2}")
        });
        table.row([format!("an event of {name}; a million")].into_iter().chain(cells));
    }
    table
}

fn header<'a>(
    outcome: &'a Outcome,
    first: usize,
    corner: &'a str,
) -> impl Iterator<Item = &'a str> {
    let names = outcome.programs.iter().map(|(name, _)| name.as_str());
    [corner].into_iter().chain(names.skip(first))
}

/// The median and both quartiles.
fn spread(ratios: &[f64]) -> String {
    let Spread { lower, median, upper } = Spread::of(ratios);
    format!("{median:.2} ({lower:.2}–{upper:.2})")
}

/// With three digits that count.
fn short(value: f64) -> String {
    let digits = (2.0 - value.log10().floor()).clamp(0.0, 3.0) as usize;
    format!("{value:.digits$}")
}

/// What a figure is called.
pub(crate) fn label(outcome: &Outcome, figure: Figure) -> String {
    let name = |size| outcome.bodies.get(size).map_or("", |(name, _)| *name);
    let where_to = |host| match host {
        Host::Address => "addresses",
        Host::Name => "names",
    };
    match figure {
        Figure::ColdStart(host) => format!("cold start to the first answer, {}", where_to(host)),
        Figure::ColdCpu(host) => format!("CPU of a cold start, {}", where_to(host)),
        Figure::Cpu(size, Mode::Rested) => format!("CPU of a warm event, {}, rested", name(size)),
        Figure::Cpu(size, Mode::Hot) => format!("CPU of a warm event, {}, hot", name(size)),
        Figure::Answer(size) => format!("time to the answer, {}", name(size)),
        Figure::Peak(size) => format!("peak memory, {}", name(size)),
    }
}

struct Table(String);

impl Table {
    fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<_> = names.into_iter().collect();
        let mut table = Self(String::new());
        table.row(&names);
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
}
