//! One program as Lambda runs it: started with a function's environment, watched from outside.

use crate::lambda::Lambda;
use crate::services::{Host, Service, Services};
use anyhow::{Context, Result};
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

/// A program that is measured.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
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

impl Program {
    pub(crate) fn new(name: &'static str, path: &Path) -> Result<Self> {
        let path = path.canonicalize();
        Ok(Self { name, path: path.with_context(|| format!("the {name} is missing"))? })
    }

    /// Its size in bytes, and that of its deployment package.
    pub(crate) fn sizes(&self) -> Result<(usize, usize)> {
        let program = std::fs::read(&self.path)?;
        let mut package = ZipWriter::new(Cursor::new(Vec::new()));
        package.start_file("bootstrap", SimpleFileOptions::default())?;
        package.write_all(&program)?;
        Ok((program.len(), package.finish()?.into_inner().len()))
    }

    /// The command that runs it in the environment of a function.
    pub(crate) fn command(
        &self,
        tool: &[&str],
        lambda: &Lambda,
        services: &Services,
        host: Host,
    ) -> Command {
        let mut words = tool.iter().map(Into::into).chain([self.path.clone()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command
            .args(words)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", &lambda.address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "relay")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/relay")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/23/[$LATEST]1")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
            .env("AWS_SESSION_TOKEN", "t".repeat(800))
            .env("AWS_CA_BUNDLE", services.ca_bundle())
            .env("SSL_CERT_FILE", services.ca_bundle())
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
    ) -> Result<Function> {
        let mut command = self.command(&[], &lambda, services, host);
        command.stdout(Stdio::piped()).stderr(Stdio::inherit());
        let started = Instant::now();
        let mut child = command.spawn()?;
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
