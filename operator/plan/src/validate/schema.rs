//! What the API server checks: form, bounds, patterns, required members, unique keys, and the rules of the schema.
//!
//! The server prunes members that a schema does not name, so they are no error here either; [`unknown_fields`] lists them
//! for those who want to hear of a misspelling.

use std::collections::BTreeSet;

use serde_json::Value;

use super::compiled::{self, Form, Schema, Unique};
use crate::core::kind::Kind;
use crate::core::report::Refusal;
use crate::core::text::{printable, quoted};

/// More refusals than this say nothing new.
const MOST_REFUSALS: usize = 50;

/// Checks `object` against the schema of `kind` and the rules in it. Empty for kinds that are not ours.
#[must_use]
pub fn schema(kind: Kind, object: &Value) -> Vec<Refusal> {
    let mut check = Check { kind, refusals: Vec::new() };
    if let Some(schema) = compiled::schema(kind) {
        check.value("", schema, object);
        // The server does not ask the rules either before the form is right.
        if check.refusals.is_empty() {
            check.rules("", schema, object);
        }
    }
    check.refusals
}

/// Paths of the members that the schema of `kind` does not name; the API server drops them.
#[must_use]
pub fn unknown_fields(kind: Kind, object: &Value) -> Vec<String> {
    let mut unknown = Vec::new();
    if let Some(schema) = compiled::schema(kind) {
        collect_unknown("", schema, object, &mut unknown);
    }
    unknown
}

struct Check {
    kind: Kind,
    refusals: Vec<Refusal>,
}

impl Check {
    fn refuse(&mut self, path: &str, message: impl Into<String>) {
        self.push(Refusal { path: path.to_owned(), exception: super::exception(self.kind), message: message.into() });
    }

    fn push(&mut self, refusal: Refusal) {
        if self.refusals.len() < MOST_REFUSALS {
            self.refusals.push(refusal);
        }
    }

    fn value(&mut self, path: &str, schema: &Schema, value: &Value) {
        if self.refusals.len() >= MOST_REFUSALS || (value.is_null() && schema.is_nullable) {
            return;
        }
        if let Some(form) = schema.form
            && !has_form(form, value)
        {
            return self.refuse(path, format!("must be of type {}, but is {}", form.as_str(), name_of(value)));
        }
        if !schema.allowed.is_empty() && !schema.allowed.contains(value) {
            let allowed: Vec<String> = schema.allowed.iter().filter(|one| !one.is_null()).map(plain).collect();
            self.refuse(path, format!("{} is not one of: {}", plain(value), allowed.join(", ")));
        }
        match value {
            Value::Number(number) => self.number(path, schema, number.as_f64().unwrap_or_default()),
            Value::String(text) => self.string(path, schema, text),
            Value::Array(items) => self.list(path, schema, items),
            Value::Object(members) => self.object(path, schema, members),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// The rules that the schema carries. One that cannot be evaluated is not met, as on the server. As there, rules
    /// about a part run before those about the whole.
    fn rules(&mut self, path: &str, schema: &Schema, value: &Value) {
        if value.is_null() {
            return;
        }
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    if let Some(inner) = schema.properties.get(name) {
                        self.rules(&join(path, name), inner, value);
                    } else if let Some(inner) = &schema.values {
                        self.rules(&format!("{path}[{}]", printable(name)), inner, value);
                    }
                }
            }
            Value::Array(items) => {
                if let Some(inner) = &schema.items {
                    for (number, item) in items.iter().enumerate() {
                        self.rules(&format!("{path}[{number}]"), inner, item);
                    }
                }
            }
            _ => {}
        }
        for rule in &schema.rules {
            if rule.expression.holds(value) != Ok(true) {
                let path = join(path, rule.path.trim_start_matches('.'));
                let exception = rule.exception.unwrap_or_else(|| super::exception(self.kind));
                self.push(Refusal { path, exception, message: rule.message.clone() });
            }
        }
    }

    fn number(&mut self, path: &str, schema: &Schema, number: f64) {
        if let Some(minimum) = schema.minimum.filter(|minimum| number < *minimum) {
            self.refuse(path, format!("must be at least {minimum}, but is {number}"));
        }
        if let Some(maximum) = schema.maximum.filter(|maximum| number > *maximum) {
            self.refuse(path, format!("must be at most {maximum}, but is {number}"));
        }
        if let Some(unit) = schema.multiple_of
            && (number / unit).fract() != 0.0
        {
            self.refuse(path, format!("must be a multiple of {unit}, but is {number}"));
        }
    }

    fn string(&mut self, path: &str, schema: &Schema, text: &str) {
        // The server counts characters, not bytes.
        let length = text.chars().count();
        if let Some(least) = schema.min_length.filter(|least| length < *least) {
            self.refuse(path, format!("must have at least {least} characters, but has {length}"));
        }
        if let Some(most) = schema.max_length.filter(|most| length > *most) {
            self.refuse(path, format!("must have at most {most} characters, but has {length}"));
        }
        if let Some(pattern) = schema.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
            self.refuse(path, format!("{} does not match {}", quoted(text), pattern.as_str()));
        }
        if schema.is_time && text.parse::<jiff::Timestamp>().is_err() {
            self.refuse(path, format!("{} is not a time like 2026-01-31T12:00:00Z", quoted(text)));
        }
    }

    fn list(&mut self, path: &str, schema: &Schema, items: &[Value]) {
        let count = items.len();
        if let Some(least) = schema.min_items.filter(|least| count < *least) {
            self.refuse(path, format!("must have at least {least} items, but has {count}"));
        }
        if let Some(most) = schema.max_items.filter(|most| count > *most) {
            self.refuse(path, format!("must have at most {most} items, but has {count}"));
            return;
        }
        let mut seen = BTreeSet::new();
        for (number, item) in items.iter().enumerate() {
            let path = format!("{path}[{number}]");
            if let Some(inner) = &schema.items {
                self.value(&path, inner, item);
            }
            let key: Vec<String> = match &schema.unique {
                Unique::Nothing => continue,
                Unique::Items => vec![item.to_string()],
                Unique::Keys(keys) => keys.iter().filter_map(|key| item.get(key)).map(Value::to_string).collect(),
            };
            if !key.is_empty() && !seen.insert(key.clone()) {
                self.refuse(&path, format!("Duplicate value: {} is already in the list", printable(&key.join(", "))));
            }
        }
    }

    fn object(&mut self, path: &str, schema: &Schema, members: &serde_json::Map<String, Value>) {
        for name in &schema.required {
            if !members.contains_key(name) {
                self.refuse(&join(path, name), "is required");
            }
        }
        let count = members.len();
        if let Some(least) = schema.min_properties.filter(|least| count < *least) {
            self.refuse(path, format!("must have at least {least} members, but has {count}"));
        }
        if let Some(most) = schema.max_properties.filter(|most| count > *most) {
            self.refuse(path, format!("must have at most {most} members, but has {count}"));
            return;
        }
        for (name, value) in members {
            if let Some(inner) = schema.properties.get(name) {
                self.value(&join(path, name), inner, value);
            } else if let Some(inner) = &schema.values {
                self.value(&format!("{path}[{}]", printable(name)), inner, value);
            }
        }
    }
}

fn collect_unknown(path: &str, schema: &Schema, value: &Value, unknown: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if let Some(inner) = schema.properties.get(name) {
                    collect_unknown(&join(path, name), inner, value, unknown);
                } else if let Some(inner) = &schema.values {
                    collect_unknown(&format!("{path}[{}]", printable(name)), inner, value, unknown);
                } else if !schema.keeps_unknown && schema.form == Some(Form::Object) && !is_kubernetes_own(path, name) {
                    unknown.push(join(path, &printable(name)));
                }
            }
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                if let Some(inner) = &schema.items {
                    collect_unknown(&format!("{path}[{number}]"), inner, item, unknown);
                }
            }
        }
        _ => {}
    }
}

/// What every object has, whatever its schema says; an object schema without members, as that of `metadata`, is left
/// alone too.
fn is_kubernetes_own(path: &str, name: &str) -> bool {
    path == "metadata"
        || path.starts_with("metadata.")
        || (path.is_empty() && matches!(name, "apiVersion" | "kind" | "metadata"))
}

fn has_form(form: Form, value: &Value) -> bool {
    match form {
        Form::Object => value.is_object(),
        Form::Array => value.is_array(),
        Form::String => value.is_string(),
        Form::Integer => is_whole(value),
        Form::Number => value.is_number(),
        Form::Boolean => value.is_boolean(),
        // The server takes a null here whether or not the schema is nullable.
        Form::IntegerOrString => value.is_string() || is_whole(value) || value.is_null(),
    }
}

/// 64-bit integers, however JSON writes them: the server takes `2.0` for 2.
fn is_whole(value: &Value) -> bool {
    value.is_i64() || value.as_f64().is_some_and(|number| number.fract() == 0.0 && number.abs() < 9.3e18)
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) if is_whole(value) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| printable(&value.to_string()), printable)
}

fn join(path: &str, name: &str) -> String {
    match (path, name) {
        ("", name) => name.to_owned(),
        (path, "") => path.to_owned(),
        (path, name) => format!("{path}.{name}"),
    }
}
