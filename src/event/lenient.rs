//! Reading some fields of a JSON object in one pass, as forgivingly as JSON allows: a field of another type counts as
//! not there, as does one whose key is no text, and what is passed over may be of any type, size and depth.
//!
//! One pass has its price: a string that is no text (a lone surrogate) or a number beyond a double, in the place of an
//! object that is read, makes the whole text unreadable. Elsewhere it does not matter.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// A JSON object of which some fields are read.
pub(super) trait Object: Default {
    /// Takes the value of `key` from `fields`: exactly one value, whatever the key.
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, fields: &mut A) -> Result<(), A::Error>;
}

pub(super) fn skip<'de, A: MapAccess<'de>>(fields: &mut A) -> Result<(), A::Error> {
    fields.next_value().map(|IgnoredAny| ())
}

/// A string; anything else counts as not there, and so does an empty one or one that is no text (a lone surrogate).
pub(super) fn text<'de, A: MapAccess<'de>>(fields: &mut A) -> Result<Option<String>, A::Error> {
    let text: Option<String> = serde_json::from_str(raw(fields)?).ok();
    Ok(text.filter(|text| !text.is_empty()))
}

/// The JSON text of a value, whatever it is.
pub(super) fn raw<'de, A: MapAccess<'de>>(fields: &mut A) -> Result<&'de str, A::Error> {
    fields.next_value().map(RawValue::get)
}

/// An object; anything else counts as an empty one.
pub(super) fn object<'de, A: MapAccess<'de>, T: Object>(fields: &mut A) -> Result<T, A::Error> {
    let Lenient(object) = fields.next_value()?;
    Ok(object.unwrap_or_default())
}

/// A list of objects: how many items it has, and the first one; anything else counts as an empty list.
pub(super) fn list<'de, A: MapAccess<'de>, T: Object>(
    fields: &mut A,
) -> Result<(usize, Option<T>), A::Error> {
    let List { items, first } = fields.next_value()?;
    Ok((items, first))
}

/// An object, or `None` for any other JSON value.
pub(super) struct Lenient<T>(Option<T>);

impl<T: Object> Lenient<T> {
    /// Reads a whole JSON text; `None` when it is not an object.
    pub(super) fn read(json: &str) -> Option<T> {
        let Self(object) = serde_json::from_str(json).ok()?;
        object
    }
}

impl<'de, T: Object> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

/// The visits of a JSON value that is not what we look for: nothing to read, nothing wrong.
macro_rules! pass_over_scalars {
    ($none:expr) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($none)
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($none)
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($none)
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($none)
        }
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok($none)
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($none)
        }
    };
}

impl<'de, T: Object> Visitor<'de> for ObjectVisitor<T> {
    type Value = Lenient<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut object = T::default();
        while let Some(Key(key)) = fields.next_key()? {
            match key {
                Some(key) => object.field(&key, &mut fields)?,
                None => skip(&mut fields)?,
            }
        }
        Ok(Lenient(Some(object)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while let Some(IgnoredAny) = items.next_element()? {}
        Ok(Lenient(None))
    }

    pass_over_scalars!(Lenient(None));
}

struct List<T> {
    items: usize,
    first: Option<T>,
}

impl<'de, T: Object> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Object> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = List {
            items: 0,
            first: None,
        };
        while let Some(Lenient(item)) = items.next_element()? {
            list.items += 1;
            list.first = list.first.or(item);
        }
        Ok(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        while let Some((Key(_), IgnoredAny)) = fields.next_entry()? {}
        Ok(List {
            items: 0,
            first: None,
        })
    }

    pass_over_scalars!(List {
        items: 0,
        first: None
    });
}

/// An object's key, borrowed where it has no escapes, or `None` where it is no text. By way of its JSON text, as serde_json
/// would give up the whole object for one key with a lone surrogate.
struct Key<'de>(Option<Cow<'de, str>>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?.get();
        let inner = json.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
        let key = match inner.filter(|inner| !inner.contains('\\')) {
            Some(plain) => Some(Cow::Borrowed(plain)),
            None => serde_json::from_str(json).ok().map(Cow::Owned),
        };
        Ok(Self(key))
    }
}
