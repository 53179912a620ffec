//! Converts RFC 3339 timestamps to UTC, written by hand from the RFC's grammar.

const SECONDS_PER_DAY: i64 = 86_400;

/// Returns the time in UTC with milliseconds, the format of message attributes.
///
/// `None` if the text is not an RFC 3339 time, or if its year in UTC is not between 0 and 9999.
pub(crate) fn in_utc(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let number = |at: usize, length: usize| {
        let digits = bytes.get(at..at + length)?;
        let append = |value, digit: &u8| {
            let is_digit = digit.is_ascii_digit();
            is_digit.then(|| value * 10 + i64::from(digit - b'0'))
        };
        digits.iter().try_fold(0, append)
    };
    let expect = |at: usize, allowed: &[u8]| {
        let is_allowed = bytes.get(at).is_some_and(|byte| allowed.contains(byte));
        is_allowed.then_some(())
    };
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let separators: [(usize, &[u8]); 5] =
        [(4, b"-"), (7, b"-"), (10, b"Tt "), (13, b":"), (16, b":")];
    for (at, allowed) in separators {
        expect(at, allowed)?;
    }
    let fraction = fraction(&text[19..])?;
    let rest = 19 + fraction.len();
    let offset = if expect(rest, b"Zz").is_some() {
        (bytes.len() == rest + 1).then_some(0)?
    } else {
        expect(rest, b"+-").and(expect(rest + 3, b":"))?;
        let (hours, minutes) = (number(rest + 1, 2)?, number(rest + 4, 2)?);
        (bytes.len() == rest + 6 && hours < 24 && minutes < 60).then_some(())?;
        let sign = if bytes[rest] == b'-' { -1 } else { 1 };
        sign * (hours * 3600 + minutes * 60)
    };
    let is_date = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
    (is_date && hour < 24 && minute < 60 && second <= 60).then_some(())?;
    let seconds = second.min(59) + minute * 60 + hour * 3600 - offset;
    let day_number = day_number(year, month, day) + seconds.div_euclid(SECONDS_PER_DAY);
    let seconds = seconds.rem_euclid(SECONDS_PER_DAY);
    let (year, month, day) = date(day_number);
    let is_last_second = seconds == SECONDS_PER_DAY - 1 && day == days_in_month(year, month);
    (second < 60 || is_last_second).then_some(())?;
    (0..=9999).contains(&year).then_some(())?;
    let (hour, minute, utc_second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    // A leap second maps to the last millisecond of the second before.
    let digits = if second == 60 { "999" } else { fraction.get(1..).unwrap_or_default() };
    let digits = digits.get(..3).unwrap_or(digits);
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{utc_second:02}.{digits:0<3}Z"
    ))
}

/// Returns the leading fraction, point included; empty without a point, `None` for a point without digits.
fn fraction(text: &str) -> Option<&str> {
    let Some(digits) = text.strip_prefix('.') else {
        return Some("");
    };
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    (count > 0).then(|| &text[..=count])
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since the first day of year 0, counted year by year: slow, but obviously correct.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let years: i64 = (0..year).map(days_in_year).sum();
    let months: i64 = (1..month).map(|month| days_in_month(year, month)).sum();
    years + months + day - 1
}

fn date(mut day: i64) -> (i64, i64, i64) {
    let (mut year, mut month) = (0, 1);
    if day < 0 {
        return (-1, 12, 31);
    }
    while day >= days_in_year(year) {
        day -= days_in_year(year);
        year += 1;
    }
    while day >= days_in_month(year, month) {
        day -= days_in_month(year, month);
        month += 1;
    }
    (year, month, day + 1)
}

fn days_in_year(year: i64) -> i64 {
    337 + days_in_month(year, 2)
}
