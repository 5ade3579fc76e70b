//! Placement strategies and constraints of a service, as rules of its pods.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod common;

use common::{Cluster, condition, service, task_definition};
use plan::Kind;
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
