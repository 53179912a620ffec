//! The program itself under attack: thousands of requests of a stranger, each with other names and signatures, leave
//! nothing behind in its memory.

use crate::outside::{BODY, SECRET, event, webhook, with};
use crate::process::{PATIENCE, PROGRAM, Running, SETTINGS};
use crate::requests::{INVOCATION, request};
use labelbox_relay::message::Checksums;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Instant;

/// After as many requests, the program has all the memory that it needs for them.
const FIRST: usize = 1_000;
const THEN: usize = 4_000;
/// How much more it may have had in the end. A map of the webhooks' names alone is more.
const GROWTH: usize = 128 * 1024;

/// Lambda's Runtime API, Secrets Manager and SQS at one address.
struct Surroundings {
    events: Mutex<mpsc::Receiver<String>>,
    answers: mpsc::Sender<Value>,
    fetches: AtomicUsize,
}

impl Surroundings {
    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let (path, body) = request(&mut stream)?;
            let reply = if path.ends_with("/next") {
                let event = self.events.lock().unwrap().recv().ok()?;
                (INVOCATION, event)
            } else if path.ends_with("/response") {
                self.answers.send(body).ok()?;
                ("", String::new())
            } else {
                ("", self.answer(&body).to_string())
            };
            let (head, body) = reply;
            let length = body.len();
            let text = format!("HTTP/1.1 200 OK\r\n{head}Content-Length: {length}\r\n\r\n{body}");
            stream.get_mut().write_all(text.as_bytes()).ok()?;
        }
    }

    fn answer(&self, request: &Value) -> Value {
        if request.get("SecretId").is_some() {
            self.fetches.fetch_add(1, Ordering::Relaxed);
            let text = json!({"labelbox": SECRET}).to_string();
            return json!({"SecretString": text});
        }
        // Whether they are right is not for this test to say.
        let attributes = request["MessageAttributes"].as_object().unwrap();
        let confirmed = Checksums::over(
            request["MessageBody"].as_str().unwrap(),
            attributes.iter().map(|(name, attribute)| {
                let value = attribute["StringValue"].as_str().unwrap();
                (name.as_str(), "String", value.as_bytes())
            }),
        );
        json!({
            "MessageId": "message",
            "MD5OfMessageBody": confirmed.body,
            "MD5OfMessageAttributes": confirmed.attributes,
        })
    }
}

/// What a stranger sends, never the same twice, and what it is told.
fn knock(number: usize) -> (Value, u16) {
    let name = format!("{number:064}");
    let other = webhook("labelbox", &name, &format!("{BODY}{name}"));
    let long = name.repeat(160);
    match number % 4 {
        0 => (other, 401),
        1 => (webhook(&name, &name, BODY), 404),
        2 => (
            with(
                webhook(&name, &name, BODY),
                "/headers/x-hub-signature",
                json!(long),
            ),
            404,
        ),
        _ => (
            event(
                "POST",
                &format!("/{long}"),
                json!({name.as_str(): long}),
                Some(&name),
            ),
            404,
        ),
    }
}

/// The program under attack, and what it has logged.
struct Siege {
    program: Running,
    surroundings: Arc<Surroundings>,
    events: mpsc::Sender<String>,
    answers: mpsc::Receiver<Value>,
    lines: Arc<Mutex<Vec<String>>>,
    log: thread::JoinHandle<()>,
}

impl Siege {
    fn begin() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (events, waiting) = mpsc::channel();
        let (answered, answers) = mpsc::channel();
        let surroundings = Arc::new(Surroundings {
            events: Mutex::new(waiting),
            answers: answered,
            fetches: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&surroundings);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                thread::spawn(move || shared.serve(stream));
            }
        });
        let mut program = Command::new(PROGRAM)
            .env_clear()
            .envs(SETTINGS)
            .env("LABEL_QUEUE_URL", format!("http://{address}/label.fifo"))
            .env("AWS_ENDPOINT_URL", format!("http://{address}"))
            .env("AWS_LAMBDA_RUNTIME_API", &address)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(program.stdout.take().unwrap());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&lines);
        let log = thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                written.lock().unwrap().push(line);
            }
        });
        Self {
            program: Running(program),
            surroundings,
            events,
            answers,
            lines,
            log,
        }
    }

    fn check(&self, event: &Value, status: u16) {
        self.events.send(event.to_string()).unwrap();
        let answer = self.answers.recv_timeout(PATIENCE).unwrap();
        let lines = self.lines.lock().unwrap();
        assert_eq!(answer["statusCode"], status, "{:?}", lines.last());
    }

    /// Sends as many requests, and gives the most memory that the program has had, in bytes.
    fn attack(&self, numbers: Range<usize>) -> usize {
        for (event, status) in numbers.map(knock) {
            self.check(&event, status);
        }
        let status = format!("/proc/{}/status", self.program.0.id());
        let status = std::fs::read_to_string(status).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.unwrap().split_whitespace().next().unwrap();
        kib.parse::<usize>().unwrap() * 1024
    }

    /// Ends it, and gives all that it has logged.
    fn end(self) -> Vec<String> {
        drop(self.program);
        self.log.join().unwrap();
        std::mem::take(&mut self.lines.lock().unwrap())
    }
}

#[test]
#[cfg(target_os = "linux")]
fn thousands_of_strangers_leave_nothing_in_memory_and_no_error_in_the_log() {
    let siege = Siege::begin();
    let started = Instant::now();
    let genuine = webhook("labelbox", SECRET, BODY);
    siege.check(&genuine, 200);
    let before = siege.attack(0..FIRST);
    let after = siege.attack(FIRST..FIRST + THEN);
    assert!(
        after.saturating_sub(before) <= GROWTH,
        "from {before} to {after} bytes"
    );
    siege.check(&genuine, 200);
    // Its own when it started, and one for the strangers in each 30 s.
    let most = 2 + started.elapsed().as_secs() as usize / 30;
    let fetches = siege.surroundings.fetches.load(Ordering::Relaxed);
    assert!((2..=most).contains(&fetches), "{fetches}, not {most}");
    let lines = siege.end();
    assert_eq!(lines.len(), FIRST + THEN + 2);
    for line in lines {
        assert!(!line.contains("ERROR"), "{line}");
    }
}
