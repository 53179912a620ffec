//! Text from elsewhere, made safe for a terminal.

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
}
