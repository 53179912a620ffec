//! The routes, with their methods and secrets.

use crate::secrets::SecretScope;

/// The longest webhook name, in bytes.
const MAX_WEBHOOK_BYTES: usize = 64;

/// Names that no webhook can have: `training` names the training routes' secret, and `backfill` is for messages that do not
/// come from a webhook.
const RESERVED_NAMES: [&str; 2] = ["training", "backfill"];

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `POST /webhooks/{webhook}`.
    Webhook(String),
    /// `GET /training/models`.
    Models,
    /// `POST /training/model_run`.
    ModelRun,
    /// `GET /health`, `HEAD /health`.
    Health,
}

impl Route {
    /// Returns the route of a path, if it has one.
    pub fn from_path(path: &str) -> Option<Self> {
        match path {
            "/health" => Some(Self::Health),
            "/training/models" => Some(Self::Models),
            "/training/model_run" => Some(Self::ModelRun),
            _ => path
                .strip_prefix("/webhooks/")
                .filter(|name| is_webhook_name(name))
                .map(|name| Self::Webhook(name.to_owned())),
        }
    }

    /// The value of the header `Allow`.
    pub fn allow_header(&self) -> &'static str {
        match self {
            Self::Webhook(_) | Self::ModelRun => "POST",
            Self::Models => "GET",
            Self::Health => "GET, HEAD",
        }
    }

    /// Whether it allows this method.
    pub fn allows(&self, method: &str) -> bool {
        self.allow_header().split(", ").any(|allowed| allowed == method)
    }

    /// Its name in log lines.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Models => "models",
            Self::ModelRun => "model_run",
            Self::Health => "health",
        }
    }

    /// The name of its webhook, if it has one.
    pub fn webhook(&self) -> Option<&str> {
        match self {
            Self::Webhook(name) => Some(name),
            Self::Models | Self::ModelRun | Self::Health => None,
        }
    }

    /// The secrets that sign its requests; `None` if they are not signed.
    pub fn secret_scope(&self) -> Option<SecretScope<'_>> {
        match self {
            Self::Webhook(name) => Some(SecretScope::Webhook(name)),
            Self::Models | Self::ModelRun => Some(SecretScope::Training),
            Self::Health => None,
        }
    }
}

fn is_webhook_name(name: &str) -> bool {
    !RESERVED_NAMES.contains(&name)
        && (1..=MAX_WEBHOOK_BYTES).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}
