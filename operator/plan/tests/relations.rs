//! The table of relations against the planner: whatever changes in whatever world, every root whose plan changes with it is
//! among those that [`routes::affected`] names, but for those that are listed here with the reason.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Cluster, NAMESPACE, service, task_definition};
use plan::{Kind, ObjectKey, Plan, Stored, World, plan, routes};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

/// A world with one of everything, at rest.
fn world() -> Cluster {
    let mut cluster = Cluster::new();
    for (index, zone) in ["a", "b", "a"].iter().enumerate() {
        cluster.apply(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": format!("node-{}", index + 1),
            "labels": {"topology.kubernetes.io/zone": zone, "pool": if index == 0 { "web" } else { "other" }}},
            "spec": {"providerID": format!("aws:///eu/i-{index}")},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]}}));
    }
    for (name, kubernetes) in [
        ("FARGATE", json!({"predefined": true, "capacityType": "OnDemand"})),
        ("pool", json!({"nodeSelector": {"pool": "web"}})),
    ] {
        cluster.apply(json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSCapacityProvider",
            "metadata": {"name": name.to_lowercase()}, "spec": {"name": name, "kubernetes": kubernetes}}));
    }
    cluster.edit(Kind::Cluster, "default", |object| {
        object["spec"] = json!({"capacityProviders": ["FARGATE", "pool"],
            "defaultCapacityProviderStrategy": [{"capacityProvider": "pool", "weight": 1}]});
    });
    cluster.apply(task_definition("web", "nginx:1"));
    cluster.apply(task_definition("agent", "agent:1"));
    cluster.apply(service("web", "web", 2));
    let mut balanced = service("balanced", "web", 2);
    balanced["spec"]["availabilityZoneRebalancing"] = json!("ENABLED");
    balanced["spec"]["launchType"] = json!("EC2");
    cluster.apply(balanced);
    let mut agent = service("agent", "agent", 0);
    agent["spec"] = json!({"taskDefinition": "agent", "schedulingStrategy": "DAEMON", "launchType": "EC2"});
    cluster.apply(agent);
    cluster.apply(json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSScalableTarget",
        "metadata": {"name": "web"}, "spec": {"ResourceId": "service/default/web", "ServiceNamespace": "ecs",
            "ScalableDimension": "ecs:service:DesiredCount", "MinCapacity": 1, "MaxCapacity": 4, "ScalingPolicies": [
                {"PolicyName": "cpu", "PolicyType": "TargetTrackingScaling",
                 "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 50.0, "PredefinedMetricSpecification":
                    {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}}]}}));
    for _ in 0..4 {
        cluster.settle();
        cluster.deployment_controller();
        cluster.pass(41);
    }
    cluster
}

/// Values that a change sets, by kind; `null` removes.
fn edits(kind: Kind) -> Vec<(&'static str, Value)> {
    let mut edits = vec![
        ("/metadata/deletionTimestamp", json!("2026-03-01T10:00:00Z")),
        ("/metadata/uid", json!("another")),
        ("/metadata/creationTimestamp", json!("2020-01-01T00:00:00Z")),
    ];
    edits.extend(match kind.kind() {
        "ECSCluster" => vec![
            ("/spec/clusterName", json!("other")),
            ("/spec/capacityProviders", json!(["FARGATE"])),
            ("/spec/defaultCapacityProviderStrategy", json!([{"capacityProvider": "FARGATE", "weight": 1}])),
            ("/spec/kubernetes", json!({"nodeSelector": {"pool": "web"}})),
            ("/status/runningTasksCount", json!(99)),
        ],
        "ECSCapacityProvider" => vec![
            ("/spec/name", json!("renamed")),
            ("/spec/kubernetes/nodeSelector", json!({"pool": "other"})),
            ("/spec/kubernetes/allowedNamespaces", json!(["elsewhere"])),
            ("/status/matchingNodes", json!(99)),
        ],
        "ECSTaskDefinition" => vec![
            ("/spec/family", json!("other")),
            ("/spec/containerDefinitions/0/image", json!("nginx:2")),
            ("/status/latestRevision", json!(7)),
        ],
        "ECSTaskDefinitionRevision" => vec![
            ("/status/status", json!("INACTIVE")),
            ("/metadata/annotations", json!({"ecs-operator.dev/deregister": "true"})),
            ("/spec/revision", json!(9)),
            ("/spec/taskDefinition/containerDefinitions", json!("broken")),
        ],
        "ECSService" => vec![
            ("/spec/desiredCount", json!(3)),
            ("/spec/cluster", json!("other")),
            ("/spec/serviceName", json!("web")),
            ("/spec/taskDefinition", json!("agent")),
            ("/spec/launchType", json!("FARGATE")),
            ("/spec/capacityProviderStrategy", json!([{"capacityProvider": "FARGATE", "weight": 1}])),
            ("/spec/schedulingStrategy", json!("DAEMON")),
            ("/status/runningCount", json!(99)),
            ("/status/deployments", json!([{}, {}])),
        ],
        "ECSServiceDeployment" => {
            vec![("/status/status", json!("ROLLBACK_IN_PROGRESS")), ("/spec/serviceRevision", json!("broken"))]
        }
        "ECSScalableTarget" => {
            vec![("/spec/ResourceId", json!("service/default/balanced")), ("/spec/MaxCapacity", json!(9))]
        }
        "Deployment" => vec![("/spec/replicas", json!(1)), ("/spec/paused", json!(true))],
        "Pod" => vec![
            ("/status/phase", json!("Failed")),
            ("/spec/nodeName", json!("node-3")),
            ("/spec/schedulingGates", json!([{"name": "ecs-operator.dev/placement"}])),
            ("/status/containerStatuses", json!([])),
            ("/metadata/labels/ecs-operator.dev~1service", json!("balanced")),
        ],
        "Node" => vec![
            ("/spec/unschedulable", json!(true)),
            ("/metadata/labels/pool", json!("web")),
            ("/metadata/labels/topology.kubernetes.io~1zone", json!("c")),
            ("/metadata/labels/karpenter.sh~1capacity-type", json!("on-demand")),
            ("/status/conditions", json!([])),
        ],
        "Namespace" => vec![("/metadata/annotations", json!({"ecs-operator.dev/allowed-task-roles": "*"}))],
        "HorizontalPodAutoscaler" => vec![
            ("/spec/maxReplicas", json!(99)),
            ("/status", json!({"conditions": [{"type": "ScalingActive", "status": "True"}], "currentReplicas": 2})),
        ],
        _ => Vec::new(),
    });
    edits
}

fn set(object: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let name = name.replace("~1", "/");
    for missing in [parent.rsplit_once('/').map(|(parent, _)| parent), Some(parent)].into_iter().flatten() {
        if let Some((above, name)) = missing.rsplit_once('/')
            && let Some(above) = object.pointer_mut(above).and_then(Value::as_object_mut)
        {
            above.entry(name.replace("~1", "/")).or_insert_with(|| json!({}));
        }
    }
    if let Some(parent) = object.pointer_mut(parent).and_then(Value::as_object_mut) {
        parent.insert(name, value);
    }
}

/// What happens to one object.
#[derive(Clone, Debug)]
enum Change {
    /// One of [`edits`].
    Edit(Index, Index),
    Remove(Index),
    /// A copy of it under another name.
    Copy(Index),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (any::<Index>(), any::<Index>()).prop_map(|(object, edit)| Change::Edit(object, edit)),
        2 => any::<Index>().prop_map(Change::Remove),
        1 => any::<Index>().prop_map(Change::Copy),
    ]
}

fn plans(cluster: &Cluster) -> BTreeMap<ObjectKey, Plan> {
    let kinds = Kind::ALL.into_iter().filter(|kind| kind.is_root());
    let roots = kinds.flat_map(|kind| cluster.world.list(kind, None)).map(|root| root.key.clone());
    roots.map(|root| (root.clone(), plan(&cluster.world, &root, &cluster.settings, cluster.now))).collect()
}

/// Why a root need not be looked at although its plan is another one.
fn why_not(root: Kind, changed: Kind) -> Option<&'static str> {
    match (root.kind(), changed.kind()) {
        ("ECSTaskDefinition", "ECSService" | "ECSServiceDeployment") => {
            Some("revisions that nothing names any more are removed the next time that the family is looked at")
        }
        ("ECSService", "Node") => Some(
            "expressions and capacity types are compared with nodes when a deployment starts, and zones when a count is \
             lowered",
        ),
        ("ECSService", "ECSCluster") => {
            Some("which providers are associated follows from the spec of the cluster: its status only comes after it")
        }
        _ => None,
    }
}

/// Carries a change out as the runtime's store does, and tells whom it concerns.
fn carry_out(cluster: &mut Cluster, change: &Change) -> Option<(Kind, BTreeSet<ObjectKey>)> {
    let everything: Vec<_> = Kind::ALL.into_iter().flat_map(|kind| cluster.world.list(kind, None)).collect();
    let (Change::Edit(index, _) | Change::Remove(index) | Change::Copy(index)) = change;
    let before = index.get(&everything);
    let kind = before.key.kind;
    let mut object = before.value();
    match change {
        Change::Edit(_, edit) => {
            let (pointer, value) = edit.get(&edits(kind)).clone();
            set(&mut object, pointer, value);
        }
        Change::Remove(_) => {
            cluster.world.remove(&before.key);
            return Some((kind, routes::affected(&cluster.world, before)));
        }
        Change::Copy(_) => {
            object["metadata"]["name"] = json!(format!("{}-copy", before.key.name));
            object["metadata"]["uid"] = json!(format!("{}-copy", before.uid));
        }
    }
    object["metadata"]["resourceVersion"] = json!("1000000");
    let stored = Stored::accept(kind, object).ok()?;
    let key = stored.key.clone();
    let previous = cluster.world.insert(stored);
    let now = cluster.world.get(&key)?;
    let is_status_alone = previous.as_ref().is_some_and(|previous| previous.same_except_status(&now));
    let affected = if is_status_alone { routes::affected_by_status } else { routes::affected };
    let copies = previous.iter().chain([&now]);
    Some((kind, copies.flat_map(|copy| affected(&cluster.world, copy)).collect()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn when_a_plan_changes_with_an_object_then_its_root_is_affected(
        changes in proptest::collection::vec((change(), select(vec![false, true])), 1..6)
    ) {
        let mut cluster = world();
        for (change, settles) in changes {
            let before = plans(&cluster);
            let Some((kind, affected)) = carry_out(&mut cluster, &change) else { continue };
            for (root, after) in plans(&cluster) {
                let is_same = before.get(&root) == Some(&after);
                prop_assert!(
                    is_same || affected.contains(&root) || why_not(root.kind, kind).is_some(),
                    "{root} is not affected by a change of {kind}: {change:?}\nbefore: {:#?}\nafter: {after:#?}",
                    before.get(&root),
                );
            }
            // Also worlds that are not at rest: half of the time the next change comes at once.
            if settles {
                for root in &affected {
                    let Some(known) = cluster.world.get(root) else { continue };
                    let plan = plan(&cluster.world, root, &cluster.settings, cluster.now);
                    if let Some(status) = plan.status {
                        let mut object = known.value();
                        object["status"] = status;
                        object["metadata"]["resourceVersion"] = json!("1000001");
                        cluster.world.insert(Stored::accept(root.kind, object).unwrap());
                    }
                }
            }
        }
    }
}

#[test]
fn when_only_the_status_of_a_provider_changes_then_nobody_else_is_affected() {
    let cluster = world();
    let provider = cluster.world.get(&ObjectKey::cluster_scoped(Kind::CapacityProvider, "pool")).unwrap();
    assert_eq!(routes::affected_by_status(&cluster.world, &provider), BTreeSet::from([provider.key.clone()]));
    let web = ObjectKey::namespaced(Kind::Service, NAMESPACE, "web");
    assert!(routes::affected(&cluster.world, &provider).contains(&web), "it follows the default of its cluster");
}

#[test]
fn when_a_task_of_a_draining_node_changes_then_the_node_is_looked_at() {
    let mut cluster = world();
    let pod = cluster.world.list(Kind::Pod, None)[0].clone();
    let node = ObjectKey::cluster_scoped(Kind::Node, pod.value()["spec"]["nodeName"].as_str().unwrap());
    assert!(!routes::affected(&cluster.world, &pod).contains(&node));
    let mut drained = cluster.world.get(&node).unwrap().value();
    drained["spec"]["unschedulable"] = json!(true);
    cluster.world.insert(Stored::accept(Kind::Node, drained).unwrap());
    assert!(routes::affected(&cluster.world, &pod).contains(&node));
}
