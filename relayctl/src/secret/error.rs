//! Why the stack's secret was not edited, and what to do next. Nothing was changed then.

use crate::cli::{GlobalArgs, quote};

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("{message}")]
pub struct EditError {
    message: String,
    /// Whether the command needs other arguments.
    pub is_usage: bool,
    /// What the user can do: words of a command of this tool.
    next: Option<String>,
}

impl EditError {
    /// The command needs other arguments.
    pub fn usage(message: String) -> Self {
        Self { message, is_usage: true, next: None }
    }

    /// The edit, or the secret itself, would be of no use.
    pub fn refused(message: String) -> Self {
        Self { is_usage: false, ..Self::usage(message) }
    }

    pub fn unusable(message: &str) -> Self {
        let error = Self::refused(format!("{message}, so the function cannot use the secret"));
        error.with_next("secret add NAME --replace-broken".to_owned())
    }

    pub fn no_usable_secret(name: &str) -> Self {
        let error = Self::refused(format!("{name} has no usable secret"));
        error.with_next(format!("secret add {}", quote(name)))
    }

    pub fn with_next(self, words: String) -> Self {
        Self { next: Some(words), ..self }
    }

    pub fn remediation(&self, args: &GlobalArgs) -> Option<String> {
        Some(args.relayctl(self.next.as_ref()?))
    }
}
