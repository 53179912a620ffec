//! Tests of the cache with a fake store that counts the fetches.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::deadlines::Deadlines;
use crate::secrets::SecretScope;
use std::sync::atomic::{AtomicUsize, Ordering};

const TTL: Duration = Duration::from_secs(300);

#[derive(Clone, Copy)]
enum Behavior {
    Secret(&'static str),
    Unreachable,
    Denied,
    Unusable,
}

struct FakeStore {
    behavior: Mutex<Behavior>,
    fetch_count: AtomicUsize,
}

impl SecretStore for &FakeStore {
    async fn fetch(&self) -> Result<Secrets, FetchError> {
        self.fetch_count.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(50)).await;
        match *self.behavior.lock().unwrap() {
            Behavior::Secret(text) => Ok(Secrets::parse(text.to_owned())?),
            Behavior::Unreachable => Err(FetchError::Unavailable("no route".into())),
            Behavior::Denied => Err(FetchError::Denied("access denied".into())),
            Behavior::Unusable => Err(FetchError::Unusable("binary".into())),
        }
    }
}

impl FakeStore {
    fn new(behavior: Behavior) -> Self {
        Self { behavior: Mutex::new(behavior), fetch_count: AtomicUsize::new(0) }
    }

    fn set(&self, behavior: Behavior) {
        *self.behavior.lock().unwrap() = behavior;
    }

    fn fetch_count(&self) -> usize {
        self.fetch_count.load(Ordering::Relaxed)
    }

    fn cache(&self) -> SecretCache<&Self> {
        SecretCache::new(self, TTL)
    }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
}

fn deadline() -> Deadline {
    Deadlines::starting_now(None).secret
}

async fn current(cache: &SecretCache<&FakeStore>, second: u64) -> Result<Arc<Secrets>, FetchError> {
    cache.current(at(second), deadline()).await.result
}

fn text(secrets: &Secrets) -> String {
    let secrets = secrets.get(SecretScope::Webhook("labelbox")).unwrap();
    secrets.iter().map(|secret| String::from_utf8(secret.as_bytes().to_vec()).unwrap()).collect()
}

/// The newer secret that a refresh at this second returns.
async fn refresh(
    cache: &SecretCache<&FakeStore>,
    seen: &Arc<Secrets>,
    second: u64,
) -> Result<Option<String>, FetchError> {
    let newer = cache.refresh(seen, at(second), deadline()).await.0?;
    Ok(newer.map(|secrets| text(&secrets)))
}

#[tokio::test(start_paused = true)]
async fn does_not_fetch_a_fresh_value_again() {
    let store = FakeStore::new(Behavior::Secret("one"));
    let cache = store.cache();
    assert_eq!(text(&current(&cache, 0).await.unwrap()), "one");
    store.set(Behavior::Secret("two"));
    assert_eq!(text(&current(&cache, 299).await.unwrap()), "one");
    assert_eq!(store.fetch_count(), 1);
    assert_eq!(text(&current(&cache, 300).await.unwrap()), "two");
    assert_eq!(store.fetch_count(), 2);
}

#[tokio::test(start_paused = true)]
async fn fetches_for_every_request_without_a_value() {
    let store = FakeStore::new(Behavior::Unreachable);
    let cache = store.cache();
    assert!(current(&cache, 0).await.is_err());
    assert!(current(&cache, 0).await.is_err());
    store.set(Behavior::Secret("one"));
    assert_eq!(text(&current(&cache, 0).await.unwrap()), "one");
    assert_eq!(store.fetch_count(), 3);
}

#[tokio::test(start_paused = true)]
async fn uses_the_last_value_while_the_store_is_unreachable() {
    for failure in [Behavior::Unreachable, Behavior::Unusable] {
        let store = FakeStore::new(Behavior::Secret("one"));
        let cache = store.cache();
        current(&cache, 0).await.unwrap();
        store.set(failure);
        assert_eq!(text(&current(&cache, 300).await.unwrap()), "one");
        assert_eq!(text(&current(&cache, 100_000).await.unwrap()), "one");
        store.set(Behavior::Secret("two"));
        assert_eq!(text(&current(&cache, 200_000).await.unwrap()), "two");
    }
}

#[tokio::test(start_paused = true)]
async fn retries_a_stale_value_once_per_interval() {
    let store = FakeStore::new(Behavior::Secret("one"));
    let cache = store.cache();
    current(&cache, 0).await.unwrap();
    store.set(Behavior::Unreachable);
    for second in [300, 301, 329] {
        assert_eq!(text(&current(&cache, second).await.unwrap()), "one");
    }
    assert_eq!(store.fetch_count(), 2);
    current(&cache, 330).await.unwrap();
    assert_eq!(store.fetch_count(), 3);
}

#[tokio::test(start_paused = true)]
async fn denied_access_drops_an_expired_value_only() {
    let store = FakeStore::new(Behavior::Secret("one"));
    let cache = store.cache();
    let seen = current(&cache, 0).await.unwrap();
    store.set(Behavior::Denied);
    refresh(&cache, &seen, 290).await.unwrap_err();
    assert_eq!(text(&current(&cache, 299).await.unwrap()), "one");
    assert!(matches!(current(&cache, 300).await, Err(FetchError::Denied(_))));
    assert!(current(&cache, 301).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn denied_access_drops_a_stale_value() {
    let store = FakeStore::new(Behavior::Secret("one"));
    let cache = store.cache();
    current(&cache, 0).await.unwrap();
    store.set(Behavior::Unreachable);
    current(&cache, 300).await.unwrap();
    store.set(Behavior::Denied);
    assert!(current(&cache, 330).await.is_err());
    store.set(Behavior::Unreachable);
    assert!(current(&cache, 331).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn refreshes_at_once_but_only_once_in_30_seconds() {
    let store = FakeStore::new(Behavior::Secret("one"));
    let cache = store.cache();
    let seen = current(&cache, 0).await.unwrap();
    store.set(Behavior::Secret("two"));
    assert_eq!(refresh(&cache, &seen, 1).await.unwrap().unwrap(), "two");
    let seen = current(&cache, 1).await.unwrap();
    assert_eq!(text(&seen), "two");
    for second in [1, 2, 30] {
        assert_eq!(refresh(&cache, &seen, second).await.unwrap(), None);
    }
    assert_eq!(store.fetch_count(), 2);
    store.set(Behavior::Secret("three"));
    assert_eq!(refresh(&cache, &seen, 31).await.unwrap().unwrap(), "three");
    assert_eq!(store.fetch_count(), 3);
}

#[tokio::test(start_paused = true)]
async fn does_not_refresh_a_value_fetched_for_the_same_request() {
    let store = FakeStore::new(Behavior::Secret("one"));
    let cache = store.cache();
    let seen = current(&cache, 0).await.unwrap();
    assert_eq!(refresh(&cache, &seen, 0).await.unwrap(), None);
    assert_eq!(store.fetch_count(), 1);
    store.set(Behavior::Unreachable);
    let seen = current(&cache, 300).await.unwrap();
    refresh(&cache, &seen, 300).await.unwrap_err();
    assert_eq!(store.fetch_count(), 2);
}

#[tokio::test(start_paused = true)]
async fn failed_refresh_fails_refreshes_for_30_seconds() {
    for failure in [Behavior::Unreachable, Behavior::Denied, Behavior::Unusable] {
        let store = FakeStore::new(Behavior::Secret("one"));
        let cache = store.cache();
        let seen = current(&cache, 0).await.unwrap();
        store.set(failure);
        for second in [1, 2, 30] {
            refresh(&cache, &seen, second).await.unwrap_err();
        }
        assert_eq!(store.fetch_count(), 2);
        assert_eq!(text(&current(&cache, 30).await.unwrap()), "one");
        store.set(Behavior::Secret("two"));
        assert_eq!(refresh(&cache, &seen, 31).await.unwrap().unwrap(), "two");
        let seen = current(&cache, 31).await.unwrap();
        assert_eq!(refresh(&cache, &seen, 32).await.unwrap(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn failed_fetch_fails_a_refresh_that_is_not_due() {
    let store = FakeStore::new(Behavior::Secret("one"));
    let cache = store.cache();
    current(&cache, 0).await.unwrap();
    let seen = current(&cache, 300).await.unwrap();
    let refreshed = refresh(&cache, &seen, 599).await;
    assert_eq!(refreshed.unwrap().unwrap(), "one");
    store.set(Behavior::Unreachable);
    // After the refresh, the value is fresh until 899.
    let stale = current(&cache, 899).await.unwrap();
    refresh(&cache, &stale, 900).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn denied_refresh_drops_a_stale_value() {
    let store = FakeStore::new(Behavior::Secret("one"));
    let cache = store.cache();
    current(&cache, 0).await.unwrap();
    store.set(Behavior::Unreachable);
    let stale = current(&cache, 301).await.unwrap();
    store.set(Behavior::Denied);
    let error = refresh(&cache, &stale, 302).await.unwrap_err();
    assert!(matches!(error, FetchError::Denied(_)), "{error:?}");
    current(&cache, 303).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn concurrent_requests_share_one_fetch() {
    let store = FakeStore::new(Behavior::Secret("one"));
    let cache = store.cache();
    let (a, b, c) = tokio::join!(
        async { current(&cache, 0).await },
        async { current(&cache, 0).await },
        async { current(&cache, 1).await }
    );
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(store.fetch_count(), 1);
    let seen = a.unwrap();
    store.set(Behavior::Secret("two"));
    let (a, b) = tokio::join!(refresh(&cache, &seen, 2), refresh(&cache, &seen, 3));
    assert_eq!((a.unwrap().unwrap(), b.unwrap().unwrap()), ("two".to_owned(), "two".to_owned()));
    assert_eq!(store.fetch_count(), 2);
}

#[tokio::test(start_paused = true)]
async fn fetches_again_after_the_clock_was_set_back() {
    let store = FakeStore::new(Behavior::Secret("one"));
    let cache = store.cache();
    current(&cache, 1000).await.unwrap();
    store.set(Behavior::Secret("two"));
    assert_eq!(text(&current(&cache, 0).await.unwrap()), "two");
}

#[tokio::test(start_paused = true)]
async fn returns_the_last_value_after_waiting_for_a_failed_fetch() {
    let store = FakeStore::new(Behavior::Secret("one"));
    let cache = store.cache();
    let seen = current(&cache, 0).await.unwrap();
    store.set(Behavior::Unreachable);
    // The value expires while an unauthenticated request refreshes it, and another request needs it.
    let (refreshed, current) =
        tokio::join!(refresh(&cache, &seen, 299), async { current(&cache, 301).await });
    assert!(refreshed.is_err());
    assert_eq!(text(&current.unwrap()), "one");
    assert_eq!(store.fetch_count(), 2);
}

#[tokio::test(start_paused = true)]
async fn waits_for_another_fetch_no_longer_than_the_deadline() {
    let store = FakeStore::new(Behavior::Secret("one"));
    let cache = store.cache();
    let seen = current(&cache, 0).await.unwrap();
    let guard = cache.fetching.lock().await;
    let passed = Deadlines::starting_now(Some(Duration::ZERO)).secret;
    let lookup = cache.current(at(300), passed).await;
    assert_eq!(text(&lookup.result.unwrap()), "one");
    let reason = lookup.stale_reason.unwrap();
    assert!(reason.ends_with("the deadline was exceeded"), "{reason}");
    let (refreshed, _) = cache.refresh(&seen, at(300), passed).await;
    assert!(matches!(refreshed, Err(FetchError::Unavailable(_))));
    drop(guard);
    assert_eq!(store.fetch_count(), 1);
}
