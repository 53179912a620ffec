//! What the commands share that look into the archive.

use crate::aws::Clients;
use crate::aws::archive::{Archive, ArchivedEvent};
use crate::aws::stack::{Entity, Stack};
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::filter::Filter;
use crate::sanitize::one_line;
use crate::summary::Kept;
use futures_util::TryStreamExt;
use std::ops::ControlFlow;
use std::pin::pin;

/// Passes on the archived events that match, oldest first, until one breaks off, and warns of objects that are no events. Returns
/// how many objects it has looked at.
pub async fn look_into_archive(
    context: &Context,
    (clients, stack): (&Clients, &Stack),
    entities: &[Entity],
    filter: &Filter,
    mut each: impl AsyncFnMut(ArchivedEvent) -> Result<ControlFlow<()>, Error>,
) -> Result<(u64, ExitStatus), Error> {
    let now = context.now();
    let archive = Archive::new(clients, stack, entities, &filter.window(now)?)?;
    let mut events = pin!(archive.events(|id| filter.matches_id(id)));
    let (mut found, mut status) = (0, ExitStatus::Success);
    while let Some(event) = context.interrupt.cancels(events.try_next()).await? {
        found += 1;
        match event {
            Err(Kept { message, reason }) => {
                status = ExitStatus::Incomplete;
                context.output.warn(one_line(&format!("{message}: {reason}")));
            }
            Ok(event) if filter.matches(&event.message, now) => {
                if each(event).await?.is_break() {
                    break;
                }
            }
            Ok(_) => {}
        }
    }
    if found == 0 {
        stack.archive_days()?;
    }
    Ok((found, status))
}
