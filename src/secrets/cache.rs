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

/// The result of a lookup, and what it learned on the way.
#[derive(Debug)]
pub struct Lookup<T> {
    /// The secrets, or why there are none.
    pub result: Result<T, FetchError>,
    /// How long the fetch took; `None` if there was no fetch.
    pub fetch_duration: Option<Duration>,
    /// Why the secrets are older than they should be, if they are.
    pub refresh_error: Option<RefreshError>,
}

/// A fetch failed, and an older value stays in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshError {
    /// The error with its causes.
    pub error: String,
    /// Whether the value in use is over its age limit.
    pub is_stale: bool,
}

type FetchGuard<'a> = tokio::sync::MutexGuard<'a, ()>;

#[derive(Default)]
struct State {
    secrets: Option<Arc<Secrets>>,
    /// When the store last returned secrets.
    fetched_at: Option<SystemTime>,
    /// When the last fetch started.
    last_fetch_at: Option<SystemTime>,
    /// When the store was last unreachable, or returned something unusable.
    failed_at: Option<SystemTime>,
    /// The start of the 30 s in which unmatched signatures and names cause no further fetch.
    refreshed_at: Option<SystemTime>,
    /// Why the last fetch failed, if it did.
    last_error: Option<String>,
}

impl State {
    /// Whether the request that arrived at `now`, or a later one, has already fetched.
    fn has_fetched_since(&self, now: SystemTime) -> bool {
        self.last_fetch_at.is_some_and(|fetched| fetched >= now)
    }
}

impl<T> From<Result<T, FetchError>> for Lookup<T> {
    fn from(result: Result<T, FetchError>) -> Self {
        Self { result, fetch_duration: None, refresh_error: None }
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
    pub async fn current(&self, now: SystemTime, deadline: Deadline) -> Lookup<Arc<Secrets>> {
        if let Some(secrets) = self.usable(now) {
            return Ok(secrets).into();
        }
        let lookup = match self.start_fetching(deadline).await {
            Err(error) => Err(error).into(),
            // Another request may have fetched them meanwhile.
            Ok(_guard) => match self.usable(now) {
                Some(secrets) => Ok(secrets).into(),
                None => self.fetch(now, deadline).await,
            },
        };
        let error = match lookup.result {
            Ok(_) => return lookup,
            Err(error) => error,
        };
        let state = self.state();
        let refresh_error = state.secrets.as_ref().map(|_| RefreshError {
            error: error_chain(&error),
            is_stale: !is_within(self.ttl, state.fetched_at, now),
        });
        Lookup {
            result: state.secrets.clone().ok_or(error),
            fetch_duration: lookup.fetch_duration,
            refresh_error,
        }
    }

    /// Returns newer secrets than `seen`, which did not verify a request that arrived at `now`: they may just have been
    /// rotated. `None` if there are none, or if there was a fetch within [`REFRESH_INTERVAL`].
    ///
    /// # Errors
    /// If this fetch or the last one failed: the sender may have a newer secret.
    pub async fn refresh(
        &self,
        seen: &Arc<Secrets>,
        now: SystemTime,
        deadline: Deadline,
    ) -> Lookup<Option<Arc<Secrets>>> {
        let _guard = match self.start_fetching(deadline).await {
            Ok(guard) => guard,
            Err(error) => return Err(error).into(),
        };
        {
            let mut state = self.state();
            let newer = state.secrets.as_ref();
            if let Some(newer) = newer.filter(|secrets| !Arc::ptr_eq(secrets, seen)) {
                return Ok(Some(Arc::clone(newer))).into();
            }
            let is_too_early = is_within(REFRESH_INTERVAL, state.refreshed_at, now);
            if !is_too_early {
                state.refreshed_at = Some(now);
            }
            if is_too_early || state.has_fetched_since(now) {
                let last_error = state.last_error.clone();
                return last_error.map_or(Ok(None), |error| Err(FetchError::NotDue(error))).into();
            }
        }
        let lookup = self.fetch(now, deadline).await;
        Lookup {
            result: lookup.result.map(Some),
            fetch_duration: lookup.fetch_duration,
            refresh_error: None,
        }
    }

    /// Returns the secrets in memory, of any age.
    pub fn cached(&self) -> Option<Arc<Secrets>> {
        self.state().secrets.clone()
    }

    /// Counts the fetch of the request that arrived at `now`, if it made one, against the limit for unauthenticated
    /// requests: otherwise a request that finds a stale value could cause two.
    pub fn count_fetch_as_refresh(&self, now: SystemTime) {
        let mut state = self.state();
        if state.has_fetched_since(now) {
            state.refreshed_at = Some(now);
        }
    }

    /// Returns what can be used without a fetch: a value within its age limit, or a stale one if the last fetch failed a
    /// moment ago.
    fn usable(&self, now: SystemTime) -> Option<Arc<Secrets>> {
        let state = self.state();
        let is_fresh = is_within(self.ttl, state.fetched_at, now);
        let has_just_failed = is_within(STALE_INTERVAL.min(self.ttl), state.failed_at, now);
        state.secrets.clone().filter(|_| is_fresh || has_just_failed)
    }

    /// Waits until no other request is fetching.
    async fn start_fetching(&self, deadline: Deadline) -> Result<FetchGuard<'_>, FetchError> {
        let guard = async { Ok(self.fetching.lock().await) };
        deadline.run(&mut None, guard).await
    }

    async fn fetch(&self, now: SystemTime, deadline: Deadline) -> Lookup<Arc<Secrets>> {
        self.state().last_fetch_at = Some(now);
        let mut fetch_duration = None;
        let result = deadline.run(&mut fetch_duration, self.store.fetch()).await;
        let result = result.map(Arc::new);
        let mut state = self.state();
        state.last_error = result.as_ref().err().map(|error| error_chain(error));
        match &result {
            Ok(secrets) => {
                state.fetched_at = Some(now);
                state.secrets = Some(Arc::clone(secrets));
            }
            Err(FetchError::Denied(_)) => {
                if !is_within(self.ttl, state.fetched_at, now) {
                    state.secrets = None;
                }
            }
            Err(_) => state.failed_at = Some(now),
        }
        Lookup { result, fetch_duration, refresh_error: None }
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
