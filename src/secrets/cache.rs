//! Keeps the fetched secrets in memory: with an age limit, one fetch at a time, and a limit on the fetches that
//! unauthenticated clients can cause.

use super::{FetchError, SecretStore, Secrets};
use crate::deadlines::Deadline;
use crate::error::error_chain;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// All requests with an unmatched signature or name together cause at most one fetch in this time.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);

/// After a failed fetch, a stale value is used for this long before the next attempt, or for the age limit if that is shorter.
const STALE_INTERVAL: Duration = Duration::from_secs(30);

/// Caches the secrets of a [`SecretStore`].
pub struct SecretCache<S> {
    store: S,
    ttl: Duration,
    state: Mutex<State>,
    /// Held while fetching, so that concurrent requests wait for that fetch and do not start another.
    fetching: tokio::sync::Mutex<()>,
}

/// The secrets, and what was learned while getting them.
#[derive(Debug)]
pub struct Lookup {
    /// The secrets, or why there are none.
    pub result: Result<Arc<Secrets>, FetchError>,
    /// How long the fetch took; `None` if there was no fetch.
    pub fetch_duration: Option<Duration>,
    /// Why no newer secrets were fetched, with its causes, if these are over their age limit.
    pub stale_reason: Option<String>,
}

type FetchGuard<'a> = tokio::sync::MutexGuard<'a, ()>;

/// All times are those at which the requests arrived that caused the fetches.
#[derive(Default)]
struct State {
    secrets: Option<Arc<Secrets>>,
    last_attempt_at: Option<SystemTime>,
    last_success_at: Option<SystemTime>,
    /// When the store last failed otherwise than by denying access.
    last_outage_at: Option<SystemTime>,
    /// The start of the 30 s in which unmatched signatures and names cause no further fetch.
    last_refresh_at: Option<SystemTime>,
    /// Why the last fetch failed, if it did.
    last_error: Option<String>,
}

impl State {
    /// Whether the request that arrived at `now`, or a later one, has already fetched.
    fn has_attempted_since(&self, now: SystemTime) -> bool {
        self.last_attempt_at.is_some_and(|attempted| attempted >= now)
    }
}

impl<S: SecretStore> SecretCache<S> {
    /// Caches what `store` returns for `ttl`.
    pub fn new(store: S, ttl: Duration) -> Self {
        Self { store, ttl, state: Mutex::default(), fetching: tokio::sync::Mutex::default() }
    }

    /// Returns the secrets: from memory within the age limit, else from the store, and the last ones if that fails.
    ///
    /// # Errors
    /// If there are none: the store never returned any, or it denied access when the age limit had passed.
    pub async fn current(&self, now: SystemTime, deadline: Deadline) -> Lookup {
        if let Some(secrets) = self.usable(now) {
            return Lookup { result: Ok(secrets), fetch_duration: None, stale_reason: None };
        }
        let (result, fetch_duration) = match self.start_fetching(deadline).await {
            Err(error) => (Err(error), None),
            // Another request may have fetched them meanwhile.
            Ok(_guard) => match self.usable(now) {
                Some(secrets) => (Ok(secrets), None),
                None => self.fetch(now, deadline).await,
            },
        };
        let Err(error) = result else {
            return Lookup { result, fetch_duration, stale_reason: None };
        };
        let secrets = self.cached();
        let stale_reason = secrets.is_some().then(|| error_chain(&error));
        Lookup { result: secrets.ok_or(error), fetch_duration, stale_reason }
    }

    /// Returns newer secrets than `seen`, which did not verify a request that arrived at `now`: they may just have been
    /// rotated. `None` if there are none, or if there was a refresh within [`REFRESH_INTERVAL`]. Also returns how long the fetch
    /// took, if there was one.
    ///
    /// # Errors
    /// If this fetch or the last one failed: the sender may have a newer secret.
    pub async fn refresh(
        &self,
        seen: &Arc<Secrets>,
        now: SystemTime,
        deadline: Deadline,
    ) -> (Result<Option<Arc<Secrets>>, FetchError>, Option<Duration>) {
        let _guard = match self.start_fetching(deadline).await {
            Ok(guard) => guard,
            Err(error) => return (Err(error), None),
        };
        {
            let mut state = self.state();
            let newer = state.secrets.as_ref();
            if let Some(newer) = newer.filter(|secrets| !Arc::ptr_eq(secrets, seen)) {
                return (Ok(Some(Arc::clone(newer))), None);
            }
            let is_too_early = is_within(REFRESH_INTERVAL, state.last_refresh_at, now);
            if !is_too_early {
                state.last_refresh_at = Some(now);
            }
            if is_too_early || state.has_attempted_since(now) {
                let last_error = state.last_error.clone();
                return (last_error.map_or(Ok(None), |error| Err(FetchError::NotDue(error))), None);
            }
        }
        let (result, fetch_duration) = self.fetch(now, deadline).await;
        (result.map(Some), fetch_duration)
    }

    /// Returns the secrets in memory, of any age.
    pub fn cached(&self) -> Option<Arc<Secrets>> {
        self.state().secrets.clone()
    }

    /// Counts the fetch of the request that arrived at `now`, if it made one, against the limit for unauthenticated
    /// requests: otherwise a request that finds a stale value could cause two.
    pub fn count_fetch_as_refresh(&self, now: SystemTime) {
        let mut state = self.state();
        if state.has_attempted_since(now) {
            state.last_refresh_at = Some(now);
        }
    }

    /// Returns what can be used without a fetch: a value within its age limit, or a stale one if the store failed
    /// within [`STALE_INTERVAL`].
    fn usable(&self, now: SystemTime) -> Option<Arc<Secrets>> {
        let state = self.state();
        let is_fresh = is_within(self.ttl, state.last_success_at, now);
        let has_just_failed = is_within(STALE_INTERVAL.min(self.ttl), state.last_outage_at, now);
        state.secrets.clone().filter(|_| is_fresh || has_just_failed)
    }

    /// Waits until no other request is fetching.
    async fn start_fetching(&self, deadline: Deadline) -> Result<FetchGuard<'_>, FetchError> {
        let guard = async { Ok(self.fetching.lock().await) };
        deadline.run(&mut None, guard).await
    }

    async fn fetch(
        &self,
        now: SystemTime,
        deadline: Deadline,
    ) -> (Result<Arc<Secrets>, FetchError>, Option<Duration>) {
        self.state().last_attempt_at = Some(now);
        let mut fetch_duration = None;
        let result = deadline.run(&mut fetch_duration, self.store.fetch()).await;
        let result = result.map(Arc::new);
        let mut state = self.state();
        state.last_error = result.as_ref().err().map(|error| error_chain(error));
        match &result {
            Ok(secrets) => {
                state.last_success_at = Some(now);
                state.secrets = Some(Arc::clone(secrets));
            }
            Err(FetchError::Denied(_)) => {
                if !is_within(self.ttl, state.last_success_at, now) {
                    state.secrets = None;
                }
            }
            Err(_) => state.last_outage_at = Some(now),
        }
        (result, fetch_duration)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is consistent after every statement, so a poisoned lock is still good.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `since` is less than `limit` before `now`. If the clock was set back, everything is older.
fn is_within(limit: Duration, since: Option<SystemTime>, now: SystemTime) -> bool {
    since.and_then(|since| now.duration_since(since).ok()).is_some_and(|age| age < limit)
}

#[cfg(test)]
mod tests;
