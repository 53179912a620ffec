//! What every command works with.

use crate::aws::stack::Stack;
use crate::aws::{Clients, Environment, profile};
use crate::cli::GlobalArgs;
use crate::error::Error;
use crate::http::{self, Trust};
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

    /// Which certificate authorities to trust, by the environment and the AWS profile.
    pub async fn trust(&self) -> Result<Trust, Error> {
        let option = self.args.profile.as_deref();
        let of_profile = profile::check(option, &self.environment).await?;
        let path = self.environment.ca_bundle.as_ref().or(of_profile.as_ref());
        Trust::read(path.map(String::as_str))
    }

    /// Connects to Labelbox with this key.
    pub async fn labelbox(&self, key: &ApiKey) -> Result<Labelbox, Error> {
        let url = self.api_url.as_deref().unwrap_or(Labelbox::URL);
        Ok(Labelbox::new(http::client(&self.trust().await?)?, url, key)?)
    }

    pub async fn connect(&self) -> Result<Clients, Error> {
        let trust = self.trust().await?;
        Clients::connect(&self.args, &self.environment, &trust).await
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

    /// The same for a command that changes something: first it prints which account, region and stack it is about.
    pub async fn find_stack_to_change(&self) -> Result<(Clients, Stack), Error> {
        let found = self.find_stack().await?;
        self.output.announce_target();
        Ok(found)
    }
}
