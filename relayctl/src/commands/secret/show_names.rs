//! `relayctl secret show-names`: the names, how many secrets each has, and what is wrong with them.

use crate::aws::secret_store::Store;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::sanitize::sanitize;
use crate::secret::{Fault, Text, Value, is_usable};
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
    context.output.show(&Names::of(&current.value?, command.values))?;
    Ok(ExitStatus::Success)
}

#[derive(Serialize)]
struct Names<'v> {
    form: &'static str,
    names: Vec<Row<'v>>,
}

#[derive(Serialize)]
struct Row<'v> {
    /// `None` if one secret is for every name.
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
            problem: Fault::find(name, texts).map(|fault| fault.message),
            values: with_values.then(|| texts.iter().map(|text| text.as_str()).collect()),
        };
        let rows = value.entries().map(|(name, entry)| row(Some(name), entry.texts()));
        match value {
            Value::Plain(text) => {
                Self { form: "plain_text", names: vec![row(None, std::slice::from_ref(text))] }
            }
            Value::Named(_) => Self { form: "object", names: rows.collect() },
        }
    }
}

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.names.is_empty() {
            return writeln!(f, "The secret has no names: every event is refused.");
        }
        let mut table = Table::new();
        table.load_style(NOTHING).set_header(["NAME", "SECRETS", "PROBLEM", ""]);
        for Row { name, secrets, problem, values, .. } in &self.names {
            let values = values.as_ref().map(|values| values.join("\n")).unwrap_or_default();
            table.add_row([
                &sanitize(name.unwrap_or("every name (plain text)")),
                &secrets.to_string(),
                problem.as_deref().unwrap_or("-"),
                &sanitize(&values),
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
