//! Worlds of growing size that are at rest.
//!
//! The planner settles one namespace in memory, with its own operations; the others are copies of it under other names
//! and uids. So every service really is at rest: its plan has no operation and the status that it has.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

use jiff::Timestamp;
use plan::core::world::MemoryWorld;
use plan::{Kind, ObjectKey, Settings, Stored, World};
use serde_json::{Value, json};

use super::common::{Cluster, NAMESPACE, service, task_definition};

/// A node that is ACTIVE.
pub(crate) const NODE: &str = "node-0";
/// A node that is DRAINING.
pub(crate) const DRAINED: &str = "node-1";
/// Nodes that the provider and the cluster with a node selector have.
const POOL: usize = 10;
const SERVICES_OF_A_NAMESPACE: usize = 100;
const TASKS_OF_A_SERVICE: i64 = 10;
const TASKS_OF_A_NODE: usize = 20;

/// A world at rest and what plans need besides it.
pub(crate) struct Generated {
    pub(crate) world: MemoryWorld,
    pub(crate) settings: Settings,
    pub(crate) now: Timestamp,
}

static WORLDS: LazyLock<Mutex<BTreeMap<(usize, usize), &'static Generated>>> = LazyLock::new(Mutex::default);

impl Generated {
    /// A world with so many services, ten times as many tasks and half as many nodes. Built once and kept.
    pub(crate) fn of(services: usize) -> &'static Self {
        Self::kept(services, 1)
    }

    /// A world of one namespace whose family has so many revisions.
    pub(crate) fn with_revisions(revisions: usize) -> &'static Self {
        Self::kept(SERVICES_OF_A_NAMESPACE, revisions)
    }

    fn kept(services: usize, revisions: usize) -> &'static Self {
        let mut worlds = WORLDS.lock().unwrap();
        worlds.entry((services, revisions)).or_insert_with(|| Box::leak(Box::new(Self::build(services, revisions))))
    }

    /// A service of the last namespace on `instances` or on `fargate`.
    pub(crate) fn service(&self, capacity: &str) -> ObjectKey {
        service_in(&self.world, capacity)
    }

    /// The cluster of the last namespace.
    pub(crate) fn cluster(&self) -> ObjectKey {
        last_cluster(&self.world)
    }

    /// The one cluster with a node selector.
    pub(crate) fn selecting_cluster() -> ObjectKey {
        ObjectKey::namespaced(Kind::Cluster, NAMESPACE, "pool")
    }

    fn build(services: usize, revisions: usize) -> Self {
        let mut cluster = one_namespace(revisions);
        let originals: Vec<Value> = Kind::ALL
            .into_iter()
            .flat_map(|kind| cluster.world.list(kind, Some(NAMESPACE)))
            .map(|stored| stored.value())
            .collect();
        let copies = services / SERVICES_OF_A_NAMESPACE;
        let nodes = services / 2;
        for index in 0..nodes {
            cluster.apply(node(index));
        }
        let mut task = 0;
        for index in 0..copies {
            for original in &originals {
                // The first namespace stays, but for the nodes of its tasks.
                let mut object = if index == 0 { original.clone() } else { copy(original, index) };
                if object["kind"] == "Pod" {
                    object["spec"]["nodeName"] = json!(format!("node-{}", task / TASKS_OF_A_NODE % nodes));
                    task += 1;
                }
                insert(&mut cluster.world, object);
            }
        }
        // Taken in after everything was copied: there is one of each.
        cluster.apply(json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSCapacityProvider",
            "metadata": {"name": "pool"}, "spec": {"name": "pool", "kubernetes": {"nodeSelector": {"pool": "web"}}}}));
        cluster.apply(json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSCluster",
            "metadata": {"name": "pool"}, "spec": {"kubernetes": {"nodeSelector": {"pool": "web"}}}}));
        insert(&mut cluster.world, daemon());
        let counting = [Kind::CapacityProvider, Kind::Cluster].into_iter();
        let counting: Vec<_> = counting.flat_map(|kind| cluster.world.list(kind, None)).collect();
        for _ in 0..2 {
            for root in &counting {
                cluster.reconcile(&root.key);
            }
        }
        // The hash of what was applied has the namespace in it: these two are applied once more.
        for capacity in ["instances", "fargate", "instances", "fargate"] {
            cluster.reconcile(&service_in(&cluster.world, capacity));
        }
        Self { world: cluster.world, settings: cluster.settings, now: cluster.now }
    }
}

fn last_cluster(world: &MemoryWorld) -> ObjectKey {
    let mut clusters = world.list(Kind::Cluster, None).into_iter().map(|cluster| cluster.key.clone());
    clusters.rfind(|cluster| cluster.name == "default").unwrap()
}

fn service_in(world: &MemoryWorld, capacity: &str) -> ObjectKey {
    ObjectKey { kind: Kind::Service, name: format!("{capacity}-1"), ..last_cluster(world) }
}

/// A namespace whose services all run: half on the cluster's instances, half on FARGATE.
fn one_namespace(revisions: usize) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.apply(json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSCapacityProvider",
        "metadata": {"name": "fargate"},
        "spec": {"name": "FARGATE", "kubernetes": {"predefined": true, "capacityType": "OnDemand"}}}));
    cluster.edit(Kind::Cluster, "default", |object| object["spec"] = json!({"capacityProviders": ["FARGATE"]}));
    let mut family = task_definition("web", "nginx:1.29");
    family["spec"]["requiresCompatibilities"] = json!(["EC2", "FARGATE"]);
    family["spec"]["networkMode"] = json!("awsvpc");
    family["spec"]["cpu"] = json!("256");
    family["spec"]["memory"] = json!("512");
    // Numbers below are for the older revisions.
    family["status"] = json!({"family": "web", "latestRevision": revisions});
    cluster.apply(family);
    for index in 0..SERVICES_OF_A_NAMESPACE / 2 {
        let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-1"]}});
        let mut on_instances = service(&format!("instances-{index}"), "web", TASKS_OF_A_SERVICE);
        on_instances["spec"]["networkConfiguration"] = network.clone();
        cluster.apply(on_instances);
        let mut on_fargate = service(&format!("fargate-{index}"), "web", TASKS_OF_A_SERVICE);
        on_fargate["spec"]["networkConfiguration"] = network;
        on_fargate["spec"]["capacityProviderStrategy"] = json!([{"capacityProvider": "FARGATE"}]);
        cluster.apply(on_fargate);
    }
    cluster.run();
    let newest = cluster.list(Kind::TaskDefinitionRevision).pop().unwrap();
    for number in 1..revisions {
        let mut older = newest.clone();
        older["metadata"]["name"] = json!(format!("web-{number}"));
        older["metadata"]["uid"] = json!(format!("revision-{number}"));
        older["spec"]["revision"] = json!(number);
        insert(&mut cluster.world, older);
    }
    cluster
}

fn node(index: usize) -> Value {
    let mut labels = json!({
        "kubernetes.io/hostname": format!("node-{index}"),
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": "m7i.2xlarge",
        "topology.kubernetes.io/region": "eu-west-1",
        "topology.kubernetes.io/zone": format!("eu-west-1{}", ["a", "b", "c"][index % 3]),
        "eks.amazonaws.com/capacityType": "ON_DEMAND",
    });
    if index < POOL {
        labels["pool"] = json!("web");
    }
    let is_drained = format!("node-{index}") == DRAINED;
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": format!("node-{index}"), "labels": labels},
        "spec": {"providerID": format!("aws:///eu-west-1a/i-{index:017x}"), "unschedulable": is_drained},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
}

/// A service that only has to be there: because of it the operator looks for tasks on nodes that are DRAINING.
fn daemon() -> Value {
    let mut daemon = service("daemon", "web", 0);
    daemon["metadata"]["namespace"] = json!("daemons");
    daemon["metadata"]["uid"] = json!("daemon");
    daemon["spec"]["schedulingStrategy"] = json!("DAEMON");
    daemon
}

fn copy(original: &Value, index: usize) -> Value {
    let mut object = original.clone();
    object["metadata"]["namespace"] = json!(format!("{NAMESPACE}-{index:04}"));
    rename(&mut object["metadata"]["uid"], index);
    // Indexing would add the member if it is absent.
    let owners = object.pointer_mut("/metadata/ownerReferences").and_then(Value::as_array_mut);
    for owner in owners.into_iter().flatten() {
        rename(&mut owner["uid"], index);
    }
    object
}

fn rename(uid: &mut Value, index: usize) {
    *uid = json!(format!("{}-{index}", uid.as_str().unwrap()));
}

fn insert(world: &mut MemoryWorld, mut object: Value) {
    let kind = Kind::from_type(object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap()).unwrap();
    object["metadata"]["resourceVersion"] = json!("1");
    world.insert(Stored::accept(kind, object).unwrap());
}
