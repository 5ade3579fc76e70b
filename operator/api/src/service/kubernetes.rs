//! What ECS does not have: the `kubernetes` member of an ECSService.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of a service without an ECS counterpart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceKubernetes {
    /// When to resolve a `taskDefinition` that names a family without a revision. Defaults to `FollowLatest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_definition_resolution: Option<TaskDefinitionResolution>,
    /// Any text; each change to another text starts a deployment, as `forceNewDeployment` does on ECS. A timestamp is a
    /// good choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub force_new_deployment: Option<String>,
    /// What happens to running tasks when you delete the object. Defaults to `Force`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// Kubernetes Service in front of the tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<KubernetesService>,
    /// PodDisruptionBudget that upholds `minimumHealthyPercent` during voluntary disruptions such as `kubectl drain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_disruption_budget: Option<KubernetesPodDisruptionBudget>,
    /// PriorityClass of the pods. Give DAEMON services a high one so that their tasks start first on a node without
    /// room for all tasks. An administrator must list the class in the annotation `ecs-operator.dev/allowed-placement` of
    /// the Namespace, as `priority-classes=NAME`. System classes, whose names start with `system-`, are refused. Changing
    /// it does not start a deployment: it applies to tasks of the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub priority_class_name: Option<String>,
    /// Annotations of the pods, 16 KiB together. Those of `ecs-operator.dev` have no effect. Changing them does not start a
    /// deployment: they apply to tasks of the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 100))]
    pub pod_annotations: Option<BTreeMap<String, String>>,
    /// Labels of the pods, in addition to the operator's own, 16 KiB together. Those of `ecs-operator.dev` have no effect.
    /// Changing them does not start a deployment: they apply to tasks of the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 100))]
    pub pod_labels: Option<BTreeMap<String, String>>,
    /// Number of finished ECSServiceDeployments to keep, 0 to 100, in addition to those still in use. Defaults to 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub deployment_history_limit: Option<i32>,
    /// Rolls back to an earlier deployment: name of an ECSServiceDeployment of this service, or its `ecs-svc/…` id.
    /// Until you remove the field, the service runs that service revision instead of what the spec describes; the
    /// counts in the spec still apply. Setting, changing or removing it starts a deployment unless that revision is
    /// running already. What an administrator no longer allows in the namespace is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service_revision: Option<String>,
    /// Stops a deployment, as StopServiceDeployment does. It acts only while the named deployment is in progress, so
    /// you can leave it in the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_service_deployment: Option<StopServiceDeployment>,
}

/// Deployment to stop and what happens to its tasks: the input of StopServiceDeployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StopServiceDeployment {
    /// Name of the ECSServiceDeployment, or its `ecs-svc/…` id.
    #[schemars(length(min = 1, max = 253))]
    pub service_deployment: String,
    /// What happens to the tasks. Defaults to `ROLLBACK`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_type: Option<StopType>,
}

/// What happens to the tasks of a stopped deployment: StopServiceDeploymentStopType of the ECS API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum StopType {
    /// Starts and stops nothing more: both revisions stay as they are.
    Abort,
    /// Rolls the service back to the last completed deployment.
    #[default]
    Rollback,
}

/// When a family name without a revision is resolved to a revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum TaskDefinitionResolution {
    /// Whenever the family has a newer ACTIVE revision.
    #[default]
    FollowLatest,
    /// As on ECS: when `taskDefinition` changes or a deployment is forced.
    OnServiceUpdate,
}

/// What happens to running tasks when a service is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// Stops the tasks, as DeleteService with `force` does.
    #[default]
    Force,
    /// Refuses deletion while the desired count is above 0, as DeleteService without `force` does. Enforced by the
    /// admission policy of the Helm chart; without it the service is deleted.
    RefuseWhileScaled,
}

/// Kubernetes Service in front of the tasks of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesService {
    /// Whether the operator creates the Service. Defaults to true; a task definition without port mappings never has
    /// one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Type of the Service. Defaults to `ClusterIP`. For the others, an administrator must write `load-balancer` or
    /// `node-port` into the annotation `ecs-operator.dev/allowed-services` of the Namespace.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<KubernetesServiceType>,
    /// Annotations of the Service, for example for a load balancer controller or external-dns. An administrator must list
    /// each in the annotation `ecs-operator.dev/allowed-services` of the Namespace, as `annotations=KEY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 100))]
    pub annotations: Option<BTreeMap<String, String>>,
    /// Labels of the Service, in addition to the operator's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 100))]
    pub labels: Option<BTreeMap<String, String>>,
}

/// Type of a Kubernetes Service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum KubernetesServiceType {
    /// Reachable inside the cluster.
    #[default]
    ClusterIP,
    /// Reachable on a port of every node.
    NodePort,
    /// Reachable through a load balancer of the cloud provider.
    LoadBalancer,
}

/// PodDisruptionBudget of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesPodDisruptionBudget {
    /// Whether the operator creates the PodDisruptionBudget. Defaults to true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}
