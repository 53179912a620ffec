//! A value of each printable type, with canaries in all confidential fields.

use super::{ACCESS_KEY, BODY, Printed, SECRET, TOKEN};
use crate::fixture::config;
use crate::requests::{sha1, sha256, verified};
use aws_lite::{AwsError, JsonService, PutObjectOutput, ServiceError, TlsConnector};
use labelbox_relay::authenticate::AuthenticationError;
use labelbox_relay::bucket::BucketError;
use labelbox_relay::config::{Config, MessageConfig, QueueType};
use labelbox_relay::deadlines::{DeadlineExceeded, Deadlines};
use labelbox_relay::deliver::{DeliveryError, DeliveryResult, Destination};
use labelbox_relay::event::{Entity, Event, UnroutedReason};
use labelbox_relay::http::{GatewayResponse, Route};
use labelbox_relay::message::{
    Checksums, DeliveryMetadata, Message, OffloadReason, Payload, SendMessageRequest,
};
use labelbox_relay::outcome::{ApiError, Success};
use labelbox_relay::queue::{QueueError, SendMessageOutput};
use labelbox_relay::report::Report;
use labelbox_relay::secrets::{FetchError, Lookup, Secret, SecretScope, Secrets};
use labelbox_relay::signature::{InvalidSignature, Signatures, Unverified};
use labelbox_relay::telemetry::{Dimension, Metric};
use std::sync::Arc;
use std::time::SystemTime;
use uuid::Uuid;

pub(super) fn print_all_types() -> Printed {
    let mut printed = Printed::default();
    secrets_and_signatures(&mut printed);
    settings_and_services(&mut printed);
    requests_and_events(&mut printed);
    messages(&mut printed);
    errors(&mut printed);
    printed
}

fn secrets_and_signatures(printed: &mut Printed) {
    let (by_webhook, signatures) = (secrets(), signatures());
    printed.debug(&Secret::new(SECRET.to_owned()));
    printed.debug(&by_webhook);
    printed.debug(&Secrets::parse(SECRET.to_owned()).unwrap());
    printed.debug(&signatures);
    printed.debug(&Unverified::new(BODY.into()));
    printed.debug(&verified(SECRET, BODY));
}

fn settings_and_services(printed: &mut Printed) {
    let keys = [("AWS_SECRET_ACCESS_KEY", ACCESS_KEY), ("AWS_SESSION_TOKEN", TOKEN)];
    let config = config(&keys);
    printed.debug(&config);
    printed.debug(&config.aws);
    printed.debug(&config.aws.credentials);
    printed.debug(&config.message.queue_type);
    printed.debug(&config.queue_urls);
    printed.debug(&config.sources);
    printed.debug(&JsonService::SECRETS_MANAGER);
    let e_tag = Some("\"0\"".to_owned());
    printed.debug(&PutObjectOutput { e_tag, checksum_crc32: None });
}

fn requests_and_events(printed: &mut Printed) {
    printed.debug(&SecretScope::Webhook("labelbox"));
    printed.debug(&Route::Models);
    printed.debug(&event());
    printed.debug(&Entity::Label);
    printed.debug(&UnroutedReason::NoTopic);
    let stale_reason = Some(FetchError::from(malformed()).to_string());
    printed.debug(&Lookup {
        result: Ok(Arc::new(secrets())),
        fetch_duration: None,
        stale_reason: stale_reason.clone(),
    });
    let report = Report { stale_reason, ..Report::default() };
    printed.debug(&report.durations);
    printed.debug(&report);
    let deadlines = Deadlines::starting_now(None);
    printed.debug(&deadlines.secret);
    printed.debug(&deadlines);
    printed.debug(&Metric::QUEUED);
    printed.debug(&Dimension::Entity);
}

fn messages(printed: &mut Printed) {
    for inline_limit in [1024, 1] {
        let (message, payload) = message(inline_limit);
        payload.iter().for_each(|payload| printed.debug(payload));
        let record = SendMessageRequest::from(&message);
        record.message_attributes.values().for_each(|value| printed.debug(value));
        printed.debug(&record);
        printed.debug(&Checksums::of_message(&message));
        printed.debug(&SendMessageOutput {
            message_id: None,
            md5_of_message_body: Some(Checksums::of_message(&message).body),
            md5_of_message_attributes: None,
        });
        printed.debug(&message);
        printed.debug(&message.attributes[0]);
        let queued = Destination::Queue { message_id: "1".to_owned() };
        let result = DeliveryResult {
            message,
            destination: queued,
            offload_reason: None,
            archive_error: None,
        };
        printed.debug(&result.destination);
        printed.debug(&result);
        printed.debug(&Success::Stored(Box::new(result)));
    }
    printed.debug(&message_config(1));
    printed.debug(&OffloadReason::TooLarge);
    let response = lambda_http::http::Response::new(String::new());
    printed.debug(&GatewayResponse::from(response));
}

fn errors(printed: &mut Printed) {
    let rejected = || ServiceError {
        service: "SQS",
        status: 400,
        code: Some("AccessDenied".to_owned()),
        message: Some("the message of the service".to_owned()),
    };
    let not_sent = || QueueError::NotSent(AwsError::from(rejected()).into());
    let not_stored = || BucketError::NotStored(AwsError::from(rejected()).into());
    printed.error(&rejected());
    printed.error(&AwsError::invalid("not read"));
    printed.error(&not_sent());
    printed.error(&not_stored());
    printed.error(&malformed());
    printed.error(&FetchError::from(malformed()));
    printed.error(&DeadlineExceeded);
    printed.error(&InvalidSignature);
    for error in [
        || AuthenticationError::NoEntry,
        || AuthenticationError::InvalidSignature(InvalidSignature),
        || AuthenticationError::SecretUnavailable(malformed().into()),
        || AuthenticationError::RefreshFailed(malformed().into()),
    ] {
        printed.error(&error());
        printed.error(&ApiError::from(error()));
    }
    let payload_not_stored = || DeliveryError::PayloadNotStored(not_stored());
    let not_durable = || DeliveryError::NotDurable { queue: not_sent(), bucket: not_stored() };
    for [error, same] in
        [[payload_not_stored(), payload_not_stored()], [not_durable(), not_durable()]]
    {
        printed.error(&error);
        printed.error(&ApiError::from(same));
    }
    printed.error(&ApiError::MalformedBase64);
    printed.error(&Config::load(|_| Some(SECRET.to_owned())).unwrap_err());
    // A CA bundle without certificates.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), SECRET).unwrap();
    let connector = TlsConnector::new(Some(file.path()), "eu-central-1", false);
    printed.error(&connector.err().unwrap());
}

fn secrets() -> Secrets {
    let value = serde_json::json!({"labelbox": [SECRET, "old"]});
    Secrets::parse(value.to_string()).unwrap()
}

fn malformed() -> labelbox_relay::secrets::InvalidSecret {
    Secrets::parse(format!(r#"{{"labelbox": {{"x": "{SECRET}"}}}}"#)).unwrap_err()
}

fn signatures() -> Signatures {
    let (sha1, sha256) = (sha1(SECRET, BODY.as_bytes()), sha256(SECRET, BODY.as_bytes()));
    Signatures::parse([sha1.as_str()].into_iter(), [sha256.as_str()].into_iter()).unwrap()
}

fn event() -> Event {
    Event::from_webhook(&verified(SECRET, BODY), Some("LABEL_CREATED"))
}

fn message_config(inline_limit: usize) -> MessageConfig {
    MessageConfig { queue_type: QueueType::Fifo, inline_limit, bucket: "bucket".to_owned() }
}

fn message(inline_limit: usize) -> (Message, Option<Payload>) {
    let now = SystemTime::UNIX_EPOCH.into();
    let (message_config, metadata) = (message_config(inline_limit), DeliveryMetadata::default());
    let verified = verified(SECRET, BODY);
    Message::build(verified, event(), metadata, &message_config, now, Uuid::nil)
}
