//! Manifests in as few words as a scenario needs. What is not said is what makes a scenario fast: a health check, so that a
//! task is healthy as soon as its container is, and not 40 seconds later.

use serde_json::{Value, json};

/// An image that exists anywhere; KWOK pulls nothing.
pub const IMAGE: &str = "public.ecr.aws/docker/library/busybox:1.37";

#[allow(clippy::needless_pass_by_value)] // every caller has just made it
fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({ "apiVersion": "ecs-operator.dev/v1alpha1", "kind": kind, "metadata": { "name": name }, "spec": spec })
}

/// A cluster with these capacity providers.
#[must_use]
pub fn cluster(name: &str, providers: &[&str]) -> Value {
    object("ECSCluster", name, json!({ "clusterName": name, "capacityProviders": providers }))
}

/// A task definition with one container `app`, a health check and a port.
#[must_use]
pub fn task_definition(family: &str) -> Value {
    object(
        "ECSTaskDefinition",
        family,
        json!({
            "family": family,
            "requiresCompatibilities": ["EC2"],
            "networkMode": "bridge",
            "containerDefinitions": [{
                "name": "app",
                "image": IMAGE,
                "cpu": 64,
                "memory": 64,
                "essential": true,
                "command": ["sleep", "86400"],
                "portMappings": [{ "containerPort": 8080 }],
                "healthCheck": { "command": ["CMD-SHELL", "exit 0"], "interval": 5, "timeout": 2 },
            }],
        }),
    )
}

/// A task definition for real nodes with these containers. Its images are on every node and are never pulled.
#[must_use]
pub fn real_task_definition(family: &str, containers: &[Value]) -> Value {
    let spec = json!({
        "family": family,
        "requiresCompatibilities": ["EC2"],
        "networkMode": "bridge",
        "containerDefinitions": containers,
        "kubernetes": { "imagePullPolicy": "IfNotPresent" },
    });
    object("ECSTaskDefinition", family, spec)
}

/// A small container from one of the test images (`app`, `shell`, …) with a command; essential, as ECS has it.
#[must_use]
pub fn real_container(name: &str, image: &str, command: &[&str]) -> Value {
    json!({
        "name": name,
        "image": format!("e2e.local/{image}:1"),
        // There is no registry that could tell its digest.
        "versionConsistency": "disabled",
        "cpu": 10,
        "memory": 32,
        "command": command,
    })
}

/// The value with more in it: maps are merged, everything else is replaced.
#[must_use]
pub fn and(mut value: Value, more: Value) -> Value {
    merge(&mut value, more);
    value
}

/// The same for Fargate: `awsvpc` and a task size.
#[must_use]
pub fn fargate_task_definition(family: &str) -> Value {
    let size = json!({
        "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",
    });
    with(task_definition(family), size)
}

/// A service of the cluster `main` on the family of the same name.
#[must_use]
pub fn service(name: &str, desired: i64) -> Value {
    object(
        "ECSService",
        name,
        json!({ "cluster": "main", "taskDefinition": name, "launchType": "EC2", "desiredCount": desired }),
    )
}

/// A service of the cluster `main` on one capacity provider.
#[must_use]
pub fn service_on(name: &str, desired: i64, provider: &str) -> Value {
    let strategy = json!([{ "capacityProvider": provider, "weight": 1 }]);
    with(service(name, desired), json!({ "launchType": null, "capacityProviderStrategy": strategy }))
}

/// A service of the cluster `main` on Fargate, with base and weight per provider.
#[must_use]
pub fn fargate_service(name: &str, desired: i64, strategy: &[(&str, i64, i64)]) -> Value {
    let strategy: Vec<_> = strategy
        .iter()
        .map(|(provider, base, weight)| json!({ "capacityProvider": provider, "base": base, "weight": weight }))
        .collect();
    object(
        "ECSService",
        name,
        json!({
            "cluster": "main",
            "taskDefinition": name,
            "capacityProviderStrategy": strategy,
            "desiredCount": desired,
            "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-0123456789abcdef0"] } },
        }),
    )
}

/// A target that tracks CPU.
#[must_use]
pub fn cpu_target(service: &str, (minimum, maximum): (i64, i64), target: i64) -> Value {
    object(
        "ECSScalableTarget",
        service,
        json!({
            "ServiceNamespace": "ecs",
            "ResourceId": format!("service/main/{service}"),
            "ScalableDimension": "ecs:service:DesiredCount",
            "MinCapacity": minimum,
            "MaxCapacity": maximum,
            "ScalingPolicies": [{
                "PolicyName": "cpu",
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": {
                    "TargetValue": target,
                    "PredefinedMetricSpecification": { "PredefinedMetricType": "ECSServiceAverageCPUUtilization" },
                },
            }],
            "kubernetes": { "scaleInStabilizationSeconds": 3 },
        }),
    )
}

/// A capacity provider for all namespaces: the nodes that carry a label.
#[must_use]
pub fn capacity_provider(object_name: &str, ecs_name: &str, label: (&str, &str)) -> Value {
    let kubernetes = json!({ "nodeSelector": { label.0: label.1 }, "allowedNamespaces": ["*"] });
    let group = "arn:aws:autoscaling:eu-central-1:123456789012:autoScalingGroup:0a1b2c3d:autoScalingGroupName/nodes";
    let group = json!({ "autoScalingGroupArn": group });
    let spec = json!({ "name": ecs_name, "autoScalingGroupProvider": group, "kubernetes": kubernetes });
    object("ECSCapacityProvider", object_name, spec)
}

/// ECS JSON as the spec of an object.
#[must_use]
pub fn ecs_json(kind: &str, name: &str, spec: Value) -> Value {
    object(kind, name, spec)
}

/// The object with more in its spec: maps are merged, everything else is replaced.
#[must_use]
pub fn with(mut object: Value, more: Value) -> Value {
    if let Some(spec) = object.get_mut("spec") {
        merge(spec, more);
    }
    object
}

/// The task definition with more in its first container.
#[must_use]
pub fn with_container(mut object: Value, more: Value) -> Value {
    if let Some(container) = object.pointer_mut("/spec/containerDefinitions/0") {
        merge(container, more);
    }
    object
}

/// The object without a member of its first container.
#[must_use]
pub fn without_health_check(mut object: Value) -> Value {
    if let Some(container) = object.pointer_mut("/spec/containerDefinitions/0").and_then(Value::as_object_mut) {
        container.remove("healthCheck");
    }
    object
}

/// Another revision of the task definition: the same with another command.
#[must_use]
pub fn revised(definition: Value, command: &str) -> Value {
    with_container(definition, json!({ "command": ["sleep", command] }))
}

/// The service on another task definition: `family` or `family:N`.
#[must_use]
pub fn on(service: Value, task_definition: &str) -> Value {
    with(service, json!({ "taskDefinition": task_definition }))
}

/// `minimumHealthyPercent` and `maximumPercent` for [`with`].
#[must_use]
pub fn percents(minimum: i64, maximum: i64) -> Value {
    json!({ "deploymentConfiguration": { "minimumHealthyPercent": minimum, "maximumPercent": maximum } })
}

/// A fate that the pods of a service or of a task definition are given, for [`with`]; see the table in [`crate::cluster::stages`].
#[must_use]
pub fn fate(annotation: &str, value: &str) -> Value {
    json!({ "kubernetes": { "podAnnotations": { annotation: value } } })
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_maps_are_merged_then_what_is_not_named_stays() {
        let service = with(with(service("web", 2), percents(50, 100)), fate("a", "b"));
        assert_eq!(service["spec"]["desiredCount"], 2);
        assert_eq!(service["spec"]["deploymentConfiguration"]["maximumPercent"], 100);
        assert_eq!(service["spec"]["kubernetes"]["podAnnotations"]["a"], "b");
    }
}
