//! Fakes of Secrets Manager, SQS and S3. A test sets how each behaves, and reads what it received.

use bytes::Bytes;
use labelbox_relay::bucket::{Bucket, BucketError, S3};
use labelbox_relay::message::Message;
use labelbox_relay::queue::{Queue, QueueError, Sqs};
use labelbox_relay::secrets::{FetchError, SecretStore, Secrets, SecretsManager};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How the fake secret store responds.
#[derive(Clone)]
pub(crate) enum StoreBehavior {
    Returns(String),
    Unreachable,
    Denied,
    Hangs,
    /// Returns the value after a delay.
    Slow(String, Duration),
    /// Calls the real client, which has a fake network.
    Client(Arc<SecretsManager>),
}

/// How the fake queue responds.
#[derive(Clone)]
pub(crate) enum QueueBehavior {
    Accepts,
    Rejects,
    ChecksumMismatch,
    /// Accepts after a delay.
    Slow(Duration),
    /// Calls the real client, which has a fake network.
    Client(Arc<Sqs>),
}

/// How the fake bucket responds.
#[derive(Clone)]
pub(crate) enum BucketBehavior {
    Accepts,
    Rejects,
    /// Rejects the objects with this in their keys, and accepts all others.
    RejectsKeysWith(&'static str),
    /// Never responds for the objects with this in their keys, and accepts all others.
    HangsForKeysWith(&'static str),
    /// Accepts after a delay.
    Slow(Duration),
    /// Calls the real client, which has a fake network.
    Client(Arc<S3>),
}

#[derive(Clone)]
pub(crate) struct FakeSecretStore {
    pub(crate) behavior: Arc<Mutex<StoreBehavior>>,
    pub(crate) fetch_count: Arc<Mutex<usize>>,
}

impl FakeSecretStore {
    pub(crate) fn new(value: String) -> Self {
        Self {
            behavior: Arc::new(Mutex::new(StoreBehavior::Returns(value))),
            fetch_count: Arc::default(),
        }
    }
}

impl SecretStore for FakeSecretStore {
    async fn fetch(&self) -> Result<Secrets, FetchError> {
        *self.fetch_count.lock().unwrap() += 1;
        let behavior = self.behavior.lock().unwrap().clone();
        match behavior {
            StoreBehavior::Returns(value) => Ok(Secrets::parse(value)?),
            StoreBehavior::Unreachable => Err(FetchError::Unavailable("no route to host".into())),
            StoreBehavior::Denied => Err(FetchError::Denied("access denied".into())),
            StoreBehavior::Hangs => std::future::pending().await,
            StoreBehavior::Slow(value, delay) => {
                tokio::time::sleep(delay).await;
                Ok(Secrets::parse(value)?)
            }
            StoreBehavior::Client(client) => Box::pin(client.fetch()).await,
        }
    }
}

#[derive(Clone)]
pub(crate) struct FakeQueue {
    pub(crate) behavior: Arc<Mutex<QueueBehavior>>,
    pub(crate) messages: Arc<Mutex<Vec<Message>>>,
}

impl FakeQueue {
    pub(crate) fn new() -> Self {
        Self { behavior: Arc::new(Mutex::new(QueueBehavior::Accepts)), messages: Arc::default() }
    }

    fn accept(&self, message: &Message) -> String {
        let mut messages = self.messages.lock().unwrap();
        messages.push(message.clone());
        format!("message-{}", messages.len())
    }
}

impl Queue for FakeQueue {
    async fn send(&self, message: &Message) -> Result<String, QueueError> {
        let behavior = self.behavior.lock().unwrap().clone();
        match behavior {
            QueueBehavior::Accepts => Ok(self.accept(message)),
            QueueBehavior::Slow(delay) => {
                tokio::time::sleep(delay).await;
                Ok(self.accept(message))
            }
            QueueBehavior::Rejects => Err(QueueError::NotSent("queue does not exist".into())),
            QueueBehavior::ChecksumMismatch => {
                Err(QueueError::Unconfirmed("MD5OfMessageBody differs"))
            }
            QueueBehavior::Client(client) => Box::pin(client.send(message)).await,
        }
    }
}

#[derive(Clone)]
pub(crate) struct FakeBucket {
    pub(crate) behavior: Arc<Mutex<BucketBehavior>>,
    pub(crate) objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl FakeBucket {
    pub(crate) fn new() -> Self {
        Self { behavior: Arc::new(Mutex::new(BucketBehavior::Accepts)), objects: Arc::default() }
    }
}

impl Bucket for FakeBucket {
    async fn put(&self, key: &str, content: Bytes) -> Result<(), BucketError> {
        let behavior = self.behavior.lock().unwrap().clone();
        let is_accepted = match behavior {
            BucketBehavior::Accepts => true,
            BucketBehavior::RejectsKeysWith(part) => !key.contains(part),
            BucketBehavior::HangsForKeysWith(part) if key.contains(part) => {
                return std::future::pending().await;
            }
            BucketBehavior::HangsForKeysWith(_) => true,
            BucketBehavior::Slow(delay) => {
                tokio::time::sleep(delay).await;
                true
            }
            BucketBehavior::Rejects => false,
            BucketBehavior::Client(client) => return Box::pin(client.put(key, content)).await,
        };
        if !is_accepted {
            return Err(BucketError::NotStored("no such bucket".into()));
        }
        self.objects.lock().unwrap().insert(key.to_owned(), content.into());
        Ok(())
    }
}
