//! `relayctl whoami`: which account, region and stack the commands are about.

use crate::aws;
use crate::aws::stack::Stack;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::sanitize::one_line;
use serde::Serialize;
use std::fmt;

const EXAMPLES: &str = "\
Examples:
  relayctl whoami
  relayctl whoami --profile production --json";

/// Print the account, caller, region, profile and stack that commands use
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Whoami {}

pub async fn run(_: &Whoami, context: &Context) -> Result<ExitStatus, Error> {
    let clients = context.connect().await?;
    let identity = clients.sts.get_caller_identity().send().await;
    let identity = identity.map_err(|error| aws::error("sts:GetCallerIdentity", &error))?;
    let name = context.args.stack();
    let (stack_status, error) = match Stack::find(&clients, name).await {
        Ok(stack) => (Some(stack.status), None),
        Err(error) => (None, Some(error.line(&context.args))),
    };
    let environment = &context.environment;
    let profile = match &context.args.profile {
        None if environment.has_access_key => None,
        None => environment.profile.as_deref().or(Some("default")),
        Some(profile) => Some(profile.as_str()),
    };
    let whoami = Identity {
        account: identity.account.unwrap_or_default(),
        arn: identity.arn.unwrap_or_default(),
        region: &clients.region,
        profile,
        stack: name,
        stack_status,
        error,
    };
    context.output.show(&whoami)?;
    let is_found = whoami.error.is_none();
    Ok(if is_found { ExitStatus::Success } else { ExitStatus::Incomplete })
}

#[derive(Serialize)]
struct Identity<'c> {
    account: String,
    arn: String,
    region: &'c str,
    /// `None`: the credentials are in environment variables.
    profile: Option<&'c str>,
    stack: &'c str,
    /// CloudFormation's status; `None` if the stack was not found.
    stack_status: Option<String>,
    /// Why the stack was not found.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl fmt::Display for Identity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: &str| writeln!(f, "{name:8} {}", one_line(value));
        line("account", &self.account)?;
        line("caller", &self.arn)?;
        line("region", self.region)?;
        line("profile", self.profile.unwrap_or("none; credentials from environment variables"))?;
        let status = self.stack_status.as_ref().or(self.error.as_ref());
        line("stack", &format!("{}: {}", self.stack, status.map_or("", String::as_str)))
    }
}
