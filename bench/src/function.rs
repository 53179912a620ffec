//! One program as Lambda runs it: started with a function's environment, watched from outside.

use crate::lambda::Lambda;
use crate::services::{Host, Service, Services};
use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A program that is measured: what Lambda calls a bootstrap.
pub(crate) struct Program {
    pub(crate) name: String,
    path: PathBuf,
}

/// The size in bytes of a program and of its deployment package.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) program: usize,
    pub(crate) package: usize,
}

/// A running program.
pub(crate) struct Function {
    child: Child,
    clock: ClockId,
    log: Option<JoinHandle<usize>>,
    /// When it was started.
    pub(crate) started: Instant,
    pub(crate) lambda: Lambda,
}

/// One core for the programs, and another for the harness with the services.
pub(crate) struct Pinning {
    harness: CpuSet,
    program: CpuSet,
}

impl Pinning {
    /// Takes the first and the last core that this thread may use, and keeps it on the first. `None` if there is only one.
    pub(crate) fn of_this_thread() -> Result<Option<Self>> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let mut cores = (0..CpuSet::count()).filter(|core| allowed.is_set(*core) == Ok(true));
        let (Some(first), Some(last)) = (cores.next(), cores.next_back()) else {
            return Ok(None);
        };
        let (mut harness, mut program) = (CpuSet::new(), CpuSet::new());
        harness.set(first)?;
        program.set(last)?;
        sched_setaffinity(Pid::from_raw(0), &harness)?;
        Ok(Some(Self { harness, program }))
    }
}

impl Program {
    pub(crate) fn new(name: &str, path: &Path) -> Result<Self> {
        let path = path.canonicalize().with_context(|| format!("{name} is missing"))?;
        Ok(Self { name: name.to_owned(), path })
    }

    /// `None` if it is a script, whose runtime Lambda has.
    pub(crate) fn sizes(&self) -> Result<Option<Sizes>> {
        let program = std::fs::read(&self.path)?;
        if program.starts_with(b"#!") {
            return Ok(None);
        }
        let mut package = ZipWriter::new(Cursor::new(Vec::new()));
        package.start_file("bootstrap", SimpleFileOptions::default())?;
        package.write_all(&program)?;
        let package = package.finish()?.into_inner().len();
        Ok(Some(Sizes { program: program.len(), package }))
    }

    /// The command that runs it in the environment of a function.
    fn command(&self, lambda: &Lambda, services: &Services, host: Host) -> Command {
        let mut command = Command::new(&self.path);
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", &lambda.address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "relay")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/relay")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/23/[$LATEST]1")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
            .env("AWS_SESSION_TOKEN", "t".repeat(800))
            .env("AWS_CA_BUNDLE", services.ca_bundle())
            .env("SSL_CERT_FILE", services.ca_bundle())
            .env("NODE_EXTRA_CA_CERTS", services.ca_bundle())
            .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", services.url(Service::SecretsManager, host))
            .env("AWS_ENDPOINT_URL_SQS", services.url(Service::Sqs, host))
            .env("AWS_ENDPOINT_URL_S3", services.url(Service::S3, host))
            .env("SECRET_ARN", "arn:aws:secretsmanager:us-east-1:123456789012:secret:relay-AbCdEf")
            .env("PAYLOAD_BUCKET", "relay-payloads");
        for entity in ["LABEL", "WORKFLOW", "REVIEW", "MODEL_RUN", "UNROUTED"] {
            let name = entity.to_lowercase();
            let url = format!("https://sqs.us-east-1.amazonaws.com/123456789012/{name}.fifo");
            command.env(format!("{entity}_QUEUE_URL"), url);
        }
        command
    }

    /// Starts it.
    pub(crate) fn start(
        &self,
        lambda: Lambda,
        services: &Services,
        host: Host,
        pinning: Option<&Pinning>,
    ) -> Result<Function> {
        let mut command = self.command(&lambda, services, host);
        command.stdout(Stdio::piped()).stderr(Stdio::inherit());
        let this_thread = Pid::from_raw(0);
        if let Some(pinning) = pinning {
            sched_setaffinity(this_thread, &pinning.program)?;
        }
        let started = Instant::now();
        let spawned = command.spawn();
        if let Some(pinning) = pinning {
            sched_setaffinity(this_thread, &pinning.harness)?;
        }
        let mut child = spawned.with_context(|| format!("{} does not start", self.name))?;
        let output = child.stdout.take().context("no output to read")?;
        let clock = clock_getcpuclockid(Pid::from_raw(child.id().try_into()?))?;
        Ok(Function {
            child,
            clock,
            log: Some(std::thread::spawn(|| BufReader::new(output).lines().count())),
            started,
            lambda,
        })
    }
}

impl Function {
    /// The CPU time of all its threads so far, in the kernel, too.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let spent = self.clock.now()?.num_nanoseconds();
        Ok(Duration::from_nanos(spent.try_into()?))
    }

    /// The most memory that it has had resident, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        Ok(kib.context("the kernel does not say")?.parse::<usize>()? * 1024)
    }

    /// Ends it. Returns how many lines it has logged.
    pub(crate) fn end(mut self) -> Result<usize> {
        self.child.kill()?;
        self.child.wait()?;
        let log = self.log.take().context("nobody read the log")?;
        log.join().map_err(|_| anyhow::anyhow!("the log was not read"))
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // Ended already, where all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
