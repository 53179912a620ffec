//! Which objects are events of a window, and in which order they come.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::aws::offline;
use std::collections::HashMap;
use time::macros::datetime;

const DEDUP_ID: &str = "4d96d4defe8211ee6ac917e7e38dfc06b152a78e3fb3af5f39ebc288f14df63b";

#[test]
fn a_key_says_entity_time_and_event() {
    let key = format!("archive/model_run/2026/11/23/09/2026-11-23T09:08:07.006Z-{DEDUP_ID}.json");
    let expected = Key {
        entity: Entity::ModelRun,
        received_at: "2026-11-23T09:08:07.006Z",
        time: datetime!(2026-11-23 09:08:07.006 UTC),
        dedup_id: DEDUP_ID,
    };
    assert_eq!(Key::read(&key), Some(expected));
}

#[test]
fn a_key_of_another_form_or_in_another_hour_is_foreign() {
    for key in [
        "",
        "archive/",
        "archive/label/readme.json",
        "spill/label/2026/11/23/09/2026-11-23T09:08:07.006Z-d.json",
        "archive/labels/2026/11/23/09/2026-11-23T09:08:07.006Z-d.json",
        "archive/label/2026/11/23/09/2026-11-23T09:08:07.006Z-d.body",
        "archive/label/2026/11/23/09/2026-11-23T09:08:07.006Z-.json",
        "archive/label/2026/11/23/09/2026-11-23T09:08:07.006Z.json",
        "archive/label/2026/11/23/09/2026-11-23T09:08:07.006+d.json",
        "archive/label/2026/11/23/09/2026-11-23T09:08:07Z-d.json",
        "archive/label/2026/11/23/09/2026-11-23T09:68:07.006Z-d.json",
        "archive/label/2026/11/23/10/2026-11-23T09:08:07.006Z-d.json",
        "archive/label/2026/11/23/2026-11-23T09:08:07.006Z-d.json",
        "archive/label/2026/11/23/09/x/2026-11-23T09:08:07.006Z-d.json",
        "archive/label/2026/11/23/09/2026-11-23T09:08:07.00äZ-d.json",
    ] {
        assert_eq!(Key::read(key), None, "{key:?}");
    }
}

/// A page of `ListObjectsV2`.
fn page(is_truncated: bool, objects: &[(&str, u64)]) -> String {
    let objects: String = objects
        .iter()
        .map(|(key, size)| format!("<Contents><Key>{key}</Key><Size>{size}</Size></Contents>"))
        .collect();
    format!(
        "<ListBucketResult><IsTruncated>{is_truncated}</IsTruncated>{objects}</ListBucketResult>"
    )
}

#[tokio::test]
async fn lists_page_by_page_and_merges_by_time() {
    let label = "archive/label/2026/11/23/";
    let review = "archive/review/2026/11/23/";
    let at = |prefix: &str, time: &str, end: &str| {
        format!("{prefix}{}/2026-11-23T{time}.000Z-d.{end}", time.get(..2).unwrap())
    };
    let keys = [
        at(label, "12:00:00", "body"),
        at(label, "12:00:00", "json"),
        at(review, "12:59:59", "json"),
        at(label, "13:00:01", "json"),
        at(label, "13:59:59", "body"),
        at(label, "14:00:00", "json"),
    ];
    let [body, first, second, third, orphan, too_late] = keys.each_ref().map(String::as_str);
    let answers = [
        page(true, &[(body, 7), (first, 1)]),
        page(false, &[(second, 2), ("archive/review/x", 5)]),
        page(true, &[("archive/label/2026/11/23/13/", 0), (third, 3), (orphan, 4)]),
        page(true, &[(too_late, 6)]),
    ];
    let (clients, asked) = offline(&answers.each_ref().map(|answer| (200, answer.as_str())));
    let bucket = ("PayloadBucketName".to_owned(), "bucket".to_owned());
    let stack = Stack::new("relay", HashMap::from([bucket]));
    let window = datetime!(2026-11-23 12:00 UTC)..datetime!(2026-11-23 14:00 UTC);
    let entities = [Entity::Label, Entity::Review];
    let mut archive = Archive::new(&clients, &stack, &entities, &window).unwrap();
    let mut found = Vec::new();
    while let Some(entry) = archive.next().await.unwrap() {
        found.push((entry.key, entry.size, entry.body_size));
    }
    let expected = [(first, 1, Some(7)), (second, 2, None), (third, 3, None)];
    assert_eq!(found, expected.map(|(key, size, body)| (key.to_owned(), size, body)));
    let after: Vec<_> = asked
        .actual_requests()
        .map(|request| {
            let url = reqwest::Url::parse(request.uri()).unwrap();
            let mut query = url.query_pairs();
            query.find(|(name, _)| name == "start-after").unwrap().1.into_owned()
        })
        .collect();
    assert_eq!(
        after,
        [
            "archive/label/2026/11/23/12/2026-11-23T12:00:00.000Z",
            "archive/review/2026/11/23/12/2026-11-23T12:00:00.000Z",
            first,
            orphan,
        ]
    );
}
