//! Labels and annotations that users add: keys and values that Kubernetes takes, and none of the operator's own.
//!
//! Keys by which the operator finds and reads Pods are not the user's to set: a Pod with another service's label would be
//! counted, and deleted, as that service's task. What the API server would refuse is refused here, because it would come
//! back with every attempt to make the object, and correcting it starts no deployment.

use std::collections::BTreeMap;

use super::metadata::is_qualified_part;
use super::network::is_dns_name;
use crate::core::labels;
use crate::core::right::Right;

/// Before `AppArmor` had a field, annotations of this prefix named the profile of a container, and they still do.
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// Which of the two maps it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Members {
    /// Values are short words.
    Labels,
    /// Values are anything.
    Annotations,
}

/// What becomes of labels or annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UsersMetadata {
    /// Those that are taken.
    pub(crate) own: BTreeMap<String, String>,
    /// Paths of those that are the operator's.
    pub(crate) reserved: Vec<String>,
    /// Paths of those that Kubernetes refuses, and why.
    pub(crate) refused: Vec<(String, &'static str)>,
    /// What the administrator is asked for, by path.
    pub(crate) rights: Vec<(String, Right)>,
}

impl UsersMetadata {
    /// Reads the member at `path`.
    pub(crate) fn of(stated: Option<&BTreeMap<String, String>>, path: &str, members: Members) -> Self {
        let mut result = Self::default();
        for (key, value) in stated.into_iter().flatten() {
            let path = format!("{path}[{key}]");
            let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
            let is_reserved = prefix == api::names::GROUP || prefix.ends_with(&format!(".{}", api::names::GROUP));
            if is_reserved || key == labels::MANAGED_BY {
                result.reserved.push(path);
            } else if !is_key(key) {
                result.refused.push((path, "not a key that Kubernetes accepts"));
            } else if members == Members::Labels && !value.is_empty() && !is_qualified_part(value) {
                let why = "not a label value: at most 63 letters, digits, dots, hyphens and underscores";
                result.refused.push((path, why));
            } else {
                if members == Members::Annotations && is_unconfined(key, value) {
                    result.rights.push((path, Right::Unconfined));
                }
                result.own.insert(key.clone(), value.clone());
            }
        }
        result
    }
}

/// Whether an annotation of a Pod takes a container out of its profile.
pub(crate) fn is_unconfined(key: &str, value: &str) -> bool {
    key.starts_with(APP_ARMOR) && value == "unconfined"
}

/// `name` or `prefix/name`.
fn is_key(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    is_qualified_part(name) && prefix.is_none_or(is_dns_name)
}
