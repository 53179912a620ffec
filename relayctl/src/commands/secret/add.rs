//! `relayctl secret add`: a name gets its first secret.

use super::change::{self, Change, hand_over, wait_for_new};
use super::new_secret::{Origin, generate};
use crate::aws::secret_store::Store;
use crate::context::Context;
use crate::error::Error;
use crate::error::ExitStatus;
use crate::prompt::{self, Answer};
use crate::secret::edit;
use crate::secret::value::Value;

const ABOUT: &str = "\
The name is the last part of a webhook's URL, or training. Where the stack's secret is plain text, which every name \
shares, it becomes an object of names: labelbox, training, those of --keep, and the new one all keep the shared \
secret, so that a webhook that uses it goes on; others are refused from then on. So it asks first; --yes needs \
--keep with it.";

const EXAMPLES: &str = "\
Examples:
  relayctl secret add project-x
  relayctl secret add project-x --keep project-y --yes
  relayctl secret add project-x --stdin < project-x.secret";

/// Give a new webhook name its secret
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Add {
    /// The webhook's name: the last part of its URL; or training
    name: String,
    #[command(flatten)]
    origin: Origin,
    /// A name in use that has to keep a secret that is plain text; may be given more than once
    #[arg(long, value_name = "NAME")]
    keep: Vec<String>,
    /// Begin anew where the function cannot use the secret: it is blank, a JSON list, or a broken JSON object
    #[arg(long)]
    replace_broken: bool,
    /// Print the new secret
    #[arg(long)]
    values: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

pub async fn run(command: &Add, context: &Context) -> Result<ExitStatus, Error> {
    let store = Store::find(context).await?;
    let current = store.read().await?;
    let value = match Value::read(current.text.clone()) {
        Err(_) if command.replace_broken => match consent_to_replace(context, command.yes).await? {
            Answer::Given(()) => Value::Named(Vec::new()),
            Answer::Withheld(exit_status) => return Ok(exit_status),
        },
        value => value?,
    };
    let name = command.name.as_str();
    let keep = &command.keep;
    // With any secret: what is wrong is said before somebody is asked for anything.
    edit::add(value.clone(), name, generate()?, keep)?;
    let confirm = change::consent_to_names(context, &value, Some(name), keep, command.yes);
    if let Answer::Withheld(exit_status) = confirm.await? {
        return Ok(exit_status);
    }
    let fresh = match command.origin.take(context).await? {
        Answer::Given(fresh) => fresh,
        Answer::Withheld(exit_status) => return Ok(exit_status),
    };
    let value = edit::add(value, name, fresh.clone(), keep)?;
    let mut next = vec![wait_for_new(&store), hand_over(context, name, false)];
    if value.count(name) > 1 {
        let remove = context.args.relayctl(&format!("secret remove {name} --old"));
        next.push(format!(
            "{name} takes the shared secret, too, in case a webhook uses it; when none does: {remove}"
        ));
    }
    let change = Change {
        done: format!("{name} has a new secret."),
        in_effect_within: &store.ttl,
        next,
        value: change::shown(&fresh, command.values),
    };
    change::make(context, &store, &current, &value, change).await
}

async fn consent_to_replace(context: &Context, yes: bool) -> Result<Answer<()>, Error> {
    let about = "The function cannot use the secret. All that it holds is replaced; Secrets Manager keeps it as its \
                 version AWSPREVIOUS.";
    prompt::confirm(context, about, "Replace it?", yes).await
}
