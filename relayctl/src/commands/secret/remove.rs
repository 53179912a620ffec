//! `relayctl secret remove`: a name with its secrets, or just its old ones.

use super::change::{self, Change};
use crate::aws::secret_store::Store;
use crate::context::Context;
use crate::error::Error;
use crate::error::ExitStatus;
use crate::prompt::{self, Answer};
use crate::secret::edit;
use crate::secret::value::Value;

const ABOUT: &str = "\
What Labelbox still signs with a removed secret is refused, and Labelbox may never send it again. So switch off the \
webhook that uses it first. It asks before it removes anything; what would leave the stack without any secret to \
verify with is done with --yes only.";

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
    let store = Store::find(context).await?;
    let current = store.read().await?;
    let before = Value::read(current.text.clone())?;
    let name = command.name.as_str();
    let (value, count) = if command.old {
        edit::remove_old(before.clone(), name)?
    } else {
        let count = before.count(name);
        (edit::remove(before.clone(), name)?, count)
    };
    if command.old && count == 0 {
        return tell_nothing_old(context, name, &store);
    }
    let leaves_none = before.has_usable() && !value.has_usable();
    if leaves_none && !command.yes {
        return Err(Error::Usage(format!(
            "{name} has the last secret of the stack, without which every event is refused; give --yes if it has to go"
        )));
    }
    let question = if command.old { "Remove them?" } else { "Remove it?" };
    let about = about(&value, name, command.old, count);
    if let Answer::Withheld(exit_status) =
        prompt::confirm(context, &about, question, command.yes).await?
    {
        return Ok(exit_status);
    }
    let mut next = vec![
        format!("the relay forgets what was removed within {}", store.ttl),
        "until the next change, Secrets Manager keeps the value of before as its version AWSPREVIOUS".to_owned(),
    ];
    for other in edit::still_accepting(&before, name, &value) {
        next.push(format!(
            "{other} still accepts what was removed here; if that has leaked: {}, and then {}",
            context.args.relayctl(&format!("secret rotate {other}")),
            context.args.relayctl(&format!("secret remove {other} --old"))
        ));
    }
    let change = Change {
        done: if command.old {
            format!("{name} has its newest secret only.")
        } else {
            format!("{name} is removed.")
        },
        in_effect_within: &store.ttl,
        next,
        value: None,
    };
    change::make(context, &store, &current, &value, change).await
}

fn about(value: &Value, name: &str, old: bool, count: usize) -> String {
    if old {
        return format!(
            "{count} old of {name} will be removed. What Labelbox signs with one of them is refused then: is the webhook \
             that uses it switched off?"
        );
    }
    format!(
        "{name} will be removed with all its secrets. What Labelbox sends to it is refused with 404 then: is its webhook \
         switched off? The names that stay: {}.",
        edit::names(value.entries())
    )
}

fn tell_nothing_old(context: &Context, name: &str, store: &Store) -> Result<ExitStatus, Error> {
    let change = Change {
        done: format!("{name} has nothing old."),
        in_effect_within: &store.ttl,
        next: vec![context.args.relayctl("secret show-names")],
        value: None,
    };
    context.output.show(&change)?;
    Ok(ExitStatus::Success)
}
