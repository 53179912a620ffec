//! Lambda's Runtime API for one function: events out, answers in, each with the moment it happened.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::{JoinHandle, spawn_local};

/// How long a function may take for anything before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(60);
const TIMEOUT_SECONDS: u64 = 15;

/// One function's Lambda.
pub(crate) struct Lambda {
    pub(crate) address: String,
    events: mpsc::UnboundedSender<Bytes>,
    happenings: mpsc::UnboundedReceiver<Happening>,
    server: JoinHandle<()>,
}

/// What a function did.
enum Happening {
    /// It asked for its next event.
    Idle,
    /// An event was handed to it.
    Handed(Instant),
    /// It answered, or said that it could not.
    Answered(Instant, String, Bytes),
}

/// An answer, and how long it took from handing over the event.
pub(crate) struct Answer {
    pub(crate) at: Instant,
    pub(crate) after: Duration,
    /// `response`, or `error`.
    pub(crate) kind: String,
    pub(crate) body: Bytes,
}

struct Desk {
    events: Mutex<mpsc::UnboundedReceiver<Bytes>>,
    happenings: mpsc::UnboundedSender<Happening>,
}

impl Lambda {
    /// Opens the API on a port of its own.
    pub(crate) async fn open() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let (events, waiting) = mpsc::unbounded_channel();
        let (told, happenings) = mpsc::unbounded_channel();
        let desk = Rc::new(Desk { events: Mutex::new(waiting), happenings: told });
        let server = spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let desk = Rc::clone(&desk);
                let service = service_fn(move |request| serve(Rc::clone(&desk), request));
                spawn_local(async move {
                    let _ =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(Self { address, events, happenings, server })
    }

    /// Hands over an event as soon as the function asks for one.
    pub(crate) fn hand(&self, event: Bytes) -> Result<()> {
        Ok(self.events.send(event)?)
    }

    /// Waits for the answer to the event that was handed over.
    pub(crate) async fn answer(&mut self) -> Result<Answer> {
        let mut handed = None;
        loop {
            match self.next().await? {
                Happening::Idle => {}
                Happening::Handed(at) => handed = Some(at),
                Happening::Answered(at, kind, body) => {
                    let handed = handed.context("it answered before it was asked")?;
                    return Ok(Answer { at, after: at - handed, kind, body });
                }
            }
        }
    }

    /// Waits until the function has nothing to do.
    pub(crate) async fn idle(&mut self) -> Result<()> {
        match self.next().await? {
            Happening::Idle => Ok(()),
            _ => bail!("it is not idle"),
        }
    }

    async fn next(&mut self) -> Result<Happening> {
        tokio::time::timeout(PATIENCE, self.happenings.recv())
            .await
            .context("the function is stuck")?
            .context("the function is gone")
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(desk: Rc<Desk>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    if request.uri().path().ends_with("/next") {
        desk.happenings.send(Happening::Idle)?;
        let event = desk.events.lock().await.recv().await;
        let event = event.context("there are no more events")?;
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis()
            + u128::from(TIMEOUT_SECONDS) * 1000;
        let response = Response::builder()
            .header("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
            .header("lambda-runtime-deadline-ms", deadline.to_string())
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:123456789012:function:relay",
            )
            .header(
                "lambda-runtime-trace-id",
                "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
            )
            .header("content-type", "application/json")
            .body(Full::new(event))?;
        desk.happenings.send(Happening::Handed(Instant::now()))?;
        return Ok(response);
    }
    let path = request.uri().path().to_owned();
    let kind = path.rsplit('/').next().unwrap_or_default().to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    desk.happenings.send(Happening::Answered(Instant::now(), kind, body))?;
    Ok(Response::builder().status(202).body(Full::default())?)
}
