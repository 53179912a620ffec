//! Tests of the module with a fake AWS at the HTTP level. Run them with `cargo test --example consumer`.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

use super::{Batch, Consumer, Error, Event};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::test_util::infallible_client_fn;
use aws_smithy_types::body::SdkBody;
use lambda_http::http::{Request, Response};
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::sleep;

const CASES: &str = include_str!("../../newest-wins.json");
const POINTER: &str =
    r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"k"}]"#;
const PAYLOAD: &[u8] = b"\xff\x01\x02";

/// A fake table, a bucket with one object, and a queue that returns its messages as one batch.
#[derive(Default)]
struct State {
    items: Map<String, Value>,
    /// An item that another consumer stores right before the next write, or after the next scan.
    before_put: Option<Value>,
    messages: Vec<Value>,
    /// Error codes for the next calls of `DeleteMessage` and `ChangeMessageVisibilityBatch`; when empty, they succeed.
    failures: VecDeque<&'static str>,
    calls: Vec<String>,
}

#[derive(Clone, Default)]
struct Aws(Arc<Mutex<State>>);

impl Aws {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn config(&self) -> SdkConfig {
        let aws = self.clone();
        let key = Credentials::new("key", "secret", None, None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url("http://127.0.0.1:9")
            .credentials_provider(SharedCredentialsProvider::new(key))
            .http_client(infallible_client_fn(move |request| aws.respond(&request)))
            .build()
    }

    fn respond(&self, request: &Request<SdkBody>) -> Response<SdkBody> {
        let Some(target) = request.headers().get("x-amz-target") else {
            assert_eq!(request.uri().path(), "/b/k");
            return Response::new(PAYLOAD.into());
        };
        let (_, call) = target.to_str().unwrap().split_once('.').unwrap();
        let input: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let (status, output) = match self.state().call(call, &input) {
            Ok(output) => (200, output),
            Err(code) => (400, json!({"__type": code})),
        };
        let response = Response::builder().status(status);
        response.body(output.to_string().into()).unwrap()
    }
}

impl State {
    fn call(&mut self, call: &str, input: &Value) -> Result<Value, &'static str> {
        match call {
            "GetItem" => Ok(match self.items.get(str(&input["Key"]["id"]["S"])) {
                Some(item) => json!({"Item": item}),
                None => json!({}),
            }),
            "PutItem" => self.put(input),
            "Scan" => Ok(self.scan(input)),
            "DeleteItem" => self.delete(input),
            "GetQueueAttributes" => Ok(json!({"Attributes": {"VisibilityTimeout": "60"}})),
            "ReceiveMessage" => Ok(json!({"Messages": std::mem::take(&mut self.messages)})),
            "DeleteMessage" => {
                let handle = str(&input["ReceiptHandle"]);
                self.calls.push(format!("delete {handle}"));
                self.failures.pop_front().map_or(Ok(json!({})), Err)
            }
            "ChangeMessageVisibilityBatch" => {
                let entries = input["Entries"].as_array().unwrap();
                let handles = entries.iter().map(|entry| {
                    assert_eq!(entry["VisibilityTimeout"], 60);
                    str(&entry["ReceiptHandle"])
                });
                let handles = handles.collect::<Vec<_>>().join(",");
                self.calls.push(format!("extend {handles}"));
                let done = json!({"Successful": [], "Failed": []});
                self.failures.pop_front().map_or(Ok(done), Err)
            }
            _ => panic!("{call}"),
        }
    }

    fn scan(&mut self, input: &Value) -> Value {
        assert_eq!(input["FilterExpression"], "received_at >= :since AND received_at < :until");
        let time = |name| str(&input["ExpressionAttributeValues"][name]["S"]);
        let window = time(":since")..time(":until");
        let items = self.items.values();
        let items = items.filter(|item| window.contains(&str(&item["received_at"]["S"])));
        let items = json!({"Items": items.cloned().collect::<Vec<_>>()});
        if let Some(other) = self.before_put.take() {
            self.items.insert(str(&other["id"]["S"]).into(), other);
        }
        items
    }

    fn delete(&mut self, input: &Value) -> Result<Value, &'static str> {
        assert_eq!(input["ConditionExpression"], "version = :version");
        let id = str(&input["Key"]["id"]["S"]);
        if self.items[id]["version"] != input["ExpressionAttributeValues"][":version"] {
            return Err("com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException");
        }
        self.items.remove(id);
        Ok(json!({}))
    }

    /// Evaluates the conditions of the module.
    fn put(&mut self, input: &Value) -> Result<Value, &'static str> {
        let item = &input["Item"];
        let id = str(&item["id"]["S"]);
        if let Some(other) = self.before_put.take() {
            self.items.insert(id.into(), other);
        }
        let version = str(&input["ExpressionAttributeValues"][":version"]["S"]);
        let stored = self.items.get(id);
        let stored = stored.and_then(|item| item["version"]["S"].as_str());
        let holds = match str(&input["ConditionExpression"]) {
            "attribute_not_exists(version) OR version < :version" => stored < Some(version),
            "version = :version" => stored == Some(version),
            other => panic!("{other}"),
        };
        if !holds {
            return Err("com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException");
        }
        self.items.insert(id.into(), item.clone());
        Ok(json!({}))
    }
}

fn str(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn record(id: &str, group: Option<&str>, attributes: &Value, body: &str) -> Value {
    let values = attributes.as_object().unwrap().iter();
    let values: Map<_, _> =
        values.map(|(name, value)| (name.clone(), json!({"stringValue": value}))).collect();
    let groups = group.map_or(json!({}), |group| json!({"MessageGroupId": group}));
    json!({"messageId": id, "receiptHandle": "", "body": body, "attributes": groups, "messageAttributes": values})
}

fn message(id: &str, group: &str) -> Value {
    json!({
        "MessageId": id,
        "ReceiptHandle": format!("handle-{id}"),
        "Body": "{}",
        "Attributes": {"MessageGroupId": group},
        "MessageAttributes": {"dedup_id": {"DataType": "String", "StringValue": id}},
    })
}

/// Returns the response to a Lambda event with these records.
async fn handle<F: AsyncFn(&Event, &[u8]) -> Result<(), Error>>(
    consumer: &Consumer<F>,
    records: &[Value],
) -> Value {
    let batch: Batch = serde_json::from_value(json!({"Records": records})).unwrap();
    consumer.handle(batch).await
}

fn failed(ids: &[&str]) -> Value {
    let failures = ids.iter().map(|id| json!({"itemIdentifier": id}));
    json!({"batchItemFailures": failures.collect::<Vec<_>>()})
}

#[tokio::test]
async fn newest_wins() {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    for case in cases {
        let (aws, calls) = (Aws::default(), RefCell::new(Vec::new()));
        if let Some(stored) = case["stored"].as_object() {
            aws.state().items = stored.clone();
        }
        let on_newest = async |event: &Event, _: &[u8]| {
            calls.borrow_mut().push(json!(event.attributes));
            Ok(())
        };
        let consumer = Consumer::new(on_newest, "newest", &aws.config());
        let deliveries = case["deliveries"].as_array().unwrap();
        for (n, delivery) in deliveries.iter().enumerate() {
            let forget = &case["forget"];
            if forget["before"] == n {
                let count = consumer.forget(str(&forget["since"]), str(&forget["until"])).await;
                assert_eq!(forget["forgotten"], count.unwrap(), "{case:#}");
            }
            let response = handle(&consumer, &[record("1", None, delivery, "{}")]).await;
            assert_eq!(response, failed(&[]), "{case:#}");
        }
        let indices = case["processed"].as_array().unwrap().iter();
        let expected: Vec<_> =
            indices.map(|n| case["deliveries"][n.as_u64().unwrap() as usize].clone()).collect();
        assert_eq!(calls.into_inner(), expected, "{case:#}");
        let newest = case["newest"].as_object().unwrap();
        let state = aws.state();
        let ids = |items: &Map<String, Value>| items.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(ids(&state.items), ids(newest), "{case:#}");
        for (id, n) in newest {
            let delivery = &case["deliveries"][n.as_u64().unwrap() as usize];
            for (name, value) in delivery.as_object().unwrap() {
                assert_eq!(state.items[id][name]["S"], *value, "{case:#}");
            }
        }
    }
}

#[tokio::test]
async fn processes_a_duplicate_if_another_event_was_stored_in_the_meantime() {
    let (aws, calls) = (Aws::default(), RefCell::new(Vec::new()));
    let on_newest = async |event: &Event, _: &[u8]| {
        calls.borrow_mut().push(event.version.clone());
        Ok(())
    };
    let consumer = Consumer::new(on_newest, "newest", &aws.config());
    let event = |received_at: &str, dedup_id: &str| {
        let attributes = json!({
            "entity": "label",
            "entity_id": "1",
            "occurred_at": "5",
            "received_at": received_at,
            "dedup_id": dedup_id,
        });
        record("1", None, &attributes, "{}")
    };
    handle(&consumer, &[event("10", "a")]).await;
    aws.state().before_put = Some(json!({"version": {"S": "5 11 b"}, "dedup_id": {"S": "b"}}));
    assert_eq!(handle(&consumer, &[event("12", "a")]).await, failed(&[]));
    assert_eq!(calls.into_inner(), ["5 10 a", "5 12 a"]);
    assert_eq!(aws.state().items["label#1"]["version"]["S"], "5 12 a");
}

#[tokio::test]
async fn does_not_forget_what_changes_meanwhile() {
    let aws = Aws::default();
    let consumer = Consumer::new(async |_: &Event, _: &[u8]| Ok(()), "newest", &aws.config());
    let attributes = json!({"received_at": "5", "dedup_id": "a"});
    handle(&consumer, &[record("1", None, &attributes, "{}")]).await;
    let newer = json!({"id": {"S": "event#a"}, "version": {"S": " 6 a"}});
    aws.state().before_put = Some(newer.clone());
    assert_eq!(consumer.forget("5", "6").await.unwrap(), 0);
    assert_eq!(aws.state().items["event#a"], newer);
}

#[tokio::test]
async fn does_not_store_an_event_that_failed() {
    let aws = Aws::default();
    let consumer =
        Consumer::new(async |_: &Event, _: &[u8]| Err("failed".into()), "newest", &aws.config());
    let records = [
        record("1", None, &json!({"dedup_id": "a"}), "{}"),
        record("other-sender", None, &json!({}), "{}"),
    ];
    assert_eq!(handle(&consumer, &records).await, failed(&["1", "other-sender"]));
    assert!(aws.state().items.is_empty());
}

#[tokio::test]
async fn a_failure_fails_the_rest_of_its_group_only() {
    let on_newest = async |event: &Event, _: &[u8]| match event.id.as_str() {
        "event#2" | "event#5" => Err("failed".into()),
        _ => Ok(()),
    };
    let consumer = Consumer::new(on_newest, "newest", &Aws::default().config());
    let groups = [Some("x"), Some("x"), Some("y"), Some("x"), None, None];
    let records: Vec<_> = ["1", "2", "3", "4", "5", "6"]
        .iter()
        .zip(groups)
        .map(|(id, group)| record(id, group, &json!({"dedup_id": id}), "{}"))
        .collect();
    assert_eq!(handle(&consumer, &records).await, failed(&["2", "4", "5"]));
}

#[tokio::test]
async fn only_extended_payload_size_makes_a_body_a_pointer() {
    let bodies = RefCell::new(Vec::new());
    let on_newest = async |_: &Event, body: &[u8]| {
        bodies.borrow_mut().push(body.to_vec());
        Ok(())
    };
    let consumer = Consumer::new(on_newest, "newest", &Aws::default().config());
    let records = [
        record("1", None, &json!({"dedup_id": "1"}), POINTER),
        record("2", None, &json!({"dedup_id": "2", "ExtendedPayloadSize": "3"}), POINTER),
        record("3", None, &json!({"dedup_id": "3", "ExtendedPayloadSize": "4"}), POINTER),
    ];
    assert_eq!(handle(&consumer, &records).await, failed(&["3"]));
    assert_eq!(bodies.into_inner(), [POINTER.as_bytes(), PAYLOAD]);
}

#[tokio::test]
async fn deletes_each_message_as_soon_as_it_is_processed() {
    let aws = Aws::default();
    aws.state().messages = vec![message("1", "g"), message("2", "other"), message("3", "g")];
    let on_newest = async |event: &Event, _: &[u8]| {
        aws.state().calls.push(format!("process {}", event.id));
        if event.id == "event#1" { Err("failed".into()) } else { Ok(()) }
    };
    let consumer = Consumer::new(on_newest, "newest", &aws.config());
    assert!(!consumer.poll("http://127.0.0.1:9/q", true).await.unwrap());
    assert_eq!(aws.state().calls, ["process event#1", "process event#2", "delete handle-2"]);
}

#[tokio::test]
async fn continues_after_a_failed_delete() {
    for error in ["com.amazonaws.sqs#ReceiptHandleIsInvalid", "InvalidParameterValue"] {
        let (aws, calls) = (Aws::default(), RefCell::new(Vec::new()));
        aws.state().messages = vec![message("1", "g"), message("2", "g")];
        aws.state().failures = [error].into();
        let on_newest = async |event: &Event, _: &[u8]| {
            calls.borrow_mut().push(event.id.clone());
            Ok(())
        };
        let consumer = Consumer::new(on_newest, "newest", &aws.config());
        assert!(!consumer.poll("http://127.0.0.1:9/q", true).await.unwrap(), "{error}");
        assert_eq!(calls.into_inner(), ["event#1", "event#2"], "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn extends_the_visibility_timeout_of_the_current_and_the_remaining_messages() {
    let aws = Aws::default();
    aws.state().messages = vec![message("1", "g"), message("2", "g"), message("3", "g")];
    let on_newest = async |event: &Event, _: &[u8]| {
        let seconds: &[u64] = match event.id.as_str() {
            "event#1" => &[15],
            "event#2" => &[4, 2, 20],
            _ => &[],
        };
        for seconds in seconds {
            sleep(Duration::from_secs(*seconds)).await;
            aws.state().calls.push(format!("{seconds} s later"));
        }
        Ok(())
    };
    let consumer = Consumer::new(on_newest, "newest", &aws.config());
    assert!(consumer.poll("http://127.0.0.1:9/q", true).await.unwrap());
    let expected = [
        "15 s later",
        "delete handle-1",
        "4 s later",
        "extend handle-2,handle-3",
        "2 s later",
        "extend handle-2,handle-3",
        "20 s later",
        "delete handle-2",
        "delete handle-3",
    ];
    assert_eq!(aws.state().calls, expected);
}

#[tokio::test(start_paused = true)]
async fn continues_after_a_failed_extension() {
    let aws = Aws::default();
    aws.state().messages = vec![message("1", "g")];
    aws.state().failures = ["InvalidParameterValue"].into();
    let on_newest = async |_: &Event, _: &[u8]| {
        sleep(Duration::from_secs(41)).await;
        Ok(())
    };
    let consumer = Consumer::new(on_newest, "newest", &aws.config());
    assert!(consumer.poll("http://127.0.0.1:9/q", true).await.unwrap());
    let expected = ["extend handle-1", "extend handle-1", "delete handle-1"];
    assert_eq!(aws.state().calls, expected);
}
