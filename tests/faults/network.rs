//! An in-memory network for the relay's HTTP client. With a paused clock, waiting for a service that hangs takes no time.

use crate::aws::FakeAws;
use crate::fault::{Fault, Service};
use crate::fixture::ENDPOINTS;
use crate::http::{Stream, serve};
use aws_lite::{Connect, ConnectionPool, HttpClient};
use hyper::Uri;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// The size of a pipe's buffer, which stands for those of a socket.
const PIPE_BYTES: usize = 64 * 1024;

/// An HTTP client that connects to `aws`.
pub(crate) fn network_to(aws: &Arc<FakeAws>) -> Arc<dyn HttpClient> {
    Arc::new(ConnectionPool::new(Network(Arc::clone(aws))))
}

/// Connects to a fake AWS.
struct Network(Arc<FakeAws>);

impl Connect for Network {
    type Stream = Pipe;

    async fn connect(&self, url: &Uri) -> io::Result<Pipe> {
        connect(Arc::clone(&self.0), service_at(url)).await
    }
}

fn service_at(address: &Uri) -> Service {
    let host = address.host().unwrap();
    let mut endpoints = ENDPOINTS.iter();
    endpoints.find_map(|(_, url, service)| url.ends_with(host).then_some(*service)).unwrap()
}

async fn connect(aws: Arc<FakeAws>, service: Service) -> io::Result<Pipe> {
    match aws.fault_of_connection(service) {
        Some(Fault::ConnectionRefused) => return Err(io::ErrorKind::ConnectionRefused.into()),
        Some(_) => std::future::pending().await,
        None => {}
    }
    let (client, server) = Pipe::pair();
    tokio::spawn(serve(server, aws, service));
    Ok(client)
}

/// One end of an in-memory connection.
#[derive(Debug)]
pub(crate) struct Pipe {
    stream: DuplexStream,
    is_reset: Arc<AtomicBool>,
}

impl Pipe {
    fn pair() -> (Self, Self) {
        let is_reset = Arc::new(AtomicBool::new(false));
        let (client, server) = tokio::io::duplex(PIPE_BYTES);
        let end = |stream| Self { stream, is_reset: Arc::clone(&is_reset) };
        (end(client), end(server))
    }
}

impl Stream for Pipe {
    fn reset(self) {
        self.is_reset.store(true, Ordering::Relaxed);
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
