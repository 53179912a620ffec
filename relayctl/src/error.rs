//! Why a command failed, what the user can do about it, and the exit status.

use crate::cli::GlobalArgs;
use crate::sanitize::one_line;
use std::borrow::Cow;
use std::fmt;
use std::io;

/// How a command ended that could do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// Everything is done, or healthy.
    Success,
    /// Something was not done, or is not healthy; the output names it.
    Incomplete,
    /// Ctrl-C; what had begun is finished.
    Interrupted,
}

/// Something was not done, or is not healthy.
pub const INCOMPLETE: u8 = 1;
/// Wrong usage; clap uses the same status.
pub const USAGE: u8 = 2;
/// The command could not do its work.
pub const FAILURE: u8 = 3;
/// What shells report for a process that SIGINT has ended: 128 and the signal's number.
pub const INTERRUPTED: u8 = 130;

impl ExitStatus {
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Incomplete => INCOMPLETE,
            Self::Interrupted => INTERRUPTED,
        }
    }
}

/// A call to AWS that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsError {
    /// The IAM action, such as `sqs:SendMessage`.
    pub action: &'static str,
    pub kind: AwsErrorKind,
    /// The service's error code; `None` if there was no response.
    pub code: Option<String>,
    /// The service's message, or the causes of a failure before there was a response.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AwsErrorKind {
    /// There are no credentials, or AWS does not accept them.
    Credentials,
    AccessDenied,
    /// The resource does not exist.
    NotFound,
    NoResponse,
    Other,
}

impl AwsError {
    /// Code and message, without the action.
    pub fn reason(&self) -> Cow<'_, str> {
        match &self.code {
            Some(code) if self.message.is_empty() => code.into(),
            Some(code) => format!("{code}: {}", self.message).into(),
            None => self.message.as_str().into(),
        }
    }
}

impl std::error::Error for AwsError {}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, kind, .. } = self;
        let reason = self.reason();
        match kind {
            AwsErrorKind::Credentials => write!(f, "no usable AWS credentials: {reason}"),
            AwsErrorKind::AccessDenied => write!(f, "AWS does not allow {action}: {reason}"),
            AwsErrorKind::NoResponse => write!(f, "no response from AWS to {action}: {reason}"),
            AwsErrorKind::NotFound | AwsErrorKind::Other => write!(f, "{action} failed: {reason}"),
        }
    }
}

/// A request to Labelbox that failed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LabelboxError {
    #[error(
        "no Labelbox API key is set; put one into LABELBOX_API_KEY, or into a file for --api-key-file (Labelbox makes it \
         under Workspace settings, API)"
    )]
    NoKey,
    #[error(
        "the Labelbox API key cannot be read: {0}; LABELBOX_API_KEY or --api-key-file must hold the key and nothing else"
    )]
    BadKey(String),
    #[error(
        "an API key is not sent to {0}; LABELBOX_API_URL or --api-url has to be an https URL, such as \
         https://api.labelbox.com/graphql"
    )]
    BadAddress(String),
    #[error("Labelbox does not accept this API key; make a new one under Workspace settings, API")]
    KeyRefused,
    #[error("Labelbox does not allow this: {0}; ask for a key of a role that may do this")]
    NotAllowed(String),
    #[error("Labelbox has no {0}, or not for this API key")]
    NotFound(String),
    #[error("Labelbox limits the requests: {0}; try again in a minute")]
    Limited(String),
    #[error("Labelbox rejects the request: {0}")]
    Invalid(String),
    #[error("Labelbox failed: {0}")]
    Failed(String),
    #[error("the response is not one of Labelbox's GraphQL API: {0}")]
    Unreadable(String),
    #[error("no response from Labelbox: {0}")]
    NoResponse(String),
    #[error("Labelbox did not export the project: {0}; try again later")]
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

    /// What the user can do, if the message does not say it.
    pub fn remediation(&self, args: &GlobalArgs) -> Option<String> {
        let list = || args.relayctl("webhook list");
        let text = match self {
            Self::NotFound(_) => {
                format!("{} shows the webhooks; a project's id is in its URL in Labelbox", list())
            }
            Self::Failed(_) => "try again later".to_owned(),
            Self::Unreadable(_) => "check LABELBOX_API_URL".to_owned(),
            Self::NoResponse(_) => "check the network and LABELBOX_API_URL".to_owned(),
            Self::Unsure(_) => format!("see {} before you try again", list()),
            _ => return None,
        };
        Some(text)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command could not do its work, for a reason that the user can remove.
    #[error("{0}")]
    Setup(String),
    #[error("{0}")]
    Aws(#[from] AwsError),
    #[error("the stack {stack} has no output {output}; is it a Labelbox Relay, and up to date?")]
    NoOutput { stack: String, output: String },
    #[error("{file} cannot be used: {reason}")]
    File { file: String, reason: String },
    #[error("no response from {url}: {reason}")]
    NoResponse { url: String, reason: String },
    #[error(
        "the HTTPS client cannot be set up: {0}; are the system's root certificates installed?"
    )]
    HttpClient(String),
    #[error("{0}")]
    Labelbox(#[from] LabelboxError),
    /// The secret cannot be used, or not be changed in this way. Nothing was changed.
    #[error("{message}")]
    Secret {
        message: String,
        code: u8,
        /// Words of a command of this tool that helps.
        command: String,
    },
    /// The user said no, or pressed Ctrl-C.
    #[error("nothing was changed")]
    Cancelled(ExitStatus),
    /// It would do harm, or somebody else was faster. Nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// The command needs other arguments, or a terminal to ask on. Nothing was changed.
    #[error("{0}")]
    Usage(String),
    #[error(
        "the progress of the replay cannot be kept in {path}: {error}; make room there, or set XDG_STATE_HOME to another \
         folder"
    )]
    Checkpoint { path: String, error: io::Error },
    /// Usually a full disk.
    #[error(
        "the export cannot be kept in a temporary file: {0}; free some space, or set TMPDIR to where there is more"
    )]
    TemporaryFile(io::Error),
    #[error("the summary cannot be printed: {0}; repeat the command")]
    Summary(io::Error),
    #[error("the output cannot be written: {0}")]
    Output(io::Error),
}

impl Error {
    /// Whether the reader of our output is gone, as in `relayctl tail | head`.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Whether AWS says that the resource does not exist.
    pub fn is_not_found(&self) -> bool {
        self.aws_kind() == Some(AwsErrorKind::NotFound)
    }

    /// Whether no other call to AWS would succeed either.
    pub fn is_global(&self) -> bool {
        let kind = self.aws_kind();
        matches!(kind, Some(AwsErrorKind::Credentials | AwsErrorKind::NoResponse))
    }

    pub fn aws_kind(&self) -> Option<AwsErrorKind> {
        match self {
            Self::Aws(error) => Some(error.kind),
            _ => None,
        }
    }

    pub fn code(&self) -> u8 {
        match self {
            Self::Refused(_) => INCOMPLETE,
            Self::Usage(_) => USAGE,
            Self::Secret { code, .. } => *code,
            Self::Cancelled(status) => status.code(),
            _ => FAILURE,
        }
    }

    /// What the user can do, if the message does not say it: often a command for the same profile, region and stack.
    pub fn remediation(&self, args: &GlobalArgs) -> Option<String> {
        let doctor = || format!("{} checks the stack", args.relayctl("doctor"));
        let text = match self {
            Self::Aws(error) => match error.kind {
                AwsErrorKind::Credentials => {
                    "sign in (aws sso login, aws configure) or give --profile".into()
                }
                AwsErrorKind::AccessDenied => {
                    "ask for this permission, or give another --profile".into()
                }
                AwsErrorKind::NoResponse => {
                    "check the network, the region and AWS_ENDPOINT_URL".into()
                }
                AwsErrorKind::NotFound | AwsErrorKind::Other => doctor(),
            },
            Self::NoResponse { .. } => format!("check the network; {}", doctor()),
            Self::Labelbox(error) => return error.remediation(args),
            Self::Secret { command, .. } => args.relayctl(command),
            _ => return None,
        };
        Some(text)
    }

    /// Message and remediation on one line.
    pub fn line(&self, args: &GlobalArgs) -> String {
        match self.remediation(args) {
            Some(remediation) => one_line(&format!("{self}; {remediation}")),
            None => one_line(&self.to_string()),
        }
    }
}
