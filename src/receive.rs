//! Receives one event: authenticates it, reads what it is about, and makes it durable.

use crate::authenticate::{AuthenticationError, Authenticator, SecretScope};
use crate::bucket::Bucket;
use crate::config::Config;
use crate::deadlines::Deadlines;
use crate::deliver::{DeliveryError, Destination, deliver};
use crate::event::{Entity, Event};
use crate::message::{DeliveryMetadata, Message, MessageConfig, OffloadReason};
use crate::queue::Queue;
use crate::report::{Report, StageDurations};
use crate::secrets::SecretStore;
use crate::signature::{InvalidSignature, Signatures, Unverified};
use std::time::SystemTime;
use uuid::Uuid;

/// The relay with the three services that it works with.
pub struct Relay<S, Q, B> {
    authenticator: Authenticator<S>,
    queue: Q,
    bucket: B,
    message_config: MessageConfig,
}

/// One event as it arrived. Nothing in it is authenticated yet, so it has no `Debug`.
pub struct Delivery {
    /// The secrets that it can be signed with.
    pub scope: SecretScope,
    /// The signatures in its headers.
    pub signatures: Result<Signatures, InvalidSignature>,
    /// The signed bytes.
    pub body: Unverified,
    /// The topic in its header.
    pub topic: Option<String>,
    /// Labelbox's id of the delivery.
    pub delivery_id: Option<String>,
    /// The X-Ray trace header of this invocation.
    pub trace: Option<String>,
    /// The id of this invocation.
    pub request_id: String,
}

/// An event that is durable.
#[derive(Debug)]
pub struct DeliveryResult {
    /// The message that was stored.
    pub message: Message,
    /// Where it was stored.
    pub destination: Destination,
    /// Why its body is in the bucket, if it is.
    pub offload_reason: Option<OffloadReason>,
}

/// An event was not received.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The request is not authenticated.
    #[error(transparent)]
    Authentication(#[from] AuthenticationError),
    /// The event is not durable.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
}

impl DeliveryResult {
    /// The `status` of the response.
    pub fn status(&self) -> &'static str {
        match (&self.destination, self.message.entity) {
            (Destination::Spill { .. }, _) => "spilled",
            (Destination::Queue { .. }, Entity::Unrouted(_)) => "unrouted",
            (Destination::Queue { .. }, _) => "queued",
        }
    }

    /// The id of the durable copy: SQS's message id, or the key of the spilled message.
    pub fn message_id(&self) -> &str {
        match &self.destination {
            Destination::Queue { message_id } => message_id,
            Destination::Spill { key, .. } => key,
        }
    }
}

impl<S: SecretStore, Q: Queue, B: Bucket> Relay<S, Q, B> {
    /// A relay with these settings.
    pub fn new(config: &Config, store: S, queue: Q, bucket: B) -> Self {
        Self {
            authenticator: Authenticator::new(store, config.secret_ttl),
            queue,
            bucket,
            message_config: config.into(),
        }
    }

    /// What authenticates the requests of this relay.
    pub fn authenticator(&self) -> &Authenticator<S> {
        &self.authenticator
    }

    /// Receives an event that arrived at `now`.
    ///
    /// # Errors
    /// If the request is not authenticated, or the event is not durable.
    pub async fn receive(
        &self,
        delivery: Delivery,
        now: SystemTime,
        deadlines: Deadlines,
    ) -> (Result<DeliveryResult, IngestError>, Report) {
        let Delivery {
            scope,
            signatures,
            body,
            topic,
            delivery_id,
            trace,
            request_id,
        } = delivery;
        let authentication =
            self.authenticator
                .authenticate(&scope, signatures, body, now, deadlines.secret);
        let (verified, mut report) = authentication.await;
        let verified = match verified {
            Ok(verified) => verified,
            Err(error) => return (Err(error.into()), report),
        };
        let event = match scope {
            SecretScope::Webhook(_) => Event::of_webhook(&verified, topic.as_deref()),
            SecretScope::Training => Event::of_model_run(&verified),
        };
        let metadata = DeliveryMetadata {
            delivery_id,
            webhook: scope.into_webhook(),
            request_id,
            trace,
        };
        let (message, payload) = Message::build(
            verified,
            event,
            metadata,
            &self.message_config,
            now.into(),
            Uuid::new_v4,
        );
        let offload_reason = payload.as_ref().map(|payload| payload.reason);
        let (destination, durations) =
            deliver(&self.bucket, &self.queue, &message, payload, deadlines).await;
        report.durations = StageDurations {
            secret: report.durations.secret,
            ..durations
        };
        let result = destination.map(|destination| DeliveryResult {
            message,
            destination,
            offload_reason,
        });
        (result.map_err(IngestError::from), report)
    }
}
