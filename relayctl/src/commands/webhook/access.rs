//! Arguments that say where Labelbox's API is, and where its key comes from.

use crate::context::Context;
use crate::error::Error;
use crate::error::ExitStatus;
use crate::http;
use crate::labelbox::{ApiKey, Labelbox, LabelboxError, parse_url};
use crate::prompt::{self, Answer};
use std::fs::File;
use std::path::{Path, PathBuf};

/// How to reach Labelbox.
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
    pub async fn open(&self, context: &Context) -> Result<Result<Labelbox, ExitStatus>, Error> {
        let url = parse_url(&self.api_url)?;
        let key = match self.api_key_file.as_deref() {
            None => context.api_key.clone().ok_or(LabelboxError::NoKey)?,
            Some(path) if path == Path::new("-") => match prompt::standard_input(context).await? {
                Answer::Given(text) => ApiKey(text),
                Answer::Withheld(exit_status) => return Ok(Err(exit_status)),
            },
            Some(path) => read_file(path)?,
        };
        let authorization = key.authorization()?;
        Ok(Ok(Labelbox::new(http::client(&context.trust().await?)?, url, authorization)))
    }
}

fn read_file(path: &Path) -> Result<ApiKey, LabelboxError> {
    let text = File::open(path).and_then(prompt::read_text);
    let text =
        text.map_err(|error| LabelboxError::BadKey(format!("{}: {error}", path.display())))?;
    Ok(ApiKey(text))
}
