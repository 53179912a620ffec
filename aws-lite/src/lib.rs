//! A small AWS client for programs that make a few kinds of calls and must start fast: it signs requests, sends them
//! over pooled HTTP/1.1 connections, and retries what may succeed later.
//!
//! [`JsonClient`] calls services that speak AWS JSON, [`S3Bucket`] stores objects. Both send through an [`HttpClient`]:
//! [`ConnectionPool`] over [`TlsConnector`], or a fake. The README says why this is not the AWS SDK for Rust.

mod client;
mod endpoint;
mod error;
mod json;
mod pool;
mod s3;
mod sign;
#[cfg(any(test, feature = "test-util"))]
pub mod test_util;
mod tls;

pub use client::{AwsConfig, HttpClient, ResponseFuture};
pub use error::{AwsError, BoxError, ServiceError};
pub use json::{JsonClient, JsonService};
pub use pool::{Connect, ConnectionPool};
pub use s3::{PutObjectOutput, S3Bucket};
pub use sign::Credentials;
pub use tls::{InvalidCaBundle, Stream, TlsConnector};
