//! Runs the relay's binary with a fake Lambda Runtime API and fake AWS services.

use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_labelbox-relay");
/// Far more than a working process needs. Only a broken one makes a test wait this long.
const TIMEOUT: Duration = Duration::from_secs(20);
const SETTINGS: [(&str, &str); 14] = [
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
/// The headers of an invocation, with a deadline in the year 2100.
const INVOCATION_HEADERS: &str = "Lambda-Runtime-Aws-Request-Id: request\r\n\
    Lambda-Runtime-Deadline-Ms: 4102444800000\r\nLambda-Runtime-Invoked-Function-Arn: arn\r\n";

struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The relay with the default settings. Under cargo-llvm-cov, it writes its counters when it ends by itself.
fn relay() -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().envs(SETTINGS);
    command.envs(std::env::vars_os().filter(|(name, _)| name == "LLVM_PROFILE_FILE"));
    command
}

/// A running relay. One local server is its Runtime API and all its AWS services.
pub(crate) struct Process {
    child: KillOnDrop,
    events: mpsc::Sender<String>,
    responses: mpsc::Receiver<Value>,
    output: File,
}

impl Process {
    /// Starts the relay with `env` in addition to the default settings.
    ///
    /// `aws` returns the status and the body of the response to a request to an AWS service. Its argument is the request
    /// body, or `null` if that is not JSON.
    pub(crate) fn start(
        env: &[(&str, &str)],
        aws: impl Fn(&Value) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (events, next_events) = mpsc::channel();
        let (responded, responses) = mpsc::channel();
        let server =
            Arc::new(Server { events: Mutex::new(next_events), responses: responded, aws });
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let server = Arc::clone(&server);
                thread::spawn(move || server.serve(connection));
            }
        });
        let output = tempfile::tempfile().unwrap();
        let child = relay()
            .env("AWS_ENDPOINT_URL", format!("http://{address}"))
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .envs(env.iter().copied())
            .stdout(output.try_clone().unwrap())
            .stderr(output.try_clone().unwrap())
            .spawn()
            .unwrap();
        Self { child: KillOnDrop(child), events, responses, output }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.0.id()
    }

    /// Invokes the function, and returns its response.
    pub(crate) fn invoke(&self, event: &Value) -> Value {
        self.events.send(event.to_string()).unwrap();
        self.responses.recv_timeout(TIMEOUT).unwrap()
    }

    /// Stops the process, and returns what it wrote to standard output and standard error.
    pub(crate) fn stop(self) -> String {
        let Self { child, mut output, .. } = self;
        drop(child);
        let mut text = String::new();
        output.rewind().unwrap();
        output.read_to_string(&mut text).unwrap();
        text
    }
}

struct Server<F> {
    events: Mutex<mpsc::Receiver<String>>,
    responses: mpsc::Sender<Value>,
    aws: F,
}

impl<F: Fn(&Value) -> (u16, String)> Server<F> {
    /// Responds to the requests of a connection until the relay or the test ends it.
    fn serve(&self, connection: TcpStream) -> Option<()> {
        let mut connection = BufReader::new(connection);
        loop {
            let (path, body) = read_request(&mut connection)?;
            let (status, headers, body) = if path.ends_with("/invocation/next") {
                let event = self.events.lock().unwrap().recv().ok()?;
                (200, INVOCATION_HEADERS, event)
            } else if path.starts_with("/2018-06-01/runtime/invocation/") {
                self.responses.send(body).ok()?;
                (202, "", String::new())
            } else {
                let (status, body) = (self.aws)(&body);
                (status, "", body)
            };
            write_response(&mut connection, status, headers, &body)?;
        }
    }
}

/// Reads the path and the JSON body of a request. Returns `None` at the end of the connection.
fn read_request(stream: &mut BufReader<TcpStream>) -> Option<(String, Value)> {
    let mut lines = stream.by_ref().lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let headers: Vec<String> = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .map(|line| line.to_lowercase())
        .collect();
    let is_chunked = headers.iter().any(|header| header == "transfer-encoding: chunked");
    let mut body = Vec::new();
    if is_chunked {
        let mut line = String::new();
        while stream.read_line(&mut line).ok()? > 0 {
            let length = usize::from_str_radix(line.trim(), 16).ok()?;
            let mut chunk = vec![0; length + 2];
            stream.read_exact(&mut chunk).ok()?;
            body.extend(chunk.iter().take(length));
            if length == 0 {
                break;
            }
            line.clear();
        }
    } else {
        let length =
            headers.iter().find_map(|header| header.strip_prefix("content-length: ")?.parse().ok());
        body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body).ok()?;
    }
    Some((path, serde_json::from_slice(&body).unwrap_or_default()))
}

fn write_response(
    stream: &mut BufReader<TcpStream>,
    status: u16,
    headers: &str,
    body: &str,
) -> Option<()> {
    let length = body.len();
    let text = format!("HTTP/1.1 {status} Any\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
    stream.get_mut().write_all(text.as_bytes()).ok()
}

#[test]
fn invalid_settings_stop_the_start_with_one_line_that_names_them_all() {
    let output = relay()
        .env_remove("SECRET_ARN")
        .env("LABEL_QUEUE_URL", "somewhere")
        .env("SECRET_TTL_SECONDS", "soon")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<_> = output.stdout.lines().map(Result::unwrap).collect();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!((&line["level"], &line["message"]), (&"ERROR".into(), &"start failed".into()));
    let error = line["error"].as_str().unwrap();
    for name in ["SECRET_ARN", "LABEL_QUEUE_URL", "SECRET_TTL_SECONDS"] {
        assert!(error.contains(name), "{error}");
    }
    assert!(!error.contains("WORKFLOW_QUEUE_URL"), "{error}");
}

#[test]
fn an_unreachable_runtime_api_ends_the_process_with_an_error() {
    let output = relay().env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let messages: Vec<_> = lines.map(|line| line["message"].clone()).collect();
    assert_eq!(messages, ["secret could not be fetched", "start failed"], "{text}");
}

#[test]
fn handles_invocations_concurrently_if_lambda_allows_it() {
    let runtime_api = TcpListener::bind("127.0.0.1:0").unwrap();
    let _process = KillOnDrop(
        relay()
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api.local_addr().unwrap().to_string())
            .env("AWS_LAMBDA_MAX_CONCURRENCY", "2")
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let (connected, connections) = mpsc::channel();
    thread::spawn(move || {
        runtime_api.incoming().try_for_each(|connection| connected.send(connection.unwrap()))
    });
    // The relay polls for the second invocation before it has the first one.
    let mut first = accept_poll(&connections);
    let mut second = accept_poll(&connections);
    for (connection, id) in [(&mut first, "first"), (&mut second, "second")] {
        let headers = INVOCATION_HEADERS.replace("Id: request", &format!("Id: {id}"));
        let event = r#"{"rawPath":"/health","requestContext":{"http":{"method":"GET"}}}"#;
        write_response(connection, 200, &headers, event).unwrap();
        let (path, response) = read_request(connection).unwrap();
        assert_eq!(path, format!("/2018-06-01/runtime/invocation/{id}/response"));
        assert_eq!(response["statusCode"], 200);
    }
}

/// Accepts a connection, and reads the request for the next invocation from it.
fn accept_poll(connections: &mpsc::Receiver<TcpStream>) -> BufReader<TcpStream> {
    let connection = connections.recv_timeout(TIMEOUT).unwrap();
    connection.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut connection = BufReader::new(connection);
    assert_eq!(read_request(&mut connection).unwrap().0, "/2018-06-01/runtime/invocation/next");
    connection
}
