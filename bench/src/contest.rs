//! The course of a run: every program with every size of body, in turn, so that a moody machine is moody to all.

use crate::delivery::Delivery;
use crate::figures::{Entry, Outcome, Samples};
use crate::function::Program;
use crate::instructions;
use crate::lambda::{Answer, Lambda};
use crate::services::{Account, Host, Services};
use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::time::Duration;
use tokio::task::LocalSet;

/// The relay's place among the programs; the no-op handler is before it, and a usual one may be behind it.
const RELAY: usize = 1;

/// Cold starts are over in a moment, and differ most.
const COLD_STARTS_A_ROUND: usize = 4;
/// Events that a process gets before its warm ones are measured.
const WARMING: usize = 3;
/// About how many bytes of bodies a process gets, within these numbers of events.
const BYTES_A_PROCESS: usize = 40_000_000;
const MOST_EVENTS: usize = 100;
const FEWEST_EVENTS: usize = 8;
/// Between two events: a function is idle most of the time, and finds the processor's caches cold.
const PAUSE: Duration = Duration::from_millis(20);
/// Small events that come one right after the other, for comparison.
const BUSY_EVENTS: usize = 100;

/// Everything that a run needs.
pub(crate) struct Contest {
    programs: Vec<Program>,
    bodies: Vec<Delivery>,
    rounds: usize,
}

/// What a process is started for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Series {
    ColdStart(Host),
    Warm,
}

impl Contest {
    pub(crate) fn new(programs: Vec<Program>, bodies: Vec<Delivery>, rounds: usize) -> Self {
        Self { programs, bodies, rounds }
    }

    /// Measures everything.
    pub(crate) async fn run(&self) -> Result<Outcome> {
        LocalSet::new().run_until(self.run_here()).await
    }

    async fn run_here(&self) -> Result<Outcome> {
        let services = Services::open().await?;
        let mut entries = Vec::new();
        for program in &self.programs {
            entries.push(Entry::new(program, self.bodies.len())?);
        }
        let small = self.bodies.first().context("there is nothing to send")?;
        let steps = self.rounds * (self.bodies.len() + 2 * COLD_STARTS_A_ROUND);
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}")?;
        let bar = ProgressBar::new(steps as u64).with_style(style);
        for round in 0..self.rounds {
            bar.set_message("cold starts");
            for _ in 0..COLD_STARTS_A_ROUND {
                for host in [Host::Address, Host::Name] {
                    let series = Series::ColdStart(host);
                    for place in self.turns(round) {
                        self.measure(&services, &mut entries, place, 0, small, series).await?;
                    }
                    bar.inc(1);
                }
            }
            for (size, body) in self.bodies.iter().enumerate() {
                bar.set_message(format!("bodies of {}", body.name));
                for place in self.turns(round) {
                    self.measure(&services, &mut entries, place, size, body, Series::Warm).await?;
                }
                bar.inc(1);
            }
        }
        bar.set_message("counting instructions");
        for (program, entry) in self.programs.iter().zip(&mut entries) {
            entry.instructions = instructions::of_one_event(program, small, &services).await?;
        }
        bar.finish_and_clear();
        let mut entries = entries.into_iter();
        let mut next = || entries.next().context("a program is missing");
        Ok(Outcome {
            bodies: self.bodies.iter().map(|it| (it.name, it.body.len())).collect(),
            noop: next()?,
            relay: next()?,
            usual: entries.next(),
        })
    }

    /// The places of the programs, each round with another one first.
    fn turns(&self, round: usize) -> impl Iterator<Item = usize> + use<> {
        let count = self.programs.len();
        (0..count).map(move |place| (place + round) % count)
    }

    /// Starts a program once, sends it events of one size, and adds what that took to its entry.
    async fn measure(
        &self,
        services: &Services,
        entries: &mut [Entry],
        place: usize,
        size: usize,
        delivery: &Delivery,
        series: Series,
    ) -> Result<()> {
        let program = self.programs.get(place).context("no such program")?;
        let entry = entries.get_mut(place).context("no such entry")?;
        let samples = entry.samples.get_mut(size).context("no such size")?;
        if samples.has_failed {
            return Ok(());
        }
        let course = Course {
            program,
            delivery,
            series,
            events: match series {
                Series::ColdStart(_) => 1,
                Series::Warm => {
                    let events = BYTES_A_PROCESS / delivery.body.len();
                    WARMING + events.clamp(FEWEST_EVENTS, MOST_EVENTS)
                }
            },
            busy_events: if series == Series::Warm && size == 0 { BUSY_EVENTS } else { 0 },
        };
        let context = || format!("the {} with a body of {}", program.name, delivery.name);
        let lines = course.run(services, samples, place <= RELAY).await.with_context(context)?;
        let account = services.take_account();
        if place == RELAY {
            course.check(&account, lines).with_context(context)?;
        }
        samples.services.extend(account.latencies);
        Ok(())
    }
}

/// What one process gets.
struct Course<'a> {
    program: &'a Program,
    delivery: &'a Delivery,
    series: Series,
    events: usize,
    busy_events: usize,
}

impl Course<'_> {
    /// Returns how many lines were logged. Only what a usual handler cannot do is a result, others have to do it.
    async fn run(
        &self,
        services: &Services,
        samples: &mut Samples,
        must_succeed: bool,
    ) -> Result<usize> {
        let host = match self.series {
            Series::ColdStart(host) => host,
            Series::Warm => Host::Address,
        };
        let lambda = Lambda::open().await?;
        // As after a request that finds no instance: the event is there before the function is.
        lambda.hand(self.delivery.event.clone())?;
        let mut function = self.program.start(lambda, services, host)?;
        for number in 0..self.events + self.busy_events {
            let is_busy = number >= self.events;
            if number > 0 {
                if !is_busy {
                    tokio::time::sleep(PAUSE).await;
                }
                function.lambda.hand(self.delivery.event.clone())?;
            }
            let before = function.cpu()?;
            let answer = function.lambda.answer().await?;
            if !is_ok(&answer)? {
                let said = String::from_utf8_lossy(&answer.body);
                ensure!(!must_succeed, "it answers: {said}");
                samples.has_failed = true;
                break;
            }
            function.lambda.idle().await?;
            let cpu = function.cpu()?;
            match self.series {
                Series::ColdStart(host) => {
                    let after = answer.at - function.started;
                    match host {
                        Host::Address => {
                            samples.cold_starts.push(after);
                            samples.cold_cpu.push(cpu);
                        }
                        Host::Name => samples.cold_starts_by_name.push(after),
                    }
                }
                Series::Warm if is_busy => samples.busy_cpu.push(cpu.saturating_sub(before)),
                Series::Warm if number >= WARMING => {
                    samples.cpu.push(cpu.saturating_sub(before));
                    samples.latencies.push(answer.after);
                }
                Series::Warm => {}
            }
        }
        if self.series == Series::Warm {
            samples.peaks.push(function.peak_memory()?);
        }
        function.end()
    }

    /// Nothing was skipped: the secret came once, each event arrived whole, and each has its line in the log.
    fn check(&self, account: &Account, lines: usize) -> Result<()> {
        let events = self.events + self.busy_events;
        let (secrets, queued) = (account.secrets, account.messages.len());
        ensure!(secrets == 1, "{secrets} secrets were fetched");
        ensure!(queued == events, "{queued} of {events} are queued");
        ensure!(lines == events, "{lines} of {events} are logged");
        let arrived = if account.objects.is_empty() { &account.messages } else { &account.objects };
        let stored = arrived.len();
        ensure!(stored == events, "{stored} of {events} are stored");
        let is_whole = arrived.iter().all(|body| *body == self.delivery.body);
        ensure!(is_whole, "a body was changed");
        Ok(())
    }
}

fn is_ok(answer: &Answer) -> Result<bool> {
    let body: Value = serde_json::from_slice(&answer.body)?;
    Ok(answer.kind == "response" && body["statusCode"] == 200)
}
