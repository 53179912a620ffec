//! Measures the relay beside a handler that does nothing and a usual one, in one run, each round in turn.
//!
//! It plays Lambda's Runtime API and the three services, over TLS, and starts the programs as Lambda would.

#![expect(
    clippy::indexing_slicing,
    reason = "what a JSON value lacks is null; the samples are objects"
)]
#![expect(clippy::print_stdout, reason = "the result is printed, too")]
#![expect(clippy::disallowed_methods, reason = "measuring time is what this is for")]

mod contest;
mod delivery;
mod figures;
mod function;
mod instructions;
mod lambda;
mod page;
mod plot;
mod services;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use contest::Contest;
use function::Program;
use std::path::PathBuf;

/// Measures cold start, CPU, memory and size of the relay beside a handler that does nothing and a usual one.
#[derive(Parser)]
struct Arguments {
    /// The relay's program.
    #[arg(long)]
    relay: PathBuf,
    /// A handler that does nothing.
    #[arg(long)]
    noop: PathBuf,
    /// A handler as one would usually write it; without it, its columns stay empty.
    #[arg(long)]
    usual: Option<PathBuf>,
    /// How often each program is started for each size of body; cold starts four times as often.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// The project's folder, for the samples.
    #[arg(long, default_value = ".")]
    project: PathBuf,
    /// Writes the table between the marks of this page, and the plot beside it.
    #[arg(long, value_name = "PAGE")]
    write: Option<PathBuf>,
}

// One thread for all that is played, so that the program has a core for itself.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut programs = vec![
        Program::new("no-op handler", &arguments.noop)?,
        Program::new("relay", &arguments.relay)?,
    ];
    if let Some(usual) = &arguments.usual {
        programs.push(Program::new("usual handler", usual)?);
    }
    ensure!(arguments.rounds > 0, "there is nothing to measure in 0 rounds");
    let bodies = delivery::of_every_size(&arguments.project)?;
    let contest = Contest::new(programs, bodies, arguments.rounds);
    let outcome = contest.run().await?;
    let section = page::section(&outcome);
    println!("{section}");
    if let Some(page) = &arguments.write {
        page::write(page, &section)
            .with_context(|| format!("{} was not written", page.display()))?;
        plot::draw(&page.with_extension("svg"), &outcome)?;
    }
    Ok(())
}
