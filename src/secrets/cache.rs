//! The secrets in memory, with an age limit, one fetch at a time, and a limit on how often an unauthenticated
//! client can cause one.

use super::{FetchError, SecretStore, Secrets};
use crate::deadlines::Stopwatch;
use crate::error::error_chain;
use crate::request_context::{RefreshError, RequestContext};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Signatures and names that do not match cause at most one fetch in this time, all together.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);
/// While a stale value serves, the store is asked at most once in this time (or in the age limit, if that is shorter).
const STALE_INTERVAL: Duration = Duration::from_secs(30);

/// A [`SecretStore`] whose answer is kept for a while.
pub struct SecretCache<S> {
    store: S,
    age_limit: Duration,
    state: Mutex<State>,
    /// Held by whoever is fetching, so that others wait for that answer and do not ask again.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    secrets: Option<Arc<Secrets>>,
    fetched_at: Option<SystemTime>,
    asked_at: Option<SystemTime>,
    /// When the store could last not be reached.
    failed_at: Option<SystemTime>,
    /// When a signature or a name that does not match last caused a fetch.
    refreshed_at: Option<SystemTime>,
    /// What went wrong with the last fetch, if it failed.
    last_failure: Option<String>,
}

impl State {
    /// Whether the request that came in at `now`, or a later one, has asked the store.
    fn was_asked_since(&self, now: SystemTime) -> bool {
        self.asked_at.is_some_and(|asked_at| asked_at >= now)
    }
}

impl<S: SecretStore> SecretCache<S> {
    /// Keeps what `store` answers for `age_limit`.
    pub fn new(store: S, age_limit: Duration) -> Self {
        Self {
            store,
            age_limit,
            state: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        }
    }

    /// The secrets: from memory while young enough, else from the store; while the store cannot be reached, the last
    /// ones.
    ///
    /// # Errors
    /// When there are none: the store never answered, or it said no and the age limit has passed.
    pub async fn current(
        &self,
        now: SystemTime,
        course: &mut RequestContext,
    ) -> Result<Arc<Secrets>, FetchError> {
        if let Some(secrets) = self.usable(now) {
            return Ok(secrets);
        }
        let _turn = self.fetching.lock().await;
        // Somebody else may have fetched while we waited for our turn.
        if let Some(secrets) = self.usable(now) {
            return Ok(secrets);
        }
        let error = match self.fetch(now, course).await {
            Ok(secrets) => return Ok(secrets),
            Err(error) => error,
        };
        let state = self.state();
        let Some(last) = state.secrets.clone() else {
            return Err(error);
        };
        let is_stale = !is_within(self.age_limit, state.fetched_at, now);
        course.refresh_error = Some(RefreshError::new(&error, is_stale));
        Ok(last)
    }

    /// Newer secrets than `seen`, after `seen` did not verify a request that came in at `now`: they may just have been
    /// rotated. `None` if there are none, or if the store was asked a moment ago.
    ///
    /// # Errors
    /// If the store could not be asked, by this request or by the last one that tried: the sender may have a newer secret.
    pub async fn refresh(
        &self,
        seen: &Arc<Secrets>,
        now: SystemTime,
        course: &mut RequestContext,
    ) -> Result<Option<Arc<Secrets>>, FetchError> {
        let _turn = self.fetching.lock().await;
        {
            let mut state = self.state();
            let newer = |secrets: &&Arc<Secrets>| !Arc::ptr_eq(secrets, seen);
            if let Some(secrets) = state.secrets.as_ref().filter(newer) {
                return Ok(Some(Arc::clone(secrets)));
            }
            let is_too_early = is_within(REFRESH_INTERVAL, state.refreshed_at, now);
            if !is_too_early {
                state.refreshed_at = Some(now);
            }
            if is_too_early || state.was_asked_since(now) {
                return match state.last_failure.clone() {
                    Some(failure) => Err(FetchError::NotDue(failure)),
                    None => Ok(None),
                };
            }
        }
        self.fetch(now, course).await.map(Some)
    }

    /// The secrets in memory, of any age.
    pub fn cached(&self) -> Option<Arc<Secrets>> {
        self.state().secrets.clone()
    }

    /// Counts the fetch that the request of `now` caused, if any, against the limit for unauthenticated requests: else a
    /// request that finds an old value could cause two.
    pub fn record_auth_failure(&self, now: SystemTime) {
        let mut state = self.state();
        if state.was_asked_since(now) {
            state.refreshed_at = Some(now);
        }
    }

    /// What may be used without asking: a young value, or a stale one if the store could not be reached a moment ago.
    fn usable(&self, now: SystemTime) -> Option<Arc<Secrets>> {
        let state = self.state();
        let is_young = is_within(self.age_limit, state.fetched_at, now);
        let is_resting = is_within(STALE_INTERVAL.min(self.age_limit), state.failed_at, now);
        state.secrets.clone().filter(|_| is_young || is_resting)
    }

    async fn fetch(
        &self,
        now: SystemTime,
        course: &mut RequestContext,
    ) -> Result<Arc<Secrets>, FetchError> {
        self.state().asked_at = Some(now);
        let watch = Stopwatch::start();
        let answer = course.schedule.fetch(self.store.fetch()).await;
        course.times.secret = Some(watch.time());
        let answer = answer.unwrap_or_else(|late| Err(FetchError::Unreachable(late.into())));
        let mut state = self.state();
        state.last_failure = answer.as_ref().err().map(|error| error_chain(error));
        match &answer {
            Ok(_) => state.fetched_at = Some(now),
            Err(FetchError::Refused(_)) => {
                if !is_within(self.age_limit, state.fetched_at, now) {
                    state.secrets = None;
                }
            }
            Err(_) => state.failed_at = Some(now),
        }
        let secrets = Arc::new(answer?);
        state.secrets = Some(Arc::clone(&secrets));
        Ok(secrets)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // The state is whole after every statement, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `since` lies less than `limit` before `now`. A clock that was set back makes everything old.
fn is_within(limit: Duration, since: Option<SystemTime>, now: SystemTime) -> bool {
    since
        .and_then(|since| now.duration_since(since).ok())
        .is_some_and(|age| age < limit)
}

#[cfg(test)]
mod tests;
