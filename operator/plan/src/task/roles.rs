//! The task role as a ServiceAccount. The execution role pulls images and reads secrets: it is never the Pod's.

use api::task_definition::TaskDefinitionSpec;
use serde_json::{Map, Value, json};

use super::hash::hex;
use super::json::Members;
use super::notes::Notes;
use crate::kind::Kind;
use crate::labels;

/// Names the role for EKS's identity webhook.
const ROLE_ARN: &str = "eks.amazonaws.com/role-arn";

/// The identity of the containers: one ServiceAccount per namespace and role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRole {
    /// Name of the ServiceAccount.
    pub name: String,
    /// The role as the task definition gives it: an ARN, or a bare name.
    pub role_arn: String,
}

impl TaskRole {
    /// The ServiceAccount for a role. The name carries a hash of the role, so that roles of the same name in two
    /// accounts or paths stay apart: `…:role/WebApp` becomes `ecs-role-webapp-` and 16 hex digits.
    #[must_use]
    pub fn new(role_arn: &str) -> Self {
        const LONGEST_READABLE: usize = 37;
        let last = role_arn.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let clean: String =
            last.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(LONGEST_READABLE).collect();
        let hash = hex(role_arn, 16);
        let parts = ["ecs-role", clean.trim_matches('-'), &hash];
        let name = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
        Self { name, role_arn: role_arn.to_owned() }
    }

    /// The ServiceAccount. A bare role name cannot be annotated: which account it is in is not known here.
    #[must_use]
    pub fn service_account(&self, namespace: &str) -> Value {
        let mut metadata = Map::new();
        metadata.put("name", self.name.as_str());
        metadata.put("namespace", namespace);
        metadata.put("labels", json!({labels::MANAGED_BY: labels::OPERATOR}));
        if self.role_arn.starts_with("arn:") {
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
pub(super) fn put(
    pod: &mut Map<String, Value>,
    definition: &TaskDefinitionSpec,
    notes: &mut Notes,
) -> Option<TaskRole> {
    let role = definition.task_role_arn.as_deref().filter(|role| !role.is_empty());
    let own = definition.kubernetes.as_ref().and_then(|kubernetes| kubernetes.service_account_name.as_deref());
    if let Some(name) = own {
        if role.is_some() {
            notes.approximated("taskRoleArn", "kubernetes.serviceAccountName takes its place");
        }
        pod.put("serviceAccountName", name);
        return None;
    }
    let Some(role) = role else {
        pod.put("automountServiceAccountToken", false);
        return None;
    };
    if !role.starts_with("arn:") {
        notes.approximated("taskRoleArn", "a bare name becomes a ServiceAccount without the role's ARN");
    }
    let role = TaskRole::new(role);
    pod.put("serviceAccountName", role.name.as_str());
    Some(role)
}
