//! `relayctl secret remove`: removes a name with its secrets, or just its old ones.

use super::{Change, Session};
use crate::cli::quote;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::prompt;
use crate::secret::{remove, still_accepting};

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
    let session = Session::open(context).await?;
    let before = session.current.value.clone()?;
    let name = command.name.as_str();
    let (value, count) = remove(before.clone(), name, command.old)?;
    let ttl = session.store.ttl.as_str();
    let change = |done, next| Change { done, in_effect_within: ttl, next, value: None };
    if command.old && count == 0 {
        let next = vec![context.args.relayctl("secret show-names")];
        context.output.show(&change(format!("{name} has no old secret."), next))?;
        return Ok(ExitStatus::Success);
    }
    if before.has_usable() && !value.has_usable() && !command.yes {
        return Err(Error::Usage(format!(
            "{name} has the last secret of the stack, without which every event is refused; --yes removes it all the same"
        )));
    }
    let (about, done) = if command.old {
        let about = format!(
            "{count} old of {name} will be removed. What Labelbox signs with one of them is refused then: is the webhook \
             that uses it disabled?"
        );
        (about, format!("{name} has its newest secret only."))
    } else {
        let others: Vec<_> = value.entries().map(|(name, _)| name).collect();
        let others = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
        let about = format!(
            "{name} will be removed with all its secrets. What Labelbox sends to it is refused with 404 then: is its \
             webhook disabled? The names that stay: {others}."
        );
        (about, format!("{name} is removed."))
    };
    prompt::confirm(context, &about, "Remove it?", command.yes).await?;
    let mut next = vec![
        format!("the relay forgets what was removed within {ttl}"),
        "until the next change, Secrets Manager keeps the previous value as the version AWSPREVIOUS".to_owned(),
    ];
    for other in still_accepting(&before, name, &value) {
        let name = quote(other);
        let [rotate, remove] = [format!("rotate {name}"), format!("remove {name} --old")]
            .map(|words| context.args.relayctl(&format!("secret {words}")));
        next.push(format!(
            "{other} still accepts what was removed here; if that has leaked: {rotate}, and then {remove}"
        ));
    }
    session.write(&value, change(done, next)).await
}
