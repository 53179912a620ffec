//! Tests of the time limits of the stages, on a paused clock.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::disallowed_methods, reason = "the test controls the paused clock")]

use super::*;
use std::future::pending;

/// The time limit of each stage if the stages before it take no time.
async fn limits(remaining: Option<Duration>) -> [Duration; 4] {
    let start = Instant::now();
    let deadlines = Deadlines::starting_now(remaining);
    let deadlines = [deadlines.secret, deadlines.payload, deadlines.queue, deadlines.spill];
    for deadline in deadlines {
        let stage = pending::<Result<(), BoxError>>();
        let error = deadline.run(&mut None, stage).await.unwrap_err();
        assert!(error.is::<DeadlineExceeded>(), "{error}");
    }
    deadlines.map(|Deadline(limit)| limit - start)
}

#[tokio::test(start_paused = true)]
async fn each_stage_leaves_time_for_later_stages() {
    let start = Instant::now();
    let limits = limits(None).await;
    assert!(limits.is_sorted_by(|a, b| a < b), "{limits:?}");
    assert_eq!(limits.last(), Some(&MAX_DURATION));
    let elapsed = start.elapsed();
    assert!(elapsed >= MAX_DURATION && elapsed < MAX_DURATION + Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn lambda_deadline_shortens_every_stage_and_extends_none() {
    let default = limits(None).await;
    let near = limits(Some(Duration::from_millis(4500))).await;
    assert_eq!(near, default.map(|limit| limit / 2));
    assert_eq!(limits(Some(Duration::from_secs(900))).await, default);
    assert_eq!(limits(Some(Duration::ZERO)).await, [Duration::ZERO; 4]);
}

#[tokio::test(start_paused = true)]
async fn returns_the_output_and_duration_of_a_stage_that_ends_in_time() {
    let deadlines = Deadlines::starting_now(None);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut duration = None;
    let stage = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        Ok::<_, BoxError>(1)
    };
    assert_eq!(deadlines.queue.run(&mut duration, stage).await.unwrap(), 1);
    let duration = duration.unwrap();
    assert!(duration >= Duration::from_millis(200) && duration < Duration::from_millis(210));
    let stage = pending::<Result<i32, BoxError>>();
    let mut duration = None;
    let error = deadlines.payload.run(&mut duration, stage).await.unwrap_err();
    assert!(error.is::<DeadlineExceeded>(), "{error}");
    assert!(duration.is_some());
}
