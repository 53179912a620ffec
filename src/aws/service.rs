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
use std::time::{Duration, SystemTime};

/// The limits of one attempt; `schedule.rs` has those of a whole step. Attempts that hang must leave time for another.
const ATTEMPT_TIME_LIMIT: Duration = Duration::from_millis(1600);
const ATTEMPTS: u32 = 3;
/// The longest pause after the first attempt; it doubles with each. How much of it is waited is random, so that many
/// instances do not come back all at once. Source:
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A service, ready for calls.
#[derive(Debug, Clone)]
pub struct Service {
    name: &'static str,
    connector: SharedHttpConnector,
    signer: Arc<Signer>,
    address: Address,
    clock: fn() -> SystemTime,
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
            .sign(&mut request, (self.clock)())
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
        read(&response).map_err(|error| Failure {
            is_passing: matches!(&error, CallError::Refused(refused) if refused.is_passing()),
            error,
        })
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
    /// Whether the service may say something else in a moment.
    fn is_passing(&self) -> bool {
        let is_known = |code: &str| {
            [THROTTLING_ERRORS, TRANSIENT_ERRORS]
                .concat()
                .contains(&code)
        };
        matches!(self.status, 429 | 500 | 502 | 503 | 504)
            || self.code.as_deref().is_some_and(is_known)
    }
}

#[cfg(test)]
mod tests;
