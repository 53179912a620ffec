//! A network without a network: the SDK's HTTP client over pipes in memory, so that a hanging service costs no time on
//! a paused clock.

use crate::aws::Aws;
use crate::fault::{Fault, Service};
use crate::stack::ENDPOINTS;
use crate::wire::{Stream, serve};
use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind;
use hyper::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection, capture_connection};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// What a pipe takes before its other end reads, as a socket's buffers do.
const PIPE_BYTES: usize = 64 * 1024;

/// The way to `aws` for the SDK's clients.
pub(crate) fn network_to(aws: &Arc<Aws>) -> SharedHttpClient {
    SharedHttpClient::new(Network {
        aws: Arc::clone(aws),
        connector: OnceLock::new(),
    })
}

/// Keeps connections between calls, as the SDK's own client does.
#[derive(Debug)]
struct Network {
    aws: Arc<Aws>,
    connector: OnceLock<SharedHttpConnector>,
}

impl HttpClient for Network {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connector = self.connector.get_or_init(|| {
            let plug = Plug {
                aws: Arc::clone(&self.aws),
                time_limit: settings.connect_timeout().unwrap_or(Duration::MAX),
            };
            let client = Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .build(plug);
            SharedHttpConnector::new(Line(client))
        });
        connector.clone()
    }
}

/// One HTTP client.
#[derive(Debug)]
struct Line(Client<Plug, SdkBody>);

impl HttpConnector for Line {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = request.try_into_http1x().unwrap();
        let captured = capture_connection(&mut request);
        if let Some(slot) = request.extensions().get::<CaptureSmithyConnection>() {
            // After some faults the SDK does not want to see this connection again.
            slot.set_connection_retriever(move || {
                captured.connection_metadata().as_ref()?;
                let captured = captured.clone();
                let poison = move || {
                    if let Some(connection) = captured.connection_metadata().as_ref() {
                        connection.poison();
                    }
                };
                let metadata = ConnectionMetadata::builder().poison_fn(poison);
                Some(metadata.proxied(false).build())
            });
        }
        let answer = self.0.request(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await.map_err(in_words_of_the_sdk)?;
            HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Sorts errors as aws-smithy-http-client does, for its retries depend on it.
fn in_words_of_the_sdk(error: Error) -> ConnectorError {
    let mut causes = Vec::<&(dyn std::error::Error + 'static)>::from([&error as _]);
    while let Some(cause) = causes.last().and_then(|last| last.source()) {
        causes.push(cause);
    }
    let io = causes
        .iter()
        .find_map(|cause| cause.downcast_ref::<io::Error>());
    let http = causes
        .iter()
        .find_map(|cause| cause.downcast_ref::<hyper::Error>());
    if io.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
        return ConnectorError::timeout(error.into());
    }
    let is_gone = http.is_some_and(|error| error.is_closed() || error.is_canceled());
    if io.is_some() || is_gone || error.is_connect() {
        return ConnectorError::io(error.into());
    }
    let is_cut = http.is_some_and(hyper::Error::is_incomplete_message);
    ConnectorError::other(error.into(), is_cut.then_some(ErrorKind::TransientError))
}

/// Where connections are made.
#[derive(Debug, Clone)]
struct Plug {
    aws: Arc<Aws>,
    time_limit: Duration,
}

impl tower_service::Service<Uri> for Plug {
    type Response = TokioIo<Pipe>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Pipe>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let Self { aws, time_limit } = self.clone();
        Box::pin(async move {
            let connection = connect(aws, service_at(&address));
            tokio::time::timeout(time_limit, connection)
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
        })
    }
}

fn service_at(address: &Uri) -> Service {
    let host = address.host().unwrap();
    let mut endpoints = ENDPOINTS.iter();
    endpoints
        .find_map(|(_, url, service)| url.ends_with(host).then_some(*service))
        .unwrap()
}

async fn connect(aws: Arc<Aws>, service: Service) -> io::Result<TokioIo<Pipe>> {
    match aws.fault_of_connection(service) {
        Some(Fault::Refused) => return Err(io::ErrorKind::ConnectionRefused.into()),
        Some(_) => std::future::pending().await,
        None => {}
    }
    let (ours, theirs) = Pipe::pair();
    tokio::spawn(serve(theirs, aws, service));
    Ok(TokioIo::new(ours))
}

/// An end of a connection in memory.
#[derive(Debug)]
pub(crate) struct Pipe {
    stream: DuplexStream,
    is_reset: Arc<AtomicBool>,
}

impl Pipe {
    fn pair() -> (Self, Self) {
        let is_reset = Arc::new(AtomicBool::new(false));
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let end = |stream| Self {
            stream,
            is_reset: Arc::clone(&is_reset),
        };
        (end(ours), end(theirs))
    }
}

impl Stream for Pipe {
    fn reset(self) {
        self.is_reset.store(true, Ordering::Relaxed);
    }
}

impl Connection for Pipe {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let is_end = read.is_ready() && buffer.filled().len() == before;
        if is_end && self.is_reset.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        read
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
