//! Labelbox Relay receives Labelbox's webhooks in your own AWS account: it verifies each delivery, and sends the event to
//! the SQS queue of its entity.
//!
//! A request passes through [`http`], [`authenticate`], [`event`], [`message`] and [`deliver`], in this order; [`http`] calls
//! the others. `ARCHITECTURE.md` has the map.

pub mod archive;
pub mod authenticate;
pub mod bucket;
pub mod config;
pub mod deadlines;
pub mod deliver;
pub mod error;
pub mod event;
pub mod http;
pub mod message;
pub mod outcome;
pub mod queue;
pub mod report;
pub mod secrets;
pub mod signature;
pub mod spill;
pub mod telemetry;
pub mod training;
