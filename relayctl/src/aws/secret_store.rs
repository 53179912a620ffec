//! The stack's secret in Secrets Manager: read, and replaced only if it still is what was read.

use crate::aws;
use crate::aws::stack::Stack;
use crate::context::Context;
use crate::error::Error;
use crate::secret::Text;
use aws_sdk_secretsmanager::Client;
use uuid::Uuid;
use zeroize::Zeroizing;

const CURRENT: &str = "AWSCURRENT";

/// Where the secret is.
pub struct Store {
    client: Client,
    arn: String,
    /// For how many seconds the function believes what it has read, in words.
    pub ttl: String,
}

/// What the secret was when it was read.
pub struct SecretVersion {
    pub text: Text,
    version: String,
}

impl Store {
    pub async fn find(context: &Context) -> Result<Self, Error> {
        let (clients, stack) = context.find_stack().await?;
        Self::of(clients.secrets_manager, &stack)
    }

    pub fn of(client: Client, stack: &Stack) -> Result<Self, Error> {
        Ok(Self { client, arn: stack.secret_arn()?.to_owned(), ttl: stack.secret_ttl() })
    }

    pub async fn read(&self) -> Result<SecretVersion, Error> {
        let request = self.client.get_secret_value().secret_id(&self.arn);
        let answer = request.send().await;
        let answer = answer.map_err(|error| aws::error("secretsmanager:GetSecretValue", &error))?;
        let (Some(text), Some(version)) = (answer.secret_string, answer.version_id) else {
            return Err(Error::Refused(
                "the secret holds bytes and no text, which the relay cannot use; put a text into it".to_owned(),
            ));
        };
        let text = Zeroizing::new(text);
        Ok(SecretVersion { text, version })
    }

    /// Puts a text in the place of what was held.
    ///
    /// Secrets Manager has no condition for a write. So the text becomes a version under a label of its own first, which nobody
    /// reads, and then the label `AWSCURRENT` moves to it from the version that was held: this fails when the label is not
    /// there any more, because somebody else has changed the secret meanwhile.
    ///
    /// Source: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html>.
    ///
    /// # Errors
    /// When it was not done, and the secret is what it was before or what somebody else has made of it.
    pub async fn replace(&self, current: &SecretVersion, text: &Text) -> Result<(), Error> {
        let version = Uuid::new_v4().to_string();
        let label = format!("relayctl-{version}");
        let request = self.client.put_secret_value().secret_id(&self.arn);
        let request = request
            .secret_string(text.as_str())
            .client_request_token(&version)
            .version_stages(&label);
        let put = request.send().await;
        put.map_err(|error| aws::error("secretsmanager:PutSecretValue", &error))?;
        let moved = self.make_current(current, &version).await;
        // What has no label is forgotten by Secrets Manager. Where this fails, a label is left that nobody reads.
        let request = self.client.update_secret_version_stage();
        let request = request.secret_id(&self.arn).version_stage(label);
        let _ = request.remove_from_version_id(version).send().await;
        moved
    }

    async fn make_current(&self, current: &SecretVersion, version: &str) -> Result<(), Error> {
        let request = self.client.update_secret_version_stage();
        let request = request
            .secret_id(&self.arn)
            .version_stage(CURRENT)
            .move_to_version_id(version)
            .remove_from_version_id(&current.version);
        let Err(error) = request.send().await else {
            return Ok(());
        };
        let error = aws::error("secretsmanager:UpdateSecretVersionStage", &error);
        // A call whose answer was lost is repeated, and refused then because it has been done.
        match self.read().await {
            Ok(now) if now.version == version => Ok(()),
            Ok(now) if now.version != current.version && error.code.is_some() => Err(Error::Refused(
                "somebody else has changed the secret meanwhile, and theirs stays; run the command again".to_owned(),
            )),
            _ => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;
