//! What the administrator of a namespace allows: annotations of the Namespace, which its tenants cannot write.
//!
//! A task definition names roles, secrets, file systems and parts of nodes that belong to somebody. Kubernetes would ask
//! who may use them; a tenant could otherwise reach, through the operator's rights, what his own rights do not give. Nothing
//! is allowed that is not listed. What has to be listed is in [`super::right`].

use std::collections::BTreeMap;

use ecs::pattern::matches;
use serde_json::Value;

use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::right::Right;
use crate::core::store::{DecodeError, Stored, View};
use crate::core::world::World;

/// The lists of one namespace. An absent list allows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespacePolicy {
    annotations: BTreeMap<String, String>,
    enforces_restricted: bool,
}

impl View for NamespacePolicy {
    fn read(stored: &Stored) -> Result<Self, DecodeError> {
        Ok(Self::from_namespace(&stored.value()))
    }
}

/// What an administrator's list says about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Some pattern of the list matches.
    Allowed,
    /// There is a list, and nothing in it matches.
    Denied,
    /// There is no list.
    Unlisted,
}

impl NamespacePolicy {
    /// The policy of a namespace. One that is not known (yet) allows nothing.
    #[must_use]
    pub fn of(world: &dyn World, namespace: &str) -> Self {
        let stored = world.get(&ObjectKey::cluster_scoped(Kind::Namespace, namespace));
        let policy = stored.and_then(|stored| stored.view::<Self>().ok());
        policy.map(|policy| policy.as_ref().clone()).unwrap_or_default()
    }

    /// The policy that a Namespace expresses.
    #[must_use]
    pub fn from_namespace(namespace: &Value) -> Self {
        let policy = Self::from_annotations(namespace.pointer("/metadata/annotations"));
        let labels = namespace.pointer("/metadata/labels");
        let enforced = labels.and_then(|labels| labels.get(labels::POD_SECURITY)).and_then(Value::as_str);
        if enforced == Some(labels::RESTRICTED) { policy.restricted() } else { policy }
    }

    /// The policy that annotations of a Namespace express; others than the operator's are left out.
    #[must_use]
    pub fn from_annotations(annotations: Option<&Value>) -> Self {
        let all = annotations.and_then(Value::as_object).into_iter().flatten();
        let ours = all.filter(|(name, _)| name.starts_with(labels::DOMAIN));
        let texts = ours.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        Self { annotations: texts.collect(), enforces_restricted: false }
    }

    /// The same in a namespace that enforces the Pod Security level `restricted`.
    #[must_use]
    pub fn restricted(self) -> Self {
        Self { enforces_restricted: true, ..self }
    }

    /// Whether the API server refuses pods of the namespace that do not meet the Pod Security level `restricted`.
    #[must_use]
    pub const fn enforces_restricted(&self) -> bool {
        self.enforces_restricted
    }

    /// What the list of a right says about it.
    #[must_use]
    pub fn permission(&self, right: &Right) -> Permission {
        if right.is_nobodys() {
            return Permission::Denied;
        }
        let item = right.item();
        match self.annotation(right.list()) {
            None => Permission::Unlisted,
            Some(patterns) if patterns.split(',').any(|pattern| matches(pattern.trim(), &item)) => Permission::Allowed,
            Some(_) => Permission::Denied,
        }
    }

    /// Why the namespace does not have a right, and what its administrator has to write; `None` when it has it.
    #[must_use]
    pub fn refusal(&self, namespace: &str, right: &Right) -> Option<String> {
        let (list, what) = (right.list(), right.what());
        let permission = self.permission(right);
        if permission == Permission::Allowed {
            return None;
        }
        if right.is_nobodys() {
            return Some(format!("{what} is not allowed in namespace {namespace}, and nobody can allow it"));
        }
        // What means something else to a shell or to the list is for the administrator to spell.
        let item = if right.is_plain() { format!("={}", right.item()) } else { String::new() };
        Some(match permission {
            Permission::Unlisted => format!(
                "{what} is not allowed in namespace {namespace}: an administrator must annotate the Namespace with \
                 {list}{item}"
            ),
            _ if item.is_empty() => {
                format!("annotation {list} of namespace {namespace} does not list {what}: an administrator must add it")
            }
            _ => format!(
                "annotation {list} of namespace {namespace} does not list {what}: an administrator must add {}",
                right.item()
            ),
        })
    }

    /// Whether one of the annotations that begin with `prefix` has this value.
    pub(crate) fn has_annotation(&self, prefix: &str, value: &str) -> bool {
        self.annotations.iter().any(|(name, text)| name.starts_with(prefix) && text.trim() == value)
    }

    /// The value of one of the operator's annotations.
    #[must_use]
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.get(name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn when_there_is_no_list_then_that_is_told_apart_from_a_list_without_the_name() {
        let annotations = json!({"ecs-operator.dev/allowed-task-roles": "one, two*", "other": "*"});
        let policy = NamespacePolicy::from_annotations(Some(&annotations));
        let role = |name: &str| policy.permission(&Right::TaskRole(name.to_owned()));
        assert_eq!(role("one"), Permission::Allowed);
        assert_eq!(role("two/x"), Permission::Allowed);
        assert_eq!(role("three"), Permission::Denied);
        assert_eq!(policy.permission(&Right::Secret("one".to_owned())), Permission::Unlisted);
        assert_eq!(policy.annotation("other"), None);
    }
}
