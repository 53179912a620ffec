//! `relayctl secret show-names`: the names, how many secrets each has, and what is wrong with them.

use crate::aws::secret_store::Store;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::sanitize::sanitize;
use crate::secret::{Entry, Text, Value, bare, can_be_called, is_usable, weakness};
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;
use std::fmt;

const EXAMPLES: &str = "\
Examples:
  relayctl secret show-names
  relayctl secret show-names --values
  relayctl secret show-names --json | jq -r '.names[].name'";

/// Show the names that have secrets, and no secret
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ShowNames {
    /// Print the secrets themselves, too
    #[arg(long)]
    values: bool,
}

pub async fn run(command: &ShowNames, context: &Context) -> Result<ExitStatus, Error> {
    let (clients, stack) = context.find_stack().await?;
    let current = Store::of(clients.secrets_manager, &stack)?.read().await?;
    let value = Value::read(current.text)?;
    context.output.show(&Names::of(&value, command.values))?;
    Ok(ExitStatus::Success)
}

/// What there is to show.
#[derive(Serialize)]
struct Names<'v> {
    form: &'static str,
    names: Vec<Row<'v>>,
}

#[derive(Serialize)]
struct Row<'v> {
    /// `None` where one secret is for every name.
    name: Option<&'v str>,
    secrets: usize,
    usable: usize,
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<&'v str>>,
}

impl<'v> Names<'v> {
    fn of(value: &'v Value, with_values: bool) -> Self {
        let row = |name, texts: &'v [Text]| Row {
            name,
            secrets: texts.len(),
            usable: texts.iter().filter(|text| is_usable(text)).count(),
            problem: problem(name, texts),
            values: with_values.then(|| texts.iter().map(|text| text.as_str()).collect()),
        };
        match value {
            Value::Plain(text) => {
                Self { form: "plain_text", names: vec![row(None, std::slice::from_ref(text))] }
            }
            Value::Named(entries) => Self {
                form: "object",
                names: (entries.iter())
                    .map(|Entry { name, texts, .. }| row(Some(name.as_str()), texts))
                    .collect(),
            },
        }
    }
}

/// What keeps the relay from using them, or makes them weak.
fn problem(name: Option<&str>, texts: &[Text]) -> Option<String> {
    let problem = if !texts.iter().any(|text| is_usable(text)) {
        "nothing to verify with: every event is refused"
    } else if name.is_some_and(|name| !can_be_called(name)) {
        "no webhook can have this name"
    } else if let Some(weakness) =
        texts.iter().filter(|it| is_usable(it)).find_map(|it| weakness(&bare(it)))
    {
        return Some(format!("one {weakness}"));
    } else if !texts.iter().all(|text| is_usable(text)) {
        "one is empty"
    } else {
        return None;
    };
    Some(problem.to_owned())
}

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.names.is_empty() {
            return writeln!(f, "The secret has no names: every event is refused.");
        }
        let mut table = Table::new();
        table.load_style(NOTHING).set_header(["NAME", "SECRETS", "PROBLEM", ""]);
        for row in &self.names {
            let name = row.name.unwrap_or("every name (plain text)");
            let values = row.values.as_ref().map(|values| values.join("\n"));
            table.add_row([
                sanitize(name),
                row.secrets.to_string(),
                row.problem.clone().unwrap_or_else(|| "-".to_owned()),
                sanitize(&values.unwrap_or_default()),
            ]);
        }
        if let Some(first) = table.column_mut(0) {
            first.set_padding((0, 1));
        }
        writeln!(f, "{}", table.trim_fmt())
    }
}

#[cfg(test)]
mod tests;
