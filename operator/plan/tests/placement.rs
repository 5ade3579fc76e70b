//! Placement strategies and constraints of a service, as rules of its pods.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod common;

use common::{Cluster, condition, service, task_definition};
use plan::{Kind, ObjectKey, Op};
use serde_json::{Value, json};

fn strategies(list: &[(&str, &str)]) -> Value {
    let one = |(type_, field): &(&str, &str)| match *field {
        "" => json!({"type": type_}),
        field => json!({"type": type_, "field": field}),
    };
    list.iter().map(one).collect()
}

/// A cluster with a service of two tasks that has these strategies.
fn placed(strategy: &[(&str, &str)], constraints: &Value, has_profiles: bool) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.settings.has_binpack_profiles = has_profiles;
    cluster.apply(task_definition("web", "example.com/web:1"));
    let mut web = service("web", "web", 2);
    web["spec"]["placementStrategy"] = strategies(strategy);
    web["spec"]["placementConstraints"] = constraints.clone();
    cluster.apply(web);
    cluster.run();
    cluster
}

fn pod_spec(cluster: &Cluster) -> Value {
    cluster.list(Kind::Deployment).remove(0)["spec"]["template"]["spec"].clone()
}

/// What the service says about fields that do not act as on ECS.
fn says(cluster: &Cluster) -> String {
    let web = cluster.get(Kind::Service, "web");
    condition(&web, "FieldsNotApplied")["message"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn when_the_cluster_has_the_profiles_then_the_first_binpack_names_one_and_nothing_is_reported() {
    for (strategy, scheduler) in [
        (&[("binpack", "cpu")][..], Some("ecs-binpack-cpu")),
        (&[("binpack", "MEMORY")], Some("ecs-binpack-memory")),
        (&[("binpack", "memory"), ("spread", "instanceId")], Some("ecs-binpack-memory")),
        (&[("spread", "attribute:ecs.availability-zone"), ("binpack", "memory")], Some("ecs-spread-binpack-memory")),
        (&[("spread", "instanceId")], None),
        (&[("random", "")], None),
        (&[("random", ""), ("binpack", "cpu")], None),
        (&[], None),
    ] {
        let cluster = placed(strategy, &json!([]), true);
        let spec = pod_spec(&cluster);
        assert_eq!(spec.get("schedulerName").and_then(Value::as_str), scheduler, "{strategy:?}");
        assert_eq!(spec.pointer("/affinity/podAffinity"), None, "{strategy:?}");
        if scheduler.is_some() {
            assert!(!says(&cluster).contains("placementStrategy"), "{}", says(&cluster));
        }
    }
}

#[test]
fn when_the_cluster_has_no_profiles_then_tasks_are_drawn_together_and_the_difference_is_reported() {
    let cluster = placed(&[("binpack", "cpu")], &json!([]), false);
    let spec = pod_spec(&cluster);
    assert_eq!(spec.get("schedulerName"), None);
    let preferred = &spec["affinity"]["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"];
    assert_eq!(
        *preferred,
        json!([{"weight": 100, "podAffinityTerm": {
            "topologyKey": "kubernetes.io/hostname",
            "labelSelector": {"matchLabels": {"ecs-operator.dev/service": "web"}},
        }}])
    );
    assert!(says(&cluster).contains("placementStrategy[0].type"), "{}", says(&cluster));
    assert!(says(&cluster).contains("scheduler.enabled"), "{}", says(&cluster));
}

#[test]
fn when_drawing_together_would_act_against_the_rest_then_binpack_is_reported_to_do_nothing() {
    let zone = ("spread", "attribute:ecs.availability-zone");
    for (strategy, constraints, path) in [
        (&[zone, ("binpack", "memory")][..], json!([]), "placementStrategy[1].type"),
        (&[("binpack", "memory")], json!([{"type": "distinctInstance"}]), "placementStrategy[0].type"),
    ] {
        let cluster = placed(strategy, &constraints, false);
        assert_eq!(pod_spec(&cluster).pointer("/affinity/podAffinity"), None, "{strategy:?}");
        let text = says(&cluster);
        assert!(text.contains(path) && text.contains("no scheduler profile packs nodes"), "{text}");
    }
}

fn node(name: &str, instance_type: &str) -> Value {
    let labels = json!({"kubernetes.io/hostname": name, "node.kubernetes.io/instance-type": instance_type});
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}})
}

/// What the operator says of the nodes of pods now: the pod and the instance types.
fn says_of_pods(cluster: &mut Cluster) -> Vec<(String, Value)> {
    let plan = cluster.reconcile(&ObjectKey::namespaced(Kind::Service, common::NAMESPACE, "web"));
    let placed = plan.ops.iter().filter_map(|op| match op {
        Op::Place { key, body } => Some((key.name.clone(), body)),
        _ => None,
    });
    let types = |(name, body): (String, &Value)| {
        let terms = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
        let expressions = body.pointer(&format!("{terms}/0/matchExpressions")).unwrap();
        assert_eq!(expressions[1]["key"], "ecs-operator.dev/container-instance-status");
        (name, expressions[0]["values"].clone())
    };
    let mut all: Vec<_> = placed.map(types).collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

/// Pods that wait for the operator.
fn gated(cluster: &Cluster) -> usize {
    let gates = |pod: &Value| pod["spec"]["schedulingGates"].as_array().map_or(0, Vec::len);
    cluster.list(Kind::Pod).iter().filter(|pod| gates(pod) > 0).count()
}

fn names(cluster: &Cluster) -> Vec<String> {
    cluster.list(Kind::Pod).iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn when_a_constraint_compares_values_of_nodes_then_each_task_is_placed_by_the_nodes_of_its_moment() {
    let constraint = json!([{"type": "memberOf", "expression": "attribute:ecs.instance-type =~ t3.*"}]);
    let mut cluster = placed(&[], &constraint, false);
    cluster.apply(node("one", "m5.large"));
    cluster.run();
    let ready = |cluster: &Cluster| condition(&cluster.get(Kind::Service, "web"), "Ready").clone();
    let template = pod_spec(&cluster);
    assert_eq!(template.pointer("/affinity/nodeAffinity"), None, "{template}");
    assert_eq!(gated(&cluster), 2);
    assert_eq!(ready(&cluster)["reason"], "TaskPlacementFailure");
    assert!(ready(&cluster)["message"].as_str().unwrap().contains("no node meets the placement constraints"));

    let before = names(&cluster);
    cluster.apply(node("two", "t3.small"));
    let small = json!(["t3.small"]);
    assert_eq!(says_of_pods(&mut cluster), [(before[0].clone(), small.clone()), (before[1].clone(), small)]);
    cluster.run();
    assert_eq!(gated(&cluster), 0);
    assert_ne!(ready(&cluster)["reason"], "TaskPlacementFailure");

    // One has a node by now, the other one is still without when nodes of another type join.
    cluster.edit(Kind::Pod, &before[0], |pod| pod["spec"]["nodeName"] = json!("two"));
    cluster.apply(node("three", "t3.large"));
    assert_eq!(says_of_pods(&mut cluster), []);
    assert_eq!(names(&cluster), before[..1], "the other one is made again");
    cluster.deployment_controller();
    let after = names(&cluster);
    assert_eq!(says_of_pods(&mut cluster), [(after[1].clone(), json!(["t3.large", "t3.small"]))]);
    cluster.run();
    // Nodes that change nothing of it move nothing.
    let before = names(&cluster);
    cluster.apply(node("four", "m5.xlarge"));
    cluster.apply(node("five", "t3.large"));
    cluster.run();
    assert_eq!(names(&cluster), before);
    assert_eq!(pod_spec(&cluster), template, "the template follows no nodes");
    assert!(!says(&cluster).contains("placementConstraints"), "{}", says(&cluster));
}

#[test]
fn when_somebody_else_holds_a_task_back_then_only_the_own_gate_is_opened() {
    let constraint = json!([{"type": "memberOf", "expression": "ec2InstanceId == i-1"}]);
    let mut cluster = placed(&[], &constraint, false);
    for name in names(&cluster) {
        cluster.edit(Kind::Pod, &name, |pod| {
            let gates = pod["spec"]["schedulingGates"].as_array_mut().unwrap();
            gates.push(json!({"name": "kueue.x-k8s.io/admission"}));
        });
    }
    let mut one = node("one", "m5.large");
    one["spec"] = json!({"providerID": "aws:///us-east-1a/i-1"});
    cluster.apply(one);
    cluster.run();
    for pod in cluster.list(Kind::Pod) {
        assert_eq!(pod["spec"]["schedulingGates"], json!([{"name": "kueue.x-k8s.io/admission"}]));
        assert!(pod["metadata"]["annotations"]["ecs-operator.dev/placed-by"].is_string(), "{pod}");
    }
}

#[test]
fn when_a_provider_joins_the_strategy_later_then_its_tasks_are_placed_on_its_nodes_too() {
    let mut cluster = Cluster::new();
    for name in ["one", "two"] {
        cluster.apply(json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSCapacityProvider",
            "metadata": {"name": name}, "spec": {"name": name, "kubernetes": {"allowedNamespaces": ["*"]}}}));
        let mut node = node(name, "t3.small");
        node["metadata"]["labels"]["ecs-operator.dev/capacity-provider"] = json!(name);
        cluster.apply(node);
    }
    cluster.apply(json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSCluster",
        "metadata": {"name": "default"}, "spec": {"capacityProviders": ["one", "two"]}}));
    cluster.apply(task_definition("web", "example.com/web:1"));
    let on = |name: &str| json!([{"capacityProvider": name, "weight": 1}]);
    let mut web = service("web", "web", 1);
    web["spec"].as_object_mut().unwrap().remove("launchType");
    web["spec"]["capacityProviderStrategy"] = on("one");
    web["spec"]["placementConstraints"] =
        json!([{"type": "memberOf", "expression": "attribute:ecs.instance-type =~ t3.*"}]);
    cluster.apply(web);
    cluster.run();
    assert_eq!((cluster.list(Kind::Pod).len(), gated(&cluster)), (1, 0));
    cluster.edit(Kind::Service, "web", |web| {
        web["spec"]["capacityProviderStrategy"] = on("two");
        web["spec"]["desiredCount"] = json!(2);
    });
    cluster.run();
    assert_eq!((cluster.list(Kind::Pod).len(), gated(&cluster)), (2, 0));
}
