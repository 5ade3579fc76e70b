//! The task role as a ServiceAccount. The execution role pulls images and reads secrets: it is never the Pod's.

use api::conditions::Reason;
use ecs::hash::hex;
use serde_json::{Map, Value, json};

use super::TaskInput;
use super::json::Members;
use super::notes::Notes;
use crate::core::kind::Kind;
use crate::core::labels;
use crate::core::policy::Permission;
use crate::core::right::Right;

/// Names the role for EKS's identity webhook.
const ROLE_ARN: &str = "eks.amazonaws.com/role-arn";
/// What names of ServiceAccounts begin with whose role was allowed.
const GRANTED: &str = "ecs-role-";
/// What names of ServiceAccounts begin with that stand for a role: nobody gets one by its name.
const RESERVED: [&str; 2] = [GRANTED, "ecs-task-"];

/// The identity of the containers: one ServiceAccount per namespace and role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRole {
    /// Name of the ServiceAccount.
    pub name: String,
    /// The role as the task definition gives it: an ARN, or a bare name.
    pub role_arn: String,
    /// Whether the administrator of the namespace allows the role.
    pub is_granted: bool,
}

impl TaskRole {
    /// The ServiceAccount for a role. The name carries a hash of the role, so that roles of the same name in two
    /// accounts or paths stay apart: `…:role/WebApp` becomes `ecs-role-webapp-` and 16 hex digits.
    ///
    /// Without the administrator's consent it is another one, `ecs-task-webapp-…`: what was granted once stays with the
    /// deployments that were started with it, and nothing else may be called by that name.
    #[must_use]
    pub fn new(role_arn: &str, is_granted: bool) -> Self {
        const LONGEST_READABLE: usize = 37;
        let last = role_arn.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let clean: String =
            last.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(LONGEST_READABLE).collect();
        let hash = hex(role_arn, 16);
        let stem = if is_granted { "ecs-role" } else { "ecs-task" };
        let parts = [stem, clean.trim_matches('-'), &hash];
        let name = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
        Self { name, role_arn: role_arn.to_owned(), is_granted }
    }

    /// The ServiceAccount. A bare role name cannot be annotated: which account it is in is not known here.
    #[must_use]
    pub fn service_account(&self, namespace: &str) -> Value {
        let mut metadata = Map::new();
        metadata.put("name", self.name.as_str());
        metadata.put("namespace", namespace);
        metadata.put("labels", json!({labels::MANAGED_BY: labels::OPERATOR}));
        if self.is_granted {
            let mut annotations = Map::new();
            annotations.put(labels::TASK_ROLE, self.role_arn.as_str());
            if self.role_arn.starts_with("arn:") {
                annotations.put(ROLE_ARN, self.role_arn.as_str());
            }
            metadata.put("annotations", Value::from(annotations));
        }
        json!({
            "apiVersion": Kind::ServiceAccount.api_version(),
            "kind": Kind::ServiceAccount.kind(),
            "metadata": metadata,
        })
    }
}

/// Puts `serviceAccountName` or, without a role, `automountServiceAccountToken: false`.
///
/// Who writes a task definition names any role; whether tasks of the namespace may act as it is for its administrator to
/// say, as `iam:PassRole` does on ECS. A role that no list mentions is not given, and one that a list leaves out refused.
pub(super) fn put(pod: &mut Map<String, Value>, input: &TaskInput<'_>, notes: &mut Notes) -> Option<TaskRole> {
    let definition = input.task_definition;
    let role = definition.task_role_arn.as_deref().filter(|role| !role.is_empty());
    let own = definition.kubernetes.as_ref().and_then(|kubernetes| kubernetes.service_account_name.as_deref());
    if let Some(name) = own {
        if RESERVED.iter().any(|prefix| name.starts_with(prefix)) {
            let message = "names that begin with ecs-role- or ecs-task- are those of task roles: write taskRoleArn";
            notes.refuse_because(Reason::AccessDeniedException, "kubernetes.serviceAccountName", message);
            return None;
        }
        if role.is_some() {
            notes.approximated("taskRoleArn", "kubernetes.serviceAccountName is used instead");
        }
        pod.put("serviceAccountName", name);
        return None;
    }
    let Some(role) = role else {
        pod.put("automountServiceAccountToken", false);
        return None;
    };
    let (list, namespace) = (labels::ALLOWED_TASK_ROLES, input.namespace);
    let right = Right::TaskRole(role.to_owned());
    let permission = input.policy.permission(&right);
    match permission {
        Permission::Denied => {
            let message = format!(
                "not authorized to perform iam:PassRole on resource {role}: annotation {list} of Namespace {namespace} \
                 does not list it"
            );
            notes.refuse_because(Reason::AccessDeniedException, "taskRoleArn", message);
        }
        Permission::Unlisted => {
            let how = if right.is_plain() {
                format!("kubectl annotate namespace {namespace} {list}={role}")
            } else {
                format!("annotation {list} of Namespace {namespace}")
            };
            let why = format!("the ServiceAccount of the tasks has no role until an administrator allows it: {how}");
            notes.approximated("taskRoleArn", why);
        }
        Permission::Allowed if !role.starts_with("arn:") => {
            notes.approximated("taskRoleArn", "a bare name becomes a ServiceAccount without the role's ARN");
        }
        Permission::Allowed => {}
    }
    let role = TaskRole::new(role, permission == Permission::Allowed);
    pod.put("serviceAccountName", role.name.as_str());
    Some(role)
}

/// The ServiceAccount that [`TaskRole`] makes, as a record has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    /// It has no role.
    Plain,
    /// It has this one.
    Role(String),
    /// The operator makes no such ServiceAccount.
    Foreign,
}

/// What a ServiceAccount of a record gives to pods. Its name follows from its role, so neither can be exchanged.
pub(crate) fn read(account: &Value, namespace: &str) -> Account {
    let name = account.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let role = account.pointer("/metadata/annotations").and_then(|all| all.get(labels::TASK_ROLE));
    match role.and_then(Value::as_str) {
        Some(role) if TaskRole::new(role, true).service_account(namespace) == *account => {
            Account::Role(role.to_owned())
        }
        None if name.starts_with("ecs-task-") => {
            let plain = TaskRole { name: name.to_owned(), role_arn: String::new(), is_granted: false };
            if plain.service_account(namespace) == *account { Account::Plain } else { Account::Foreign }
        }
        _ => Account::Foreign,
    }
}

/// Whether pods may name this ServiceAccount only together with the role that it stands for.
pub(crate) fn is_of_a_role(name: &str) -> bool {
    name.starts_with(GRANTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_service_account_of_a_record_is_not_as_it_is_made_then_it_is_none_of_ours() {
        let granted = TaskRole::new("arn:aws:iam::111111111111:role/app", true).service_account("shop");
        assert_eq!(read(&granted, "shop"), Account::Role("arn:aws:iam::111111111111:role/app".to_owned()));
        let bare = TaskRole::new("app", true).service_account("shop");
        assert_eq!(read(&bare, "shop"), Account::Role("app".to_owned()));
        let plain = TaskRole::new("arn:aws:iam::111111111111:role/app", false).service_account("shop");
        assert_eq!(read(&plain, "shop"), Account::Plain);
        for (account, pointer, value) in [
            (&granted, "/metadata/annotations/eks.amazonaws.com~1role-arn", json!("arn:aws:iam::1:role/admin")),
            (&granted, "/metadata/annotations/ecs-operator.dev~1task-role", json!("arn:aws:iam::1:role/admin")),
            (&granted, "/metadata/name", json!("ecs-role-admin-0123456789abcdef")),
            (&granted, "/metadata/annotations", json!({})),
            (&granted, "/metadata/namespace", json!("other")),
            (&plain, "/metadata/name", json!("default")),
            (&plain, "/metadata/labels", json!({})),
        ] {
            let mut other = account.clone();
            *other.pointer_mut(pointer).unwrap() = value;
            assert_eq!(read(&other, "shop"), Account::Foreign, "{pointer}");
        }
    }
}
