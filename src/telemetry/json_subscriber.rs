//! Writes events of `tracing` as JSON objects, one a line.
//!
//! The function needs no spans, filters or layers. With `tracing-subscriber`, its share of a cold start and of a line is
//! three times as large.

use crate::event::timestamp;
use serde::ser::{SerializeMap, Serializer as _};
use serde_json::Serializer;
use std::io::Write;
use std::time::SystemTime;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_serde::SerdeMapVisitor;

/// The start of this crate's targets.
const CRATE: &str = env!("CARGO_CRATE_NAME");

/// The usual size of a line in bytes.
const LINE_CAPACITY: usize = 768;

/// Writes this crate's events from a level up, and errors of other crates: at lower levels, the runtime logs whole
/// invocations.
pub(super) struct JsonSubscriber<W> {
    pub(super) level: Level,
    pub(super) clock: fn() -> SystemTime,
    pub(super) output: W,
}

impl<W, O> Subscriber for JsonSubscriber<W>
where
    W: Fn() -> O + Send + Sync + 'static,
    O: Write,
{
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let path = metadata.target().strip_prefix(CRATE);
        let is_ours = path.is_some_and(|path| path.is_empty() || path.starts_with("::"));
        let level = if is_ours { self.level } else { Level::ERROR };
        metadata.is_event() && *metadata.level() <= level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.level))
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Vec::with_capacity(LINE_CAPACITY);
        let time = timestamp((self.clock)().into());
        // Serializing strings and numbers into memory does not fail.
        if write(&mut line, &time, event).is_ok() {
            line.push(b'\n');
            // There is no other place to report that the log cannot be written.
            let _ = (self.output)().write_all(&line);
        }
    }

    /// Spans are not enabled.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn write(line: &mut Vec<u8>, time: &str, event: &Event<'_>) -> serde_json::Result<()> {
    let mut json = Serializer::new(line);
    let mut map = json.serialize_map(None)?;
    map.serialize_entry("timestamp", time)?;
    map.serialize_entry("level", event.metadata().level().as_str())?;
    map.serialize_entry("target", event.metadata().target())?;
    let mut fields = SerdeMapVisitor::new(map);
    event.record(&mut fields);
    fields.finish()
}
