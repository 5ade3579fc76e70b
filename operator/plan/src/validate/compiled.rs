//! The schemas of the custom resources in a form that is quick to check against: compiled once, patterns included.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use regex::Regex;
use serde_json::Value;

use super::cel::Expression;
use crate::core::kind::Kind;
use api::conditions::Reason;

/// Form of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    /// `x-kubernetes-int-or-string`
    IntegerOrString,
}

impl Form {
    /// The name of the form in messages.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::IntegerOrString => "integer or string",
        }
    }
}

/// What may be in a list only once.
#[derive(Debug, Default)]
pub(super) enum Unique {
    /// Nothing: a list of type `atomic`.
    #[default]
    Nothing,
    /// Items: a list of type `set`.
    Items,
    /// The values of these members: a list of type `map`.
    Keys(Vec<String>),
}

/// One rule of a schema, read.
#[derive(Debug)]
pub(super) struct Rule {
    /// Member that the rule is about, below the value that carries it: `.healthCheck`.
    pub(super) path: String,
    /// The exception that the message starts with, if it starts with one.
    pub(super) exception: Option<Reason>,
    /// The message without the exception.
    pub(super) message: String,
    pub(super) expression: Expression,
}

/// One node of a structural schema.
#[derive(Debug, Default)]
pub(super) struct Schema {
    /// `None` accepts every form.
    pub(super) form: Option<Form>,
    pub(super) is_nullable: bool,
    /// Members that the schema does not name are kept by the server.
    pub(super) keeps_unknown: bool,
    pub(super) allowed: Vec<Value>,
    pub(super) minimum: Option<f64>,
    pub(super) maximum: Option<f64>,
    pub(super) multiple_of: Option<f64>,
    pub(super) min_length: Option<usize>,
    pub(super) max_length: Option<usize>,
    pub(super) pattern: Option<Regex>,
    pub(super) is_time: bool,
    pub(super) min_items: Option<usize>,
    pub(super) max_items: Option<usize>,
    pub(super) min_properties: Option<usize>,
    pub(super) max_properties: Option<usize>,
    pub(super) properties: BTreeMap<String, Schema>,
    pub(super) required: Vec<String>,
    /// Schema of the values of a map.
    pub(super) values: Option<Box<Schema>>,
    pub(super) items: Option<Box<Schema>>,
    pub(super) unique: Unique,
    /// `x-kubernetes-validations`, without those that compare with the previous object.
    pub(super) rules: Vec<Rule>,
}

/// The schema of the objects of `kind`; `None` for kinds that are not ours.
pub(super) fn schema(kind: Kind) -> Option<&'static Schema> {
    static SCHEMAS: OnceLock<BTreeMap<Kind, Schema>> = OnceLock::new();
    SCHEMAS
        .get_or_init(|| {
            let mut schemas = BTreeMap::new();
            let mut patterns = Patterns::new();
            for crd in api::crds::all().unwrap_or_default() {
                let kind = Kind::ALL.into_iter().find(|kind| kind.is_ours() && kind.kind() == crd.spec.names.kind);
                let schema = crd.spec.versions.first().and_then(|version| version.schema.as_ref());
                let open_api = schema.and_then(|schema| schema.open_api_v3_schema.as_ref());
                if let (Some(kind), Some(Ok(open_api))) = (kind, open_api.map(serde_json::to_value)) {
                    schemas.insert(kind, compile(&open_api, &mut patterns));
                }
            }
            schemas
        })
        .get(&kind)
}

/// Patterns that were compiled already. Those of names and tags stand in dozens of places, and one with Unicode classes
/// takes about 100 KiB.
type Patterns = BTreeMap<String, Option<Regex>>;

/// A pattern that does not compile is found by a test of this file; the server refuses such a CRD anyway.
fn pattern(text: &str, patterns: &mut Patterns) -> Option<Regex> {
    patterns.entry(text.to_owned()).or_insert_with(|| Regex::new(text).ok()).clone()
}

fn compile(schema: &Value, patterns: &mut Patterns) -> Schema {
    let flag = |name: &str| schema.get(name).and_then(Value::as_bool).unwrap_or_default();
    let text = |name: &str| schema.get(name).and_then(Value::as_str);
    let number = |name: &str| schema.get(name).and_then(Value::as_f64);
    let count = |name: &str| schema.get(name).and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok());
    let texts = |name: &str| -> Vec<String> {
        let list = schema.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
    };
    let mut inner =
        |name: &str| schema.get(name).filter(|value| value.is_object()).map(|value| Box::new(compile(value, patterns)));
    let (values, items) = (inner("additionalProperties"), inner("items"));
    let form = if flag("x-kubernetes-int-or-string") {
        Some(Form::IntegerOrString)
    } else {
        match text("type") {
            Some("object") => Some(Form::Object),
            Some("array") => Some(Form::Array),
            Some("string") => Some(Form::String),
            Some("integer") => Some(Form::Integer),
            Some("number") => Some(Form::Number),
            Some("boolean") => Some(Form::Boolean),
            _ => None,
        }
    };
    Schema {
        form,
        is_nullable: flag("nullable"),
        keeps_unknown: flag("x-kubernetes-preserve-unknown-fields"),
        allowed: schema.get("enum").and_then(Value::as_array).cloned().unwrap_or_default(),
        minimum: number("minimum"),
        maximum: number("maximum"),
        multiple_of: number("multipleOf"),
        min_length: count("minLength"),
        max_length: count("maxLength"),
        pattern: text("pattern").and_then(|text| pattern(text, patterns)),
        is_time: text("format") == Some("date-time"),
        min_items: count("minItems"),
        max_items: count("maxItems"),
        min_properties: count("minProperties"),
        max_properties: count("maxProperties"),
        properties: schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), compile(value, patterns)))
            .collect(),
        required: texts("required"),
        values,
        items,
        unique: match text("x-kubernetes-list-type") {
            Some("map") => Unique::Keys(texts("x-kubernetes-list-map-keys")),
            Some("set") => Unique::Items,
            _ => Unique::Nothing,
        },
        rules: schema
            .get("x-kubernetes-validations")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(rule)
            .collect(),
    }
}

/// A rule that cannot be read is found by a test of this file.
fn rule(rule: &Value) -> Option<Rule> {
    let text = |name: &str| rule.get(name).and_then(Value::as_str);
    let expression = Expression::parse(text("rule")?).ok().filter(|expression| !expression.is_transition())?;
    let message = text("message").unwrap_or_default();
    let (exception, message) = match message.split_once(": ") {
        Some((word, rest)) if word.ends_with("Exception") => (word.parse().ok(), rest),
        _ => (None, message),
    };
    let path = text("fieldPath").unwrap_or_default().to_owned();
    Some(Rule { path, exception, message: message.to_owned(), expression })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(value: &Value, see: &mut impl FnMut(&str, &Value)) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, value)| {
                see(name, value);
                walk(value, see);
            }),
            Value::Array(items) => items.iter().for_each(|item| walk(item, see)),
            _ => {}
        }
    }

    #[test]
    fn every_kind_of_ours_has_a_schema_and_no_other_has() {
        for kind in Kind::ALL {
            assert_eq!(schema(kind).is_some(), kind.is_ours(), "{kind}");
        }
    }

    #[test]
    fn every_pattern_compiles_and_means_the_same_in_go() {
        for crd in api::crds::all().unwrap() {
            walk(&serde_json::to_value(&crd.spec.versions).unwrap(), &mut |name, value| {
                let (true, Some(pattern)) = (name == "pattern", value.as_str()) else { return };
                Regex::new(pattern).unwrap();
                // ASCII classes in Go, Unicode ones here.
                for class in ["\\d", "\\w", "\\s", "\\b", "(?i"] {
                    assert!(!pattern.contains(class), "{pattern}");
                }
            });
        }
    }

    #[test]
    fn every_rule_of_every_schema_can_be_read_and_an_exception_it_names_is_a_known_one() {
        let mut count = 0;
        for crd in api::crds::all().unwrap() {
            walk(&serde_json::to_value(&crd.spec.versions).unwrap(), &mut |name, value| {
                let (true, Some(rules)) = (name == "x-kubernetes-validations", value.as_array()) else { return };
                for rule in rules {
                    let text = rule["rule"].as_str().unwrap();
                    let expression = Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
                    let names_one = rule["message"].as_str().unwrap().contains("Exception: ");
                    let is_known = super::rule(rule).is_none_or(|rule| rule.exception.is_some() == names_one);
                    assert!(expression.is_transition() || is_known, "{rule}");
                    count += 1;
                }
            });
        }
        assert!(count > 100, "{count}");
    }

    #[test]
    fn the_schemas_use_no_keyword_that_is_not_checked_here() {
        for crd in api::crds::all().unwrap() {
            walk(&serde_json::to_value(&crd.spec.versions).unwrap(), &mut |name, value| {
                let is_foreign = ["allOf", "oneOf", "not", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum"];
                assert!(!is_foreign.contains(&name) || value.is_object(), "{name}");
                if name == "format" && value.is_string() {
                    assert!(["date-time", "int32", "int64", "double"].contains(&value.as_str().unwrap()), "{value}");
                }
            });
        }
    }
}
