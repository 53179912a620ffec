//! The cache against a store that answers what it is told and counts how often it was asked.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

const AGE_LIMIT: Duration = Duration::from_secs(300);

#[derive(Clone, Copy)]
enum Answer {
    Secret(&'static str),
    Unreachable,
    Refused,
    Unusable,
}

struct Store {
    answer: Mutex<Answer>,
    asked: AtomicUsize,
}

impl SecretStore for &Store {
    async fn fetch(&self) -> Result<Secrets, FetchError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(50)).await;
        match *self.answer.lock().unwrap() {
            Answer::Secret(text) => Ok(Secrets::parse(text.to_owned())?),
            Answer::Unreachable => Err(FetchError::Unreachable("no route".into())),
            Answer::Refused => Err(FetchError::Refused("access denied".into())),
            Answer::Unusable => Err(FetchError::Unusable("binary".into())),
        }
    }
}

impl Store {
    fn new(answer: Answer) -> Self {
        Self {
            answer: Mutex::new(answer),
            asked: AtomicUsize::new(0),
        }
    }

    fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn cached(&self) -> SecretCache<&Self> {
        SecretCache::new(self, AGE_LIMIT)
    }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
}

fn patiently() -> RequestContext {
    RequestContext::starting_now(None)
}

fn text(secrets: &Secrets) -> String {
    let secrets = secrets.of_webhook("labelbox").unwrap();
    secrets
        .iter()
        .map(|secret| String::from_utf8(secret.as_bytes().to_vec()).unwrap())
        .collect()
}

/// What a refresh at this second finds; an error if the store could not be asked.
async fn refresh(
    cache: &SecretCache<&Store>,
    seen: &Arc<Secrets>,
    second: u64,
) -> Result<Option<String>, FetchError> {
    let newer = cache.refresh(seen, at(second), &mut patiently()).await?;
    Ok(newer.map(|secrets| text(&secrets)))
}

#[tokio::test(start_paused = true)]
async fn a_young_value_is_not_fetched_again() {
    let store = Store::new(Answer::Secret("one"));
    let cache = store.cached();
    assert_eq!(
        text(&cache.current(at(0), &mut patiently()).await.unwrap()),
        "one"
    );
    store.answers(Answer::Secret("two"));
    assert_eq!(
        text(&cache.current(at(299), &mut patiently()).await.unwrap()),
        "one"
    );
    assert_eq!(store.asked(), 1);
    assert_eq!(
        text(&cache.current(at(300), &mut patiently()).await.unwrap()),
        "two"
    );
    assert_eq!(store.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_any_value_every_request_asks() {
    let store = Store::new(Answer::Unreachable);
    let cache = store.cached();
    assert!(cache.current(at(0), &mut patiently()).await.is_err());
    assert!(cache.current(at(0), &mut patiently()).await.is_err());
    store.answers(Answer::Secret("one"));
    assert_eq!(
        text(&cache.current(at(0), &mut patiently()).await.unwrap()),
        "one"
    );
    assert_eq!(store.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_last_value_serves_while_the_store_cannot_be_reached() {
    for trouble in [Answer::Unreachable, Answer::Unusable] {
        let store = Store::new(Answer::Secret("one"));
        let cache = store.cached();
        cache.current(at(0), &mut patiently()).await.unwrap();
        store.answers(trouble);
        assert_eq!(
            text(&cache.current(at(300), &mut patiently()).await.unwrap()),
            "one"
        );
        assert_eq!(
            text(&cache.current(at(100_000), &mut patiently()).await.unwrap()),
            "one"
        );
        store.answers(Answer::Secret("two"));
        assert_eq!(
            text(&cache.current(at(200_000), &mut patiently()).await.unwrap()),
            "two"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_value_asks_only_once_in_a_while() {
    let store = Store::new(Answer::Secret("one"));
    let cache = store.cached();
    cache.current(at(0), &mut patiently()).await.unwrap();
    store.answers(Answer::Unreachable);
    for second in [300, 301, 329] {
        assert_eq!(
            text(&cache.current(at(second), &mut patiently()).await.unwrap()),
            "one"
        );
    }
    assert_eq!(store.asked(), 2);
    cache.current(at(330), &mut patiently()).await.unwrap();
    assert_eq!(store.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_drops_the_value_at_its_age_limit_and_not_before() {
    let store = Store::new(Answer::Secret("one"));
    let cache = store.cached();
    let seen = cache.current(at(0), &mut patiently()).await.unwrap();
    store.answers(Answer::Refused);
    refresh(&cache, &seen, 290).await.unwrap_err();
    assert_eq!(
        text(&cache.current(at(299), &mut patiently()).await.unwrap()),
        "one"
    );
    assert!(matches!(
        cache.current(at(300), &mut patiently()).await,
        Err(FetchError::Refused(_))
    ));
    assert!(cache.current(at(301), &mut patiently()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_drops_a_stale_value() {
    let store = Store::new(Answer::Secret("one"));
    let cache = store.cached();
    cache.current(at(0), &mut patiently()).await.unwrap();
    store.answers(Answer::Unreachable);
    cache.current(at(300), &mut patiently()).await.unwrap();
    store.answers(Answer::Refused);
    assert!(cache.current(at(330), &mut patiently()).await.is_err());
    store.answers(Answer::Unreachable);
    assert!(cache.current(at(331), &mut patiently()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_mismatch_fetches_at_once_but_only_once_in_30_seconds() {
    let store = Store::new(Answer::Secret("one"));
    let cache = store.cached();
    let seen = cache.current(at(0), &mut patiently()).await.unwrap();
    store.answers(Answer::Secret("two"));
    assert_eq!(refresh(&cache, &seen, 1).await.unwrap().unwrap(), "two");
    let seen = cache.current(at(1), &mut patiently()).await.unwrap();
    assert_eq!(text(&seen), "two");
    for second in [1, 2, 30] {
        assert_eq!(refresh(&cache, &seen, second).await.unwrap(), None);
    }
    assert_eq!(store.asked(), 2);
    store.answers(Answer::Secret("three"));
    assert_eq!(refresh(&cache, &seen, 31).await.unwrap().unwrap(), "three");
    assert_eq!(store.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_mismatch_right_after_a_fetch_for_the_same_request_does_not_fetch_again() {
    let store = Store::new(Answer::Secret("one"));
    let cache = store.cached();
    let seen = cache.current(at(0), &mut patiently()).await.unwrap();
    assert_eq!(refresh(&cache, &seen, 0).await.unwrap(), None);
    assert_eq!(store.asked(), 1);
    store.answers(Answer::Unreachable);
    let seen = cache.current(at(300), &mut patiently()).await.unwrap();
    refresh(&cache, &seen, 300).await.unwrap_err();
    assert_eq!(store.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_failed_stands_for_those_of_the_next_30_seconds() {
    for failure in [Answer::Unreachable, Answer::Refused, Answer::Unusable] {
        let store = Store::new(Answer::Secret("one"));
        let cache = store.cached();
        let seen = cache.current(at(0), &mut patiently()).await.unwrap();
        store.answers(failure);
        for second in [1, 2, 30] {
            refresh(&cache, &seen, second).await.unwrap_err();
        }
        assert_eq!(store.asked(), 2);
        assert_eq!(
            text(&cache.current(at(30), &mut patiently()).await.unwrap()),
            "one"
        );
        store.answers(Answer::Secret("two"));
        assert_eq!(refresh(&cache, &seen, 31).await.unwrap().unwrap(), "two");
        let seen = cache.current(at(31), &mut patiently()).await.unwrap();
        assert_eq!(refresh(&cache, &seen, 32).await.unwrap(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_failed_makes_the_refresh_that_is_not_due_fail_too() {
    let store = Store::new(Answer::Secret("one"));
    let cache = store.cached();
    cache.current(at(0), &mut patiently()).await.unwrap();
    let seen = cache.current(at(300), &mut patiently()).await.unwrap();
    let refreshed = refresh(&cache, &seen, 599).await;
    assert_eq!(refreshed.unwrap().unwrap(), "one");
    store.answers(Answer::Unreachable);
    // The refresh has made the value young until 899.
    let stale = cache.current(at(899), &mut patiently()).await.unwrap();
    refresh(&cache, &stale, 900).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_mismatch_that_finds_out_that_an_old_value_is_refused_ends_it_and_says_so() {
    let store = Store::new(Answer::Secret("one"));
    let cache = store.cached();
    cache.current(at(0), &mut patiently()).await.unwrap();
    store.answers(Answer::Unreachable);
    let stale = cache.current(at(301), &mut patiently()).await.unwrap();
    store.answers(Answer::Refused);
    let error = refresh(&cache, &stale, 302).await.unwrap_err();
    assert!(matches!(error, FetchError::Refused(_)), "{error:?}");
    cache.current(at(303), &mut patiently()).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn requests_at_the_same_time_share_one_fetch() {
    let store = Store::new(Answer::Secret("one"));
    let cache = store.cached();
    let (a, b, c) = tokio::join!(
        async { cache.current(at(0), &mut patiently()).await },
        async { cache.current(at(0), &mut patiently()).await },
        async { cache.current(at(1), &mut patiently()).await }
    );
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(store.asked(), 1);
    let seen = a.unwrap();
    store.answers(Answer::Secret("two"));
    let (a, b) = tokio::join!(refresh(&cache, &seen, 2), refresh(&cache, &seen, 3));
    assert_eq!(
        (a.unwrap().unwrap(), b.unwrap().unwrap()),
        ("two".to_owned(), "two".to_owned())
    );
    assert_eq!(store.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_set_back_makes_the_value_old() {
    let store = Store::new(Answer::Secret("one"));
    let cache = store.cached();
    cache.current(at(1000), &mut patiently()).await.unwrap();
    store.answers(Answer::Secret("two"));
    assert_eq!(
        text(&cache.current(at(0), &mut patiently()).await.unwrap()),
        "two"
    );
}

#[tokio::test(start_paused = true)]
async fn who_waited_for_a_fetch_that_failed_gets_the_last_value() {
    let store = Store::new(Answer::Secret("one"));
    let cache = store.cached();
    let seen = cache.current(at(0), &mut patiently()).await.unwrap();
    store.answers(Answer::Unreachable);
    // An unauthenticated request asks while the value is young; meanwhile it becomes old, and somebody needs it.
    let (refreshed, current) = tokio::join!(refresh(&cache, &seen, 299), async {
        cache.current(at(301), &mut patiently()).await
    });
    assert!(refreshed.is_err());
    assert_eq!(text(&current.unwrap()), "one");
    assert_eq!(store.asked(), 2);
}
