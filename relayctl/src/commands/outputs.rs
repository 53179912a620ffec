//! `relayctl outputs`: the stack's outputs, such as the URLs of its queues.

use crate::cli::quote;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::sanitize::sanitize;
use comfy_table::{Table, presets};

const EXAMPLES: &str = "\
Examples:
  relayctl outputs
  relayctl outputs --json | jq -r .LabelQueueUrl
  relayctl outputs --export > outputs.sh";

/// Print the stack's outputs, such as the URLs of its queues
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Outputs {
    /// Print lines for a shell: export LABEL_QUEUE_URL=https://…
    #[arg(long, conflicts_with = "json")]
    export: bool,
}

pub async fn run(command: &Outputs, context: &Context) -> Result<ExitStatus, Error> {
    let (_, stack) = context.find_stack().await?;
    stack.output("WebhookUrl")?;
    let outputs = stack.outputs();
    if context.output.is_json {
        context.output.json(&outputs)?;
    } else if command.export {
        for (name, value) in outputs {
            let (name, value) = (variable(name), quote(value));
            context.output.line(format_args!("export {name}={value}"))?;
        }
    } else {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        for (name, value) in outputs {
            table.add_row([sanitize(name), sanitize(value)]);
        }
        context.output.line(table.trim_fmt())?;
    }
    Ok(ExitStatus::Success)
}

/// The name of a variable for an output: `LABEL_QUEUE_URL` for `LabelQueueUrl`. CloudFormation's names are alphanumeric.
fn variable(output: &str) -> String {
    let mut name = String::new();
    for character in output.chars() {
        if character.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(character.to_ascii_uppercase());
    }
    name
}
