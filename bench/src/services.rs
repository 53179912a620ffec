//! Secrets Manager, SQS and S3, each at an address of its own, over TLS, as far as one event needs them.

use crate::delivery::SECRET;
use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use md5::{Digest, Md5};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::spawn_local;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>.
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;
const NAME: &str = "localhost";
const ADDRESS: &str = "127.0.0.1";

/// The services, and what they were asked.
pub(crate) struct Services {
    secrets_manager: u16,
    sqs: u16,
    s3: u16,
    account: Rc<RefCell<Account>>,
    folder: TempDir,
}

/// What came in since the last look.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) secrets: usize,
    pub(crate) messages: Vec<Message>,
    pub(crate) objects: Vec<Bytes>,
}

/// A message that was queued.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) body: Bytes,
    /// As they were sent, by name.
    pub(crate) attributes: Value,
}

/// How a service is found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Host {
    /// There is nothing to look up.
    Address,
    /// The name has to be looked up, in `/etc/hosts`.
    Name,
}

#[derive(Clone, Copy)]
pub(crate) enum Service {
    SecretsManager,
    Sqs,
    S3,
}

impl Services {
    /// Opens all three, with certificates of a CA of their own.
    pub(crate) async fn open() -> Result<Self> {
        let folder = TempDir::with_prefix("relay-bench-")?;
        let authority = authority()?;
        std::fs::write(bundle(folder.path()), authority.pem())?;
        let account = Rc::default();
        Ok(Self {
            secrets_manager: open(Service::SecretsManager, &authority, &account).await?,
            sqs: open(Service::Sqs, &authority, &account).await?,
            s3: open(Service::S3, &authority, &account).await?,
            account,
            folder,
        })
    }

    /// The address of a service.
    pub(crate) fn url(&self, service: Service, host: Host) -> String {
        let host = match host {
            Host::Address => ADDRESS,
            Host::Name => NAME,
        };
        let port = match service {
            Service::SecretsManager => self.secrets_manager,
            Service::Sqs => self.sqs,
            Service::S3 => self.s3,
        };
        format!("https://{host}:{port}")
    }

    /// The file with the certificate of the CA.
    pub(crate) fn ca_bundle(&self) -> PathBuf {
        bundle(self.folder.path())
    }

    /// What came in since the last look.
    pub(crate) fn take_account(&self) -> Account {
        self.account.take()
    }
}

fn bundle(folder: &Path) -> PathBuf {
    folder.join("ca.pem")
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Not the default of the certificates that it signs, or OpenSSL takes those for self-signed.
    parameters.distinguished_name.push(DnType::CommonName, "CA of the bench");
    Ok(CertifiedIssuer::self_signed(parameters, KeyPair::generate()?)?)
}

/// Each has keys and TLS sessions of its own, as AWS's services do: nobody resumes one's session at another.
async fn open(
    service: Service,
    authority: &CertifiedIssuer<'static, KeyPair>,
    account: &Rc<RefCell<Account>>,
) -> Result<u16> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new([NAME.to_owned(), ADDRESS.to_owned()])?
        .signed_by(&key, authority)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    let account = Rc::clone(account);
    spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let (acceptor, account) = (acceptor.clone(), Rc::clone(&account));
            spawn_local(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return; // whoever came has gone, or does not trust us: it will say so itself
                };
                let answer =
                    service_fn(move |request| answer(service, request, Rc::clone(&account)));
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
            });
        }
    });
    Ok(port)
}

async fn answer(
    service: Service,
    request: Request<Incoming>,
    account: Rc<RefCell<Account>>,
) -> Result<Response<Full<Bytes>>> {
    let checksum = request.headers().get("x-amz-checksum-crc32").cloned();
    // A peer may be the relay with its archive.
    let is_archive = request.uri().path().contains("/archive/");
    let body = request.into_body().collect().await?.to_bytes();
    let mut account = account.borrow_mut();
    match service {
        Service::SecretsManager => {
            account.secrets += 1;
            json_answer(
                200,
                &json!({
                    "ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:relay-AbCdEf",
                    "Name": "relay",
                    "SecretString": SECRET,
                    "VersionId": "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111",
                    "VersionStages": ["AWSCURRENT"],
                }),
            )
        }
        Service::Sqs => {
            let message: Value = serde_json::from_slice(&body)?;
            let text = message["MessageBody"].as_str().context("a message without a body")?;
            if text.len() > MAX_MESSAGE_BYTES {
                json_answer(400, &json!({"__type": "com.amazonaws.sqs#InvalidParameterValue"}))
            } else {
                let (body, attributes) =
                    (text.to_owned().into(), message["MessageAttributes"].clone());
                account.messages.push(Message { body, attributes });
                json_answer(
                    200,
                    &json!({
                        "MessageId": "5fea7756-0ea4-451a-a703-a558b933e274",
                        "MD5OfMessageBody": hex::encode(Md5::digest(text)),
                        "MD5OfMessageAttributes": attributes_md5(&message["MessageAttributes"])?,
                        "SequenceNumber": "18849496460467696128",
                    }),
                )
            }
        }
        Service::S3 => {
            let stored = STANDARD.encode(crc32fast::hash(&body).to_be_bytes());
            let is_asked = checksum.is_some_and(|asked| asked.as_bytes() == stored.as_bytes());
            if !is_archive {
                account.objects.push(body.clone());
            }
            let response = Response::builder()
                .status(if is_asked { 200 } else { 400 })
                .header("etag", "\"d41d8cd98f00b204e9800998ecf8427e\"")
                .header("x-amz-checksum-crc32", stored)
                .header("x-amz-checksum-type", "FULL_OBJECT");
            Ok(response.body(Full::default())?)
        }
    }
}

fn json_answer(status: u16, body: &Value) -> Result<Response<Full<Bytes>>> {
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amzn-requestid", "56fea675-66f0-5e29-9ba7-14c5b5c4b3d4");
    Ok(response.body(Full::new(body.to_string().into()))?)
}

/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>.
fn attributes_md5(attributes: &Value) -> Result<String> {
    let attributes = attributes.as_object().context("a message without attributes")?;
    let mut sorted: Vec<_> = attributes.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    let mut hash = Md5::new();
    for (name, attribute) in sorted {
        let data_type = attribute["DataType"].as_str().context("an attribute without a type")?;
        let value = attribute["StringValue"].as_str().context("an attribute without a value")?;
        for (mark, part) in [(None, name.as_str()), (None, data_type), (Some([1]), value)] {
            if let Some(mark) = mark {
                hash.update(mark);
            }
            hash.update(u32::try_from(part.len())?.to_be_bytes());
            hash.update(part);
        }
    }
    Ok(hex::encode(hash.finalize()))
}
