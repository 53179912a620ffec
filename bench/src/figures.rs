//! What was measured, and how programs compare with the floor.

use crate::delivery::Delivery;
use crate::function::{Program, Sizes};
use crate::services::Host;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};

/// The places of these two among the programs.
pub(crate) const FLOOR: usize = 0;
pub(crate) const RELAY: usize = 1;

/// Something that is measured; in milliseconds, memory in megabytes. A size is the place of a body among those that are sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    /// From the program's start to its first answer.
    ColdStart(Host),
    /// CPU time until the program is idle again after its first answer.
    ColdCpu(Host),
    /// CPU time of a warm event, from idle to idle.
    Cpu(usize, Mode),
    /// From handing over a warm event to its answer, after a rest.
    Answer(usize),
    /// The most memory that a process has had resident.
    Peak(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    /// After a rest.
    Rested,
    /// One event right after the other.
    Hot,
}

/// The result of a run. Programs are known by their places.
pub(crate) struct Outcome {
    pub(crate) programs: Vec<(String, Option<Sizes>)>,
    /// Name and bytes of each body.
    pub(crate) bodies: Vec<(&'static str, usize)>,
    pub(crate) rounds: usize,
    /// The values of each round.
    samples: BTreeMap<(Figure, usize), Vec<Vec<f64>>>,
    /// What could not be done: a size and a program.
    pub(crate) failures: Vec<(usize, usize)>,
}

/// Quartiles, or without values, not numbers.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) lower: f64,
    pub(crate) median: f64,
    pub(crate) upper: f64,
}

impl Spread {
    pub(crate) fn of(values: &[f64]) -> Self {
        let at = |share| quantile(values.iter().copied(), share);
        Self { lower: at(0.25), median: at(0.5), upper: at(0.75) }
    }
}

/// The smallest value that is not below this share of all values; of nothing, not a number.
pub(crate) fn quantile(values: impl IntoIterator<Item = f64>, share: f64) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    let place = (share * values.len() as f64).ceil() as usize;
    values.get(place.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

impl Outcome {
    /// Nothing is known yet but the sizes.
    pub(crate) fn new(programs: &[Program], deliveries: &[Delivery]) -> Result<Self> {
        let programs = programs.iter().map(|it| Ok((it.name.clone(), it.sizes()?)));
        Ok(Self {
            programs: programs.collect::<Result<_>>()?,
            bodies: deliveries.iter().map(|it| (it.name, it.body.len())).collect(),
            rounds: 0,
            samples: BTreeMap::new(),
            failures: Vec::new(),
        })
    }

    pub(crate) fn begin_round(&mut self) {
        self.rounds += 1;
    }

    pub(crate) fn add(&mut self, figure: Figure, place: usize, value: f64) {
        let rounds = self.samples.entry((figure, place)).or_default();
        rounds.resize_with(self.rounds, Vec::new);
        rounds.last_mut().into_iter().for_each(|round| round.push(value));
    }

    pub(crate) fn fails(&self, size: usize, place: usize) -> bool {
        self.failures.contains(&(size, place))
    }

    /// Every figure, in the order of the page.
    pub(crate) fn figures(&self) -> BTreeSet<Figure> {
        self.samples.keys().map(|(figure, _)| *figure).collect()
    }

    /// The medians of the rounds.
    pub(crate) fn medians(&self, figure: Figure, place: usize) -> Vec<f64> {
        let rounds = self.samples.get(&(figure, place)).into_iter().flatten();
        rounds.map(|round| quantile(round.iter().copied(), 0.5)).collect()
    }

    /// The quantile of the values of all rounds.
    pub(crate) fn quantile(&self, figure: Figure, place: usize, share: f64) -> f64 {
        let rounds = self.samples.get(&(figure, place)).into_iter().flatten();
        quantile(rounds.flatten().copied(), share)
    }

    /// In each round, how many times the floor's median a program's is.
    pub(crate) fn ratios(&self, figure: Figure, place: usize) -> Vec<f64> {
        let floor = self.medians(figure, FLOOR);
        self.medians(figure, place).into_iter().zip(floor).map(|(it, floor)| it / floor).collect()
    }

    /// The relay's figures that differ by more than `tolerance` between the two halves of the run, with their ratios there.
    pub(crate) fn unstable(&self, tolerance: f64) -> Vec<(Figure, f64, f64)> {
        let halves = self.figures().into_iter().map(|figure| {
            let ratios = self.ratios(figure, RELAY);
            let (first, second) = ratios.split_at(ratios.len() / 2);
            (figure, Spread::of(first).median, Spread::of(second).median)
        });
        // What was not measured is no number, and does not agree, either.
        let agrees = |first: f64, second: f64| (first / second - 1.0).abs() <= tolerance;
        halves.filter(|(_, first, second)| !agrees(*first, *second)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(relay: &[f64]) -> Outcome {
        let programs = vec![("floor".to_owned(), None), ("relay".to_owned(), None)];
        let (samples, failures) = Default::default();
        let mut outcome =
            Outcome { programs, bodies: vec![("2 KB", 2000)], rounds: 0, samples, failures };
        for value in relay {
            outcome.begin_round();
            for (place, value) in [(FLOOR, 2.0), (RELAY, *value)] {
                [value, 100.0, value]
                    .into_iter()
                    .for_each(|value| outcome.add(Figure::Peak(0), place, value));
            }
        }
        outcome
    }

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values = || (1..=100).rev().map(f64::from);
        assert_eq!(quantile(values(), 0.5), 50.0);
        assert_eq!(quantile(values(), 0.99), 99.0);
        assert_eq!(quantile([7.0], 0.99), 7.0);
        assert!(quantile([], 0.5).is_nan());
    }

    #[test]
    fn programs_are_compared_round_by_round() {
        assert_eq!(outcome(&[4.0, 2.0, 3.0]).ratios(Figure::Peak(0), RELAY), [2.0, 1.0, 1.5]);
    }

    #[test]
    fn halves_that_differ_are_found() {
        assert!(outcome(&[4.0, 8.0, 8.2, 4.1]).unstable(0.05).is_empty());
        assert_eq!(outcome(&[4.0, 4.0, 4.4, 4.4]).unstable(0.05).len(), 1);
        assert_eq!(outcome(&[4.0]).unstable(0.05).len(), 1);
    }
}
