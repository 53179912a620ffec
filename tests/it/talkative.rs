//! The program itself at its most talkative. In this build, unlike in a release, all lines of the libraries are compiled
//! in, those that write whole events and secrets among them.

use crate::canaries::{ACCESS_KEY, BODY, HEADER, SECRET, TOKEN, shown_in};
use crate::outside::{event, sha1, sha256};
use crate::process::{PATIENCE, PROGRAM, SETTINGS};
use crate::requests::{INVOCATION, request};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};

/// The way to everything outside: Lambda, and an AWS that has a secret and refuses all else.
struct Outside {
    secret: String,
    events: Mutex<VecDeque<Value>>,
    done: Sender<()>,
}

#[test]
fn nothing_is_told_that_must_not_be_however_talkative_all_are() {
    assert_eq!(STATIC_MAX_LEVEL, LevelFilter::TRACE, "a release is silent");
    let value = |text: &str| json!({"Name": "relay", "SecretString": text}).to_string();
    let good = value(&json!({"labelbox": SECRET}).to_string());
    for (secret, statuses) in [
        (good.clone(), [503, 401, 404, 503]),
        (value(SECRET), [503, 401, 401, 503]),
        (value(&format!(r#"{{"labelbox": "{SECRET}"#)), [503; 4]),
        (good[..good.len() - 1].to_owned(), [503; 4]),
    ] {
        let told = all_that_is_told(secret);
        let told_of: Vec<_> = statuses
            .iter()
            .filter(|status| told.contains(&format!("\"status\":{status},")))
            .collect();
        assert_eq!(told_of.len(), statuses.len(), "{told}");
        assert_eq!(
            told.matches("\"status\":").count(),
            statuses.len(),
            "{told}"
        );
        assert_eq!(shown_in(&told), None, "{told}");
    }
}

/// Sends an event that cannot be stored, a forged one, one for nobody and an unreadable one, and gives what the program
/// writes meanwhile.
fn all_that_is_told(secret: String) -> String {
    let (done, is_done) = channel();
    let headers = json!({
        "content-type": "application/json",
        "cookie": HEADER,
        "x-labelbox-event": "LABEL_CREATED",
        "x-hub-signature": sha1(SECRET, BODY.as_bytes()),
        "x-hub-signature-256": sha256(SECRET, BODY.as_bytes()),
    });
    let label = |path: &str, headers: &Value| event("POST", path, headers.clone(), Some(BODY));
    let mut forged = headers.clone();
    forged["x-hub-signature"] = json!(format!("sha1={HEADER}"));
    forged["x-labelbox-id"] = json!(HEADER);
    forged["x-labelbox-event"] = json!(HEADER);
    let outside = Arc::new(Outside {
        secret,
        events: Mutex::new(VecDeque::from([
            label("/webhooks/labelbox", &headers),
            label("/webhooks/labelbox", &forged),
            label("/webhooks/nobody", &forged),
            label("/webhooks/labelbox", &json!([HEADER, SECRET])),
        ])),
        done,
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let outside = Arc::clone(&outside);
            thread::spawn(move || outside.answer(connection.unwrap()));
        }
    });
    let mut program = Command::new(PROGRAM)
        .env_clear()
        .envs(SETTINGS)
        .env("LOG_LEVEL", "trace")
        .env("RUST_LOG", "trace")
        .env("AWS_LAMBDA_LOG_LEVEL", "trace")
        .env("AWS_SECRET_ACCESS_KEY", ACCESS_KEY)
        .env("AWS_SESSION_TOKEN", TOKEN)
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_ENDPOINT_URL", format!("http://{address}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ended = is_done.recv_timeout(PATIENCE);
    program.kill().unwrap();
    let output = program.wait_with_output().unwrap();
    ended.unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

impl Outside {
    /// Answers the one request of a connection.
    fn answer(&self, connection: TcpStream) {
        let mut connection = BufReader::new(connection);
        // One connection is opened ahead, and may never be used.
        let Some((path, asked)) = request(&mut connection) else {
            return;
        };
        let (status, head, body) = if path.ends_with("/invocation/next") {
            let Some(event) = self.events.lock().unwrap().pop_front() else {
                self.done.send(()).unwrap();
                return thread::park();
            };
            (200, INVOCATION, event.to_string())
        } else if asked.get("SecretId").is_some() {
            (200, "", self.secret.clone())
        } else if asked.get("QueueUrl").is_some() {
            (
                400,
                "",
                json!({"__type": "InvalidMessageContents", "message": "not so"}).to_string(),
            )
        } else if path.starts_with("/2018-06-01/") {
            (202, "", String::new())
        } else {
            (
                403,
                "",
                "<Error><Code>AccessDenied</Code><Message>no</Message></Error>".to_owned(),
            )
        };
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} Any\r\n{head}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let stream = connection.get_mut();
        stream.write_all(answer.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        // What is left of the request must be read, or the other end would see a reset.
        let _ = connection.read_to_end(&mut Vec::new());
    }
}
