//! Log lines: events of `tracing` as JSON objects, a line each.
//!
//! `tracing-subscriber` would keep spans, filters and layers for a hundred uses; this is one, at a third of the cost of a
//! line and of its share of a cold start.

use crate::event::timestamp;
use serde::ser::{SerializeMap, Serializer as _};
use serde_json::Serializer;
use std::fmt::{self, Debug};
use std::io::Write;
use std::time::SystemTime;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// About what a line takes, in bytes.
const USUAL_LINE: usize = 768;

/// Writes the lines that are wanted.
pub(super) struct JsonSubscriber<W> {
    pub(super) is_wanted: fn(&Metadata<'_>, Level) -> bool,
    /// The least important level that is logged.
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
        metadata.is_event() && (self.is_wanted)(metadata, self.level)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.level.max(Level::WARN)))
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Vec::with_capacity(USUAL_LINE);
        let time = timestamp((self.clock)().into());
        // Strings and numbers can always be written to memory.
        if write(&mut line, &time, event).is_ok() {
            line.push(b'\n');
            // Where a log cannot be written, there is nowhere to say so.
            let _ = (self.output)().write_all(&line);
        }
    }

    /// No span is ever entered: none is enabled.
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
    let mut fields = Fields {
        map: json.serialize_map(None)?,
        outcome: Ok(()),
    };
    fields.add("timestamp", time);
    fields.add("level", event.metadata().level().as_str());
    event.record(&mut fields);
    fields.add("target", event.metadata().target());
    fields.outcome?;
    fields.map.end()
}

struct Fields<M: SerializeMap> {
    map: M,
    outcome: Result<(), M::Error>,
}

impl<M: SerializeMap> Fields<M> {
    fn add(&mut self, name: &str, value: impl serde::Serialize) {
        if self.outcome.is_ok() {
            self.outcome = self.map.serialize_entry(name, &value);
        }
    }
}

impl<M: SerializeMap> Visit for Fields<M> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field.name(), AsText(value));
    }
}

/// What a value prints, as a text.
struct AsText<'a>(&'a dyn Debug);

impl fmt::Display for AsText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl serde::Serialize for AsText<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
