//! Why Labelbox did not do what it was asked for, and what to do next.

/// The longest piece of an answer that is shown.
const MOST_SHOWN: usize = 300;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Fault {
    #[error(
        "no Labelbox API key is set; put one into LABELBOX_API_KEY, or into a file for --api-key-file (Labelbox makes \
         it under Workspace settings, API)"
    )]
    NoKey,
    #[error(
        "the Labelbox API key cannot be read: {0}; LABELBOX_API_KEY or --api-key-file must hold the key and nothing else"
    )]
    BadKey(String),
    #[error("{0} is no address to send an API key to; LABELBOX_API_URL has to begin with https://")]
    BadAddress(String),
    #[error("Labelbox does not know this API key; make a new one under Workspace settings, API")]
    KeyRefused,
    #[error("Labelbox does not allow this: {0}; ask for a key of a role that may manage webhooks")]
    NotAllowed(String),
    #[error(
        "Labelbox has no {0}, or not for this API key; see relayctl webhook list, or the project's address in Labelbox"
    )]
    NotFound(String),
    #[error("Labelbox has had too many requests: {0}; try again in a minute")]
    Limited(String),
    #[error("Labelbox refuses this as wrong: {0}")]
    Invalid(String),
    #[error("Labelbox could not do it: {0}; try again later")]
    Failed(String),
    #[error("what answered is not Labelbox's GraphQL API: {0}; is LABELBOX_API_URL right?")]
    Unreadable(String),
    #[error("Labelbox did not answer: {0}; check the network and LABELBOX_API_URL")]
    NoAnswer(String),
    #[error(
        "whether it was done is not known, because of this: {0}. See relayctl webhook list before you try again"
    )]
    Unsure(Box<Fault>),
}

impl Fault {
    /// Whether the same question may be answered in a moment.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Limited(_) | Self::Failed(_) | Self::NoAnswer(_))
    }

    /// What it comes to for a request that changes something: Labelbox may have got as far as doing it.
    pub fn of_change(self) -> Self {
        match self {
            Self::Failed(_) | Self::NoAnswer(_) | Self::Unreadable(_) => {
                Self::Unsure(Box::new(self))
            }
            fault => fault,
        }
    }

    /// What Labelbox said, without what nobody may read and without what makes a terminal do something.
    pub fn edit(self, edit: impl Fn(&str) -> String) -> Self {
        match self {
            Self::NotAllowed(said) => Self::NotAllowed(edit(&said)),
            Self::NotFound(said) => Self::NotFound(edit(&said)),
            Self::Limited(said) => Self::Limited(edit(&said)),
            Self::Invalid(said) => Self::Invalid(edit(&said)),
            Self::Failed(said) => Self::Failed(edit(&said)),
            Self::Unreadable(said) => Self::Unreadable(edit(&said)),
            Self::NoAnswer(said) => Self::NoAnswer(edit(&said)),
            Self::Unsure(fault) => Self::Unsure(Box::new(fault.edit(edit))),
            fault => fault,
        }
    }
}

/// A text from elsewhere, short and without control characters.
pub fn tame(text: &str) -> String {
    let printable = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    printable.take(MOST_SHOWN).collect()
}
