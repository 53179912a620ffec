//! Which types of the library can be printed, by their text in `src`.

use crate::architecture::modules;

/// A type with `Debug`, derived or by hand.
pub(crate) struct Printable {
    /// Its path in the library.
    pub(crate) name: String,
    /// Whether it has `Display`, too.
    pub(crate) has_display: bool,
}

/// All that there are, whoever may see them.
pub(crate) fn printable() -> Vec<Printable> {
    let found: Vec<_> = modules()
        .iter()
        .flat_map(|(room, text)| of_room(room, text))
        .collect();
    assert!(found.len() > 50, "{} types", found.len());
    found
}

fn of_room(room: &str, text: &str) -> Vec<Printable> {
    let module = room.trim_end_matches(".rs").replace('/', "::");
    let (mut debug, mut display) = (Vec::new(), Vec::new());
    let mut derived = String::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("//") {
            continue;
        }
        if let Some(name) = type_of(line) {
            debug.extend(derived.contains("Debug").then(|| name.to_owned()));
            display.extend(derived.contains("Error").then(|| name.to_owned()));
            derived.clear();
        } else if let Some((what, of_whom)) = line.split_once(" for ")
            && line.starts_with("impl")
        {
            let name = first_word(of_whom).to_owned();
            match what.rsplit([':', ' ']).next() {
                Some("Debug") => debug.push(name),
                Some("Display") => display.push(name),
                _ => {}
            }
        } else if line.starts_with("#[") || (!derived.is_empty() && !derived.ends_with(']')) {
            // What is derived stands above its type, on one line or on several, with other attributes between.
            derived.push_str(line);
        } else {
            derived.clear();
        }
    }
    let with_display = display.iter().filter(|name| !debug.contains(name));
    let names: Vec<_> = debug.iter().chain(with_display).collect();
    names
        .into_iter()
        .map(|name| Printable {
            name: format!("{module}::{name}"),
            has_display: display.contains(name),
        })
        .collect()
}

/// The name of the type that a line defines.
fn type_of(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let line = match line.strip_prefix("pub(") {
        Some(rest) => rest.split_once(") ")?.1,
        None => line,
    };
    let kinds = ["struct ", "enum ", "union "];
    let rest = kinds.iter().find_map(|kind| line.strip_prefix(kind))?;
    Some(first_word(rest))
}

fn first_word(text: &str) -> &str {
    let is_part = |it: char| it.is_alphanumeric() || it == '_';
    text.split(|it| !is_part(it)).next().unwrap()
}

#[test]
fn a_type_is_found_however_it_can_be_printed() {
    let room = "
        /// Debug
        struct Not;
        #[derive(Debug)]
        struct Plain(u8);
        #[derive(Clone, Debug, PartialEq)]
        #[serde(rename_all = \"camelCase\")]
        pub(super) enum Kept<'a> {
            #[error(\"struct\")]
            One,
        }
        #[derive(
            Debug,
            thiserror::Error,
        )]
        pub struct Wrong {
        }
        impl<T: Debug> std::fmt::Debug for ByHand<T> {
        }
        impl fmt::Display for Told {
        }
        impl Value for Measure {
        }
        fn read() -> Result<(), Error> {
            struct Visitor;
        }
    ";
    let found: Vec<_> = of_room("a/b.rs", room)
        .into_iter()
        .map(|it| (it.name, it.has_display))
        .collect();
    let expected = [
        ("a::b::Plain", false),
        ("a::b::Kept", false),
        ("a::b::Wrong", true),
        ("a::b::ByHand", false),
        ("a::b::Told", true),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, has_display)| ((*name).to_owned(), *has_display))
        .collect();
    assert_eq!(found, expected);
}
