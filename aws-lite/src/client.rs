//! Signs and sends requests, and retries them.

use crate::error::{AwsError, ServiceError};
use crate::sign::{Credentials, PayloadSigning, sign};
use bytes::Bytes;
use http::header::{DATE, HeaderValue, USER_AGENT};
use http::{Request, Response};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// The time limit of one attempt, so that a hanging one leaves time for another.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1600);
const MAX_ATTEMPTS: u32 = 3;
/// The longest wait before the second attempt; it doubles before each further one. The actual wait is random, so that
/// many clients do not retry at the same time. Source:
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>.
const INITIAL_BACKOFF: Duration = Duration::from_millis(100);

/// Error codes of a request with a wrong time, or possibly with one. Source: the lists of botocore and of the AWS SDK for JavaScript,
/// <https://github.com/smithy-lang/smithy-typescript/blob/main/packages/service-error-classification/src/constants.ts>.
#[rustfmt::skip]
const CLOCK_SKEW_CODES: [&str; 6] = [
    "AuthFailure", "InvalidSignatureException", "RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
];
/// AWS accepts a difference of five minutes between the clocks; the SDKs correct from four on.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(4 * 60);

/// The whole response, or why there is none.
pub type ResponseFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Response<Bytes>, AwsError>> + Send + 'a>>;

/// Sends HTTP requests, each with an absolute URL.
pub trait HttpClient: Send + Sync + 'static {
    /// Sends one request and reads the whole response.
    fn send(&self, request: Request<Bytes>) -> ResponseFuture<'_>;
}

/// The configuration that all clients share.
#[derive(Clone)]
pub struct AwsConfig {
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// Signs all requests.
    pub credentials: Credentials,
    /// The value of the header `User-Agent`.
    pub user_agent: &'static str,
    /// Sends the requests.
    pub http: Arc<dyn HttpClient>,
    /// Returns the current time.
    pub clock: fn() -> SystemTime,
}

/// A client of one service.
pub(crate) struct Client {
    config: AwsConfig,
    /// The service's name in errors, such as `SQS`.
    name: &'static str,
    /// The service's name in signatures, such as `sqs`.
    signing_name: &'static str,
    payload: PayloadSigning,
    parse_error: fn(&Response<Bytes>) -> ErrorFields,
    /// Seconds to add to the clock.
    clock_offset: AtomicI64,
}

/// Code and message of an error response.
pub(crate) type ErrorFields = (Option<String>, Option<String>);

impl Client {
    pub(crate) fn new(
        config: &AwsConfig,
        name: &'static str,
        signing_name: &'static str,
        payload: PayloadSigning,
        parse_error: fn(&Response<Bytes>) -> ErrorFields,
    ) -> Self {
        let (config, clock_offset) = (config.clone(), AtomicI64::default());
        Self { config, name, signing_name, payload, parse_error, clock_offset }
    }

    /// Sends a request until it succeeds, an error is permanent, or no attempt is left.
    ///
    /// # Errors
    /// Returns the error of the last attempt.
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, AwsError> {
        let mut backoff = INITIAL_BACKOFF;
        let mut attempts = 1;
        loop {
            let (is_retryable, error) = match self.attempt(request.clone()).await {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => {
                    let (code, message) = (self.parse_error)(&response);
                    let status = response.status().as_u16();
                    let error = ServiceError::new(self.name, status, code, message);
                    (error.is_retryable() || self.correct_clock(&error, &response), error.into())
                }
                Err(error) => (error.is_retryable(), error),
            };
            if !is_retryable || attempts == MAX_ATTEMPTS {
                return Err(error);
            }
            tokio::time::sleep(backoff.mul_f64(fastrand::f64())).await;
            backoff *= 2;
            attempts += 1;
        }
    }

    /// Signs a request, sends it, and returns the response, whatever its status.
    async fn attempt(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, AwsError> {
        let AwsConfig { region, credentials, user_agent, http, .. } = &self.config;
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(user_agent));
        sign(&mut request, self.payload, credentials, region, self.signing_name, self.now())
            .map_err(AwsError::Invalid)?;
        tokio::time::timeout(ATTEMPT_TIMEOUT, http.send(request))
            .await
            .unwrap_or_else(|elapsed| Err(AwsError::NoResponse(elapsed.into())))
    }

    /// The corrected time. An offset out of range is ignored.
    fn now(&self) -> OffsetDateTime {
        let clock = OffsetDateTime::from((self.config.clock)());
        let offset = time::Duration::seconds(self.clock_offset.load(Ordering::Relaxed));
        clock.checked_add(offset).unwrap_or(clock)
    }

    /// Corrects the clock by the response's `Date` where the service may have rejected the time of the signature. Returns
    /// whether the clock was wrong.
    fn correct_clock(&self, error: &ServiceError, response: &Response<Bytes>) -> bool {
        let code = error.code.as_deref().unwrap_or_default();
        if !CLOCK_SKEW_CODES.contains(&code) {
            return false;
        }
        let date = response.headers().get(DATE);
        let date = date.and_then(|date| OffsetDateTime::parse(date.to_str().ok()?, &Rfc2822).ok());
        let Some(date) = date else {
            return false;
        };
        let is_wrong = (date - self.now()).abs() > MAX_CLOCK_SKEW;
        if is_wrong {
            let offset = date - OffsetDateTime::from((self.config.clock)());
            self.clock_offset.store(offset.whole_seconds(), Ordering::Relaxed);
        }
        is_wrong
    }
}

#[cfg(test)]
mod tests;
