//! The program itself under a stub of Lambda's runtime API, with the faulty AWS behind real sockets, in real time.

use crate::account::{Circumstances, judge};
use crate::aws::Aws;
use crate::delivery::{self, Delivery, Due};
use crate::fault::{Fault, Service, Weather};
use crate::sequence::SLOWEST;
use crate::stack::{ENDPOINTS, aws, variables};
use crate::wire::{Answer, Stream, read, serve};
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

const PROGRAM: &str = env!("CARGO_BIN_EXE_labelbox-relay");
const DELIVERIES: usize = 2;
const PATIENCE: Duration = Duration::from_secs(20);

/// For SQS, Secrets Manager and S3.
const WEATHERS: [[Weather; 3]; 8] = {
    use Fault::*;
    use Weather::{Down, Fine, Showers};
    [
        [Fine, Fine, Fine],
        [Down(Refused), Down(Refused), Down(Refused)],
        [
            Down(HangsAfterRequest),
            Down(HangsBeforeRequest),
            Down(HangsAfterRequest),
        ],
        [Down(HangsBeforeRequest), Fine, Down(DoneAndHangs)],
        [Down(DoneAndReset), Fine, Fine],
        [Down(ChangedContent), Fine, Down(DoneAndCutOff)],
        [Fine, Down(Slow), Down(NeverConnected)],
        [Showers(70), Showers(30), Showers(50)],
    ]
};

#[tokio::test]
async fn the_program_itself_obeys_the_law() {
    let seed = fastrand::u64(..);
    let mut programs = JoinSet::new();
    for (place, weather) in WEATHERS.into_iter().enumerate() {
        programs.spawn(check(seed, place, weather));
    }
    while let Some(outcome) = programs.join_next().await {
        outcome.unwrap();
    }
}

/// Starts a program in this weather, and judges what it answers to a few events.
async fn check(seed: u64, place: usize, weather: [Weather; 3]) {
    let mut rng = Rng::with_seed(seed + place as u64);
    let is_fifo = rng.bool();
    let aws = aws(rng.fork(), is_fifo);
    aws.set_weather(weather);
    let lambda = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut program = Running::start(&aws, weather, is_fifo, &lambda).await;
    // The first is one that takes all the time there is, if need be.
    let random = std::iter::repeat_with(|| delivery::random(&mut rng, &aws.world().vault));
    let is_event = |delivery: &Delivery| matches!(delivery.due, Due::Durable(_));
    let deliveries: Vec<_> = random
        .skip_while(|delivery| !is_event(delivery))
        .take(DELIVERIES)
        .collect();
    let came_in = Instant::now();
    let cache = aws.world().vault.cache.clone();
    let answers = invoke(lambda, &deliveries).await;
    for (delivery, (answer, waited)) in deliveries.iter().zip(answers) {
        let circumstances = Circumstances {
            has_time: true,
            came_in,
            is_fifo,
            cache: cache.clone(),
        };
        let name = format!("seed {seed}, {weather:?}, {}: {answer}", delivery.name());
        let outcome = judge(&aws.world(), delivery, &circumstances, &answer);
        outcome.unwrap_or_else(|broken| panic!("{name}: {broken}"));
        assert!(waited < SLOWEST, "{name} after {waited:?}");
    }
    assert!(program.0.try_wait().unwrap().is_none(), "{weather:?}");
}

/// The program; ends with its test, well or not.
struct Running(Child);

impl Running {
    async fn start(
        aws: &Arc<Aws>,
        weather: [Weather; 3],
        is_fifo: bool,
        lambda: &TcpListener,
    ) -> Self {
        let mut command = Command::new(PROGRAM);
        command.env_clear().stdout(Stdio::null());
        command.envs(variables(is_fifo));
        for ((name, _, service), weather) in ENDPOINTS.iter().zip(weather) {
            let address = listen(aws, *service, weather).await.unwrap();
            command.env(name, format!("http://{address}"));
        }
        command.env(
            "AWS_LAMBDA_RUNTIME_API",
            lambda.local_addr().unwrap().to_string(),
        );
        command.env("AWS_LAMBDA_FUNCTION_NAME", "relay");
        command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128");
        command.env("AWS_LAMBDA_FUNCTION_VERSION", "1");
        Self(command.spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Plays a service at an address that the system picks; one that refuses has nobody there who would listen.
async fn listen(
    aws: &Arc<Aws>,
    service: Service,
    weather: Weather,
) -> io::Result<std::net::SocketAddr> {
    let socket = TcpSocket::new_v4()?;
    socket.bind("127.0.0.1:0".parse().unwrap())?;
    let address = socket.local_addr()?;
    let aws = Arc::clone(aws);
    tokio::spawn(async move {
        if matches!(weather, Weather::Down(Fault::Refused)) {
            let _held = socket;
            aws.fault_of_connection(service);
            return std::future::pending().await;
        }
        let listener = socket.listen(16).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(welcome(stream, Arc::clone(&aws), service));
        }
    });
    Ok(address)
}

async fn welcome(stream: TcpStream, aws: Arc<Aws>, service: Service) {
    match aws.fault_of_connection(service) {
        Some(Fault::Refused) => stream.reset(),
        Some(_) => std::future::pending().await,
        None => serve(stream, aws, service).await,
    }
}

impl Stream for TcpStream {
    fn reset(self) {
        // Closing then sends a reset.
        self.set_zero_linger().unwrap();
    }
}

/// Plays Lambda: hands out the events one after the other; gives each answer, and how long it took.
async fn invoke(lambda: TcpListener, deliveries: &[Delivery]) -> Vec<(Value, Duration)> {
    let (answered, mut answers) = mpsc::unbounded_channel();
    let events = deliveries.iter().rev().cloned();
    let events = Arc::new(Mutex::new(events.collect::<Vec<_>>()));
    let listening = tokio::spawn(async move {
        loop {
            let (stream, _) = lambda.accept().await.unwrap();
            tokio::spawn(play_lambda(stream, Arc::clone(&events), answered.clone()));
        }
    });
    let mut all = Vec::new();
    while all.len() < deliveries.len() {
        let answer = timeout(PATIENCE, answers.recv()).await;
        all.push(answer.unwrap().unwrap());
    }
    listening.abort();
    all
}

/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.
async fn play_lambda(
    stream: TcpStream,
    events: Arc<Mutex<Vec<Delivery>>>,
    answered: mpsc::UnboundedSender<(Value, Duration)>,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut given = Instant::now();
    loop {
        let request = read(&mut stream).await?;
        let answer = if request.path.ends_with("/invocation/next") {
            let event = events.lock().unwrap().pop();
            let Some(event) = event else {
                return std::future::pending().await;
            };
            given = Instant::now();
            invocation(&event)
        } else {
            assert!(request.path.ends_with("/response"), "{}", request.path);
            let answer = serde_json::from_slice(&request.body).unwrap();
            answered.send((answer, given.elapsed())).unwrap();
            Answer::new(202, "application/json", "{}")
        };
        stream.write_all(&answer.to_bytes()).await?;
    }
}

fn invocation(delivery: &Delivery) -> Answer {
    let deadline = SystemTime::now() + Duration::from_secs(29);
    let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let event = delivery.event.to_string();
    let mut invocation = Answer::new(200, "application/json", event);
    invocation.headers.extend([
        (
            "lambda-runtime-aws-request-id",
            delivery.draft.invocation_id.clone(),
        ),
        (
            "lambda-runtime-deadline-ms",
            deadline.as_millis().to_string(),
        ),
        ("lambda-runtime-invoked-function-arn", "arn".to_owned()),
    ]);
    invocation
}
