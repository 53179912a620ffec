//! How long ago something was, as one says it.

use std::time::{Duration, SystemTime};

/// The two largest units of a time that has passed.
pub fn say(passed: Duration) -> String {
    let whole = humantime::format_duration(Duration::from_secs(passed.as_secs())).to_string();
    whole.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// How long ago a time was, in milliseconds since 1970 as AWS gives it. What is to come is now.
pub fn since(milliseconds: i64, now: SystemTime) -> Duration {
    let then = Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default());
    let then = SystemTime::UNIX_EPOCH.checked_add(then).unwrap_or(now);
    now.duration_since(then).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_units_are_enough() {
        for (seconds, said) in
            [(0, "0s"), (59, "59s"), (3_600, "1h"), (3_725, "1h 2m"), (200_000, "2days 7h")]
        {
            assert_eq!(say(Duration::from_secs(seconds)), said);
        }
    }

    #[test]
    fn clocks_that_differ_make_no_age() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        assert_eq!(since(40_000, now), Duration::from_secs(60));
        assert_eq!(since(140_000, now), Duration::ZERO);
    }
}
