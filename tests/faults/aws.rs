//! An AWS that goes wrong as the weather says, keeps what it stored, and remembers what it was asked.

use crate::fault::{Fault, SERVICES, Service, Weather};
use crate::objects::Objects;
use crate::queues::{Queues, is_valid, of_record};
use crate::stack::queue_url;
use crate::vault::Vault;
use crate::wire::{Answer, Request};
use fastrand::Rng;
use std::fmt;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::Instant;

/// All three services.
pub(crate) struct Aws(Mutex<World>);

/// What is in them, and what happened to them.
pub(crate) struct World {
    rng: Rng,
    weather: [Weather; 3],
    pub(crate) queues: Queues,
    pub(crate) objects: Objects,
    pub(crate) vault: Vault,
    /// What happened, in order.
    log: Vec<(Instant, Entry)>,
    /// Until when callers certainly wait for answers.
    awaited_until: Option<Instant>,
    /// What a caller did that it must not do whatever the answer.
    pub(crate) sins: Vec<String>,
}

enum Entry {
    Note(String),
    /// A call, or an attempt to connect for one.
    Call(Service, Option<Fault>),
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aws")
    }
}

impl Aws {
    /// An AWS with these things in it, in which luck is what `rng` makes of it.
    pub(crate) fn new(rng: Rng, queues: Queues, objects: Objects, vault: Vault) -> Self {
        Self(Mutex::new(World {
            rng,
            weather: [Weather::Fine; 3],
            queues,
            objects,
            vault,
            log: vec![(Instant::now(), Entry::Note("it begins".to_owned()))],
            awaited_until: None,
            sins: Vec::new(),
        }))
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    pub(crate) fn set_weather(&self, weather: [Weather; 3]) {
        let mut world = self.world();
        world.weather = weather;
        world.log(Entry::Note(format!("weather of {SERVICES:?}: {weather:?}")));
    }

    /// Changes the value of the secret.
    pub(crate) fn rotate(&self, rng: &mut Rng) {
        let mut world = self.world();
        let change = world.vault.rotate(rng);
        world.log(Entry::Note(format!("the secret: {change}")));
    }

    /// Remembers what somebody else did.
    pub(crate) fn note(&self, text: String) {
        self.world().log(Entry::Note(text));
    }

    /// What goes wrong with the request that is coming in.
    pub(crate) fn fault_of_call(&self, service: Service) -> Option<Fault> {
        let mut world = self.world();
        let fault = world.draw(service);
        world.log_call(service, fault);
        fault
    }

    /// What goes wrong with the connection that is being made.
    pub(crate) fn fault_of_connection(&self, service: Service) -> Option<Fault> {
        let mut world = self.world();
        let fault = world.draw(service);
        let fault =
            fault.filter(|fault| matches!(fault, Fault::Refused | Fault::NeverConnected))?;
        world.log_call(service, Some(fault));
        Some(fault)
    }

    /// Does what a request asks for, unless the fault prevents it, and says what to answer.
    pub(crate) fn answer(
        &self,
        service: Service,
        request: &Request,
        fault: Option<Fault>,
    ) -> Answer {
        let World {
            queues,
            objects,
            vault,
            rng,
            sins,
            ..
        } = &mut *self.world();
        if service == Service::Sqs {
            sins.extend(queues.dangling_pointer(request, objects));
        }
        if let Some(answer) = fault.and_then(|fault| refusal(service, fault, rng)) {
            return answer;
        }
        match service {
            Service::Sqs => queues.answer(request, fault),
            Service::SecretsManager => vault.answer(request, fault, rng),
            Service::S3 => objects.answer(request, fault),
        }
    }

    pub(crate) fn longer_than_anyone_waits(&self) -> Duration {
        Duration::from_millis(self.world().rng.u64(1_700..12_000))
    }

    /// A time in milliseconds after which an attempt is still waited for.
    pub(crate) fn patience(&self) -> u64 {
        self.world().rng.u64(10..1_500)
    }

    pub(crate) fn place_in(&self, length: usize) -> usize {
        self.world().rng.usize(1..length)
    }
}

impl World {
    fn draw(&mut self, service: Service) -> Option<Fault> {
        let place = SERVICES.iter().position(|known| *known == service).unwrap();
        self.weather[place].fault(service, &mut self.rng)
    }

    fn log(&mut self, entry: Entry) {
        self.log.push((Instant::now(), entry));
    }

    fn log_call(&mut self, service: Service, fault: Option<Fault>) {
        if service == Service::SecretsManager {
            let is_awaited = self.is_awaited();
            self.vault.record_call(fault, is_awaited);
        }
        self.log(Entry::Call(service, fault));
    }

    /// Sends the spilled messages to their queues, as `relayctl replay-spill` does.
    pub(crate) fn replay_spilled(&mut self, is_fifo: bool) {
        for (key, record) in &self.objects.objects {
            if let Some(place) = key.strip_prefix("spill/") {
                let (entity, _) = place.split_once('/').unwrap();
                let message = of_record(&queue_url(entity, is_fifo), record).unwrap();
                assert!(is_valid(&message));
                self.queues.store(message);
            }
        }
    }

    /// Sets until when callers certainly wait for answers; `None` if that is unknown.
    pub(crate) fn set_awaited_until(&mut self, until: Option<Instant>) {
        self.awaited_until = until;
    }

    /// Whether the caller certainly waits for an answer that comes now.
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited_until
            .is_some_and(|until| Instant::now() < until)
    }

    /// Everything that went wrong.
    pub(crate) fn faults(&self) -> impl Iterator<Item = (Service, Fault)> {
        self.log.iter().filter_map(|(_, entry)| match entry {
            Entry::Call(service, fault) => Some((*service, (*fault)?)),
            Entry::Note(_) => None,
        })
    }

    /// The faults of all calls to a service, of those since a time if there is one.
    pub(crate) fn calls(
        &self,
        service: Service,
        since: Option<Instant>,
    ) -> impl Iterator<Item = Option<Fault>> {
        let log = self.log.iter();
        let log = log.filter(move |(at, _)| since.is_none_or(|since| *at >= since));
        log.filter_map(move |(_, entry)| match entry {
            Entry::Call(it, fault) if *it == service => Some(*fault),
            _ => None,
        })
    }

    /// What happened, line by line.
    pub(crate) fn story(&self) -> String {
        let start = self.log[0].0;
        let line = |(at, entry): &(Instant, Entry)| {
            let seconds = (*at - start).as_secs_f64();
            match entry {
                Entry::Note(text) => format!("{seconds:9.3} s {text}\n"),
                Entry::Call(service, None) => format!("{seconds:9.3} s     {service:?}: done\n"),
                Entry::Call(service, Some(fault)) => {
                    format!("{seconds:9.3} s     {service:?}: {fault:?}\n")
                }
            }
        };
        self.log.iter().map(line).collect()
    }
}

/// The answer to a call that is not done at all; `None` when the fault lets it be done.
fn refusal(service: Service, fault: Fault, rng: &mut Rng) -> Option<Answer> {
    use Service::{S3, SecretsManager, Sqs};
    #[rustfmt::skip]
    let (status, codes): (u16, &[&str]) = match (fault, service) {
        (Fault::BadGateway, _) => return Some(Answer::new(502, "text/html", "<html>bad gateway</html>")),
        (Fault::Redirect, _) => return Some(Answer::new(307, "text/html", "<html>elsewhere</html>")),
        (Fault::Html, _) => return Some(Answer::new(200, "text/html", "<html>welcome</html>")),
        (Fault::EmptyAnswer, _) => return Some(Answer::new(200, "text/plain", "")),
        (Fault::OtherJson, _) => return Some(Answer::new(200, "application/json", "{}")),
        (Fault::InternalError, Sqs) => (500, &["InternalFailure"]),
        (Fault::InternalError, SecretsManager) => (500, &["InternalServiceError"]),
        (Fault::InternalError, S3) => (500, &["InternalError"]),
        (Fault::Unavailable, _) => (503, &["ServiceUnavailable"]),
        (Fault::Throttled, Sqs) => (400, &["com.amazonaws.sqs#RequestThrottled", "ThrottlingException"]),
        (Fault::Throttled, SecretsManager) => (400, &["ThrottlingException"]),
        (Fault::Throttled, S3) => (503, &["SlowDown"]),
        (Fault::AccessDenied, Sqs | SecretsManager) => (400, &["AccessDeniedException", "AccessDenied"]),
        (Fault::AccessDenied, S3) => (403, &["AccessDenied"]),
        (Fault::Kms, Sqs) => (400, &["com.amazonaws.sqs#KmsThrottled", "com.amazonaws.sqs#KmsDisabled", "com.amazonaws.sqs#KmsAccessDenied"]),
        (Fault::Kms, SecretsManager) => (400, &["DecryptionFailure"]),
        (Fault::Kms, S3) => (400, &["KMS.DisabledException", "KMS.ThrottlingException"]),
        (Fault::ExpiredToken, Sqs) => (403, &["ExpiredToken", "ExpiredTokenException"]),
        (Fault::ExpiredToken, SecretsManager) => (400, &["ExpiredTokenException"]),
        (Fault::ExpiredToken, S3) => (400, &["ExpiredToken"]),
        (Fault::Gone, Sqs) => (400, &["com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"]),
        (Fault::Gone, SecretsManager) => (400, &["ResourceNotFoundException", "InvalidRequestException"]),
        (Fault::Gone, S3) => (404, &["NoSuchBucket"]),
        _ => return None,
    };
    Some(error(service, status, rng.choice(codes).unwrap()))
}

/// An error in the service's own words.
pub(crate) fn error(service: Service, status: u16, code: &str) -> Answer {
    match service {
        Service::S3 => {
            let body = format!("<Error><Code>{code}</Code><Message>it says no</Message></Error>");
            Answer::new(status, "application/xml", body)
        }
        Service::Sqs | Service::SecretsManager => {
            let body = format!(r#"{{"__type":"{code}","message":"it says no"}}"#);
            Answer::new(status, "application/x-amz-json-1.0", body)
        }
    }
}
