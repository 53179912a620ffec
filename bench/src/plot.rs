//! How cost grows with size, as a picture.

use crate::figures::{Entry, Outcome};
use anyhow::{Result, anyhow};
use plotters::prelude::*;
use std::path::Path;

/// Draws CPU per event over body size, both on logarithmic scales.
pub(crate) fn draw(file: &Path, outcome: &Outcome) -> Result<()> {
    let area = SVGBackend::new(file, (800, 480)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("CPU of a warm event by size of its body", ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d((1_000f64..10_000_000f64).log_scale(), (0.05f64..200f64).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("bytes")
        .y_desc("CPU, ms")
        .light_line_style(WHITE)
        .x_label_formatter(&|bytes| format!("{bytes:.0}"))
        .y_label_formatter(&|cpu| format!("{cpu}"))
        .draw()?;
    let usual = outcome.usual.iter().map(|usual| (usual, &RED));
    let entries = [(&outcome.noop, &BLACK), (&outcome.relay, &BLUE)];
    for (entry, colour) in entries.into_iter().chain(usual) {
        let line = points(outcome, entry);
        chart
            .draw_series(LineSeries::new(line.clone(), colour.stroke_width(2)))?
            .label(entry.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        chart.draw_series(line.into_iter().map(|point| Circle::new(point, 4, colour.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE)
        .border_style(BLACK)
        .draw()?;
    area.present().map_err(|error| anyhow!("{}: {error}", file.display()))
}

fn points(outcome: &Outcome, entry: &Entry) -> Vec<(f64, f64)> {
    let sizes = outcome.bodies.iter().map(|(_, bytes)| *bytes as f64);
    sizes
        .zip(entry.samples.iter().map(|samples| samples.cpu(0.5)))
        .filter(|(_, cpu)| cpu.is_finite())
        .collect()
}
