//! Uploads content of any size to a bucket, in parts.

use super::{Clients, error};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use std::io::{self, Read};
use std::time::Duration;

/// At most 10,000 parts of at least 5 MiB: this allows for 78 GiB, and only one part is in memory. Source:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const PART_BYTES: u64 = 8 * 1024 * 1024;
/// For one part over a slow line.
const PART_TIMEOUT: Duration = Duration::from_secs(120);

/// Stores what `content` has. S3 compares each part with its checksum.
///
/// # Errors
/// Says why there is no such object. What had been uploaded is discarded.
pub async fn upload(
    clients: &Clients,
    bucket: &str,
    key: &str,
    content: &mut impl Read,
) -> Result<(), String> {
    let request = clients.s3.create_multipart_upload().bucket(bucket).key(key);
    let request = request.checksum_algorithm(ChecksumAlgorithm::Crc32);
    let created = request.send().await.map_err(|it| reason("s3:PutObject", &it))?;
    let upload = Upload { clients, bucket, key, id: created.upload_id.unwrap_or_default() };
    let outcome = upload.run(content).await;
    if outcome.is_err() {
        let abort = clients.s3.abort_multipart_upload().bucket(bucket).key(key);
        // If this fails too, the bucket's owner pays for the parts until they are deleted.
        let _ = abort.upload_id(&upload.id).send().await;
    }
    outcome
}

struct Upload<'u> {
    clients: &'u Clients,
    bucket: &'u str,
    key: &'u str,
    id: String,
}

impl Upload<'_> {
    async fn run(&self, content: &mut impl Read) -> Result<(), String> {
        let mut parts = Vec::new();
        loop {
            let part = read_part(content).map_err(|error| error.to_string())?;
            if part.is_empty() && !parts.is_empty() {
                break;
            }
            let number = parts.len() as i32 + 1;
            parts.push(self.upload_part(number, part).await?);
        }
        let s3 = &self.clients.s3;
        let completed = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = s3.complete_multipart_upload().bucket(self.bucket).key(self.key);
        let request = request.upload_id(&self.id).multipart_upload(completed);
        request.send().await.map_err(|it| reason("s3:PutObject", &it))?;
        Ok(())
    }

    async fn upload_part(&self, number: i32, part: Vec<u8>) -> Result<CompletedPart, String> {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(PART_TIMEOUT)
            .operation_timeout(PART_TIMEOUT * 3)
            .build();
        let s3 = &self.clients.s3;
        let request = s3.upload_part().bucket(self.bucket).key(self.key).upload_id(&self.id);
        let request = request.part_number(number).checksum_algorithm(ChecksumAlgorithm::Crc32);
        let request = request.body(ByteStream::from(part)).customize();
        let config = aws_sdk_s3::config::Builder::new().timeout_config(timeouts);
        let sent = request.config_override(config).send().await;
        let sent = sent.map_err(|it| reason("s3:PutObject", &it))?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .build())
    }
}

fn read_part(content: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut part = Vec::new();
    content.take(PART_BYTES).read_to_end(&mut part)?;
    Ok(part)
}

fn reason<E>(action: &'static str, failed: &aws_sdk_s3::error::SdkError<E>) -> String
where
    E: aws_sdk_s3::error::ProvideErrorMetadata + std::error::Error + 'static,
{
    format!("its payload cannot be stored: {}", error(action, failed).reason())
}
