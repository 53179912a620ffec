//! What the relay may have in its secret cache after the calls that Secrets Manager saw, and so what it may answer.
//!
//! Values and times are those of the contract, section 2.

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

/// Every state that the cache may be in: nobody outside knows whether a late answer was still read.
#[derive(Clone)]
pub(crate) struct PossibleCache {
    /// `None` stands for an empty cache.
    values: Vec<Option<Cached>>,
    /// Whether the last call has failed for sure.
    last_call_failed: bool,
    /// When a call may last have succeeded.
    fetched_at: Option<Instant>,
    /// When a fetch may last have failed.
    failed_at: Option<Instant>,
    /// When a request last came in that may have caused a refresh.
    refreshed_at: Option<Instant>,
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
        }
    }
}

impl Cached {
    /// What a request gets from who has only this value.
    fn status(&self, request: &Signed) -> u64 {
        match (self.value.secrets_of(request.webhook), &request.by) {
            (None, _) => 404,
            (Some(secrets), Signer::Holder(secret)) if secrets.contains(secret) => 200,
            _ => 401,
        }
    }
}

impl PossibleCache {
    /// Takes in a call, at which the secret had this value.
    pub(crate) fn note_call(
        &mut self,
        value: &SecretValue,
        fault: Option<Fault>,
        is_awaited: bool,
    ) {
        let now = Instant::now();
        if fault.is_some() {
            self.failed_at = Some(now);
        }
        self.last_call_failed = !matches!(fault, None | Some(Fault::Slow));
        if !self.last_call_failed {
            self.fetched_at = Some(now);
            if fault.is_none() && is_awaited {
                self.values.clear();
            }
            let value = value.clone();
            self.values.push(Some(Cached {
                value,
                given_at: now,
            }));
        }
        self.note_refusal(fault, is_awaited, now);
    }

    /// When access is refused or the secret is gone, the value is dropped at its age limit. The relay counts its age from
    /// when it asked for it, to when the request came in.
    fn note_refusal(&mut self, fault: Option<Fault>, is_awaited: bool, now: Instant) {
        let is_over = |cached: &Option<Cached>, age| {
            cached
                .as_ref()
                .is_some_and(|cached| now - cached.given_at >= age)
        };
        let is_refusal = matches!(fault, Some(Fault::AccessDenied | Fault::Gone));
        // Whether these are refusals, the contract does not say.
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

    /// A caller gives up so early that its fetch may fail, whatever is answered.
    pub(crate) fn note_lack_of_time(&mut self) {
        self.failed_at = Some(Instant::now());
    }

    /// A caller gave up before it knew the answer.
    pub(crate) fn note_cut_off(&mut self) {
        self.values.push(None);
    }

    /// Takes in a request that was answered; `before` is the cache when it came in.
    pub(crate) fn note_request(&mut self, before: &Self, request: &Signed, came_in: Instant) {
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
        match status {
            200 => self.check_accepted(before, request, came_in),
            // A signature that is missing matches no secret, however new.
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
        // An older value serves only while Secrets Manager does not answer.
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

    /// Whether a request may get 503 for want of a secret; `before` is the cache when it came in.
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

/// Whether it lies in the time in which one fetch stands for later ones.
fn is_recent(at: Option<Instant>, came_in: Instant) -> bool {
    at.is_some_and(|at| at + REFRESH_INTERVAL >= came_in)
}
