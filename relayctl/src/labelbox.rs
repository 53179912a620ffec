//! Labelbox's GraphQL API, with the requests of Labelbox's Python SDK.

mod api_key;
mod client;
mod error;
mod export;
mod query;
mod webhook;

pub use api_key::{ApiKey, is_local, parse_url};
pub use client::Labelbox;
pub use error::LabelboxError;
pub use export::{Export, ExportStream};
pub use webhook::{Scope, TOPICS, Webhook};
