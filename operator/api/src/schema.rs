//! Building blocks of the schemas: values that ECS tools write in two ways, ignored members, CEL rules, list types.
//!
//! # Absent and null
//! An optional member is `Option<T>` and its schema is `nullable`, so that an explicit `null`, which many tools write for
//! "not set", is accepted by every way of writing (server-side apply keeps it, the others too). In CEL the API server
//! shows a null member of an object as absent: **`has(self.x)` is false and `self.?x.orValue(d)` is `d` for an explicit
//! null**, so rules need nothing more. Null is not hidden *inside* a list or a map, but schemas of items are never
//! nullable, so it is refused before any rule runs.
//!
//! The server refuses null for an `enum` even where `nullable` is set. The generator therefore turns the values of an
//! optional enum into a rule (rules of a null node are skipped); a required enum stays an `enum`.
//!
//! # Cost of rules
//! The server estimates the cost of a rule from the bounds. `orValue` hides the bound of a string or list: compare its
//! result with a literal only, and use `has(x) &&` where two strings are compared, a pattern is matched or a list is
//! walked.
//!
//! # Lists
//! The generator makes every list `x-kubernetes-list-type: atomic` unless the field says otherwise. A list with a natural
//! key, whose uniqueness is a rule of ECS, says so with
//! `#[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]`.
//!
//! # Bounds
//! Every list states its `maxItems`. A string without a bound of its own gets [`STRING_MAX_LENGTH`], a map of strings
//! [`MAP_MAX_PROPERTIES`]: the whole task definition may have 64 KiB, so neither can refuse what ECS accepts.

use std::fmt;

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Value, json};

/// Bound of strings for which ECS documents none: a task definition may have 64 KiB as a whole.
pub const STRING_MAX_LENGTH: u64 = 65_536;

/// Bound of maps of strings (`dockerLabels`, log options, …) for which ECS documents none.
pub const MAP_MAX_PROPERTIES: u64 = 1_000;

/// One CEL rule, kept as data so that the list of rules reads like a table.
///
/// The planner evaluates the same CEL again, because admission can be bypassed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The field that an error names, relative to the object that carries the rule (`.healthCheck`); empty for the
    /// object itself.
    pub path: &'static str,
    /// What the user reads; starts with the exception that ECS would throw.
    pub message: &'static str,
    /// Condition that a good object meets.
    pub cel: &'static str,
}

/// The value of `x-kubernetes-validations` for `rules`: `#[schemars(extend("x-kubernetes-validations" = validations(RULES)))]`.
#[must_use]
pub fn validations(rules: &[Rule]) -> Value {
    rules
        .iter()
        .map(|rule| {
            if rule.path.is_empty() {
                json!({ "rule": rule.cel, "message": rule.message })
            } else {
                json!({ "rule": rule.cel, "message": rule.message, "fieldPath": rule.path })
            }
        })
        .collect()
}

/// Schema of an object whose members are kept as they are: `#[schemars(schema_with = "schema::any_object")]`.
#[must_use]
pub fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// A number that ECS accepts as a string and that many tools write as a number: task-level `cpu` and `memory`.
///
/// Keeps the value as written. `"512"`, `"0.5 vCPU"`, `512` and `"1GB"` are all valid here; what they mean is decided
/// where the unit is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum StringOrInteger {
    /// Written as a number.
    Integer(i64),
    /// Written as a string.
    String(String),
}

impl fmt::Display for StringOrInteger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(formatter),
            Self::String(text) => text.fmt(formatter),
        }
    }
}

impl From<i64> for StringOrInteger {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<&str> for StringOrInteger {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl<'de> Deserialize<'de> for StringOrInteger {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StringOrIntegerVisitor)
    }
}

struct StringOrIntegerVisitor;

impl de::Visitor<'_> for StringOrIntegerVisitor {
    type Value = StringOrInteger;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string or an integer")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(StringOrInteger::Integer(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        i64::try_from(number)
            .map(StringOrInteger::Integer)
            .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(StringOrInteger::String(text.to_owned()))
    }
}

impl JsonSchema for StringOrInteger {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StringOrInteger".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-kubernetes-int-or-string": true, "maxLength": 64 })
    }
}

/// A member of `describe-…` output. Accepted, so that you can paste the output unchanged, and without effect.
///
/// Use as `Option<Ignored>` at the end of a spec. The value is kept as written: a round trip loses nothing. Say its form
/// with `#[schemars(schema_with = "Ignored::text")]`, so that it has bounds; only times, which tools write as texts or as
/// numbers with a fraction, have to go without, because a schema cannot say so. The planner bounds the whole spec.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ignored(pub Value);

/// Bound of lists that Describe calls return: the longest, events, has a hundred.
const IGNORED_MAX_ITEMS: u64 = 1_000;

impl Ignored {
    /// Schema of a member that is a text.
    #[must_use]
    pub fn text(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": 2_048, "nullable": true })
    }

    /// Schema of a member that is a whole number.
    #[must_use]
    pub fn integer(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "format": "int64", "nullable": true })
    }

    /// Schema of a member that is a list of anything.
    #[must_use]
    pub fn list(_: &mut SchemaGenerator) -> Schema {
        let item = json!({ "x-kubernetes-preserve-unknown-fields": true });
        json_schema!({ "type": "array", "maxItems": IGNORED_MAX_ITEMS, "items": item, "nullable": true })
    }
}

impl JsonSchema for Ignored {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Ignored".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-kubernetes-preserve-unknown-fields": true, "nullable": true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_for_a_string_or_integer_is_what_is_written_back() {
        for text in [r#""512""#, "512", "-1", r#""0.5 vCPU""#, r#""""#] {
            let value: StringOrInteger = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&value).unwrap(), text);
        }
    }

    #[test]
    fn a_string_or_integer_refuses_everything_else() {
        for text in ["0.5", "true", "[]", "{}", "18446744073709551615"] {
            let error = serde_json::from_str::<StringOrInteger>(text).unwrap_err().to_string();
            assert!(error.contains("a string or an integer"), "{text}: {error}");
        }
    }

    #[test]
    fn an_ignored_member_keeps_any_value() {
        for text in [r#"{"a":[1,null]}"#, "1763746800.5", r#""x""#, "[]"] {
            let value: Option<Ignored> = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&value).unwrap(), text);
        }
    }

    #[test]
    fn a_rule_without_a_path_has_no_field_path() {
        let rules = [Rule { path: "", message: "m", cel: "true" }, Rule { path: ".a", message: "m", cel: "true" }];
        assert_eq!(
            validations(&rules),
            json!([{ "rule": "true", "message": "m" }, { "rule": "true", "message": "m", "fieldPath": ".a" }])
        );
    }
}
