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

/// Names the role for EKS's identity webhook.
const ROLE_ARN: &str = "eks.amazonaws.com/role-arn";

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
        if self.is_granted && self.role_arn.starts_with("arn:") {
            metadata.put("annotations", json!({ROLE_ARN: self.role_arn}));
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
    let permission = input.policy.task_role(role);
    match permission {
        Permission::Denied => {
            let message = format!(
                "not authorized to perform iam:PassRole on resource {role}: annotation {list} of Namespace {namespace} \
                 does not list it"
            );
            notes.refuse_because(Reason::AccessDeniedException, "taskRoleArn", message);
        }
        Permission::Unlisted => {
            let how = if is_plain(role) {
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

/// Whether a role can stand in a command that an administrator copies: it means nothing to a shell, and nothing but itself
/// in the list.
fn is_plain(role: &str) -> bool {
    role.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/_+=.@-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_role_means_something_to_a_shell_or_to_the_list_then_no_command_is_made_of_it() {
        assert!(is_plain("arn:aws:iam::111111111111:role/team/App_1+x=y.z@w-v"));
        for role in ["*", "arn:aws:iam::111111111111:role/*", "a,b", "a;id", "$(id)", "a b", "`id`", "é"] {
            assert!(!is_plain(role), "{role}");
        }
    }
}
