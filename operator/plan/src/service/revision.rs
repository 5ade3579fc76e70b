//! A service revision: everything a deployment was started with, frozen.
//!
//! ECS starts tasks of a running deployment from the service revision, not from what the task definition, the provider or
//! the operator's own code say later. So the rendered pod template is part of it: scaling, replacing a lost node's tasks
//! and upgrading the operator never roll a service.

use std::collections::BTreeMap;

use api::service::ServiceSpec;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::core::diff;
use crate::core::labels;
use crate::core::object::without_nothing;
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
    /// Hash of `placementConstraints` and `placementStrategy` as they were: what they became is in the pod template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement_hash: Option<String>,
    /// Containers whose tags were resolved when the deployment started, as DescribeServiceRevisions lists them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub container_images: Vec<ContainerImage>,
}

/// One item of a capacity provider strategy with the nodes behind it. A service without strategy has one part without
/// provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CapacityPart {
    /// ECS name of the provider; `None` for launch type EC2 and EXTERNAL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Tasks that go here before weights count.
    pub base: i64,
    /// Share of the rest.
    pub weight: i64,
    /// Required node affinity and tolerations.
    #[serde(default, skip_serializing_if = "Placement::is_anywhere")]
    pub placement: Placement,
}

/// The nodes a provider stands for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Placement {
    /// `nodeSelectorTerms` of a required node affinity; terms are alternatives. Empty: any node.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub node_selector_terms: Vec<Value>,
    /// Tolerations of the provider's taints.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Value>,
}

impl Placement {
    /// Whether every node will do.
    #[must_use]
    pub fn is_anywhere(&self) -> bool {
        self.node_selector_terms.is_empty() && self.tolerations.is_empty()
    }
}

impl CapacityPart {
    /// The value of the capacity provider label.
    #[must_use]
    pub fn label(&self) -> String {
        self.provider.as_deref().map_or_else(|| NO_PROVIDER.to_owned(), ecs::name::label_value)
    }

    /// The part as the arithmetic of strategies knows it.
    #[must_use]
    pub fn item(&self) -> ecs::capacity::StrategyItem {
        ecs::capacity::StrategyItem {
            provider: self.provider.clone().unwrap_or_default(),
            base: self.base,
            weight: self.weight,
        }
    }
}

/// Label value of tasks that no capacity provider placed. Provider names cannot clash with it in ECS, where a provider
/// has an upper-case or longer name by convention; if one is called so, the label is the same and the Deployment too.
pub(super) const NO_PROVIDER: &str = "none";

/// Hash of exactly the fields whose change starts a deployment (ECS: UpdateService, "triggers a new service deployment").
///
/// `desiredCount`, `capacityProviderStrategy`, `deploymentConfiguration`, `availabilityZoneRebalancing`, placement,
/// `healthCheckGracePeriodSeconds`, `enableExecuteCommand`, tags, `propagateTags` and the labels and annotations of pods are
/// not among them. An absent member, null and an empty list are the same.
pub(super) fn trigger_hash(task_definition: &str, document: &Value) -> String {
    let field = |pointer: &str| document.pointer(pointer).cloned().unwrap_or_default();
    diff::hash(&without_nothing(&json!({
        "taskDefinition": task_definition,
        "networkConfiguration": field("/networkConfiguration"),
        "platformVersion": field("/platformVersion"),
        "loadBalancers": field("/loadBalancers"),
        "serviceRegistries": field("/serviceRegistries"),
        "serviceConnectConfiguration": field("/serviceConnectConfiguration"),
        "volumeConfigurations": field("/volumeConfigurations"),
        "vpcLatticeConfigurations": field("/vpcLatticeConfigurations"),
        "forceNewDeployment": field("/kubernetes/forceNewDeployment"),
    })))
}

/// The same for a service that runs the service revision of an earlier deployment: nothing else counts.
pub(super) fn earlier_trigger_hash(deployment: &str) -> String {
    diff::hash(&json!({ "serviceRevision": deployment }))
}

/// Hash of what asks for a deployment, or for another look at the newest revision of a family, without saying what to
/// deploy. Nothing else is part of it: a tag, a bound or a stopped deployment must not force one where
/// `forceNewDeployment: true` was left in the spec.
pub(super) fn request_hash(document: &Value) -> String {
    let field = |pointer: &str| document.pointer(pointer).cloned().unwrap_or_default();
    diff::hash(&without_nothing(&json!({
        "taskDefinition": field("/taskDefinition"),
        "forceNewDeployment": field("/forceNewDeployment") == json!(true),
        "nonce": field("/kubernetes/forceNewDeployment"),
    })))
}

/// Labels and annotations of the pod template: the task's own, then the service's, then ours, which win.
pub(super) fn template_metadata(
    spec: &ServiceSpec,
    task_labels: &BTreeMap<String, String>,
    task_annotations: &BTreeMap<String, String>,
    ours: BTreeMap<String, String>,
) -> Value {
    let mut labels = task_labels.clone();
    let mut annotations = task_annotations.clone();
    if let Some(kubernetes) = &spec.kubernetes {
        labels.extend(kubernetes.pod_labels.clone().unwrap_or_default());
        annotations.extend(kubernetes.pod_annotations.clone().unwrap_or_default());
    }
    // What the operator says of a task is not the service's to change.
    labels.extend(
        task_labels
            .iter()
            .filter(|(key, _)| key.starts_with(labels::DOMAIN))
            .map(|(key, value)| (key.clone(), value.clone())),
    );
    labels.extend(ours);
    json!({ "labels": labels, "annotations": annotations })
}
