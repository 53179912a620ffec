//! The program itself: how it refuses to start, and that it takes several events at once where Lambda says so.

use crate::requests::request;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_labelbox-relay");
/// How long a healthy program may take for anything; a broken one makes the test wait so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const SETTINGS: [(&str, &str); 14] = [
    ("SECRET_ARN", "relay-secret"),
    ("PAYLOAD_BUCKET", "relay-payloads"),
    ("LABEL_QUEUE_URL", "http://127.0.0.1:9/label.fifo"),
    ("WORKFLOW_QUEUE_URL", "http://127.0.0.1:9/workflow.fifo"),
    ("REVIEW_QUEUE_URL", "http://127.0.0.1:9/review.fifo"),
    ("MODEL_RUN_QUEUE_URL", "http://127.0.0.1:9/model-run.fifo"),
    ("UNROUTED_QUEUE_URL", "http://127.0.0.1:9/unrouted.fifo"),
    ("AWS_REGION", "eu-west-1"),
    ("AWS_ACCESS_KEY_ID", "test"),
    ("AWS_SECRET_ACCESS_KEY", "test"),
    ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
    ("AWS_LAMBDA_FUNCTION_NAME", "relay"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
];

#[test]
fn wrong_settings_stop_the_start_with_one_line_that_names_them_all() {
    let output = Command::new(PROGRAM)
        .env_clear()
        .envs(SETTINGS)
        .env_remove("SECRET_ARN")
        .env("LABEL_QUEUE_URL", "somewhere")
        .env("SECRET_TTL_SECONDS", "soon")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<_> = output.stdout.lines().map(Result::unwrap).collect();
    let [line] = lines.as_slice() else {
        panic!("{lines:?}")
    };
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (&line["level"], &line["message"]),
        (&"ERROR".into(), &"start failed".into())
    );
    let error = line["error"].as_str().unwrap();
    for name in ["SECRET_ARN", "LABEL_QUEUE_URL", "SECRET_TTL_SECONDS"] {
        assert!(error.contains(name), "{error}");
    }
    assert!(!error.contains("WORKFLOW_QUEUE_URL"), "{error}");
}

/// Ends the program when the test does, well or not.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn several_events_are_taken_at_once_where_lambda_says_so() {
    let runtime_api = TcpListener::bind("127.0.0.1:0").unwrap();
    let _running = Running(
        Command::new(PROGRAM)
            .env_clear()
            .envs(SETTINGS)
            .env(
                "AWS_LAMBDA_RUNTIME_API",
                runtime_api.local_addr().unwrap().to_string(),
            )
            .env("AWS_LAMBDA_MAX_CONCURRENCY", "2")
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let (connected, connections) = mpsc::channel();
    thread::spawn(move || {
        runtime_api
            .incoming()
            .try_for_each(|connection| connected.send(connection.unwrap()))
    });
    // Neither gets its event before both have asked for one.
    let mut first = asked_for_an_event(&connections);
    let mut second = asked_for_an_event(&connections);
    for (connection, id) in [(&mut first, "first"), (&mut second, "second")] {
        give_event(connection, id);
        let (path, answer) = request(connection).unwrap();
        assert_eq!(
            path,
            format!("/2018-06-01/runtime/invocation/{id}/response")
        );
        assert_eq!(answer["statusCode"], 200);
    }
}

fn asked_for_an_event(connections: &mpsc::Receiver<TcpStream>) -> BufReader<TcpStream> {
    let connection = connections.recv_timeout(PATIENCE).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut connection = BufReader::new(connection);
    assert_eq!(
        request(&mut connection).unwrap().0,
        "/2018-06-01/runtime/invocation/next"
    );
    connection
}

fn give_event(connection: &mut BufReader<TcpStream>, id: &str) {
    let event = r#"{"rawPath":"/health","requestContext":{"http":{"method":"GET"}}}"#;
    let length = event.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: {id}\r\nLambda-Runtime-Deadline-Ms: 1\r\n\
         Lambda-Runtime-Invoked-Function-Arn: arn\r\nContent-Length: {length}\r\n\r\n"
    );
    connection
        .get_mut()
        .write_all(format!("{head}{event}").as_bytes())
        .unwrap();
}
