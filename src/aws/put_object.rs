//! The one operation of S3 that the function needs. `aws-sdk-s3` would be more than a third of the whole program.

use super::service::{CallError, Refused, Service};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::HttpError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;

/// What S3 says about an object that it has stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// `ETag`, with its quotation marks.
    pub e_tag: Option<String>,
    /// `x-amz-checksum-crc32`.
    pub checksum_crc32: Option<String>,
}

/// Stores `content` under `key`, of letters, digits, `-`, `_`, `.` and `/`. `checksum_crc32` is in base64, as S3 writes
/// it; S3 stores nothing that has another one.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>.
///
/// # Errors
/// When S3 says no, or nothing in time, retries included.
pub async fn put_object(
    bucket: &Service,
    key: &str,
    checksum_crc32: &str,
    content: Bytes,
) -> Result<Confirmation, CallError> {
    let request = request(key, checksum_crc32, content);
    let request = request.map_err(CallError::malformed)?;
    bucket.call(request, confirmation).await
}

fn request(key: &str, checksum_crc32: &str, content: Bytes) -> Result<HttpRequest, HttpError> {
    let length = content.len().to_string();
    let mut request = HttpRequest::new(SdkBody::from(content));
    request.set_method("PUT")?;
    request.set_uri(format!("/{key}"))?;
    let headers = request.headers_mut();
    headers.try_insert("content-length", length)?;
    headers.try_insert("content-type", "application/octet-stream")?;
    headers.try_insert("x-amz-checksum-crc32", checksum_crc32.to_owned())?;
    Ok(request)
}

fn confirmation(response: &HttpResponse) -> Result<Confirmation, CallError> {
    let header = |name| response.headers().get(name).map(str::to_owned);
    if response.status().is_success() {
        return Ok(Confirmation {
            e_tag: header("etag"),
            checksum_crc32: header("x-amz-checksum-crc32"),
        });
    }
    let text = response
        .body()
        .bytes()
        .and_then(|body| str::from_utf8(body).ok())
        .unwrap_or_default();
    Err(CallError::Refused(Refused::new(
        "S3",
        response.status().as_u16(),
        element(text, "Code"),
        element(text, "Message"),
    )))
}

/// `<Error><Code>NoSuchBucket</Code>…`. Source:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (content, _) = rest.split_once(&format!("</{name}>"))?;
    Some(content.to_owned())
}
