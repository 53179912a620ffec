//! A network without a network: the relay's HTTP client over pipes in memory, so that a hanging service costs no time on
//! a paused clock.

use crate::aws::Aws;
use crate::fault::{Fault, Service};
use crate::stack::ENDPOINTS;
use crate::wire::{Stream, serve};
use aws_lite::{Connect, ConnectionPool, HttpClient};
use hyper::Uri;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// What a pipe takes before its other end reads, as a socket's buffers do.
const PIPE_BYTES: usize = 64 * 1024;

/// The way to `aws`.
pub(crate) fn network_to(aws: &Arc<Aws>) -> Arc<dyn HttpClient> {
    Arc::new(ConnectionPool::new(Network(Arc::clone(aws))))
}

/// Where connections are made.
struct Network(Arc<Aws>);

impl Connect for Network {
    type Stream = Pipe;

    async fn connect(&self, url: &Uri) -> io::Result<Pipe> {
        connect(Arc::clone(&self.0), service_at(url)).await
    }
}

fn service_at(address: &Uri) -> Service {
    let host = address.host().unwrap();
    let mut endpoints = ENDPOINTS.iter();
    endpoints
        .find_map(|(_, url, service)| url.ends_with(host).then_some(*service))
        .unwrap()
}

async fn connect(aws: Arc<Aws>, service: Service) -> io::Result<Pipe> {
    match aws.fault_of_connection(service) {
        Some(Fault::Refused) => return Err(io::ErrorKind::ConnectionRefused.into()),
        Some(_) => std::future::pending().await,
        None => {}
    }
    let (ours, theirs) = Pipe::pair();
    tokio::spawn(serve(theirs, aws, service));
    Ok(ours)
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
