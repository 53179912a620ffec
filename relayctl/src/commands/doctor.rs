//! `relayctl doctor`: checks whether the relay is healthy, and prints how to fix what is not.

mod bucket;
mod check;
mod endpoint;
mod events;
mod queues;
mod secret;
mod stack;
mod template;

use crate::aws::Clients;
use crate::aws::stack::Stack;
use crate::cli::GlobalArgs;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use check::{Check, Report};
use futures_util::{FutureExt, future};
use template::Template;

const ABOUT: &str = "\
Checks the stack, its secret, its function, its queues and its bucket against the template, and prints the commands that \
repair what differs. A check that your permissions do not allow is reported as not done.

It also sends two events of the topic RELAYCTL_PROBE: one with an invalid signature, which has to be refused, and one \
with a valid signature, which has to arrive in the Unrouted queue and is deleted there. If it is not found, a message \
put directly into the queue shows whether a consumer takes them. Other messages that it receives there are given back at \
once. --no-probe sends nothing.";

const EXAMPLES: &str = "\
Examples:
  relayctl doctor
  relayctl doctor --no-probe --stack labelbox-relay-staging
  relayctl doctor --json | jq '.checks[] | select(.status != \"ok\")'";

/// Check whether the relay is healthy, and how to fix what is not
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Doctor {
    /// Send no event
    #[arg(long)]
    no_probe: bool,
}

/// What the checks work with.
pub struct CheckContext<'s> {
    clients: &'s Clients,
    stack: &'s Stack,
    context: &'s Context,
    args: &'s GlobalArgs,
    template: Result<Template<'s>, Error>,
}

impl<'s> CheckContext<'s> {
    fn template(&self) -> Option<&Template<'s>> {
        self.template.as_ref().ok()
    }

    /// Prints the function's log of the last hour.
    fn log_command(&self) -> String {
        self.args.relayctl("logs --since 1h")
    }
}

/// Runs all checks, most of them concurrently. Ctrl-C does not interrupt the probe: its event has to be deleted. A stack
/// without one of the outputs that the checks need is an error.
pub async fn run(command: &Doctor, context: &Context) -> Result<ExitStatus, Error> {
    let (clients, stack) = context.find_stack_for(command.no_probe).await?;
    let scope = CheckContext {
        clients: &clients,
        stack: &stack,
        context,
        args: &context.args,
        template: Template::read(&clients, &stack).await,
    };
    let mut of_stack = vec![stack::check_status(&scope)];
    if let Err(error) = &scope.template {
        of_stack.push(Check::failed_at_most_warning("template", error, scope.args));
    }
    let checks = async {
        tokio::try_join!(
            stack::check_drift(&scope).map(Ok),
            secret::check(&scope),
            queues::check(&scope),
            bucket::check(&scope),
            endpoint::check_health(&scope)
        )
    };
    let (drift, (secret, value), queues, bucket, health) =
        context.interrupt.cancels(checks).await?;
    of_stack.extend(drift);
    let mut endpoint = vec![health];
    if command.no_probe {
        endpoint.push(Check::ok("probe", "not sent, because of --no-probe"));
    } else {
        endpoint.extend(endpoint::check_events(&scope, value).await);
    }
    let checks = future::join(events::check_counts(&scope), events::check_log(&scope));
    let (mut events, log) = context.interrupt.cancels(checks.map(Ok::<_, Error>)).await?;
    events.extend(log);
    let sections = vec![
        ("Stack", of_stack),
        ("Secret", secret),
        ("Queues", queues),
        ("Bucket", bucket),
        ("Endpoint", endpoint),
        ("Events", events),
    ];
    let report = Report::new(sections, context.output.width());
    context.output.show(&report)?;
    Ok(report.exit_status())
}
