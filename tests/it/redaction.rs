//! Redaction: `Debug` and `Display` of the types in the library and in aws-lite print no secret, signature, body, header
//! or AWS credential.
//!
//! [`values`] has a value of each type, with canaries in all confidential fields. The types are found in the source
//! text, so a new type fails the test until it has a value.

mod values;

use crate::architecture::modules;
use crate::requests::{sha1, sha256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use labelbox_relay::error::error_chain;
use std::any::type_name;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Debug;
use values::print_all_types;

pub(crate) const SECRET: &str = "canary-of-the-secret";
pub(crate) const HEADER: &str = "canary-of-a-header";
pub(crate) const ACCESS_KEY: &str = "canary/of+the/secret/access/key";
pub(crate) const TOKEN: &str = "a/session+token/with/a/canary==";
pub(crate) const BODY: &str = r#"{"id":"label1","updatedAt":"2022-01-01T00:30:00+01:00","user":{"email":"private.person@example.com"},
 "dataRow":{"rowData":"https://assets.example.com/cat.jpg?Expires=1&Signature=Qx7"}}"#;

/// The number of consecutive bytes that count as a leak. Ids and times may be printed; in the body they are shorter or
/// have another form.
const LEAK_BYTES: usize = 12;

/// What each type printed, by the path of the type.
#[derive(Default)]
struct Printed {
    texts: BTreeMap<String, String>,
    with_display: Vec<String>,
}

impl Printed {
    fn debug<T: Debug>(&mut self, value: &T) {
        let name = type_name::<T>().split('<').next().unwrap();
        let name = path_in_library(name);
        assert_ne!(format!("{value:?}"), "", "{name} prints nothing");
        let text = self.texts.entry(name.to_owned()).or_default();
        text.push_str(&format!("{value:?}\n{value:#?}\n"));
    }

    fn error<T: Error>(&mut self, error: &T) {
        self.debug(error);
        let name = path_in_library(type_name::<T>());
        self.with_display.push(name.to_owned());
        let text = self.texts.get_mut(name).unwrap();
        text.push_str(&format!("{error}\n{error:#}\n{}\n", error_chain(error)));
        let mut source = error.source();
        while let Some(error) = source {
            text.push_str(&format!("{error}\n{error:?}\n{error:#?}\n"));
            source = error.source();
        }
    }
}

/// The path of a type in the library. The path in another crate starts with the name of that crate.
fn path_in_library(name: &str) -> &str {
    name.strip_prefix("labelbox_relay::").unwrap_or(name)
}

#[test]
fn no_type_prints_confidential_data() {
    let leak = |(name, text): (&String, &String)| {
        let canary = leaked_canary(text)?;
        Some(format!("{name} prints {canary}:\n{text}"))
    };
    let leaks: Vec<_> = print_all_types().texts.iter().filter_map(leak).collect();
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}

#[test]
fn every_type_with_debug_or_display_is_tested() {
    let printed = print_all_types();
    let tested: BTreeSet<_> = printed.texts.keys().map(String::as_str).collect();
    let printable = printable_types();
    let found: BTreeSet<_> = printable.iter().map(|it| it.name.as_str()).collect();
    let differences: Vec<_> = tested.symmetric_difference(&found).collect();
    assert!(differences.is_empty(), "only in the test or only in the source: {differences:?}");
    let tested: BTreeSet<_> = printed.with_display.iter().map(String::as_str).collect();
    let untested: Vec<_> = printable
        .iter()
        .filter(|it| it.has_display)
        .map(|it| it.name.as_str())
        .filter(|name| !tested.contains(name))
        .collect();
    assert_eq!(untested, [""; 0], "Display is not tested");
}

/// Returns the name of a canary in the text, in any form in which Rust or the relay might print it.
pub(crate) fn leaked_canary(text: &str) -> Option<String> {
    let text = normalize(text);
    canaries().into_iter().find_map(|(name, canary)| {
        let is_leaked = canary
            .windows(LEAK_BYTES)
            .any(|part| printed_forms(part).iter().any(|form| text.contains(form)));
        is_leaked.then_some(name)
    })
}

fn canaries() -> Vec<(String, Vec<u8>)> {
    let digits = |signature: String| {
        let (_, digits) = signature.split_once('=').unwrap();
        hex::decode(digits).unwrap()
    };
    let of = |name: &str, bytes: &[u8]| (name.to_owned(), bytes.to_vec());
    vec![
        of("the secret", SECRET.as_bytes()),
        of("a header", HEADER.as_bytes()),
        of("the secret access key", ACCESS_KEY.as_bytes()),
        of("the session token", TOKEN.as_bytes()),
        of("the body", BODY.as_bytes()),
        of("the SHA-1", &digits(sha1(SECRET, BODY.as_bytes()))),
        of("the SHA-256", &digits(sha256(SECRET, BODY.as_bytes()))),
    ]
}

/// The bytes as text, as escaped text, as twice escaped text, as hex, as base64, and as the numbers that `{:?}` prints.
fn printed_forms(bytes: &[u8]) -> Vec<String> {
    let numbers: Vec<_> = bytes.iter().map(u8::to_string).collect();
    let mut forms = vec![hex::encode(bytes), STANDARD.encode(bytes), numbers.join(",")];
    if let Ok(text) = str::from_utf8(bytes) {
        let escaped = text.escape_debug().to_string();
        let twice = escaped.escape_debug().to_string();
        forms.extend([text.to_owned(), escaped, twice]);
    }
    forms.iter().map(|form| normalize(form)).collect()
}

/// Removes whitespace, which `{:#?}` inserts, and converts to lower case.
fn normalize(text: &str) -> String {
    let kept = text.chars().filter(|it| !it.is_whitespace());
    kept.flat_map(char::to_lowercase).collect()
}

#[test]
fn finds_each_canary_in_each_form() {
    for (name, canary) in canaries() {
        let text = String::from_utf8_lossy(&canary);
        for printed in [
            format!("{canary:?}"),
            format!("{canary:#?}"),
            format!("{text:?}"),
            format!("{:?}", format!("{text:?}")),
            hex::encode(&canary),
            hex::encode_upper(&canary),
            STANDARD.encode(&canary),
        ] {
            let is_text = str::from_utf8(&canary).is_ok();
            if is_text || !printed.contains('\u{FFFD}') {
                assert_eq!(
                    leaked_canary(&format!("before {printed} after")),
                    Some(name.clone()),
                    "{printed}"
                );
            }
        }
    }
    assert_eq!(leaked_canary("the queue did not accept the message"), None);
    assert_eq!(leaked_canary(&SECRET[1..LEAK_BYTES]), None);
}

/// A type with `Debug` or `Display`, derived or not.
struct PrintableType {
    /// Its path in the library.
    name: String,
    has_display: bool,
}

/// All printable types of the library and of aws-lite, private ones included.
fn printable_types() -> Vec<PrintableType> {
    let types: Vec<_> =
        modules().iter().flat_map(|(file, text)| printable_types_in(file, text)).collect();
    assert!(types.len() > 50, "{} types", types.len());
    types
}

fn printable_types_in(file: &str, text: &str) -> Vec<PrintableType> {
    let module = file.trim_end_matches(".rs").replace('/', "::");
    let (mut debug, mut display) = (Vec::new(), Vec::new());
    let mut derived = String::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("//") {
            continue;
        }
        if let Some(name) = defined_type(line) {
            debug.extend(derived.contains("Debug").then(|| name.to_owned()));
            display.extend(derived.contains("Error").then(|| name.to_owned()));
            derived.clear();
        } else if let Some((implemented, type_name)) = line.split_once(" for ")
            && line.starts_with("impl")
        {
            let name = first_word(type_name).to_owned();
            match implemented.rsplit([':', ' ']).next() {
                Some("Debug") => debug.push(name),
                Some("Display") => display.push(name),
                _ => {}
            }
        } else if line.starts_with("#[") || (!derived.is_empty() && !derived.ends_with(']')) {
            // A `derive` precedes its type, on one line or several, and other attributes may be between them.
            derived.push_str(line);
        } else {
            derived.clear();
        }
    }
    let with_display = display.iter().filter(|name| !debug.contains(name));
    let names: Vec<_> = debug.iter().chain(with_display).collect();
    names
        .into_iter()
        .map(|name| PrintableType {
            name: format!("{module}::{name}"),
            has_display: display.contains(name),
        })
        .collect()
}

/// The name of the type that a line defines.
fn defined_type(line: &str) -> Option<&str> {
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
fn finds_types_with_derived_and_implemented_debug_and_display() {
    let source = "
        /// Debug
        struct NotPrintable;
        #[derive(Debug)]
        struct Derived(u8);
        #[derive(Clone, Debug, PartialEq)]
        #[serde(rename_all = \"camelCase\")]
        pub(super) enum DerivedAmongAttributes<'a> {
            #[error(\"struct\")]
            One,
        }
        #[derive(
            Debug,
            thiserror::Error,
        )]
        pub struct DerivedOnSeveralLines {
        }
        impl<T: Debug> std::fmt::Debug for Implemented<T> {
        }
        impl fmt::Display for WithDisplay {
        }
        impl Value for NotPrintable {
        }
        fn read() -> Result<(), Error> {
            struct Visitor;
        }
    ";
    let found: Vec<_> = printable_types_in("a/b.rs", source)
        .into_iter()
        .map(|it| (it.name, it.has_display))
        .collect();
    let expected = [
        ("a::b::Derived", false),
        ("a::b::DerivedAmongAttributes", false),
        ("a::b::DerivedOnSeveralLines", true),
        ("a::b::Implemented", false),
        ("a::b::WithDisplay", true),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(name, has_display)| ((*name).to_owned(), *has_display)).collect();
    assert_eq!(found, expected);
}
