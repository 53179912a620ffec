//! The routes and their methods.

/// The longest webhook name, in bytes.
const MAX_WEBHOOK_BYTES: usize = 64;

/// Names that no webhook can have: `training` is the name of the training routes' secret, and the messages of `relayctl
/// backfill` have `backfill` as their webhook.
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
    pub fn of_path(path: &str) -> Option<Self> {
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

    /// The methods that it allows, as in the header `Allow`.
    pub fn allow(&self) -> &'static str {
        match self {
            Self::Webhook(_) | Self::ModelRun => "POST",
            Self::Models => "GET",
            Self::Health => "GET, HEAD",
        }
    }

    /// Whether it allows this method.
    pub fn allows(&self, method: &str) -> bool {
        self.allow().split(", ").any(|allowed| allowed == method)
    }
}

fn is_webhook_name(name: &str) -> bool {
    !RESERVED_NAMES.contains(&name)
        && (1..=MAX_WEBHOOK_BYTES).contains(&name.len())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}
