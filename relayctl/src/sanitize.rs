//! Text from elsewhere, made safe for a terminal, and its characters that cannot be seen.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Bidirectional controls reorder what a terminal shows. Source: <https://www.unicode.org/reports/tr9/>, table 4.
fn is_bidi_control(character: char) -> bool {
    matches!(character, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_unsafe(character: char) -> bool {
    let is_control = character.is_control() && !matches!(character, '\n' | '\t');
    is_control || is_bidi_control(character)
}

/// Replaces control characters, except newline and tab, and bidirectional controls by U+FFFD.
pub fn sanitize(text: &str) -> String {
    let replace = |character| if is_unsafe(character) { '\u{fffd}' } else { character };
    text.chars().map(replace).collect()
}

/// Escapes the same characters in JSON, where they occur in strings only and are kept so.
pub fn escape_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            // They are all in the basic multilingual plane.
            unsafe_one if is_unsafe(unsafe_one) => {
                escaped += &format!("\\u{:04x}", u32::from(unsafe_one));
            }
            character => escaped.push(character),
        }
    }
    escaped
}

/// The same on one line, with single spaces.
pub fn one_line(text: &str) -> String {
    sanitize(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The same, cut to 300 characters: what a service says of an error.
pub fn excerpt(text: &str) -> String {
    cut(text, 300)
}

/// The same, cut to so many characters.
pub fn cut(text: &str, max_characters: usize) -> String {
    let line = one_line(text);
    if line.chars().count() <= max_characters {
        return line;
    }
    let kept = line.chars().take(max_characters.saturating_sub(1));
    kept.chain(['…']).collect()
}

/// Describes the first character of a text that cannot be seen, which editors, terminals and forms add and lose, by
/// code point and place, counted in characters from 1. A space counts at either end only.
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
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn replaces_what_controls_a_terminal() {
        assert_eq!(
            sanitize("a\u{1b}[2Jb\r\u{9b}\u{202e}c\u{2066}"),
            "a\u{fffd}[2Jb\u{fffd}\u{fffd}\u{fffd}c\u{fffd}"
        );
        assert_eq!(sanitize("é\n\t日本\u{200d}"), "é\n\t日本\u{200d}");
    }

    #[test]
    fn json_keeps_what_controls_a_terminal_as_escapes() {
        let text = "\u{7f}\u{202e}é";
        let json = escape_json(&serde_json::json!(text).to_string());
        assert_eq!(json, r#""\u007f\u202eé""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn keeps_a_text_on_one_line() {
        assert_eq!(one_line(" a\n b\t\u{7}c "), "a b \u{fffd}c");
        assert_eq!(cut("abc def", 7), "abc def");
        assert_eq!(cut("abc\n defg", 7), "abc de…");
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
            assert_eq!(find_invisible(text).as_deref(), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn finds_nothing_in_what_can_be_seen() {
        for text in
            ["", "secret", "two words", "ключ", "日本語", "e\u{301}", "\u{1f600}", "{\"a\": \"[\"}"]
        {
            assert_eq!(find_invisible(text), None, "{text:?}");
        }
    }
}
