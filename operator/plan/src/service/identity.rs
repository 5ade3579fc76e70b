//! What tells deployments and services apart: the hashes and ids that say whether the spec asks for another deployment, and what a
//! service cannot change, since ECS finds it by it.

use serde_json::{Value, json};

use super::record::Record;
use super::snapshot::ServiceSnapshot;
use crate::core::diff;
use crate::core::object::without_nothing;
use crate::core::report::Refusal;

/// Hash of exactly the fields whose change starts a deployment (ECS: UpdateService, "triggers a new service deployment").
///
/// `desiredCount`, `capacityProviderStrategy`, `deploymentConfiguration`, `availabilityZoneRebalancing`, placement,
/// `healthCheckGracePeriodSeconds`, `enableExecuteCommand`, tags, `propagateTags` and the labels and annotations of pods are
/// not among them. An absent member, null and an empty list are the same.
pub(super) fn trigger_hash(task_definition: &str, document: &Value) -> String {
    let field = |pointer: &str| document.pointer(pointer).cloned().unwrap_or_default();
    diff::hash(&without_nothing(&json!({
        "taskDefinition": task_definition,
        "networkConfiguration": field("/networkConfiguration"),
        "platformVersion": field("/platformVersion"),
        "loadBalancers": field("/loadBalancers"),
        "serviceRegistries": field("/serviceRegistries"),
        "serviceConnectConfiguration": field("/serviceConnectConfiguration"),
        "volumeConfigurations": field("/volumeConfigurations"),
        "vpcLatticeConfigurations": field("/vpcLatticeConfigurations"),
        "forceNewDeployment": field("/kubernetes/forceNewDeployment"),
    })))
}

/// The same for a service that runs the service revision of an earlier deployment: nothing else counts.
pub(super) fn earlier_trigger_hash(deployment: &str) -> String {
    diff::hash(&json!({ "serviceRevision": deployment }))
}

/// Hash of what asks for a deployment, or for another look at the newest revision of a family, without saying what to
/// deploy. Nothing else is part of it: a tag, a bound or a stopped deployment must not force one where
/// `forceNewDeployment: true` was left in the spec.
pub(super) fn request_hash(document: &Value) -> String {
    let field = |pointer: &str| document.pointer(pointer).cloned().unwrap_or_default();
    diff::hash(&without_nothing(&json!({
        "taskDefinition": field("/taskDefinition"),
        "forceNewDeployment": field("/forceNewDeployment") == json!(true),
        "nonce": field("/kubernetes/forceNewDeployment"),
    })))
}

/// The id of the deployment that comes after the newest one if `trigger`, or the wish to force one, starts it.
pub(super) fn next_deployment(snapshot: &ServiceSnapshot, trigger: &str) -> String {
    let before = snapshot.primary().map(Record::id).unwrap_or_default();
    let request = request_hash(&snapshot.document);
    ecs::arn::deployment_id(&format!("{}/{before}/{trigger}/{request}", snapshot.metadata.uid))
}

/// What differs from the newest deployment although it cannot. The API server refuses such an update; admission can be
/// bypassed, and then the tasks that run stay what they are.
pub(super) fn refusals(snapshot: &ServiceSnapshot) -> Vec<Refusal> {
    let Some(record) = snapshot.primary() else { return Vec::new() };
    [
        ("cluster", &record.spec.cluster, &snapshot.cluster),
        ("serviceName", &record.spec.service_name, &snapshot.ecs_name),
    ]
    .into_iter()
    .filter(|(_, before, now)| before != now)
    .map(|(field, before, _)| {
        let message = format!("{field} cannot be changed after the service was created; it is {before}");
        Refusal::invalid(format!("spec.{field}"), message)
    })
    .collect()
}
