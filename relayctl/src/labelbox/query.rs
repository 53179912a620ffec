//! The GraphQL requests, word for word those of Labelbox's Python SDK.
//!
//! Source: <https://pypi.org/project/labelbox/>, 7.17.0: `schema/webhook.py`, `orm/query.py`. Its mutations have their values in
//! the text, its queries have variables.

use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// All that the SDK reads of a webhook.
const FIELDS: &str = "createdAt status topics id updatedAt url";
/// All that the SDK reads of a project.
const PROJECT_FIELDS: &str = "autoAuditNumberOfLabels autoAuditPercentage createdAt dataRowCount description \
                              editorTaskType isBenchmarkEnabled isConsensusEnabled lastActivityTime allowedMediaType \
                              modelSetupComplete name setupComplete id updatedAt uploadType";
/// How many the SDK asks for at once.
pub const PAGE: usize = 100;

/// The body of a request.
#[derive(Serialize)]
pub struct Query {
    #[serde(rename = "query")]
    pub text: Zeroizing<String>,
    /// The SDK's mutations have none, its queries an object.
    variables: Option<Value>,
    /// What must not be shown if a response quotes it.
    #[serde(skip)]
    hidden: Vec<Zeroizing<String>>,
}

impl Query {
    /// A query with several variables.
    pub fn with_variables(text: &str, variables: Value) -> Self {
        let text = Zeroizing::new(text.to_owned());
        Self { text, variables: Some(variables), hidden: Vec::new() }
    }

    /// A text without what must not be shown.
    pub fn hide(&self, text: &str) -> String {
        let hide = |text: String, hidden: &Zeroizing<String>| text.replace(hidden.as_str(), "…");
        self.hidden.iter().fold(text.to_owned(), hide)
    }
}

/// The webhooks of a project, or all, from this one on.
pub fn webhooks(project: Option<&str>, skip: usize) -> Query {
    let page = format!("webhooks(skip: {skip} first: {PAGE}){{{FIELDS}}}");
    let text = match project {
        None => format!("query GetOrganizationWebhooksPyApi{{organization{{{page}}}}}"),
        Some(_) => format!(
            "query GetProjectWebhooksPyApi($param_0: ID!){{project(where: {{id: $param_0}}){{{page}}}}}"
        ),
    };
    query(&text, project)
}

pub fn webhook(id: &str) -> Query {
    let text = format!(
        "query GetWebhookPyApi($param_0: ID!){{webhook(where: {{id: $param_0}}){{{FIELDS}}}}}"
    );
    query(&text, Some(id))
}

/// The project of a webhook; a global one has none.
pub fn project_of(webhook: &str) -> Query {
    let text = format!(
        "query GetWebhookProjectPyApi($param_0: ID!){{webhook(where: {{id: $param_0}}){{project{{{PROJECT_FIELDS}}}}}}}"
    );
    query(&text, Some(webhook))
}

pub fn create(topics: &[String], url: &str, secret: &str, project: Option<&str>) -> Query {
    let project = project.map(|id| format!("project:{{id:{}}},", literal(id)));
    let quoted = Zeroizing::new(literal(secret));
    let text = Zeroizing::new(format!(
        "mutation CreateWebhookPyApi {{ createWebhook(data:{{{} topics:{{set:[{}]}}, url:{}, secret:{} }}){{{FIELDS}}} }} ",
        project.unwrap_or_default(),
        topics.join(" "),
        literal(url),
        *quoted,
    ));
    let within = quoted.trim_matches('"').to_owned();
    Query {
        hidden: vec![Zeroizing::new(within), Zeroizing::new(secret.to_owned())],
        ..mutation(text)
    }
}

pub fn disable(id: &str) -> Query {
    mutation(Zeroizing::new(format!(
        "mutation UpdateWebhookPyApi {{ updateWebhook(where: {{id: {}}} data:{{status: INACTIVE}}){{{FIELDS}}}}} ",
        literal(id)
    )))
}

/// A text as GraphQL takes it: JSON's rules for strings are among its own.
///
/// Source: <https://spec.graphql.org/October2021/#sec-String-Value>. The SDK has the text as it is, which ends at a `"`.
fn literal(text: &str) -> String {
    Value::from(text).to_string()
}

fn query(text: &str, id: Option<&str>) -> Query {
    Query::with_variables(text, id.map_or_else(|| json!({}), |id| json!({ "param_0": id })))
}

fn mutation(text: Zeroizing<String>) -> Query {
    Query { text, variables: None, hidden: Vec::new() }
}

#[cfg(test)]
mod tests;
