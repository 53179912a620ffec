//! Which errors are retried, how often, and after what backoff.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(
    clippy::disallowed_methods,
    reason = "the tests' clock is paused, or is what they are about"
)]

use super::*;
use crate::test_util::{Replay, response};
use std::sync::atomic::AtomicUsize;
use std::time::UNIX_EPOCH;
use tokio::time::Instant;

fn client(http: impl HttpClient, clock: fn() -> SystemTime) -> Client {
    let config = AwsConfig {
        region: "eu-central-1".to_owned(),
        credentials: Credentials::new("AKID".to_owned(), "key".to_owned(), None),
        user_agent: "test/1",
        http: Arc::new(http),
        clock,
    };
    // The body of an error is its code.
    let parse_error = |response: &Response<Bytes>| {
        let code = String::from_utf8(response.body().to_vec()).unwrap();
        (Some(code).filter(|code| !code.is_empty()), None)
    };
    Client::new(&config, "SQS", "sqs", PayloadSigning::Signed, parse_error)
}

fn request() -> Request<Bytes> {
    let url = "https://sqs.eu-central-1.amazonaws.com/";
    Request::post(url).body(Bytes::new()).unwrap()
}

/// Whether a request succeeds, and after how many attempts, where these are the responses.
async fn send(statuses: &[u16], code: &'static str) -> (bool, usize) {
    let replay = Replay::new(statuses.iter().map(|status| response(*status, code)));
    let result = client(replay.clone(), || UNIX_EPOCH).send(request()).await;
    (result.is_ok(), replay.requests().len())
}

#[tokio::test(start_paused = true)]
async fn retries_retryable_errors_twice() {
    for status in [429, 500, 502, 503, 504] {
        assert_eq!(send(&[status, status, 200], "").await, (true, 3));
        assert_eq!(send(&[status, status, status, 200], "").await, (false, 3));
    }
    for code in ["ThrottlingException", "RequestTimeout", "KmsThrottled"] {
        assert_eq!(send(&[400, 200], code).await, (true, 2), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn does_not_retry_permanent_errors() {
    for status in [301, 400, 403, 404, 501] {
        assert_eq!(send(&[status, 200], "AccessDenied").await, (false, 1));
        assert_eq!(send(&[status, 200], "").await, (false, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn retries_where_there_was_no_response() {
    let errors: [(fn() -> AwsError, usize); 2] =
        [(|| AwsError::NoResponse("reset".into()), 3), (|| AwsError::invalid("not HTTP"), 1)];
    for (error, attempts) in errors {
        let count = Arc::new(AtomicUsize::default());
        let counted = Arc::clone(&count);
        let failing = move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Err(error()))
        };
        let result = client(failing, || UNIX_EPOCH).send(request()).await;
        assert_eq!(result.unwrap_err().to_string(), error().to_string());
        assert_eq!(count.load(Ordering::Relaxed), attempts);
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_without_a_response_ends_after_1600_ms() {
    let hanging = |_| std::future::pending::<Result<Response<Bytes>, AwsError>>();
    let start = Instant::now();
    let error = client(hanging, || UNIX_EPOCH).send(request()).await;
    assert!(matches!(error, Err(AwsError::NoResponse(_))), "{error:?}");
    let backoffs = start.elapsed() - 3 * Duration::from_millis(1600);
    // At most 100 and 200 ms; tokio's timer may be a millisecond late.
    assert!(backoffs <= Duration::from_millis(310), "{backoffs:?}");
}

#[tokio::test(start_paused = true)]
async fn backoffs_are_random_and_the_second_is_longer() {
    let mut backoffs = Vec::new();
    for _ in 0..50 {
        let start = Instant::now();
        send(&[503, 503, 200], "").await;
        backoffs.push(start.elapsed());
    }
    let longest = backoffs.iter().max().unwrap();
    assert!(*longest <= Duration::from_millis(302), "{longest:?}");
    // Two backoffs of at most 100 ms would not get there.
    assert!(*longest > Duration::from_millis(200), "{longest:?}");
    backoffs.sort_unstable();
    backoffs.dedup();
    assert!(backoffs.len() > 10, "{backoffs:?}");
}

/// The dates of the signatures where the service always responds with this error and `Date`, and the clock says 1970.
async fn signed_dates(code: &'static str, date: &'static str) -> Vec<String> {
    let mut rejection = response(403, code);
    let headers = rejection.headers_mut();
    headers.insert("date", date.try_into().unwrap());
    let replay = Replay::new([rejection]);
    let result = client(replay.clone(), || UNIX_EPOCH).send(request()).await;
    result.unwrap_err();
    let date = |request: &Request<Bytes>| {
        let date = request.headers().get("x-amz-date").unwrap();
        date.to_str().unwrap().to_owned()
    };
    replay.requests().iter().map(date).collect()
}

#[tokio::test(start_paused = true)]
async fn corrects_a_wrong_clock_once_by_the_date_of_the_response() {
    for code in ["RequestTimeTooSkewed", "SignatureDoesNotMatch"] {
        assert_eq!(
            signed_dates(code, "Sun, 06 Nov 1994 08:49:37 GMT").await,
            ["19700101T000000Z", "19941106T084937Z"],
            "{code}"
        );
        // Within the limit, or without a valid date, the error is permanent.
        for date in ["Thu, 01 Jan 1970 00:04:00 GMT", "soon"] {
            assert_eq!(signed_dates(code, date).await, ["19700101T000000Z"], "{code}");
        }
    }
    let end_of_time = signed_dates("RequestTimeTooSkewed", "Fri, 31 Dec 9999 23:59:59 GMT").await;
    assert_eq!(end_of_time, ["19700101T000000Z", "99991231T235959Z"]);
    assert_eq!(
        signed_dates("AccessDenied", "Sun, 06 Nov 1994 08:49:37 GMT").await,
        ["19700101T000000Z"]
    );
}

#[tokio::test(start_paused = true)]
async fn signs_every_attempt_for_its_own_time() {
    let replay = Replay::new([response(503, ""), response(200, "")]);
    let client = client(replay.clone(), SystemTime::now);
    client.send(request()).await.unwrap();
    let requests = replay.requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        let count = |name| request.headers().get_all(name).iter().count();
        assert_eq!((count("authorization"), count("x-amz-date")), (1, 1));
        assert_eq!(request.headers().get("user-agent").unwrap(), "test/1");
    }
}
