//! A minimal HTTP/1.1 server over any byte stream, written by hand because a library cannot stop in the middle of a
//! response.

use crate::aws::FakeAws;
use crate::fault::{Fault, Service};
use crate::fixture::BUCKET;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::io::{AsyncRead, AsyncWrite};

/// A connection that can be reset.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Closes the connection so that the peer sees a reset and not the end of the stream.
    fn reset(self);
}

/// A complete request.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// With names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(known, _)| known == name)?;
        Some(value)
    }
}

pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<String>) -> Self {
        Self { status, headers: vec![("content-type", content_type.to_owned())], body: body.into() }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} Any\r\n", self.status);
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("content-length: {}\r\n\r\n{}", self.body.len(), self.body);
        text.into_bytes()
    }
}

/// Serves requests to `service` until the connection ends.
pub(crate) async fn serve(stream: impl Stream, aws: Arc<FakeAws>, service: Service) {
    let mut stream = BufReader::new(stream);
    // The client may close the connection at any time.
    while let Ok(head @ [_, ..]) = stream.fill_buf().await {
        let service = service_of_request(service, head);
        let fault = aws.fault_of_request(service);
        match serve_request(&mut stream, &aws, service, fault).await {
            Ok(Next::KeepAlive) => {}
            Ok(Next::Close) | Err(_) => return,
            Ok(Next::Reset) => return stream.into_inner().reset(),
        }
    }
}

/// The service that a request to `endpoint` is for. The start of its head tells the archive from the rest of the bucket.
fn service_of_request(endpoint: Service, head: &[u8]) -> Service {
    let archive = format!("PUT /{BUCKET}/archive/");
    let is_archive = endpoint == Service::S3 && head.starts_with(archive.as_bytes());
    if is_archive { Service::Archive } else { endpoint }
}

/// What to do with the connection after a request.
enum Next {
    KeepAlive,
    Close,
    Reset,
}

async fn serve_request(
    stream: &mut BufReader<impl Stream>,
    aws: &FakeAws,
    service: Service,
    fault: Option<Fault>,
) -> io::Result<Next> {
    match fault {
        Some(Fault::HangsBeforeRequest) => std::future::pending().await,
        // The connection is older than the fault plan, so it can only be reset.
        Some(Fault::ConnectionRefused | Fault::ConnectHangs) => return Ok(Next::Reset),
        Some(Fault::ResetDuringRequest) => {
            let (_, length) = read_head(stream).await?;
            stream.read_exact(&mut vec![0; length / 2]).await?;
            return Ok(Next::Reset);
        }
        _ => {}
    }
    let request = read_request(stream).await?;
    match fault {
        Some(Fault::HangsAfterRequest) => std::future::pending().await,
        Some(Fault::AppliedLate) => tokio::time::sleep(aws.late_delay()).await,
        _ => {}
    }
    let response = aws.handle(service, &request, fault).to_bytes();
    match fault {
        Some(Fault::AppliedThenHangs) => std::future::pending().await,
        Some(Fault::AppliedThenReset) => return Ok(Next::Reset),
        Some(Fault::AppliedThenTruncated) => {
            let length = aws.truncated_length(response.len());
            stream.write_all(response.split_at(length).0).await?;
            return Ok(Next::Close);
        }
        Some(Fault::AppliedThenLate) => tokio::time::sleep(aws.late_delay()).await,
        Some(Fault::Slow) => tokio::time::sleep(Duration::from_millis(aws.slow_delay_ms())).await,
        _ => {}
    }
    stream.write_all(&response).await?;
    Ok(Next::KeepAlive)
}

/// Reads a request. Returns an error if the stream ends before the request is complete.
pub(crate) async fn read_request(stream: &mut BufReader<impl Stream>) -> io::Result<Request> {
    let (mut request, mut length) = read_head(stream).await?;
    let is_chunked = request.header("transfer-encoding") == Some("chunked");
    loop {
        if is_chunked {
            length = usize::from_str_radix(&read_line(stream).await?, 16).unwrap();
        }
        let mut part = vec![0; length];
        stream.read_exact(&mut part).await?;
        request.body.extend(part);
        if is_chunked {
            read_line(stream).await?;
        }
        if !is_chunked || length == 0 {
            return Ok(request);
        }
    }
}

async fn read_line(stream: &mut BufReader<impl Stream>) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end().len());
    Ok(line)
}

/// Reads a request without its body. Returns the length of the body, too.
async fn read_head(stream: &mut BufReader<impl Stream>) -> io::Result<(Request, usize)> {
    let mut lines = Vec::new();
    loop {
        match read_line(stream).await? {
            line if line.is_empty() => break,
            line => lines.push(line),
        }
    }
    let (request_line, headers) = lines.split_first().unwrap();
    let mut parts = request_line.split(' ').map(str::to_owned);
    let header = |line: &String| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    let request = Request {
        method: parts.next().unwrap(),
        path: parts.next().unwrap(),
        headers: headers.iter().map(header).collect(),
        body: Vec::new(),
    };
    let length = request.header("content-length");
    let length = length.map_or(0, |length| length.parse().unwrap());
    Ok((request, length))
}
