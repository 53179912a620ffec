//! The table of metrics beside the document that has it, too.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use std::path::Path;

/// The first three columns of each row of the document's table: name, unit, dimension.
fn documented() -> Vec<[String; 3]> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/observability.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, rows) = page.split_once("| metric | unit | by |").unwrap();
    let row = |row: &str| -> [String; 3] {
        let cells = row.trim_matches('|').split('|');
        let cells: Vec<_> = cells.map(|cell| cell.trim().replace('`', "")).collect();
        cells.get(..3).unwrap().to_vec().try_into().unwrap()
    };
    let rows = rows
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.map(row).collect()
}

#[test]
fn the_document_has_every_metric_and_no_other() {
    let defined = Metric::ALL.map(|metric| {
        let dimension = metric.dimension.map_or("", Dimension::name);
        [metric.name, metric.unit.name(), dimension].map(str::to_owned)
    });
    assert_eq!(documented(), defined);
}
