//! Where a new secret comes from: made here, read from standard input, or typed on a terminal.

use super::value::Text;
use crate::asking::{self, Answer};
use crate::session::Session;
use crate::trouble::Trouble;
use tokio_rustls::rustls::crypto::ring;
use zeroize::Zeroizing;

/// As strong as the HMAC that it is for.
const BYTES: usize = 32;

/// Where it comes from; without an option it is made here.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub struct Origin {
    /// Make a new secret, 64 hexadecimal digits; this is so without an option, too
    #[arg(long)]
    generate: bool,
    /// Read the secret from standard input
    #[arg(long)]
    stdin: bool,
    /// Ask for the secret on the terminal, without showing it
    #[arg(long)]
    prompt: bool,
}

impl Origin {
    pub async fn take(&self, session: &Session<'_>) -> Result<Answer<Text>, Trouble> {
        let answer = if self.stdin {
            asking::standard_input(session).await?
        } else if self.prompt {
            ask_twice(session).await?
        } else {
            return generate().map(Answer::Given);
        };
        Ok(match answer {
            Answer::Given(text) => Answer::Given(check(text)?),
            withheld => withheld,
        })
    }
}

/// Makes a secret that one can paste into any form.
pub fn generate() -> Result<Text, Trouble> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    let random = ring::default_provider().secure_random;
    let filled = random.fill(&mut *bytes);
    filled.map_err(|_| Trouble::Refused("this machine gives no random numbers".to_owned()))?;
    Ok(Zeroizing::new(hex::encode(*bytes)))
}

async fn ask_twice(session: &Session<'_>) -> Result<Answer<Text>, Trouble> {
    let first = asking::hidden(session, "The secret: ".to_owned()).await?;
    let Answer::Given(text) = &first else {
        return Ok(first);
    };
    match asking::hidden(session, "Once more: ".to_owned()).await? {
        Answer::Given(again) if *text == again => Ok(first),
        Answer::Given(_) => Err(refuse("the two are not the same")),
        withheld => Ok(withheld),
    }
}

/// Takes what a person or another program has given, if Labelbox would sign with just this.
fn check(mut text: Text) -> Result<Text, Trouble> {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() {
        return Err(refuse("it is empty"));
    }
    if text.trim().len() != text.len() {
        return Err(refuse(
            "it begins or ends with white space, which gets lost on the way into a form",
        ));
    }
    if text.contains(char::is_control) {
        return Err(refuse(
            "it is more than one line, or has other control characters",
        ));
    }
    Ok(text)
}

fn refuse(why: &str) -> Trouble {
    Trouble::NotAskedFor(format!("this is no secret: {why}; nothing was changed"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn no_two_are_the_same_and_each_can_be_pasted() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 2 * BYTES);
        assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }

    #[test]
    fn one_newline_at_the_end_is_not_part_of_it() {
        for text in ["secret", "secret\n", "secret\r\n"] {
            assert_eq!(*check(text.to_owned().into()).unwrap(), "secret");
        }
        assert_eq!(
            *check("a \"b\" \\".to_owned().into()).unwrap(),
            "a \"b\" \\"
        );
    }

    #[test]
    fn what_would_not_survive_a_form_is_refused() {
        for text in [
            "",
            "\n",
            " secret",
            "secret \n",
            "secret\n\n",
            "sec\nret",
            "se\tcret",
        ] {
            assert!(check(text.to_owned().into()).is_err(), "{text:?}");
        }
    }
}
