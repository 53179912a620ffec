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
use crate::ending::Ending;
use crate::session::Session;
use crate::stack::Stack;
use crate::trouble::Trouble;
use finding::{Finding, Report, Section};

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
    session: &'v Session<'v>,
}

pub async fn run(command: &Doctor, session: &Session<'_>) -> Result<Ending, Trouble> {
    let (clients, stack) = session.find_stack().await?;
    let visit = Visit {
        clients: &clients,
        stack: &stack,
        session,
    };
    let report = examine(command, &visit).await?;
    session.printer.show(&report)?;
    if session.interrupt.is_pressed() {
        return Ok(Ending::Interrupted);
    }
    Ok(report.ending())
}

/// Looks at everything, most of it side by side. The probe comes after the secret, and the counts after the probe.
async fn examine(command: &Doctor, visit: &Visit<'_>) -> Result<Report, Trouble> {
    let stack = outputs::judge(visit.stack)?;
    let ((secret, secrets), (mut function, configuration), queues, health) = tokio::join!(
        secret::look(visit),
        settings::look(visit),
        queues::look(visit),
        health::look(visit)
    );
    if let Some(configuration) = &configuration {
        function.extend(role::look(visit, configuration).await);
    }
    let mut door = vec![health];
    if command.no_probe {
        let says = "left out, as you wanted";
        door.push(Finding::ok("probe", says));
    } else if let Some(secrets) = &secrets {
        door.extend(probe::look(visit, secrets).await);
    } else {
        let says = "there is no secret to sign an event with";
        door.push(Finding::not_checked("probe", says, "mend the secret first"));
    }
    let (mut events, newest) = tokio::join!(
        waiting::look(visit),
        newest::look(visit, configuration.as_ref())
    );
    events.extend(newest);
    let section = |title, findings| Section { title, findings };
    Ok(Report(vec![
        section("Stack", stack),
        section("Secret", secret),
        section("Function", function),
        section("Queues", queues),
        section("Door", door),
        section("Events", events),
    ]))
}
