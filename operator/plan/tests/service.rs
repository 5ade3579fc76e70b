//! What a service becomes, and what makes it become something else.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

mod common;

use common::{Cluster, NAMESPACE, condition, service, steady, task_definition};
use plan::{Kind, ObjectKey, World};
use serde_json::{Value, json};

fn template(cluster: &Cluster) -> Value {
    cluster.deployment("web")["spec"]["template"].clone()
}

#[test]
fn when_task_definition_and_service_are_applied_then_the_service_becomes_steady() {
    let cluster = steady("web", 3);
    let web = cluster.get(Kind::Service, "web");
    assert_eq!(web["status"]["runningCount"], 3);
    assert_eq!(web["status"]["pendingCount"], 0);
    assert_eq!(condition(&web, "Ready")["status"], "True");
    assert_eq!(web["status"]["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!(web["status"]["events"][0]["message"], "(service web) has reached a steady state.");
    assert_eq!(cluster.deployment("web")["spec"]["replicas"], 3);
    assert_eq!(cluster.get(Kind::PodDisruptionBudget, "web")["spec"]["minAvailable"], 3);
    assert_eq!(cluster.get(Kind::KubernetesService, "web")["spec"]["ports"][0]["port"], 8080);
}

#[test]
fn when_a_service_names_no_count_then_it_starts_with_one_task_and_keeps_what_it_has() {
    let unname = |web: &mut Value| drop(web["spec"].as_object_mut().unwrap().remove("desiredCount"));
    let mut cluster = Cluster::new();
    cluster.apply(task_definition("web", "web:1"));
    let mut web = service("web", "web", 7);
    unname(&mut web);
    cluster.apply(web);
    cluster.run();
    assert_eq!(cluster.deployment("web")["spec"]["replicas"], 1);
    assert_eq!(condition(&cluster.get(Kind::Service, "web"), "Ready")["status"], "True");

    cluster.edit(Kind::Service, "web", |web| web["spec"]["desiredCount"] = json!(4));
    cluster.run();
    cluster.edit(Kind::Service, "web", unname);
    cluster.run();
    assert_eq!(cluster.deployment("web")["spec"]["replicas"], 4, "absent is unchanged, as for UpdateService");

    cluster.edit(Kind::Service, "web", |web| web["spec"]["desiredCount"] = json!(0));
    cluster.run();
    cluster.edit(Kind::Service, "web", unname);
    cluster.run();
    assert_eq!(cluster.deployment("web")["spec"]["replicas"], 0);
    assert_eq!(cluster.settle(), 0);
}

#[test]
fn when_nothing_changes_then_nothing_is_written() {
    let mut cluster = steady("web", 3);
    cluster.pass(3600);
    assert_eq!(cluster.settle(), 0);
}

#[test]
fn when_the_same_manifest_is_applied_again_then_nothing_is_written() {
    let mut cluster = steady("web", 3);
    cluster.apply(service("web", "web", 3));
    cluster.apply(task_definition("web", "example.com/web:1"));
    assert_eq!(cluster.settle(), 0);
}

#[test]
fn when_a_service_is_new_then_it_costs_its_children_and_two_status_writes() {
    let mut cluster = Cluster::new();
    cluster.apply(task_definition("web", "example.com/web:1"));
    cluster.run();
    cluster.log.clear();
    cluster.apply(service("web", "web", 0));
    cluster.run();
    let of_service: Vec<&String> = cluster.log.iter().filter(|line| !line.contains("ECSCluster")).collect();
    let status = of_service.iter().filter(|line| line.starts_with("status ")).count();
    // Record, Service, PodDisruptionBudget, Deployment; the record's end; two statuses.
    assert_eq!((of_service.len(), status), (7, 2), "{of_service:#?}");
}

#[test]
fn when_a_field_that_starts_no_deployment_changes_then_no_pod_is_replaced() {
    for (field, value) in [
        ("desiredCount", json!(5)),
        ("tags", json!([{"key": "team", "value": "a"}])),
        ("deploymentConfiguration", json!({"maximumPercent": 150, "minimumHealthyPercent": 50})),
        ("healthCheckGracePeriodSeconds", json!(30)),
        ("enableExecuteCommand", json!(true)),
        ("propagateTags", json!("SERVICE")),
        ("placementStrategy", json!([{"type": "spread", "field": "instanceId"}])),
        ("placementConstraints", json!([{"type": "distinctInstance"}])),
        ("availabilityZoneRebalancing", json!("DISABLED")),
    ] {
        let mut cluster = steady("web", 2);
        let before = template(&cluster);
        cluster.edit(Kind::Service, "web", |web| web["spec"][field] = value.clone());
        cluster.run();
        assert_eq!(template(&cluster), before, "{field}");
        assert_eq!(cluster.list(Kind::ServiceDeployment).len(), 1, "{field}");
    }
}

#[test]
fn when_a_field_that_starts_a_deployment_changes_then_pods_are_replaced() {
    for (pointer, value) in [
        ("platformVersion", json!("1.4.0")),
        ("forceNewDeployment", json!(true)),
        ("kubernetes", json!({"forceNewDeployment": "again"})),
    ] {
        let mut cluster = steady("web", 2);
        let before = template(&cluster);
        cluster.edit(Kind::Service, "web", |web| web["spec"][pointer] = value.clone());
        cluster.run();
        assert_ne!(template(&cluster), before, "{pointer}");
        let web = cluster.get(Kind::Service, "web");
        assert_eq!(web["status"]["deployments"].as_array().unwrap().len(), 1, "{pointer}");
        assert_eq!(cluster.list(Kind::ServiceDeployment).len(), 2, "{pointer}");
    }
}

#[test]
fn when_force_new_deployment_stays_true_then_an_autoscaler_does_not_start_deployments() {
    let mut cluster = steady("web", 2);
    cluster.edit(Kind::Service, "web", |web| web["spec"]["forceNewDeployment"] = json!(true));
    cluster.run();
    cluster.edit(Kind::Service, "web", |web| web["spec"]["desiredCount"] = json!(7));
    cluster.run();
    assert_eq!(cluster.list(Kind::ServiceDeployment).len(), 2);
    assert_eq!(cluster.deployment("web")["spec"]["replicas"], 7);
}

#[test]
fn when_the_family_gets_a_new_revision_then_a_bare_family_follows_and_a_pinned_one_stays() {
    let mut cluster = steady("web", 1);
    cluster.apply(service("pinned", "web:1", 1));
    cluster.run();
    cluster.apply(task_definition("web", "example.com/web:2"));
    cluster.run();
    let image = |name: &str| cluster.deployment(name)["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    assert_eq!(image("web"), "example.com/web:2");
    assert_eq!(image("pinned"), "example.com/web:1");
    assert_eq!(cluster.get(Kind::Service, "web")["status"]["taskDefinition"], "web:2");
}

#[test]
fn when_the_count_changes_then_the_bounds_follow_as_integers() {
    let mut cluster = steady("web", 3);
    for (count, surge, unavailable) in [(3, 3, 0), (10, 10, 0), (1, 1, 0), (7, 7, 0)] {
        cluster.edit(Kind::Service, "web", |web| web["spec"]["desiredCount"] = json!(count));
        cluster.run();
        let rolling = cluster.deployment("web")["spec"]["strategy"]["rollingUpdate"].clone();
        assert_eq!(rolling, json!({"maxSurge": surge, "maxUnavailable": unavailable}), "{count}");
    }
    // ceil(5 · 34 %) = 2 stay healthy, floor(5 · 150 %) = 7 at most.
    cluster.edit(Kind::Service, "web", |web| {
        web["spec"]["desiredCount"] = json!(5);
        web["spec"]["deploymentConfiguration"] = json!({"minimumHealthyPercent": 34, "maximumPercent": 150});
    });
    cluster.run();
    let rolling = cluster.deployment("web")["spec"]["strategy"]["rollingUpdate"].clone();
    assert_eq!(rolling, json!({"maxSurge": 2, "maxUnavailable": 3}));
    assert_eq!(cluster.get(Kind::PodDisruptionBudget, "web")["spec"]["minAvailable"], 2);
}

#[test]
fn when_the_bounds_leave_no_room_then_the_old_tasks_stay_and_status_says_so() {
    let mut cluster = Cluster::new();
    cluster.apply(task_definition("web", "example.com/web:1"));
    let mut web = service("web", "web", 1);
    web["spec"]["deploymentConfiguration"] = json!({"minimumHealthyPercent": 50, "maximumPercent": 100});
    cluster.apply(web);
    cluster.run();
    assert_eq!(condition(&cluster.get(Kind::Service, "web"), "Ready")["status"], "True");
    let before = cluster.list(Kind::Pod);
    cluster.apply(task_definition("web", "example.com/web:2"));
    cluster.run();
    let web = cluster.get(Kind::Service, "web");
    assert_eq!(cluster.list(Kind::Pod), before);
    assert_eq!(condition(&web, "DeploymentStuck")["status"], "True");
    assert_eq!(condition(&web, "Stalled")["status"], "True");
    assert!(web["status"]["events"][0]["message"].as_str().unwrap().contains("was unable to stop or start tasks"));
    // More room, and it goes on by itself.
    cluster.edit(Kind::Service, "web", |web| {
        web["spec"]["deploymentConfiguration"] = json!({"minimumHealthyPercent": 0, "maximumPercent": 100});
    });
    cluster.run();
    assert_ne!(cluster.list(Kind::Pod), before);
    assert_eq!(condition(&cluster.get(Kind::Service, "web"), "Ready")["status"], "True");
}

#[test]
fn when_a_reference_is_missing_then_the_condition_names_it_and_it_heals_by_itself() {
    let mut cluster = Cluster::new();
    let mut web = service("web", "web", 1);
    web["spec"]["cluster"] = json!("prod");
    web["spec"]["capacityProviderStrategy"] = json!([{"capacityProvider": "blue", "weight": 1}]);
    cluster.apply(web);
    let reason = |cluster: &mut Cluster| {
        cluster.run();
        let web = cluster.get(Kind::Service, "web");
        condition(&web, "Accepted")["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(reason(&mut cluster), "ClusterNotFoundException");
    cluster.apply(json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSCluster", "metadata": {"name": "prod"}, "spec": {}}));
    assert_eq!(reason(&mut cluster), "InvalidParameterException");
    cluster.edit(Kind::Cluster, "prod", |prod| prod["spec"]["capacityProviders"] = json!(["blue"]));
    assert_eq!(reason(&mut cluster), "CapacityProviderNotFound");
    cluster.apply(json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSCapacityProvider", "metadata": {"name": "blue"},
        "spec": {"autoScalingGroupProvider": {"autoScalingGroupArn": "arn:aws:autoscaling:eu-west-1:1:autoScalingGroup:x:autoScalingGroupName/blue"}}}));
    assert_eq!(reason(&mut cluster), "TaskDefinitionNotFound");
    cluster.apply(task_definition("web", "example.com/web:1"));
    assert_eq!(reason(&mut cluster), "Accepted");
    assert_eq!(condition(&cluster.get(Kind::Service, "web"), "Ready")["status"], "True");
}

#[test]
fn when_a_good_service_gets_a_bad_spec_then_what_runs_is_not_touched() {
    let mut cluster = steady("web", 2);
    let before = cluster.deployment("web");
    cluster.edit(Kind::Service, "web", |web| web["spec"]["launchType"] = json!("MOON"));
    cluster.run();
    let web = cluster.get(Kind::Service, "web");
    assert_eq!(condition(&web, "Accepted")["status"], "False");
    assert!(condition(&web, "Accepted")["message"].as_str().unwrap().contains("spec.launchType"));
    assert_eq!(web["status"]["runningCount"], 2);
    assert_eq!(cluster.deployment("web"), before);
}

#[test]
fn when_tasks_run_on_two_providers_then_base_and_weight_decide_at_every_count() {
    let mut cluster = Cluster::new();
    cluster.edit(Kind::Cluster, "default", |cluster| cluster["spec"]["capacityProviders"] = json!(["one", "two"]));
    for name in ["one", "two"] {
        cluster.apply(json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSCapacityProvider", "metadata": {"name": name},
            "spec": {"autoScalingGroupProvider": {"autoScalingGroupArn": "arn:aws:autoscaling:eu-west-1:1:autoScalingGroup:x:autoScalingGroupName/g"}}}));
    }
    cluster.apply(task_definition("web", "example.com/web:1"));
    let mut web = service("web", "web", 1);
    web["spec"]["capacityProviderStrategy"] =
        json!([{"capacityProvider": "one", "base": 2, "weight": 1}, {"capacityProvider": "two", "weight": 3}]);
    cluster.apply(web);
    // Two on the base, then weights 1:3 by Sainte-Laguë, ties to the first: two, one, two, two; two, one, two, two …
    let expected = [(1, 0), (2, 0), (2, 1), (3, 1), (3, 2), (3, 3), (3, 4), (4, 4), (4, 5), (4, 6), (4, 7), (5, 7)];
    let split = |cluster: &Cluster| {
        let counts: Vec<i64> =
            cluster.list(Kind::Deployment).iter().map(|one| one["spec"]["replicas"].as_i64().unwrap()).collect();
        (counts[0], counts[1])
    };
    for (count, expected) in (1..).zip(expected).chain((1..).zip(expected).collect::<Vec<_>>().into_iter().rev()) {
        cluster.edit(Kind::Service, "web", |web| web["spec"]["desiredCount"] = json!(count));
        cluster.run();
        assert_eq!(split(&cluster), expected, "{count}");
    }
    let affinity = &cluster.list(Kind::Deployment)[0]["spec"]["template"]["spec"]["affinity"]["nodeAffinity"];
    assert!(affinity["requiredDuringSchedulingIgnoredDuringExecution"].is_object());
}

#[test]
fn when_the_operator_is_upgraded_or_nodes_change_then_running_templates_stay_frozen() {
    let mut cluster = steady("web", 2);
    let before = template(&cluster);
    cluster.apply(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "labels": {"karpenter.sh/capacity-type": "spot"}}}));
    cluster.run();
    assert_eq!(template(&cluster), before);
}

#[test]
fn when_a_child_is_edited_by_hand_then_it_is_put_right() {
    let mut cluster = steady("web", 2);
    let name = cluster.deployment("web")["metadata"]["name"].as_str().unwrap().to_owned();
    cluster.edit(Kind::Deployment, &name, |deployment| deployment["spec"]["replicas"] = json!(9));
    cluster.run();
    assert_eq!(cluster.deployment("web")["spec"]["replicas"], 2);
}

#[test]
fn when_a_family_is_deleted_and_comes_back_then_its_numbers_go_on() {
    let mut cluster = steady("web", 1);
    cluster.apply(task_definition("web", "example.com/web:2"));
    cluster.run();
    for stored in cluster.world.list(Kind::TaskDefinitionRevision, None) {
        cluster.world.remove(&stored.key);
    }
    cluster.world.remove(&ObjectKey::namespaced(Kind::TaskDefinition, NAMESPACE, "web"));
    cluster.run();
    cluster.apply(task_definition("web", "example.com/web:3"));
    cluster.run();
    assert_eq!(cluster.get(Kind::Service, "web")["status"]["taskDefinition"], "web:3");
}

#[test]
fn when_a_revision_is_deregistered_then_services_on_it_go_on_and_new_ones_are_refused() {
    let mut cluster = steady("web", 1);
    cluster.edit(Kind::TaskDefinitionRevision, "web-1", |revision| {
        revision["metadata"]["annotations"] = json!({"ecs-operator.dev/deregister": "true"});
    });
    cluster.edit(Kind::Service, "web", |web| {
        web["spec"]["taskDefinition"] = json!("web:1");
        web["spec"]["desiredCount"] = json!(4);
    });
    cluster.apply(service("new", "web:1", 1));
    cluster.run();
    assert_eq!(cluster.get(Kind::TaskDefinitionRevision, "web-1")["status"]["status"], "INACTIVE");
    assert_eq!(cluster.get(Kind::Service, "web")["status"]["runningCount"], 4);
    assert_eq!(condition(&cluster.get(Kind::Service, "new"), "Accepted")["reason"], "TaskDefinitionInactive");
}

#[test]
fn when_there_are_more_revisions_than_are_kept_then_the_oldest_that_nothing_uses_go() {
    let mut cluster = steady("web", 1);
    let with_history = |image: &str| {
        let mut family = task_definition("web", image);
        family["spec"]["kubernetes"] = json!({"revisionHistory": 2});
        family
    };
    cluster.apply(service("pinned", "web:2", 1));
    for number in 2..=6 {
        cluster.apply(with_history(&format!("example.com/web:{number}")));
        cluster.run();
    }
    let numbers = |cluster: &Cluster| -> Vec<i64> {
        let revisions = cluster.list(Kind::TaskDefinitionRevision);
        let mut numbers: Vec<i64> =
            revisions.iter().map(|revision| revision["spec"]["revision"].as_i64().unwrap()).collect();
        numbers.sort_unstable();
        numbers
    };
    let used_by_deployments: Vec<i64> = cluster
        .list(Kind::ServiceDeployment)
        .iter()
        .map(|record| record["spec"]["taskDefinition"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap())
        .collect();
    let expected: Vec<i64> =
        (1..=6).filter(|number| *number >= 5 || *number == 2 || used_by_deployments.contains(number)).collect();
    assert_eq!(numbers(&cluster), expected);
    // What is gone is never given again, and keeping another number of revisions registers none.
    cluster.edit(Kind::TaskDefinition, "web", |web| web["spec"]["kubernetes"]["revisionHistory"] = json!(1));
    cluster.run();
    assert_eq!(cluster.get(Kind::TaskDefinition, "web")["status"]["latestRevision"], 6);
}

#[test]
fn when_a_family_is_read_from_before_its_latest_revision_then_the_old_document_is_not_registered_again() {
    let mut cluster = steady("web", 1);
    cluster.edit(Kind::TaskDefinitionRevision, "web-1", |revision| revision["spec"]["familyGeneration"] = json!(9));
    cluster.edit(Kind::TaskDefinition, "web", |web| {
        web["spec"]["containerDefinitions"][0]["image"] = json!("example.com/web:old");
    });
    cluster.run();
    assert_eq!(cluster.list(Kind::TaskDefinitionRevision).len(), 1);
}

#[test]
fn when_two_services_claim_one_ecs_name_then_the_older_keeps_it() {
    let mut cluster = steady("web", 1);
    cluster.pass(10);
    let mut other = service("other", "web", 1);
    other["spec"]["serviceName"] = json!("web");
    cluster.apply(other);
    cluster.run();
    let other = cluster.get(Kind::Service, "other");
    assert!(condition(&other, "Accepted")["message"].as_str().unwrap().contains("not idempotent"));
    assert_eq!(condition(&cluster.get(Kind::Service, "web"), "Ready")["status"], "True");
}

#[test]
fn when_service_and_task_definition_have_constraints_then_a_node_must_meet_both_and_be_the_providers() {
    let mut cluster = Cluster::new();
    cluster.edit(Kind::Cluster, "default", |cluster| cluster["spec"]["capacityProviders"] = json!(["gpu"]));
    let group = "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:x:autoScalingGroupName/gpu";
    cluster.apply(json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSCapacityProvider",
        "metadata": {"name": "gpu"}, "spec": {"autoScalingGroupProvider": {"autoScalingGroupArn": group},
            "kubernetes": {"nodeSelector": {"pool": "gpu"}}}}));
    let mut family = task_definition("web", "example.com/web:1");
    family["spec"]["placementConstraints"] = json!([{"type": "memberOf", "expression": "attribute:stack == prod"}]);
    cluster.apply(family);
    let mut web = service("web", "web", 1);
    web["spec"]["capacityProviderStrategy"] = json!([{"capacityProvider": "gpu", "weight": 1}]);
    web["spec"]["placementConstraints"] = json!([
        {"type": "distinctInstance"},
        {"type": "memberOf", "expression": "attribute:ecs.availability-zone in [a, b] and task:group != service:batch"},
    ]);
    cluster.apply(web);
    cluster.run();
    let deployment = cluster.list(Kind::Deployment).remove(0);
    let affinity = &deployment["spec"]["template"]["spec"]["affinity"];
    let terms = &affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"];
    assert_eq!(
        *terms,
        json!([{"matchExpressions": [
            {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["a", "b"]},
            {"key": "attributes.ecs-operator.dev/stack", "operator": "In", "values": ["prod"]},
            {"key": "ecs-operator.dev/container-instance-status", "operator": "NotIn", "values": ["DRAINING"]},
            {"key": "pool", "operator": "In", "values": ["gpu"]},
        ]}])
    );
    let apart = &affinity["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    assert_eq!(apart.as_array().unwrap().len(), 2, "distinctInstance, and not beside the group: {apart}");
}

#[test]
fn when_a_constraint_is_no_expression_then_service_and_task_definition_are_refused_with_its_column() {
    let mut cluster = steady("web", 1);
    cluster.edit(Kind::Service, "web", |web| {
        web["spec"]["placementConstraints"] = json!([{"type": "memberOf", "expression": "attribute:a = b"}]);
    });
    let mut other = task_definition("other", "example.com/other:1");
    other["spec"]["placementConstraints"] = json!([{"type": "memberOf", "expression": "stack == prod"}]);
    cluster.apply(other);
    cluster.run();
    let message = |kind, name| {
        let object = cluster.get(kind, name);
        let accepted = condition(&object, "Accepted");
        assert_eq!(
            (accepted["status"].as_str(), accepted["reason"].as_str()),
            (Some("False"), Some("InvalidParameterException"))
        );
        accepted["message"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        message(Kind::Service, "web"),
        "spec.placementConstraints[0].expression: InvalidParameterException: column 13: an operator is missing, such as =="
    );
    assert!(message(Kind::TaskDefinition, "other").starts_with("spec.placementConstraints[0].expression: "));
    assert_eq!(cluster.get(Kind::Service, "web")["status"]["runningCount"], 1);
}

#[test]
fn when_tags_are_propagated_then_tasks_carry_them_and_changing_them_replaces_nothing() {
    let mut cluster = steady("web", 1);
    cluster.edit(Kind::Service, "web", |web| {
        web["spec"]["tags"] = json!([{"key": "team", "value": "shop"}]);
        web["spec"]["propagateTags"] = json!("SERVICE");
        web["spec"]["enableECSManagedTags"] = json!(true);
    });
    cluster.run();
    assert_eq!(cluster.list(Kind::ServiceDeployment).len(), 1);
    cluster.edit(Kind::Service, "web", |web| web["spec"]["forceNewDeployment"] = json!(true));
    cluster.run();
    let deployment = cluster.deployment("web");
    assert_eq!(
        deployment["spec"]["template"]["metadata"]["annotations"]["ecs-operator.dev/tags"],
        r#"{"aws:ecs:clusterName":"default","aws:ecs:serviceName":"web","team":"shop"}"#
    );
}

#[test]
fn when_the_cluster_is_upgraded_then_running_services_stay_as_they_are_and_new_deployments_use_what_is_new() {
    let sized = |image: &str| {
        let mut definition = task_definition("web", image);
        definition["spec"]["cpu"] = json!("512");
        definition["spec"]["memory"] = json!("1024");
        definition
    };
    let mut cluster = Cluster::new();
    cluster.settings.facts.kubernetes = "1.33".parse().unwrap();
    cluster.apply(sized("example.com/web:1"));
    cluster.apply(service("web", "web", 2));
    cluster.run();
    let before = template(&cluster);
    assert_eq!(before["spec"]["resources"], Value::Null);

    cluster.settings.facts.kubernetes = "1.36".parse().unwrap();
    cluster.run();
    assert_eq!(template(&cluster), before);
    assert_eq!(cluster.list(Kind::ServiceDeployment).len(), 1);

    cluster.apply(sized("example.com/web:2"));
    cluster.run();
    assert_eq!(template(&cluster)["spec"]["resources"]["limits"], json!({"cpu": "500m", "memory": "1Gi"}));
}
