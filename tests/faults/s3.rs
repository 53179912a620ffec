//! A fake S3 that implements `PutObject`.

use crate::aws::service_error;
use crate::fault::{Fault, Service};
use crate::http::{Request, Response};
use crate::sqs::md5_hex;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;

/// One bucket.
#[derive(Default)]
pub(crate) struct FakeS3 {
    bucket: String,
    pub(crate) objects: BTreeMap<String, Vec<u8>>,
}

impl FakeS3 {
    pub(crate) fn new(bucket: &str) -> Self {
        Self { bucket: bucket.to_owned(), objects: BTreeMap::new() }
    }

    pub(crate) fn get(&self, bucket: &str, key: &str) -> Option<&[u8]> {
        let object = self.objects.get(key).filter(|_| bucket == self.bucket);
        object.map(Vec::as_slice)
    }

    pub(crate) fn handle(&mut self, request: &Request, fault: Option<Fault>) -> Response {
        assert_eq!(request.method, "PUT");
        let path = request.path.split('?').next().unwrap().replace("%3A", ":");
        let (bucket, key) = path[1..].split_once('/').unwrap();
        if bucket != self.bucket {
            return service_error(Service::S3, 404, "NoSuchBucket");
        }
        let mut content = request.body.clone();
        if request.header("x-amz-checksum-crc32") != Some(&crc32_base64(&content)) {
            return service_error(Service::S3, 400, "BadDigest");
        }
        if request.header("if-none-match") == Some("*") && self.objects.contains_key(key) {
            return service_error(Service::S3, 412, "PreconditionFailed");
        }
        // S3 compares the checksum before it replaces an object, so only a new object can be corrupted.
        let is_corrupted = matches!(fault, Some(Fault::CorruptedBody | Fault::CorruptedEtagOnly));
        if is_corrupted && !self.objects.contains_key(key) {
            content.push(b' ');
        }
        let response = put_object_response(&content, fault);
        self.objects.insert(key.to_owned(), content);
        response
    }
}

/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>.
fn put_object_response(content: &[u8], fault: Option<Fault>) -> Response {
    let reported = match fault {
        Some(Fault::WrongChecksum) => b"something else",
        _ => content,
    };
    let mut response = Response::new(200, "text/plain", "");
    let etag = match fault {
        // With SSE-KMS, the ETag is not the MD5 digest of the content.
        Some(Fault::NoChecksum) => md5_hex("something else"),
        _ => md5_hex(reported),
    };
    response.headers.push(("etag", format!("\"{etag}\"")));
    if !matches!(fault, Some(Fault::NoChecksum | Fault::EtagOnly | Fault::CorruptedEtagOnly)) {
        response.headers.push(("x-amz-checksum-crc32", crc32_base64(reported)));
        response.headers.push(("x-amz-checksum-type", "FULL_OBJECT".to_owned()));
    }
    response
}

fn crc32_base64(content: &[u8]) -> String {
    STANDARD.encode(crc32fast::hash(content).to_be_bytes())
}
