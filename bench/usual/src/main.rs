//! The same job as one would usually write it: clients from the environment, the body as a tree, one queue.
//!
//! It checks less than the relay does, and it has no place for what a queue cannot carry.

use aws_sdk_sqs::types::MessageAttributeValue;
use hmac::{Hmac, KeyInit, Mac};
use lambda_http::{Body, Error, Request, Response, run, service_fn, tracing};
use serde_json::Value;
use sha1::Sha1;

struct Receiver {
    sqs: aws_sdk_sqs::Client,
    queue_url: String,
    secret: String,
}

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "as one would usually write it")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let secret = aws_sdk_secretsmanager::Client::new(&config)
        .get_secret_value()
        .secret_id(std::env::var("SECRET_ARN")?)
        .send()
        .await?;
    let receiver = Receiver {
        sqs: aws_sdk_sqs::Client::new(&config),
        queue_url: std::env::var("LABEL_QUEUE_URL")?,
        secret: secret.secret_string.ok_or("the secret is no string")?,
    };
    run(service_fn(|request| receiver.receive(request))).await
}

impl Receiver {
    async fn receive(&self, request: Request) -> Result<Response<Body>, Error> {
        let body = request.body().as_ref();
        let header = |name| request.headers().get(name)?.to_str().ok();
        let claimed = header("x-hub-signature").and_then(|claimed| claimed.strip_prefix("sha1="));
        let mut mac = Hmac::<Sha1>::new_from_slice(self.secret.as_bytes())?;
        mac.update(body);
        if mac.verify_slice(&hex::decode(claimed.unwrap_or_default())?).is_err() {
            return answer(401, "signature rejected");
        }
        let label: Value = serde_json::from_slice(body)?;
        let id = label["id"].as_str().unwrap_or_default();
        let delivery = header("x-labelbox-id").unwrap_or_default();
        let attribute = |value: &str| {
            let attribute = MessageAttributeValue::builder().data_type("String");
            attribute.string_value(value).build()
        };
        let sent = self
            .sqs
            .send_message()
            .queue_url(&self.queue_url)
            .message_body(String::from_utf8(body.to_vec())?)
            .message_attributes("event", attribute(header("x-labelbox-event").unwrap_or_default())?)
            .message_attributes("entity_id", attribute(id)?)
            .message_group_id(id)
            .message_deduplication_id(delivery)
            .send()
            .await?;
        tracing::info!(message_id = sent.message_id, id, "label queued");
        answer(200, "ok")
    }
}

fn answer(status: u16, body: &str) -> Result<Response<Body>, Error> {
    Ok(Response::builder().status(status).body(body.into())?)
}
