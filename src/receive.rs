//! The whole job: prove who sent it, read what it is, make it durable.

use crate::config::{Config, QueueType};
use crate::deliver::deliver;
use crate::error::Failure;
use crate::event::{Entity, Event};
use crate::message::{Envelope, Message};
use crate::queue::Queue;
use crate::secret::{Secret, Secrets};
use crate::secrets::{FetchError, SecretCache, SecretStore};
use crate::signature::{Rejected, Signatures, Unverified, Verified};
use std::time::{Duration, SystemTime};

/// How long proving who sent it may take, secrets fetched and all. Leaves the queue its share of the 10 s that the
/// slowest answer may take.
const PROOF_TIME_LIMIT: Duration = Duration::from_millis(3500);
/// How long a start may wait for the secret: the first event waits for the start, too.
const WARM_UP_TIME_LIMIT: Duration = Duration::from_secs(1);

/// The relay: what it was told, and the two places that it works with.
pub struct Relay<S, Q> {
    secrets: SecretCache<S>,
    queue: Q,
    queue_type: QueueType,
    inline_limit: usize,
}

/// One event as it came in. Nothing in it can be trusted yet.
#[derive(Debug)]
pub struct Delivery {
    /// Which route it came by.
    pub origin: Origin,
    /// What its headers claim.
    pub signatures: Result<Signatures, Rejected>,
    /// The bytes that were signed.
    pub body: Unverified,
    /// The topic that its header names.
    pub topic: Option<String>,
    /// Labelbox's id of the delivery.
    pub delivery_id: Option<String>,
    /// The X-Ray trace header of this invocation.
    pub trace: Option<String>,
}

/// The route that a delivery came by; it decides which secret must have signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `POST /webhooks/{webhook}`.
    Webhook(String),
    /// The training routes.
    Training,
}

/// An event that is durable.
#[derive(Debug)]
pub struct Receipt {
    /// The message that was stored.
    pub message: Message,
    /// Its id in the queue.
    pub message_id: String,
}

impl Receipt {
    /// Where the event is now, in a word.
    pub fn status(&self) -> &'static str {
        match self.message.entity {
            Entity::Unrouted(_) => "unrouted",
            Entity::Label | Entity::Workflow | Entity::Review | Entity::ModelRun => "queued",
        }
    }
}

impl<S: SecretStore, Q: Queue> Relay<S, Q> {
    /// A relay with these settings.
    pub fn new(config: &Config, store: S, queue: Q) -> Self {
        Self {
            secrets: SecretCache::new(store, config.secret_ttl),
            queue,
            queue_type: config.queue_type,
            inline_limit: config.inline_limit,
        }
    }

    /// Fetches the secret before the first event needs it. A failure here is no failure yet: the first event asks again.
    pub async fn warm_up(&self, now: SystemTime) {
        let _ = tokio::time::timeout(WARM_UP_TIME_LIMIT, self.secrets.current(now)).await;
    }

    /// Receives one event at `now`.
    ///
    /// # Errors
    /// When the event is not authentic, or is not durable.
    pub async fn receive(&self, delivery: Delivery, now: SystemTime) -> Result<Receipt, Failure> {
        let Delivery {
            origin,
            signatures,
            body,
            topic,
            delivery_id,
            trace,
        } = delivery;
        let verified = self.prove(&origin, signatures, body, now).await?;
        let event = match origin {
            Origin::Webhook(_) => Event::of_webhook(&verified, topic.as_deref()),
            Origin::Training => Event::of_model_run(&verified),
        };
        let envelope = Envelope {
            delivery_id,
            webhook: origin.webhook(),
            trace,
        };
        let message = Message::compose(
            verified,
            event,
            envelope,
            self.queue_type,
            now.into(),
            self.inline_limit,
        )?;
        let message_id = deliver(&self.queue, &message).await?;
        Ok(Receipt {
            message,
            message_id,
        })
    }

    /// Proves that a holder of a secret of `origin` signed `body`, within the time that a sender can wait.
    ///
    /// # Errors
    /// When nobody did, or when there is no secret to say so.
    pub async fn prove(
        &self,
        origin: &Origin,
        signatures: Result<Signatures, Rejected>,
        body: Unverified,
        now: SystemTime,
    ) -> Result<Verified, Failure> {
        let proof = self.prove_patiently(origin, signatures, body, now);
        tokio::time::timeout(PROOF_TIME_LIMIT, proof)
            .await
            .unwrap_or_else(|_| {
                Err(Failure::NoSecret(FetchError::Unreachable(
                    "it took too long".into(),
                )))
            })
    }

    async fn prove_patiently(
        &self,
        origin: &Origin,
        signatures: Result<Signatures, Rejected>,
        body: Unverified,
        now: SystemTime,
    ) -> Result<Verified, Failure> {
        let mut secrets = self.secrets.current(now).await.map_err(Failure::NoSecret)?;
        if origin.secrets_in(&secrets).is_none() {
            secrets = self
                .secrets
                .newer(&secrets, now)
                .await
                .ok_or(Failure::UnknownWebhook)?;
        }
        let ours = origin.secrets_in(&secrets).ok_or(Failure::UnknownWebhook)?;
        let signatures = signatures?;
        let body = match body.verify(&signatures, ours) {
            Ok(verified) => return Ok(verified),
            Err(body) => body,
        };
        let newer = self.secrets.newer(&secrets, now).await.ok_or(Rejected)?;
        let ours = origin.secrets_in(&newer).ok_or(Failure::UnknownWebhook)?;
        Ok(body.verify(&signatures, ours).map_err(|_| Rejected)?)
    }
}

impl Origin {
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
