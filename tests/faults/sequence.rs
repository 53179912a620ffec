//! A sequence: a relay of its own, a handful of deliveries, some at the same time, and weather. A seed makes all of it.

use crate::account::{Circumstances, Outcome, judge};
use crate::aws::Aws;
use crate::delivery::{self, Delivery, Due};
use crate::durable::{is_delivered, is_durable};
use crate::fault::{Fault, Service, Weather};
use crate::network::network_to;
use crate::stack;
use fastrand::Rng;
use labelbox_relay::bucket::S3;
use labelbox_relay::http::{GatewayEvent, WebhookHandler};
use labelbox_relay::queue::Sqs;
use labelbox_relay::receive::Relay;
use labelbox_relay::secrets::SecretsManager;
use labelbox_relay::telemetry::Log;
use lambda_http::Context;
use serde_json::Value;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// The slowest answer, cold start and all.
pub(crate) const SLOWEST: Duration = Duration::from_secs(10);
/// Who has not answered by then never will.
const NEVER: Duration = Duration::from_secs(120);
/// With less than this, a relay may have to give up for want of time.
const TIME_ENOUGH: Duration = Duration::from_secs(9);
/// By then, a service is done with what its callers gave up.
const ALL_DONE: Duration = Duration::from_secs(15);
/// How long a request with time enough waits for Secrets Manager at least.
const AWAITED: Duration = Duration::from_secs(2);
/// How long a start waits for Secrets Manager at least.
const AWAITED_BY_START: Duration = Duration::from_millis(900);
/// Seconds between deliveries: none, a few, and, one or two together, beyond the secret cache's times.
const PAUSES: [u64; 5] = [0, 2, 20, 31, 311];

/// What a sequence came to.
pub(crate) struct Report {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) faults: Vec<(Service, Fault)>,
    /// The law that was broken, and how it came to that.
    pub(crate) violation: Option<String>,
}

/// Plays the sequence that a seed stands for.
pub(crate) fn play(seed: u64) -> Report {
    // The SDK draws its jitter here; so it is the same each time.
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let _inside = runtime.enter();
    START.set(Some(Instant::now()));
    let mut rng = Rng::with_seed(seed);
    let sequence = Arc::new(Sequence::random(&mut rng));
    let run = AssertUnwindSafe(|| runtime.block_on(sequence.run(rng)));
    let outcome = catch_unwind(run).unwrap_or_else(|_| Err("it panicked".to_owned()));
    let world = sequence.aws.world();
    let (outcomes, violation) = match outcome {
        Ok(outcomes) => (outcomes, None),
        Err(law) => (Vec::new(), Some(format!("{law}\n{}", world.story()))),
    };
    Report {
        outcomes,
        faults: world.faults().collect(),
        violation,
    }
}

struct Sequence {
    aws: Arc<Aws>,
    door: WebhookHandler<SecretsManager, Sqs, S3>,
    is_fifo: bool,
}

/// A delivery that was answered 2xx, and the body of the answer.
type Promise = (Delivery, Value);

thread_local! {
    /// When the sequence of this thread began.
    static START: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The relay's clock goes with the paused one.
fn clock() -> SystemTime {
    let start = START.get().unwrap();
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + start.elapsed()
}

impl Sequence {
    fn random(rng: &mut Rng) -> Self {
        let is_fifo = rng.bool();
        let aws = stack::aws(rng.fork(), is_fifo);
        let config = stack::config(is_fifo);
        let clients = config.aws.for_clients(network_to(&aws), clock);
        let store = SecretsManager::new(&config, &clients);
        let queue = Sqs::new(&config, &clients);
        let bucket = S3::new(&config, &clients);
        let relay = Relay::new(&config, store, queue, bucket);
        Self {
            aws,
            door: WebhookHandler::new(&config, relay, Log::new(&config, |_| ()), clock),
            is_fifo,
        }
    }

    async fn run(self: &Arc<Self>, mut rng: Rng) -> Result<Vec<Outcome>, String> {
        let mut sent = Vec::new();
        let mut outcomes = Vec::new();
        let mut promises = Vec::new();
        self.aws.set_weather(Weather::of_all(&mut rng));
        for wave in 0..rng.u8(1..=4) {
            let since = Instant::now();
            if wave == 0 && rng.bool() {
                self.warm_up().await?;
            }
            let mut answers = self.send_some(&mut sent, since, &mut rng);
            while let Some(answer) = answers.join_next().await {
                let (outcome, promise) = answer.map_err(|_| "it panicked")??;
                outcomes.push(outcome);
                promises.extend(promise);
            }
            sleep(Duration::from_secs(*rng.choice(&PAUSES).unwrap())).await;
            if rng.bool() {
                self.aws.set_weather(Weather::of_all(&mut rng));
            }
            if rng.bool() {
                self.aws.rotate(&mut rng);
            }
        }
        self.check_once_more(&promises).await?;
        Ok(outcomes)
    }

    async fn warm_up(&self) -> Result<(), String> {
        let until = Instant::now() + AWAITED_BY_START;
        self.aws.world().set_awaited_until(Some(until));
        let warm = timeout(NEVER, self.door.warm_up()).await;
        warm.map_err(|_| "the warm-up never ended")?;
        if Instant::now() >= until {
            self.aws.world().vault.cache.record_cancelled_fetch();
        }
        Ok(())
    }

    /// Sends one delivery, or two at the same time, of which some were sent before.
    fn send_some(
        self: &Arc<Self>,
        sent: &mut Vec<Delivery>,
        since: Instant,
        rng: &mut Rng,
    ) -> JoinSet<Result<(Outcome, Option<Promise>), String>> {
        let mut answers = JoinSet::new();
        let mut have_time = true;
        for _ in 0..rng.u8(1..=2) {
            let delivery = match rng.choice(&*sent) {
                Some(earlier) if rng.u8(..4) == 0 => delivery::again(earlier, rng),
                _ => delivery::random(rng, &self.aws.world().vault),
            };
            sent.push(delivery.clone());
            let left = time_left(rng);
            have_time &= has_time(left);
            let sequence = Arc::clone(self);
            answers.spawn(async move { sequence.deliver(delivery, left, since).await });
        }
        let until = Instant::now() + AWAITED;
        let mut world = self.aws.world();
        world.set_awaited_until(have_time.then_some(until));
        answers
    }

    /// Delivers an event and judges the answer, for which the sender waits since `since`.
    async fn deliver(
        &self,
        delivery: Delivery,
        left: Option<Duration>,
        since: Instant,
    ) -> Result<(Outcome, Option<Promise>), String> {
        let name = delivery.name();
        self.aws
            .note(format!("{name} comes in, time left {left:?}"));
        let circumstances = self.circumstances(left);
        let came_in = circumstances.came_in;
        let answer = timeout(NEVER, self.answer(&delivery, left)).await;
        let answer = answer.map_err(|_| format!("{name} was never answered"))?;
        self.aws.note(format!("{name} gets {answer}"));
        let outcome = self.judge(&delivery, &circumstances, &answer);
        let outcome = outcome.map_err(|broken| format!("{name}: {broken}"))?;
        if since.elapsed() > SLOWEST {
            return Err(format!("{name} was answered after {:?}", since.elapsed()));
        }
        if left.is_some_and(|left| came_in.elapsed() > left) {
            return Err(format!("{name} was answered after Lambda's deadline"));
        }
        let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        Ok((outcome, outcome.is_promise().then_some((delivery, body))))
    }

    async fn answer(&self, delivery: &Delivery, left: Option<Duration>) -> Value {
        let event = delivery.event.to_string();
        let event: GatewayEvent = serde_json::from_str(&event).unwrap();
        let mut context = Context::default();
        context.request_id = delivery.draft.invocation_id.clone();
        if let Some(left) = left {
            let deadline = (clock() + left).duration_since(SystemTime::UNIX_EPOCH);
            context.deadline = deadline.unwrap().as_millis() as u64;
        }
        let answer = self.door.handle(event, &context).await;
        serde_json::to_value(answer).unwrap()
    }

    /// What services still do for callers that gave up must not spoil what was promised.
    async fn check_once_more(&self, promises: &[Promise]) -> Result<(), String> {
        sleep(ALL_DONE).await;
        for (delivery, body) in promises {
            if let Due::Durable(expected) = &delivery.due {
                let outcome = is_durable(&self.aws.world(), expected, self.is_fifo, body);
                outcome.map_err(|broken| format!("{}, at the end: {broken}", delivery.name()))?;
            }
        }
        let mut world = self.aws.world();
        world.replay_spilled(self.is_fifo);
        for (delivery, _) in promises {
            if let Due::Durable(expected) = &delivery.due
                && !is_delivered(&world, expected, self.is_fifo)
            {
                let name = delivery.name();
                return Err(format!("{name}: it is in no queue after the replay"));
            }
        }
        Ok(())
    }

    fn judge(
        &self,
        delivery: &Delivery,
        circumstances: &Circumstances,
        answer: &Value,
    ) -> Result<Outcome, String> {
        let mut world = self.aws.world();
        let outcome = judge(&world, delivery, circumstances, answer)?;
        let (signed, before) = (&delivery.draft.signed, &circumstances.cache);
        let cache = &mut world.vault.cache;
        cache.record_request(before, signed, circumstances.came_in);
        Ok(outcome)
    }

    /// What decides about a delivery that comes in now.
    fn circumstances(&self, left: Option<Duration>) -> Circumstances {
        let cache = &mut self.aws.world().vault.cache;
        if !has_time(left) {
            cache.record_short_deadline();
        }
        Circumstances {
            came_in: Instant::now(),
            has_time: has_time(left),
            is_fifo: self.is_fifo,
            cache: cache.clone(),
        }
    }
}

fn has_time(left: Option<Duration>) -> bool {
    left.is_none_or(|left| left > TIME_ENOUGH)
}

/// How long Lambda lets a request go on, if it says so.
fn time_left(rng: &mut Rng) -> Option<Duration> {
    match rng.u8(..10) {
        0..5 => None,
        5..8 => Some(Duration::from_secs(29)),
        _ => Some(Duration::from_millis(rng.u64(1..9_000))),
    }
}
