//! Services that speak AWS JSON 1.0 or 1.1: every call is a `POST /` with a JSON object.
//!
//! Source: <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>.

use crate::client::{AwsConfig, Client, ErrorFields};
use crate::endpoint::endpoint;
use crate::error::AwsError;
use crate::sign::PayloadSigning;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A service that speaks AWS JSON.
#[derive(Debug, Clone, Copy)]
pub struct JsonService {
    name: &'static str,
    /// The first label of its host name, which is its name in signatures, too.
    host_prefix: &'static str,
    content_type: &'static str,
    /// Whether it returns the error codes of its older Query protocol if the request has `x-amzn-query-mode`. Source:
    /// <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-protocols-awsquerycompatible-trait>.
    is_query_compatible: bool,
}

impl JsonService {
    /// Amazon SQS; operations are called `AmazonSQS.…`.
    pub const SQS: Self = Self {
        name: "SQS",
        host_prefix: "sqs",
        content_type: "application/x-amz-json-1.0",
        is_query_compatible: true,
    };
    /// AWS Secrets Manager; operations are called `secretsmanager.…`.
    pub const SECRETS_MANAGER: Self = Self {
        name: "Secrets Manager",
        host_prefix: "secretsmanager",
        content_type: "application/x-amz-json-1.1",
        is_query_compatible: false,
    };
}

/// A client of one service that speaks AWS JSON.
pub struct JsonClient {
    client: Client,
    service: JsonService,
    endpoint: String,
}

impl JsonClient {
    /// A client of a service, at AWS or at a custom endpoint.
    pub fn new(service: JsonService, config: &AwsConfig, custom_endpoint: Option<&str>) -> Self {
        let prefix = service.host_prefix;
        Self {
            client: Client::new(config, service.name, prefix, PayloadSigning::Signed, parse_error),
            service,
            endpoint: endpoint(prefix, &config.region, custom_endpoint),
        }
    }

    /// The service's URL, without a slash at its end.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Calls an operation, such as `AmazonSQS.SendMessage`, with its input as JSON.
    ///
    /// # Errors
    /// Returns the error of the last attempt.
    pub async fn call<O: DeserializeOwned>(
        &self,
        operation: &'static str,
        input: Vec<u8>,
    ) -> Result<O, AwsError> {
        let mut request = Request::post(format!("{}/", self.endpoint))
            .header(CONTENT_TYPE, self.service.content_type)
            .header("x-amz-target", operation);
        if self.service.is_query_compatible {
            request = request.header("x-amzn-query-mode", "true");
        }
        let request = request.body(input.into()).map_err(AwsError::invalid)?;
        let response = self.client.send(request).await?;
        // serde's message may quote the response, which may be a secret.
        serde_json::from_slice(response.body())
            .map_err(|_| AwsError::invalid("the response is not the documented JSON"))
    }
}

/// The headers have priority, and `code` over `__type`, as in the SDK.
fn parse_error(response: &Response<Bytes>) -> ErrorFields {
    let header = |name| response.headers().get(name)?.to_str().ok();
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let field = |name: &&str| body.get(name)?.as_str();
    // `AWS.SimpleQueueService.NonExistentQueue;Sender`
    let query_code = header("x-amzn-query-error").and_then(|text| text.split_once(';'));
    let code = query_code.map(|(code, _)| code).or_else(|| {
        let code = header("x-amzn-errortype").or_else(|| ["code", "__type"].iter().find_map(field));
        code.map(short_code)
    });
    let message = ["message", "Message", "errorMessage"].iter().find_map(field);
    (code.map(str::to_owned), message.map(str::to_owned))
}

/// `FooError` of `aws.protocoltests.restjson#FooError:http://amazon.com/smithy/com.amazon/`. Source:
/// <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html#operation-error-serialization>.
fn short_code(code: &str) -> &str {
    let code = code.split(':').next().unwrap_or_default();
    code.rsplit('#').next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
