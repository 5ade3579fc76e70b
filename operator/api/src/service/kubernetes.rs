//! What ECS does not have: the `kubernetes` member of an ECSService.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of a service that ECS does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceKubernetes {
    /// When a family without a revision is resolved; `FollowLatest` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_definition_resolution: Option<TaskDefinitionResolution>,
    /// Any text; each new text starts a deployment, as `forceNewDeployment` does on ECS. A time is a good choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub force_new_deployment: Option<String>,
    /// What deletion of the object does with running tasks; `Force` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// The Kubernetes Service in front of the tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<KubernetesService>,
    /// The PodDisruptionBudget that guards the minimum healthy percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_disruption_budget: Option<KubernetesPodDisruptionBudget>,
    /// PriorityClass of the pods; none when absent. With a high one the tasks of a DAEMON service start before those of
    /// other services on a node that has not room for all. Classes of the system, whose names begin with `system-`, are
    /// refused. Changing it starts no deployment: new tasks of the next deployment have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub priority_class_name: Option<String>,
    /// Annotations of the pods. Changing them starts no deployment: new tasks of the next deployment have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 100))]
    pub pod_annotations: Option<BTreeMap<String, String>>,
    /// Labels of the pods, beside the operator's own. Changing them starts no deployment: new tasks of the next
    /// deployment have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 100))]
    pub pod_labels: Option<BTreeMap<String, String>>,
    /// Number of finished ECSServiceDeployments that are kept, 0 to 100; 10 when absent. Those that are in use are kept
    /// beyond it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub deployment_history_limit: Option<i32>,
    /// Name of an ECSServiceDeployment of this service, or its `ecs-svc/…` id, whose service revision runs instead of what
    /// the spec describes, until the field is removed: a rollback by one field, with the task definition left as it is.
    /// The counts of the spec go on to apply. Setting, changing or removing it starts a deployment if that is another
    /// revision than the one that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service_revision: Option<String>,
    /// Stops a deployment, as StopServiceDeployment does. Acts only while the deployment that it names is in progress, so
    /// it can stay in the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_service_deployment: Option<StopServiceDeployment>,
}

/// Which deployment is stopped and what becomes of its tasks: the input of StopServiceDeployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StopServiceDeployment {
    /// Name of the ECSServiceDeployment, or its `ecs-svc/…` id.
    #[schemars(length(min = 1, max = 253))]
    pub service_deployment: String,
    /// What becomes of the tasks; `ROLLBACK` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_type: Option<StopType>,
}

/// What becomes of the tasks of a deployment that is stopped: StopServiceDeploymentStopType of the ECS API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum StopType {
    /// Nothing more is started or stopped: both revisions stay as they are.
    Abort,
    /// The service goes back to the last deployment that completed.
    #[default]
    Rollback,
}

/// When a family without a revision is resolved to a revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum TaskDefinitionResolution {
    /// Whenever the family has a newer ACTIVE revision.
    #[default]
    FollowLatest,
    /// As on ECS: when `taskDefinition` is changed or a deployment is forced.
    OnServiceUpdate,
}

/// What deletion of a service does with running tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// The tasks are stopped, as DeleteService with `force` does.
    #[default]
    Force,
    /// Deletion is refused above a desired count of 0, as DeleteService without `force` does. The chart's admission policy
    /// refuses; without it the service is deleted.
    RefuseWhileScaled,
}

/// The Kubernetes Service in front of the tasks of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesService {
    /// Whether there is one; when absent there is one as soon as a container has port mappings or a load balancer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Type of the Service; `ClusterIP` when absent.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<KubernetesServiceType>,
    /// Annotations of the Service, for controllers of load balancers and DNS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 100))]
    pub annotations: Option<BTreeMap<String, String>>,
    /// Labels of the Service, beside the operator's own.
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
    /// Reachable at a port of every node.
    NodePort,
    /// Reachable through a load balancer of the cloud.
    LoadBalancer,
}

/// The PodDisruptionBudget of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesPodDisruptionBudget {
    /// Whether there is one; true when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}
