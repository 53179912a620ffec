//! A bar on standard error that shows how far a command is; nothing where that is no terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for `count` messages. It hides itself where standard error is not a terminal.
pub fn bar(label: &'static str, count: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:9} {wide_bar} {pos} of {len}, {eta} to go");
    let bar = ProgressBar::new(count).with_message(label);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
