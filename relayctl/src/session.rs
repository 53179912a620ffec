//! What every command works with: where the relay is, what is printed, whether Ctrl-C was pressed.

use crate::aws::Clients;
use crate::command::Place;
use crate::interrupt::Interrupt;
use crate::printer::Printer;
use crate::stack::Stack;
use crate::trouble::Trouble;
use crate::webhook::ApiKey;
use std::time::SystemTime;
use time::OffsetDateTime;

/// One run of the tool.
pub struct Session<'s> {
    pub place: &'s Place,
    /// Whether S3 alone is at an address of the user's own.
    pub own_s3: bool,
    /// What Labelbox knows the user by, from the environment.
    pub api_key: Option<ApiKey>,
    pub printer: Printer,
    pub interrupt: Interrupt,
    pub clock: fn() -> SystemTime,
}

impl Session<'_> {
    pub fn now(&self) -> OffsetDateTime {
        (self.clock)().into()
    }

    /// Connects to AWS, and finds the stack there.
    pub async fn find_stack(&self) -> Result<(Clients, Stack), Trouble> {
        let clients = Clients::connect(self.place, self.own_s3).await?;
        let stack = Stack::find(&clients, &self.place.stack).await?;
        Ok((clients, stack))
    }
}
