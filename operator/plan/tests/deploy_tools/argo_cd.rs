//! The files beside the scripts for Argo CD: objects as the operator writes them, and what the scripts should say of them.
//! `cargo xtask test --only argo_cd` runs the scripts over them in Argo CD's interpreter.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use api::conditions::pending;
use plan::{Kind, ObjectKey};
use serde_json::{Value, json};

use crate::common::kstatus::{Verdict, verdict};
use crate::common::{Cluster, service, task_definition};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../integrations/argo-cd")
}

fn scripts(kind: &str) -> PathBuf {
    folder().join("resource_customizations/ecs-operator.dev").join(kind)
}

/// The files that should be there, by path.
#[derive(Default)]
struct Files(BTreeMap<PathBuf, String>);

impl Files {
    fn yaml(&mut self, path: PathBuf, value: &Value) {
        self.0.insert(path, serde_saphyr::to_string(value).unwrap());
    }

    /// Writes them, or expects that they are there.
    fn check(self) {
        for (path, text) in self.0 {
            if std::env::var_os("UPDATE").is_some() {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, &text).unwrap();
            }
            let is = fs::read_to_string(&path).unwrap_or_default();
            assert!(is == text, "{} is stale: UPDATE=1 cargo test -p plan --test deploy_tools", path.display());
        }
    }
}

/// What Argo CD should say of an object for which other tools have this verdict.
fn health(object: &Value) -> Value {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let message = |type_: &str| {
        let found = conditions.iter().find(|condition| condition["type"] == type_);
        found.map_or(Value::Null, |condition| condition["message"].clone())
    };
    let is_current =
        object["status"].get("observedGeneration").is_none_or(|is| *is == object["metadata"]["generation"]);
    match verdict(object) {
        Verdict::Terminating => json!({ "status": "Progressing", "message": "being deleted" }),
        Verdict::Failed => json!({ "status": "Degraded", "message": message("Stalled") }),
        Verdict::Current => json!({ "status": "Healthy", "message": message("Ready") }),
        Verdict::InProgress if is_current => json!({ "status": "Progressing", "message": message("Ready") }),
        Verdict::InProgress => json!({ "status": "Progressing", "message": "waiting for the operator" }),
    }
}

/// A service on its way through two deployments, with everything around it.
fn story() -> BTreeMap<&'static str, Vec<(&'static str, Value)>> {
    let mut cluster = Cluster::new();
    let mut shown: BTreeMap<&'static str, Vec<(&'static str, Value)>> = BTreeMap::new();
    let mut show = |kind: Kind, name: &'static str, object: Value| {
        shown.entry(kind.kind()).or_default().push((name, object));
    };
    let new = |mut object: Value| {
        object["metadata"]["generation"] = json!(1);
        object["status"] = pending();
        object
    };
    show(Kind::Service, "new", new(service("web", "web", 2)));
    show(Kind::TaskDefinition, "new", new(task_definition("web", "web:1")));
    let target = json!({
        "apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSScalableTarget", "metadata": {"name": "web"},
        "spec": {"ServiceNamespace": "ecs", "ResourceId": "service/default/web",
            "ScalableDimension": "ecs:service:DesiredCount", "MinCapacity": 1, "MaxCapacity": 5,
            "ScalingPolicies": [{"PolicyName": "cpu", "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 60, "PredefinedMetricSpecification":
                    {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}}]},
    });
    let provider = json!({"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "ECSCapacityProvider",
        "metadata": {"name": "nodes"}, "spec": {"autoScalingGroupProvider": {"autoScalingGroupArn": "a"},
            "kubernetes": {"nodeSelector": {"disk": "ssd"}, "allowedNamespaces": ["*"]}}});
    let provider_key = cluster.apply(provider);
    cluster.apply(task_definition("web", "web:1"));
    cluster.apply(target);
    cluster.settle();
    show(Kind::ScalableTarget, "waiting", cluster.get(Kind::ScalableTarget, "web"));
    cluster.apply(service("web", "web", 2));
    cluster.settle();
    let record = |cluster: &Cluster| cluster.list(Kind::ServiceDeployment).pop().unwrap();
    show(Kind::Service, "starting", cluster.get(Kind::Service, "web"));
    show(Kind::ServiceDeployment, "in-progress", record(&cluster));
    cluster.run();
    show(Kind::Service, "steady", cluster.get(Kind::Service, "web"));
    show(Kind::ServiceDeployment, "successful", record(&cluster));
    show(Kind::TaskDefinition, "ready", cluster.get(Kind::TaskDefinition, "web"));
    show(Kind::ScalableTarget, "ready", cluster.get(Kind::ScalableTarget, "web"));
    show(Kind::Cluster, "ready", cluster.get(Kind::Cluster, "default"));
    show(Kind::CapacityProvider, "ready", provider_of(&cluster, &provider_key));
    for (name, state) in [("stopped", "STOPPED"), ("rolled-back", "ROLLBACK_SUCCESSFUL")] {
        let mut ended = record(&cluster);
        ended["status"]["status"] = json!(state);
        ended["status"]["statusReason"] = json!("tasks failed to start");
        show(Kind::ServiceDeployment, name, ended);
    }
    cluster.edit(Kind::Service, "web", |web| web["spec"]["desiredCount"] = json!(3));
    show(Kind::Service, "changed", cluster.get(Kind::Service, "web"));
    cluster.apply(task_definition("web", "web:2"));
    cluster.settle();
    show(Kind::Service, "rolling", cluster.get(Kind::Service, "web"));
    cluster.edit(Kind::Service, "web", |web| web["spec"]["launchType"] = json!("MANAGED_INSTANCES"));
    cluster.settle();
    show(Kind::Service, "refused", cluster.get(Kind::Service, "web"));
    cluster.edit(Kind::Service, "web", |web| {
        web["metadata"]["deletionTimestamp"] = json!("2026-03-01T10:30:00Z");
        web["status"]["conditions"].as_array_mut().unwrap().retain(|one| one["type"] != "Stalled");
    });
    show(Kind::Service, "deleting", cluster.get(Kind::Service, "web"));
    shown
}

#[test]
fn when_a_script_judges_an_object_then_it_agrees_with_other_tools() {
    let mut files = Files::default();
    let mut seen = BTreeSet::new();
    for (kind, objects) in story() {
        let mut tests = Vec::new();
        for (name, object) in objects {
            let expected = if kind == "ECSServiceDeployment" {
                let status = match object["status"]["status"].as_str().unwrap_or("IN_PROGRESS") {
                    "SUCCESSFUL" => "Healthy",
                    "IN_PROGRESS" => "Progressing",
                    "STOPPED" => "Suspended",
                    _ => "Degraded",
                };
                match object["status"].get("statusReason") {
                    Some(reason) => json!({ "status": status, "message": reason }),
                    None => json!({ "status": status }),
                }
            } else {
                health(&object)
            };
            seen.insert(expected["status"].as_str().unwrap().to_owned());
            let path = format!("testdata/{name}.yaml");
            files.yaml(scripts(kind).join(&path), &object);
            tests.push(json!({ "healthStatus": expected, "inputPath": path }));
        }
        files.yaml(scripts(kind).join("health_test.yaml"), &json!({ "tests": tests }));
    }
    files.check();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["Degraded", "Healthy", "Progressing", "Suspended"]);
}

#[test]
fn when_an_action_is_chosen_then_it_changes_one_field() {
    let story = story();
    let services = &story["ECSService"];
    let find = |name: &str| services.iter().find(|(is, _)| *is == name).unwrap().1.clone();
    let mut files = Files::default();
    let actions = scripts("ECSService").join("actions");
    let discovered = |is_idle: bool| {
        let ended = |name: &str, shown: &str| {
            let mut action = json!({ "name": name, "displayName": shown });
            if is_idle {
                action["disabled"] = json!(true);
            }
            action
        };
        json!([
            { "name": "restart", "displayName": "Force a new deployment" },
            ended("rollback", "Stop the deployment and roll back"),
            ended("stop", "Stop the deployment where it is"),
        ])
    };
    let discoveries: Vec<Value> = [("new", true), ("steady", true), ("rolling", false)]
        .into_iter()
        .map(
            |(name, is_idle)| json!({ "inputPath": format!("../testdata/{name}.yaml"), "result": discovered(is_idle) }),
        )
        .collect();
    let rolling = find("rolling");
    let stop = |stop_type: &str| json!({ "serviceDeployment": rolling["status"]["currentServiceDeployment"], "stopType": stop_type });
    let mut tests = Vec::new();
    for (action, member, value) in [
        ("restart", "forceNewDeployment", json!("0001-01-01T00:00:00Z")),
        ("rollback", "stopServiceDeployment", stop("ROLLBACK")),
        ("stop", "stopServiceDeployment", stop("ABORT")),
    ] {
        let mut expected = rolling.clone();
        expected["spec"]["kubernetes"][member] = value;
        files.yaml(actions.join(format!("testdata/{action}.yaml")), &expected);
        tests.push(json!({ "action": action, "inputPath": "../testdata/rolling.yaml",
            "expectedOutputPath": format!("testdata/{action}.yaml") }));
    }
    files.yaml(actions.join("action_test.yaml"), &json!({ "discoveryTests": discoveries, "actionTests": tests }));
    files.check();
}

#[test]
fn when_the_scripts_are_installed_then_the_config_map_has_all_of_them() {
    let mut data = BTreeMap::new();
    let read = |path: PathBuf| fs::read_to_string(&path).unwrap_or_else(|_| panic!("no {}", path.display()));
    for kind in Kind::ALL.into_iter().filter(|kind| kind.group() == "ecs-operator.dev") {
        let name = kind.kind();
        // A revision has nothing to wait for.
        if kind == Kind::TaskDefinitionRevision {
            continue;
        }
        let script = read(scripts(name).join("health.lua"));
        if kind != Kind::ServiceDeployment {
            assert_eq!(script, read(scripts("ECSService").join("health.lua")), "{name}: one rule for all conditions");
        }
        data.insert(format!("resource.customizations.health.ecs-operator.dev_{name}"), script);
    }
    let actions = scripts("ECSService").join("actions");
    let definitions: Vec<Value> = ["restart", "rollback", "stop"]
        .into_iter()
        .map(|name| json!({ "name": name, "action.lua": read(actions.join(name).join("action.lua")) }))
        .collect();
    let actions = json!({ "discovery.lua": read(actions.join("discovery.lua")), "definitions": definitions });
    let key = "resource.customizations.actions.ecs-operator.dev_ECSService".to_owned();
    data.insert(key, serde_saphyr::to_string(&actions).unwrap());
    let mut files = Files::default();
    files.yaml(folder().join("argocd-cm.yaml"), &json!({ "data": data }));
    files.check();
}

fn provider_of(cluster: &Cluster, key: &ObjectKey) -> Value {
    plan::World::get(&cluster.world, key).unwrap().value()
}
