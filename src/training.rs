//! The list of models that Labelbox offers for training.

/// Returns the body of the response to `GET /training/models`: a JSON object with the names as keys, in the given order.
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
