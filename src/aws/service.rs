//! One service of AWS: each request is signed, sent, and tried again where that can help.
//!
//! The SDK's clients do this, too, for any service and any wish: half of the CPU time of an event went into that. So the
//! SDK writes our requests and reads the answers (see [`super::operation`]), and what is between is here.

use super::places::Address;
use super::signer::Signer;
use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::retry::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// The limits of one attempt; `schedule.rs` has those of a whole step. Attempts that hang must leave time for another.
const ATTEMPT_TIME_LIMIT: Duration = Duration::from_millis(1600);
const ATTEMPTS: u32 = 3;
/// The longest pause after the first attempt; it doubles with each. How much of it is waited is random, so that many
/// instances do not come back all at once. Source:
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Throttling of KMS as SQS reports it, which the SDK's lists lack. Source:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html#API_SendMessage_Errors>.
const KMS_THROTTLING: [&str; 2] = ["KMS.ThrottlingException", "KmsThrottled"];
/// Errors that a wrong clock causes, or may cause. Source: the list of botocore and of the AWS SDK for JavaScript,
/// <https://github.com/smithy-lang/smithy-typescript/blob/main/packages/service-error-classification/src/constants.ts>.
const CLOCK_SKEW_ERRORS: [&str; 6] = [
    "AuthFailure",
    "InvalidSignatureException",
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
];
/// AWS accepts five minutes of difference between the clocks; the SDKs correct from four on.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(4 * 60);
/// Error messages of services are cut to so many bytes.
const MAX_MESSAGE_BYTES: usize = 512;

/// A service, ready for calls.
#[derive(Debug, Clone)]
pub struct Service {
    name: &'static str,
    connector: SharedHttpConnector,
    signer: Arc<Signer>,
    address: Address,
    clock: fn() -> SystemTime,
    /// What to add to our clock, in seconds.
    clock_offset: Arc<AtomicI64>,
    attempts: u32,
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There was no answer: network, time limit.
    #[error("there was no answer")]
    NoAnswer(#[source] BoxError),
    /// The service said no.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The request could not be made, or the answer not be read: a fault of ours or of the SDK.
    #[error("the call could not be made or its answer not be read")]
    Malformed(#[source] BoxError),
}

impl CallError {
    /// A call that is not what it should be, for this cause.
    pub fn malformed(cause: impl Into<BoxError>) -> Self {
        Self::Malformed(cause.into())
    }
}

/// A no of a service, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{service} answered {status} {}: {}", .code.as_deref().unwrap_or("without a code"), .message.as_deref().unwrap_or("no message"))]
pub struct Refused {
    /// Who said it.
    pub service: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The error code, such as `AccessDenied`.
    pub code: Option<String>,
    /// For people.
    pub message: Option<String>,
}

/// A call that failed, and whether to try it again.
struct Failure {
    error: CallError,
    is_passing: bool,
}

impl Service {
    pub(super) fn new(
        name: &'static str,
        connector: SharedHttpConnector,
        signer: Signer,
        address: Address,
        clock: fn() -> SystemTime,
    ) -> Self {
        Self {
            name,
            connector,
            signer: Arc::new(signer),
            address,
            clock,
            clock_offset: Arc::default(),
            attempts: ATTEMPTS,
        }
    }

    /// How the service is called in messages.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where the service is.
    pub(super) async fn address(&self) -> Result<&str, CallError> {
        self.address.get().await.map_err(CallError::malformed)
    }

    /// The same service, but each call is tried once.
    #[cfg(test)]
    pub(crate) fn trying_once(self) -> Self {
        Self {
            attempts: 1,
            ..self
        }
    }

    /// Sends a request, whose address has only a path, until `read` makes something of an answer, a refusal is final,
    /// or no attempt is left.
    ///
    /// # Errors
    /// What the last attempt came to.
    pub(super) async fn call<T>(
        &self,
        mut request: HttpRequest,
        read: impl Fn(&HttpResponse) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let address = self.address().await?;
        let url = format!("{address}{}", request.uri());
        request.set_uri(url).map_err(CallError::malformed)?;
        let mut pause = FIRST_PAUSE;
        for _ in 1..self.attempts {
            match self.attempt(&request, &read).await {
                Err(failure) if failure.is_passing => {}
                ended => return ended.map_err(|failure| failure.error),
            }
            tokio::time::sleep(pause.mul_f64(fastrand::f64())).await;
            pause *= 2;
        }
        let last = self.attempt(&request, &read).await;
        last.map_err(|failure| failure.error)
    }

    async fn attempt<T>(
        &self,
        request: &HttpRequest,
        read: impl Fn(&HttpResponse) -> Result<T, CallError>,
    ) -> Result<T, Failure> {
        // Bodies are in memory, so they can be sent again.
        let mut request = request
            .try_clone()
            .ok_or_else(|| Failure::lasting("the request cannot be sent twice".into()))?;
        self.signer
            .sign(&mut request, self.now().into())
            .map_err(Failure::lasting)?;
        let answer = tokio::time::timeout(ATTEMPT_TIME_LIMIT, self.connector.call(request)).await;
        let response = match answer {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                let is_transient = error.as_other() == Some(ErrorKind::TransientError);
                return Err(Failure {
                    is_passing: error.is_io() || error.is_timeout() || is_transient,
                    error: CallError::NoAnswer(error.into()),
                });
            }
            Err(late) => {
                return Err(Failure {
                    is_passing: true,
                    error: CallError::NoAnswer(late.into()),
                });
            }
        };
        read(&response).map_err(|error| {
            let is_passing = match &error {
                CallError::Refused(refused) => {
                    refused.is_passing() || self.correct_clock(refused, &response)
                }
                CallError::NoAnswer(_) | CallError::Malformed(_) => false,
            };
            Failure { error, is_passing }
        })
    }

    /// Our clock, corrected. An offset that leads out of all times counts as none.
    fn now(&self) -> OffsetDateTime {
        let clock = OffsetDateTime::from((self.clock)());
        let offset = time::Duration::seconds(self.clock_offset.load(Ordering::Relaxed));
        clock.checked_add(offset).unwrap_or(clock)
    }

    /// Corrects our clock by the answer's `Date`, if the service may have refused the request for the time in its
    /// signature. Returns whether it was off, so that another attempt has a signature with another time.
    fn correct_clock(&self, refused: &Refused, response: &HttpResponse) -> bool {
        let may_be_skewed = |code: &String| CLOCK_SKEW_ERRORS.contains(&code.as_str());
        if !refused.code.as_ref().is_some_and(may_be_skewed) {
            return false;
        }
        let date = response.headers().get("date");
        let Some(date) = date.and_then(|date| OffsetDateTime::parse(date, &Rfc2822).ok()) else {
            return false;
        };
        let is_off = (date - self.now()).abs() > MAX_CLOCK_SKEW;
        if is_off {
            let offset = date - OffsetDateTime::from((self.clock)());
            self.clock_offset
                .store(offset.whole_seconds(), Ordering::Relaxed);
        }
        is_off
    }
}

impl Failure {
    fn lasting(error: BoxError) -> Self {
        Self {
            error: CallError::Malformed(error),
            is_passing: false,
        }
    }
}

impl Refused {
    /// A refusal with the message cut to a sane length, or without it where it could quote signed headers.
    pub(super) fn new(
        service: &'static str,
        status: u16,
        code: Option<String>,
        message: Option<String>,
    ) -> Self {
        let quotes_headers = |code: &str| {
            matches!(
                code,
                "IncompleteSignature"
                    | "IncompleteSignatureException"
                    | "InvalidSignatureException"
                    | "SignatureDoesNotMatch"
            )
        };
        let cut = |mut text: String| {
            text.truncate(text.floor_char_boundary(MAX_MESSAGE_BYTES));
            text
        };
        let is_quoting = code.as_deref().is_some_and(quotes_headers);
        let message = message.filter(|_| !is_quoting).map(cut);
        let code = code.map(cut);
        Self {
            service,
            status,
            code,
            message,
        }
    }

    /// Whether the service may say something else in a moment.
    fn is_passing(&self) -> bool {
        let is_known = |code: &str| {
            [THROTTLING_ERRORS, TRANSIENT_ERRORS, &KMS_THROTTLING]
                .iter()
                .any(|codes| codes.contains(&code))
        };
        matches!(self.status, 429 | 500 | 502 | 503 | 504)
            || self.code.as_deref().is_some_and(is_known)
    }
}

#[cfg(test)]
mod tests;
