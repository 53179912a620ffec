//! How `tail` and `peek` print messages: which of them, and how much of each.

use crate::aws::Clients;
use crate::filter::Filter;
use crate::live_queue::{LiveQueue, Standing};
use crate::payload;
use crate::printer::Printer;
use crate::received::Received;
use crate::shown::{Extent, Shown};
use crate::trouble::Trouble;

/// What a line has where it does not go to a terminal.
const USUAL_WIDTH: usize = 200;
const MARGIN: usize = 2;
/// A character has up to four bytes, and what is laid out in lines has white space that is not shown.
const BYTES_OF_A_CHARACTER: usize = 16;

/// How messages are printed.
#[derive(Debug, clap::Args)]
pub struct View {
    /// Print the whole body of each message, and not just a line of it; --json always has it whole
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    pub filter: Filter,
}

impl View {
    /// Prints a message, with what its pointer leads to.
    pub async fn print(
        &self,
        received: Received,
        queue: &LiveQueue<'_>,
        standing: Standing,
        clients: &Clients,
        printer: Printer,
    ) -> Result<(), Trouble> {
        let extent = self.extent(printer);
        let enough = match extent {
            Extent::Line(width) => Some(width * BYTES_OF_A_CHARACTER),
            Extent::Full => None,
        };
        let content = payload::content(clients, &received.letter, enough).await;
        printer.show(&Shown::new(received, content, queue, standing, extent))
    }

    fn extent(&self, printer: Printer) -> Extent {
        if self.full || printer.is_json {
            return Extent::Full;
        }
        let width = printer.width().unwrap_or(USUAL_WIDTH);
        Extent::Line(width.saturating_sub(MARGIN))
    }
}
