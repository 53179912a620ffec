//! Formats an error with its causes.

use std::error::Error;

/// An error and its sources, separated by colons. `relayctl` also formats AWS SDK errors, whose own message is only "service
/// error".
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let source_text = source.to_string();
        // Some SDK errors end with the text of their source.
        if !text.ends_with(&source_text) {
            text.push_str(": ");
            text.push_str(&source_text);
        }
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests;
