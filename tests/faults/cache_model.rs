//! A model of the relay's secret cache: the states that it may be in after the requests that Secrets Manager received,
//! and the responses that are correct in these states.

use crate::delivery::{Signature, Signer};
use crate::fault::Fault;
use crate::secrets_manager::SecretValue;
use crate::sequence::MAX_RESPONSE_TIME;
use std::time::Duration;
use tokio::time::Instant;

/// The default of `SecretTtlSeconds`.
const TTL: Duration = Duration::from_secs(300);
/// Signatures that no cached secret matches cause at most one refresh in this time.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);

/// All possible states of the cache. There are several if it is unknown whether the relay read a response in time.
#[derive(Clone)]
pub(crate) struct CacheModel {
    /// `None` stands for an empty cache.
    values: Vec<Option<Cached>>,
    /// Whether the last fetch certainly failed.
    last_fetch_failed: bool,
    /// The last time that a fetch may have succeeded.
    fetched_at: Option<Instant>,
    /// The last time that a fetch may have failed.
    failed_at: Option<Instant>,
    /// When the last request arrived that may have caused a refresh.
    refreshed_at: Option<Instant>,
    /// The times of the last fetches, if all of them certainly succeeded.
    successes: Vec<Instant>,
    exceeds_refresh_limit: bool,
}

#[derive(Clone)]
struct Cached {
    value: SecretValue,
    fetched_at: Instant,
}

impl Default for CacheModel {
    fn default() -> Self {
        Self {
            values: vec![None],
            last_fetch_failed: false,
            fetched_at: None,
            failed_at: None,
            refreshed_at: None,
            successes: Vec::new(),
            exceeds_refresh_limit: false,
        }
    }
}

impl Cached {
    /// The status of a request if this is the only value.
    fn status(&self, signature: &Signature) -> u64 {
        match (self.value.secrets_of(signature.webhook), &signature.signer) {
            (None, _) => 404,
            (Some(secrets), Signer::Secret(secret)) if secrets.contains(secret) => 200,
            _ => 401,
        }
    }
}

impl CacheModel {
    /// Records a fetch of `value`. `is_awaited`: the caller certainly still waits for the response.
    pub(crate) fn record_fetch(
        &mut self,
        value: &SecretValue,
        fault: Option<Fault>,
        is_awaited: bool,
    ) {
        let now = Instant::now();
        if fault.is_some() {
            self.failed_at = Some(now);
        }
        if fault.is_some() || !is_awaited {
            self.successes.clear();
        }
        self.last_fetch_failed = !matches!(fault, None | Some(Fault::Slow));
        if !self.last_fetch_failed {
            self.fetched_at = Some(now);
            if fault.is_none() && is_awaited {
                self.values.clear();
                self.record_success(now);
            }
            let value = value.clone();
            self.values.push(Some(Cached { value, fetched_at: now }));
        }
        self.record_access_error(fault, is_awaited, now);
    }

    /// If the first of three values had not expired when the second was fetched, unmatched signatures caused the last two
    /// fetches. The relay limits the interval between the requests with these signatures, not between the fetches.
    fn record_success(&mut self, now: Instant) {
        self.successes.push(now);
        if let [.., first, second, third] = *self.successes {
            let is_fresh = second - first < TTL - MAX_RESPONSE_TIME;
            self.exceeds_refresh_limit |=
                is_fresh && third - second < REFRESH_INTERVAL - MAX_RESPONSE_TIME;
        }
    }

    /// An access error removes an expired value. The relay measures the age between two requests, which may precede the
    /// fetches by [`MAX_RESPONSE_TIME`].
    fn record_access_error(&mut self, fault: Option<Fault>, is_awaited: bool, now: Instant) {
        let has_age = |cached: &Option<Cached>, age| {
            cached.as_ref().is_some_and(|cached| now - cached.fetched_at >= age)
        };
        let is_access_error = matches!(fault, Some(Fault::AccessDenied | Fault::ResourceNotFound));
        // Whether these are access errors is unspecified.
        let may_be_access_error = matches!(fault, Some(Fault::KmsError | Fault::ExpiredToken));
        let may_be_expired = |cached| has_age(cached, TTL - MAX_RESPONSE_TIME);
        if (is_access_error || may_be_access_error) && self.values.iter().any(may_be_expired) {
            self.values.push(None);
        }
        if is_access_error && is_awaited {
            self.values.retain(|cached| !has_age(cached, TTL + MAX_RESPONSE_TIME));
        }
    }

    /// Records a request that may cancel its fetch because its deadline is too short.
    pub(crate) fn record_short_deadline(&mut self) {
        self.failed_at = Some(Instant::now());
    }

    /// Records that a fetch may have been cancelled before its response was read.
    pub(crate) fn record_cancelled_fetch(&mut self) {
        self.values.push(None);
    }

    /// Records a request after its response. `before` is the model when the request arrived.
    pub(crate) fn record_request(
        &mut self,
        before: &Self,
        signature: &Signature,
        arrived_at: Instant,
    ) {
        let mut values = before.values.iter().chain(&self.values).flatten();
        if values.any(|cached| cached.status(signature) != 200) {
            self.refreshed_at = self.refreshed_at.max(Some(arrived_at));
        }
    }

    /// Checks the status of a response. `before` is the model when the request arrived.
    pub(crate) fn check(
        &self,
        before: &Self,
        signature: &Signature,
        arrived_at: Instant,
        status: u64,
    ) -> Result<(), &'static str> {
        if self.exceeds_refresh_limit {
            return Err("more refreshes than one in 30 s");
        }
        match status {
            200 => self.check_accepted(before, signature, arrived_at),
            // No secret matches a missing signature.
            401 if matches!(signature.signer, Signer::None) => Ok(()),
            401 | 404 => self.check_rejected(before, signature, arrived_at, status),
            _ => Ok(()),
        }
    }

    fn check_accepted(
        &self,
        before: &Self,
        signature: &Signature,
        arrived_at: Instant,
    ) -> Result<(), &'static str> {
        // An expired value is used only while Secrets Manager does not respond.
        let may_be_expired = is_recent(self.failed_at, arrived_at);
        let accepts = |cached: &Cached| {
            let is_fresh = cached.fetched_at + TTL >= arrived_at;
            cached.status(signature) == 200 && (is_fresh || may_be_expired)
        };
        let mut values = before.values.iter().chain(&self.values).flatten();
        values
            .any(accepts)
            .then_some(())
            .ok_or("accepted, but no possible cached value matches the signature")
    }

    fn check_rejected(
        &self,
        before: &Self,
        signature: &Signature,
        arrived_at: Instant,
        status: u64,
    ) -> Result<(), &'static str> {
        let mut values = self.values.iter().flatten();
        if !values.any(|cached| cached.status(signature) == status) {
            return Err("rejected, but every possible cached value matches the signature");
        }
        if self.last_fetch_failed {
            return Err("rejected, but the last fetch failed");
        }
        let was_refreshed = self.fetched_at.is_some_and(|at| at >= arrived_at);
        let is_refresh_limited =
            is_recent(before.refreshed_at, arrived_at) && is_recent(self.fetched_at, arrived_at);
        if !was_refreshed && !is_refresh_limited {
            return Err("rejected without a refresh");
        }
        Ok(())
    }

    /// Whether the relay may lack a secret for a request. `before` is the model when the request arrived.
    pub(crate) fn may_lack_secret(
        &self,
        before: &Self,
        signature: &Signature,
        arrived_at: Instant,
    ) -> bool {
        let needs_fetch = |cached: &Option<Cached>| match cached {
            None => true,
            Some(cached) => match cached.status(signature) {
                200 => false,
                401 => !matches!(signature.signer, Signer::None),
                _ => true,
            },
        };
        let mut values = before.values.iter().chain(&self.values);
        is_recent(self.failed_at, arrived_at) && values.any(needs_fetch)
    }
}

/// Whether a fetch at this time may replace one at `arrived_at`.
fn is_recent(at: Option<Instant>, arrived_at: Instant) -> bool {
    at.is_some_and(|at| at + REFRESH_INTERVAL >= arrived_at)
}
