//! What the cases were: a judge whose cases are all alike is worth nothing.

use crate::case::{Case, Said};
use std::collections::BTreeMap;
use std::fmt;

/// How often what was met.
#[derive(Default)]
pub(crate) struct Mix {
    pub(crate) cases: u64,
    met: BTreeMap<String, u64>,
}

/// What must be met, and in at least how many cases of a thousand.
const SHARES: [(&str, u64); 32] = [
    ("accepted", 500),
    ("refused", 200),
    ("accepted in spite of what was done to it", 2),
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
    ("entity_id from nothing", 100),
    ("project_id from project.id", 100),
    ("project_id from projects", 20),
    ("project_id from nothing", 100),
    ("occurred_at from updatedAt", 100),
    ("occurred_at from createdAt", 30),
    ("occurred_at from data_row.details.last_activity_at", 8),
    ("occurred_at from projects", 20),
    ("occurred_at from nothing", 100),
    ("discriminator from nothing", 50),
    ("discriminator from delivery_id", 100),
    ("discriminator from request_id", 80),
    ("group is the entity", 200),
    ("group is the entity's hash", 10),
    ("group is the event", 100),
    ("body is no text", 2),
    ("read after a byte order mark", 8),
];

/// In how many cases of a thousand each kind of near miss must be.
const MISS_SHARE: u64 = 5;
const MISSES: usize = 18;

impl Mix {
    pub(crate) fn add(&mut self, case: &Case) {
        self.cases += 1;
        let done = case.done != "nothing";
        if done {
            self.count(format!("miss: {}", case.done));
        }
        let body = case.body();
        if std::str::from_utf8(&body).is_err() {
            self.count("body is no text");
        }
        let Some(event) = &case.event else {
            return self.count("refused");
        };
        self.count("accepted");
        if body.starts_with("\u{feff}".as_bytes()) && event.reason.is_none() {
            self.count("read after a byte order mark");
        }
        for (name, source) in &case.sources {
            self.count(format!(
                "{name} from {}",
                source.as_deref().unwrap_or("nothing")
            ));
        }
        if done {
            self.count("accepted in spite of what was done to it");
        }
        self.add_event(event);
    }

    fn add_event(&mut self, event: &Said) {
        self.count(format!("entity {}", event.entity));
        if let Some(reason) = &event.reason {
            self.count(format!("reason {reason}"));
        }
        self.count(match &event.entity_id {
            None => "group is the event",
            Some(id) if *id == event.group_id => "group is the entity",
            Some(_) => "group is the entity's hash",
        });
    }

    fn count(&mut self, name: impl Into<String>) {
        *self.met.entry(name.into()).or_default() += 1;
    }

    /// What was met less often than it must be.
    pub(crate) fn rare(&self) -> Vec<String> {
        let misses = self.met.keys().filter(|name| name.starts_with("miss: "));
        let misses: Vec<_> = misses.map(|name| (name.as_str(), MISS_SHARE)).collect();
        let mut rare: Vec<_> = SHARES
            .iter()
            .chain(&misses)
            .filter(|(name, share)| self.met.get(*name).unwrap_or(&0) * 1000 < share * self.cases)
            .map(|(name, share)| format!("{name} in less than {share} of 1000 cases"))
            .collect();
        if misses.len() < MISSES {
            rare.push(format!("{} of {MISSES} kinds of near miss", misses.len()));
        }
        rare
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, times) in &self.met {
            writeln!(f, "{times:>7}  {name}")?;
        }
        write!(f, "{:>7}  cases, and no disagreement", self.cases)
    }
}
