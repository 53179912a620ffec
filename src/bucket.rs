//! The `Bucket` trait, and its implementation for Amazon S3.

use crate::config::Config;
use crate::message::md5_of;
use aws_lite::{AwsConfig, BoxError, PutObjectOutput, S3Bucket};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use std::future::Future;

/// Stores objects.
pub trait Bucket {
    /// Stores an object, or replaces the one with this key.
    fn put(
        &self,
        key: &str,
        content: Bytes,
    ) -> impl Future<Output = Result<(), BucketError>> + Send;
}

/// Why a bucket has no confirmed copy of an object. An unconfirmed copy may exist.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The bucket rejected the object or did not respond in time, retries included.
    #[error("the bucket did not store the object")]
    NotStored(#[from] BoxError),
    /// The response does not confirm the bytes that were sent.
    #[error("the response does not confirm the object")]
    Unconfirmed,
}

/// An S3 bucket.
pub struct S3 {
    bucket: S3Bucket,
}

impl S3 {
    /// Stores in the bucket in the settings.
    pub fn new(config: &Config, aws: &AwsConfig) -> Self {
        let endpoint = config.aws.s3_endpoint.as_deref();
        Self { bucket: S3Bucket::new(&config.message.bucket, aws, endpoint) }
    }

    /// The URL of the bucket.
    pub fn endpoint(&self) -> &str {
        self.bucket.url()
    }
}

impl Bucket for S3 {
    async fn put(&self, key: &str, content: Bytes) -> Result<(), BucketError> {
        let checksum = STANDARD.encode(crc32fast::hash(&content).to_be_bytes());
        let output = self.bucket.put_object(key, &checksum, content.clone()).await;
        let output = output.map_err(BoxError::from)?;
        if is_confirmed(&output, &checksum, &content) {
            Ok(())
        } else {
            Err(BucketError::Unconfirmed)
        }
    }
}

/// Whether a response confirms this content; any proxy can respond 200. S3 rejects content that does not match the
/// checksum in the request, and returns the checksum of what it stored. MiniStack, which `make run` uses, returns none (as
/// of 1.5.33), but its ETag is the MD5 of what it stored.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>.
fn is_confirmed(output: &PutObjectOutput, checksum: &str, content: &[u8]) -> bool {
    match (&output.checksum_crc32, &output.e_tag) {
        (Some(stored), Some(_)) => stored == checksum,
        (None, Some(etag)) => etag.trim_matches('"') == md5_of(content),
        (_, None) => false,
    }
}

#[cfg(test)]
mod tests;
