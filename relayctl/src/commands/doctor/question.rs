//! One question to AWS, which is given up after a while, so that what does not answer holds up nothing else.

use crate::aws;
use crate::error::Error;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use std::error::Error;
use std::future::Future;
use std::time::Duration;

/// How long AWS has for an answer, with all attempts.
pub const LIMIT: Duration = Duration::from_secs(6);

/// Codes by which services say that what was asked for does not exist.
const GONE: [&str; 6] = [
    "AWS.SimpleQueueService.NonExistentQueue",
    "NoSuchBucket",
    "NoSuchEntity",
    "NoSuchKey",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
];

/// Asks for what takes this IAM action.
pub async fn ask<T, E>(
    action: &'static str,
    question: impl Future<Output = Result<T, SdkError<E>>>,
) -> Result<T, Error>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match tokio::time::timeout(LIMIT, question).await {
        Ok(answer) => answer.map_err(|error| aws::error(action, &error)),
        Err(_) => {
            Err(Error::NoAnswer { action, said: format!("nothing within {} s", LIMIT.as_secs()) })
        }
    }
}

/// Whether the answer was that there is no such thing.
pub fn is_gone(error: &Error) -> bool {
    let Error::Failed { said, .. } = error else {
        return false;
    };
    let code = said.split(": ").next().unwrap_or_default();
    GONE.contains(&code)
}
