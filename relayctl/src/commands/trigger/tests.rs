//! What is sent for a topic.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use super::*;
use clap::Parser;
use serde_json::Value;

fn trigger(line: &str) -> Trigger {
    let line = crate::commands::CommandLine::parse_from(line.split(' '));
    match line.command {
        crate::commands::Command::Trigger(trigger) => trigger,
        _ => panic!("no trigger"),
    }
}

fn event(line: &str) -> Delivery {
    let event = trigger(line).event(SystemTime::UNIX_EPOCH, &mut Rng::with_seed(7));
    event.unwrap()
}

#[test]
fn a_training_run_takes_its_own_route_without_labelboxs_headers() {
    let run = event("relayctl trigger model_run_created");
    assert_eq!(run.route, Route::ModelRun);
    assert_eq!((run.topic, run.delivery_id), (None, None));
    let label = event("relayctl trigger LABEL_CREATED --webhook mine");
    assert_eq!(label.route, Route::Webhook("mine".to_owned()));
    assert_eq!(label.topic.as_deref(), Some("LABEL_CREATED"));
    assert!(label.delivery_id.is_some());
}

#[test]
fn two_events_with_the_same_body_have_delivery_ids_of_their_own() {
    let line = "relayctl trigger MOVE --set id=mine --set dataRow.id=row";
    let [one, other] = [event(line), event(line)];
    assert_eq!(one.body, other.body);
    assert_ne!(one.delivery_id, other.delivery_id);
}

#[test]
fn fields_are_set_after_all_else() {
    let body = event("relayctl trigger LABEL_CREATED --set id=mine --set updatedAt=never").body;
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&body["id"], &body["updatedAt"]), (&"mine".into(), &"never".into()));
    assert_eq!(body["createdAt"], "1970-01-01T00:00:00.000Z");
}

#[test]
fn rates_are_numbers_that_make_sense() {
    assert_eq!(rate("0.5"), Ok(0.5));
    for wrong in ["0", "-1", "NaN", "inf", "fast"] {
        assert!(rate(wrong).is_err(), "{wrong}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pace_is_kept_and_late_ones_are_no_burst() {
    let started = tokio::time::sleep(Duration::ZERO).deadline();
    let mut pace =
        std::pin::pin!(pace(Some(10.0)).map(|()| tokio::time::sleep(Duration::ZERO).deadline()));
    let mut at = Vec::new();
    for number in 0..4 {
        at.push((pace.next().await.unwrap() - started).as_millis() / 10);
        if number == 1 {
            tokio::time::sleep(Duration::from_millis(350)).await;
        }
    }
    assert_eq!(at, [0, 10, 45, 55]);
}
