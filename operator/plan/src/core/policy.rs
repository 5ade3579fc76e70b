//! What the administrator of a namespace allows: annotations of the Namespace, which its tenants cannot write.
//!
//! A task definition names roles, secrets and file systems that belong to somebody. Kubernetes would ask who may use
//! them; a tenant could otherwise reach, through the operator's rights, what his own rights do not give. Nothing is
//! allowed that is not listed.

use std::collections::BTreeMap;

use ecs::pattern::matches;
use serde_json::Value;

use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::world::World;

/// The lists of one namespace. An absent list allows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespacePolicy {
    annotations: BTreeMap<String, String>,
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
        stored.map(|stored| Self::from_annotations(stored.value().pointer("/metadata/annotations"))).unwrap_or_default()
    }

    /// The policy that annotations of a Namespace express; others than the operator's are left out.
    #[must_use]
    pub fn from_annotations(annotations: Option<&Value>) -> Self {
        let all = annotations.and_then(Value::as_object).into_iter().flatten();
        let ours = all.filter(|(name, _)| name.starts_with(labels::DOMAIN));
        let texts = ours.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        Self { annotations: texts.collect() }
    }

    /// Whether a task may act as `role`, an ARN or a bare name.
    #[must_use]
    pub fn task_role(&self, role: &str) -> Permission {
        self.permission(labels::ALLOWED_TASK_ROLES, role)
    }

    /// Whether the operator may have `value_from`, as the task definition writes it, fetched.
    #[must_use]
    pub fn secret(&self, value_from: &str) -> Permission {
        self.permission(labels::ALLOWED_SECRETS, value_from)
    }

    /// Whether the operator may make volumes of a file system, by its id.
    #[must_use]
    pub fn file_system(&self, id: &str) -> Permission {
        self.permission(labels::ALLOWED_FILE_SYSTEMS, id)
    }

    /// The value of one of the operator's annotations.
    #[must_use]
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.get(name).map(String::as_str)
    }

    fn permission(&self, list: &str, name: &str) -> Permission {
        match self.annotation(list) {
            None => Permission::Unlisted,
            Some(patterns) if patterns.split(',').any(|pattern| matches(pattern.trim(), name)) => Permission::Allowed,
            Some(_) => Permission::Denied,
        }
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
        assert_eq!(policy.task_role("one"), Permission::Allowed);
        assert_eq!(policy.task_role("two/x"), Permission::Allowed);
        assert_eq!(policy.task_role("three"), Permission::Denied);
        assert_eq!(policy.secret("one"), Permission::Unlisted);
        assert_eq!(policy.annotation("other"), None);
    }
}
