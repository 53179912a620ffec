//! How `peek` prints messages: which of them, and how much of each.

mod render;

use crate::aws::Clients;
use crate::aws::message::ReceivedMessage;
use crate::aws::payload;
use crate::aws::queue::{Queue, QueueStats};
use crate::error::Error;
use crate::filter::Filter;
use crate::output::Output;
use render::{Extent, MessageView};

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
        received: ReceivedMessage,
        queue: &Queue<'_>,
        stats: QueueStats,
        clients: &Clients,
        output: &Output,
    ) -> Result<(), Error> {
        let extent = self.extent(output);
        let enough = match extent {
            Extent::Line(width) => Some(width * BYTES_OF_A_CHARACTER),
            Extent::Full => None,
        };
        let content = payload::content(clients, &received.message, enough).await;
        output.show(&MessageView::new(received, content, queue, stats, extent))
    }

    fn extent(&self, output: &Output) -> Extent {
        if self.full || output.is_json {
            return Extent::Full;
        }
        let width = output.width().unwrap_or(USUAL_WIDTH);
        Extent::Line(width.saturating_sub(MARGIN))
    }
}
