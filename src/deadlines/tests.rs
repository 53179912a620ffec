//! When each step has to be over, on a clock that does not wait.

#![expect(
    clippy::disallowed_methods,
    reason = "on a paused clock, time is what the test makes of it"
)]

use super::*;
use std::future::pending;

/// How long each step may take when nothing before it took any time.
async fn limits(left: Option<Duration>) -> [Duration; 5] {
    let start = Instant::now();
    let schedule = Deadlines::starting_now(left);
    let steps: [Result<(), DeadlineExceeded>; 5] = [
        schedule.fetch(pending()).await,
        schedule.proof(pending()).await,
        schedule.payload(pending()).await,
        schedule.queue(pending()).await,
        schedule.spill(pending()).await,
    ];
    assert_eq!(steps, [Err(DeadlineExceeded); 5]);
    [
        schedule.fetch,
        schedule.proof,
        schedule.payload,
        schedule.queue,
        schedule.end,
    ]
    .map(|limit| limit - start)
}

#[tokio::test(start_paused = true)]
async fn each_step_leaves_time_for_those_after_it() {
    let start = Instant::now();
    let limits = limits(None).await;
    assert!(limits.is_sorted_by(|a, b| a < b), "{limits:?}");
    assert_eq!(limits.last(), Some(&LONGEST));
    assert!(start.elapsed() >= LONGEST && start.elapsed() < LONGEST + Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn lambda_s_deadline_shortens_every_step_and_a_far_one_lengthens_none() {
    let usual = limits(None).await;
    let near = limits(Some(Duration::from_millis(4500))).await;
    assert_eq!(near, usual.map(|limit| limit / 2));
    assert_eq!(limits(Some(Duration::from_secs(900))).await, usual);
    assert_eq!(limits(Some(Duration::ZERO)).await, [Duration::ZERO; 5]);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_is_over_in_time_gives_what_it_found() {
    let schedule = Deadlines::starting_now(None);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(schedule.queue(async { 1 }).await, Ok(1));
    assert_eq!(
        schedule.payload(pending::<i32>()).await,
        Err(DeadlineExceeded)
    );
}
