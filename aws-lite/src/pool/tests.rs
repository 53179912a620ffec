//! Which connection a request uses, over pipes in memory and on a paused clock.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::Notify;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Opens pipes to a server that keeps the requests, each with the number of its connection.
#[derive(Default)]
struct Server {
    /// `None` never responds.
    response: Mutex<Option<&'static str>>,
    requests: Mutex<Vec<(usize, String)>>,
    opened: Mutex<usize>,
    is_unreachable: bool,
    closing: Notify,
}

struct Pipes(Arc<Server>);

impl Connect for Pipes {
    type Stream = DuplexStream;

    async fn connect(&self, _: &Uri) -> io::Result<DuplexStream> {
        if self.0.is_unreachable {
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
        server.requests.lock().unwrap().push((number, text));
        let response = *server.response.lock().unwrap();
        match response {
            Some(response) => stream.write_all(response.as_bytes()).await.unwrap(),
            None => std::future::pending().await,
        }
    }
}

impl Server {
    fn new() -> Arc<Self> {
        Arc::new(Self { response: Mutex::new(Some(OK)), ..Self::default() })
    }

    fn pool(self: &Arc<Self>) -> ConnectionPool<Pipes> {
        ConnectionPool::new(Pipes(Arc::clone(self)))
    }

    /// The number of each request's connection.
    fn used(&self) -> Vec<usize> {
        let requests = self.requests.lock().unwrap();
        requests.iter().map(|(number, _)| *number).collect()
    }

    fn opened(&self) -> usize {
        *self.opened.lock().unwrap()
    }
}

async fn get(pool: &ConnectionPool<Pipes>, url: &str) -> Result<Response<Bytes>, AwsError> {
    pool.send(Request::get(url).body(Bytes::new()).unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn reuses_a_connection_for_the_same_host_only() {
    let server = Server::new();
    let pool = server.pool();
    for url in
        ["http://a/1", "http://a/2", "http://b/3", "http://a:81/4", "https://a/5", "http://a/6"]
    {
        assert_eq!(get(&pool, url).await.unwrap().body(), "ok");
    }
    assert_eq!(server.used(), [1, 1, 2, 3, 4, 1]);
}

#[tokio::test(start_paused = true)]
async fn the_host_header_is_what_is_signed() {
    let server = Server::new();
    let pool = server.pool();
    for (url, host, path) in [
        ("https://sqs.example/", "sqs.example", "/"),
        ("https://sqs.example:443/a?b=c", "sqs.example", "/a?b=c"),
        ("https://sqs.example:8443", "sqs.example:8443", "/"),
        ("http://sqs.example:80/", "sqs.example", "/"),
        ("http://[::1]:443/", "[::1]:443", "/"),
    ] {
        get(&pool, url).await.unwrap();
        let (_, request) = server.requests.lock().unwrap().pop().unwrap();
        let first_lines = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n");
        assert!(request.starts_with(&first_lines), "{request}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_request_uses_the_preconnected_connection() {
    let server = Server::new();
    let pool = server.pool();
    pool.preconnect("https://a").await.unwrap();
    assert_eq!((server.used(), server.opened()), (vec![], 1));
    get(&pool, "https://a/1").await.unwrap();
    assert_eq!((server.used(), server.opened()), (vec![1], 1));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_closed_meanwhile_fails_no_request() {
    let server = Server::new();
    let pool = server.pool();
    get(&pool, "http://a/1").await.unwrap();
    server.closing.notify_waiters();
    // The connection's task sees the end before the next request is made: both wait for the same reactor.
    tokio::time::sleep(Duration::from_millis(1)).await;
    get(&pool, "http://a/2").await.unwrap();
    assert_eq!(server.used(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn does_not_reuse_a_connection_after_a_minute() {
    let server = Server::new();
    let pool = server.pool();
    get(&pool, "http://a/1").await.unwrap();
    tokio::time::advance(Duration::from_secs(60)).await;
    get(&pool, "http://a/2").await.unwrap();
    tokio::time::advance(Duration::from_millis(60_001)).await;
    get(&pool, "http://a/3").await.unwrap();
    assert_eq!(server.used(), [1, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn reuses_a_connection_only_after_a_successful_response() {
    for (response, used) in [
        ("HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n", [1, 1]),
        ("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", [1, 2]),
        ("HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\n\r\n", [1, 2]),
    ] {
        let server = Server::new();
        let pool = server.pool();
        *server.response.lock().unwrap() = Some(response);
        get(&pool, "http://a/1").await.unwrap();
        get(&pool, "http://a/2").await.unwrap();
        assert_eq!(server.used(), used, "{response}");
    }
}

#[tokio::test(start_paused = true)]
async fn closes_the_connection_of_a_request_that_was_given_up() {
    let server = Server::new();
    let pool = server.pool();
    *server.response.lock().unwrap() = None;
    let given_up = tokio::time::timeout(Duration::from_secs(1), get(&pool, "http://a/1")).await;
    given_up.unwrap_err();
    *server.response.lock().unwrap() = Some(OK);
    get(&pool, "http://a/2").await.unwrap();
    assert_eq!(server.used(), [1, 2]);
}

/// Connects to one pipe.
struct Pipe(Mutex<Option<DuplexStream>>);

impl Connect for Pipe {
    type Stream = DuplexStream;

    async fn connect(&self, _: &Uri) -> io::Result<DuplexStream> {
        Ok(self.0.lock().unwrap().take().unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn closes_a_connection_whose_response_came_before_the_request_was_sent() {
    let (client, mut server) = duplex(1024);
    let pool = ConnectionPool::new(Pipe(Mutex::new(Some(client))));
    let body = Bytes::from(vec![b'x'; 1 << 20]);
    let responding = async {
        server.read_exact(&mut [0; 512]).await.unwrap();
        let response = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n";
        server.write_all(response.as_bytes()).await.unwrap();
    };
    let request = Request::put("http://a/").body(body.clone()).unwrap();
    let (response, ()) = tokio::join!(pool.send(request), responding);
    assert_eq!(response.unwrap().status(), 413);
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(1), server.read_to_end(&mut rest)).await;
    closed.unwrap().unwrap();
    assert!(rest.len() < body.len() / 2, "the rest of the body was sent");
}

#[tokio::test(start_paused = true)]
async fn keeps_at_most_16_idle_connections() {
    let server = Server::new();
    let pool = server.pool();
    for number in 1..=17 {
        get(&pool, &format!("http://host{number}/")).await.unwrap();
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    // Only the oldest one is gone.
    for number in (2..=17).rev() {
        get(&pool, &format!("http://host{number}/")).await.unwrap();
    }
    assert_eq!(server.opened(), 17);
    get(&pool, "http://host1/").await.unwrap();
    assert_eq!(server.opened(), 18);
}

#[tokio::test(start_paused = true)]
async fn concurrent_requests_have_a_connection_each() {
    let server = Server::new();
    let pool = server.pool();
    let (one, two) = tokio::join!(get(&pool, "http://a/1"), get(&pool, "http://a/2"));
    one.unwrap();
    two.unwrap();
    assert_eq!(server.used(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn connecting_ends_after_a_second() {
    let server = Arc::new(Server { is_unreachable: true, ..Server::default() });
    let start = now();
    let error = get(&server.pool(), "http://a/").await.unwrap_err();
    assert!(matches!(error, AwsError::NoResponse(_)), "{error:?}");
    assert!(start.elapsed() < Duration::from_millis(1010));
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_cut_off_is_no_response() {
    let server = Server::new();
    for (response, is_retryable) in [
        // Cut off in its headers, and in its body.
        ("HTTP/1.1 200 OK\r\ncontent-le", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", true),
        ("SSH-2.0-OpenSSH_9.6\r\n\r\n", false),
    ] {
        *server.response.lock().unwrap() = Some(response);
        let pool = server.pool();
        let closing = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            server.closing.notify_waiters();
        };
        let (result, ()) = tokio::join!(get(&pool, "http://a/"), closing);
        let error = result.unwrap_err();
        assert_eq!(error.is_retryable(), is_retryable, "{response:?} {error:?}");
    }
}

#[tokio::test]
async fn a_url_without_a_host_is_invalid() {
    let pool = Server::new().pool();
    let error = get(&pool, "/no/host").await.unwrap_err();
    assert!(matches!(error, AwsError::Invalid(_)), "{error:?}");
    let error = pool.preconnect("no url").await.unwrap_err();
    assert!(matches!(error, AwsError::Invalid(_)), "{error:?}");
}

/// The other end may close a connection after it was found open. No request is sent then.
#[tokio::test]
async fn a_connection_that_ends_under_a_request_is_no_response() {
    let (ours, _theirs) = duplex(64);
    let (mut sender, connection) = handshake::<_, Full<Bytes>>(TokioIo::new(ours)).await.unwrap();
    drop(connection);
    let closed = sender.ready().await.unwrap_err();
    let canceled = sender.send_request(Request::default()).await.unwrap_err();
    assert!(closed.is_closed() && canceled.is_canceled());
    for error in [closed, canceled] {
        let error = into_aws_error(error);
        assert!(matches!(error, AwsError::NoResponse(_)), "{error:?}");
    }
}
