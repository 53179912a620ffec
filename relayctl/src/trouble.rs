//! Why a command could not do its work, and what to do next.

use crate::ending::{INCOMPLETE, TROUBLE, WRONG_USAGE};
use crate::webhook::Fault;
use std::io;

#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("no AWS region is set; give --region, or set AWS_REGION, or a region in your profile")]
    NoRegion,
    #[error(
        "no usable AWS credentials: {0}; sign in (aws sso login, aws configure) or give --profile"
    )]
    NoCredentials(String),
    #[error(
        "AWS did not answer {action}: {said}; check the network, the region and AWS_ENDPOINT_URL"
    )]
    NoAnswer { action: &'static str, said: String },
    #[error(
        "AWS does not allow {action}: {said}; ask for this permission, or give another --profile"
    )]
    NotAllowed { action: &'static str, said: String },
    #[error("AWS could not do {action}: {said}; try again, and see whether the stack is whole")]
    Failed { action: &'static str, said: String },
    #[error(
        "there is no stack {name} in {region}; name yours with --stack or RELAY_STACK, its region with --region"
    )]
    NoStack { name: String, region: String },
    #[error("the stack {stack} has no output {output}; is it a Labelbox Relay, and up to date?")]
    NoOutput { stack: String, output: String },
    #[error("{file} cannot be sent: {said}")]
    NoFile { file: String, said: String },
    #[error("there is no such event: {said}; see relayctl trigger --help")]
    NoSample { said: String },
    #[error(
        "the stack has no usable secret for {0}; relayctl secret show-names lists what is there"
    )]
    NoSecret(String),
    #[error("{url} did not answer: {said}; check the network, and whether the stack is whole")]
    NoAnswerAt { url: String, said: String },
    #[error("no HTTPS client can be had: {0}; are the system's root certificates installed?")]
    NoHttp(String),
    #[error("the account could not be printed: {0}; repeat the command")]
    NoAccount(io::Error),
    #[error("{0}")]
    Labelbox(#[from] Fault),
    /// It would harm, or somebody else was quicker. Nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// It has to be asked for in other words, or by somebody who can be asked. Nothing was changed.
    #[error("{0}")]
    NotAskedFor(String),
    #[error("it could not be printed: {0}")]
    NotPrinted(io::Error),
}

impl Trouble {
    /// Whether nobody reads any more what we print, as in `relayctl tail | head`: there is nothing to say to them.
    pub fn is_unread(&self) -> bool {
        matches!(self, Self::NotPrinted(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The exit status that says it.
    pub fn status(&self) -> u8 {
        match self {
            Self::Refused(_) => INCOMPLETE,
            Self::NotAskedFor(_) => WRONG_USAGE,
            _ => TROUBLE,
        }
    }

    /// Whether nothing else at AWS can be had either.
    pub fn is_of_all(&self) -> bool {
        matches!(self, Self::NoCredentials(_) | Self::NoAnswer { .. })
    }

    /// What the user reads: one line, whatever AWS wrote.
    pub fn line(&self) -> String {
        let text = self.to_string();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}
