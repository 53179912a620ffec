//! The secrets in memory, with an age limit, one fetch at a time, and a limit on how often a stranger can cause one.

use super::{FetchError, SecretStore};
use crate::course::{Course, SecretTrouble};
use crate::schedule::Stopwatch;
use crate::secret::Secrets;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Signatures and names that do not match cause at most one fetch in this time, all together.
const RECHECK_PAUSE: Duration = Duration::from_secs(30);
/// While a stale value serves, the store is asked at most once in this time (or in the age limit, if that is shorter).
const STALE_PAUSE: Duration = Duration::from_secs(30);

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
    /// When a signature or a name that does not match last had its look at the store.
    rechecked_at: Option<SystemTime>,
}

impl State {
    /// Whether a request that came in at `now` has had its look.
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
        course: &mut Course,
    ) -> Result<Arc<Secrets>, FetchError> {
        if let Some(secrets) = self.usable(now) {
            return Ok(secrets);
        }
        let _turn = self.fetching.lock().await;
        // Somebody else may have fetched while we waited for our turn.
        if let Some(secrets) = self.usable(now) {
            return Ok(secrets);
        }
        self.fetch(now, course).await
    }

    /// Newer secrets than `seen`, after `seen` did not verify a request that came in at `now`: somebody may just have
    /// rotated them. `None` when there is nothing newer, or when it is too early to ask again.
    pub async fn newer(
        &self,
        seen: &Arc<Secrets>,
        now: SystemTime,
        course: &mut Course,
    ) -> Option<Arc<Secrets>> {
        let _turn = self.fetching.lock().await;
        {
            let mut state = self.state();
            if let Some(secrets) = state
                .secrets
                .as_ref()
                .filter(|secrets| !Arc::ptr_eq(secrets, seen))
            {
                return Some(Arc::clone(secrets));
            }
            if is_within(RECHECK_PAUSE, state.rechecked_at, now) {
                return None;
            }
            state.rechecked_at = Some(now);
            if state.was_asked_since(now) {
                return None;
            }
        }
        // A refusal does not count here: the value that we have is good until its age limit.
        match self.fetch(now, course).await {
            Ok(secrets) => Some(secrets).filter(|secrets| !Arc::ptr_eq(secrets, seen)),
            Err(error) => {
                course.secret_trouble = Some(SecretTrouble::new(&error, false));
                None
            }
        }
    }

    /// Says that the request that came in at `now` was not worth a look. If it had one, since the value was old, that was
    /// the strangers': else those who find an old value would have two of them.
    pub fn was_a_stranger(&self, now: SystemTime) {
        let mut state = self.state();
        if state.was_asked_since(now) {
            state.rechecked_at = Some(now);
        }
    }

    /// What may be used without asking: a young value, or a stale one if the store could not be reached a moment ago.
    fn usable(&self, now: SystemTime) -> Option<Arc<Secrets>> {
        let state = self.state();
        let is_young = is_within(self.age_limit, state.fetched_at, now);
        let is_resting = is_within(STALE_PAUSE.min(self.age_limit), state.failed_at, now);
        state.secrets.clone().filter(|_| is_young || is_resting)
    }

    async fn fetch(
        &self,
        now: SystemTime,
        course: &mut Course,
    ) -> Result<Arc<Secrets>, FetchError> {
        self.state().asked_at = Some(now);
        let watch = Stopwatch::start();
        let answer = course.schedule.fetch(self.store.fetch()).await;
        course.times.secret = Some(watch.time());
        let answer = answer.unwrap_or_else(|late| Err(FetchError::Unreachable(late.into())));
        let mut state = self.state();
        let error = match answer {
            Ok(secrets) => {
                let secrets = Arc::new(secrets);
                state.secrets = Some(Arc::clone(&secrets));
                state.fetched_at = Some(now);
                return Ok(secrets);
            }
            Err(error) => error,
        };
        let is_old = !is_within(self.age_limit, state.fetched_at, now);
        let is_refused = matches!(error, FetchError::Refused(_));
        if is_old && is_refused {
            state.secrets = None;
        }
        if !is_refused {
            state.failed_at = Some(now);
        }
        let Some(secrets) = state.secrets.clone() else {
            return Err(error);
        };
        course.secret_trouble = Some(SecretTrouble::new(&error, is_old));
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
