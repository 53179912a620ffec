//! How cost grows with size, as a picture.

use crate::figures::{Figure, Mode, Outcome, Spread};
use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;

const COLOURS: [RGBColor; 5] = [
    BLACK,
    RGBColor(0, 90, 200),
    RGBColor(200, 60, 20),
    RGBColor(0, 130, 70),
    RGBColor(140, 60, 160),
];

/// Draws CPU per event over body size, both on logarithmic scales: medians, and bars from quartile to quartile of the rounds.
pub(crate) fn draw(file: &Path, outcome: &Outcome) -> Result<()> {
    let area = SVGBackend::new(file, (860, 500)).into_drawing_area();
    area.fill(&WHITE)?;
    let sizes: Vec<f64> = outcome.bodies.iter().map(|(_, bytes)| *bytes as f64).collect();
    let mut chart = ChartBuilder::on(&area)
        .caption("CPU of a warm event by size of its body, after a rest", ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(
            (200f64..6_000_000f64).log_scale().with_key_points(sizes.clone()),
            (0.07f64..70f64).log_scale().with_key_points(vec![0.1, 1.0, 10.0]),
        )?;
    let name = |bytes: &f64| {
        let mut bodies = outcome.bodies.iter();
        bodies.find(|(_, known)| *known as f64 == *bytes).map_or("", |(name, _)| *name).to_owned()
    };
    chart
        .configure_mesh()
        .x_desc("body")
        .y_desc("CPU")
        .x_label_formatter(&name)
        .y_label_formatter(&|cpu| format!("{cpu} ms"))
        .draw()?;
    for (place, ((program, _), colour)) in outcome.programs.iter().zip(COLOURS).enumerate() {
        let points: Vec<(f64, Spread)> = sizes
            .iter()
            .enumerate()
            .filter(|(size, _)| !outcome.fails(*size, place))
            .map(|(size, bytes)| {
                let medians = outcome.medians(Figure::Cpu(size, Mode::Rested), place);
                (*bytes, Spread::of(&medians))
            })
            .collect();
        let line = points.iter().map(|(bytes, cpu)| (*bytes, cpu.median));
        chart.draw_series(LineSeries::new(line, colour.stroke_width(2)))?;
        chart.draw_series(points.iter().map(|(bytes, cpu)| {
            ErrorBar::new_vertical(*bytes, cpu.lower, cpu.median, cpu.upper, colour.filled(), 8)
        }))?;
        // At the left, where the lines are farthest from each other.
        if let Some((bytes, cpu)) = points.first() {
            let style = ("sans-serif", 14).into_font().color(&colour);
            let style = style.pos(Pos::new(HPos::Right, VPos::Center));
            let name = Text::new(program.clone(), (-10, 0), style);
            chart.draw_series([EmptyElement::at((*bytes, cpu.median)) + name])?;
        }
    }
    area.present().map_err(|error| anyhow!("{}: {error}", file.display()))
}
