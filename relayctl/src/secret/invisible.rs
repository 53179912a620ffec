//! Characters that cannot be seen.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use std::fmt;

/// A character that cannot be seen, and its place, counted in characters from 1. Displays no other part of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invisible {
    character: char,
    position: usize,
}

impl Invisible {
    /// The first one in a text. A space counts at either end only.
    pub fn find(text: &str) -> Option<Self> {
        let last = text.chars().count();
        let mut characters = text.chars().zip(1..);
        let (character, position) = characters.find(|&(character, position)| {
            is_invisible(character) || (character == ' ' && (position == 1 || position == last))
        })?;
        Some(Self { character, position })
    }
}

/// Whether it is a control character, white space other than a space, a format character, or one that is shown by nothing of
/// its own.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || (character.is_whitespace() && character != ' ')
        || CodePointMapData::<GeneralCategory>::new().get(character) == GeneralCategory::Format
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
}

impl fmt::Display for Invisible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.character.is_control() {
            "control character"
        } else if self.character.is_whitespace() {
            "white space"
        } else {
            "invisible"
        };
        let code_point = u32::from(self.character);
        write!(f, "U+{code_point:04X} ({kind}) at position {}", self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let found = Invisible::find(text).map(|it| it.to_string());
        assert_eq!(found.as_deref(), expected, "{text:?}");
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
