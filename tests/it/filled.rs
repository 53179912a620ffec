//! Every type of the library that can be printed, filled with what must not show.

use crate::canaries::{ACCESS_KEY, BODY, HEADER, SECRET, TOKEN};
use crate::outside::{config, sha1, sha256, verified};
use crate::shown::Shown;
use aws_lite::{AwsError, JsonService, PutObjectOutput, ServiceError, TlsConnector};
use labelbox_relay::authenticate::{AuthenticationError, SecretScope};
use labelbox_relay::bucket::BucketError;
use labelbox_relay::config::{Config, QueueType};
use labelbox_relay::deadlines::{DeadlineExceeded, Deadlines};
use labelbox_relay::deliver::{DeliveryError, Destination};
use labelbox_relay::event::{Entity, Event, Reason};
use labelbox_relay::http::{
    ApiError, EventError, GatewayResponse, MalformedBase64, RawBody, Request, Route, Success,
};
use labelbox_relay::message::{
    Checksums, DataType, DeliveryMetadata, Message, MessageConfig, OffloadReason, Payload,
    SendMessageRequest,
};
use labelbox_relay::queue::{QueueError, SendMessageOutput};
use labelbox_relay::receive::{DeliveryResult, IngestError};
use labelbox_relay::report::Report;
use labelbox_relay::secrets::{FetchError, Lookup, RefreshError, Secret, Secrets};
use labelbox_relay::signature::{InvalidSignature, Signatures, Unverified};
use labelbox_relay::telemetry::{Dimension, Metric};
use std::time::SystemTime;
use uuid::Uuid;

/// Prints every type that there is, with canaries wherever it can hold them.
pub(crate) fn everything() -> Shown {
    let mut shown = Shown::default();
    secrets_and_signatures(&mut shown);
    settings_and_services(&mut shown);
    requests_and_events(&mut shown);
    messages(&mut shown);
    errors(&mut shown);
    shown
}

fn secrets_and_signatures(shown: &mut Shown) {
    let (by_webhook, signatures) = (secrets(), signatures());
    shown.debug(&Secret::new(SECRET.to_owned()));
    shown.debug(&by_webhook);
    shown.debug(&Secrets::parse(SECRET.to_owned()).unwrap());
    shown.debug(&signatures);
    shown.debug(&Unverified::new(BODY.into()));
    shown.debug(&verified(SECRET, BODY));
}

fn settings_and_services(shown: &mut Shown) {
    let keys = [
        ("AWS_SECRET_ACCESS_KEY", ACCESS_KEY),
        ("AWS_SESSION_TOKEN", TOKEN),
    ];
    let config = config(&keys);
    shown.debug(&config);
    shown.debug(&config.aws);
    shown.debug(&config.queue_type);
    shown.debug(&config.queue_urls);
    shown.debug(&config.sources);
    shown.debug(&JsonService::SECRETS_MANAGER);
    let e_tag = Some("\"0\"".to_owned());
    shown.debug(&PutObjectOutput {
        e_tag,
        checksum_crc32: None,
    });
}

fn requests_and_events(shown: &mut Shown) {
    let body = || RawBody {
        text: BODY.to_owned(),
        is_base64: false,
    };
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    shown.debug(&body());
    shown.debug(&Request {
        path: format!("/{HEADER}"),
        headers: vec![
            header("cookie", HEADER),
            header(HEADER, "1"),
            header("x-hub-signature", &sha1(SECRET, BODY.as_bytes())),
        ],
        body: body(),
        ..Request::default()
    });
    shown.debug(&SecretScope::Webhook("labelbox".to_owned()));
    shown.debug(&Route::Models);
    shown.debug(&event());
    shown.debug(&Entity::Label);
    shown.debug(&Reason::NoTopic);
    let refresh_error = RefreshError {
        error: FetchError::from(malformed()).to_string(),
        is_stale: true,
    };
    shown.debug(&refresh_error);
    shown.debug(&Lookup {
        result: Ok(secrets()),
        fetch_duration: None,
        refresh_error: Some(refresh_error.clone()),
    });
    let report = Report {
        refresh_error: Some(refresh_error),
        ..Report::default()
    };
    shown.debug(&report.durations);
    shown.debug(&report);
    let deadlines = Deadlines::starting_now(None);
    shown.debug(&deadlines.secret);
    shown.debug(&deadlines);
    shown.debug(&Metric::QUEUED);
    shown.debug(&Dimension::Entity);
}

fn messages(shown: &mut Shown) {
    for inline_limit in [1024, 1] {
        let (message, payload) = message(inline_limit);
        payload.iter().for_each(|payload| shown.debug(payload));
        let record = SendMessageRequest::from(&message);
        record
            .message_attributes
            .values()
            .for_each(|value| shown.debug(value));
        shown.debug(&record);
        shown.debug(&Checksums::of(&message));
        shown.debug(&SendMessageOutput {
            message_id: None,
            md5_of_message_body: Some(Checksums::of(&message).body),
            md5_of_message_attributes: None,
        });
        shown.debug(&message);
        shown.debug(&message.attributes[0]);
        let queued = Destination::Queue {
            message_id: "1".to_owned(),
        };
        let result = DeliveryResult {
            message,
            destination: queued,
            offload_reason: None,
        };
        shown.debug(&result.destination);
        shown.debug(&result);
        shown.debug(&Success::Received(Box::new(result)));
    }
    shown.debug(&message_config(1));
    shown.debug(&DataType::String);
    shown.debug(&OffloadReason::TooLarge);
    let answer = lambda_http::http::Response::new(String::new());
    shown.debug(&GatewayResponse::from(answer));
}

fn errors(shown: &mut Shown) {
    let rejected = || ServiceError {
        service: "SQS",
        status: 400,
        code: Some("AccessDenied".to_owned()),
        message: Some("in the service's words".to_owned()),
    };
    let not_sent = || QueueError::NotSent(AwsError::from(rejected()).into());
    let not_stored = || BucketError::NotStored(AwsError::from(rejected()).into());
    shown.error(&rejected());
    shown.error(&AwsError::invalid("not read"));
    shown.error(&not_sent());
    shown.error(&not_stored());
    shown.error(&malformed());
    shown.error(&FetchError::from(malformed()));
    shown.error(&DeadlineExceeded);
    shown.debug(&EventError::NotHttp);
    shown.error(&InvalidSignature);
    shown.error(&MalformedBase64);
    for error in [
        || AuthenticationError::UnknownWebhook,
        || AuthenticationError::InvalidSignature(InvalidSignature),
        || AuthenticationError::SecretUnavailable(malformed().into()),
        || AuthenticationError::RefreshFailed(malformed().into()),
    ] {
        shown.error(&error());
        shown.error(&IngestError::from(error()));
        shown.error(&ApiError::from(error()));
    }
    let payload_not_stored = || DeliveryError::PayloadNotStored(not_stored());
    let not_durable = || DeliveryError::NotDurable {
        queue: not_sent(),
        bucket: not_stored(),
    };
    for [error, same] in [
        [payload_not_stored(), payload_not_stored()],
        [not_durable(), not_durable()],
    ] {
        shown.error(&error);
        shown.error(&ApiError::from(IngestError::from(same)));
    }
    shown.error(&ApiError::from(MalformedBase64));
    shown.error(&Config::load(|_| Some(SECRET.to_owned())).unwrap_err());
    // A file that holds something else than certificates.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), SECRET).unwrap();
    let connector = TlsConnector::new(Some(file.path()), "eu-central-1", false);
    shown.error(&connector.err().unwrap());
}

fn secrets() -> Secrets {
    let value = serde_json::json!({"labelbox": [SECRET, "old"]});
    Secrets::parse(value.to_string()).unwrap()
}

fn malformed() -> labelbox_relay::secrets::InvalidSecret {
    Secrets::parse(format!(r#"{{"labelbox": {{"x": "{SECRET}"}}}}"#)).unwrap_err()
}

fn signatures() -> Signatures {
    let (sha1, sha256) = (
        sha1(SECRET, BODY.as_bytes()),
        sha256(SECRET, BODY.as_bytes()),
    );
    Signatures::read([sha1.as_str()].into_iter(), [sha256.as_str()].into_iter()).unwrap()
}

fn event() -> Event {
    Event::of_webhook(&verified(SECRET, BODY), Some("LABEL_CREATED"))
}

fn message_config(inline_limit: usize) -> MessageConfig {
    MessageConfig {
        queue_type: QueueType::Fifo,
        inline_limit,
        bucket: "bucket".to_owned(),
    }
}

fn message(inline_limit: usize) -> (Message, Option<Payload>) {
    let now = SystemTime::UNIX_EPOCH.into();
    let (message_config, metadata) = (message_config(inline_limit), DeliveryMetadata::default());
    let verified = verified(SECRET, BODY);
    Message::build(verified, event(), metadata, &message_config, now, Uuid::nil)
}
