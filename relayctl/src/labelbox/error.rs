//! Why a request to Labelbox failed, and what to do next.

use crate::cli::GlobalArgs;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LabelboxError {
    #[error("no Labelbox API key is set")]
    NoKey,
    #[error("the Labelbox API key cannot be read: {0}")]
    BadKey(String),
    #[error("an API key is not sent to {0}")]
    BadAddress(String),
    #[error("Labelbox does not accept this API key")]
    KeyRefused,
    #[error("Labelbox does not allow this: {0}")]
    NotAllowed(String),
    #[error("Labelbox has no {0}, or not for this API key")]
    NotFound(String),
    #[error("Labelbox limits the requests: {0}")]
    Limited(String),
    #[error("Labelbox rejects the request: {0}")]
    Invalid(String),
    #[error("Labelbox failed: {0}")]
    Failed(String),
    #[error("the response is not one of Labelbox's GraphQL API: {0}")]
    Unreadable(String),
    #[error("no response from Labelbox: {0}")]
    NoResponse(String),
    #[error("Labelbox did not export the project: {0}")]
    ExportFailed(String),
    #[error("it is not known whether the change was made: {0}")]
    Unsure(Box<LabelboxError>),
}

impl LabelboxError {
    /// Whether the same query may succeed in a moment.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Limited(_) | Self::Failed(_) | Self::NoResponse(_))
    }

    /// The error of a mutation: Labelbox may have made the change all the same.
    pub fn of_mutation(self) -> Self {
        match self {
            Self::Failed(_) | Self::NoResponse(_) | Self::Unreadable(_) => {
                Self::Unsure(Box::new(self))
            }
            error => error,
        }
    }

    /// What the user can do.
    pub fn remediation(&self, args: &GlobalArgs) -> Option<String> {
        let list = || args.relayctl("webhook list");
        let text = match self {
            Self::NoKey => {
                "put one into LABELBOX_API_KEY, or into a file for --api-key-file (Labelbox makes it under Workspace settings, API)"
            }
            Self::BadKey(_) => {
                "LABELBOX_API_KEY or --api-key-file must hold the key and nothing else"
            }
            Self::BadAddress(_) => "LABELBOX_API_URL has to begin with https://",
            Self::KeyRefused => "make a new one under Workspace settings, API",
            Self::NotAllowed(_) => "ask for a key of a role that may do this",
            Self::NotFound(_) => {
                return Some(format!("see {}, or the project's URL in Labelbox", list()));
            }
            Self::Limited(_) => "try again in a minute",
            Self::Invalid(_) => return None,
            Self::Failed(_) | Self::ExportFailed(_) => "try again later",
            Self::Unreadable(_) => "check LABELBOX_API_URL",
            Self::NoResponse(_) => "check the network and LABELBOX_API_URL",
            Self::Unsure(_) => return Some(format!("see {} before you try again", list())),
        };
        Some(text.to_owned())
    }
}
