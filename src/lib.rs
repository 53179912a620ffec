//! Labelbox Relay catches Labelbox's webhooks in your own AWS account: it verifies each delivery, and puts the event
//! on the SQS queue of its entity.
//!
//! Read [`receive`] first, it is the whole job; then [`http`] for the way in, [`signature`], [`event`] and [`message`]
//! for the decisions, [`secrets`] and [`queue`] for the way out. `ARCHITECTURE.md` walks through all of it.

pub mod aws;
pub mod config;
pub mod deliver;
pub mod error;
pub mod event;
pub mod http;
pub mod message;
pub mod queue;
pub mod receive;
pub mod secret;
pub mod secrets;
pub mod signature;
pub mod telemetry;
pub mod training;
