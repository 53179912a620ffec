//! A sequence: a new relay, a few deliveries, some of them concurrent, and changing fault plans. Its seed determines
//! everything.

use crate::aws::FakeAws;
use crate::delivery::{self, Delivery, Expected};
use crate::fault::{Fault, FaultPlan, Service};
use crate::fixture;
use crate::invariants::{
    Arrival, Outcome, check, check_archive_failure, check_archived, check_archived_bodies,
    check_delay_by_archive, check_durable, is_delivered,
};
use crate::network::network_to;
use fastrand::Rng;
use labelbox_relay::bucket::S3;
use labelbox_relay::http::{GatewayEvent, WebhookHandler};
use labelbox_relay::queue::Sqs;
use labelbox_relay::secrets::SecretsManager;
use labelbox_relay::telemetry::Log;
use lambda_http::Context;
use serde_json::Value;
use std::cell::Cell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// The time limit of every response, cold start included.
pub(crate) const MAX_RESPONSE_TIME: Duration = Duration::from_secs(10);
/// A request without a response after this time counts as never answered.
const HANG: Duration = Duration::from_secs(120);
/// With less time, the relay may have to give up.
const ENOUGH_TIME: Duration = Duration::from_secs(9);
/// After this time, the services have processed even the requests that their callers abandoned.
const DRAIN: Duration = Duration::from_secs(15);
/// How long a request with enough time at least waits for Secrets Manager.
const MIN_FETCH_WAIT: Duration = Duration::from_secs(2);
/// How long a warm-up at least waits for Secrets Manager.
const MIN_WARM_UP_WAIT: Duration = Duration::from_millis(900);
/// Seconds between deliveries. One or two of the longer pauses exceed the time limits of the secret cache.
const PAUSES: [u64; 5] = [0, 2, 20, 31, 311];

/// What the log line of an event that is not archived contains.
const COUNTED: &[u8] = b"\"ArchiveFailed\":1";

/// The results of a sequence.
pub(crate) struct Report {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) faults: Vec<(Service, Fault)>,
    /// The violated invariant, with the log of the sequence.
    pub(crate) violation: Option<String>,
}

/// Runs the sequence of a seed.
pub(crate) fn run(seed: u64) -> Report {
    // aws-lite takes its jitter from the thread's generator.
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
    let result = catch_unwind(run).unwrap_or_else(|_| Err("panicked".to_owned()));
    let state = sequence.aws.state();
    let (outcomes, violation) = match result {
        Ok(outcomes) => (outcomes, None),
        Err(violation) => {
            let log = state.format_log();
            (Vec::new(), Some(format!("{violation}\n{log}")))
        }
    };
    Report { outcomes, faults: state.faults().collect(), violation }
}

struct Sequence {
    aws: Arc<FakeAws>,
    handler: WebhookHandler<SecretsManager, Sqs, S3>,
    is_fifo: bool,
    archives_events: bool,
    /// The request ids of the log lines that count an event as not archived.
    unarchived: Arc<Mutex<HashSet<String>>>,
}

/// An acknowledged delivery.
struct Acknowledged {
    delivery: Delivery,
    /// The body of the response.
    body: Value,
    /// When the event was received, if it is archived.
    archived: Option<SystemTime>,
}

thread_local! {
    /// The start of this thread's sequence.
    static START: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The relay's clock, which follows the paused one.
fn clock() -> SystemTime {
    let start = START.get().unwrap();
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + start.elapsed()
}

impl Sequence {
    fn random(rng: &mut Rng) -> Self {
        let (is_fifo, archives_events) = (rng.bool(), rng.bool());
        let aws = fixture::fake_aws(rng.fork(), is_fifo);
        let config = fixture::config(is_fifo, archives_events);
        let unarchived = Arc::new(Mutex::new(HashSet::new()));
        let counted = Arc::clone(&unarchived);
        let log = Log::new(&config, move |line| {
            // Most lines need not be parsed.
            if line.windows(COUNTED.len()).any(|part| part == COUNTED) {
                let line: Value = serde_json::from_slice(line).unwrap();
                let request_id = line["request_id"].as_str().unwrap().to_owned();
                counted.lock().unwrap().insert(request_id);
            }
        });
        let clients = config.aws.for_clients(network_to(&aws), clock);
        let store = SecretsManager::new(&config, &clients);
        let queue = Sqs::new(&config, &clients);
        let bucket = S3::new(&config, &clients);
        Self {
            aws,
            handler: WebhookHandler::new(&config, store, queue, bucket, log, clock),
            is_fifo,
            archives_events,
            unarchived,
        }
    }

    async fn run(self: &Arc<Self>, mut rng: Rng) -> Result<Vec<Outcome>, String> {
        let mut sent = Vec::new();
        let mut outcomes = Vec::new();
        let mut acknowledged = Vec::new();
        self.aws.set_fault_plans(FaultPlan::for_all(&mut rng));
        for round in 0..rng.u8(1..=4) {
            let started_at = Instant::now();
            if round == 0 && rng.bool() {
                self.warm_up().await?;
            }
            let mut deliveries = self.spawn_deliveries(&mut sent, started_at, &mut rng);
            while let Some(delivered) = deliveries.join_next().await {
                let (outcome, acknowledgement) = delivered.map_err(|_| "panicked")??;
                outcomes.push(outcome);
                acknowledged.extend(acknowledgement);
            }
            sleep(Duration::from_secs(*rng.choice(&PAUSES).unwrap())).await;
            if rng.bool() {
                self.aws.set_fault_plans(FaultPlan::for_all(&mut rng));
            }
            if rng.bool() {
                self.aws.rotate_secret(&mut rng);
            }
        }
        self.check_at_end(&acknowledged).await?;
        Ok(outcomes)
    }

    async fn warm_up(&self) -> Result<(), String> {
        let until = Instant::now() + MIN_WARM_UP_WAIT;
        self.aws.state().set_awaited_until(Some(until));
        let warm_up = timeout(HANG, self.handler.warm_up()).await;
        warm_up.map_err(|_| "the warm-up never ended")?;
        if Instant::now() >= until {
            let cache = &mut self.aws.state().secrets_manager.cache;
            cache.record_cancelled_fetch();
        }
        Ok(())
    }

    /// Starts one delivery, or two concurrent ones. Some repeat an earlier delivery.
    fn spawn_deliveries(
        self: &Arc<Self>,
        sent: &mut Vec<Delivery>,
        started_at: Instant,
        rng: &mut Rng,
    ) -> JoinSet<Result<(Outcome, Option<Acknowledged>), String>> {
        let mut deliveries = JoinSet::new();
        let mut all_have_time = true;
        for _ in 0..rng.u8(1..=2) {
            let delivery = match rng.choice(&*sent) {
                Some(earlier) if rng.u8(..4) == 0 => delivery::redelivery(earlier, rng),
                _ => delivery::random(rng, &self.aws.state().secrets_manager),
            };
            sent.push(delivery.clone());
            let time_left = random_time_left(rng);
            all_have_time &= has_enough_time(time_left);
            let sequence = Arc::clone(self);
            deliveries
                .spawn(async move { sequence.deliver(delivery, time_left, started_at).await });
        }
        let until = Instant::now() + MIN_FETCH_WAIT;
        let mut state = self.aws.state();
        state.set_awaited_until(all_have_time.then_some(until));
        deliveries
    }

    /// Delivers an event and checks the response. The response time counts from `started_at`, before a cold start.
    async fn deliver(
        &self,
        delivery: Delivery,
        time_left: Option<Duration>,
        started_at: Instant,
    ) -> Result<(Outcome, Option<Acknowledged>), String> {
        let name = delivery.name();
        self.aws.log_note(format!("request {name}, time left {time_left:?}"));
        let arrival = self.arrival(time_left);
        let received_at = clock();
        let response = timeout(HANG, self.handle(&delivery, time_left)).await;
        let response = response.map_err(|_| format!("{name}: never answered"))?;
        self.aws.log_note(format!("response to {name}: {response}"));
        let outcome = self.check(&delivery, &arrival, &response);
        let outcome = outcome.map_err(|violation| format!("{name}: {violation}"))?;
        if started_at.elapsed() > MAX_RESPONSE_TIME {
            return Err(format!("{name}: answered after {:?}", started_at.elapsed()));
        }
        if time_left.is_some_and(|time_left| arrival.at.elapsed() > time_left) {
            return Err(format!("{name}: answered after Lambda's deadline"));
        }
        let archived = self.check_archive(&delivery, &arrival, outcome, received_at);
        let archived = archived.map_err(|violation| format!("{name}: {violation}"))?;
        let body = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
        let is_acknowledged = outcome.is_acknowledged();
        Ok((outcome, is_acknowledged.then_some(Acknowledged { delivery, body, archived })))
    }

    /// An accepted event is archived, or counted as not archived. Returns when it was received if it is archived.
    fn check_archive(
        &self,
        delivery: &Delivery,
        arrival: &Arrival,
        outcome: Outcome,
        received_at: SystemTime,
    ) -> Result<Option<SystemTime>, String> {
        let state = self.aws.state();
        check_delay_by_archive(&state, arrival)?;
        let is_counted = self.unarchived.lock().unwrap().remove(&delivery.builder.request_id);
        let must_be_archived = self.archives_events && outcome.is_acknowledged();
        if is_counted && !must_be_archived {
            return Err("counted as not archived although it need not be".to_owned());
        }
        if is_counted {
            check_archive_failure(&state, arrival)?;
        }
        if !must_be_archived || is_counted {
            return Ok(None);
        }
        if let Expected::Message(message) = &delivery.expected {
            check_archived(&state, message, self.is_fifo, &(received_at..=received_at))?;
        }
        Ok(Some(received_at))
    }

    async fn handle(&self, delivery: &Delivery, time_left: Option<Duration>) -> Value {
        let event = delivery.event.to_string();
        let event: GatewayEvent = serde_json::from_str(&event).unwrap();
        let mut context = Context::default();
        context.request_id = delivery.builder.request_id.clone();
        if let Some(time_left) = time_left {
            let deadline = (clock() + time_left).duration_since(SystemTime::UNIX_EPOCH);
            context.deadline = deadline.unwrap().as_millis() as u64;
        }
        let response = self.handler.handle(event, &context).await;
        serde_json::to_value(response).unwrap()
    }

    /// Acknowledged events must still be durable after the services have processed abandoned requests, and must be in
    /// their queues after a replay.
    async fn check_at_end(&self, acknowledged: &[Acknowledged]) -> Result<(), String> {
        sleep(DRAIN).await;
        let mut state = self.aws.state();
        check_archived_bodies(&state)?;
        for Acknowledged { delivery, body, archived } in acknowledged {
            if let Expected::Message(message) = &delivery.expected {
                let durable = check_durable(&state, message, self.is_fifo, body).map(drop);
                let archived = archived.map_or(Ok(()), |received_at| {
                    check_archived(&state, message, self.is_fifo, &(received_at..=received_at))
                });
                let result = durable.and(archived);
                result
                    .map_err(|violation| format!("{}, at the end: {violation}", delivery.name()))?;
            }
        }
        state.replay_spilled(self.is_fifo);
        for Acknowledged { delivery, .. } in acknowledged {
            if let Expected::Message(message) = &delivery.expected
                && !is_delivered(&state, message, self.is_fifo)
            {
                let name = delivery.name();
                return Err(format!("{name}: in no queue after the replay"));
            }
        }
        Ok(())
    }

    fn check(
        &self,
        delivery: &Delivery,
        arrival: &Arrival,
        response: &Value,
    ) -> Result<Outcome, String> {
        let mut state = self.aws.state();
        let outcome = check(&state, delivery, arrival, response)?;
        let (signature, before) = (&delivery.builder.signature, &arrival.cache);
        let cache = &mut state.secrets_manager.cache;
        cache.record_request(before, signature, arrival.at);
        Ok(outcome)
    }

    /// The state for a delivery that arrives now.
    fn arrival(&self, time_left: Option<Duration>) -> Arrival {
        let cache = &mut self.aws.state().secrets_manager.cache;
        let has_enough_time = has_enough_time(time_left);
        if !has_enough_time {
            cache.record_short_deadline();
        }
        Arrival { at: Instant::now(), has_enough_time, is_fifo: self.is_fifo, cache: cache.clone() }
    }
}

fn has_enough_time(time_left: Option<Duration>) -> bool {
    time_left.is_none_or(|time_left| time_left > ENOUGH_TIME)
}

/// The time until Lambda's deadline; `None` for no deadline.
fn random_time_left(rng: &mut Rng) -> Option<Duration> {
    match rng.u8(..10) {
        0..5 => None,
        5..8 => Some(Duration::from_secs(29)),
        _ => Some(Duration::from_millis(rng.u64(1..9_000))),
    }
}
