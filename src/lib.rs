//! Labelbox Relay receives Labelbox's webhooks in your own AWS account: it verifies each delivery, and sends the event to
//! the SQS queue of its entity.
//!
//! A request passes through these modules, in this order: [`http`], [`authenticate`], [`event`], [`message`], [`deliver`];
//! [`receive`] connects the last four. `ARCHITECTURE.md` has the map.

pub mod authenticate;
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
pub mod report;
pub mod secrets;
pub mod signature;
pub mod spill;
pub mod telemetry;
pub mod training;
