//! Compares the metrics with the table in `docs/configuration.md`.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use std::path::Path;

/// The name, unit and dimension in each row of the table in the document.
fn documented() -> Vec<[String; 3]> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, rows) = page.split_once("| metric | unit | by |").unwrap();
    let row = |row: &str| -> [String; 3] {
        let cells = row.trim_matches('|').split('|');
        let cells: Vec<_> = cells.map(|cell| cell.trim().replace('`', "")).collect();
        cells.get(..3).unwrap().to_vec().try_into().unwrap()
    };
    let rows = rows.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(row).collect()
}

#[test]
fn document_lists_exactly_the_metrics() {
    let defined = Metric::ALL.map(|metric| {
        let dimension = metric.dimension.map_or("", Dimension::name);
        [metric.name, metric.unit.name(), dimension].map(str::to_owned)
    });
    assert_eq!(documented(), defined);
}
