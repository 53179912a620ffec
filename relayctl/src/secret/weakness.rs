//! What makes a secret useless or weak: a name that no webhook has, few characters, or characters that nobody sees.

use super::edit::can_be_called;
use super::invisible::Invisible;
use super::value::{Text, bare, is_usable};

/// Shorter secrets can be guessed from a signed body.
const MIN_CHARACTERS: usize = 16;

/// What is wrong with the secrets of a name. Displays no part of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("no webhook can have this name")]
    ImpossibleName,
    #[error("nothing to verify with: every event is refused")]
    NothingUsable,
    #[error("the newest {0}")]
    Newest(Weakness),
    #[error("an old one {0}")]
    Old(Weakness),
    #[error("one is empty")]
    OneEmpty,
}

impl Fault {
    /// The worst fault of a name, or of a plain text.
    pub fn find(name: Option<&str>, texts: &[Text]) -> Option<Self> {
        if name.is_some_and(|name| !can_be_called(name)) {
            return Some(Self::ImpossibleName);
        }
        let mut usable = texts.iter().filter(|text| is_usable(text)).map(|text| bare(text));
        let Some(newest) = usable.next() else { return Some(Self::NothingUsable) };
        let old = || usable.find_map(|text| weakness(&text)).map(Self::Old);
        let empty = || texts.iter().any(|text| !is_usable(text)).then_some(Self::OneEmpty);
        weakness(&newest).map(Self::Newest).or_else(old).or_else(empty)
    }
}

/// Why a secret should not be used. Displays no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Editors, terminals and forms add and lose such characters, so Labelbox may sign with another secret.
    #[error("has {0}")]
    Invisible(Invisible),
    #[error("has white space in it")]
    WhiteSpace,
    #[error("has fewer than {MIN_CHARACTERS} characters")]
    Short,
}

/// Finds the worst weakness of a secret as the function uses it, without a newline at its end.
pub fn weakness(secret: &str) -> Option<Weakness> {
    if let Some(invisible) = Invisible::find(secret) {
        Some(Weakness::Invisible(invisible))
    } else if secret.contains(' ') {
        Some(Weakness::WhiteSpace)
    } else {
        (secret.chars().count() < MIN_CHARACTERS).then_some(Weakness::Short)
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
            let found = weakness(secret).map(|it| it.to_string());
            assert_eq!(found.as_deref(), expected, "{secret:?}");
        }
    }
}
