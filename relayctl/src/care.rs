//! How much a look at a queue may cost those who work on it.

use std::time::Duration;

/// What a message may be put through.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "What it may cost")]
pub struct Care {
    /// Longest time for which a look hides what it has received, while it reads on
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pub hold: Duration,
    /// Most receives that a message may cost; what has cost so many stays hidden until the tail ends
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub receives: u32,
    /// Longest time for which something stays hidden so; then the tail of its queue ends
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = humantime::parse_duration)]
    pub keep: Duration,
}
