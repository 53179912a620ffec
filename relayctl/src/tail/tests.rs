//! How a tail ends.

use super::*;
use clap::Parser;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    tail: Tail,
}

fn ending(words: &str, end: End) -> Ending {
    let line = Line::parse_from(format!("tail {words}").split_whitespace());
    line.tail.ending(end)
}

#[test]
fn the_status_says_whether_the_end_that_was_asked_for_has_come() {
    for (words, end, expected) in [
        ("", End::Interrupted, Ending::Done),
        ("label --full", End::Interrupted, Ending::Done),
        ("--count 3", End::Interrupted, Ending::Interrupted),
        ("--for 3s", End::Interrupted, Ending::Interrupted),
        ("--idle 3s", End::Interrupted, Ending::Interrupted),
        ("--count 3", End::Complete, Ending::Done),
        ("--for 3s", End::OutOfTime, Ending::Done),
        ("--idle 3s", End::OutOfTime, Ending::Done),
        ("--count 3 --for 3s", End::OutOfTime, Ending::Incomplete),
        ("--count 3 --idle 3s", End::OutOfTime, Ending::Incomplete),
        ("", End::CutShort, Ending::Incomplete),
        ("--count 3", End::CutShort, Ending::Incomplete),
    ] {
        assert_eq!(ending(words, end), expected, "{words} {end:?}");
    }
}
