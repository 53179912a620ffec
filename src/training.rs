//! The model list: what Labelbox offers its users to train.

/// The answer to `GET /training/models`: a JSON object with the names as keys, in the order given.
///
/// Source: Labelbox's reference services for model training read only the keys.
pub fn model_list(names: &[String]) -> String {
    let entries: Vec<_> = names
        .iter()
        .map(|name| format!("{}: {{}}", serde_json::Value::from(name.as_str())))
        .collect();
    format!("{{{}}}", entries.join(", "))
}

#[cfg(test)]
mod tests;
