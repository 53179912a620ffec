//! `relayctl secret remove`: removes a name with its secrets, or just its old ones.

use super::{Change, Session};
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::prompt;
use crate::secret::remove;

const ABOUT: &str = "\
What Labelbox still signs with a removed secret is refused, and Labelbox may never send it again. So disable the \
webhook that uses it first. It asks first, and removes the last usable secret of the stack only with --yes.";

const EXAMPLES: &str = "\
Examples:
  relayctl secret remove labelbox --old
  relayctl secret remove project-x
  relayctl secret remove project-x --yes --json";

/// Remove a name, or all its secrets but the newest
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Remove {
    /// The webhook's name, or training
    name: String,
    /// Keep the name and its newest secret
    #[arg(long)]
    old: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

pub async fn run(command: &Remove, context: &Context) -> Result<ExitStatus, Error> {
    let (session, before) = Session::open(context).await?;
    let (before, name) = (before?, command.name.as_str());
    let had_usable = before.has_usable();
    let (value, count) = remove(before, name, command.old)?;
    let ttl = session.store.ttl.as_str();
    let change = |done, next| Change { done, in_effect_within: ttl, next, value: None };
    if command.old && count == 0 {
        context.output.show(&change(format!("{name} has no old secret."), Vec::new()))?;
        return Ok(ExitStatus::Success);
    }
    if had_usable && !value.has_usable() && !command.yes {
        return Err(Error::Usage(format!(
            "{name} has the last secret of the stack, without which every event is refused; --yes removes it all the same"
        )));
    }
    let (about, done) = if command.old {
        let secrets = if count == 1 { "secret" } else { "secrets" };
        let about = format!(
            "{count} old {secrets} of {name} will be removed. What Labelbox still signs with that is refused then: is the \
             webhook that uses it disabled?"
        );
        (about, format!("Removed {count} old {secrets} of {name}; the newest stays."))
    } else {
        let others: Vec<_> = value.entries().map(|(name, _)| name).collect();
        let others = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
        let about = format!(
            "{name} will be removed with all its secrets. What Labelbox sends to it is refused with 404 then: is its \
             webhook disabled? The names that stay: {others}."
        );
        (about, format!("Removed {name}."))
    };
    prompt::confirm(context, &about, "Remove it?", command.yes).await?;
    let next = vec![
        format!("the relay forgets what was removed within {ttl}"),
        "until the next change, Secrets Manager keeps the previous value as the version AWSPREVIOUS".to_owned(),
    ];
    session.write(&value, change(done, next)).await
}
