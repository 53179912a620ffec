//! Why the stack's secret was not edited, and what to do next. Nothing was changed then.

use crate::cli::{GlobalArgs, quote};

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum EditError {
    #[error(
        "{0} cannot be the name of a webhook: that is 1 to 64 of a to z, 0 to 9 and -, and neither training nor backfill"
    )]
    InvalidName(String),
    #[error("{0} has a secret")]
    Exists(String),
    /// `can_add` if the edit would have given the name a secret.
    #[error("the secret has no name {name}; it has {known}")]
    UnknownName { name: String, known: String, can_add: bool },
    #[error("say which name: the secret has {0}")]
    NoName(String),
    #[error("the secret is plain text, which every name shares; there is no name to remove")]
    PlainText,
    #[error("--keep is for a secret that is plain text; this one has the names {0}")]
    NothingToKeep(String),
    #[error("{0} has this secret already")]
    Same(String),
    #[error("{0} has no usable secret")]
    NoUsableSecret(String),
    #[error("{0}, so the function cannot use the secret")]
    Unusable(String),
    #[error("the secret would be larger than the 65,536 bytes that Secrets Manager keeps")]
    TooLarge,
    #[error("the function could not use what was about to be written: {0}")]
    Unwritable(String),
}

impl EditError {
    /// Whether the command needs other arguments.
    pub fn is_usage(&self) -> bool {
        use EditError::{NoUsableSecret, TooLarge, Unusable, Unwritable};
        !matches!(self, NoUsableSecret(_) | Unusable(_) | TooLarge | Unwritable(_))
    }

    /// What the user can do.
    pub fn remediation(&self, args: &GlobalArgs) -> Option<String> {
        let command =
            |verb: &str, name: &str| Some(args.relayctl(&format!("secret {verb} {}", quote(name))));
        match self {
            Self::Exists(name) => command("rotate", name),
            Self::UnknownName { name, can_add: true, .. } | Self::NoUsableSecret(name) => {
                command("add", name)
            }
            Self::Unusable(_) => {
                let replace = args.relayctl("secret add NAME --replace-broken");
                Some(format!("repair it in Secrets Manager, or replace it: {replace}"))
            }
            Self::TooLarge => Some(format!(
                "remove what is not in use: {}",
                args.relayctl("secret remove NAME --old")
            )),
            _ => None,
        }
    }
}
