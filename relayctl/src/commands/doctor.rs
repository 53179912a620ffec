//! `relayctl doctor`: is the relay well, and if not, what mends it?

mod age;
mod finding;
mod health;
mod mend;
mod newest;
mod outputs;
mod probe;
mod question;
mod queues;
mod retrieval;
mod role;
mod secret;
mod settings;
mod verdict;
mod waiting;

use crate::aws::Clients;
use crate::error::ExitStatus;
use crate::context::Context;
use crate::aws::stack::Stack;
use crate::error::Error;
use finding::{Finding, Report, Section};
use labelbox_relay::secrets::Secrets;

const ABOUT: &str = "\
Looks at the stack, its secret, its function with settings and rights, its queues, and at what waits in them for somebody. \
A check that your own rights do not allow is named, and the others go on.

It also sends two events of the topic RELAYCTL_PROBE: one with a wrong signature, which has to be refused, and one with \
the right one, which has to arrive in the Unrouted queue and is taken out again. To find it there, other unrouted events \
may be received once, which counts towards the five after which they die; they are given back at once. --no-probe leaves \
all that writes away.";

const EXAMPLES: &str = "\
Examples:
  relayctl doctor
  relayctl doctor --no-probe --stack labelbox-relay-staging
  relayctl doctor --json | jq '.checks[] | select(.status != \"ok\")'";

/// Say whether all is well, and how to mend what is not
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Doctor {
    /// Only look: send no event through
    #[arg(long)]
    no_probe: bool,
}

/// What the checks work with.
pub struct Visit<'v> {
    clients: &'v Clients,
    stack: &'v Stack,
    context: &'v Context,
}

pub async fn run(command: &Doctor, context: &Context) -> Result<ExitStatus, Error> {
    let (clients, stack) = context.find_stack().await?;
    let visit = Visit { clients: &clients, stack: &stack, context };
    let Some(report) = examine(command, &visit).await? else {
        return Ok(ExitStatus::Interrupted);
    };
    context.output.show(&report)?;
    Ok(report.exit_status())
}

/// Looks at everything, most of it side by side. The probe comes after the secret, and the counts after the probe. Nothing
/// where Ctrl-C was pressed: only the probe is not given up, for it has to be taken out again.
async fn examine(command: &Doctor, visit: &Visit<'_>) -> Result<Option<Report>, Error> {
    let stack = outputs::judge(visit.stack)?;
    let interrupt = &visit.context.interrupt;
    let first = async {
        tokio::join!(
            secret::look(visit),
            settings::look(visit),
            queues::look(visit),
            health::look(visit)
        )
    };
    let first = tokio::select! {
        first = first => first,
        () = interrupt.pressed() => return Ok(None),
    };
    let ((secret, secrets), (mut function, configuration), queues, health) = first;
    let rights = async {
        match &configuration {
            Some(configuration) => role::look(visit, configuration).await,
            None => Vec::new(),
        }
    };
    let rights = async {
        tokio::select! {
            rights = rights => rights,
            () = interrupt.pressed() => Vec::new(),
        }
    };
    let (rights, probe) = tokio::join!(rights, probe(command, visit, secrets.as_ref()));
    function.extend(rights);
    let last =
        async { tokio::join!(waiting::look(visit), newest::look(visit, configuration.as_ref())) };
    let (mut events, newest) = tokio::select! {
        biased;
        () = interrupt.pressed() => return Ok(None),
        last = last => last,
    };
    events.extend(newest);
    let mut door = vec![health];
    door.extend(probe);
    let section = |title, findings| Section { title, findings };
    Ok(Some(Report(vec![
        section("Stack", stack),
        section("Secret", secret),
        section("Function", function),
        section("Queues", queues),
        section("Door", door),
        section("Events", events),
    ])))
}

async fn probe(command: &Doctor, visit: &Visit<'_>, secrets: Option<&Secrets>) -> Vec<Finding> {
    match secrets {
        _ if command.no_probe => vec![Finding::ok("probe", "left out, as you wanted")],
        Some(secrets) => probe::look(visit, secrets).await,
        None => {
            let says = "there is no secret to sign an event with";
            vec![Finding::not_checked("probe", says, "mend the secret first")]
        }
    }
}
