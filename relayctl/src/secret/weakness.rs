//! What makes a secret useless or weak: a name that no webhook has, few characters, or characters that nobody sees.

use super::edit::check_name;
use super::value::{Text, bare, is_usable};
use crate::sanitize::find_invisible;

/// Shorter secrets can be guessed from a signed body.
const MIN_CHARACTERS: usize = 16;

/// What is wrong with the secrets of a name. The message has no part of them.
#[derive(Debug)]
pub struct Fault {
    pub message: String,
    /// Whether events are refused, or may be.
    pub is_serious: bool,
    pub edit: Edit,
}

/// What repairs the secrets of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    Rename,
    Add,
    Rotate,
    RemoveOld,
}

impl Fault {
    /// The worst fault of a name, or of a plain text.
    pub fn find(name: Option<&str>, texts: &[Text]) -> Option<Self> {
        let fault = |message, is_serious, edit| Some(Self { message, is_serious, edit });
        if let Some(name) = name.filter(|name| check_name(name).is_err()) {
            let hidden = find_invisible(name).map(|it| format!("; it has {it}"));
            let message = "no webhook can have this name, so its requests are answered 404";
            let message = format!("{message}{}", hidden.unwrap_or_default());
            return fault(message, true, Edit::Rename);
        }
        let mut usable = texts.iter().filter(|text| is_usable(text)).map(|text| bare(text));
        let Some(newest) = usable.next() else {
            let message = "nothing to verify with: every event is refused".to_owned();
            return fault(message, true, Edit::Add);
        };
        if let Some((weakness, is_serious)) = weakness(&newest) {
            let which = if texts.len() == 1 { "the secret" } else { "the newest secret" };
            return fault(format!("{which} {weakness}"), is_serious, Edit::Rotate);
        }
        if let Some((weakness, is_serious)) = usable.find_map(|text| weakness(&text)) {
            return fault(format!("an old secret {weakness}"), is_serious, Edit::RemoveOld);
        }
        let has_empty = texts.iter().any(|text| !is_usable(text));
        if has_empty {
            fault("one secret is empty".to_owned(), false, Edit::RemoveOld)
        } else {
            None
        }
    }
}

/// Why a secret, as the function uses it, should not be used; and whether Labelbox may sign with another one, as what nobody sees
/// is easily lost. The reason has no part of the secret.
pub fn weakness(secret: &str) -> Option<(String, bool)> {
    if let Some(invisible) = find_invisible(secret) {
        Some((format!("has {invisible}"), true))
    } else if secret.contains(' ') {
        Some(("has white space in it".to_owned(), false))
    } else {
        let is_short = secret.chars().count() < MIN_CHARACTERS;
        is_short.then(|| (format!("has fewer than {MIN_CHARACTERS} characters"), false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_worst_weakness() {
        for (secret, expected) in [
            ("a\u{200b} b", Some("has U+200B (invisible) at position 2")),
            ("sixteen letters and more", Some("has white space in it")),
            ("fifteen-letters", Some("has fewer than 16 characters")),
            ("sixteen-letters-", None),
            ("ключключключключ", None),
        ] {
            let found = weakness(secret).map(|(message, _)| message);
            assert_eq!(found.as_deref(), expected, "{secret:?}");
        }
    }
}
