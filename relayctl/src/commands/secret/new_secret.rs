//! Where a new secret comes from: made here, read from standard input, or typed on a terminal.

use crate::context::Context;
use crate::error::Error;
use crate::prompt::{self, Answer};
use crate::secret::invisible::Invisible;
use crate::secret::value::{Text, bare};
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
    pub async fn take(&self, context: &Context) -> Result<Answer<Text>, Error> {
        let answer = if self.stdin {
            prompt::standard_input(context).await?
        } else if self.prompt {
            ask_twice(context).await?
        } else {
            return generate().map(Answer::Given);
        };
        Ok(match answer {
            Answer::Given(text) => Answer::Given(check(&text)?),
            withheld => withheld,
        })
    }
}

/// Makes a secret that one can paste into any form.
pub fn generate() -> Result<Text, Error> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    let random = ring::default_provider().secure_random;
    let filled = random.fill(&mut *bytes);
    filled.map_err(|_| Error::Refused("this machine gives no random numbers".to_owned()))?;
    Ok(Zeroizing::new(hex::encode(*bytes)))
}

async fn ask_twice(context: &Context) -> Result<Answer<Text>, Error> {
    let first = prompt::hidden(context, "The secret: ".to_owned()).await?;
    let Answer::Given(text) = &first else {
        return Ok(first);
    };
    match prompt::hidden(context, "Once more: ".to_owned()).await? {
        Answer::Given(again) if *text == again => Ok(first),
        Answer::Given(_) => Err(refuse("the two are not the same")),
        withheld => Ok(withheld),
    }
}

/// Takes what a person or another program has given, if Labelbox would sign with just this.
fn check(text: &Text) -> Result<Text, Error> {
    let text = bare(text);
    if text.is_empty() {
        return Err(refuse("it is empty"));
    }
    if let Some(found) = Invisible::find(&text) {
        return Err(refuse(&format!(
            "it has {found}; give it without that character, or let --generate make a new one"
        )));
    }
    Ok(text)
}

fn refuse(why: &str) -> Error {
    Error::Usage(format!("this is no secret: {why}; nothing was changed"))
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
    fn one_newline_at_the_end_and_one_byte_order_mark_are_not_part_of_it() {
        for (text, taken) in [
            ("secret", "secret"),
            ("secret\n", "secret"),
            ("\u{feff}secret\r\n", "secret"),
            ("a \"b\" \\", "a \"b\" \\"),
        ] {
            assert_eq!(*check(&text.to_owned().into()).unwrap(), taken);
        }
    }

    #[test]
    fn what_would_not_survive_a_form_is_refused() {
        for (text, says) in [
            ("", "it is empty"),
            ("\u{feff}\n", "it is empty"),
            (" hush", "U+0020 (white space) at position 1;"),
            ("hush \n", "U+0020 (white space) at position 5;"),
            ("hush\n\n", "U+000A (control character) at position 5;"),
            ("hu\nsh", "U+000A (control character) at position 3;"),
            ("\u{feff}\u{feff}hush", "U+FEFF (invisible) at position 1;"),
            ("hush\u{200b}\n", "U+200B (invisible) at position 5;"),
        ] {
            let line = check(&text.to_owned().into()).unwrap_err().line();
            assert!(line.contains(says) && !line.contains("hu"), "{line}");
        }
    }
}
