//! Reads single values of a JSON text without building a tree: other values are skipped and not decoded.
//!
//! Only the grammar of RFC 8259 is required: a number may have any size, and a string may have a lone surrogate.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The JSON text of one value. A value that is missing is `null`.
#[derive(Clone, Copy)]
pub(super) struct Json<'a>(&'a str);

impl<'a> Json<'a> {
    pub(super) const NULL: Self = Self("null");

    /// A value from a text that may not be JSON.
    pub(super) fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// Returns a non-empty string. `None` for any other value, and for a string with a lone surrogate.
    pub(super) fn string(self) -> Option<String> {
        if !self.0.starts_with('"') {
            return None;
        }
        let text: Option<String> = serde_json::from_str(self.0).ok();
        text.filter(|text| !text.is_empty())
    }

    /// Returns the value of a field, of the last one with this name. `null` if this is not an object.
    pub(super) fn get(self, name: &str) -> Self {
        self.get_all([name]).map_or(Self::NULL, |[value]| value)
    }

    /// Returns the values of several fields in one pass. `None` if this is not a JSON object.
    pub(super) fn get_all<const N: usize>(self, names: [&str; N]) -> Option<[Self; N]> {
        let mut values = [Self::NULL; N];
        let is_object = self.for_each_field(|key, value| {
            for (_, slot) in names.iter().zip(&mut values).filter(|(name, _)| **name == key) {
                *slot = value;
            }
        });
        is_object.then_some(values)
    }

    /// Visits the fields of an object in their order. Returns `false` if this is not a JSON object; fields before the
    /// error may have been visited then.
    pub(super) fn for_each_field(self, visit: impl FnMut(&str, Self)) -> bool {
        // serde_json's error would describe the value, which costs more than to parse it.
        if !self.0.trim_ascii_start().starts_with('{') {
            return false;
        }
        let mut json = serde_json::Deserializer::from_str(self.0);
        let visited = json.deserialize_map(Fields(visit));
        visited.and_then(|()| json.end()).is_ok()
    }

    /// Visits the items of an array in their order. Any other value has none.
    pub(super) fn for_each_item(self, visit: impl FnMut(Self)) {
        if !self.0.starts_with('[') {
            return;
        }
        // This text is part of one that has been parsed.
        let _ = serde_json::Deserializer::from_str(self.0).deserialize_seq(Items(visit));
    }
}

struct Fields<F>(F);

impl<'de, F: FnMut(&str, Json<'de>)> Visitor<'de> for Fields<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        while let Some((Key(key), value)) = fields.next_entry::<_, &RawValue>()? {
            if let Some(key) = key {
                (self.0)(&key, Json(value.get()));
            }
        }
        Ok(())
    }
}

struct Items<F>(F);

impl<'de, F: FnMut(Json<'de>)> Visitor<'de> for Items<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<&RawValue>()? {
            (self.0)(Json(item.get()));
        }
        Ok(())
    }
}

/// A field's name, borrowed unless it has escapes. `None` if it has a lone surrogate, for which `serde_json` would
/// reject the whole object.
struct Key<'de>(Option<Cow<'de, str>>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?.get();
        let inner = json.strip_prefix('"').and_then(|json| json.strip_suffix('"'));
        let key = match inner.filter(|inner| !inner.contains('\\')) {
            Some(plain) => Some(Cow::Borrowed(plain)),
            None => serde_json::from_str(json).ok().map(Cow::Owned),
        };
        Ok(Self(key))
    }
}
