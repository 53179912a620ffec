//! Runs the function's binary with a stub of the Lambda runtime API and the fake AWS, over real sockets and in real time.

use crate::aws::FakeAws;
use crate::delivery::{self, Delivery, Expected};
use crate::fault::{Fault, FaultPlan, FaultPlans, Service};
use crate::fixture::{ENDPOINTS, environment, fake_aws};
use crate::http::{Response, Stream, read_request, serve};
use crate::invariants::{Arrival, check, check_archived};
use crate::sequence::MAX_RESPONSE_TIME;
use fastrand::Rng;
use serde_json::Value;
use std::io;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

const BINARY: &str = env!("CARGO_BIN_EXE_labelbox-relay");
const DELIVERIES: usize = 2;
/// A binary without a response after this time counts as hung.
const HANG: Duration = Duration::from_secs(20);

/// Fault plans for SQS, Secrets Manager, S3 and the archive.
const PLANS: [FaultPlans; 9] = {
    use Fault::*;
    use FaultPlan::{Always, Healthy, Random};
    [
        [Healthy, Healthy, Healthy, Healthy],
        [Always(ConnectionRefused), Always(ConnectionRefused), Always(ConnectionRefused), Healthy],
        [
            Always(HangsAfterRequest),
            Always(HangsBeforeRequest),
            Always(HangsAfterRequest),
            Always(HangsAfterRequest),
        ],
        [Always(HangsBeforeRequest), Healthy, Always(AppliedThenHangs), Healthy],
        [Always(AppliedThenReset), Healthy, Healthy, Always(AccessDenied)],
        [Always(CorruptedBody), Healthy, Always(AppliedThenTruncated), Always(CorruptedBody)],
        [Healthy, Always(Slow), Always(ConnectHangs), Healthy],
        [Healthy, Healthy, Healthy, Always(HangsAfterRequest)],
        [Random(70), Random(30), Random(50), Random(50)],
    ]
};

#[tokio::test]
async fn binary_upholds_the_invariants() {
    let seed = fastrand::u64(..);
    let mut tasks = JoinSet::new();
    for (index, plans) in PLANS.into_iter().enumerate() {
        tasks.spawn(run(seed, index, plans));
    }
    while let Some(result) = tasks.join_next().await {
        result.unwrap();
    }
}

/// Starts a binary, delivers a few events, and checks the responses.
async fn run(seed: u64, index: usize, plans: FaultPlans) {
    let mut rng = Rng::with_seed(seed + index as u64);
    let is_fifo = rng.bool();
    let aws = fake_aws(rng.fork(), is_fifo);
    aws.set_fault_plans(plans);
    let lambda = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut process = Process::start(&aws, plans, is_fifo, &lambda).await;
    // Start with an event, because only events use every service.
    let random =
        std::iter::repeat_with(|| delivery::random(&mut rng, &aws.state().secrets_manager));
    let is_event = |delivery: &Delivery| matches!(delivery.expected, Expected::Message(_));
    let deliveries: Vec<_> =
        random.skip_while(|delivery| !is_event(delivery)).take(DELIVERIES).collect();
    let started_at = Instant::now();
    let cache = aws.state().secrets_manager.cache.clone();
    let invoked_at = SystemTime::now();
    let responses = invoke(lambda, &deliveries).await;
    let times = invoked_at..=SystemTime::now();
    for (delivery, (response, duration)) in deliveries.iter().zip(responses) {
        let arrival =
            Arrival { at: started_at, has_enough_time: true, is_fifo, cache: cache.clone() };
        let name = format!("seed {seed}, {plans:?}, {}: {response}", delivery.name());
        let outcome = check(&aws.state(), delivery, &arrival, &response);
        let outcome = outcome.unwrap_or_else(|violation| panic!("{name}: {violation}"));
        assert!(duration < MAX_RESPONSE_TIME, "{name} after {duration:?}");
        let [_, _, FaultPlan::Healthy, FaultPlan::Healthy] = plans else { continue };
        if let (true, Expected::Message(message)) = (outcome.is_acknowledged(), &delivery.expected)
        {
            let archived = check_archived(&aws.state(), message, is_fifo, &times);
            archived.unwrap_or_else(|violation| panic!("{name}: {violation}"));
        }
    }
    assert!(process.0.try_wait().unwrap().is_none(), "{plans:?}");
}

/// The running binary; killed on drop.
struct Process(Child);

impl Process {
    async fn start(
        aws: &Arc<FakeAws>,
        plans: FaultPlans,
        is_fifo: bool,
        lambda: &TcpListener,
    ) -> Self {
        let mut command = Command::new(BINARY);
        command.env_clear().stdout(Stdio::null());
        command.envs(environment(is_fifo, true));
        for ((name, _, service), plan) in ENDPOINTS.iter().zip(plans) {
            let address = listen(aws, *service, plan).await.unwrap();
            command.env(name, format!("http://{address}"));
        }
        command.env("AWS_LAMBDA_RUNTIME_API", lambda.local_addr().unwrap().to_string());
        command.env("AWS_LAMBDA_FUNCTION_NAME", "relay");
        command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128");
        command.env("AWS_LAMBDA_FUNCTION_VERSION", "1");
        Self(command.spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Serves a service on a port that the system picks. If the service refuses connections, the port is bound without a
/// listener.
async fn listen(
    aws: &Arc<FakeAws>,
    service: Service,
    plan: FaultPlan,
) -> io::Result<std::net::SocketAddr> {
    let socket = TcpSocket::new_v4()?;
    socket.bind("127.0.0.1:0".parse().unwrap())?;
    let address = socket.local_addr()?;
    let aws = Arc::clone(aws);
    tokio::spawn(async move {
        if matches!(plan, FaultPlan::Always(Fault::ConnectionRefused)) {
            let _bound = socket;
            aws.fault_of_connection(service);
            return std::future::pending().await;
        }
        let listener = socket.listen(16).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(accept(stream, Arc::clone(&aws), service));
        }
    });
    Ok(address)
}

async fn accept(stream: TcpStream, aws: Arc<FakeAws>, service: Service) {
    match aws.fault_of_connection(service) {
        Some(Fault::ConnectionRefused) => stream.reset(),
        Some(_) => std::future::pending().await,
        None => serve(stream, aws, service).await,
    }
}

impl Stream for TcpStream {
    fn reset(self) {
        // With zero linger, closing sends a reset.
        self.set_zero_linger().unwrap();
    }
}

/// Delivers the events one after the other as Lambda does. Returns each response with its duration.
async fn invoke(lambda: TcpListener, deliveries: &[Delivery]) -> Vec<(Value, Duration)> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let pending = deliveries.iter().rev().cloned();
    let pending = Arc::new(Mutex::new(pending.collect::<Vec<_>>()));
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = lambda.accept().await.unwrap();
            tokio::spawn(serve_lambda(stream, Arc::clone(&pending), sender.clone()));
        }
    });
    let mut responses = Vec::new();
    while responses.len() < deliveries.len() {
        let response = timeout(HANG, receiver.recv()).await;
        responses.push(response.unwrap().unwrap());
    }
    server.abort();
    responses
}

/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.
async fn serve_lambda(
    stream: TcpStream,
    pending: Arc<Mutex<Vec<Delivery>>>,
    responses: mpsc::UnboundedSender<(Value, Duration)>,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut invoked_at = Instant::now();
    loop {
        let request = read_request(&mut stream).await?;
        let response = if request.path.ends_with("/invocation/next") {
            let delivery = pending.lock().unwrap().pop();
            let Some(delivery) = delivery else {
                return std::future::pending().await;
            };
            invoked_at = Instant::now();
            invocation(&delivery)
        } else {
            assert!(request.path.ends_with("/response"), "{}", request.path);
            let response = serde_json::from_slice(&request.body).unwrap();
            responses.send((response, invoked_at.elapsed())).unwrap();
            Response::new(202, "application/json", "{}")
        };
        stream.write_all(&response.to_bytes()).await?;
    }
}

fn invocation(delivery: &Delivery) -> Response {
    let deadline = SystemTime::now() + Duration::from_secs(29);
    let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let event = delivery.event.to_string();
    let mut invocation = Response::new(200, "application/json", event);
    invocation.headers.extend([
        ("lambda-runtime-aws-request-id", delivery.builder.request_id.clone()),
        ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
        ("lambda-runtime-invoked-function-arn", "arn".to_owned()),
    ]);
    invocation
}
