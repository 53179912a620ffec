//! Instructions of one warm event, counted by callgrind: a figure that does not depend on the machine's mood.
//!
//! Valgrind's processor has no SHA instructions, so that hashes count for more than they cost.

use crate::delivery::Delivery;
use crate::function::Program;
use crate::lambda::Lambda;
use crate::services::{Host, Services};
use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::ErrorKind;
use std::process::Stdio;

const TOOL: [&str; 3] = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
const FEW_EVENTS: u64 = 20;
const MANY_EVENTS: u64 = 120;

/// The difference between a process with few events and one with many; `None` where there is no valgrind.
pub(crate) async fn of_one_event(
    program: &Program,
    delivery: &Delivery,
    services: &Services,
) -> Result<Option<u64>> {
    let Some(few) = of_a_process(program, delivery, services, FEW_EVENTS).await? else {
        return Ok(None);
    };
    let many = of_a_process(program, delivery, services, MANY_EVENTS).await?;
    Ok(many.map(|many| many.saturating_sub(few) / (MANY_EVENTS - FEW_EVENTS)))
}

async fn of_a_process(
    program: &Program,
    delivery: &Delivery,
    services: &Services,
    events: u64,
) -> Result<Option<u64>> {
    let mut lambda = Lambda::open().await?;
    let mut command = program.command(&TOOL, &lambda, services, Host::Address);
    // valgrind itself has to be found.
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let valgrind = match tokio::process::Command::from(command).kill_on_drop(true).spawn() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        spawned => spawned?,
    };
    lambda.idle().await.context("under valgrind")?;
    for _ in 0..events {
        lambda.hand(delivery.event.clone())?;
        lambda.answer().await.context("under valgrind")?;
        lambda.idle().await.context("under valgrind")?;
    }
    services.take_account();
    let id = valgrind.id().context("valgrind has ended")?;
    kill(Pid::from_raw(id.try_into()?), Signal::SIGTERM)?;
    let report = valgrind.wait_with_output().await?.stderr;
    let report = String::from_utf8_lossy(&report);
    let count = report.lines().find_map(|line| line.split_once("Collected : "));
    let count = count.with_context(|| format!("valgrind said: {report}"))?.1;
    Ok(Some(count.trim().parse()?))
}
