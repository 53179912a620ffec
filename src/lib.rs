//! Labelbox Relay catches Labelbox's webhooks in your own AWS account: it verifies each delivery, and puts the event
//! on the SQS queue of its entity.
//!
//! Read [`receive`] first, it is the whole job; then [`http`] for the way in, [`signature`], [`event`] and [`message`]
//! for the decisions, [`secrets`], [`deliver`], [`queue`] and [`bucket`] for the way out. `ARCHITECTURE.md` walks
//! through all of it.

pub mod bucket;
pub mod config;
pub mod deadlines;
pub mod deliver;
pub mod error;
pub mod event;
pub mod http;
pub mod message;
pub mod queue;
pub mod receive;
pub mod request_context;
pub mod secrets;
pub mod signature;
pub mod spill;
pub mod telemetry;
pub mod training;
