//! HTTP/1.1 by hand over any stream of bytes: a library would not stop in the middle of an answer.

use crate::aws::Aws;
use crate::fault::{Fault, Service};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::io::{AsyncRead, AsyncWrite};

/// A connection that can also be torn down.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Makes the other side read a reset and not an end.
    fn reset(self);
}

/// A request, whole.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
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

/// An answer, as it should go out.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![("content-type", content_type.to_owned())],
            body: body.into(),
        }
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

/// Plays `service` on a connection until that ends, one way or the other.
pub(crate) async fn serve(stream: impl Stream, aws: Arc<Aws>, service: Service) {
    let mut stream = BufReader::new(stream);
    // The client may be gone at any time; that is its right.
    while let Ok([_, ..]) = stream.fill_buf().await {
        let fault = aws.fault_of_call(service);
        match exchange(&mut stream, &aws, service, fault).await {
            Ok(After::Next) => {}
            Ok(After::Close) | Err(_) => return,
            Ok(After::Reset) => return stream.into_inner().reset(),
        }
    }
}

/// What becomes of a connection after an exchange.
enum After {
    Next,
    Close,
    Reset,
}

async fn exchange(
    stream: &mut BufReader<impl Stream>,
    aws: &Aws,
    service: Service,
    fault: Option<Fault>,
) -> io::Result<After> {
    match fault {
        Some(Fault::HangsBeforeRequest) => std::future::pending().await,
        // It was connected all along, before this weather.
        Some(Fault::Refused | Fault::NeverConnected) => return Ok(After::Reset),
        Some(Fault::ResetInRequest) => {
            let (_, length) = read_head(stream).await?;
            stream.read_exact(&mut vec![0; length / 2]).await?;
            return Ok(After::Reset);
        }
        _ => {}
    }
    let request = read(stream).await?;
    match fault {
        Some(Fault::HangsAfterRequest) => std::future::pending().await,
        Some(Fault::DoneLate) => tokio::time::sleep(aws.longer_than_anyone_waits()).await,
        _ => {}
    }
    let answer = aws.answer(service, &request, fault).to_bytes();
    match fault {
        Some(Fault::DoneAndHangs) => std::future::pending().await,
        Some(Fault::DoneAndReset) => return Ok(After::Reset),
        Some(Fault::DoneAndCutOff) => {
            let cut = aws.place_in(answer.len());
            stream.write_all(answer.split_at(cut).0).await?;
            return Ok(After::Close);
        }
        Some(Fault::DoneAndLate) => tokio::time::sleep(aws.longer_than_anyone_waits()).await,
        Some(Fault::Slow) => tokio::time::sleep(Duration::from_millis(aws.patience())).await,
        _ => {}
    }
    stream.write_all(&answer).await?;
    Ok(After::Next)
}

/// Reads a request; its end before it is whole is an error.
pub(crate) async fn read(stream: &mut BufReader<impl Stream>) -> io::Result<Request> {
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

/// Reads a request without its body, and says how long that is.
async fn read_head(stream: &mut BufReader<impl Stream>) -> io::Result<(Request, usize)> {
    let mut lines = Vec::new();
    loop {
        match read_line(stream).await? {
            line if line.is_empty() => break,
            line => lines.push(line),
        }
    }
    let (first, headers) = lines.split_first().unwrap();
    let mut words = first.split(' ').map(str::to_owned);
    let header = |line: &String| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    let request = Request {
        method: words.next().unwrap(),
        path: words.next().unwrap(),
        headers: headers.iter().map(header).collect(),
        body: Vec::new(),
    };
    let length = request.header("content-length");
    let length = length.map_or(0, |length| length.parse().unwrap());
    Ok((request, length))
}
