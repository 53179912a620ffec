//! Authenticates a request: a holder of one of its route's secrets signed its body.

use crate::deadlines::Deadline;
use crate::report::Report;
use crate::secrets::{FetchError, SecretCache, SecretScope, SecretStore};
use crate::signature::{InvalidSignature, Signatures, Unverified, Verified};
use std::time::{Duration, SystemTime};

/// The limit for fetching the secret at start. Lambda delivers the first event only after the start.
const WARM_UP_LIMIT: Duration = Duration::from_secs(1);

/// Limits the hashing for a refused request whose route has no entry in the secret, so that an unauthenticated client
/// cannot keep the function busy.
const MAX_HASHED_BYTES: usize = 16 * 1024 * 1024;

/// Why a request is not authenticated.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// The secret has no entry for this route: no webhook of this name, or no `training`.
    #[error("the secret has no entry for this route")]
    NoEntry,
    /// No secret of the scope signed this body.
    #[error(transparent)]
    InvalidSignature(#[from] InvalidSignature),
    /// There is no secret to verify with.
    #[error("no secret is available")]
    SecretUnavailable(#[source] FetchError),
    /// The secrets in memory do not verify the request, and newer ones could not be fetched.
    #[error("the secret could not be refreshed")]
    RefreshFailed(#[source] FetchError),
}

/// Authenticates requests with the secrets of a store.
pub struct Authenticator<S> {
    secrets: SecretCache<S>,
}

impl<S: SecretStore> Authenticator<S> {
    /// An authenticator that fetches the secrets when they are older than `secret_ttl`.
    pub fn new(store: S, secret_ttl: Duration) -> Self {
        Self { secrets: SecretCache::new(store, secret_ttl) }
    }

    /// Fetches the secrets before the first request needs them.
    ///
    /// # Errors
    /// If they are not there within a second.
    pub async fn warm_up(&self, now: SystemTime) -> Result<(), FetchError> {
        let deadline = Deadline::after(WARM_UP_LIMIT);
        self.secrets.current(now, deadline).await.result.map(drop)
    }

    /// Verifies that a holder of a secret of `scope` signed `body`. If the secrets in memory do not verify it, they are
    /// refreshed.
    ///
    /// # Errors
    /// If no secret did, or if the secrets could not be fetched to decide it.
    pub async fn authenticate(
        &self,
        scope: SecretScope<'_>,
        signatures: Result<Signatures, InvalidSignature>,
        body: Unverified,
        now: SystemTime,
        deadline: Deadline,
    ) -> (Result<Verified, AuthenticationError>, Report) {
        let mut report = Report::default();
        let current = self.secrets.current(now, deadline).await;
        report.stale_reason = current.stale_reason;
        report.durations.secret = current.fetch_duration;
        let mut secrets = match current.result {
            Ok(secrets) => secrets,
            Err(error) => return (Err(AuthenticationError::SecretUnavailable(error)), report),
        };
        let mut body = body;
        loop {
            let error = match (secrets.get(scope), &signatures) {
                (None, _) => AuthenticationError::NoEntry,
                // No secret can verify it, so it causes no refresh.
                (Some(_), Err(invalid)) => {
                    self.secrets.count_fetch_as_refresh(now);
                    return (Err((*invalid).into()), report);
                }
                (Some(scoped), Ok(signatures)) => match body.verify(signatures, scoped) {
                    Ok(verified) => return (Ok(verified), report),
                    Err(unverified) => {
                        body = unverified;
                        InvalidSignature.into()
                    }
                },
            };
            let (result, fetch_duration) = self.secrets.refresh(&secrets, now, deadline).await;
            report.durations.secret = fetch_duration.or(report.durations.secret);
            let error = match result {
                Ok(Some(newer)) => {
                    secrets = newer;
                    continue;
                }
                Ok(None) => error,
                Err(error) => AuthenticationError::RefreshFailed(error),
            };
            if let (AuthenticationError::NoEntry, Ok(signatures)) = (&error, &signatures) {
                report.refused_with_valid_signature =
                    self.has_valid_signature(None, signatures, &body);
            }
            return (Err(error), report);
        }
    }

    /// Whether a secret in memory signed `body`: one of `scope`, or, if that is `None` or has no entry, one of all, of
    /// which as many are tried as [`MAX_HASHED_BYTES`] allows. Fetches nothing.
    pub fn has_valid_signature(
        &self,
        scope: Option<SecretScope<'_>>,
        signatures: &Signatures,
        body: &Unverified,
    ) -> bool {
        let Some(secrets) = self.secrets.cached() else {
            return false;
        };
        if let Some(scoped) = scope.and_then(|scope| secrets.get(scope)) {
            return body.is_signed(signatures, scoped);
        }
        let max_secrets = (MAX_HASHED_BYTES / body.byte_count().max(1)).max(1);
        body.is_signed(signatures, secrets.all().take(max_secrets))
    }
}

#[cfg(test)]
mod tests;
