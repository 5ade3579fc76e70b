//! URLs and bodies of requests about the kinds the planner knows.
//!
//! Objects are read and written as JSON rather than through typed structures: newer fields survive, one odd object
//! cannot break a list, and a watch event is decoded once.

use std::fmt::Write as _;

use http::{Method, Request, header};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use plan::core::kind::{Kind, ObjectKey};
use plan::core::labels::{MANAGED_BY, OPERATOR};
use serde::Deserialize;
use serde_json::Value;

/// What is read of an answer to a write.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Written {
    /// `Status` when an object is gone at once.
    pub kind: String,
    /// Identity and version.
    pub metadata: WrittenMetadata,
}

/// The part of `metadata` that is read of an answer to a write.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "camelCase")]
pub struct WrittenMetadata {
    /// Incarnation.
    pub uid: String,
    /// Version after the write.
    pub resource_version: String,
    /// Set when the object stays for a while: a finalizer or a grace period holds it.
    pub deletion_timestamp: Option<String>,
}

/// Why a request cannot even be written.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// A name that would change the path of the URL.
    #[error("{0:?} cannot be part of a URL")]
    Segment(String),
    /// The HTTP library refuses.
    #[error(transparent)]
    Http(#[from] http::Error),
}

/// The path of a kind's collection, in one namespace or in all.
pub fn collection(kind: Kind, namespace: Option<&str>) -> Result<String, RequestError> {
    let root = match kind.group() {
        "" => format!("/api/{}", kind.version()),
        group => format!("/apis/{group}/{}", kind.version()),
    };
    match namespace {
        Some(namespace) if kind.is_namespaced() => {
            Ok(format!("{root}/namespaces/{}/{}", segment(namespace)?, kind.plural()))
        }
        _ => Ok(format!("{root}/{}", kind.plural())),
    }
}

/// The path of one object.
pub fn item(key: &ObjectKey) -> Result<String, RequestError> {
    Ok(format!("{}/{}", collection(key.kind, key.namespace.as_deref())?, segment(&key.name)?))
}

/// The path of one Secret. There is no kind for Secrets, so that nothing can list or watch them by mistake.
pub fn secret(namespace: &str, name: &str) -> Result<String, RequestError> {
    Ok(format!("/api/v1/namespaces/{}/secrets/{}", segment(namespace)?, segment(name)?))
}

/// A GET.
pub fn get(path: &str) -> Result<Request<Vec<u8>>, RequestError> {
    Ok(Request::builder().method(Method::GET).uri(path).body(Vec::new())?)
}

/// A request with a JSON body.
pub fn send(method: Method, path: &str, content_type: &str, body: &Value) -> Result<Request<Vec<u8>>, RequestError> {
    let builder = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, content_type);
    Ok(builder.body(readable_as_yaml(&body.to_string()).into_bytes())?)
}

/// The server reads an apply as YAML. That refuses some characters that JSON allows (U+007F to U+009F, the byte order
/// mark) and takes others for line breaks and folds them into spaces (U+0085, U+2028, U+2029), so they are written as
/// escapes. In JSON text they can only stand inside of strings.
fn readable_as_yaml(json: &str) -> String {
    let needs_escape = |character: char| {
        matches!(character, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    if !json.contains(needs_escape) {
        return json.to_owned();
    }
    json.chars().fold(String::with_capacity(json.len()), |mut text, character| {
        if needs_escape(character) {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\u{:04x}", u32::from(character));
        } else {
            text.push(character);
        }
        text
    })
}

/// Everything but letters, digits and what RFC 3986 lets stand in a query (`/` keeps label names readable).
const MEANS_SOMETHING: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// `key=value&…` with everything escaped that has a meaning in a query.
#[must_use]
pub fn query(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        text.extend(utf8_percent_encode(value, MEANS_SOMETHING));
    }
    text
}

/// A time as `MicroTime` fields spell it: with six digits of a second.
#[must_use]
pub fn micro_time(time: Timestamp) -> String {
    format!("{time:.6}")
}

/// The label selector of kinds of which only our own objects are of interest.
#[must_use]
pub fn selector(kind: Kind) -> Option<String> {
    kind.is_labelled().then(|| format!("{MANAGED_BY}={OPERATOR}"))
}

/// Names come from plans, and plans from user input: one that is not a single path segment must not reach a URL.
fn segment(name: &str) -> Result<&str, RequestError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    if name.is_empty() || name == "." || name == ".." || !name.bytes().all(is_plain) {
        return Err(RequestError::Segment(name.to_owned()));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn when_a_string_has_characters_that_yaml_reads_otherwise_then_they_are_escaped_and_mean_the_same() {
        let body = json!({"value": "a\u{7f}b\u{85}c\u{2028}d\u{feff}e ü 🦀 \n"});
        let text = readable_as_yaml(&body.to_string());
        assert_eq!(text, r#"{"value":"a\u007fb\u0085c\u2028d\ufeffe ü 🦀 \n"}"#);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), body);
    }

    #[test]
    fn when_an_object_is_named_then_its_path_is_the_one_of_the_api() {
        let table = [
            (ObjectKey::namespaced(Kind::Deployment, "a", "web"), "/apis/apps/v1/namespaces/a/deployments/web"),
            (ObjectKey::namespaced(Kind::Pod, "a", "web"), "/api/v1/namespaces/a/pods/web"),
            (ObjectKey::cluster_scoped(Kind::PersistentVolume, "v"), "/api/v1/persistentvolumes/v"),
            (
                ObjectKey::cluster_scoped(Kind::CapacityProvider, "p"),
                "/apis/ecs-operator.dev/v1alpha1/ecscapacityproviders/p",
            ),
        ];
        for (key, path) in table {
            assert_eq!(item(&key).unwrap(), path);
        }
    }

    #[test]
    fn when_a_name_would_change_the_path_then_there_is_no_request() {
        for name in ["", ".", "..", "a/b", "../secrets/x", "a?b", "a#b", "a%2Fb", "a b", "a\nb", "é"] {
            let key = ObjectKey::namespaced(Kind::Deployment, "a", name);
            assert!(matches!(item(&key), Err(RequestError::Segment(_))), "{name:?}");
            let key = ObjectKey::namespaced(Kind::Deployment, name, "web");
            assert!(matches!(item(&key), Err(RequestError::Segment(_))), "{name:?}");
        }
    }

    #[test]
    fn when_a_query_value_has_signs_then_they_are_escaped() {
        assert_eq!(query(&[("labelSelector", "a/b=c"), ("x", "1&y=2")]), "labelSelector=a/b%3Dc&x=1%26y%3D2");
    }
}
