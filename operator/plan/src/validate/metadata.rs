//! Name and namespace of an object, as the API server checks them.

use serde_json::Value;

use crate::core::kind::Kind;
use crate::core::report::Refusal;
use crate::core::text::quoted;

/// What is wrong with `metadata`. ECS names may have capitals and underscores and go into the spec; the name of the
/// object may not.
pub(super) fn check(kind: Kind, object: &Value) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut refuse = |path: &str, message: String| refusals.push(super::refusal(kind, path, message));
    let member = |name: &str| object.get("metadata").and_then(|metadata| metadata.get(name));
    match (member("name").and_then(Value::as_str), member("generateName")) {
        (Some(name), _) if !is_subdomain(name) => refuse(
            "metadata.name",
            format!(
                "{} is not a valid object name: at most 253 characters of a-z, 0-9, - and ., with a letter or digit at \
                    both ends",
                quoted(name)
            ),
        ),
        (None, None) => refuse("metadata.name", "is required".to_owned()),
        _ => {}
    }
    if let Some(namespace) = member("namespace").and_then(Value::as_str).filter(|namespace| !namespace.is_empty()) {
        if !kind.is_namespaced() {
            refuse("metadata.namespace", format!("{kind} is cluster-scoped: remove metadata.namespace"));
        } else if !is_label(namespace) {
            refuse(
                "metadata.namespace",
                format!("{} is not a valid namespace: at most 63 characters of a-z, 0-9 and -", quoted(namespace)),
            );
        }
    }
    refusals
}

/// RFC 1123: up to 63 of `a-z 0-9 -`, a letter or digit at both ends.
fn is_label(text: &str) -> bool {
    text.len() <= 63 && has_label_form(text)
}

/// RFC 1123: labels with dots between them, up to 253 characters. The server does not limit each label of an object name.
fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(has_label_form)
}

fn has_label_form(text: &str) -> bool {
    let is_edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    is_edge(text.bytes().next()) && is_edge(text.bytes().last()) && text.bytes().all(is_inner)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(kind: Kind, metadata: &Value) -> Vec<String> {
        check(kind, &json!({"metadata": metadata})).into_iter().map(|refusal| refusal.path).collect()
    }

    #[test]
    fn when_names_are_as_kubernetes_wants_them_then_nothing_is_refused() {
        for name in ["a", "a-b.c9", &"a".repeat(253)] {
            assert_eq!(paths(Kind::Service, &json!({"name": name, "namespace": "team-1"})), [""; 0], "{name}");
        }
        assert_eq!(paths(Kind::Service, &json!({"generateName": "web-"})), [""; 0]);
        assert_eq!(paths(Kind::CapacityProvider, &json!({"name": "spot"})), [""; 0]);
    }

    #[test]
    fn when_a_name_is_not_as_kubernetes_wants_it_then_it_is_named() {
        for name in ["", "A", "a_b", "-a", "a-", "a..b", ".a", "a b", "a\n", &"a".repeat(254)] {
            assert_eq!(paths(Kind::Service, &json!({"name": name})), ["metadata.name"], "{name:?}");
        }
        assert_eq!(paths(Kind::Service, &json!({})), ["metadata.name"]);
        for namespace in ["A", "a.b", &"a".repeat(64), "../kube-system"] {
            assert_eq!(paths(Kind::Service, &json!({"name": "a", "namespace": namespace})), ["metadata.namespace"]);
        }
        assert_eq!(paths(Kind::CapacityProvider, &json!({"name": "a", "namespace": "b"})), ["metadata.namespace"]);
    }
}
