//! A case as the Python side writes it, with the event that it expects; none, where the signature is to be refused.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// One case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// What draws it again.
    pub(crate) seed: u64,
    /// The shape that its body had at first.
    pub(crate) shape: String,
    /// What was done to its signature.
    pub(crate) done: String,
    pub(crate) sha1: Vec<String>,
    pub(crate) sha256: Vec<String>,
    pub(crate) secrets: Vec<String>,
    /// In base64.
    pub(crate) body: String,
    pub(crate) is_training: bool,
    pub(crate) topic: Option<String>,
    pub(crate) webhook: Option<String>,
    pub(crate) delivery_id: Option<String>,
    pub(crate) request_id: String,
    pub(crate) event: Option<Said>,
    /// The field that each value of the event was taken from, where several can have it.
    pub(crate) sources: BTreeMap<String, Option<String>>,
}

/// All that is said of an event.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    pub(crate) entity: String,
    pub(crate) reason: Option<String>,
    pub(crate) topic: Option<String>,
    pub(crate) entity_id: Option<String>,
    pub(crate) project_id: Option<String>,
    pub(crate) occurred_at: Option<String>,
    pub(crate) dedup_id: String,
    pub(crate) group_id: String,
}

impl Case {
    pub(crate) fn body(&self) -> Vec<u8> {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD
            .decode(&self.body)
            .unwrap()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = self.body();
        writeln!(
            f,
            "{} whose signature had this done to it: {}",
            self.shape, self.done
        )?;
        writeln!(f, "secrets   {:?}", self.secrets)?;
        writeln!(f, "headers   {:?} {:?}", self.sha1, self.sha256)?;
        writeln!(f, "topic     {:?}", self.topic)?;
        writeln!(f, "training  {}", self.is_training)?;
        writeln!(f, "webhook   {:?}", self.webhook)?;
        writeln!(f, "delivery  {:?}", self.delivery_id)?;
        writeln!(f, "request   {:?}", self.request_id)?;
        write!(f, "body      {}", body.escape_ascii())
    }
}
