//! `relayctl secret rotate`: a name gets a new secret, beside those that it has.

use super::change::{self, Change, hand_over, wait_for_new};
use super::new_secret::{Origin, generate};
use crate::aws::secret_store::Store;
use crate::context::Context;
use crate::error::Error;
use crate::error::ExitStatus;
use crate::prompt::Answer;
use crate::secret::edit::{self, kept_names};
use crate::secret::value::{TRAINING, Value};

const ABOUT: &str = "\
The new secret comes first, and the others of the name stay, so that no event is refused while Labelbox signs with \
one or the other. It prints what to do next.

A secret that is plain text, which every name shares, becomes an object of names: labelbox, training, those of \
--keep, and NAME all keep the shared secret; others are refused from then on. So it asks first; --yes needs --keep \
with it. Without NAME, all of them get the new secret, too.";

const EXAMPLES: &str = "\
Examples:
  relayctl secret rotate labelbox
  relayctl secret rotate training --values
  relayctl secret rotate --keep project-y --yes";

/// Put a new secret before the ones that a name has
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Rotate {
    /// The webhook's name, or training; may be left out where the secret is plain text
    name: Option<String>,
    #[command(flatten)]
    origin: Origin,
    /// A name in use that has to keep a secret that is plain text; may be given more than once
    #[arg(long, value_name = "NAME")]
    keep: Vec<String>,
    /// Print the new secret
    #[arg(long)]
    values: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

pub async fn run(command: &Rotate, context: &Context) -> Result<ExitStatus, Error> {
    let store = Store::find(context).await?;
    let current = store.read().await?;
    let value = Value::read(current.text.clone())?;
    let name = command.name.as_deref();
    // With any secret: what is wrong is said before somebody is asked for anything.
    edit::rotate(value.clone(), name, generate()?, &command.keep)?;
    let names: Vec<&str> = match (&value, name) {
        (_, Some(name)) => vec![name],
        (Value::Plain(_), None) => kept_names(&command.keep),
        (Value::Named(_), None) => Vec::new(),
    };
    let confirm = change::consent_to_names(context, &value, name, &command.keep, command.yes);
    if let Answer::Withheld(exit_status) = confirm.await? {
        return Ok(exit_status);
    }
    let fresh = match command.origin.take(context).await? {
        Answer::Given(fresh) => fresh,
        Answer::Withheld(exit_status) => return Ok(exit_status),
    };
    let value = edit::rotate(value, name, fresh.clone(), &command.keep)?;
    let change = Change {
        done: format!("A new secret comes first for {}; the old ones stay.", names.join(", ")),
        in_effect_within: &store.ttl,
        next: next(context, &store, &names),
        value: change::shown(&fresh, command.values),
    };
    change::make(context, &store, &current, &value, change).await
}

/// The steps of a rotation, as Labelbox allows it: it cannot change a webhook's secret.
fn next(context: &Context, store: &Store, names: &[&str]) -> Vec<String> {
    let mut steps = vec![wait_for_new(store)];
    steps.extend(names.iter().map(|name| hand_over(context, name, true)));
    if names.iter().any(|name| *name != TRAINING) {
        steps.push(format!(
            "every event comes twice now; {} shows the first webhook, and {} switches it off",
            context.args.relayctl("webhook list"),
            context.args.relayctl("webhook disable ID")
        ));
    }
    let removals =
        names.iter().map(|name| context.args.relayctl(&format!("secret remove {name} --old")));
    let removals: Vec<_> = removals.collect();
    steps.push(format!("when nothing signs with an old one any more: {}", removals.join("; ")));
    steps
}
