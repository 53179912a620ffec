//! The stack's secret in Secrets Manager: read, and replaced if nobody else has changed it.

use crate::aws::CallResult;
use crate::aws::stack::Stack;
use crate::error::Error;
use crate::secret::{Text, Value, unusable};
use aws_sdk_secretsmanager::Client;
use uuid::Uuid;
use zeroize::Zeroizing;

const CURRENT: &str = "AWSCURRENT";

/// The secret of a stack.
pub struct Store {
    client: Client,
    arn: String,
    /// How long the function uses what it has read, in words.
    pub ttl: String,
}

/// The secret's value, as it was read.
pub struct SecretVersion {
    /// An error if the function could not use it.
    pub value: Result<Value, Error>,
    pub id: String,
}

impl Store {
    pub fn of(client: Client, stack: &Stack) -> Result<Self, Error> {
        Ok(Self { client, arn: stack.output("SecretArn")?.to_owned(), ttl: stack.secret_ttl() })
    }

    pub async fn read(&self) -> Result<SecretVersion, Error> {
        self.read_stage(CURRENT).await
    }

    pub async fn read_stage(&self, stage: &str) -> Result<SecretVersion, Error> {
        let request = self.client.get_secret_value().secret_id(&self.arn);
        let response = request.version_stage(stage).send().await;
        let response = response.action("secretsmanager:GetSecretValue")?;
        let binary = || unusable("the secret's value is binary");
        let text = response.secret_string.map(Zeroizing::new).ok_or_else(binary);
        let id = response.version_id.unwrap_or_default();
        Ok(SecretVersion { value: text.and_then(Value::read), id })
    }

    /// Replaces the value of the version that was read.
    ///
    /// Secrets Manager has no conditional write. So the text becomes a version with a label of its own, which nobody reads, and
    /// then the label `AWSCURRENT` moves to it from the version that was read. That fails if somebody else has moved it.
    ///
    /// Source: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html>.
    pub async fn replace(&self, current: &str, text: &Text) -> Result<(), Error> {
        let version = Uuid::new_v4().to_string();
        let label = format!("relayctl-{version}");
        let request = self.client.put_secret_value().secret_id(&self.arn);
        let request = request.secret_string(text.as_str()).client_request_token(&version);
        let put = request.version_stages(&label).send().await;
        put.action("secretsmanager:PutSecretValue")?;
        let moved = self.make_current(current, &version).await;
        // Secrets Manager deletes versions without a label. If this fails, a label remains that nobody reads.
        let request = self.client.update_secret_version_stage();
        let request = request.secret_id(&self.arn).version_stage(label);
        let _ = request.remove_from_version_id(version).send().await;
        moved
    }

    async fn make_current(&self, current: &str, version: &str) -> Result<(), Error> {
        let request = self.client.update_secret_version_stage();
        let request = request
            .secret_id(&self.arn)
            .version_stage(CURRENT)
            .move_to_version_id(version)
            .remove_from_version_id(current);
        let moved = request.send().await.action("secretsmanager:UpdateSecretVersionStage");
        let Err(error) = moved else { return Ok(()) };
        // The SDK repeats a call whose response was lost; the repetition fails because the label has moved.
        match self.read().await {
            Ok(now) if now.id == version => Ok(()),
            Ok(now) if now.id != current && error.code.is_some() => Err(Error::Refused(
                "somebody else has changed the secret; their change stays; run the command again"
                    .to_owned(),
            )),
            _ => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;
