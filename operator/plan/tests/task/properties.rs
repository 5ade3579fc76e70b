//! What holds for every task definition.

use std::collections::BTreeSet;

use api::task_definition::TaskDefinitionSpec;
use plan::core::facts::{ClusterFeatures, KubernetesVersion};
use plan::core::policy::NamespacePolicy;
use plan::pod::{TaskPod, pod};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::input;

fn render(definition: &Value) -> Result<TaskPod, Vec<String>> {
    render_for(definition, &ClusterFeatures::default())
}

fn render_for(definition: &Value, facts: &ClusterFeatures) -> Result<TaskPod, Vec<String>> {
    let definition: TaskDefinitionSpec = serde_json::from_value(definition.clone()).unwrap();
    let everything = json!({"ecs-operator.dev/allowed-host-access": "*", "ecs-operator.dev/allowed-placement": "*"});
    pod(&input(&definition, facts, &NamespacePolicy::from_annotations(Some(&everything))))
        .map_err(|refusals| refusals.into_iter().map(|refusal| refusal.path).collect())
}

fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    list(spec, "initContainers").chain(list(spec, "containers"))
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn is_sidecar(container: &Value) -> bool {
    container.get("restartPolicy").is_some()
}

/// A request in millicores or MiB.
fn request(container: &Value, resource: &str) -> i64 {
    quantity(container, "requests", resource).unwrap_or(0)
}

fn limit(container: &Value, resource: &str) -> Option<i64> {
    quantity(container, "limits", resource)
}

fn quantity(container: &Value, part: &str, resource: &str) -> Option<i64> {
    let text = container.pointer(&format!("/resources/{part}/{resource}"))?.as_str()?;
    let (number, factor) = match (text.trim_end_matches(char::is_alphabetic), text.trim_start_matches(char::is_numeric))
    {
        (number, "") if resource == "cpu" => (number, 1000),
        (number, "Gi") => (number, 1024),
        (number, "" | "m" | "Mi") => (number, 1),
        other => panic!("{other:?}"),
    };
    Some(number.parse::<i64>().unwrap() * factor)
}

/// What the scheduler reserves, and percentages of an autoscaler count from: the Pod's own request, else that of its
/// containers.
fn effective_request(spec: &Value, resource: &str) -> i64 {
    match spec.pointer(&format!("/resources/requests/{resource}")) {
        Some(_) => request(spec, resource),
        None => containers_request(spec, resource),
    }
}

/// The most that containers request at one time.
fn containers_request(spec: &Value, resource: &str) -> i64 {
    let mut sidecars = 0;
    let mut most = 0;
    for container in list(spec, "initContainers") {
        let own = request(container, resource);
        if is_sidecar(container) {
            sidecars += own;
        } else {
            most = most.max(sidecars + own);
        }
    }
    let main: i64 = list(spec, "containers").map(|container| request(container, resource)).sum();
    most.max(sidecars + main)
}

fn names_are_unique<'a>(names: impl Iterator<Item = String> + 'a) -> bool {
    let mut seen = BTreeSet::new();
    names.into_iter().all(|name| seen.insert(name))
}

/// Any string a user may think of, and often one that matters.
fn text() -> BoxedStrategy<String> {
    prop_oneof![
        12 => "[a-z]{1,4}",
        6 => "[A-Za-z0-9_-]{1,12}",
        3 => Just("/data".to_owned()),
        1 => Just("../..".to_owned()),
        1 => Just("arn:aws:iam::1:role/x".to_owned()),
        3 => Just("ecs-operator.dev/service".to_owned()),
        2 => ".{0,12}",
    ]
    .boxed()
}

fn number() -> BoxedStrategy<i32> {
    prop_oneof![40 => 5..11, 40 => 5..200, 2 => 1..200_000, 1 => Just(0), 1 => Just(i32::MAX), 1 => Just(-1), 1 => Just(i32::MIN)]
        .boxed()
}

/// Mostly a number, as most users are.
fn user() -> BoxedStrategy<String> {
    prop_oneof![4 => "[1-9][0-9]{0,3}(:[1-9][0-9]{0,3})?", 1 => text()].boxed()
}

/// Mostly a command of a health check.
fn check() -> BoxedStrategy<Vec<String>> {
    let good = text().prop_map(|word| vec!["CMD".to_owned(), format!("a{word}")]);
    prop_oneof![8 => good, 1 => prop::collection::vec(text(), 0..3)].boxed()
}

prop_compose! {
    /// A container with anything in most of its fields. Dependencies may name anything, in circles too.
    fn any_container(name: String)(
        user in user(), value in text(), environment in text(), volume in "[ab]", path in text(), other in "[a-d]",
        condition in prop::sample::select(vec!["START", "HEALTHY", "COMPLETE", "SUCCESS"]),
        essential in any::<bool>(), depends in prop::bool::weighted(0.15), numbers in prop::array::uniform8(number()),
        check in check(), link in prop::sample::select(vec!["a", "b:alias_1", "d"]), range in prop_oneof![Just("7000-7009".to_owned()), text()], fields in prop::collection::btree_set(0..16_u8, 0..8),
    ) -> Value {
        let mut container = json!({"name": name, "image": value, "essential": essential, "memory": numbers[0]});
        let optional = [
            ("user", json!(user)),
            ("environment", json!([{"name": environment, "value": value}, {"name": environment}])),
            ("secrets", json!([{"name": environment, "valueFrom": value}])),
            ("mountPoints", json!([{"sourceVolume": volume, "containerPath": path}, {"sourceVolume": "a", "containerPath": path}])),
            ("volumesFrom", json!([{"sourceContainer": other}, {"sourceContainer": other, "readOnly": true}])),
            ("portMappings", json!([{"containerPort": numbers[1], "hostPort": numbers[2], "name": value}, {"containerPortRange": range}])),
            ("healthCheck", json!({"command": check, "interval": numbers[3], "retries": numbers[4], "startPeriod": numbers[5]})),
            ("links", json!([link])),
            ("stopTimeout", json!(numbers[6])),
            ("startTimeout", json!(numbers[7])),
            ("cpu", json!(numbers[1])),
            ("memoryReservation", json!(numbers[2])),
            ("hostname", json!(value)),
            ("dnsServers", json!([value, user])),
            ("linuxParameters", json!({"tmpfs": [{"containerPath": path, "size": numbers[3]}], "sharedMemorySize": numbers[4],
                "capabilities": {"add": [value], "drop": [user]}})),
            ("dockerLabels", json!({value.clone(): user})),
        ];
        for index in fields {
            let (field, content) = optional[usize::from(index)].clone();
            container[field] = content;
        }
        if depends {
            container["dependsOn"] = json!([{"containerName": other, "condition": condition}]);
        }
        container
    }
}

prop_compose! {
    fn any_definition()(
        first in any_container("a".to_owned()).boxed(), second in any_container("b".to_owned()).boxed(), third in any_container("c".to_owned()).boxed(),
        named in text().prop_flat_map(|name| any_container(name).boxed()).boxed(), size in 1..5_usize,
        cpu in prop::sample::select(vec!["256", "1 vCPU", "2048", "0", "lots"]),
        memory in prop::sample::select(vec![512, 2048, 4096, 0, -1]), volume in text(), host in text(),
        mode in prop::sample::select(vec!["bridge", "host", "awsvpc", "none"]), key in text(), role in text(),
    ) -> Value {
        let mut containers = vec![first, second, third, named];
        containers.truncate(size);
        json!({
            "networkMode": mode,
            "cpu": cpu,
            "memory": memory,
            "taskRoleArn": role,
            "containerDefinitions": containers,
            "volumes": [{"name": "a"}, {"name": "b", "host": {"sourcePath": host}}, {"name": volume}],
            "kubernetes": {"podLabels": {key: "x"}},
        })
    }
}

prop_compose! {
    /// A definition that ECS accepts: container `n` depends on containers before it only.
    fn good_definition()(
        parts in prop::collection::vec(
            (0..120_i32, 6..120_i32, prop::option::of(6..100_i32), any::<bool>(), 0..8_u8, prop::option::of((0..8_usize, 0..4_u8)), 0..90_i32),
            1..8,
        ),
        sized in any::<bool>(), more_cpu in 0..3000_i32, more_memory in 0..3000_i32,
    ) -> Value {
        let count = parts.len();
        let mut containers: Vec<Value> = Vec::new();
        for (index, (cpu, memory, reservation, essential, fields, depends, stop)) in parts.into_iter().enumerate() {
            let mut container = json!({
                "name": format!("Container_{index}"), "image": "image:1", "cpu": cpu, "memory": memory + 100, "stopTimeout": stop,
                "essential": essential || index + 1 == count,
                "healthCheck": {"command": ["CMD", "true"]},
                "mountPoints": [{"sourceVolume": "Data", "containerPath": "/data"}],
                "portMappings": [{"containerPort": 8000 + index}],
            });
            if let Some(reservation) = reservation {
                container["memoryReservation"] = json!(reservation);
            }
            if fields & 1 == 1 {
                container["linuxParameters"] = json!({"sharedMemorySize": 64, "tmpfs": [{"containerPath": "/run", "size": 1}]});
            }
            if fields & 2 == 2 && index > 0 {
                container["volumesFrom"] = json!([{"sourceContainer": "Container_0"}]);
            }
            if let Some((target, condition)) = depends.filter(|_| index > 0) {
                let target = target % index;
                let is_essential = containers[target]["essential"] == json!(true);
                let condition = match condition {
                    0 => "START",
                    1 => "HEALTHY",
                    _ if is_essential => "START",
                    2 => "COMPLETE",
                    _ => "SUCCESS",
                };
                container["dependsOn"] = json!([{"containerName": format!("Container_{target}"), "condition": condition}]);
            }
            containers.push(container);
        }
        let total = |field: &str| containers.iter().map(|container| container[field].as_i64().unwrap()).sum::<i64>();
        let (cpu, memory) = (total("cpu").max(128) + i64::from(more_cpu), total("memory") + i64::from(more_memory));
        let mut definition = json!({"networkMode": "awsvpc", "containerDefinitions": containers, "volumes": [{"name": "Data"}]});
        if sized {
            definition["cpu"] = json!(cpu.to_string());
            definition["memory"] = json!(memory);
        }
        definition
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_is_written_a_pod_or_refusals_come_out_and_nothing_hostile_in_it(definition in any_definition()) {
        match render(&definition) {
            Ok(pod) => {
                let is_one_of_ours = |key: &str| key.starts_with("ecs-operator.dev/") && key != "ecs-operator.dev/network";
                prop_assert!(!pod.labels.keys().any(|key| is_one_of_ours(key)));
                check_form(&pod)?;
            }
            Err(paths) => prop_assert!(!paths.is_empty()),
        }
    }

    #[test]
    fn what_ecs_accepts_becomes_a_well_formed_pod(definition in good_definition()) {
        let pod = render(&definition).unwrap();
        check_form(&pod)?;
        prop_assert_eq!(containers(&pod.spec).count(), definition["containerDefinitions"].as_array().unwrap().len());
    }

    #[test]
    fn a_pod_reserves_exactly_what_its_task_states(definition in good_definition(), minor in 33..37_u32) {
        let facts = ClusterFeatures { kubernetes: KubernetesVersion { major: 1, minor }, ..ClusterFeatures::default() };
        let pod = render_for(&definition, &facts).unwrap();
        if let Some(cpu) = definition["cpu"].as_str() {
            let units: i64 = cpu.parse().unwrap();
            prop_assert_eq!(effective_request(&pod.spec, "cpu"), (units * 1000 + 1023) / 1024);
            prop_assert_eq!(effective_request(&pod.spec, "memory"), definition["memory"].as_i64().unwrap());
            // The API server takes no Pod whose containers request more than it, or one of them may use more than it.
            prop_assert!(containers_request(&pod.spec, "cpu") <= effective_request(&pod.spec, "cpu"));
            prop_assert!(containers_request(&pod.spec, "memory") <= effective_request(&pod.spec, "memory"));
            prop_assert_eq!(pod.spec.get("resources").is_some(), minor >= 34);
            if let Some(resources) = pod.spec.get("resources") {
                prop_assert_eq!(&resources["requests"], &resources["limits"]);
                let cap = definition["memory"].as_i64().unwrap();
                prop_assert!(containers(&pod.spec).all(|container| limit(container, "memory").is_none_or(|own| own <= cap)));
                prop_assert!(containers(&pod.spec).all(|container| limit(container, "cpu").is_none()));
            }
        } else {
            // Without a size of the task each container has what it states itself.
            prop_assert!(pod.spec.get("resources").is_none());
            for container in definition["containerDefinitions"].as_array().unwrap() {
                let units = container["cpu"].as_i64().unwrap().max(2);
                let name = ecs::name::dns_label(container["name"].as_str().unwrap(), 63);
                let built = containers(&pod.spec).find(|built| built["name"] == json!(name)).unwrap();
                prop_assert_eq!(request(built, "cpu"), (units * 1000 + 1023) / 1024);
                let reserved = container.get("memoryReservation").unwrap_or(&container["memory"]).as_i64().unwrap();
                prop_assert_eq!(request(built, "memory"), reserved);
            }
        }
    }

    #[test]
    fn a_container_starts_after_everything_it_depends_on(definition in good_definition()) {
        let pod = render(&definition).unwrap();
        let order: Vec<&str> = containers(&pod.spec).map(|container| container["name"].as_str().unwrap()).collect();
        let place = |name: &Value| {
            let name = ecs::name::dns_label(name.as_str().unwrap(), 63);
            order.iter().position(|known| *known == name).unwrap()
        };
        let early = list(&pod.spec, "initContainers").count();
        for container in definition["containerDefinitions"].as_array().unwrap() {
            for item in list(container, "dependsOn") {
                let target = place(&item["containerName"]);
                prop_assert!(target < early && target < place(&container["name"]), "{order:?}");
                let built = containers(&pod.spec).nth(target).unwrap();
                match item["condition"].as_str().unwrap() {
                    "SUCCESS" | "COMPLETE" => prop_assert!(!is_sidecar(built)),
                    "HEALTHY" if is_sidecar(built) => prop_assert!(built.get("startupProbe").is_some()),
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn the_grace_period_covers_every_stop_timeout(definition in good_definition()) {
        let pod = render(&definition).unwrap();
        let grace = pod.spec["terminationGracePeriodSeconds"].as_i64().unwrap();
        let timeouts = definition["containerDefinitions"].as_array().unwrap().iter().map(|container| container["stopTimeout"].as_i64().unwrap());
        let (longest, sum) = timeouts.fold((0, 0), |(longest, sum), timeout| (timeout.max(longest), sum + timeout));
        prop_assert!((longest..=sum).contains(&grace));
    }
}

/// What the API server would refuse, and what server-side apply merges by.
fn check_form(pod: &TaskPod) -> Result<(), TestCaseError> {
    let spec = &pod.spec;
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let volumes: BTreeSet<String> = list(spec, "volumes").map(|volume| text(volume, "name")).collect();
    prop_assert_eq!(volumes.len(), list(spec, "volumes").count());
    prop_assert!(list(spec, "containers").next().is_some());
    prop_assert!(names_are_unique(containers(spec).map(|container| text(container, "name"))));
    for container in containers(spec) {
        let name = text(container, "name");
        prop_assert!(name.len() <= 63 && !name.is_empty());
        let image = text(container, "image");
        prop_assert!(!image.is_empty() && image.trim() == image);
        prop_assert!(list(container, "volumeMounts").all(|mount| !text(mount, "mountPath").is_empty()));
        let is_port =
            |port: Option<&Value>| port.and_then(Value::as_i64).is_none_or(|port| (1..=65_535).contains(&port));
        prop_assert!(
            list(container, "ports").all(|port| is_port(port.get("hostPort")) && is_port(port.get("containerPort")))
        );
        prop_assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
        for mount in list(container, "volumeMounts") {
            prop_assert!(volumes.contains(&text(mount, "name")));
        }
        prop_assert!(names_are_unique(list(container, "volumeMounts").map(|mount| text(mount, "mountPath"))));
        prop_assert!(names_are_unique(list(container, "env").map(|variable| text(variable, "name"))));
        prop_assert!(names_are_unique(list(container, "ports").map(|port| text(port, "name"))));
        let port = |port: &Value| format!("{}{}", port["containerPort"], port["protocol"]);
        prop_assert!(names_are_unique(list(container, "ports").map(port)));
        prop_assert!(list(container, "ports").all(|port| text(port, "name").len() <= 15));
        prop_assert!(container.get("livenessProbe").is_none());
    }
    prop_assert!(names_are_unique(list(spec, "hostAliases").map(|alias| text(alias, "ip"))));
    prop_assert!(names_are_unique(pod.ports.iter().map(|port| port.name.clone())));
    prop_assert_eq!(&spec["enableServiceLinks"], &json!(false));
    Ok(())
}
