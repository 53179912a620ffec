//! A bar on standard error that shows how far a command is; nothing where that is no terminal.

use indicatif::{ProgressBar, ProgressStyle};

const TEMPLATE: &str = "{msg:9} {wide_bar} {pos} of {len}, {eta} to go";

/// A bar for `count` messages. It hides itself where standard error is not a terminal.
pub fn bar(label: &'static str, count: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(TEMPLATE);
    let bar = ProgressBar::new(count).with_message(label);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_one() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
