//! A fake HTTP client.

use crate::client::{HttpClient, ResponseFuture};
use crate::error::AwsError;
use bytes::Bytes;
use http::{Request, Response};
use std::sync::{Arc, Mutex, PoisonError};

/// Returns canned responses in order, then the last one again and again, and keeps the requests. Without any response,
/// it refuses connections.
#[derive(Clone, Default)]
pub struct Replay(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    responses: Vec<Response<Bytes>>,
    requests: Vec<Request<Bytes>>,
}

impl Replay {
    /// Returns these responses.
    pub fn new(responses: impl IntoIterator<Item = Response<Bytes>>) -> Self {
        Self(Arc::new(Mutex::new(State {
            responses: responses.into_iter().collect(),
            requests: Vec::new(),
        })))
    }

    /// Returns the requests so far.
    pub fn requests(&self) -> Vec<Request<Bytes>> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.requests.clone()
    }
}

impl HttpClient for Replay {
    fn send(&self, request: Request<Bytes>) -> ResponseFuture<'_> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let response = state.responses.get(state.requests.len());
        let response = response.or(state.responses.last()).cloned();
        state.requests.push(request);
        let result = response.ok_or_else(|| AwsError::NoResponse("connection refused".into()));
        Box::pin(std::future::ready(result))
    }
}

/// Sends requests with a closure.
impl<F, R> HttpClient for F
where
    F: Fn(Request<Bytes>) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Response<Bytes>, AwsError>> + Send + 'static,
{
    fn send(&self, request: Request<Bytes>) -> ResponseFuture<'_> {
        Box::pin(self(request))
    }
}

/// A response with this status and body.
pub fn response(status: u16, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    if let Ok(status) = status.try_into() {
        *response.status_mut() = status;
    }
    response
}
