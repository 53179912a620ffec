//! `relayctl whoami`: which account, region and stack the commands are about.

use crate::aws::CallResult;
use crate::aws::stack::Stack;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::sanitize::one_line;
use serde_json::json;

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
    let identity = identity.action("sts:GetCallerIdentity")?;
    let name = context.args.stack();
    let stack = Stack::find(&clients, name).await;
    let environment = &context.environment;
    let profile = match &context.args.profile {
        None if environment.has_access_key => None,
        None => environment.profile.as_deref().or(Some("default")),
        Some(profile) => Some(profile.as_str()),
    };
    let (account, arn) = (identity.account.unwrap_or_default(), identity.arn.unwrap_or_default());
    if context.output.is_json {
        context.output.json_line(&json!({
            "account": account,
            "arn": arn,
            "region": clients.region,
            // None: the credentials are in environment variables.
            "profile": profile,
            "stack": name,
            "stack_status": stack.as_ref().ok().map(|stack| &stack.status),
            "error": stack.as_ref().err().map(|error| error.line(&context.args)),
        }))?;
    } else {
        let status = stack.as_ref().map(|stack| format!(": {}", stack.status)).unwrap_or_default();
        for (label, value) in [
            ("account", account.as_str()),
            ("caller", &arn),
            ("region", &clients.region),
            ("profile", profile.unwrap_or("none; credentials from environment variables")),
            ("stack", &format!("{name}{status}")),
        ] {
            context.output.line(format_args!("{label:8} {}", one_line(value)))?;
        }
    }
    stack.map(|_| ExitStatus::Success)
}
