//! The statistics against values that are known, and what they see and do not see.

use super::*;

/// A generator that a seed repeats.
fn draws() -> fastrand::Rng {
    fastrand::Rng::with_seed(2016)
}

/// Times between 300 and 400, each of a random class, and what `change` makes of them.
fn times(count: usize, change: impl Fn(&mut fastrand::Rng, bool, u64) -> u64) -> Vec<(bool, u64)> {
    let mut random = draws();
    let mut time = || {
        let (class, time) = (random.bool(), random.u64(300..400));
        (class, change(&mut random, class, time))
    };
    (0..count).map(|_| time()).collect()
}

fn t_of(times: &[(bool, u64)]) -> Option<f64> {
    let mut calibration: Vec<u64> = times.iter().take(5_000).map(|(_, time)| *time).collect();
    farthest(&mut calibration, times).map(|difference| difference.t)
}

/// The value is that of the textbook's formula over `statistics.mean` and `statistics.variance` of Python.
#[test]
fn t_is_the_one_of_the_textbook() {
    let mut test = Test::default();
    for value in [27.0, 21.0, 22.0, 26.0, 24.0, 23.0] {
        test.classes[0].add(value);
    }
    for value in [31.0, 22.0, 30.0, 29.0, 35.0, 24.0, 28.0] {
        test.classes[1].add(value);
    }
    let difference = test.difference();
    assert!((difference.of_means + 4.595_238_095_238_095).abs() < 1e-12);
    assert!((difference.t + 2.421_255_046_172_336).abs() < 1e-12);
}

#[test]
fn what_is_the_same_shows_no_difference() {
    let t = t_of(&times(100_000, |_, _, time| time));
    assert!(t.is_some_and(|t| t.abs() < 4.5), "{t:?}");
    assert_eq!(t_of(&times(100_000, |_, _, _| 300)), Some(0.0));
}

#[test]
fn a_difference_shows_with_its_sign() {
    let t = t_of(&times(100_000, |_, class, time| time + 5 * u64::from(class)));
    assert!(t.is_some_and(|t| t < -10.0), "{t:?}");
    let t = t_of(&times(100_000, |_, class, time| time - 5 * u64::from(class)));
    assert!(t.is_some_and(|t| t > 10.0), "{t:?}");
}

#[test]
fn a_difference_shows_through_interruptions() {
    let t = t_of(&times(100_000, |random, class, time| {
        let interruption = if random.u32(..100) == 0 { random.u64(..1_000_000) } else { 0 };
        time + 5 * u64::from(class) + interruption
    }));
    assert!(t.is_some_and(|t| t < -10.0), "{t:?}");
}

#[test]
fn a_difference_of_the_slowest_shows_too() {
    let t = t_of(&times(100_000, |random, class, time| {
        time + if class && random.u32(..50) == 0 { 500 } else { 0 }
    }));
    assert!(t.is_some_and(|t| t < -10.0), "{t:?}");
}

#[test]
fn few_measurements_say_nothing() {
    assert_eq!(t_of(&times(19_000, |_, class, time| time + 50 * u64::from(class))), None);
}
