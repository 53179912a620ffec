//! Measures whether the time of a verification tells how much of a claimed signature is right, and that such a
//! difference would show: a test after dudect.

#![expect(clippy::print_stdout, reason = "the result is printed")]
#![expect(clippy::disallowed_methods, reason = "measuring time is what this is for")]

mod claims;
mod verifiers;

use claims::{Claim, Headers, Wrong};
use fastrand::Rng;
use std::process::ExitCode;
use timing::{Difference, farthest};
use verifiers::{Naive, Question, Relay, Verifier};

/// Nearer to zero, no difference was found. This and the next number are dudect's.
const NONE_FOUND: f64 = 4.5;
/// Farther from it, there is no doubt.
const NO_DOUBT: f64 = 10.0;
const USUAL_MEASUREMENTS: usize = 1_000_000;
/// Measured in one go; the first of them is only for the thresholds.
const BATCH: usize = 20_000;

/// Two ways to be wrong, and who is asked.
struct Case {
    verifier: fn() -> Box<dyn Verifier>,
    headers: Headers,
    ways: [Wrong; 2],
    expected: Expected,
}

/// What difference a case should make.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    None,
    /// The measuring itself is put to the test.
    Clear,
    /// It tells an unauthenticated client nothing of use, so it is measured but not judged.
    Whatever,
}

/// What was measured of one case.
struct Figures {
    difference: Option<Difference>,
    medians: [u64; 2],
    measurements: usize,
}

fn cases() -> Vec<Case> {
    use Expected::{Clear, None, Whatever};
    use Headers::{Both, Sha1, Sha256};
    use Wrong::{All, FirstByte, LastByte, OnlySha1, OnlySha256};
    fn relay() -> Box<dyn Verifier> {
        Box::new(Relay::new())
    }
    fn naive() -> Box<dyn Verifier> {
        Box::new(Naive)
    }
    let case = |verifier, headers, ways, expected| Case { verifier, headers, ways, expected };
    vec![
        case(relay, Sha1, [FirstByte, LastByte], None),
        case(relay, Sha1, [All, LastByte], None),
        case(relay, Sha256, [FirstByte, LastByte], None),
        case(relay, Sha256, [All, LastByte], None),
        case(relay, Both, [All, LastByte], None),
        // Whoever can make one of them needs no other.
        case(relay, Both, [OnlySha1, OnlySha256], Whatever),
        // The same twice: the measuring makes no difference of its own.
        case(naive, Sha1, [FirstByte, FirstByte], None),
        case(naive, Sha1, [FirstByte, LastByte], Clear),
        case(naive, Sha256, [FirstByte, LastByte], Clear),
    ]
}

impl Case {
    fn measure(&self, right: Claim, measurements: usize, random: &mut Rng) -> Figures {
        let mut verifier = (self.verifier)();
        let mut calibration = Vec::new();
        let mut measured = Vec::with_capacity(measurements + BATCH);
        while measured.len() < measurements {
            // Made beforehand and in one row, so that all that differs while measuring is what is in them.
            let asked: Vec<_> = (0..BATCH)
                .map(|_| {
                    let class = random.bool();
                    let [one, other] = self.ways;
                    let way = if class { other } else { one };
                    let claim = claims::wrong(right, self.headers, way, random);
                    (class, Question::of(claim))
                })
                .collect();
            let times =
                asked.iter().map(|(class, question)| (*class, verifier.time_to_refuse(question)));
            if calibration.is_empty() {
                calibration = times.map(|(_, time)| time).collect();
            } else {
                measured.extend(times);
            }
        }
        Figures {
            difference: farthest(&mut calibration, &measured),
            medians: [false, true].map(|class| median(&measured, class)),
            measurements: measured.len(),
        }
    }

    /// Whether it is as expected. A value in between is looked at again, more closely: with the number of measurements
    /// a difference grows, and chance does not.
    fn is_as_expected(&self, right: Claim, measurements: usize, random: &mut Rng) -> bool {
        for measurements in [measurements, 4 * measurements] {
            let figures = self.measure(right, measurements, random);
            self.print(&figures);
            let t = figures.t().abs();
            match self.expected {
                Expected::Whatever => return true,
                Expected::None if t < NONE_FOUND => return true,
                Expected::None if t > NO_DOUBT => return false,
                Expected::Clear if t > NO_DOUBT => return true,
                Expected::None | Expected::Clear => {}
            }
        }
        false
    }

    fn print(&self, figures: &Figures) {
        let [one, other] = self.ways.map(|way| format!("{way:?}"));
        let [first, second] = figures.medians;
        println!(
            "| {} | {:?} | {one} | {other} | {first} | {second} | {:+.2} | {} | {:+.2} |",
            (self.verifier)().name(),
            self.headers,
            figures.difference.map_or(f64::NAN, |difference| difference.of_means),
            figures.measurements,
            figures.t(),
        );
    }
}

impl Figures {
    /// Where there were too few measurements, it is no number, which is not as anyone expects.
    fn t(&self) -> f64 {
        self.difference.map_or(f64::NAN, |difference| difference.t)
    }
}

fn median(measured: &[(bool, u64)], class: bool) -> u64 {
    let mut times: Vec<_> =
        measured.iter().filter(|(other, _)| *other == class).map(|(_, time)| *time).collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn main() -> ExitCode {
    let asked = std::env::args().nth(1);
    let measurements = asked.map_or(Ok(USUAL_MEASUREMENTS), |count| count.parse());
    let (Ok(measurements), Ok(right)) = (measurements, claims::right()) else {
        println!("The only argument is a number of measurements");
        return ExitCode::FAILURE;
    };
    let mut random = Rng::new();
    println!(
        "| verifier | headers | wrong in one class | in the other | median, ns | median, ns | means differ by, ns | \
         measurements | t |\n|---|---|---|---|---|---|---|---|---|"
    );
    let mut is_well = true;
    for case in cases() {
        if case.is_as_expected(right, measurements, &mut random) {
            continue;
        }
        is_well = false;
        println!(
            "^ {}",
            match case.expected {
                Expected::None => "the time tells how much is right",
                _ =>
                    "this difference has to show: the measuring is too coarse, and the other values authenticate nothing",
            }
        );
    }
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
