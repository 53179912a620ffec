//! One bucket of Amazon S3, to store objects in.

use crate::client::{AwsConfig, Client, ErrorFields};
use crate::endpoint::endpoint;
use crate::error::AwsError;
use crate::sign::PayloadSigning;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Request, Response};

/// A client of one bucket.
pub struct S3Bucket {
    client: Client,
    /// Without a slash at its end.
    url: String,
}

/// What S3 returns for an object that it has stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutObjectOutput {
    /// `ETag`, with its quotation marks.
    pub e_tag: Option<String>,
    /// `x-amz-checksum-crc32`, in base64.
    pub checksum_crc32: Option<String>,
}

impl S3Bucket {
    /// A client of the bucket with this name: virtual-hosted-style at AWS, path-style at a custom endpoint.
    pub fn new(bucket: &str, config: &AwsConfig, custom_endpoint: Option<&str>) -> Self {
        let custom = custom_endpoint.map(|url| format!("{}/{bucket}", url.trim_end_matches('/')));
        let host_prefix = format!("{bucket}.s3");
        Self {
            client: Client::new(config, "S3", "s3", PayloadSigning::Unsigned, parse_error),
            url: endpoint(&host_prefix, &config.region, custom.as_deref()),
        }
    }

    /// The URL of the bucket, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stores an object, or replaces the one with this key. The key consists of ASCII letters, digits, `-`, `_`, `.`, `:`
    /// and `/`. `checksum_crc32` is in base64; S3 rejects content that does not match it.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>.
    ///
    /// # Errors
    /// Returns the error of the last attempt.
    pub async fn put_object(
        &self,
        key: &str,
        checksum_crc32: &str,
        content: Bytes,
    ) -> Result<PutObjectOutput, AwsError> {
        // Of these characters, Signature Version 4 escapes only the colon.
        let path = key.replace(':', "%3A");
        let request = Request::put(format!("{}/{path}", self.url))
            .header(CONTENT_LENGTH, content.len())
            .header(CONTENT_TYPE, "application/octet-stream")
            .header("x-amz-checksum-crc32", checksum_crc32)
            .body(content)
            .map_err(AwsError::invalid)?;
        let response = self.client.send(request).await?;
        let header = |name| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        Ok(PutObjectOutput {
            e_tag: header("etag"),
            checksum_crc32: header("x-amz-checksum-crc32"),
        })
    }
}

/// Reads `<Error><Code>NoSuchBucket</Code>…`. Source:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
fn parse_error(response: &Response<Bytes>) -> ErrorFields {
    let body = str::from_utf8(response.body()).unwrap_or_default();
    let element = |name| {
        let (_, rest) = body.split_once(&format!("<{name}>"))?;
        let (content, _) = rest.split_once(&format!("</{name}>"))?;
        Some(content.to_owned())
    };
    (element("Code"), element("Message"))
}

#[cfg(test)]
mod tests;
