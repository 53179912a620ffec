//! S3: what `PutObject` stores and confirms.

use crate::aws::error;
use crate::digest::{crc32_of, md5_of};
use crate::fault::{Fault, Service};
use crate::wire::{Answer, Request};
use std::collections::BTreeMap;

/// A bucket.
#[derive(Default)]
pub(crate) struct Objects {
    bucket: String,
    pub(crate) objects: BTreeMap<String, Vec<u8>>,
}

impl Objects {
    pub(crate) fn of_bucket(name: &str) -> Self {
        Self {
            bucket: name.to_owned(),
            objects: BTreeMap::new(),
        }
    }

    pub(crate) fn get(&self, bucket: &str, key: &str) -> Option<&[u8]> {
        let object = self.objects.get(key).filter(|_| bucket == self.bucket);
        object.map(Vec::as_slice)
    }

    pub(crate) fn answer(&mut self, request: &Request, fault: Option<Fault>) -> Answer {
        assert_eq!(request.method, "PUT");
        let path = request.path.split('?').next().unwrap();
        let (bucket, key) = path[1..].split_once('/').unwrap();
        if bucket != self.bucket {
            return error(Service::S3, 404, "NoSuchBucket");
        }
        let mut content = request.body.clone();
        if request.header("x-amz-checksum-crc32") != Some(&crc32_of(&content)) {
            return error(Service::S3, 400, "BadDigest");
        }
        if request.header("if-none-match") == Some("*") && self.objects.contains_key(key) {
            return error(Service::S3, 412, "PreconditionFailed");
        }
        // S3 compares the checksum before it replaces anything, so spoiling a new object is bad enough.
        let is_spoilt = matches!(fault, Some(Fault::ChangedContent | Fault::ChangedOnlyEtag));
        if is_spoilt && !self.objects.contains_key(key) {
            content.push(b' ');
        }
        let answer = confirmation(&content, fault);
        self.objects.insert(key.to_owned(), content);
        answer
    }
}

/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>.
fn confirmation(content: &[u8], fault: Option<Fault>) -> Answer {
    let said = match fault {
        Some(Fault::WrongDigest) => b"something else",
        _ => content,
    };
    let mut answer = Answer::new(200, "text/plain", "");
    let etag = match fault {
        // Where a key of one's own encrypts, the ETag is no digest of the content.
        Some(Fault::NoDigest) => md5_of("something else"),
        _ => md5_of(said),
    };
    answer.headers.push(("etag", format!("\"{etag}\"")));
    if !matches!(
        fault,
        Some(Fault::NoDigest | Fault::OnlyEtag | Fault::ChangedOnlyEtag)
    ) {
        answer
            .headers
            .push(("x-amz-checksum-crc32", crc32_of(said)));
        answer
            .headers
            .push(("x-amz-checksum-type", "FULL_OBJECT".to_owned()));
    }
    answer
}
