//! Signed requests to the relay, as Labelbox sends them.

pub mod client;
pub mod event_file;
pub mod sample_event;
pub mod summary;
