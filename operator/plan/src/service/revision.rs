//! A service revision: everything a deployment was started with, frozen.
//!
//! ECS starts tasks of a running deployment from the service revision, not from what the task definition, the provider or
//! the operator's own code say later. So the rendered pod template is part of it: scaling, replacing a lost node's tasks
//! and upgrading the operator never roll a service.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::capacity::CapacityPart;
use crate::permission::Frozen;
use crate::task_definition::images::ContainerImage;

/// The frozen inputs of one deployment, stored in its `ECSServiceDeployment`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRevision {
    /// `family:N`
    pub task_definition: String,
    /// Pod template without what differs per deployment id and capacity provider.
    pub pod_template: Value,
    /// `minReadySeconds` of the Deployments: 40 when nothing else says that a task is healthy.
    pub min_ready_seconds: i64,
    /// Objects in the namespace that several services may share: the task role's ServiceAccount, EFS claims.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_children: Vec<Value>,
    /// Objects outside of namespaces that they need: PersistentVolumes of the EFS claims.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cluster_children: Vec<Value>,
    /// Ports of the Kubernetes Service, in the form its `spec.ports` has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_ports: Vec<Value>,
    /// Where tasks run, and in which proportion.
    pub capacity: Vec<CapacityPart>,
    /// Placement constraints of the service and the task definition that are resolved for each task when it is placed, since they
    /// compare values that nodes have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints_on_nodes: Vec<String>,
    /// Hash of `placementConstraints` and `placementStrategy` as they were: what they became is in the pod template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement_hash: Option<String>,
    /// Containers whose tags were resolved when the deployment started, as DescribeServiceRevisions lists them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub container_images: Vec<ContainerImage>,
}

impl ServiceRevision {
    /// What the administrator of the namespace is asked about.
    pub(super) fn frozen(&self) -> Frozen<'_> {
        Frozen {
            template: &self.pod_template,
            shared: &self.shared_children,
            cluster_scoped: &self.cluster_children,
            capacity: &self.capacity,
        }
    }
}
