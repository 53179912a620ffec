//! What `{:?}` and `{}` show of every public type that has them: no secret, signature, body, header, or key of AWS.

use crate::canaries::shown_in;
use crate::filled::everything;
use crate::printable::printable;
use labelbox_relay::error::error_chain;
use std::any::type_name;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Debug;

/// By type, all that was printed of it.
#[derive(Default)]
pub(crate) struct Shown {
    printed: BTreeMap<String, String>,
    with_display: Vec<String>,
}

impl Shown {
    pub(crate) fn debug<T: Debug>(&mut self, value: &T) {
        let name = type_name::<T>().split('<').next().unwrap();
        let name = name_in_library(name);
        assert_ne!(format!("{value:?}"), "", "{name} shows nothing at all");
        let printed = self.printed.entry(name.to_owned()).or_default();
        printed.push_str(&format!("{value:?}\n{value:#?}\n"));
    }

    pub(crate) fn error<T: Error>(&mut self, error: &T) {
        self.debug(error);
        let name = name_in_library(type_name::<T>());
        self.with_display.push(name.to_owned());
        let printed = self.printed.get_mut(name).unwrap();
        printed.push_str(&format!("{error}\n{error:#}\n{}\n", error_chain(error)));
        let mut cause = error.source();
        while let Some(error) = cause {
            printed.push_str(&format!("{error}\n{error:?}\n{error:#?}\n"));
            cause = error.source();
        }
    }
}

/// A type's path in the function's library, or in another crate with that crate's name.
fn name_in_library(name: &str) -> &str {
    name.strip_prefix("labelbox_relay::").unwrap_or(name)
}

#[test]
fn nothing_that_is_printed_shows_what_it_must_not() {
    let shown = everything();
    let shows = |(name, printed): (&String, &String)| {
        let canary = shown_in(printed)?;
        Some(format!("{name} shows {canary}:\n{printed}"))
    };
    let wrong: Vec<_> = shown.printed.iter().filter_map(shows).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_type_that_can_be_printed_is_among_them() {
    let shown = everything();
    let printed: BTreeSet<_> = shown.printed.keys().map(String::as_str).collect();
    let printable = printable();
    let there: BTreeSet<_> = printable.iter().map(|it| it.name.as_str()).collect();
    let differ: Vec<_> = printed.symmetric_difference(&there).collect();
    assert!(differ.is_empty(), "only known, or only there: {differ:?}");
    let told: BTreeSet<_> = shown.with_display.iter().map(String::as_str).collect();
    let with_display = printable.iter().filter(|it| it.has_display);
    let untold: Vec<_> = with_display
        .map(|it| it.name.as_str())
        .filter(|name| !told.contains(name))
        .collect();
    assert_eq!(untold, [""; 0]);
}
