//! What many sequences came to.

use crate::fault::{Fault, SERVICES, Service};
use crate::sequence::Report;
use std::collections::BTreeMap;
use std::fmt;

#[derive(Default)]
pub(crate) struct Totals {
    sequences: u64,
    outcomes: BTreeMap<String, u64>,
    faults: BTreeMap<(Service, Fault), u64>,
    /// The seed of the first sequence that broke the law, and how it did.
    pub(crate) violation: Option<(u64, String)>,
}

impl Totals {
    /// Adds what the sequence of `seed` came to.
    pub(crate) fn add(&mut self, seed: u64, report: Report) {
        self.sequences += 1;
        for outcome in report.outcomes {
            *self.outcomes.entry(format!("{outcome:?}")).or_default() += 1;
        }
        for fault in report.faults {
            *self.faults.entry(fault).or_default() += 1;
        }
        let violation = report.violation.map(|violation| (seed, violation));
        self.violation = self.violation.take().or(violation);
    }

    /// The fault on the menu that was met least often, and how often.
    pub(crate) fn rarest(&self) -> ((Service, Fault), u64) {
        let dishes = SERVICES
            .into_iter()
            .flat_map(|service| service.menu().map(move |fault| (service, fault)));
        let counted =
            dishes.map(|fault| (fault, self.faults.get(&fault).copied().unwrap_or_default()));
        counted.min_by_key(|(_, times)| *times).unwrap()
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} sequences: {:?}", self.sequences, self.outcomes)?;
        for service in SERVICES {
            write!(f, "{service:?}:")?;
            for ((_, fault), times) in self
                .faults
                .iter()
                .filter(|((failed, _), _)| *failed == service)
            {
                write!(f, " {fault:?} {times}")?;
            }
            writeln!(f)?;
        }
        write!(f, "met least often: {:?}", self.rarest())
    }
}
