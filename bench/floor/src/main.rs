//! The smallest program that does the relay's job for labels: the same bytes to the same services, with the same crates for
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
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use time::OffsetDateTime;
use time::macros::format_description;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;
type Tls = StreamOwned<ClientConnection, TcpStream>;

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

fn main() -> Result<()> {
    let tls = Arc::new(tls_config(&std::fs::read(var("AWS_CA_BUNDLE")?)?)?);
    let (queue_url, bucket) = (var("LABEL_QUEUE_URL")?, var("PAYLOAD_BUCKET")?);
    let connect = |tls: &Arc<_>, endpoint: &str| Http::connect(Arc::clone(tls), &var(endpoint)?);
    let ahead = Arc::clone(&tls);
    let sqs = std::thread::spawn(move || connect(&ahead, "AWS_ENDPOINT_URL_SQS"));
    let mut secrets = connect(&tls, "AWS_ENDPOINT_URL_SECRETS_MANAGER")?;
    let mut sqs_headers = vec![
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "secretsmanager.GetSecretValue"),
    ];
    let input = format!(r#"{{"SecretId":"{}"}}"#, var("SECRET_ARN")?);
    let (_, secret) = secrets.call("secretsmanager", "POST /", &sqs_headers, input.as_bytes())?;
    let secret = field(&secret, "SecretString")?;
    sqs_headers = vec![
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-target", "AmazonSQS.SendMessage"),
    ];
    let mut sqs = sqs.join().map_err(|_| "no connection")??;
    let mut s3 = None;
    let runtime = var("AWS_LAMBDA_RUNTIME_API")?;
    let host = format!("host: {runtime}\r\n");
    let mut lambda = Http { stream: TcpStream::connect(&runtime)?, host: runtime };
    lambda.stream.set_nodelay(true)?;
    loop {
        let (invocation, event) =
            lambda.exchange("GET /2018-06-01/runtime/invocation/next", &host, b"")?;
        let started = OffsetDateTime::now_utc();
        let Event { headers, body } = serde_json::from_str(&event)?;
        drop(event);
        let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes())?;
        mac.update(body.as_bytes());
        let claimed = headers.x_hub_signature.strip_prefix("sha1=").ok_or("no signature")?;
        mac.verify_slice(&hex::decode(claimed)?)?;
        let label: Label<'_> = serde_json::from_str(&body)?;
        let (topic, delivery) = (&headers.x_labelbox_event, &headers.x_labelbox_id);
        let (label_id, project_id, size) = (label.id, label.project.id, body.len().to_string());
        let dedup_id =
            Sha256::new_with_prefix(format!("labelbox\0{topic}\0\0")).chain_update(&body);
        let dedup_id = hex::encode(dedup_id.finalize());
        let received_at = started.format(format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        ))?;
        let attributes = [
            ("ExtendedPayloadSize", "Number", size.as_str()),
            ("dedup_id", "String", &dedup_id),
            ("delivery_id", "String", delivery),
            ("entity", "String", "label"),
            ("entity_id", "String", label_id),
            ("event", "String", topic),
            ("occurred_at", "String", label.updated_at),
            ("project_id", "String", project_id),
            ("received_at", "String", &received_at),
            ("webhook", "String", "labelbox"),
        ];
        let mut pointer = None;
        // The relay's limit, for body and attributes together.
        if body.len() + 512 > 1024 * 1024 {
            let key = format!("payloads/{dedup_id}/0b5ad3a4-2f0b-4b43-9a3c-1f0a4d3c2b1e");
            let checksum = STANDARD.encode(crc32fast::hash(body.as_bytes()).to_be_bytes());
            let signed = [("x-amz-checksum-crc32", &*checksum), ("x-amz-content-sha256", UNSIGNED)];
            if s3.is_none() {
                s3 = Some(connect(&tls, "AWS_ENDPOINT_URL_S3")?);
            }
            let s3 = s3.as_mut().ok_or("no connection")?;
            let (stored, _) =
                s3.call("s3", &format!("PUT /{bucket}/{key}"), &signed, body.as_bytes())?;
            if header(&stored, "x-amz-checksum-crc32")? != checksum {
                return Err("stored something else".into());
            }
            let class = "software.amazon.payloadoffloading.PayloadS3Pointer";
            pointer = Some(format!(r#"["{class}",{{"s3BucketName":"{bucket}","s3Key":"{key}"}}]"#));
        }
        let message = pointer.as_ref().unwrap_or(&body);
        let mut input = Vec::with_capacity(message.len() * 5 / 4 + 2048);
        write!(input, r#"{{"QueueUrl":"{queue_url}","MessageAttributes":{{"#)?;
        let mut hash = Md5::new();
        for (name, data_type, value) in &attributes[usize::from(pointer.is_none())..] {
            write!(input, r#""{name}":{{"DataType":"{data_type}","StringValue":"{value}"}},"#)?;
            for (mark, part) in [(&[][..], *name), (&[], *data_type), (&[1], *value)] {
                hash.update(mark);
                hash.update(u32::try_from(part.len())?.to_be_bytes());
                hash.update(part);
            }
        }
        input.pop();
        let trace = header(&invocation, "lambda-runtime-trace-id")?;
        write!(
            input,
            r#"}},"MessageSystemAttributes":{{"AWSTraceHeader":{{"DataType":"String","StringValue":"{trace}"}}}},"MessageGroupId":"{label_id}","MessageDeduplicationId":"{dedup_id}","MessageBody":"#
        )?;
        serde_json::to_writer(&mut input, message)?;
        input.push(b'}');
        let (_, sent) = sqs.call("sqs", "POST /", &sqs_headers, &input)?;
        if field(&sent, "MD5OfMessageBody")? != hex::encode(Md5::digest(message))
            || field(&sent, "MD5OfMessageAttributes")? != hex::encode(hash.finalize())
        {
            return Err("queued something else".into());
        }
        let message_id = field(&sent, "MessageId")?;
        let request_id = header(&invocation, "lambda-runtime-aws-request-id")?;
        let took = (OffsetDateTime::now_utc() - started).as_seconds_f64() * 1000.0;
        let (now, ip) = (started.unix_timestamp_nanos() / 1_000_000, &headers.x_forwarded_for);
        let log = format!(
            r#"{{"_aws":{{"CloudWatchMetrics":[{{"Namespace":"LabelboxRelay","Dimensions":[[]],"Metrics":[{{"Name":"Received"}},{{"Name":"BodyBytes","Unit":"Bytes"}},{{"Name":"TotalTime","Unit":"Milliseconds"}}]}},{{"Namespace":"LabelboxRelay","Dimensions":[["Entity"]],"Metrics":[{{"Name":"Queued"}}]}}],"Timestamp":{now}}},"Received":1,"Queued":1,"BodyBytes":{size},"TotalTime":{took:.3},"Entity":"label","timestamp":"{received_at}","level":"INFO","message":"event queued","request_id":"{request_id}","route":"webhook","webhook":"labelbox","status":200,"source_ip":"{ip}","event":"{topic}","entity_id":"{label_id}","project_id":"{project_id}","delivery_id":"{delivery}","dedup_id":"{dedup_id}","message_id":"{message_id}"}}"#
        );
        std::io::stdout().write_all((log + "\n").as_bytes())?;
        let answer = format!(
            r#"{{"statusCode":200,"headers":{{"cache-control":"no-store","content-type":"application/json"}},"body":"{{\"status\":\"queued\",\"entity\":\"label\",\"message_id\":\"{message_id}\"}}","isBase64Encoded":false}}"#
        );
        let line = format!("POST /2018-06-01/runtime/invocation/{request_id}/response");
        lambda.exchange(&line, &host, answer.as_bytes())?;
    }
}

const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// AES-128 first, as the relay.
fn tls_config(bundle: &[u8]) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle) {
        roots.add(certificate?)?;
    }
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites.sort_by_key(|it| it.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    let config = ClientConfig::builder_with_provider(Arc::new(provider));
    let config = config.with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// A connection that is kept.
struct Http<S> {
    stream: S,
    host: String,
}

impl Http<Tls> {
    fn connect(tls: Arc<ClientConfig>, url: &str) -> Result<Self> {
        let host = url.strip_prefix("https://").ok_or("no TLS")?.to_owned();
        let name = host.split(':').next().unwrap_or_default().to_owned();
        let mut connection = ClientConnection::new(tls, ServerName::try_from(name)?)?;
        let mut socket = TcpStream::connect(&host)?;
        socket.set_nodelay(true)?;
        connection.complete_io(&mut socket)?;
        Ok(Self { stream: StreamOwned::new(connection, socket), host })
    }

    /// Sends a request with Signature Version 4. `line` is its method and path.
    fn call(
        &mut self,
        service: &str,
        line: &str,
        own: &[(&str, &str)],
        body: &[u8],
    ) -> Result<(String, String)> {
        let date = format_description!("[year][month][day]T[hour][minute][second]Z");
        let date = OffsetDateTime::now_utc().format(date)?;
        let (token, region) = (var("AWS_SESSION_TOKEN")?, var("AWS_REGION")?);
        let mut headers =
            vec![("host", &*self.host), ("x-amz-date", &*date), ("x-amz-security-token", &*token)];
        headers.extend(own);
        headers.sort_unstable();
        let lines: String =
            headers.iter().flat_map(|(name, value)| [name, ":", value, "\n"]).collect();
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let body_hash =
            if service == "s3" { UNSIGNED.to_owned() } else { hex::encode(Sha256::digest(body)) };
        let canonical = format!("{}\n\n{lines}\n{names}\n{body_hash}", line.replace(' ', "\n"));
        let (day, canonical) = (&date[..8], hex::encode(Sha256::digest(canonical)));
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{canonical}");
        let mut key = format!("AWS4{}", var("AWS_SECRET_ACCESS_KEY")?).into_bytes();
        for part in [day, &region, service, "aws4_request", &to_sign] {
            let mac = Hmac::<Sha256>::new_from_slice(&key)?.chain_update(part);
            key = mac.finalize().into_bytes().to_vec();
        }
        let (id, signature) = (var("AWS_ACCESS_KEY_ID")?, hex::encode(key));
        let lines = lines.replace('\n', "\r\n");
        let authorization = format!(
            "{lines}authorization: AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}\r\n"
        );
        self.exchange(line, &authorization, body)
    }
}

impl<S: Read + Write> Http<S> {
    /// Sends a request. Returns head and body of the response.
    fn exchange(&mut self, line: &str, headers: &str, body: &[u8]) -> Result<(String, String)> {
        let length = body.len();
        let head = format!("{line} HTTP/1.1\r\ncontent-length: {length}\r\n{headers}\r\n");
        // A small body goes with its head, in one call of the kernel.
        let (first, rest) = body.split_at(length.min(16_000));
        self.stream.write_all(&[head.as_bytes(), first].concat())?;
        self.stream.write_all(rest)?;
        self.stream.flush()?;
        let (mut received, mut length) = (vec![0; 8192], 0);
        let end = loop {
            length += match self.stream.read(&mut received[length..])? {
                0 => return Err("the connection was closed".into()),
                count => count,
            };
            let end = received[..length].windows(4).position(|it| it == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
        };
        let mut body = received[end..length].to_vec();
        received.truncate(end);
        let head = String::from_utf8(received)?;
        let rest = header(&head, "content-length")?.parse::<usize>()? - body.len();
        body.reserve_exact(rest);
        (&mut self.stream).take(rest as u64).read_to_end(&mut body)?;
        Ok((head, String::from_utf8(body)?))
    }
}

fn header<'a>(head: &'a str, name: &str) -> Result<&'a str> {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
    let found = lines.find(|(known, _)| known.eq_ignore_ascii_case(name));
    Ok(found.ok_or_else(|| format!("no {name}"))?.1)
}

/// The value of a string in a JSON object that has no escapes.
fn field<'a>(json: &'a str, name: &str) -> Result<&'a str> {
    let value =
        json.split_once(&format!(r#""{name}":""#)).and_then(|(_, rest)| rest.split_once('"'));
    Ok(value.ok_or_else(|| format!("no {name}"))?.0)
}
