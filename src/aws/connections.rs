//! The HTTP client under all calls: HTTP/1.1, and connections that are kept for the next request.
//!
//! The SDK's own HTTP client is made for hundreds of connections, for HTTP/2 and for proxies. An instance has one event at a
//! time and so one connection to each service; `docs/performance.md` says what the difference costs.

use super::signer::host;
use crate::deadlines::now;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind;
use http_body_util::BodyExt;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, HeaderValue};
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::fmt::Debug;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// How long a connection may take to open, TLS and all: an attempt must leave time for another.
const CONNECT_TIME_LIMIT: Duration = Duration::from_secs(1);
/// How long an idle connection counts as good. Lambda freezes an instance between two events, and while it sleeps, it
/// does not see that the other end has closed.
const IDLE_TIME_LIMIT: Duration = Duration::from_secs(60);

/// How many idle connections are kept, to all hosts together: an instance that works on several events at once has
/// several to each of three hosts.
const MAX_IDLE: usize = 16;

/// A way to open connections.
pub trait Dial: Debug + Send + Sync + 'static {
    /// What bytes go over.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Opens a connection to the host of an address.
    fn dial(&self, address: &Uri) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Connections to all hosts that were spoken to. Clones share them.
#[derive(Debug)]
pub struct Connections<D> {
    dial: Arc<D>,
    idle: Arc<Mutex<Vec<Idle>>>,
}

/// A connection that waits for its next request.
#[derive(Debug)]
struct Idle {
    origin: Origin,
    since: Instant,
    connection: Connection,
}

/// An open connection. It is closed when this is dropped, whatever it was doing.
#[derive(Debug)]
struct Connection {
    sender: SendRequest<SdkBody>,
    is_flushed: Arc<AtomicBool>,
    task: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    scheme: Scheme,
    authority: Authority,
}

impl<D> Clone for Connections<D> {
    fn clone(&self) -> Self {
        Self {
            dial: Arc::clone(&self.dial),
            idle: Arc::clone(&self.idle),
        }
    }
}

impl<D: Dial> Connections<D> {
    /// No connection yet.
    pub fn new(dial: D) -> Self {
        Self {
            dial: Arc::new(dial),
            idle: Arc::default(),
        }
    }

    /// Opens a connection to the host of an address, and keeps it for the first request there.
    ///
    /// # Errors
    /// When there is no connection within a second.
    pub async fn open(&self, address: &Uri) -> Result<(), ConnectorError> {
        let origin = Origin::of(address)?;
        let connection = self.connect(address).await?;
        self.keep(origin, connection);
        Ok(())
    }

    async fn exchange(
        &self,
        mut request: Request<SdkBody>,
    ) -> Result<HttpResponse, ConnectorError> {
        let address = std::mem::take(request.uri_mut());
        let origin = Origin::of(&address)?;
        address_to_host(&mut request, &address)?;
        // A connection that the other end has closed meanwhile gives the request back, unsent.
        while let Some(mut connection) = self.idle(&origin).await {
            match connection.sender.try_send_request(request).await {
                Ok(response) => return self.finish(origin, connection, response).await,
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(in_words_of_the_sdk(error.into_error())),
                },
            }
        }
        let mut connection = self.connect(&address).await?;
        let response = connection.sender.send_request(request).await;
        let response = response.map_err(in_words_of_the_sdk)?;
        self.finish(origin, connection, response).await
    }

    /// Reads the whole response, so that the connection is free again.
    async fn finish(
        &self,
        origin: Origin,
        connection: Connection,
        response: Response<hyper::body::Incoming>,
    ) -> Result<HttpResponse, ConnectorError> {
        let (parts, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .map_err(in_words_of_the_sdk)?
            .to_bytes();
        // After a fault of the service, another connection may lead to another server. And a response that came before
        // the request was sent leaves a connection on which the next request would wait for the rest of this one.
        if !parts.status.is_server_error() && connection.is_flushed.load(Ordering::Relaxed) {
            self.keep(origin, connection);
        }
        HttpResponse::try_from(Response::from_parts(parts, SdkBody::from(body)))
            .map_err(|error| ConnectorError::other(error.into(), None))
    }

    async fn connect(&self, address: &Uri) -> Result<Connection, ConnectorError> {
        let is_flushed = Arc::new(AtomicBool::new(true));
        let connecting = async {
            let stream = self.dial.dial(address).await;
            let stream = stream.map_err(|error| ConnectorError::io(error.into()))?;
            let stream = FlushMonitor {
                stream,
                is_flushed: Arc::clone(&is_flushed),
            };
            handshake(TokioIo::new(stream))
                .await
                .map_err(in_words_of_the_sdk)
        };
        let connected = tokio::time::timeout(CONNECT_TIME_LIMIT, connecting).await;
        let (sender, connection) =
            connected.map_err(|late| ConnectorError::timeout(late.into()))??;
        // What ends a connection is told to whoever uses it.
        let task = tokio::spawn(async move { drop(connection.await) }).abort_handle();
        Ok(Connection {
            sender,
            is_flushed,
            task,
        })
    }

    /// An idle connection to this host that is still good.
    async fn idle(&self, origin: &Origin) -> Option<Connection> {
        loop {
            let mut idle = {
                let mut waiting = self.waiting();
                let place = waiting.iter().rposition(|idle| idle.origin == *origin)?;
                waiting.swap_remove(place)
            };
            let is_old = now().duration_since(idle.since) > IDLE_TIME_LIMIT;
            let sender = &mut idle.connection.sender;
            if !is_old && !sender.is_closed() && sender.ready().await.is_ok() {
                return Some(idle.connection);
            }
        }
    }

    fn keep(&self, origin: Origin, connection: Connection) {
        let since = now();
        let mut waiting = self.waiting();
        if waiting.len() >= MAX_IDLE {
            let oldest = waiting
                .iter()
                .enumerate()
                .min_by_key(|(_, idle)| idle.since);
            if let Some((oldest, _)) = oldest {
                waiting.swap_remove(oldest);
            }
        }
        waiting.push(Idle {
            origin,
            since,
            connection,
        });
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        // The list is whole after every statement, so a panic elsewhere leaves nothing half done.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Dial> HttpConnector for Connections<D> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connections = self.clone();
        HttpConnectorFuture::new(async move {
            let request = request
                .try_into_http1x()
                .map_err(|error| ConnectorError::user(error.into()))?;
            connections.exchange(request).await
        })
    }
}

/// A stream that knows whether all that was written to it has been sent.
struct FlushMonitor<S> {
    stream: S,
    is_flushed: Arc<AtomicBool>,
}

impl<S: AsyncRead + Unpin> AsyncRead for FlushMonitor<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FlushMonitor<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.is_flushed.store(false, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.is_flushed.store(false, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() {
            self.is_flushed.store(true, Ordering::Relaxed);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Origin {
    fn of(address: &Uri) -> Result<Self, ConnectorError> {
        let (Some(scheme), Some(authority)) = (address.scheme(), address.authority()) else {
            return Err(ConnectorError::user("the address names no host".into()));
        };
        Ok(Self {
            scheme: scheme.clone(),
            authority: authority.clone(),
        })
    }
}

/// HTTP/1.1 says the host in a header, and only the path in its first line.
fn address_to_host(request: &mut Request<SdkBody>, address: &Uri) -> Result<(), ConnectorError> {
    let path = address.path_and_query().cloned();
    *request.uri_mut() = path
        .unwrap_or_else(|| PathAndQuery::from_static("/"))
        .into();
    let host = host(address).map_err(ConnectorError::user)?;
    let host = HeaderValue::from_str(host).map_err(|error| ConnectorError::user(error.into()))?;
    request.headers_mut().entry(HOST).or_insert(host);
    Ok(())
}

/// What a fault means to the SDK, for its retries depend on it.
fn in_words_of_the_sdk(error: hyper::Error) -> ConnectorError {
    let is_io = error.source().is_some_and(|cause| cause.is::<io::Error>());
    if is_io || error.is_closed() || error.is_canceled() {
        return ConnectorError::io(error.into());
    }
    if error.is_user() {
        return ConnectorError::user(error.into());
    }
    // The other end hung up in the middle of its response.
    let kind = error
        .is_incomplete_message()
        .then_some(ErrorKind::TransientError);
    ConnectorError::other(error.into(), kind)
}

#[cfg(test)]
mod tests;
