//! The least program that does the relay's job for labels: the same bytes to the same services, with the same crates for
//! hashes and TLS, and nothing else. It blocks, knows one topic, retries nothing, and stops at any error.

#![expect(clippy::disallowed_methods, reason = "the program reads the environment and the clock")]
#![expect(clippy::indexing_slicing, reason = "a panic stops it, as any error does")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{CipherSuite, ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde::Deserialize;
use sha1::Sha1;
use sha2::Sha256;
use std::env::var;
use std::error::Error;
use std::fmt::Write as _;
use std::io::{IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use time::OffsetDateTime;
use time::macros::format_description;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;
type Tls = StreamOwned<ClientConnection, TcpStream>;

/// The relay's limit for a message, body and attributes together.
const INLINE_LIMIT: usize = 1024 * 1024;

#[derive(Deserialize)]
struct Event {
    headers: Headers,
    body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Headers {
    x_hub_signature: String,
    x_labelbox_event: String,
    x_labelbox_id: String,
    x_forwarded_for: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Label<'a> {
    id: &'a str,
    updated_at: &'a str,
    #[serde(borrow)]
    project: Project<'a>,
}

#[derive(Deserialize)]
struct Project<'a> {
    id: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Secret {
    secret_string: String,
}

#[derive(Deserialize)]
struct Sent<'a> {
    #[serde(rename = "MessageId")]
    id: &'a str,
    #[serde(rename = "MD5OfMessageBody")]
    body: &'a str,
    #[serde(rename = "MD5OfMessageAttributes")]
    attributes: &'a str,
}

fn main() -> Result<()> {
    let tls = Arc::new(tls_config(&std::fs::read(var("AWS_CA_BUNDLE")?)?)?);
    let aws = Aws { region: var("AWS_REGION")?, tls, token: var("AWS_SESSION_TOKEN")? };
    let (queue_url, bucket) = (var("LABEL_QUEUE_URL")?, var("PAYLOAD_BUCKET")?);
    let ahead = aws.clone();
    let sqs = std::thread::spawn(move || ahead.connect("AWS_ENDPOINT_URL_SQS"));
    let mut secrets = aws.connect("AWS_ENDPOINT_URL_SECRETS_MANAGER")?;
    let input = format!(r#"{{"SecretId":"{}"}}"#, var("SECRET_ARN")?);
    let target = [("x-amz-target", "secretsmanager.GetSecretValue")];
    let input_hash = hex::encode(Sha256::digest(&input));
    let head =
        aws.head(&secrets.host, "secretsmanager", "POST /", &target, &input_hash, input.len())?;
    let secret: Secret = serde_json::from_slice(&secrets.exchange(&head, input.as_bytes())?.1)?;
    let mut sqs = sqs.join().map_err(|_| "no connection")??;
    let mut s3 = None;
    let runtime = var("AWS_LAMBDA_RUNTIME_API")?;
    let mut lambda = Http { stream: TcpStream::connect(&runtime)?, host: runtime };
    lambda.stream.set_nodelay(true)?;
    loop {
        let next = format!(
            "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: {}\r\n\r\n",
            lambda.host
        );
        let (invocation, event) = lambda.exchange(&next, b"")?;
        let started = OffsetDateTime::now_utc();
        let Event { headers, body } = serde_json::from_slice(&event)?;
        drop(event);
        let mut mac = Hmac::<Sha1>::new_from_slice(secret.secret_string.as_bytes())?;
        mac.update(body.as_bytes());
        let claimed = headers.x_hub_signature.strip_prefix("sha1=").ok_or("no signature")?;
        mac.verify_slice(&hex::decode(claimed)?)?;
        let label: Label<'_> = serde_json::from_str(&body)?;
        let topic = &headers.x_labelbox_event;
        let dedup_id =
            Sha256::new_with_prefix(format!("labelbox\0{topic}\0\0")).chain_update(&body);
        let dedup_id = hex::encode(dedup_id.finalize());
        let size = body.len().to_string();
        let received_at = started.format(format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        ))?;
        let attributes = [
            ("ExtendedPayloadSize", "Number", size.as_str()),
            ("dedup_id", "String", &dedup_id),
            ("delivery_id", "String", &headers.x_labelbox_id),
            ("entity", "String", "label"),
            ("entity_id", "String", label.id),
            ("event", "String", topic),
            ("occurred_at", "String", label.updated_at),
            ("project_id", "String", label.project.id),
            ("received_at", "String", &received_at),
            ("webhook", "String", "labelbox"),
        ];
        let (pointer, attributes) = if body.len() + 512 > INLINE_LIMIT {
            let key = format!("payloads/{dedup_id}/0b5ad3a4-2f0b-4b43-9a3c-1f0a4d3c2b1e");
            let checksum = STANDARD.encode(crc32fast::hash(body.as_bytes()).to_be_bytes());
            if s3.is_none() {
                s3 = Some(aws.connect("AWS_ENDPOINT_URL_S3")?);
            }
            let s3 = s3.as_mut().ok_or("no connection")?;
            let signed = [
                ("x-amz-checksum-crc32", &*checksum),
                ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
            ];
            let line = format!("PUT /{bucket}/{key}");
            let head = aws.head(&s3.host, "s3", &line, &signed, "UNSIGNED-PAYLOAD", body.len())?;
            let (stored, _) = s3.exchange(&head, body.as_bytes())?;
            if header(&stored, "x-amz-checksum-crc32") != Some(&checksum) {
                return Err("stored something else".into());
            }
            let class = "software.amazon.payloadoffloading.PayloadS3Pointer";
            let pointer = format!(r#"["{class}",{{"s3BucketName":"{bucket}","s3Key":"{key}"}}]"#);
            (Some(pointer), &attributes[..])
        } else {
            (None, &attributes[1..])
        };
        let message = pointer.as_ref().unwrap_or(&body);
        let mut input =
            format!(r#"{{"QueueUrl":"{queue_url}","MessageAttributes":{{"#).into_bytes();
        input.reserve(message.len() * 5 / 4 + 2048);
        let mut hash = Md5::new();
        for (index, (name, data_type, value)) in attributes.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(
                input,
                r#"{comma}"{name}":{{"DataType":"{data_type}","StringValue":"{value}"}}"#
            )?;
            for (mark, part) in [(&[][..], *name), (&[], *data_type), (&[1], *value)] {
                hash.update(mark);
                hash.update(u32::try_from(part.len())?.to_be_bytes());
                hash.update(part);
            }
        }
        let trace = header(&invocation, "lambda-runtime-trace-id").ok_or("no trace")?;
        write!(
            input,
            r#"}},"MessageSystemAttributes":{{"AWSTraceHeader":{{"DataType":"String","StringValue":"{trace}"}}}},"MessageGroupId":"{}","MessageDeduplicationId":"{dedup_id}","MessageBody":"#,
            label.id
        )?;
        serde_json::to_writer(&mut input, message)?;
        input.push(b'}');
        let input_hash = hex::encode(Sha256::digest(&input));
        let target = [("x-amz-target", "AmazonSQS.SendMessage")];
        let head = aws.head(&sqs.host, "sqs", "POST /", &target, &input_hash, input.len())?;
        let (_, response) = sqs.exchange(&head, &input)?;
        let sent: Sent<'_> = serde_json::from_slice(&response)?;
        if sent.body != hex::encode(Md5::digest(message))
            || sent.attributes != hex::encode(hash.finalize())
        {
            return Err("queued something else".into());
        }
        let id = header(&invocation, "lambda-runtime-aws-request-id").ok_or("no id")?;
        let took = (OffsetDateTime::now_utc() - started).as_seconds_f64() * 1000.0;
        let log = format!(
            r#"{{"_aws":{{"CloudWatchMetrics":[{{"Namespace":"LabelboxRelay","Dimensions":[[]],"Metrics":[{{"Name":"Received"}},{{"Name":"BodyBytes","Unit":"Bytes"}},{{"Name":"TotalTime","Unit":"Milliseconds"}}]}},{{"Namespace":"LabelboxRelay","Dimensions":[["Entity"]],"Metrics":[{{"Name":"Queued"}}]}}],"Timestamp":{}}},"Received":1,"Queued":1,"BodyBytes":{size},"TotalTime":{took:.3},"Entity":"label","timestamp":"{received_at}","level":"INFO","message":"event queued","request_id":"{id}","route":"webhook","webhook":"labelbox","status":200,"source_ip":"{}","event":"{topic}","entity_id":"{}","project_id":"{}","delivery_id":"{}","dedup_id":"{dedup_id}","message_id":"{}"}}{}"#,
            started.unix_timestamp_nanos() / 1_000_000,
            headers.x_forwarded_for,
            label.id,
            label.project.id,
            headers.x_labelbox_id,
            sent.id,
            "\n"
        );
        std::io::stdout().write_all(log.as_bytes())?;
        let answer = format!(
            r#"{{"statusCode":200,"headers":{{"cache-control":"no-store","content-type":"application/json"}},"body":"{{\"status\":\"queued\",\"entity\":\"label\",\"message_id\":\"{}\"}}","isBase64Encoded":false}}"#,
            sent.id
        );
        let head = format!(
            "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n",
            lambda.host,
            answer.len()
        );
        lambda.exchange(&head, answer.as_bytes())?;
    }
}

/// AES-128 first, as the relay.
fn tls_config(bundle: &[u8]) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle) {
        roots.add(certificate?)?;
    }
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites.sort_by_key(|it| it.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    let builder = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[derive(Clone)]
struct Aws {
    region: String,
    tls: Arc<ClientConfig>,
    token: String,
}

impl Aws {
    fn connect(&self, endpoint: &str) -> Result<Http<Tls>> {
        let url = var(endpoint)?;
        let host = url.strip_prefix("https://").ok_or("no TLS")?;
        let name = host.split(':').next().unwrap_or_default().to_owned();
        let mut connection =
            ClientConnection::new(Arc::clone(&self.tls), ServerName::try_from(name)?)?;
        let mut socket = TcpStream::connect(host)?;
        socket.set_nodelay(true)?;
        connection.complete_io(&mut socket)?;
        Ok(Http { stream: StreamOwned::new(connection, socket), host: host.to_owned() })
    }

    /// The head of a request with Signature Version 4. `line` is method and path, `own` are the operation's headers.
    fn head(
        &self,
        host: &str,
        service: &str,
        line: &str,
        own: &[(&str, &str)],
        body_hash: &str,
        length: usize,
    ) -> Result<String> {
        let now = OffsetDateTime::now_utc();
        let date = now.format(format_description!("[year][month][day]T[hour][minute][second]Z"))?;
        let json = if service == "sqs" {
            "application/x-amz-json-1.0"
        } else {
            "application/x-amz-json-1.1"
        };
        let mut headers = vec![
            ("content-type", json),
            ("host", host),
            ("x-amz-date", &date),
            ("x-amz-security-token", &self.token),
        ];
        headers.extend(own);
        headers.sort_unstable();
        let (mut lines, mut names) = (String::with_capacity(2048), String::with_capacity(128));
        for (index, (name, value)) in headers.iter().enumerate() {
            writeln!(lines, "{name}:{value}")?;
            write!(names, "{}{name}", if index == 0 { "" } else { ";" })?;
        }
        let canonical = format!("{}\n\n{lines}\n{names}\n{body_hash}", line.replace(' ', "\n"));
        let (day, region) = (&date[..8], &self.region);
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let canonical = hex::encode(Sha256::digest(canonical));
        let mut key = format!("AWS4{}", var("AWS_SECRET_ACCESS_KEY")?).into_bytes();
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{canonical}");
        for part in [day, region, service, "aws4_request", &to_sign] {
            key = Hmac::<Sha256>::new_from_slice(&key)?
                .chain_update(part)
                .finalize()
                .into_bytes()
                .to_vec();
        }
        let (id, signature) = (var("AWS_ACCESS_KEY_ID")?, hex::encode(key));
        Ok(format!(
            "{line} HTTP/1.1\r\n{}content-length: {length}\r\nauthorization: AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}\r\n\r\n",
            lines.replace('\n', "\r\n")
        ))
    }
}

/// A connection that is kept.
struct Http<S> {
    stream: S,
    host: String,
}

impl<S: Read + Write> Http<S> {
    /// Sends a request. Returns head and body of the response.
    fn exchange(&mut self, head: &str, body: &[u8]) -> Result<(String, Vec<u8>)> {
        let sent =
            self.stream.write_vectored(&[IoSlice::new(head.as_bytes()), IoSlice::new(body)])?;
        self.stream.write_all(&body[sent - head.len()..])?;
        self.stream.flush()?;
        let mut received = vec![0; 8192];
        let mut length = 0;
        let end = loop {
            let count = self.stream.read(&mut received[length..])?;
            length += count;
            let found = received[..length].windows(4).position(|it| it == b"\r\n\r\n");
            match found {
                Some(end) => break end + 4,
                None if count == 0 => return Err("the connection was closed".into()),
                None => {}
            }
        };
        let head = String::from_utf8(received[..end].to_vec())?;
        let mut body = received[end..length].to_vec();
        let rest = header(&head, "content-length").map_or(Ok(0), str::parse::<usize>)? - body.len();
        body.reserve_exact(rest);
        (&mut self.stream).take(rest as u64).read_to_end(&mut body)?;
        Ok((head, body))
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
    lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
