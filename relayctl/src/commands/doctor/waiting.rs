//! What waits for somebody: dead letters, and messages in the bucket. What waits for consumers is only said.

use super::Visit;
use super::finding::Finding;
use super::mend;
use super::question::LIMIT;
use crate::commands::count::{self, Counted};
use crate::aws::stack::Entity;
use clap::ValueEnum;
use futures_util::future::join_all;
use tokio::time::timeout;

/// Counts, and judges.
pub async fn look(visit: &Visit<'_>) -> Vec<Finding> {
    let counted =
        async |entity: &Entity| count::count_queue(*entity, visit.clients, visit.stack).await;
    let queues = join_all(Entity::value_variants().iter().map(counted));
    let Ok(queues) = timeout(LIMIT, queues).await else {
        let says = "could not be counted in time";
        return vec![Finding::not_checked("messages", says, mend::relayctl(visit.stack, "count"))];
    };
    let mut findings = Vec::new();
    let mut known = Vec::new();
    for queue in queues {
        match queue {
            Ok(queue) => known.push(queue),
            Err(error) => findings.push(Finding::of_trouble("messages", &error)),
        }
    }
    let spilled = count::count_spilled(&mut known, visit.clients, visit.stack);
    match timeout(LIMIT, spilled).await {
        Ok(Ok(foreign)) => findings.extend(judge_foreign(foreign)),
        Ok(Err(error)) => findings.push(Finding::of_trouble("spilled", &error)),
        Err(_) => findings.push(Finding::not_checked(
            "spilled",
            "could not be counted in time",
            mend::relayctl(visit.stack, "count"),
        )),
    }
    findings.extend(known.iter().flat_map(|queue| judge(queue, visit)));
    findings
}

fn judge_foreign(count: u64) -> Option<Finding> {
    let says = format!("{count} objects under spill/ are no spilled messages");
    let mend = "relayctl replay-spill --dry-run names them";
    (count > 0).then(|| Finding::warning("spilled", says, mend))
}

fn judge(queue: &Counted, visit: &Visit<'_>) -> Vec<Finding> {
    let name = queue.queue.unwrap_or_default();
    let Counted { waiting, in_flight, dead_letters, spilled, .. } = queue;
    let mut findings = Vec::new();
    if *dead_letters > 0 {
        let says = format!("{}: consumers failed five times with each", letters(*dead_letters));
        let look = mend::relayctl(visit.stack, &format!("peek {name} --dead-letters"));
        let redrive = mend::relayctl(visit.stack, &format!("redrive {name}"));
        let mend = format!("{look} shows some; mend the consumer, then {redrive}");
        findings.push(Finding::problem(format!("{name} dead letters"), says, mend));
    }
    if *spilled > 0 {
        let says = format!("{spilled} in the bucket, because the queue did not take them");
        let mend = mend::relayctl(visit.stack, &format!("replay-spill --entity {name}"));
        findings.push(Finding::problem(format!("{name} spilled"), says, mend));
    }
    if findings.is_empty() {
        let says = format!("{waiting} waiting, {in_flight} in hand, no dead letter, none spilled");
        findings.push(Finding::ok(format!("{name} events"), says));
    }
    findings
}

fn letters(count: u64) -> String {
    match count {
        1 => "1 dead letter".to_owned(),
        count => format!("{count} dead letters"),
    }
}
