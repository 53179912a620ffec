//! The states that the relay's secret cache may be in after the calls that Secrets Manager received, and the answers
//! that the contract (section 2) allows in them.

use crate::delivery::{Signed, Signer};
use crate::fault::Fault;
use crate::secret_value::SecretValue;
use crate::sequence::SLOWEST;
use std::time::Duration;
use tokio::time::Instant;

/// `SecretTtlSeconds`.
const AGE_LIMIT: Duration = Duration::from_secs(300);
/// Requests that no cached secret matches cause at most one fetch in this time.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);

/// All possible states of the cache. There are several where it is unknown whether the relay still read an answer.
#[derive(Clone)]
pub(crate) struct PossibleCache {
    /// `None` stands for an empty cache.
    values: Vec<Option<Cached>>,
    /// Whether the last call certainly failed.
    last_call_failed: bool,
    /// When a call may last have succeeded.
    fetched_at: Option<Instant>,
    /// When a fetch may last have failed.
    failed_at: Option<Instant>,
    /// When a request last came in that may have caused a refresh.
    refreshed_at: Option<Instant>,
    /// The times of the last calls, if all of them certainly succeeded.
    successes: Vec<Instant>,
    is_asked_too_often: bool,
}

#[derive(Clone)]
struct Cached {
    value: SecretValue,
    given_at: Instant,
}

impl Default for PossibleCache {
    fn default() -> Self {
        Self {
            values: vec![None],
            last_call_failed: false,
            fetched_at: None,
            failed_at: None,
            refreshed_at: None,
            successes: Vec::new(),
            is_asked_too_often: false,
        }
    }
}

impl Cached {
    /// The status of a request that is checked against this value only.
    fn status(&self, request: &Signed) -> u64 {
        match (self.value.secrets_of(request.webhook), &request.by) {
            (None, _) => 404,
            (Some(secrets), Signer::Holder(secret)) if secrets.contains(secret) => 200,
            _ => 401,
        }
    }
}

impl PossibleCache {
    /// Records a call that the secret had `value` at. The answer is awaited unless the caller may be out of time.
    pub(crate) fn record_call(
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
        self.last_call_failed = !matches!(fault, None | Some(Fault::Slow));
        if !self.last_call_failed {
            self.fetched_at = Some(now);
            if fault.is_none() && is_awaited {
                self.values.clear();
                self.record_success(now);
            }
            let value = value.clone();
            self.values.push(Some(Cached {
                value,
                given_at: now,
            }));
        }
        self.record_refusal(fault, is_awaited, now);
    }

    /// If the first of three values was young when the second was fetched, requests that no secret matches caused the
    /// last two fetches. The relay measures the interval between those requests, not between the calls.
    fn record_success(&mut self, now: Instant) {
        self.successes.push(now);
        if let [.., first, second, third] = *self.successes {
            let is_young = second - first < AGE_LIMIT - SLOWEST;
            self.is_asked_too_often |= is_young && third - second < REFRESH_INTERVAL - SLOWEST;
        }
    }

    /// A refusal removes a value that is over its age limit. The relay measures the age between two requests, which may
    /// be [`SLOWEST`] before the calls.
    fn record_refusal(&mut self, fault: Option<Fault>, is_awaited: bool, now: Instant) {
        let is_over = |cached: &Option<Cached>, age| {
            cached
                .as_ref()
                .is_some_and(|cached| now - cached.given_at >= age)
        };
        let is_refusal = matches!(fault, Some(Fault::AccessDenied | Fault::Gone));
        // The contract does not say whether these are refusals.
        let may_be_refusal = matches!(fault, Some(Fault::Kms | Fault::ExpiredToken));
        let may_be_over = |cached| is_over(cached, AGE_LIMIT - SLOWEST);
        if (is_refusal || may_be_refusal) && self.values.iter().any(may_be_over) {
            self.values.push(None);
        }
        if is_refusal && is_awaited {
            self.values
                .retain(|cached| !is_over(cached, AGE_LIMIT + SLOWEST));
        }
    }

    /// Records a request that may cancel its fetch at once for want of time.
    pub(crate) fn record_short_deadline(&mut self) {
        self.failed_at = Some(Instant::now());
    }

    /// Records that a fetch may have been cancelled before its answer was read.
    pub(crate) fn record_cancelled_fetch(&mut self) {
        self.values.push(None);
    }

    /// Records a request that was answered; `before` is the cache when it came in.
    pub(crate) fn record_request(&mut self, before: &Self, request: &Signed, came_in: Instant) {
        let mut values = before.values.iter().chain(&self.values).flatten();
        if values.any(|cached| cached.status(request) != 200) {
            self.refreshed_at = self.refreshed_at.max(Some(came_in));
        }
    }

    /// Whether this answer to a request is right; `before` is the cache when it came in.
    pub(crate) fn check(
        &self,
        before: &Self,
        request: &Signed,
        came_in: Instant,
        status: u64,
    ) -> Result<(), &'static str> {
        if self.is_asked_too_often {
            return Err("Secrets Manager is asked too often");
        }
        match status {
            200 => self.check_accepted(before, request, came_in),
            // A newer secret does not help a missing signature.
            401 if matches!(request.by, Signer::Nobody) => Ok(()),
            401 | 404 => self.check_rejected(before, request, came_in, status),
            _ => Ok(()),
        }
    }

    fn check_accepted(
        &self,
        before: &Self,
        request: &Signed,
        came_in: Instant,
    ) -> Result<(), &'static str> {
        // A value over its age limit is used only while Secrets Manager does not answer.
        let may_be_old = is_recent(self.failed_at, came_in);
        let accepts = |cached: &Cached| {
            let is_young = cached.given_at + AGE_LIMIT >= came_in;
            cached.status(request) == 200 && (is_young || may_be_old)
        };
        let mut values = before.values.iter().chain(&self.values).flatten();
        values
            .any(accepts)
            .then_some(())
            .ok_or("it was accepted, and no value in use has its secret")
    }

    fn check_rejected(
        &self,
        before: &Self,
        request: &Signed,
        came_in: Instant,
        status: u64,
    ) -> Result<(), &'static str> {
        let mut values = self.values.iter().flatten();
        if !values.any(|cached| cached.status(request) == status) {
            return Err("it was rejected, and every value in use accepts it");
        }
        if self.last_call_failed {
            return Err("it was rejected, and the last fetch failed");
        }
        let was_asked = self.fetched_at.is_some_and(|at| at >= came_in);
        let may_not_ask =
            is_recent(before.refreshed_at, came_in) && is_recent(self.fetched_at, came_in);
        if !was_asked && !may_not_ask {
            return Err("it was rejected, and Secrets Manager was not asked");
        }
        Ok(())
    }

    /// Whether the relay may lack a secret for a request; `before` is the cache when it came in.
    pub(crate) fn may_be_missing(&self, before: &Self, request: &Signed, came_in: Instant) -> bool {
        let needs_fetch = |cached: &Option<Cached>| match cached {
            None => true,
            Some(cached) => match cached.status(request) {
                200 => false,
                401 => !matches!(request.by, Signer::Nobody),
                _ => true,
            },
        };
        let mut values = before.values.iter().chain(&self.values);
        is_recent(self.failed_at, came_in) && values.any(needs_fetch)
    }
}

/// Whether a fetch at this time may stand for one at `came_in`.
fn is_recent(at: Option<Instant>, came_in: Instant) -> bool {
    at.is_some_and(|at| at + REFRESH_INTERVAL >= came_in)
}
