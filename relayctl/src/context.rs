//! What every command works with.

use crate::aws::stack::Stack;
use crate::aws::{Clients, Environment, profile};
use crate::cli::GlobalArgs;
use crate::error::Error;
use crate::http;
use crate::interrupt::Interrupt;
use crate::labelbox::{ApiKey, Labelbox};
use crate::output::{Output, Target};
use std::time::SystemTime;
use time::OffsetDateTime;

/// One run of the tool.
pub struct Context {
    pub args: GlobalArgs,
    pub environment: Environment,
    /// The user's key for Labelbox, from the environment.
    pub api_key: Option<ApiKey>,
    /// `LABELBOX_API_URL`.
    pub api_url: Option<String>,
    pub output: Output,
    pub interrupt: Interrupt,
    pub clock: fn() -> SystemTime,
}

impl Context {
    pub fn now(&self) -> OffsetDateTime {
        (self.clock)().into()
    }

    /// The certificate authorities that the environment or the AWS profile names.
    async fn ca_bundle(&self) -> Result<Option<Vec<u8>>, Error> {
        let option = self.args.profile.as_deref();
        let of_profile = profile::check(option, &self.environment).await?;
        let path = self.environment.ca_bundle.as_ref().or(of_profile.as_ref());
        path.map(|path| http::read_ca_bundle(path)).transpose()
    }

    /// Connects to Labelbox with this key.
    pub async fn labelbox(&self, key: &ApiKey, url: Option<&str>) -> Result<Labelbox, Error> {
        let url = url.or(self.api_url.as_deref()).unwrap_or(Labelbox::URL);
        let http = http::client(self.ca_bundle().await?.as_deref())?;
        Ok(Labelbox::new(http, url, key)?)
    }

    pub async fn connect(&self) -> Result<Clients, Error> {
        let ca_bundle = self.ca_bundle().await?;
        Clients::connect(&self.args, &self.environment, ca_bundle.as_deref()).await
    }

    /// Connects to AWS and finds the stack.
    pub async fn find_stack(&self) -> Result<(Clients, Stack), Error> {
        let clients = self.connect().await?;
        let stack = Stack::find(&clients, self.args.stack()).await?;
        self.output.set_target(Target {
            account: stack.account().to_owned(),
            region: clients.region.clone(),
            stack: stack.name.clone(),
        });
        Ok((clients, stack))
    }

    /// The same for a command that changes something unless it is a dry run.
    pub async fn find_stack_for(&self, is_dry_run: bool) -> Result<(Clients, Stack), Error> {
        if is_dry_run { self.find_stack().await } else { self.find_stack_to_change().await }
    }

    /// The same for a command that changes something: first it prints which account, region and stack it is about.
    pub async fn find_stack_to_change(&self) -> Result<(Clients, Stack), Error> {
        let found = self.find_stack().await?;
        self.output.announce_target();
        Ok(found)
    }
}
