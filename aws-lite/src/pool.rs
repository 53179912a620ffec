//! A pool of keep-alive HTTP/1.1 connections.

use crate::client::{HttpClient, ResponseFuture};
use crate::endpoint::host;
use crate::error::AwsError;
use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// The time limit of name lookup, TCP and TLS together, so that an attempt leaves time for another.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// An idle connection is not used after this time: a frozen Lambda instance does not notice that the peer has closed it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// The limit of idle connections to all hosts together.
const MAX_IDLE_CONNECTIONS: usize = 16;

/// Opens connections.
pub trait Connect: Send + Sync + 'static {
    /// The byte stream of a connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Opens a connection to the host of a URL.
    fn connect(&self, url: &Uri) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// An HTTP client that keeps its connections.
pub struct ConnectionPool<C> {
    connector: C,
    /// The one that was released last is at the end.
    idle: Mutex<Vec<Connection>>,
}

/// An open connection. Dropping it closes it, whatever it is doing.
struct Connection {
    origin: Origin,
    idle_since: Instant,
    sender: SendRequest<Full<Bytes>>,
    task: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Origin = (Scheme, Authority);

impl<C: Connect> ConnectionPool<C> {
    /// Returns a pool without connections.
    pub fn new(connector: C) -> Self {
        Self { connector, idle: Mutex::default() }
    }

    /// Opens a connection to the host of a URL, and keeps it for the first request there.
    ///
    /// # Errors
    /// When there is no connection within a second.
    pub async fn preconnect(&self, url: &str) -> Result<(), AwsError> {
        let url = url.parse().map_err(AwsError::invalid)?;
        let connection = self.connect(&url, origin(&url)?).await?;
        self.release(connection);
        Ok(())
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, AwsError> {
        let mut request = request.map(Full::new);
        let url = std::mem::take(request.uri_mut());
        let origin = origin(&url)?;
        to_origin_form(&mut request, &url)?;
        // A connection that the other end has closed returns the request unsent.
        while let Some(mut connection) = self.take_idle(&origin).await {
            match connection.sender.try_send_request(request).await {
                Ok(response) => return self.read(connection, response).await,
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(into_aws_error(error.into_error())),
                },
            }
        }
        let mut connection = self.connect(&url, origin).await?;
        let response = connection.sender.send_request(request).await.map_err(into_aws_error)?;
        self.read(connection, response).await
    }

    /// Reads the whole response, and releases the connection after a successful one.
    async fn read(
        &self,
        connection: Connection,
        response: Response<Incoming>,
    ) -> Result<Response<Bytes>, AwsError> {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(into_aws_error)?.to_bytes();
        // An error may be the response to a request that was not read completely. The server would take the next request
        // for the rest of it. After a server error, a new connection may also reach another server.
        if parts.status.is_success() {
            self.release(connection);
        }
        Ok(Response::from_parts(parts, body))
    }

    async fn connect(&self, url: &Uri, origin: Origin) -> Result<Connection, AwsError> {
        let connecting = async {
            let stream = self.connector.connect(url).await;
            let stream = stream.map_err(|error| AwsError::NoResponse(error.into()))?;
            handshake(TokioIo::new(stream)).await.map_err(into_aws_error)
        };
        let (sender, connection) = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|elapsed| AwsError::NoResponse(elapsed.into()))??;
        // The sender gets the error that ends a connection.
        let task = tokio::spawn(async move { drop(connection.await) }).abort_handle();
        Ok(Connection { origin, idle_since: now(), sender, task })
    }

    /// Takes an idle connection to this host that is still open.
    async fn take_idle(&self, origin: &Origin) -> Option<Connection> {
        loop {
            let mut connection = {
                let mut idle = self.idle();
                let index = idle.iter().rposition(|connection| connection.origin == *origin)?;
                idle.remove(index)
            };
            let is_old = now().duration_since(connection.idle_since) > IDLE_TIMEOUT;
            let sender = &mut connection.sender;
            if !is_old && !sender.is_closed() && sender.ready().await.is_ok() {
                return Some(connection);
            }
        }
    }

    fn release(&self, mut connection: Connection) {
        connection.idle_since = now();
        let mut idle = self.idle();
        if idle.len() >= MAX_IDLE_CONNECTIONS {
            idle.remove(0);
        }
        idle.push(connection);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        // The list is consistent after every statement, so a panic elsewhere does no harm.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Connect> HttpClient for ConnectionPool<C> {
    fn send(&self, request: Request<Bytes>) -> ResponseFuture<'_> {
        Box::pin(self.send(request))
    }
}

/// The host that a connection leads to.
fn origin(url: &Uri) -> Result<Origin, AwsError> {
    let origin = url.scheme().cloned().zip(url.authority().cloned());
    origin.ok_or_else(|| AwsError::invalid("the URL is not absolute"))
}

/// Puts the host into a header, and leaves the path and query as request target. Source:
/// <https://www.rfc-editor.org/rfc/rfc9112#name-origin-form>.
fn to_origin_form<B>(request: &mut Request<B>, url: &Uri) -> Result<(), AwsError> {
    let path = url.path_and_query().cloned();
    *request.uri_mut() = path.unwrap_or_else(|| PathAndQuery::from_static("/")).into();
    let host = host(url).map_err(AwsError::Invalid)?;
    let host = HeaderValue::from_str(host).map_err(AwsError::invalid)?;
    request.headers_mut().insert(HOST, host);
    Ok(())
}

/// Distinguishes network errors, after which another attempt may succeed, from permanent ones.
fn into_aws_error(error: hyper::Error) -> AwsError {
    let is_io = error.source().is_some_and(|cause| cause.is::<io::Error>());
    if is_io || error.is_closed() || error.is_canceled() || error.is_incomplete_message() {
        AwsError::NoResponse(error.into())
    } else {
        AwsError::Invalid(error.into())
    }
}

#[expect(clippy::disallowed_methods, reason = "tokio's clock runs its timeouts; tests pause it")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests;
