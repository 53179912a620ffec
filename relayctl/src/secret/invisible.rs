//! Characters that cannot be seen: editors, terminals and forms add and lose them.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Describes the first one in a text by code point and place, counted in characters from 1. A space counts at either end only.
pub fn find_invisible(text: &str) -> Option<String> {
    let last = text.chars().count();
    let mut characters = text.chars().zip(1..);
    characters.find_map(|(character, position)| {
        let kind = match character {
            ' ' if position != 1 && position != last => return None,
            _ if character.is_control() => "control character",
            _ if character.is_whitespace() => "white space",
            _ if is_invisible(character) => "invisible",
            _ => return None,
        };
        Some(format!("U+{:04X} ({kind}) at position {position}", u32::from(character)))
    })
}

/// Whether it is a format character, or one that is shown by nothing of its own.
fn is_invisible(character: char) -> bool {
    CodePointMapData::<GeneralCategory>::new().get(character) == GeneralCategory::Format
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(find_invisible(text).as_deref(), expected, "{text:?}");
    }

    /// The categories are those of <https://www.unicode.org/Public/UCD/latest/ucd/UnicodeData.txt>.
    #[test]
    fn names_the_first_character_that_cannot_be_seen() {
        for (text, expected) in [
            ("secret\u{200b}", "U+200B (invisible) at position 7"),
            ("\u{feff}secret", "U+FEFF (invisible) at position 1"),
            ("sécr\u{202e}et", "U+202E (invisible) at position 5"),
            ("se\u{ad}cret", "U+00AD (invisible) at position 3"),
            ("secret\u{e0020}", "U+E0020 (invisible) at position 7"),
            ("\u{600}secret", "U+0600 (invisible) at position 1"),
            ("se\u{3164}cret", "U+3164 (invisible) at position 3"),
            ("se\u{a0}cret", "U+00A0 (white space) at position 3"),
            ("secret\u{3000}", "U+3000 (white space) at position 7"),
            ("\u{2028}secret", "U+2028 (white space) at position 1"),
            ("se\tcret", "U+0009 (control character) at position 3"),
            ("secret\n", "U+000A (control character) at position 7"),
            ("se\u{85}cret", "U+0085 (control character) at position 3"),
            ("secret\0", "U+0000 (control character) at position 7"),
            (" secret", "U+0020 (white space) at position 1"),
            ("two words ", "U+0020 (white space) at position 10"),
            ("a\u{200b}\u{200d}", "U+200B (invisible) at position 2"),
        ] {
            check(text, Some(expected));
        }
    }

    #[test]
    fn finds_nothing_in_what_can_be_seen() {
        for text in
            ["", "secret", "two words", "ключ", "日本語", "e\u{301}", "\u{1f600}", "{\"a\": \"[\"}"]
        {
            check(text, None);
        }
    }
}
