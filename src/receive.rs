//! The whole job: authenticate who sent it, read what it is, make it durable.

use crate::bucket::Bucket;
use crate::config::Config;
use crate::deliver::{Destination, deliver};
use crate::error::IngestError;
use crate::event::{Entity, Event};
use crate::message::{DeliveryMetadata, Message, MessageConfig, OffloadReason};
use crate::queue::Queue;
use crate::request_context::RequestContext;
use crate::secrets::{FetchError, SecretCache, SecretStore};
use crate::secrets::{Secret, Secrets};
use crate::signature::{InvalidSignature, Signatures, Unverified, Verified};
use crate::telemetry;
use std::time::{Duration, SystemTime};
use uuid::Uuid;

/// How long a start may wait for the secret: the first event waits for the start, too.
const WARM_UP_TIME_LIMIT: Duration = Duration::from_secs(1);

/// How much may be hashed to find out whether a request that is refused anyway was signed, in bytes: an unauthenticated
/// client must not make it take long.
const MAX_HASHED_BYTES: usize = 16 * 1024 * 1024;

/// The relay: what it was told, and the three places that it works with.
pub struct Relay<S, Q, B> {
    secrets: SecretCache<S>,
    queue: Q,
    bucket: B,
    message_config: MessageConfig,
}

/// One event as it came in. Nothing in it can be trusted yet, so it cannot be printed.
pub struct Delivery {
    /// Which route it came by.
    pub scope: SecretScope,
    /// What its headers claim.
    pub signatures: Result<Signatures, InvalidSignature>,
    /// The bytes that were signed.
    pub body: Unverified,
    /// The topic that its header names.
    pub topic: Option<String>,
    /// Labelbox's id of the delivery.
    pub delivery_id: Option<String>,
    /// The X-Ray trace header of this invocation.
    pub trace: Option<String>,
    /// The id of this invocation.
    pub request_id: String,
}

/// The route that a delivery came by; it decides which secret must have signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretScope {
    /// `POST /webhooks/{webhook}`.
    Webhook(String),
    /// The training routes.
    Training,
}

/// An event that is durable.
#[derive(Debug)]
pub struct DeliveryResult {
    /// The message that was stored.
    pub message: Message,
    /// Where.
    pub stored: Destination,
    /// Why its body is a payload in the bucket, if it is.
    pub payload_reason: Option<OffloadReason>,
}

impl DeliveryResult {
    /// Where the event is now, in a word.
    pub fn status(&self) -> &'static str {
        match (&self.stored, self.message.entity) {
            (Destination::Spilled { .. }, _) => "spilled",
            (Destination::Queued { .. }, Entity::Unrouted(_)) => "unrouted",
            (Destination::Queued { .. }, _) => "queued",
        }
    }

    /// The id of the durable copy: SQS's id of the message, or the key of the spilled one.
    pub fn message_id(&self) -> &str {
        match &self.stored {
            Destination::Queued { message_id } => message_id,
            Destination::Spilled { key, .. } => key,
        }
    }
}

impl<S: SecretStore, Q: Queue, B: Bucket> Relay<S, Q, B> {
    /// A relay with these settings.
    pub fn new(config: &Config, store: S, queue: Q, bucket: B) -> Self {
        Self {
            secrets: SecretCache::new(store, config.secret_ttl),
            queue,
            bucket,
            message_config: config.into(),
        }
    }

    /// Fetches the secret before the first event needs it. A failure here is no failure yet: the first event asks again.
    pub async fn warm_up(&self, now: SystemTime) {
        let mut course = RequestContext::starting_now(None);
        let fetched = self.secrets.current(now, &mut course);
        if let Ok(Err(error)) = tokio::time::timeout(WARM_UP_TIME_LIMIT, fetched).await {
            telemetry::secret_not_fetched(&error);
        }
    }

    /// Receives one event at `now`.
    ///
    /// # Errors
    /// When the event is not authentic, or is not durable.
    pub async fn receive(
        &self,
        delivery: Delivery,
        now: SystemTime,
        course: &mut RequestContext,
    ) -> Result<DeliveryResult, IngestError> {
        let Delivery {
            scope,
            signatures,
            body,
            topic,
            delivery_id,
            trace,
            request_id,
        } = delivery;
        let verified = self
            .authenticate(&scope, signatures, body, now, course)
            .await?;
        let event = match scope {
            SecretScope::Webhook(_) => Event::of_webhook(&verified, topic.as_deref()),
            SecretScope::Training => Event::of_model_run(&verified),
        };
        let metadata = DeliveryMetadata {
            delivery_id,
            webhook: scope.webhook(),
            request_id,
            trace,
        };
        let (message, payload) = Message::compose(
            verified,
            event,
            metadata,
            &self.message_config,
            now.into(),
            Uuid::new_v4,
        );
        let payload_reason = payload.as_ref().map(|payload| payload.reason);
        let stored = deliver(&self.bucket, &self.queue, &message, payload, course).await?;
        Ok(DeliveryResult {
            message,
            stored,
            payload_reason,
        })
    }

    /// Proves that a holder of a secret of `scope` signed `body`, within the time that a sender can wait.
    ///
    /// # Errors
    /// When nobody did, or when there is no secret to say so.
    pub async fn authenticate(
        &self,
        scope: &SecretScope,
        signatures: Result<Signatures, InvalidSignature>,
        body: Unverified,
        now: SystemTime,
        course: &mut RequestContext,
    ) -> Result<Verified, IngestError> {
        let schedule = course.schedule;
        let proof = self.authenticate_with_refresh(scope, signatures, body, now, course);
        schedule.proof(proof).await.unwrap_or_else(|late| {
            Err(IngestError::SecretUnavailable(FetchError::Unreachable(
                late.into(),
            )))
        })
    }

    async fn authenticate_with_refresh(
        &self,
        scope: &SecretScope,
        signatures: Result<Signatures, InvalidSignature>,
        body: Unverified,
        now: SystemTime,
        course: &mut RequestContext,
    ) -> Result<Verified, IngestError> {
        let secrets = self.secrets.current(now, course).await;
        let mut secrets = secrets.map_err(IngestError::SecretUnavailable)?;
        let mut body = body;
        loop {
            let failure = match scope.secrets_in(&secrets) {
                None => IngestError::UnknownWebhook,
                Some(ours) => {
                    let signatures = signatures
                        .as_ref()
                        .inspect_err(|_| self.secrets.record_auth_failure(now));
                    let signatures = signatures.map_err(|rejected| *rejected)?;
                    match body.verify(signatures, ours) {
                        Ok(verified) => return Ok(verified),
                        Err(unverified) => body = unverified,
                    }
                    InvalidSignature.into()
                }
            };
            match self.secrets.refresh(&secrets, now, course).await {
                Ok(Some(newer)) => secrets = newer,
                Ok(None) => {
                    if matches!(failure, IngestError::UnknownWebhook) {
                        course.is_signed_but_refused = signatures
                            .is_ok_and(|signatures| self.is_signed(None, &signatures, &body));
                    }
                    return Err(failure);
                }
                Err(error) => return Err(IngestError::NoNewerSecret(error)),
            }
        }
    }

    /// Whether one of the secrets in memory signed `body`: those of `scope`, or, if that is not known, as many of all as
    /// [`MAX_HASHED_BYTES`] allows. Fetches nothing.
    pub fn is_signed(
        &self,
        scope: Option<&SecretScope>,
        signatures: &Signatures,
        body: &Unverified,
    ) -> bool {
        let Some(secrets) = self.secrets.cached() else {
            return false;
        };
        if let Some(ours) = scope.and_then(|scope| scope.secrets_in(&secrets)) {
            return body.is_signed(signatures, ours);
        }
        let most = (MAX_HASHED_BYTES / body.byte_count().max(1)).max(1);
        body.is_signed(signatures, secrets.all().take(most))
    }
}

impl SecretScope {
    fn secrets_in<'s>(&self, secrets: &'s Secrets) -> Option<&'s [Secret]> {
        match self {
            Self::Webhook(webhook) => secrets.of_webhook(webhook),
            Self::Training => secrets.of_training(),
        }
    }

    fn webhook(self) -> Option<String> {
        match self {
            Self::Webhook(webhook) => Some(webhook),
            Self::Training => None,
        }
    }
}
