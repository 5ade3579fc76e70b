//! Reads objects from the text of lists and watches, however deep they are nested.
//!
//! An API server takes objects of 10,000 levels where a schema leaves members open; the reader of `serde_json` gives up at
//! 128. One such object must not end the watch of its kind for everybody, so what is deeper than [`DEEPEST`] is left out
//! then. Nothing that has an effect is nested that deep: plans refuse it at a quarter of this depth.

use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

/// Levels that are kept of an object that is nested too deep to be read as it is.
pub const DEEPEST: usize = 64;

/// What could be read of an object.
#[derive(Debug)]
pub enum Read {
    /// Everything.
    Whole(Value),
    /// Everything but what is nested deeper than [`DEEPEST`] levels; `null` stands in its place.
    Cut(Value),
    /// Who it is, and why nothing else could be read.
    Identity(Identity, serde_json::Error),
}

/// Who an object is.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Identity {
    /// `metadata.namespace`
    pub namespace: Option<String>,
    /// `metadata.name`
    pub name: String,
    /// `metadata.resourceVersion`
    pub resource_version: String,
}

/// Reads the text of an object.
#[must_use]
pub fn object(text: &RawValue) -> Read {
    if let Ok(value) = serde_json::from_str(text.get()) {
        return Read::Whole(value);
    }
    let is_cut = Cell::new(false);
    let mut reader = serde_json::Deserializer::from_str(text.get());
    match (Levels { left: DEEPEST, is_cut: &is_cut }).deserialize(&mut reader) {
        Ok(value) if is_cut.get() => Read::Cut(value),
        Ok(value) => Read::Whole(value),
        Err(error) => Read::Identity(identity(text), error),
    }
}

/// Members that are not asked for are passed over without recursion and without reading their values.
fn identity(text: &RawValue) -> Identity {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Identified {
        metadata: Identity,
    }
    serde_json::from_str::<Identified>(text.get()).unwrap_or_default().metadata
}

/// Reads a value of so many levels and passes over what is below them.
#[derive(Clone, Copy)]
struct Levels<'a> {
    left: usize,
    is_cut: &'a Cell<bool>,
}

impl Levels<'_> {
    fn below(self) -> Option<Self> {
        let left = self.left.checked_sub(1);
        if left.is_none() {
            self.is_cut.set(true);
        }
        Some(Self { left: left?, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Levels<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Levels<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let Some(below) = self.below() else {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        };
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let Some(below) = self.below() else {
            while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        };
        let mut map = Map::new();
        while let Some(name) = members.next_key()? {
            map.insert(name, members.next_value_seed(below)?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Read {
        object(&RawValue::from_string(text.to_owned()).unwrap())
    }

    /// An object with a list of lists in it, so many levels deep.
    fn deep(levels: usize) -> String {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!(
            r#"{{"metadata": {{"name": "n"}}, "spec": {{"deep": {open}1{close}, "flat": [-1, 2.5, "a\n", null, true]}}}}"#
        )
    }

    #[test]
    fn when_an_object_is_nested_as_deep_as_servers_allow_then_all_but_its_depth_is_read() {
        for levels in [200, 9_990] {
            let Read::Cut(value) = read(&deep(levels)) else { panic!("{levels}") };
            assert_eq!(value["metadata"]["name"], "n");
            assert_eq!(value["spec"]["flat"], serde_json::json!([-1, 2.5, "a\n", null, true]));
            let mut depth = 0;
            let mut inner = &value["spec"]["deep"];
            while let Some(next) = inner.get(0) {
                (depth, inner) = (depth + 1, next);
            }
            // The object and its spec are two levels.
            assert_eq!((depth, inner), (DEEPEST - 2, &Value::Null));
        }
    }

    #[test]
    fn when_an_object_can_be_read_then_nothing_is_left_out() {
        for levels in [1, DEEPEST, 100] {
            let Read::Whole(value) = read(&deep(levels)) else { panic!("{levels}") };
            assert_eq!(value, serde_json::from_str::<Value>(&deep(levels)).unwrap());
        }
    }

    #[test]
    fn when_a_value_cannot_be_read_at_all_then_the_object_is_still_named() {
        let text = r#"{"spec": {"a": 1e999}, "metadata": {"name": "n", "namespace": "a", "resourceVersion": "7"}}"#;
        let Read::Identity(identity, _) = read(text) else { panic!() };
        assert_eq!((identity.name.as_str(), identity.namespace.as_deref()), ("n", Some("a")));
        assert_eq!(identity.resource_version, "7");
    }
}
