//! What is sent: labels of four sizes, signed, as the HTTP API hands them to the function.

use anyhow::{Context, Result};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;
use std::path::Path;

/// The secret that everything is signed with.
pub(crate) const SECRET: &str = "example_secret";

const SIZES: [(&str, usize); 4] =
    [("2 KB", 2_000), ("64 KB", 64_000), ("900 KB", 900_000), ("4.3 MB", 4_300_000)];

/// One label, and the gateway's event that brings it.
#[derive(Clone)]
pub(crate) struct Delivery {
    /// Its size, for people.
    pub(crate) name: &'static str,
    /// What was signed.
    pub(crate) body: Bytes,
    /// The event, as JSON.
    pub(crate) event: Bytes,
    /// Attributes that its message has, with their values.
    pub(crate) attributes: [(&'static str, Value); 7],
}

/// One label of each size.
pub(crate) fn of_every_size(project: &Path) -> Result<Vec<Delivery>> {
    let samples = project.join("events");
    let read = |name: &str| -> Result<Value> {
        let path = samples.join(name);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("{} is needed", path.display()))?;
        Ok(serde_json::from_str(&text)?)
    };
    let sample = read("label-updated-v1-polygons.payload.json")?;
    let mut event = read("label-updated-v1-polygons.json")?;
    SIZES
        .into_iter()
        .map(|(name, size)| {
            let body = label(&sample, size)?;
            let mut mac = Hmac::<Sha1>::new_from_slice(SECRET.as_bytes())?;
            mac.update(body.as_bytes());
            let headers = event["headers"].as_object_mut().context("the sample has no headers")?;
            // Labelbox sends this one alone.
            headers.remove("x-hub-signature-256");
            headers.insert(
                "x-hub-signature".to_owned(),
                format!("sha1={}", hex::encode(mac.finalize().into_bytes())).into(),
            );
            headers.insert("content-length".to_owned(), size.to_string().into());
            event["body"] = body.clone().into();
            event["isBase64Encoded"] = json!(false);
            let attributes = [
                ("event", event["headers"]["x-labelbox-event"].clone()),
                ("entity", json!("label")),
                ("entity_id", sample["id"].clone()),
                ("project_id", sample["project"]["id"].clone()),
                ("delivery_id", event["headers"]["x-labelbox-id"].clone()),
                ("webhook", json!("labelbox")),
                ("occurred_at", sample["updatedAt"].clone()),
            ];
            let event = serde_json::to_vec(&event)?.into();
            Ok(Delivery { name, body: body.into(), event, attributes })
        })
        .collect()
}

/// The sample with as many of its polygons, again and again, as make `size` bytes; what is left is white space.
fn label(sample: &Value, size: usize) -> Result<String> {
    let text = sample["label"].as_str().context("the sample has no label")?;
    let mut drawn: Value = serde_json::from_str(text)?;
    let polygons = drawn["objects"].as_array().context("the sample has no objects")?.clone();
    let with = |objects: Vec<Value>, drawn: &mut Value| -> Result<String> {
        let mut label = sample.clone();
        drawn["objects"] = objects.into();
        label["label"] = serde_json::to_string(drawn)?.into();
        Ok(serde_json::to_string(&label)?)
    };
    let frame = with(Vec::new(), &mut drawn)?.len();
    let whole = with(polygons.clone(), &mut drawn)?.len() - frame;
    let count = size.saturating_sub(frame) * polygons.len() / whole;
    let mut count = count;
    loop {
        let objects = polygons.iter().cycle().take(count).cloned().collect();
        let mut body = with(objects, &mut drawn)?;
        if body.len() <= size {
            body.push_str(&" ".repeat(size - body.len()));
            return Ok(body);
        }
        count = count.checked_sub(1).context("the sample is larger than the body")?;
    }
}
