//! What every command works with: where the relay is, what is printed, whether Ctrl-C was pressed.

use crate::aws::Clients;
use crate::command::Place;
use crate::interrupt::Interrupt;
use crate::printer::Printer;
use crate::stack::Stack;
use crate::trouble::Trouble;
use time::OffsetDateTime;

/// One run of the tool.
pub struct Session<'s> {
    pub place: &'s Place,
    /// Whether S3 alone is at an address of the user's own.
    pub own_s3: bool,
    /// When it was started.
    pub now: OffsetDateTime,
    pub printer: Printer,
    pub interrupt: Interrupt,
}

impl Session<'_> {
    /// Connects to AWS, and finds the stack there.
    pub async fn find_stack(&self) -> Result<(Clients, Stack), Trouble> {
        let clients = Clients::connect(self.place, self.own_s3).await?;
        let stack = Stack::find(&clients, &self.place.stack).await?;
        Ok((clients, stack))
    }
}
