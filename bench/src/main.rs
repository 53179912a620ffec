//! Measures the relay beside the smallest program that does its job, and beside what one would usually write, in one run.
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
mod lambda;
mod page;
mod plot;
mod services;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use contest::Contest;
use function::Program;
use std::path::PathBuf;

/// Measures cold start, CPU, memory and size of the relay beside the smallest program that does its job, and beside others.
#[derive(Parser)]
struct Arguments {
    /// The smallest program that does the job.
    #[arg(long)]
    floor: PathBuf,
    /// The relay's program.
    #[arg(long)]
    relay: PathBuf,
    /// Another program to compare with, and what to call it. It may fail with large bodies.
    #[arg(long = "peer", value_name = "NAME=PROGRAM")]
    peers: Vec<String>,
    /// How often each program is started for each size of body; cold starts four times as often.
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// The project's folder, for the samples.
    #[arg(long, default_value = ".")]
    project: PathBuf,
    /// Writes the tables between the marks of this page, and the plot beside it, if the halves of the run agree.
    #[arg(long, value_name = "PAGE")]
    write: Option<PathBuf>,
    /// By how much the relay's ratios to the floor may differ between the two halves of a run.
    #[arg(long, default_value_t = 0.05)]
    tolerance: f64,
}

// One thread for all that is played, so that the program has a core for itself.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(arguments.rounds > 1, "the halves of fewer than 2 rounds cannot be compared");
    let mut programs =
        vec![Program::new("floor", &arguments.floor)?, Program::new("relay", &arguments.relay)?];
    for peer in &arguments.peers {
        let (name, path) = peer.split_once('=').context("a peer is NAME=PROGRAM")?;
        programs.push(Program::new(name, path.as_ref())?);
    }
    let deliveries = delivery::of_every_size(&arguments.project)?;
    let contest = Contest { programs, deliveries, rounds: arguments.rounds };
    let outcome = contest.run().await?;
    let section = page::section(&outcome);
    println!("{section}");
    let unstable = outcome.unstable(arguments.tolerance);
    if !unstable.is_empty() {
        let unstable = unstable.into_iter().map(|(figure, first, second)| {
            format!("\n  {}: {first:.2}, then {second:.2}", page::label(&outcome, figure))
        });
        bail!(
            "this machine is too noisy, so nothing is written. Ratios to the floor in the two halves of the run:{}",
            unstable.collect::<String>()
        );
    }
    if let Some(page) = &arguments.write {
        page::write(page, &section)
            .with_context(|| format!("{} was not written", page.display()))?;
        plot::draw(&page.with_extension("svg"), &outcome)?;
    }
    Ok(())
}
