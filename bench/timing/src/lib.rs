//! Whether two kinds of measurements come from the same distribution: Welch's t-test, also over what is left when the
//! slowest measurements are cropped, as dudect does it.
//!
//! Source: Reparaz, Balasch, Verbauwhede, "Dude, is my code constant time?", 2016, <https://eprint.iacr.org/2016/1123>.

/// How many thresholds there are beside none. dudect's number.
const THRESHOLDS: i32 = 100;
/// A test over fewer measurements of a class says nothing. dudect's number.
const ENOUGH: f64 = 10_000.0;

/// How two classes differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Welch's t: how sure it is that they do.
    pub t: f64,
    /// By how much, in the unit of the measurements: the mean of the first class less that of the second.
    pub of_means: f64,
}

/// The measurements of two classes, under one threshold.
#[derive(Debug, Clone, Default)]
struct Test {
    classes: [Moments; 2],
}

/// Count, mean and sum of squared differences from it, kept up to date without keeping the measurements (Welford).
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let difference = value - self.mean;
        self.mean += difference / self.count;
        self.squares += difference * (value - self.mean);
    }

    /// The variance of the mean.
    fn variance(&self) -> f64 {
        self.squares / (self.count - 1.0) / self.count
    }
}

impl Test {
    fn difference(&self) -> Difference {
        let [one, other] = self.classes;
        let of_means = one.mean - other.mean;
        let t = of_means / (one.variance() + other.variance()).sqrt();
        // Where nothing varies there is no difference either.
        let t = if t.is_nan() { 0.0 } else { t };
        Difference { t, of_means }
    }

    fn has_enough(&self) -> bool {
        self.classes.iter().all(|class| class.count >= ENOUGH)
    }
}

/// The difference whose t is farthest from zero, of all thresholds; none, if no test has enough measurements.
/// `calibration` is for the thresholds only: measurements of both classes that are not in `measured`, which has each with
/// its class.
#[must_use]
pub fn farthest(calibration: &mut [u64], measured: &[(bool, u64)]) -> Option<Difference> {
    calibration.sort_unstable();
    let mut thresholds: Vec<u64> = (1..=THRESHOLDS)
        .filter_map(|step| {
            // Close together where the measurements are few: half of them, and on to all but one in a thousand.
            let share = 1.0 - 0.5_f64.powf(f64::from(10 * step) / f64::from(THRESHOLDS));
            let place = share * calibration.len() as f64;
            calibration.get(place as usize).copied()
        })
        .collect();
    thresholds.push(u64::MAX);
    thresholds.dedup();
    let mut tests = vec![Test::default(); thresholds.len()];
    for (class, time) in measured {
        for (test, threshold) in tests.iter_mut().zip(&thresholds) {
            if time <= threshold {
                let [one, other] = &mut test.classes;
                let moments = if *class { other } else { one };
                moments.add(*time as f64);
            }
        }
    }
    let differences = tests.iter().filter(|test| test.has_enough()).map(Test::difference);
    differences.max_by(|one, other| one.t.abs().total_cmp(&other.t.abs()))
}

#[cfg(test)]
mod tests;
