//! Sizes, network modes, ports, rights and devices of tasks, as the API server and its controllers see them.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use api::conditions::{ConditionType, Reason};
use e2e::cluster::fate;
use e2e::scenario::condition::{is_false, is_true};
use e2e::scenario::json::{find, text};
use e2e::scenario::manifest::{self, with, with_container};
use e2e::scenario::{Objects, Scenario};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

const HOST_ACCESS: &str = "ecs-operator.dev/allowed-host-access";

/// A second container for a task definition of one.
fn with_second_container(mut definition: Value, container: Value) -> Value {
    if let Some(containers) = definition.pointer_mut("/spec/containerDefinitions").and_then(Value::as_array_mut) {
        containers.push(container);
    }
    definition
}

fn pod(scenario: &Scenario) -> Result<Value> {
    scenario.objects("Pod").into_iter().next().context("there is no pod")
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_task_has_a_size_then_its_pod_reserves_it_and_the_autoscaler_counts_from_it() -> Result<()> {
    Scenario::run_on_kwok("size", async |scenario| {
        let second = json!({ "name": "second", "image": manifest::IMAGE, "cpu": 32, "memory": 64, "essential": false });
        let definition = with_second_container(manifest::fargate_task_definition("web"), second);
        let service = manifest::fargate_service("web", 1, &[("FARGATE", 0, 1)]);
        let service = with(service, manifest::fate(fate::USAGE_CPU, "50m"));
        scenario.given([manifest::cluster("main", &["FARGATE"]), definition, service]).await?;
        scenario.then_within(60).the_service("web").is_steady().await?;

        let pod = pod(scenario)?;
        let whole = json!({ "cpu": "250m", "memory": "512Mi" });
        let size = json!({ "requests": whole, "limits": whole });
        ensure!(pod["spec"]["resources"] == size, "the pod reserves {}", pod["spec"]["resources"]);
        let parts: Vec<_> = pod["spec"]["containers"].as_array().into_iter().flatten().collect();
        let requests: Vec<_> = parts.iter().map(|part| text(part, "/resources/requests/cpu")).collect();
        ensure!(requests == ["63m", "31m"], "the containers request {requests:?}");
        ensure!(
            parts.iter().all(|part| part.pointer("/resources/limits/cpu").is_none()),
            "a container has a CPU limit"
        );
        let definition = scenario.object("ECSTaskDefinition", "web").unwrap_or_default();
        let said = definition["status"]["conditions"].to_string();
        ensure!(!said.contains("not all of them together"), "{said}");

        // Both containers use 50m: 100m of the 250m of the task are 40 %, and of the 94m of the containers they would be
        // 106 %.
        scenario.when_applied([manifest::cpu_target("web", (1, 4), 90)]).await?;
        let utilization = "/status/currentMetrics/0/resource/current/averageUtilization";
        scenario
            .then_within(120)
            .object("HorizontalPodAutoscaler", "web", "counts from the size of the task", |autoscaler| {
                autoscaler.pointer(utilization) == Some(&json!(40))
            })
            .await?;
        ensure!(scenario.task_uids("web").len() == 1, "the service was scaled");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_tasks_have_no_network_then_one_policy_denies_them_all_traffic_and_goes_with_the_last() -> Result<()> {
    Scenario::run("no-network", async |scenario| {
        let definition = with(manifest::task_definition("sums"), json!({ "networkMode": "none" }));
        let definition = with_container(definition, json!({ "portMappings": null }));
        let service = |name: &str| with(manifest::service(name, 1), json!({ "taskDefinition": "sums" }));
        scenario.given([manifest::cluster("main", &[]), definition, manifest::task_definition("web")]).await?;
        scenario.when_applied([service("one"), service("two"), manifest::service("web", 1)]).await?;
        for name in ["one", "two", "web"] {
            scenario.then_within(60).the_service(name).is_steady().await?;
        }
        let owners = |object: &Value| object["metadata"]["ownerReferences"].as_array().map_or(0, Vec::len);
        let then = scenario.then_within(30);
        let policy = then.object("NetworkPolicy", "ecs-network-none", "belongs to both", |it| owners(it) == 2).await?;
        ensure!(scenario.objects("NetworkPolicy").len() == 1, "there is more than one policy");
        ensure!(policy["spec"]["policyTypes"] == json!(["Ingress", "Egress"]), "{}", policy["spec"]);
        ensure!(policy["spec"]["ingress"].is_null() && policy["spec"]["egress"].is_null(), "{}", policy["spec"]);
        let selected = &policy["spec"]["podSelector"]["matchLabels"];
        ensure!(*selected == json!({ "ecs-operator.dev/network": "none" }), "it selects {selected}");
        for pod in scenario.objects("Pod") {
            let is_selected = pod["metadata"]["labels"]["ecs-operator.dev/network"] == "none";
            let is_web = pod["metadata"]["labels"]["ecs-operator.dev/service"] == "web";
            ensure!(is_selected != is_web, "the policy selects {}: {is_selected}", text(&pod, "/metadata/name"));
        }

        scenario.when_deleted("ECSService", "one").await?;
        let then = scenario.then_within(60);
        then.object("NetworkPolicy", "ecs-network-none", "belongs to the other", |it| owners(it) == 1).await?;
        scenario.when_deleted("ECSService", "two").await?;
        then.is_gone("NetworkPolicy", "ecs-network-none").await?;
        scenario.then_within(30).the_service("web").is_steady().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_tasks_are_on_the_host_network_then_the_scheduler_keeps_their_ports_apart() -> Result<()> {
    Scenario::run_on_kwok("host", async |scenario| {
        // A port that no other scenario takes: nodes are shared.
        let ports = json!({ "portMappings": [{ "containerPort": 18_473 }] });
        let definition = with(manifest::task_definition("agent"), json!({ "networkMode": "host" }));
        let definition = with_container(definition, ports);
        scenario.given_allowed(json!({ HOST_ACCESS: "host-network" })).await?;
        scenario.given([manifest::cluster("main", &[]), definition, manifest::service("agent", 2)]).await?;
        scenario.then_within(60).the_service("agent").is_steady().await?;
        let pods = scenario.objects("Pod");
        let nodes: BTreeSet<_> = pods.iter().map(|pod| text(pod, "/spec/nodeName")).collect();
        ensure!(nodes.len() == 2, "both tasks are on {nodes:?}");
        for pod in &pods {
            ensure!(pod["spec"]["hostNetwork"] == true && pod["spec"]["dnsPolicy"] == "ClusterFirstWithHostNet");
            let port = &pod["spec"]["containers"][0]["ports"][0];
            ensure!(port["hostPort"] == port["containerPort"], "{port}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_pod_security_refuses_a_task_then_the_service_says_what_once_and_goes_on_when_it_is_allowed() -> Result<()>
{
    Scenario::run_on_kwok("restricted", async |scenario| {
        let enforce = async |level: &str| -> Result<()> {
            let namespaces: Api<Namespace> = Api::all(scenario.client().clone());
            let labels = json!({ "pod-security.kubernetes.io/enforce": level });
            let patch = Patch::Merge(json!({ "metadata": { "labels": labels } }));
            namespaces.patch(scenario.namespace(), &PatchParams::default(), &patch).await?;
            Ok(())
        };
        enforce("restricted").await?;
        scenario.given_allowed(json!({ HOST_ACCESS: "privileged" })).await?;
        let privileged = with_container(manifest::task_definition("web"), json!({ "privileged": true }));
        scenario.given([manifest::cluster("main", &[]), privileged, manifest::service("web", 1)]).await?;
        let then = scenario.then_within(60);
        let said = then.the_service("web").has(is_true(ConditionType::Stalled, Reason::AdmissionDenied)).await?;
        for part in ["violates PodSecurity \"restricted", "privileged (container \"app\" must not set"] {
            ensure!(said.contains(part), "no `{part}` in {said}");
        }
        let fields = is_true(ConditionType::FieldsNotApplied, Reason::NoKubernetesEquivalent);
        let said = then.condition("ECSTaskDefinition", "web", fields).await?;
        let part =
            "containerDefinitions[0].privileged (approximated: keeps pods from the Pod Security level restricted";
        ensure!(said.contains(part), "no `{part}` in {said}");
        then.the_service("web").has(is_false(ConditionType::Ready, Reason::AdmissionDenied)).await?;

        // Said once: the ReplicaSet tries again and again, and the service stays as it is.
        let version = |objects: &Objects| {
            find(objects, "ECSService", "web").map(|web| text(web, "/metadata/resourceVersion").to_owned())
        };
        let before = scenario.view().read(version);
        scenario
            .view()
            .stays("the service is not written again", Duration::from_secs(5), |objects| {
                let now = version(objects);
                if now == before { Ok(()) } else { Err(format!("version {now:?} instead of {before:?}")) }
            })
            .await?;

        enforce("privileged").await?;
        scenario.then_within(90).the_service("web").is_steady().await?;
        scenario.then_within(10).the_service("web").has(is_false(ConditionType::Stalled, Reason::SteadyState)).await?;

        // The next definition asks for nothing special, and meets the level.
        enforce("restricted").await?;
        scenario.when_applied([manifest::task_definition("web")]).await?;
        scenario.then_within(90).the_service("web").is_steady_on("web:2").await?;
        // So does one that asks for what the level allows.
        let careful = json!({
            "user": "1000", "readonlyRootFilesystem": true, "dockerSecurityOptions": ["no-new-privileges"],
            "linuxParameters": { "capabilities": { "add": ["NET_BIND_SERVICE"], "drop": ["ALL"] } },
        });
        scenario.when_applied([with_container(manifest::task_definition("web"), careful)]).await?;
        scenario.then_within(90).the_service("web").is_steady_on("web:3").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_task_needs_what_no_node_has_then_it_waits_and_says_so_and_what_nobody_counted_is_refused() -> Result<()>
{
    Scenario::run_on_kwok("accelerators", async |scenario| {
        let all = json!({ "resourceRequirements": [{ "type": "GPU", "value": "ALL" }] });
        let counted = with(manifest::task_definition("model"), json!({ "kubernetes": { "acceleratorsPerNode": 4 } }));
        let counted = with_container(counted, all.clone());
        scenario.given([manifest::cluster("main", &[]), counted, manifest::service("model", 1)]).await?;
        let said = scenario
            .then_within(60)
            .the_service("model")
            .has(is_false(ConditionType::Ready, Reason::TaskPlacementFailure))
            .await?;
        ensure!(said.contains("unable to place a task"), "{said}");
        let limits = pod(scenario)?["spec"]["containers"][0]["resources"]["limits"].clone();
        ensure!(limits["nvidia.com/gpu"] == "4", "{limits}");

        scenario.when_applied([with_container(manifest::task_definition("other"), all)]).await?;
        let then = scenario.then_within(30);
        let said = then
            .condition(
                "ECSTaskDefinition",
                "other",
                is_false(ConditionType::Accepted, Reason::UnsupportedFeatureException),
            )
            .await?;
        for part in ["containerDefinitions[0].resourceRequirements[0].value", "kubernetes.acceleratorsPerNode"] {
            ensure!(said.contains(part), "no `{part}` in {said}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_definition_takes_something_away_then_its_new_tasks_do_not_have_it() -> Result<()> {
    Scenario::run("less", async |scenario| {
        scenario.given_allowed(json!({ HOST_ACCESS: "privileged" })).await?;
        let more = json!({
            "privileged": true, "environment": [{ "name": "OLD", "value": "x" }, { "name": "BOTH", "value": "x" }],
            "workingDirectory": "/old", "portMappings": [{ "containerPort": 8080 }, { "containerPort": 8081 }],
        });
        let second = json!({ "name": "second", "image": manifest::IMAGE, "memory": 64, "essential": false });
        let definition = with_second_container(with_container(manifest::task_definition("web"), more), second);
        let definition = with(definition, json!({ "pidMode": "task", "volumes": [{ "name": "data" }] }));
        scenario.given([manifest::cluster("main", &[]), definition, manifest::service("web", 1)]).await?;
        scenario.then_within(90).the_service("web").is_steady_on("web:1").await?;

        let less = with_container(
            manifest::task_definition("web"),
            json!({ "environment": [{ "name": "BOTH", "value": "x" }] }),
        );
        let emptied = with(less, json!({ "pidMode": null, "volumes": null }));
        scenario.when_applied([emptied]).await?;
        scenario.then_within(90).the_service("web").is_steady_on("web:2").await?;
        let deployment = scenario.objects("Deployment").into_iter().next().context("there is no Deployment")?;
        let spec = &deployment["spec"]["template"]["spec"];
        let containers = spec["containers"].as_array().map_or(0, Vec::len);
        ensure!(containers == 1, "{containers} containers are left");
        let app = &spec["containers"][0];
        ensure!(app["env"].as_array().map_or(0, Vec::len) == 1, "variables are left: {}", app["env"]);
        ensure!(app["ports"].as_array().map_or(0, Vec::len) == 1, "ports are left: {}", app["ports"]);
        ensure!(app["workingDir"].is_null() && app["securityContext"]["privileged"] != true, "{app}");
        ensure!(spec["shareProcessNamespace"].is_null() && spec["volumes"].is_null(), "{spec}");
        let managers = deployment["managedFields"].as_array().cloned().unwrap_or_default();
        let ours: Vec<_> = managers.iter().filter(|entry| entry["manager"] == "ecs-operator").collect();
        ensure!(ours.len() == 1 && ours[0]["operation"] == "Apply", "{ours:?}");
        let service = scenario.object("Service", "web").context("there is no Service")?;
        ensure!(service["spec"]["ports"].as_array().map_or(0, Vec::len) == 1, "{}", service["spec"]["ports"]);
        Ok(())
    })
    .await
}
