//! Nodes: what they look like, and adding, cordoning and removing them while a scenario runs.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};

use super::plan::RealNodes;
use super::stages;

/// Who plays the nodes of a local cluster.
#[derive(Clone, Debug)]
pub enum Nodes {
    /// KWOK plays these; pods on them have the fates that their annotations say.
    Kwok(Vec<NodeTemplate>),
    /// Kubelets with containers; needs Linux and root, see [`super::real::require`].
    Real(RealNodes),
    /// No nodes: every pod stays Pending. For benches that are about objects.
    None,
}

impl Default for Nodes {
    /// Six nodes over three zones, one on-demand and one spot in each, with Karpenter's label.
    fn default() -> Self {
        Self::Kwok(default_templates(CapacityLabel::Karpenter))
    }
}

/// How an instance is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// Stays until it is ended.
    OnDemand,
    /// May be taken away.
    Spot,
}

/// Which label says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapacityLabel {
    /// `karpenter.sh/capacity-type`: `on-demand`, `spot`.
    Karpenter,
    /// `eks.amazonaws.com/capacityType`: `ON_DEMAND`, `SPOT`.
    Eks,
    /// No label: a cluster without such nodes.
    None,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeTemplate {
    /// Name and `kubernetes.io/hostname`.
    pub name: String,
    /// `topology.kubernetes.io/zone`.
    pub zone: String,
    /// `node.kubernetes.io/instance-type`.
    pub instance_type: String,
    /// How it is paid for.
    pub capacity: Capacity,
    /// Which label says so.
    pub capacity_label: CapacityLabel,
    /// Allocatable CPU, a Kubernetes quantity.
    pub cpu: String,
    /// Allocatable memory, a Kubernetes quantity.
    pub memory: String,
    /// Allocatable pods.
    pub pods: u32,
    /// More labels.
    pub labels: Vec<(String, String)>,
    /// Keys and values of taints that keep pods away.
    pub taints: Vec<(String, String)>,
}

/// The zones over which the default nodes are spread.
pub const ZONES: [&str; 3] = ["us-east-1a", "us-east-1b", "us-east-1c"];

impl NodeTemplate {
    /// An on-demand node of 8 CPUs, 32 GiB and 110 pods.
    #[must_use]
    pub fn new(name: &str, zone: &str) -> Self {
        Self {
            name: name.to_owned(),
            zone: zone.to_owned(),
            instance_type: "m5.2xlarge".to_owned(),
            capacity: Capacity::OnDemand,
            capacity_label: CapacityLabel::Karpenter,
            cpu: "8".to_owned(),
            memory: "32Gi".to_owned(),
            pods: 110,
            labels: Vec::new(),
            taints: Vec::new(),
        }
    }

    /// The same as a spot node.
    #[must_use]
    pub fn spot(mut self) -> Self {
        self.capacity = Capacity::Spot;
        self
    }

    /// The same with the capacity type under another label.
    #[must_use]
    pub fn capacity_label(mut self, label: CapacityLabel) -> Self {
        self.capacity_label = label;
        self
    }

    /// The same with other sizes.
    #[must_use]
    pub fn size(mut self, cpu: &str, memory: &str, pods: u32) -> Self {
        cpu.clone_into(&mut self.cpu);
        memory.clone_into(&mut self.memory);
        self.pods = pods;
        self
    }

    /// The same with one more label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The same for pods only that tolerate this taint.
    #[must_use]
    pub fn taint(mut self, key: &str, value: &str) -> Self {
        self.taints.push((key.to_owned(), value.to_owned()));
        self
    }

    fn object(&self) -> Value {
        let mut labels = serde_json::Map::new();
        let mut label = |key: &str, value: &str| labels.insert(key.to_owned(), json!(value));
        label("kubernetes.io/hostname", &self.name);
        label("kubernetes.io/os", "linux");
        label("kubernetes.io/arch", "amd64");
        label("node.kubernetes.io/instance-type", &self.instance_type);
        label("topology.kubernetes.io/zone", &self.zone);
        label("topology.kubernetes.io/region", self.zone.trim_end_matches(|last: char| last.is_ascii_lowercase()));
        match (self.capacity_label, self.capacity) {
            (CapacityLabel::Karpenter, Capacity::OnDemand) => label("karpenter.sh/capacity-type", "on-demand"),
            (CapacityLabel::Karpenter, Capacity::Spot) => label("karpenter.sh/capacity-type", "spot"),
            (CapacityLabel::Eks, Capacity::OnDemand) => label("eks.amazonaws.com/capacityType", "ON_DEMAND"),
            (CapacityLabel::Eks, Capacity::Spot) => label("eks.amazonaws.com/capacityType", "SPOT"),
            (CapacityLabel::None, _) => None,
        };
        for (key, value) in &self.labels {
            label(key, value);
        }
        let taint = |(key, value): &(String, String)| json!({ "key": key, "value": value, "effect": "NoSchedule" });
        let taints: Vec<Value> = self.taints.iter().map(taint).collect();
        let resources = json!({
            "cpu": self.cpu,
            "memory": self.memory,
            "pods": self.pods.to_string(),
            "ephemeral-storage": "100Gi",
        });
        json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": self.name,
                "labels": labels,
                "annotations": {
                    stages::NODE_ANNOTATION: stages::NODE_VALUE,
                    // Where metrics-server finds this node's readings on KWOK's one port.
                    "metrics.k8s.io/resource-metrics-path": format!("/metrics/nodes/{}/metrics/resource", self.name),
                },
            },
            "spec": { "taints": taints },
            "status": { "allocatable": resources, "capacity": resources },
        })
    }
}

/// Six nodes: `node-1` to `node-3` on demand and `node-4` to `node-6` spot, over three zones.
#[must_use]
pub fn default_templates(label: CapacityLabel) -> Vec<NodeTemplate> {
    let zones = ZONES.iter().chain(&ZONES).enumerate();
    zones
        .map(|(index, zone)| {
            let node = NodeTemplate::new(&format!("node-{}", index + 1), zone).capacity_label(label);
            if index < ZONES.len() { node } else { node.spot() }
        })
        .collect()
}

/// Adds nodes; they become ready within a second.
///
/// # Errors
/// When one cannot be created.
pub async fn add(client: &Client, templates: &[NodeTemplate]) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    for template in templates {
        let node = serde_json::from_value(template.object())?;
        nodes
            .create(&PostParams::default(), &node)
            .await
            .with_context(|| format!("cannot create node {}", template.name))?;
    }
    Ok(())
}

/// Marks a node as unschedulable, or as schedulable again.
///
/// # Errors
/// When there is no such node.
pub async fn cordon(client: &Client, name: &str, unschedulable: bool) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    let patch = json!({ "spec": { "unschedulable": unschedulable } });
    nodes
        .patch(name, &PatchParams::default(), &Patch::Merge(patch))
        .await
        .with_context(|| format!("cannot cordon node {name}"))?;
    Ok(())
}

/// Changes labels of a node; `null` removes one.
///
/// # Errors
/// When there is no such node.
pub async fn label(client: &Client, name: &str, labels: Value) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    let patch = json!({ "metadata": { "labels": labels } });
    nodes
        .patch(name, &PatchParams::default(), &Patch::Merge(patch))
        .await
        .with_context(|| format!("cannot label node {name}"))?;
    Ok(())
}

/// Takes a node away, with the pods on it: what a cloud does when a spot instance is reclaimed.
///
/// # Errors
/// When there is no such node.
pub async fn remove(client: &Client, name: &str) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    nodes.delete(name, &DeleteParams::default()).await.with_context(|| format!("cannot delete node {name}"))?;
    let pods: Api<Pod> = Api::all(client.clone());
    let here = ListParams::default().fields(&format!("spec.nodeName={name}"));
    for pod in pods.list(&here).await?.items {
        let namespaced: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
        let at_once = DeleteParams::default().grace_period(0);
        match namespaced.delete(&pod.name_any(), &at_once).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            other => {
                other.with_context(|| format!("cannot delete pod {}", pod.name_any()))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_nodes_are_not_described_then_every_zone_has_one_on_demand_and_one_spot_node() {
        let nodes = default_templates(CapacityLabel::Karpenter);
        for zone in ZONES {
            let here: Vec<_> = nodes.iter().filter(|node| node.zone == zone).map(|node| node.capacity).collect();
            assert_eq!(here, [Capacity::OnDemand, Capacity::Spot], "{zone}");
        }
    }

    #[test]
    fn when_a_spot_node_is_labelled_for_eks_then_karpenters_label_is_absent() {
        let node = NodeTemplate::new("n", "us-east-1b").spot().capacity_label(CapacityLabel::Eks).object();
        let labels = &node["metadata"]["labels"];
        assert_eq!(labels["eks.amazonaws.com/capacityType"], "SPOT");
        assert_eq!(labels["topology.kubernetes.io/region"], "us-east-1");
        assert!(labels.get("karpenter.sh/capacity-type").is_none());
    }
}
