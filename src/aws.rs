//! The services of AWS that the function calls: Secrets Manager, SQS and one bucket of S3.

mod connections;
mod internet;
mod operation;
mod places;
mod put_object;
mod service;
mod signer;

pub use connections::{Connections, Dial};
pub use internet::{Internet, UnusableCaBundle};
pub use operation::Operation;
pub use put_object::{Confirmation, put_object};
pub use service::{CallError, Refused, Service};

use crate::config::Config;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use places::Address;
use signer::{Body, Signer};
use std::time::SystemTime;

/// Every service that the function uses.
pub struct Services {
    /// For the queues.
    pub sqs: Service,
    /// For the secret.
    pub secrets_manager: Service,
    /// For the bucket.
    pub bucket: Service,
}

impl Services {
    /// The services over any HTTP connector, so that time limits and retries can be tested without a network.
    pub fn over(config: &Config, http: &SharedHttpConnector, clock: fn() -> SystemTime) -> Self {
        let aws = &config.aws;
        let service = |name, signing_name, address, body| {
            let signer = Signer::new(signing_name, &aws.region, &aws.credentials, body);
            Service::new(name, http.clone(), signer, address, clock)
        };
        Self {
            sqs: service(
                "SQS",
                "sqs",
                Address::of("sqs", aws.sqs_endpoint.as_deref(), &aws.region),
                Body::Signed,
            ),
            secrets_manager: service(
                "Secrets Manager",
                "secretsmanager",
                Address::of(
                    "secretsmanager",
                    aws.secrets_manager_endpoint.as_deref(),
                    &aws.region,
                ),
                Body::Signed,
            ),
            bucket: service(
                "S3",
                "s3",
                Address::of_bucket(&config.bucket, aws.s3_endpoint.as_deref(), &aws.region),
                Body::Unsigned,
            ),
        }
    }

    /// Opens the connection that the first message will go over, while there is nothing else to do. A failure here is no
    /// failure yet: whoever sends opens one.
    pub async fn connect_ahead<D: Dial>(&self, connections: &Connections<D>) {
        let address = self.sqs.address().await;
        if let Some(address) = address.ok().and_then(|address| address.parse().ok()) {
            let _ = connections.open(&address).await;
        }
    }
}
