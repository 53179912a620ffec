//! The course of a run: in every round, every program gets every size of body, the programs in turn and in random order.

use crate::delivery::Delivery;
use crate::figures::{Figure, Mode, Outcome, RELAY};
use crate::function::{Function, Pinning, Program};
use crate::lambda::{Answer, Lambda};
use crate::services::{Host, Services};
use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::time::Duration;
use tokio::task::LocalSet;

/// Cold starts are over in a moment, and differ most.
const COLD_STARTS_A_ROUND: usize = 4;
/// Events that a process gets before its warm ones are measured.
const WARMING: usize = 3;
/// About how many bytes of bodies a process gets in each mode, within these numbers of events.
const BYTES_A_ROUND: usize = 12_000_000;
const FEWEST_EVENTS: usize = 4;
const MOST_EVENTS: usize = 20;
/// How often a program has its turn in a round where one event comes right after the other.
const HOT_TURNS: usize = 2;
/// Before a start, and before an event: a function is idle most of the time, and finds the processor's caches cold.
const REST: Duration = Duration::from_millis(10);

/// Everything that a run needs.
pub(crate) struct Contest {
    pub(crate) programs: Vec<Program>,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) rounds: usize,
}

impl Contest {
    /// Measures everything.
    pub(crate) async fn run(&self) -> Result<Outcome> {
        LocalSet::new().run_until(self.run_here()).await
    }

    async fn run_here(&self) -> Result<Outcome> {
        let services = Services::open().await?;
        let pinning = Pinning::of_this_thread()?;
        let bench = Bench { contest: self, services: &services, pinning: pinning.as_ref() };
        let mut outcome = Outcome::new(&self.programs, &self.deliveries)?;
        // For random orders, so that a program does not always find in the caches what the same other one has left there.
        let mut rng = Rng::with_seed(21);
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}")?;
        let steps = self.rounds * (1 + self.deliveries.len());
        let bar = ProgressBar::new(steps as u64).with_style(style);
        for _ in 0..self.rounds {
            outcome.begin_round();
            bar.set_message("cold starts");
            bench.cold_starts(&mut rng, &mut outcome).await?;
            bar.inc(1);
            for (size, delivery) in self.deliveries.iter().enumerate() {
                bar.set_message(format!("bodies of {}", delivery.name));
                bench.warm_events(size, &mut rng, &mut outcome).await?;
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        Ok(outcome)
    }
}

struct Bench<'a> {
    contest: &'a Contest,
    services: &'a Services,
    pinning: Option<&'a Pinning>,
}

impl<'a> Bench<'a> {
    async fn cold_starts(&self, rng: &mut Rng, outcome: &mut Outcome) -> Result<()> {
        let mut places: Vec<usize> = (0..self.contest.programs.len()).collect();
        for host in [Host::Address, Host::Name].repeat(COLD_STARTS_A_ROUND) {
            rng.shuffle(&mut places);
            for place in &places {
                let mut process = self.start(*place, 0, host).await?;
                let answer = process.answer().await?;
                let after = answer.at - process.function.started;
                outcome.add(Figure::ColdStart(host), *place, milliseconds(after));
                let cpu = process.function.cpu()?;
                outcome.add(Figure::ColdCpu(host), *place, milliseconds(cpu));
                process.end()?;
            }
        }
        Ok(())
    }

    /// All programs run at once; each waits while it is not its turn.
    async fn warm_events(&self, size: usize, rng: &mut Rng, outcome: &mut Outcome) -> Result<()> {
        let mut processes = Vec::new();
        for place in 0..self.contest.programs.len() {
            if outcome.fails(size, place) {
                continue;
            }
            let mut process = self.start(place, size, Host::Address).await?;
            match process.answer().await {
                Ok(_) => processes.push(process),
                Err(_) if !process.is_ours() => outcome.failures.push((size, place)),
                Err(error) => return Err(error),
            }
        }
        let bytes = self.contest.deliveries.get(size).map_or(1, |it| it.body.len());
        let events = (BYTES_A_ROUND / bytes).clamp(FEWEST_EVENTS, MOST_EVENTS);
        for (turns, events_a_turn, mode) in [
            (1, WARMING, None),
            (events, 1, Some(Mode::Rested)),
            (HOT_TURNS, events / HOT_TURNS, Some(Mode::Hot)),
        ] {
            for _ in 0..turns {
                rng.shuffle(&mut processes);
                for process in &mut processes {
                    if mode == Some(Mode::Rested) {
                        tokio::time::sleep(REST).await;
                    }
                    let before = process.function.cpu()?;
                    for _ in 0..events_a_turn {
                        process.function.lambda.hand(process.delivery.event.clone())?;
                        let answer = process.answer().await?;
                        if mode == Some(Mode::Rested) {
                            let after = milliseconds(answer.after);
                            outcome.add(Figure::Answer(size), process.place, after);
                        }
                    }
                    if let Some(mode) = mode {
                        let cpu = process.function.cpu()?.saturating_sub(before);
                        let each = milliseconds(cpu) / events_a_turn as f64;
                        outcome.add(Figure::Cpu(size, mode), process.place, each);
                    }
                }
            }
        }
        for process in processes {
            let peak = process.function.peak_memory()? as f64 / 1e6;
            outcome.add(Figure::Peak(size), process.place, peak);
            process.end()?;
        }
        Ok(())
    }

    /// Starts a program with an event that waits for it, as after a request that finds no instance.
    async fn start(&self, place: usize, size: usize, host: Host) -> Result<Process<'a>> {
        let program = self.contest.programs.get(place).context("no such program")?;
        let delivery = self.contest.deliveries.get(size).context("no such size")?;
        tokio::time::sleep(REST).await;
        self.services.take_account();
        let lambda = Lambda::open().await?;
        lambda.hand(delivery.event.clone())?;
        let function = program.start(lambda, self.services, host, self.pinning)?;
        Ok(Process { place, program, services: self.services, delivery, function, events: 0 })
    }
}

/// A program that runs, and gets events of one size.
struct Process<'a> {
    place: usize,
    program: &'a Program,
    services: &'a Services,
    delivery: &'a Delivery,
    function: Function,
    events: usize,
}

impl Process<'_> {
    /// Whether it has to set all attributes, to log each event, and to take any size.
    fn is_ours(&self) -> bool {
        self.place <= RELAY
    }

    /// Waits until it has answered and is idle again, and checks that nothing was skipped.
    async fn answer(&mut self) -> Result<Answer> {
        let context = || format!("{} with a body of {}", self.program.name, self.delivery.name);
        let answer = self.function.lambda.answer().await.with_context(context)?;
        self.events += 1;
        self.check(&answer).with_context(context)?;
        self.function.lambda.idle().await.with_context(context)?;
        Ok(answer)
    }

    /// The secret came once, and the event arrived whole.
    fn check(&self, answer: &Answer) -> Result<()> {
        let account = self.services.take_account();
        let said = String::from_utf8_lossy(&answer.body);
        let body: Value = serde_json::from_slice(&answer.body)?;
        ensure!(answer.kind == "response" && body["statusCode"] == 200, "it answers: {said}");
        let secrets = account.secrets;
        ensure!((secrets == 1) == (self.events == 1), "{secrets} secrets were fetched");
        let [message] = &account.messages[..] else { bail!("{} messages", account.messages.len()) };
        let arrived = match &account.objects[..] {
            [] => &message.body,
            [object] => object,
            objects => bail!("{} objects", objects.len()),
        };
        ensure!(*arrived == self.delivery.body, "the body was changed");
        let is_complete = self
            .delivery
            .attributes
            .iter()
            .all(|(name, value)| message.attributes[name]["StringValue"] == *value);
        ensure!(is_complete || !self.is_ours(), "the attributes are {}", message.attributes);
        Ok(())
    }

    fn end(self) -> Result<()> {
        let (is_ours, name, events) = (self.is_ours(), &self.program.name, self.events);
        let lines = self.function.end()?;
        ensure!(lines == events || !is_ours, "{name}: {lines} of {events} events are logged");
        Ok(())
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
