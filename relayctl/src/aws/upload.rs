//! Uploads content of any size to a bucket, in parts.

use super::{CallResult, Clients};
use crate::error::AwsError;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use std::io::Read;
use std::time::Duration;

/// At most 10,000 parts of at least 5 MiB: this allows for 78 GiB, and only one part is in memory. Source:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const PART_BYTES: u64 = 8 * 1024 * 1024;
const ACTION: &str = "s3:PutObject";
/// For one part over a slow line.
const PART_TIMEOUT: Duration = Duration::from_secs(120);

/// Stores what `content` has, or says why it is not stored. S3 compares each part with its checksum.
pub async fn upload(
    clients: &Clients,
    bucket: &str,
    key: &str,
    content: &mut impl Read,
) -> Result<(), String> {
    let s3 = &clients.s3;
    let request = s3.create_multipart_upload().bucket(bucket).key(key);
    let created = request.checksum_algorithm(ChecksumAlgorithm::Crc32).send().await;
    let created = created.action(ACTION).map_err(reason)?;
    let id = created.upload_id.unwrap_or_default();
    let upload = async {
        let parts = upload_parts(s3, bucket, key, &id, content).await?;
        let completed = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = s3.complete_multipart_upload().bucket(bucket).key(key).upload_id(&id);
        let completed = request.multipart_upload(completed).send().await;
        completed.action(ACTION).map_err(reason).map(|_| ())
    };
    let result = upload.await;
    if result.is_err() {
        // If this fails too, the bucket's owner pays for the parts until they are deleted.
        let abort = s3.abort_multipart_upload().bucket(bucket).key(key).upload_id(&id);
        let _ = abort.send().await;
    }
    result
}

async fn upload_parts(
    s3: &aws_sdk_s3::Client,
    bucket: &str,
    key: &str,
    id: &str,
    content: &mut impl Read,
) -> Result<Vec<CompletedPart>, String> {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(PART_TIMEOUT)
        .operation_timeout(PART_TIMEOUT * 3)
        .build();
    let mut parts = Vec::new();
    loop {
        let mut part = Vec::new();
        let read = content.take(PART_BYTES).read_to_end(&mut part);
        read.map_err(|error| error.to_string())?;
        if part.is_empty() && !parts.is_empty() {
            return Ok(parts);
        }
        let number = parts.len() as i32 + 1;
        let request = s3.upload_part().bucket(bucket).key(key).upload_id(id).part_number(number);
        let request = request.checksum_algorithm(ChecksumAlgorithm::Crc32);
        let request = request.body(ByteStream::from(part)).customize();
        let config = aws_sdk_s3::config::Builder::new().timeout_config(timeouts.clone());
        let sent = request.config_override(config).send().await;
        let sent = sent.action(ACTION).map_err(reason)?;
        let part = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag);
        parts.push(part.set_checksum_crc32(sent.checksum_crc32).build());
    }
}

fn reason(error: AwsError) -> String {
    format!("its payload cannot be stored: {}", error.reason())
}
