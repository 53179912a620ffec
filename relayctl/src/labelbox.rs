//! Labelbox's GraphQL API, with the requests of Labelbox's Python SDK.

mod api_key;
mod client;
mod export;
mod query;
mod webhook;

pub use crate::error::LabelboxError;
pub use api_key::{ApiKey, is_public, parse_url};
pub use client::Labelbox;
pub use export::{Export, ExportStream};
pub use webhook::{Scope, TOPICS, Webhook};
