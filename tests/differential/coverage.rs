//! Counts what the cases cover, because a test without rare cases proves little.

use crate::case::{Case, EventSummary};
use std::collections::BTreeMap;
use std::fmt;

/// How often each feature occurred.
#[derive(Default)]
pub(crate) struct Coverage {
    pub(crate) cases: u64,
    counts: BTreeMap<String, u64>,
}

/// Each feature, and the least number of cases in a thousand that must have it.
const MIN_PER_THOUSAND: [(&str, u64); 32] = [
    ("accepted", 500),
    ("rejected", 200),
    ("accepted with a mutated signature", 2),
    ("entity label", 100),
    ("entity review", 50),
    ("entity workflow", 50),
    ("entity model_run", 50),
    ("reason unknown_topic", 25),
    ("reason no_topic", 2),
    ("reason unreadable", 40),
    ("entity_id from id", 100),
    ("entity_id from data_row.id", 20),
    ("entity_id from dataRow.id", 4),
    ("entity_id from label.id", 4),
    ("entity_id from modelRunId", 20),
    ("entity_id absent", 100),
    ("project_id from project.id", 100),
    ("project_id from projects", 20),
    ("project_id absent", 100),
    ("occurred_at from updatedAt", 100),
    ("occurred_at from createdAt", 30),
    ("occurred_at from data_row.details.last_activity_at", 8),
    ("occurred_at from projects", 20),
    ("occurred_at absent", 100),
    ("discriminator absent", 50),
    ("discriminator from delivery_id", 100),
    ("discriminator from request_id", 80),
    ("group_id is the entity id", 200),
    ("group_id is the hash of the entity id", 10),
    ("group_id is the deduplication id", 100),
    ("body not UTF-8", 2),
    ("readable body with a byte order mark", 8),
];

/// The same for each mutation of a signature.
const MIN_MUTATION_PER_THOUSAND: u64 = 5;
const MUTATIONS: usize = 18;

impl Coverage {
    pub(crate) fn add(&mut self, case: &Case) {
        self.cases += 1;
        let is_mutated = case.mutation != "none";
        if is_mutated {
            self.count(format!("mutation: {}", case.mutation));
        }
        let body = case.body();
        if std::str::from_utf8(&body).is_err() {
            self.count("body not UTF-8");
        }
        let Some(event) = &case.event else {
            return self.count("rejected");
        };
        self.count("accepted");
        if body.starts_with("\u{feff}".as_bytes()) && event.reason.is_none() {
            self.count("readable body with a byte order mark");
        }
        for (name, source) in &case.sources {
            self.count(match source {
                Some(source) => format!("{name} from {source}"),
                None => format!("{name} absent"),
            });
        }
        if is_mutated {
            self.count("accepted with a mutated signature");
        }
        self.add_event(event);
    }

    fn add_event(&mut self, event: &EventSummary) {
        self.count(format!("entity {}", event.entity));
        if let Some(reason) = &event.reason {
            self.count(format!("reason {reason}"));
        }
        self.count(match &event.entity_id {
            None => "group_id is the deduplication id",
            Some(id) if *id == event.group_id => "group_id is the entity id",
            Some(_) => "group_id is the hash of the entity id",
        });
    }

    fn count(&mut self, feature: impl Into<String>) {
        *self.counts.entry(feature.into()).or_default() += 1;
    }

    /// The features that occurred too rarely.
    pub(crate) fn too_low(&self) -> Vec<String> {
        let names = self.counts.keys().map(String::as_str);
        let mutations: Vec<_> = names
            .filter(|name| name.starts_with("mutation: "))
            .map(|name| (name, MIN_MUTATION_PER_THOUSAND))
            .collect();
        let mut too_low: Vec<_> = MIN_PER_THOUSAND
            .iter()
            .chain(&mutations)
            .filter(|(name, min)| self.counts.get(*name).unwrap_or(&0) * 1000 < min * self.cases)
            .map(|(name, min)| format!("{name}: less than {min} of 1000 cases"))
            .collect();
        if mutations.len() < MUTATIONS {
            too_low.push(format!("{} of {MUTATIONS} mutations", mutations.len()));
        }
        too_low
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in &self.counts {
            writeln!(f, "{count:>7}  {name}")?;
        }
        write!(f, "{:>7}  cases, no difference", self.cases)
    }
}
