//! What opens Labelbox: its address, and the user's API key, which hides.

use super::fault::Fault;
use super::labelbox::Labelbox;
use crate::asking::{self, Answer};
use crate::ending::Ending;
use crate::http;
use crate::session::Session;
use crate::trouble::Trouble;
use reqwest::Url;
use reqwest::header::HeaderValue;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Where it is.
#[derive(Debug, clap::Args)]
pub struct Access {
    /// Read the API key from this file, - is standard input, and not from LABELBOX_API_KEY
    #[arg(long, value_name = "FILE", global = true)]
    api_key_file: Option<PathBuf>,
    /// Labelbox's GraphQL API
    #[arg(
        long,
        value_name = "URL",
        env = "LABELBOX_API_URL",
        default_value = "https://api.labelbox.com/graphql",
        global = true
    )]
    api_url: String,
}

impl Access {
    /// Reads the key, and makes the client; or ends, where Ctrl-C came before the key.
    pub async fn open(&self, session: &Session<'_>) -> Result<Result<Labelbox, Ending>, Trouble> {
        let url = read_address(&self.api_url)?;
        let key = match self.api_key_file.as_deref() {
            None => session.api_key.clone().ok_or(Fault::NoKey)?,
            Some(path) if path == Path::new("-") => match asking::standard_input(session).await? {
                Answer::Given(text) => ApiKey(text),
                Answer::Withheld(ending) => return Ok(Err(ending)),
            },
            Some(path) => read_file(path)?,
        };
        let authorization = key.authorization()?;
        Ok(Ok(Labelbox::new(http::client()?, url, authorization)))
    }
}

fn read_file(path: &Path) -> Result<ApiKey, Fault> {
    let text = File::open(path).and_then(asking::read_text);
    let text = text.map_err(|error| Fault::BadKey(format!("{}: {error}", path.display())))?;
    Ok(ApiKey(text))
}

/// The key goes to this address: over TLS, or not further than this machine.
fn read_address(text: &str) -> Result<Url, Fault> {
    let url = Url::parse(text).map_err(|_| Fault::BadAddress(super::fault::tame(text)))?;
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_this_machine(&url));
    let is_plain = url.username().is_empty() && url.password().is_none();
    if is_safe && is_plain {
        return Ok(url);
    }
    Err(Fault::BadAddress(super::fault::tame(text)))
}

/// Whether an address leads to the machine that it is used on.
pub fn is_this_machine(url: &Url) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    let host = host.trim_matches(['[', ']', '.']);
    let is_loopback = (host.parse::<std::net::IpAddr>()).is_ok_and(|address| address.is_loopback());
    is_loopback || host == "localhost" || host.ends_with(".localhost")
}

/// What Labelbox knows the user by. It is never printed.
#[derive(Clone)]
pub struct ApiKey(Zeroizing<String>);

impl ApiKey {
    /// The variable that has it, as for Labelbox's SDK.
    pub const VARIABLE: &str = "LABELBOX_API_KEY";

    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The header that shows it.
    fn authorization(&self) -> Result<HeaderValue, Fault> {
        let key = self.0.trim();
        if key.is_empty() {
            return Err(Fault::NoKey);
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            let why = "it is not one word of plain letters, digits and signs";
            return Err(Fault::BadKey(why.to_owned()));
        }
        let header = Zeroizing::new(format!("Bearer {key}"));
        let header = HeaderValue::from_str(&header);
        let mut header = header.map_err(|error| Fault::BadKey(error.to_string()))?;
        header.set_sensitive(true);
        Ok(header)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

#[cfg(test)]
mod tests;
