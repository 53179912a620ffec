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
const SHARES: [(&str, u64); 22] = [
    ("accepted", 500),
    ("refused", 200),
    ("accepted in spite of what was done to it", 2),
    ("entity label", 100),
    ("entity review", 50),
    ("entity workflow", 50),
    ("entity model_run", 50),
    ("reason unknown_topic", 50),
    ("reason no_topic", 2),
    ("reason unreadable", 40),
    ("with topic", 400),
    ("without topic", 2),
    ("with entity_id", 250),
    ("without entity_id", 100),
    ("with project_id", 200),
    ("without project_id", 100),
    ("with occurred_at", 250),
    ("without occurred_at", 100),
    ("group is the entity", 200),
    ("group is the entity's hash", 10),
    ("group is the event", 100),
    ("body is no text", 2),
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
        if std::str::from_utf8(&case.body()).is_err() {
            self.count("body is no text");
        }
        let Some(event) = &case.event else {
            return self.count("refused");
        };
        self.count("accepted");
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
        for (name, value) in [
            ("topic", &event.topic),
            ("entity_id", &event.entity_id),
            ("project_id", &event.project_id),
            ("occurred_at", &event.occurred_at),
        ] {
            let with = if value.is_some() { "with" } else { "without" };
            self.count(format!("{with} {name}"));
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
