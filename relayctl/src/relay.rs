//! Signed requests to the relay, as Labelbox sends them.

pub mod client;
pub mod event_file;
pub mod sample_event;
pub mod summary;

/// The topic of the doctor's probe. Labelbox has no such topic, so the relay sends it to the Unrouted queue.
pub const PROBE_TOPIC: &str = "RELAYCTL_PROBE";
