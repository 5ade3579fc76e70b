//! Text as documents: JSON and YAML, many in one text.
//!
//! YAML has two readings. `kubectl` reads YAML 1.1, in which `yes` is a boolean; the AWS CLI reads YAML 1.2, in which it
//! is a word. A manifest is read as `kubectl apply` will read it, an ECS document as `aws --cli-input-yaml` does, so both
//! are kept where they differ.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::options::DuplicateKeyPolicy;

use crate::error::InputError;
use crate::origin::Origin;

/// One document of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Where it is.
    pub origin: Origin,
    /// As JSON, or as YAML 1.2.
    pub value: Value,
    /// As YAML 1.1, where that is something else.
    pub legacy: Option<Value>,
}

/// More events than this come out of aliases only in a document made to exhaust memory.
const MOST_REPLAYED_EVENTS: usize = 100_000;

/// The documents of one file, empty ones left out.
///
/// # Errors
/// When the text is neither JSON nor YAML, or a key is in one mapping twice.
pub fn documents(file: &str, bytes: &[u8]) -> Result<Vec<Document>, InputError> {
    let text = text(bytes).ok_or_else(|| InputError::unreadable(file, "neither UTF-8 nor UTF-16 text"))?;
    let is_json_file = file.rsplit('.').next().is_some_and(|end| end.eq_ignore_ascii_case("json"));
    let may_be_json = text.trim_start().starts_with(['{', '[']);
    if is_json_file || may_be_json {
        match json(&text) {
            Ok(values) => return Ok(number(file, values.into_iter().map(|value| (value, None)))),
            Err(error) if is_json_file => return Err(InputError::unreadable(file, error)),
            // YAML's flow form also starts so; its parser has the last word.
            Err(_) => {}
        }
    }
    let values = yaml(&text, true).map_err(|error| InputError::unreadable(file, error))?;
    // What is no boolean there is none here either, so only a text with such a word needs the second reading.
    let legacy = yaml(&text, false).map_err(|error| InputError::unreadable(file, error))?;
    let pairs = values.into_iter().zip(legacy).map(|(value, legacy)| {
        let legacy = (legacy != value).then_some(legacy);
        (value, legacy)
    });
    Ok(number(file, pairs))
}

fn number(file: &str, values: impl Iterator<Item = (Value, Option<Value>)>) -> Vec<Document> {
    values
        .filter(|(value, _)| !value.is_null())
        .enumerate()
        .map(|(index, (value, legacy))| Document { origin: Origin::document(file, index + 1), value, legacy })
        .collect()
}

/// UTF-8, or UTF-16 with its byte order mark: PowerShell redirects the AWS CLI's output into such files.
fn text(bytes: &[u8]) -> Option<String> {
    let units = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let pairs = bytes.chunks_exact(2).filter_map(|pair| <[u8; 2]>::try_from(pair).ok());
        String::from_utf16(&pairs.map(read).collect::<Vec<u16>>()).ok()
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => units(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => units(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        _ => String::from_utf8(bytes.to_vec()).ok(),
    }
}

fn json(text: &str) -> Result<Vec<Value>, serde_json::Error> {
    serde_json::Deserializer::from_str(text)
        .into_iter::<Unique>()
        .map(|value| value.map(|Unique(value)| value))
        .collect()
}

fn yaml(text: &str, is_core: bool) -> Result<Vec<Value>, serde_saphyr::Error> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::Error,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MOST_REPLAYED_EVENTS },
        strict_booleans: is_core,
        // YAML 1.2 knows no `1_000`.
        underscored_numbers_as_strings: is_core,
        // Errors are one line each here.
        with_snippet: false,
    };
    serde_saphyr::from_multiple_with_options(text, options)
}

/// A JSON value in which no object has a key twice: of two values, one would be dropped without a word.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Unique)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
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

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number without end"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((name, Unique(value))) = members.next_entry::<String, Unique>()? {
            if map.contains_key(&name) {
                return Err(A::Error::custom(format!("duplicate key {name:?}")));
            }
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(file: &str, text: &str) -> Vec<Value> {
        documents(file, text.as_bytes()).unwrap().into_iter().map(|document| document.value).collect()
    }

    #[test]
    fn when_a_text_has_many_documents_then_each_is_numbered_and_empty_ones_are_left_out() {
        let read = documents("a.yaml", b"---\n# nothing\n---\na: 1\n---\nb: 2\n---\n").unwrap();
        let origins: Vec<String> = read.iter().map(|document| document.origin.to_string()).collect();
        assert_eq!(origins, ["a.yaml#1", "a.yaml#2"]);
        assert_eq!(values("a.json", "{\"a\": 1}\n{\"b\": 2}"), [json!({"a": 1}), json!({"b": 2})]);
    }

    #[test]
    fn when_a_key_is_there_twice_then_the_text_is_refused() {
        for (file, text) in [("a.json", r#"{"a": [{"b": 1, "b": 2}]}"#), ("a.yaml", "a: 1\na: 2\n")] {
            let error = documents(file, text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(file) && error.contains("duplicate"), "{error}");
        }
    }

    #[test]
    fn when_a_word_is_a_boolean_for_kubectl_only_then_both_readings_are_kept() {
        let read = documents("a.yaml", b"value: yes\nport: 1_000\n").unwrap();
        assert_eq!(read[0].value, json!({"value": "yes", "port": "1_000"}));
        assert_eq!(read[0].legacy, Some(json!({"value": true, "port": 1000})));
        assert_eq!(documents("a.yaml", b"value: true\n").unwrap()[0].legacy, None);
    }

    #[test]
    fn when_yaml_uses_anchors_then_they_are_followed_and_bombs_are_refused() {
        assert_eq!(values("a.yaml", "a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}\n")[0]["d"], json!({"b": 1, "e": 2}));
        let level = |level: usize| {
            let alias = if level == 0 { "x".to_owned() } else { format!("*a{}", level - 1) };
            format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 10].join(", "))
        };
        let bomb: String = (0..9).map(level).collect();
        assert!(documents("a.yaml", bomb.as_bytes()).is_err());
    }

    #[test]
    fn when_a_number_is_large_then_it_keeps_its_digits() {
        let text = r#"{"a": 9223372036854775807, "b": -9223372036854775808, "c": 18446744073709551615}"#;
        for file in ["a.json", "a.yaml"] {
            assert_eq!(values(file, text)[0], json!({"a": i64::MAX, "b": i64::MIN, "c": u64::MAX}), "{file}");
        }
        assert_eq!(values("a.yaml", "account: \"012345678901\"\n")[0], json!({"account": "012345678901"}));
    }

    #[test]
    fn when_powershell_wrote_the_file_then_it_is_read() {
        let mut bytes = vec![0xff, 0xfe];
        bytes.extend("{\"a\": \"ü\"}".encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(documents("a.json", &bytes).unwrap()[0].value, json!({"a": "ü"}));
        assert!(documents("a.json", &[0xff, 0xff, 0x00]).is_err());
    }

    #[test]
    fn when_nesting_has_no_end_then_the_text_is_refused() {
        for file in ["a.json", "a.yaml"] {
            assert!(documents(file, "[".repeat(100_000).as_bytes()).is_err(), "{file}");
            let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
            assert!(documents(file, deep.as_bytes()).is_err(), "{file}");
        }
    }
}
