//! How much one object may say: it is kept in memory, read by many plans and copied into records and pods.
//!
//! ECS bounds a task definition to 64 KiB and a service by its API. What schemas here leave open, what Describe calls return
//! and `kubernetes`, is bounded as a whole.

use serde_json::Value;

use crate::core::json::length;
use crate::core::kind::Kind;
use crate::core::report::Refusal;
use crate::core::store::MOST_SPEC_BYTES;
use crate::support::Document;

/// Levels of lists and objects in a spec. The deepest member that has an effect is at 10.
const MOST_LEVELS: usize = 32;

/// Bytes of all labels or all annotations that a pod gets from one document. The API server takes 256 KiB of annotations,
/// which every task would repeat.
const MOST_METADATA_BYTES: usize = 16 * 1024;

/// What is too much in `object`. With a refusal here the rest need not be looked at.
pub(super) fn check(kind: Kind, object: &Value) -> Vec<Refusal> {
    let Some(spec) = object.get("spec").filter(|_| Document::of(kind).is_some()) else { return Vec::new() };
    let mut refusals = Vec::new();
    for (name, value) in spec.as_object().into_iter().flatten() {
        if is_deeper(value, MOST_LEVELS - 1) {
            let message = format!("is nested deeper than {MOST_LEVELS} levels");
            refusals.push(super::refusal(kind, &format!("spec.{}", super::line(name)), message));
        }
    }
    let bytes = length(spec);
    if bytes > MOST_SPEC_BYTES {
        refusals.push(too_long(kind, bytes));
    }
    for name in ["podLabels", "podAnnotations"] {
        let pairs = spec.get("kubernetes").and_then(|kubernetes| kubernetes.get(name)).and_then(Value::as_object);
        let pairs = pairs.into_iter().flatten();
        let bytes: usize = pairs.map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
        if bytes > MOST_METADATA_BYTES {
            let message = format!("must have at most {MOST_METADATA_BYTES} bytes together, but has {bytes}");
            refusals.push(super::refusal(kind, &format!("spec.kubernetes.{name}"), message));
        }
    }
    refusals
}

/// The refusal of a spec of so many bytes.
pub(super) fn too_long(kind: Kind, bytes: usize) -> Refusal {
    super::refusal(kind, "spec", format!("must have at most {MOST_SPEC_BYTES} bytes as JSON, but has {bytes}"))
}

/// Whether a value has more than so many levels of lists and objects.
fn is_deeper(value: &Value, levels: usize) -> bool {
    let below = |mut values: Box<dyn Iterator<Item = &Value> + '_>| match levels.checked_sub(1) {
        Some(left) => values.any(|value| is_deeper(value, left)),
        None => true,
    };
    match value {
        Value::Array(items) => below(Box::new(items.iter())),
        Value::Object(members) => below(Box::new(members.values())),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(spec: &Value) -> Vec<(String, String)> {
        let refusals = check(Kind::Service, &json!({ "spec": spec }));
        refusals.into_iter().map(|refusal| (refusal.path, refusal.message)).collect()
    }

    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!(1), |inner, level| if level % 2 == 0 { json!([inner]) } else { json!({ "a": inner }) })
    }

    #[test]
    fn when_a_spec_is_nested_deeper_than_the_limit_then_the_member_is_named() {
        assert_eq!(said(&json!({ "events": nested(MOST_LEVELS - 1), "status": "ACTIVE" })), []);
        let told = said(&json!({ "events": nested(MOST_LEVELS), "status": "ACTIVE" }));
        assert_eq!(told, [("spec.events".to_owned(), "is nested deeper than 32 levels".to_owned())]);
    }

    #[test]
    fn when_a_spec_or_the_metadata_of_its_pods_is_too_long_then_its_length_is_told() {
        let of = |bytes: usize| json!({ "roleArn": "x".repeat(bytes) });
        // {"roleArn":""}
        assert_eq!(said(&of(MOST_SPEC_BYTES - 14)), []);
        let told = said(&of(MOST_SPEC_BYTES - 13));
        assert_eq!(told[0].1, "must have at most 262144 bytes as JSON, but has 262145");
        let of = |bytes: usize| json!({"kubernetes": {"podAnnotations": {"a": "x".repeat(bytes / 2), "b": "x".repeat(bytes / 2 - 2)}}});
        assert_eq!(said(&of(MOST_METADATA_BYTES)), []);
        let told = said(&of(MOST_METADATA_BYTES + 2));
        assert_eq!(told[0].0, "spec.kubernetes.podAnnotations");
        assert_eq!(told[0].1, "must have at most 16384 bytes together, but has 16386");
    }
}
