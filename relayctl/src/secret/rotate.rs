//! `relayctl secret rotate`: a name gets a new secret, beside those that it has.

use super::change::{self, Change, call, hand_over, wait_for_new};
use super::edit::{self, kept_names};
use super::fresh::{Origin, generate};
use super::store::Store;
use super::value::{TRAINING, Value};
use crate::asking::Answer;
use crate::ending::Ending;
use crate::session::Session;
use crate::trouble::Trouble;

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

pub async fn run(command: &Rotate, session: &Session<'_>) -> Result<Ending, Trouble> {
    let store = Store::find(session).await?;
    let held = store.read().await?;
    let value = Value::read(held.text.clone())?;
    let name = command.name.as_deref();
    // With any secret: what is wrong is said before somebody is asked for anything.
    edit::rotate(value.clone(), name, generate()?, &command.keep)?;
    let names: Vec<&str> = match (&value, name) {
        (_, Some(name)) => vec![name],
        (Value::Plain(_), None) => kept_names(&command.keep),
        (Value::Named(_), None) => Vec::new(),
    };
    let consent = change::consent_to_names(session, &value, name, &command.keep, command.yes);
    if let Answer::Withheld(ending) = consent.await? {
        return Ok(ending);
    }
    let fresh = match command.origin.take(session).await? {
        Answer::Given(fresh) => fresh,
        Answer::Withheld(ending) => return Ok(ending),
    };
    let value = edit::rotate(value, name, fresh.clone(), &command.keep)?;
    let change = Change {
        done: format!("A new secret comes first for {}; the old ones stay.", names.join(", ")),
        in_effect_within: &store.ttl,
        next: next(session, &store, &names),
        value: change::shown(&fresh, command.values),
    };
    change::make(session, &store, &held, &value, change).await
}

/// The steps of a rotation, as Labelbox allows it: it cannot change a webhook's secret.
fn next(session: &Session<'_>, store: &Store, names: &[&str]) -> Vec<String> {
    let mut steps = vec![wait_for_new(store)];
    steps.extend(names.iter().map(|name| hand_over(session, name, true)));
    if names.iter().any(|name| *name != TRAINING) {
        steps.push(format!(
            "every event comes twice now; {} shows the first webhook, and {} switches it off",
            call(session, "webhook list"),
            call(session, "webhook disable ID")
        ));
    }
    let removals = names.iter().map(|name| call(session, &format!("secret remove {name} --old")));
    let removals: Vec<_> = removals.collect();
    steps.push(format!("when nothing signs with an old one any more: {}", removals.join("; ")));
    steps
}
