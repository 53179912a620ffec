//! A sequence: a relay of its own, a handful of deliveries, some at the same time, and weather. A seed makes all of it.

use crate::account::{BUCKET, Circumstances, Outcome, is_durable, judge, queue_url};
use crate::aws::Aws;
use crate::delivery::{self, Delivery, Due, SECRET};
use crate::fault::{Fault, SERVICES, Service, Weather};
use crate::network::{ENDPOINTS, network_to};
use crate::objects::Objects;
use crate::queues::Queues;
use crate::vault::Vault;
use fastrand::Rng;
use labelbox_relay::aws::clients_over;
use labelbox_relay::bucket::S3;
use labelbox_relay::config::Config;
use labelbox_relay::http::{Door, GatewayEvent};
use labelbox_relay::queue::Sqs;
use labelbox_relay::receive::Relay;
use labelbox_relay::secrets::SecretsManager;
use lambda_http::Context;
use serde_json::{Value, json};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// The slowest answer, cold start and all.
pub(crate) const SLOWEST: Duration = Duration::from_secs(10);
/// Who has not answered by then never will.
const NEVER: Duration = Duration::from_secs(120);
/// With less than this, a relay may have to give up for want of time.
const TIME_ENOUGH: Duration = Duration::from_secs(9);

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
    let _guard = runtime.enter();
    START.set(Some(Instant::now()));
    let mut rng = Rng::with_seed(seed);
    let sequence = Arc::new(Sequence::random(&mut rng));
    let run = AssertUnwindSafe(|| runtime.block_on(sequence.run(rng)));
    let outcome = catch_unwind(run).unwrap_or_else(|_| Err("it panicked".to_owned()));
    let world = sequence.aws.world();
    let faults = world.calls.iter();
    Report {
        faults: faults
            .filter_map(|call| Some((call.service, call.fault?)))
            .collect(),
        violation: outcome
            .as_ref()
            .err()
            .map(|law| format!("{law}\n{}", sequence.story(&world.calls))),
        outcomes: outcome.unwrap_or_default(),
    }
}

struct Sequence {
    aws: Arc<Aws>,
    door: Door<SecretsManager, Sqs, S3>,
    is_fifo: bool,
    log: Mutex<Vec<(Instant, String)>>,
}

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
        let secret = json!({"labelbox": ["old", SECRET], "training": SECRET}).to_string();
        let aws = aws(rng.fork(), is_fifo, secret);
        let config = config(is_fifo);
        let clients = clients_over(&config.aws, network_to(&aws));
        let store = SecretsManager::new(clients.secrets_manager, config.secret_id.clone());
        let queue = Sqs::new(clients.sqs, config.queue_urls.clone());
        let relay = Relay::new(
            &config,
            store,
            queue,
            S3::new(clients.s3, config.bucket.clone()),
        );
        Self {
            aws,
            door: Door::new(&config, relay, clock),
            is_fifo,
            log: Mutex::default(),
        }
    }

    async fn run(self: &Arc<Self>, mut rng: Rng) -> Result<Vec<Outcome>, String> {
        let mut sent = Vec::new();
        let mut receipts = Vec::new();
        let mut outcomes = Vec::new();
        for wave in 0..rng.u8(1..=3) {
            if wave > 0 {
                sleep(Duration::from_secs(*rng.choice(&[0, 2, 31, 301]).unwrap())).await;
            }
            if wave == 0 || rng.bool() {
                self.change_weather(&mut rng);
            }
            let since = Instant::now();
            if wave == 0 && rng.bool() {
                self.note("warm-up".to_owned());
                let warm = timeout(NEVER, self.door.warm_up()).await;
                warm.map_err(|_| "the warm-up never ended")?;
            }
            let mut answers = JoinSet::new();
            for _ in 0..rng.u8(1..=2) {
                let delivery = match rng.choice(&sent) {
                    Some(earlier) if rng.u8(..4) == 0 => delivery::again(earlier, &mut rng),
                    _ => delivery::random(&mut rng),
                };
                sent.push(delivery.clone());
                let left = time_left(&mut rng);
                let sequence = Arc::clone(self);
                answers.spawn(async move { sequence.deliver(delivery, left, since).await });
            }
            while let Some(answer) = answers.join_next().await {
                let (outcome, receipt) = answer.map_err(|_| "it panicked")??;
                outcomes.push(outcome);
                receipts.extend(receipt);
            }
        }
        // What services still do for callers that gave up must not spoil what they have.
        sleep(Duration::from_secs(15)).await;
        for (delivery, body) in receipts {
            let Due::Durable(expected) = &delivery.due else {
                continue;
            };
            is_durable(
                &self.aws.world(),
                expected,
                &self.circumstances(None),
                &body,
            )
            .map_err(|broken| format!("{broken}, at the end"))?;
        }
        Ok(outcomes)
    }

    /// Delivers an event and judges the answer; gives the answer's body if it promised something.
    async fn deliver(
        &self,
        delivery: Delivery,
        left: Option<Duration>,
        since: Instant,
    ) -> Result<(Outcome, Option<(Delivery, Value)>), String> {
        let name = delivery.name;
        self.note(format!("{name} comes in, time left {left:?}"));
        let started = Instant::now();
        let event: GatewayEvent = serde_json::from_value(delivery.event.clone()).unwrap();
        let mut context = Context::default();
        if let Some(left) = left {
            let deadline = (clock() + left).duration_since(SystemTime::UNIX_EPOCH);
            context.deadline = deadline.unwrap().as_millis() as u64;
        }
        let answer = timeout(NEVER, self.door.answer_event(event, &context)).await;
        let answer = answer.map_err(|_| format!("{name} was never answered"))?;
        let answer = serde_json::to_value(answer).unwrap();
        self.note(format!(
            "{name} is answered {} {}",
            answer["statusCode"], answer["body"]
        ));
        let circumstances = self.circumstances(left);
        let outcome = judge(&self.aws.world(), &delivery, &circumstances, &answer);
        let outcome = outcome.map_err(|broken| format!("{name}: {broken}"))?;
        let waited = since.elapsed();
        if waited > SLOWEST {
            return Err(format!("{name} was answered after {waited:?}"));
        }
        if left.is_some_and(|left| started.elapsed() > left) {
            return Err(format!("{name} was answered after Lambda's deadline"));
        }
        let is_promise = matches!(
            outcome,
            Outcome::Queued | Outcome::Unrouted | Outcome::Spilled
        );
        let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        Ok((outcome, is_promise.then_some((delivery, body))))
    }

    fn circumstances(&self, left: Option<Duration>) -> Circumstances {
        Circumstances {
            has_time: left.is_none_or(|left| left > TIME_ENOUGH),
            is_fifo: self.is_fifo,
        }
    }

    fn change_weather(&self, rng: &mut Rng) {
        let weather = SERVICES.map(|service| Weather::random(service, rng));
        self.note(format!("weather for {SERVICES:?}: {weather:?}"));
        self.aws.set_weather(weather);
    }

    fn note(&self, text: String) {
        self.log.lock().unwrap().push((Instant::now(), text));
    }

    /// What happened, line by line.
    fn story(&self, calls: &[crate::aws::Call]) -> String {
        let mut lines = self.log.lock().unwrap().clone();
        lines.extend(calls.iter().map(|call| {
            let fault = call
                .fault
                .map_or("fine".to_owned(), |fault| format!("{fault:?}"));
            (call.at, format!("    {:?}: {fault}", call.service))
        }));
        lines.sort_by_key(|(at, _)| *at);
        let start = START.get().unwrap();
        let line = |(at, text): &(Instant, String)| {
            format!("{:9.3} s {text}\n", (*at - start).as_secs_f64())
        };
        lines.iter().map(line).collect()
    }
}

/// How long Lambda lets a request go on, if it says so.
fn time_left(rng: &mut Rng) -> Option<Duration> {
    match rng.u8(..10) {
        0..5 => None,
        5..8 => Some(Duration::from_secs(29)),
        _ => Some(Duration::from_millis(rng.u64(0..9_000))),
    }
}

const ENTITIES: [&str; 5] = ["label", "workflow", "review", "model_run", "unrouted"];

/// An AWS with the stack in it.
pub(crate) fn aws(rng: Rng, is_fifo: bool, secret: String) -> Arc<Aws> {
    let queues = Queues::at(ENTITIES.map(|entity| queue_url(entity, is_fifo)));
    Arc::new(Aws::new(
        rng,
        queues,
        Objects::of_bucket(BUCKET),
        Vault::with(secret),
    ))
}

/// The names of the settings of the stack's function.
pub(crate) const VARIABLES: [&str; 12] = [
    "QUEUE_TYPE",
    "LABEL_QUEUE_URL",
    "WORKFLOW_QUEUE_URL",
    "REVIEW_QUEUE_URL",
    "MODEL_RUN_QUEUE_URL",
    "UNROUTED_QUEUE_URL",
    "SECRET_ARN",
    "PAYLOAD_BUCKET",
    "INLINE_LIMIT_KIB",
    "AWS_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
];

/// Its settings, the addresses of the services in memory included.
pub(crate) fn variable(name: &str, is_fifo: bool) -> Option<String> {
    if let Some(entity) = name.strip_suffix("_QUEUE_URL") {
        return Some(queue_url(&entity.to_lowercase(), is_fifo));
    }
    let value = match name {
        "QUEUE_TYPE" if !is_fifo => "standard",
        "SECRET_ARN" => "relay",
        "PAYLOAD_BUCKET" => BUCKET,
        "INLINE_LIMIT_KIB" => "1",
        "AWS_REGION" => "eu-west-1",
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => "test",
        name => ENDPOINTS.iter().find(|(known, ..)| *known == name)?.1,
    };
    Some(value.to_owned())
}

pub(crate) fn config(is_fifo: bool) -> Config {
    Config::load(|name| variable(name, is_fifo)).unwrap()
}
