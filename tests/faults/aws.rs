//! A fake AWS that injects faults, keeps what it stores, and logs its requests.

use crate::fault::{Fault, FaultPlan, FaultPlans, SERVICES, Service};
use crate::fixture::queue_url;
use crate::http::{Request, Response};
use crate::s3::FakeS3;
use crate::secrets_manager::FakeSecretsManager;
use crate::sqs::{FakeSqs, is_valid, parse_spilled};
use fastrand::Rng;
use std::fmt;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::Instant;

/// SQS, Secrets Manager and S3.
pub(crate) struct FakeAws(Mutex<State>);

/// The contents of the services, and a log of their requests.
pub(crate) struct State {
    rng: Rng,
    plans: FaultPlans,
    pub(crate) sqs: FakeSqs,
    pub(crate) s3: FakeS3,
    pub(crate) secrets_manager: FakeSecretsManager,
    /// All requests and notes, in order.
    log: Vec<(Instant, Entry)>,
    /// Until when callers certainly wait for responses.
    awaited_until: Option<Instant>,
    /// Requests that violate an invariant, whatever the response.
    pub(crate) violations: Vec<String>,
}

enum Entry {
    Note(String),
    /// A request, or an attempt to connect for one.
    Request(Service, Option<Fault>),
}

impl fmt::Debug for FakeAws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeAws")
    }
}

impl FakeAws {
    /// A fake AWS with these services. `rng` decides about faults.
    pub(crate) fn new(
        rng: Rng,
        sqs: FakeSqs,
        s3: FakeS3,
        secrets_manager: FakeSecretsManager,
    ) -> Self {
        Self(Mutex::new(State {
            rng,
            plans: [FaultPlan::Healthy; SERVICES.len()],
            sqs,
            s3,
            secrets_manager,
            log: vec![(Instant::now(), Entry::Note("start".to_owned()))],
            awaited_until: None,
            violations: Vec::new(),
        }))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn set_fault_plans(&self, plans: FaultPlans) {
        let mut state = self.state();
        state.plans = plans;
        state.log(Entry::Note(format!("fault plans of {SERVICES:?}: {plans:?}")));
    }

    pub(crate) fn rotate_secret(&self, rng: &mut Rng) {
        let mut state = self.state();
        let change = state.secrets_manager.rotate(rng);
        state.log(Entry::Note(format!("rotation: {change}")));
    }

    pub(crate) fn log_note(&self, text: String) {
        self.state().log(Entry::Note(text));
    }

    /// Draws the fault of a request, and logs both.
    pub(crate) fn fault_of_request(&self, service: Service) -> Option<Fault> {
        let mut state = self.state();
        let fault = state.next_fault(service);
        state.log_request(service, fault);
        fault
    }

    /// Draws the fault of a new connection, and logs it.
    pub(crate) fn fault_of_connection(&self, service: Service) -> Option<Fault> {
        let mut state = self.state();
        let fault = state.next_fault(service);
        let fault = fault
            .filter(|fault| matches!(fault, Fault::ConnectionRefused | Fault::ConnectHangs))?;
        state.log_request(service, Some(fault));
        Some(fault)
    }

    /// Performs a request, unless the fault prevents it, and returns the response.
    pub(crate) fn handle(
        &self,
        service: Service,
        request: &Request,
        fault: Option<Fault>,
    ) -> Response {
        let State { sqs, s3, secrets_manager, rng, violations, .. } = &mut *self.state();
        if service == Service::Sqs {
            violations.extend(sqs.dangling_pointer(request, s3));
        }
        if let Some(response) = fault.and_then(|fault| error_response(service, fault, rng)) {
            return response;
        }
        match service {
            Service::Sqs => sqs.handle(request, fault),
            Service::SecretsManager => secrets_manager.handle(request, fault, rng),
            Service::S3 | Service::Archive => s3.handle(request, fault),
        }
    }

    /// A delay after which the caller may have given up.
    pub(crate) fn late_delay(&self) -> Duration {
        Duration::from_millis(self.state().rng.u64(1_700..12_000))
    }

    /// A delay in milliseconds that the caller waits for.
    pub(crate) fn slow_delay_ms(&self) -> u64 {
        self.state().rng.u64(10..1_500)
    }

    pub(crate) fn truncated_length(&self, length: usize) -> usize {
        self.state().rng.usize(1..length)
    }
}

impl State {
    fn next_fault(&mut self, service: Service) -> Option<Fault> {
        let index = SERVICES.iter().position(|known| *known == service).unwrap();
        self.plans[index].next_fault(service, &mut self.rng)
    }

    fn log(&mut self, entry: Entry) {
        self.log.push((Instant::now(), entry));
    }

    fn log_request(&mut self, service: Service, fault: Option<Fault>) {
        if service == Service::SecretsManager {
            let is_awaited = self.is_awaited();
            self.secrets_manager.record_fetch(fault, is_awaited);
        }
        self.log(Entry::Request(service, fault));
    }

    /// Sends the spilled messages to their queues, as `relayctl replay-spill` does.
    pub(crate) fn replay_spilled(&mut self, is_fifo: bool) {
        for (key, record) in &self.s3.objects {
            if let Some(rest) = key.strip_prefix("spill/") {
                let (entity, _) = rest.split_once('/').unwrap();
                let message = parse_spilled(&queue_url(entity, is_fifo), record).unwrap();
                assert!(is_valid(&message));
                self.sqs.store(message);
            }
        }
    }

    /// Sets until when callers certainly wait for responses; `None` if that is unknown.
    pub(crate) fn set_awaited_until(&mut self, until: Option<Instant>) {
        self.awaited_until = until;
    }

    /// Whether the caller certainly waits for a response at this time.
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited_until.is_some_and(|until| Instant::now() < until)
    }

    /// All injected faults.
    pub(crate) fn faults(&self) -> impl Iterator<Item = (Service, Fault)> {
        self.log.iter().filter_map(|(_, entry)| match entry {
            Entry::Request(service, fault) => Some((*service, (*fault)?)),
            Entry::Note(_) => None,
        })
    }

    /// The fault of each request to a service, optionally only of those since a time.
    pub(crate) fn requests(
        &self,
        service: Service,
        since: Option<Instant>,
    ) -> impl Iterator<Item = Option<Fault>> {
        let log = self.log.iter();
        let log = log.filter(move |(at, _)| since.is_none_or(|since| *at >= since));
        log.filter_map(move |(_, entry)| match entry {
            Entry::Request(it, fault) if *it == service => Some(*fault),
            _ => None,
        })
    }

    /// The log with one entry per line, and times since its start.
    pub(crate) fn format_log(&self) -> String {
        let start = self.log[0].0;
        let line = |(at, entry): &(Instant, Entry)| {
            let seconds = (*at - start).as_secs_f64();
            match entry {
                Entry::Note(text) => format!("{seconds:9.3} s {text}\n"),
                Entry::Request(service, None) => {
                    format!("{seconds:9.3} s     {service:?}: succeeded\n")
                }
                Entry::Request(service, Some(fault)) => {
                    format!("{seconds:9.3} s     {service:?}: {fault:?}\n")
                }
            }
        };
        self.log.iter().map(line).collect()
    }
}

/// The response to a request that the service does not perform; `None` if it performs it in spite of the fault.
fn error_response(service: Service, fault: Fault, rng: &mut Rng) -> Option<Response> {
    use Service::{Archive, S3, SecretsManager, Sqs};
    #[rustfmt::skip]
    let (status, codes): (u16, &[&str]) = match (fault, service) {
        (Fault::BadGateway, _) => return Some(Response::new(502, "text/html", "<html>bad gateway</html>")),
        (Fault::Redirect, _) => return Some(Response::new(307, "text/html", "<html>moved</html>")),
        (Fault::HtmlBody, _) => return Some(Response::new(200, "text/html", "<html>welcome</html>")),
        (Fault::EmptyBody, _) => return Some(Response::new(200, "text/plain", "")),
        (Fault::UnexpectedJson, _) => return Some(Response::new(200, "application/json", "{}")),
        (Fault::InternalError, Sqs) => (500, &["InternalFailure"]),
        (Fault::InternalError, SecretsManager) => (500, &["InternalServiceError"]),
        (Fault::InternalError, S3 | Archive) => (500, &["InternalError"]),
        (Fault::Unavailable, _) => (503, &["ServiceUnavailable"]),
        (Fault::Throttled, Sqs) => (400, &["com.amazonaws.sqs#RequestThrottled", "ThrottlingException"]),
        (Fault::Throttled, SecretsManager) => (400, &["ThrottlingException"]),
        (Fault::Throttled, S3 | Archive) => (503, &["SlowDown"]),
        (Fault::AccessDenied, Sqs | SecretsManager) => (400, &["AccessDeniedException", "AccessDenied"]),
        (Fault::AccessDenied, S3 | Archive) => (403, &["AccessDenied"]),
        (Fault::KmsError, Sqs) => (400, &["com.amazonaws.sqs#KmsThrottled", "com.amazonaws.sqs#KmsDisabled", "com.amazonaws.sqs#KmsAccessDenied"]),
        (Fault::KmsError, SecretsManager) => (400, &["DecryptionFailure"]),
        (Fault::KmsError, S3 | Archive) => (400, &["KMS.DisabledException", "KMS.ThrottlingException"]),
        (Fault::ExpiredToken, Sqs) => (403, &["ExpiredToken", "ExpiredTokenException"]),
        (Fault::ExpiredToken, SecretsManager) => (400, &["ExpiredTokenException"]),
        (Fault::ExpiredToken, S3 | Archive) => (400, &["ExpiredToken"]),
        (Fault::ResourceNotFound, Sqs) => (400, &["com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"]),
        (Fault::ResourceNotFound, SecretsManager) => (400, &["ResourceNotFoundException", "InvalidRequestException"]),
        (Fault::ResourceNotFound, S3 | Archive) => (404, &["NoSuchBucket"]),
        _ => return None,
    };
    Some(service_error(service, status, rng.choice(codes).unwrap()))
}

/// An error in the format of the service.
pub(crate) fn service_error(service: Service, status: u16, code: &str) -> Response {
    match service {
        Service::S3 | Service::Archive => {
            let body =
                format!("<Error><Code>{code}</Code><Message>injected error</Message></Error>");
            Response::new(status, "application/xml", body)
        }
        Service::Sqs | Service::SecretsManager => {
            let body = format!(r#"{{"__type":"{code}","message":"injected error"}}"#);
            Response::new(status, "application/x-amz-json-1.0", body)
        }
    }
}
