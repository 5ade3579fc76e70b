//! Which ECS document is this? The AWS CLI's inputs and outputs carry no kind: their members tell.

use serde_json::{Map, Value};

use crate::error::InputError;
use crate::origin::Origin;

/// A document of the ECS or Application Auto Scaling API, unwrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// RegisterTaskDefinition's input or `describe-task-definition`'s output.
    TaskDefinition,
    /// CreateService's or UpdateService's input or `describe-services`' output.
    Service,
    /// CreateCluster's, UpdateCluster's or PutClusterCapacityProviders' input or `describe-clusters`' output.
    Cluster,
    /// CreateCapacityProvider's input or `describe-capacity-providers`' output.
    CapacityProvider,
    /// RegisterScalableTarget's input or `describe-scalable-targets`' output.
    ScalableTarget,
    /// PutScalingPolicy's input or `describe-scaling-policies`' output.
    ScalingPolicy,
    /// PutScheduledAction's input or `describe-scheduled-actions`' output.
    ScheduledAction,
}

impl Shape {
    /// How people call it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TaskDefinition => "task definition",
            Self::Service => "service",
            Self::Cluster => "cluster",
            Self::CapacityProvider => "capacity provider",
            Self::ScalableTarget => "scalable target",
            Self::ScalingPolicy => "scaling policy",
            Self::ScheduledAction => "scheduled action",
        }
    }
}

/// What a document turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// A Kubernetes manifest, ours or another.
    Manifest(Value),
    /// An ECS document.
    Ecs(Shape, Map<String, Value>),
}

/// Members that hold one document of a shape in what the AWS CLI prints.
const ONE: [(&str, Shape); 4] = [
    ("taskDefinition", Shape::TaskDefinition),
    ("service", Shape::Service),
    ("cluster", Shape::Cluster),
    ("capacityProvider", Shape::CapacityProvider),
];

/// Members that hold a list of them.
const MANY: [(&str, Shape); 7] = [
    ("taskDefinitions", Shape::TaskDefinition),
    ("services", Shape::Service),
    ("clusters", Shape::Cluster),
    ("capacityProviders", Shape::CapacityProvider),
    ("ScalableTargets", Shape::ScalableTarget),
    ("ScalingPolicies", Shape::ScalingPolicy),
    ("ScheduledActions", Shape::ScheduledAction),
];

/// Members that no other document has.
const ONLY_OF_SERVICES: [&str; 5] =
    ["desiredCount", "deploymentConfiguration", "schedulingStrategy", "loadBalancers", "serviceRegistries"];

/// Members next to those that say nothing about the document: paging, and what SDKs add.
const AROUND: [&str; 5] = ["nextToken", "NextToken", "ResponseMetadata", "$metadata", "failures"];

const LOOKED_FOR: &str = "looked for apiVersion and kind (manifest), containerDefinitions (task definition), serviceName or \
                          service (service), clusterName or capacityProviders (cluster), autoScalingGroupProvider or \
                          managedInstancesProvider (capacity provider), ResourceId (scalable target), PolicyName (scaling \
                          policy), ScheduledActionName (scheduled action), and the lists that describe commands print";

/// Takes a document apart. What is in it but means nothing here goes into `notes`.
///
/// # Errors
/// When the document, or an item of a list in it, is none of the known shapes or more than one.
pub fn pieces(origin: &Origin, document: Value, notes: &mut Vec<String>) -> Result<Vec<(Origin, Piece)>, InputError> {
    match document {
        Value::Array(items) => {
            if items.iter().any(is_container_definition) {
                let message = "this is a list of container definitions: put it into the member containerDefinitions of a \
                               task definition, next to its family";
                return Err(InputError::unrecognised(origin, message));
            }
            each(origin, items, notes, pieces)
        }
        Value::Object(members) if is_manifest(&members) => manifests(origin, members, notes),
        Value::Object(members) => ecs(origin, members, notes),
        other => {
            let message = format!("a {} is no document: {LOOKED_FOR}", form(&other));
            Err(InputError::unrecognised(origin, message))
        }
    }
}

type Read = fn(&Origin, Value, &mut Vec<String>) -> Result<Vec<(Origin, Piece)>, InputError>;

fn each(
    origin: &Origin,
    items: Vec<Value>,
    notes: &mut Vec<String>,
    read: Read,
) -> Result<Vec<(Origin, Piece)>, InputError> {
    let mut all = Vec::new();
    for (number, item) in items.into_iter().enumerate() {
        all.extend(read(&origin.item(number), item, notes)?);
    }
    Ok(all)
}

/// Whether the document is a manifest, or a list of them.
#[must_use]
pub fn is_manifest(members: &Map<String, Value>) -> bool {
    members.get("kind").is_some_and(Value::is_string) && members.contains_key("apiVersion")
}

fn manifests(
    origin: &Origin,
    mut members: Map<String, Value>,
    notes: &mut Vec<String>,
) -> Result<Vec<(Origin, Piece)>, InputError> {
    let is_list = members.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
    match members.remove("items") {
        // `kubectl get -o yaml` prints `List`, the API server prints `ECSServiceList`.
        Some(Value::Array(items)) if is_list => each(origin, items, notes, pieces),
        Some(items) => {
            members.insert("items".to_owned(), items);
            Ok(vec![(origin.clone(), Piece::Manifest(Value::Object(members)))])
        }
        None => Ok(vec![(origin.clone(), Piece::Manifest(Value::Object(members)))]),
    }
}

fn ecs(
    origin: &Origin,
    mut members: Map<String, Value>,
    notes: &mut Vec<String>,
) -> Result<Vec<(Origin, Piece)>, InputError> {
    let one: Vec<_> = ONE.into_iter().filter(|(name, _)| members.get(*name).is_some_and(Value::is_object)).collect();
    let many: Vec<_> = MANY.into_iter().filter(|(name, _)| members.get(*name).is_some_and(is_documents)).collect();
    if one.is_empty() && many.is_empty() {
        return flat(origin, members);
    }
    let mut found = Vec::new();
    for (name, shape) in one {
        let Some(Value::Object(mut document)) = members.remove(name) else { continue };
        if shape == Shape::TaskDefinition {
            // `describe-task-definition --include TAGS` prints tags next to the definition, not in it.
            if let Some(tags) = members.remove("tags") {
                document.entry("tags").or_insert(tags);
            }
        }
        found.push((origin.clone(), Piece::Ecs(shape, document)));
    }
    for (name, shape) in many {
        let Some(Value::Array(items)) = members.remove(name) else { continue };
        for (number, item) in items.into_iter().enumerate() {
            let origin = origin.item(number);
            let Value::Object(document) = item else {
                let message = format!("{name} has a {} among its items, not a {}", form(&item), shape.as_str());
                return Err(InputError::unrecognised(&origin, message));
            };
            found.push((origin, Piece::Ecs(shape, document)));
        }
    }
    for failure in members.get("failures").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| failure.get(name).and_then(Value::as_str).unwrap_or("?").to_owned();
        notes.push(format!("{origin}: ECS could not describe {}: {}", text("arn"), text("reason")));
    }
    for name in members.keys().filter(|name| !AROUND.contains(&name.as_str())) {
        notes.push(format!("{origin}: {name} is not read"));
    }
    Ok(found)
}

/// A list of documents; a cluster's `capacityProviders` is a list of names.
fn is_documents(value: &Value) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(Value::is_object))
}

/// A document without wrapper: an input, or what somebody cut out of an output.
fn flat(origin: &Origin, members: Map<String, Value>) -> Result<Vec<(Origin, Piece)>, InputError> {
    let shapes = shapes(&members);
    match shapes.as_slice() {
        [shape] => Ok(vec![(origin.clone(), Piece::Ecs(*shape, members))]),
        [] => Err(InputError::unrecognised(origin, unknown(&members))),
        several => {
            let names: Vec<&str> = several.iter().map(|shape| shape.as_str()).collect();
            let message = format!("ambiguous: it has members of a {}", names.join(" and of a "));
            Err(InputError::unrecognised(origin, message))
        }
    }
}

fn shapes(members: &Map<String, Value>) -> Vec<Shape> {
    let has = |name: &str| members.get(name).is_some_and(|value| !value.is_null());
    let text = |name: &str| members.get(name).is_some_and(Value::is_string);
    let is_run_task = ["count", "overrides", "startedBy", "containerInstances"].into_iter().any(has);
    let is_service = has("serviceName")
        || has("serviceArn")
        || text("service")
        // Some deployment tools keep the name elsewhere; that it is missing is said later.
        || (ONLY_OF_SERVICES.into_iter().any(has) && !is_run_task);
    let is_cluster = !is_service
        && (has("clusterName")
            || has("clusterArn")
            || has("defaultCapacityProviderStrategy")
            || has("capacityProviders")
            || (text("cluster") && ["settings", "configuration", "serviceConnectDefaults"].into_iter().any(has)));
    let is_provider = has("autoScalingGroupProvider") || has("managedInstancesProvider") || has("capacityProviderArn");
    [
        (has("containerDefinitions"), Shape::TaskDefinition),
        (is_service, Shape::Service),
        (is_cluster && !is_provider, Shape::Cluster),
        (is_provider, Shape::CapacityProvider),
        (has("PolicyName"), Shape::ScalingPolicy),
        (has("ScheduledActionName"), Shape::ScheduledAction),
        (has("ResourceId") && !has("PolicyName") && !has("ScheduledActionName"), Shape::ScalableTarget),
    ]
    .into_iter()
    .filter_map(|(is_it, shape)| is_it.then_some(shape))
    .collect()
}

fn unknown(members: &Map<String, Value>) -> String {
    let has = |name: &str| members.contains_key(name);
    if has("taskDefinition") {
        return "this looks like RunTask or StartTask input, which is no long-lived object: a service needs serviceName"
            .to_owned();
    }
    if has("ContainerDefinitions") || has("Resources") || has("TaskDefinition") || has("Cluster") {
        return "this looks like CloudFormation; give the documents of the ECS API, whose members start in lower case \
                (aws ecs describe-task-definition, describe-services)"
            .to_owned();
    }
    if has("container_definitions") {
        return "this looks like Terraform; give the documents of the ECS API (aws ecs describe-task-definition, \
                describe-services)"
            .to_owned();
    }
    if members.keys().any(|name| name.ends_with("Arns")) {
        return "list commands print ARNs only; give what the describe command prints".to_owned();
    }
    let names: Vec<&str> = members.keys().take(10).map(String::as_str).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!("neither a manifest nor an ECS document; its members are: {names}; {LOOKED_FOR}")
}

fn is_container_definition(value: &Value) -> bool {
    value.get("image").is_some() && value.get("name").is_some() && value.get("kind").is_none()
}

fn form(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "mapping",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shape_of(document: Value) -> Vec<Shape> {
        pieces(&Origin::document("a", 1), document, &mut Vec::new())
            .unwrap()
            .into_iter()
            .map(|(_, piece)| match piece {
                Piece::Ecs(shape, _) => shape,
                Piece::Manifest(manifest) => panic!("{manifest}"),
            })
            .collect()
    }

    fn error_of(document: Value) -> String {
        pieces(&Origin::document("a", 1), document, &mut Vec::new()).unwrap_err().to_string()
    }

    #[test]
    fn when_a_document_has_the_members_of_one_shape_then_it_is_that() {
        let cases = [
            (json!({"family": "a", "containerDefinitions": []}), Shape::TaskDefinition),
            (json!({"taskDefinition": {"family": "a"}, "tags": []}), Shape::TaskDefinition),
            (json!({"cluster": "c", "serviceName": "s", "taskDefinition": "t"}), Shape::Service),
            (json!({"cluster": "c", "service": "s", "desiredCount": 2}), Shape::Service),
            (json!({"service": {"serviceName": "s"}}), Shape::Service),
            (json!({"launchType": "FARGATE", "desiredCount": 2, "networkConfiguration": {}}), Shape::Service),
            (json!({"services": [{"serviceName": "s"}], "failures": []}), Shape::Service),
            (json!({"clusterName": "c", "capacityProviders": ["FARGATE"]}), Shape::Cluster),
            (json!({"cluster": {"clusterName": "c"}}), Shape::Cluster),
            (json!({"clusters": [{"clusterName": "c"}]}), Shape::Cluster),
            (
                json!({"cluster": "c", "capacityProviders": ["a"], "defaultCapacityProviderStrategy": []}),
                Shape::Cluster,
            ),
            (json!({"cluster": "c", "settings": []}), Shape::Cluster),
            (json!({"name": "p", "autoScalingGroupProvider": {}}), Shape::CapacityProvider),
            (json!({"name": "p", "cluster": "c", "managedInstancesProvider": {}}), Shape::CapacityProvider),
            (json!({"capacityProvider": {"name": "p"}}), Shape::CapacityProvider),
            (json!({"capacityProviders": [{"name": "p"}]}), Shape::CapacityProvider),
            (json!({"ResourceId": "service/c/s", "MinCapacity": 1}), Shape::ScalableTarget),
            (json!({"ResourceId": "service/c/s", "PolicyName": "p"}), Shape::ScalingPolicy),
            (json!({"ResourceId": "service/c/s", "ScheduledActionName": "p"}), Shape::ScheduledAction),
            (json!({"ScalableTargets": [{"ResourceId": "service/c/s"}]}), Shape::ScalableTarget),
            (json!({"ScalingPolicies": [{"PolicyName": "p"}]}), Shape::ScalingPolicy),
            (json!([{"family": "a", "containerDefinitions": []}]), Shape::TaskDefinition),
        ];
        for (document, shape) in cases {
            assert_eq!(shape_of(document.clone()), [shape], "{document}");
        }
    }

    #[test]
    fn when_a_document_is_of_no_shape_or_of_two_then_the_error_says_what_to_do() {
        let cases = [
            (json!({"serviceName": "s", "containerDefinitions": []}), "ambiguous"),
            (json!({"a": 1, "b": 2}), "its members are: a, b"),
            (json!({}), "its members are: none"),
            (json!("text"), "a string is no document"),
            (json!([[1]]), "a#1[0][0]: a number is no document"),
            (json!({"taskDefinition": "t", "count": 1}), "RunTask"),
            (json!({"Resources": {}}), "CloudFormation"),
            (json!({"serviceArns": ["x"]}), "list commands"),
            (json!({"services": ["web"], "cluster": "c"}), "neither"),
            (json!([{"name": "web", "image": "nginx"}]), "container definitions"),
        ];
        for (document, text) in cases {
            let error = error_of(document.clone());
            assert!(error.contains(text), "{document}: {error}");
        }
    }

    #[test]
    fn when_ecs_could_not_describe_something_then_a_note_says_so() {
        let mut notes = Vec::new();
        let document = json!({"services": [], "failures": [{"arn": "x", "reason": "MISSING"}], "extra": 1});
        assert_eq!(pieces(&Origin::document("a", 1), document, &mut notes).unwrap(), []);
        assert_eq!(notes, ["a#1: ECS could not describe x: MISSING", "a#1: extra is not read"]);
    }

    #[test]
    fn when_manifests_are_in_a_list_then_each_is_one() {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Secret"}]});
        let found = pieces(&Origin::document("a", 1), list, &mut Vec::new()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0.to_string(), "a#1[0]");
    }
}
