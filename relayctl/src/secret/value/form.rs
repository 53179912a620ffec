//! The secret's JSON object, in the order and the form in which somebody wrote it.

use super::{Entry, Text};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::fmt;

/// An object's members in their order; of two with one name, the later counts, as it does to the function.
pub struct Entries(pub Vec<Entry>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object from names to secrets")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Entries, M::Error> {
        let mut entries: Vec<Entry> = Vec::new();
        while let Some((name, OneOrMore { texts, is_list })) = members.next_entry()? {
            entries.retain(|entry| entry.name != name);
            entries.push(Entry { name, texts, is_list });
        }
        Ok(Entries(entries))
    }
}

struct OneOrMore {
    texts: Vec<Text>,
    is_list: bool,
}

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Form {
            One(String),
            More(Vec<String>),
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::One(text) => Self { texts: vec![text.into()], is_list: false },
            Form::More(texts) => {
                Self { texts: texts.into_iter().map(Into::into).collect(), is_list: true }
            }
        })
    }
}

/// The same to be written, each in the form that it was read in.
pub struct Writing<'e>(pub &'e [Entry]);

impl Serialize for Writing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(Some(self.0.len()))?;
        for Entry { name, texts, is_list } in self.0 {
            match texts.as_slice() {
                [text] if !is_list => members.serialize_entry(name, text.as_str())?,
                texts => {
                    let texts: Vec<_> = texts.iter().map(|text| text.as_str()).collect();
                    members.serialize_entry(name, &texts)?;
                }
            }
        }
        members.end()
    }
}
