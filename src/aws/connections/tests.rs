//! Which connection a request goes over, on pipes in memory and a clock that does not wait.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(
    clippy::disallowed_methods,
    reason = "on a paused clock, time is what the test makes of it"
)]

use super::*;
use crate::aws::Services;
use crate::config::offline;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use std::time::SystemTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::Notify;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Opens pipes to a server that keeps what it is asked, with the number of the connection.
#[derive(Debug, Default)]
struct Server {
    answer: Mutex<Option<&'static str>>,
    asked: Mutex<Vec<(usize, String)>>,
    opened: Mutex<usize>,
    is_hanging: bool,
    /// Answers what it reads first, and reads no more.
    reads_once: Mutex<bool>,
    closing: Notify,
}

#[derive(Debug, Clone)]
struct Pipes(Arc<Server>);

impl Dial for Pipes {
    type Stream = DuplexStream;

    async fn dial(&self, _: &Uri) -> io::Result<DuplexStream> {
        if self.0.is_hanging {
            std::future::pending().await
        }
        let (ours, theirs) = duplex(1024);
        let number = {
            let mut opened = self.0.opened.lock().unwrap();
            *opened += 1;
            *opened
        };
        tokio::spawn(serve(Arc::clone(&self.0), number, theirs));
        Ok(ours)
    }
}

async fn serve(server: Arc<Server>, number: usize, mut stream: DuplexStream) {
    let mut buffer = [0; 1024];
    loop {
        let read = tokio::select! {
            read = stream.read(&mut buffer) => read.unwrap(),
            () = server.closing.notified() => return,
        };
        if read == 0 {
            return;
        }
        let text = String::from_utf8_lossy(buffer.get(..read).unwrap()).into_owned();
        server.asked.lock().unwrap().push((number, text));
        let answer = *server.answer.lock().unwrap();
        match answer {
            Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
            None => std::future::pending().await,
        }
        if *server.reads_once.lock().unwrap() {
            std::future::pending().await
        }
    }
}

fn server() -> Arc<Server> {
    Arc::new(Server {
        answer: Mutex::new(Some(OK)),
        ..Server::default()
    })
}

fn over(server: &Arc<Server>) -> Connections<Pipes> {
    Connections::new(Pipes(Arc::clone(server)))
}

async fn get(
    connections: &Connections<Pipes>,
    address: &str,
) -> Result<HttpResponse, ConnectorError> {
    connections.call(HttpRequest::get(address).unwrap()).await
}

fn used(server: &Server) -> Vec<usize> {
    let asked = server.asked.lock().unwrap();
    asked.iter().map(|(number, _)| *number).collect()
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_used_again_by_the_same_host_alone() {
    let server = server();
    let connections = over(&server);
    for address in [
        "http://a/1",
        "http://a/2",
        "http://b/3",
        "http://a:81/4",
        "https://a/5",
        "http://a/6",
    ] {
        let answer = get(&connections, address).await.unwrap();
        assert_eq!(answer.body().bytes(), Some(&b"ok"[..]));
    }
    assert_eq!(used(&server), [1, 1, 2, 3, 4, 1]);
}

#[tokio::test(start_paused = true)]
async fn the_host_is_said_as_it_was_signed() {
    let server = server();
    let connections = over(&server);
    for (address, host, path) in [
        ("https://sqs.example/", "sqs.example", "/"),
        ("https://sqs.example:443/a?b=c", "sqs.example", "/a?b=c"),
        ("https://sqs.example:8443", "sqs.example:8443", "/"),
        ("http://sqs.example:80/", "sqs.example", "/"),
        ("http://[::1]:443/", "[::1]:443", "/"),
    ] {
        get(&connections, address).await.unwrap();
        let (_, asked) = server.asked.lock().unwrap().pop().unwrap();
        let first = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n");
        assert!(asked.starts_with(&first), "{asked}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_opened_ahead_is_the_first_to_be_used() {
    let server = server();
    let connections = over(&server);
    connections
        .open(&Uri::from_static("https://a/"))
        .await
        .unwrap();
    assert_eq!((used(&server), *server.opened.lock().unwrap()), (vec![], 1));
    get(&connections, "https://a/1").await.unwrap();
    assert_eq!(
        (used(&server), *server.opened.lock().unwrap()),
        (vec![1], 1)
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_message_finds_its_connection_open() {
    let server = server();
    let connections = over(&server);
    let http = SharedHttpConnector::new(connections.clone());
    let services = Services::over(&offline(), &http, || SystemTime::UNIX_EPOCH);
    services.connect_ahead(&connections).await;
    assert_eq!(*server.opened.lock().unwrap(), 1);
    let queues = services.sqs.address().await.unwrap();
    get(&connections, queues).await.unwrap();
    assert_eq!(*server.opened.lock().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_closed_meanwhile_costs_no_request() {
    let server = server();
    let connections = over(&server);
    get(&connections, "http://a/1").await.unwrap();
    server.closing.notify_waiters();
    // Whatever has come in is seen before the next event is: both come from the same look at the network.
    tokio::time::sleep(Duration::from_millis(1)).await;
    get(&connections, "http://a/2").await.unwrap();
    assert_eq!(used(&server), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_idle_for_a_minute_is_left_alone() {
    let server = server();
    let connections = over(&server);
    get(&connections, "http://a/1").await.unwrap();
    tokio::time::advance(IDLE_TIME_LIMIT).await;
    get(&connections, "http://a/2").await.unwrap();
    tokio::time::advance(IDLE_TIME_LIMIT + Duration::from_millis(1)).await;
    get(&connections, "http://a/3").await.unwrap();
    assert_eq!(used(&server), [1, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn after_a_fault_of_the_service_another_connection_is_used() {
    let server = server();
    let connections = over(&server);
    for answer in [
        "HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
        OK,
    ] {
        *server.answer.lock().unwrap() = Some(answer);
        get(&connections, "http://a/").await.unwrap();
    }
    assert_eq!(used(&server), [1, 2, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_given_up_takes_its_connection_along() {
    let server = server();
    let connections = over(&server);
    *server.answer.lock().unwrap() = None;
    let late = tokio::time::timeout(Duration::from_secs(1), get(&connections, "http://a/1")).await;
    late.unwrap_err();
    *server.answer.lock().unwrap() = Some(OK);
    get(&connections, "http://a/2").await.unwrap();
    assert_eq!(used(&server), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn closes_a_connection_whose_response_came_before_the_request_was_sent() {
    let server = server();
    let connections = over(&server);
    // The server reads 1 KiB and answers; the pipe holds another, and the rest is not sent.
    let mut request = HttpRequest::new(SdkBody::from(vec![b'x'; 10_000]));
    request.set_method("PUT").unwrap();
    request.set_uri("http://a/1").unwrap();
    *server.reads_once.lock().unwrap() = true;
    let response = connections.call(request).await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    *server.reads_once.lock().unwrap() = false;
    let next = tokio::time::timeout(Duration::from_secs(1), get(&connections, "http://a/2")).await;
    next.unwrap().unwrap();
    assert_eq!(used(&server), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn keeps_a_limited_number_of_idle_connections() {
    let server = server();
    let connections = over(&server);
    let addresses: Vec<_> = (0..=MAX_IDLE).map(|n| format!("http://host{n}/")).collect();
    for address in &addresses {
        get(&connections, address).await.unwrap();
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    assert_eq!(connections.waiting().len(), MAX_IDLE);
    // The oldest one is gone.
    let opened = || *server.opened.lock().unwrap();
    let before = opened();
    get(&connections, addresses.last().unwrap()).await.unwrap();
    assert_eq!(opened(), before);
    get(&connections, addresses.first().unwrap()).await.unwrap();
    assert_eq!(opened(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn requests_side_by_side_have_a_connection_each() {
    let server = server();
    let connections = over(&server);
    let (one, two) = tokio::join!(
        get(&connections, "http://a/1"),
        get(&connections, "http://a/2")
    );
    one.unwrap();
    two.unwrap();
    assert_eq!(used(&server), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_answer_is_given_up_in_time() {
    let server = Arc::new(Server {
        is_hanging: true,
        ..Server::default()
    });
    let started = Instant::now();
    let error = get(&over(&server), "http://a/").await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert!(started.elapsed() < CONNECT_TIME_LIMIT + Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_is_an_error_that_the_sdk_understands() {
    let server = server();
    for (answer, is_transient) in [
        // Cut off in its headers, and in its body.
        ("HTTP/1.1 200 OK\r\ncontent-le", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", true),
        ("SSH-2.0-OpenSSH_9.6\r\n\r\n", false),
    ] {
        *server.answer.lock().unwrap() = Some(answer);
        let connections = over(&server);
        let closing = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            server.closing.notify_waiters();
        };
        let (error, ()) = tokio::join!(get(&connections, "http://a/"), closing);
        let error = error.unwrap_err();
        let is_retried = error.is_io() || error.as_other() == Some(ErrorKind::TransientError);
        assert_eq!(is_retried, is_transient, "{answer:?} {error:?}");
    }
    let error = get(&over(&server), "/no/host").await.unwrap_err();
    assert!(error.is_user(), "{error:?}");
}

/// Between the look at a connection and its use the other end may close it. No request went out then.
#[tokio::test]
async fn a_connection_that_ends_under_a_request_is_a_fault_of_the_network() {
    let (ours, _theirs) = duplex(64);
    let (mut sender, connection) = handshake::<_, SdkBody>(TokioIo::new(ours)).await.unwrap();
    drop(connection);
    let closed = sender.ready().await.unwrap_err();
    let request = Request::new(SdkBody::empty());
    let canceled = sender.send_request(request).await.unwrap_err();
    assert!(closed.is_closed() && canceled.is_canceled());
    for error in [closed, canceled] {
        let error = in_words_of_the_sdk(error);
        assert!(error.is_io(), "{error:?}");
    }
}
