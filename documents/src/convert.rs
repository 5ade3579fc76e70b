//! An ECS document as a manifest: the document becomes `spec`, its ECS name becomes a legal object name next to it.

use ecs::arn::last_segment;
use plan::Kind;
use serde_json::{Map, Value, json};

use crate::error::InputError;
use crate::input::LONGEST_NAME;
use crate::origin::Origin;
use crate::shape::Shape;

/// Members of a deployment that CreateService takes and `describe-services` shows nowhere else.
const ONLY_IN_DEPLOYMENTS: [&str; 3] =
    ["serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations"];

/// A document as a manifest without namespace.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Converted {
    pub(crate) kind: Kind,
    pub(crate) object: Value,
    /// What was written differently, for people.
    pub(crate) notes: Vec<String>,
    /// The revision a described task definition has on ECS.
    pub(crate) revision: Option<i64>,
}

/// The manifest of an ECS document.
///
/// # Errors
/// When the document has no ECS name.
pub(crate) fn manifest(origin: &Origin, shape: Shape, document: Map<String, Value>) -> Result<Converted, InputError> {
    let mut notes = Vec::new();
    let mut spec = document;
    let nameless = |member: &str| {
        let message = format!("{}: {member} is required", shape.as_str());
        Err(InputError::unrecognised(origin, message))
    };
    let (kind, name) = match shape {
        Shape::TaskDefinition => (Kind::TaskDefinition, text(&spec, "family")),
        Shape::Service => (Kind::Service, service(&mut spec, &mut notes)),
        Shape::Cluster => (Kind::Cluster, Some(cluster(&mut spec))),
        Shape::CapacityProvider => (Kind::CapacityProvider, capacity_provider(&mut spec)),
        Shape::ScalableTarget | Shape::ScalingPolicy | Shape::ScheduledAction => {
            let name = text(&spec, "ResourceId").map(|id| last_segment(&id).to_owned());
            if name.is_none() {
                return nameless("ResourceId");
            }
            spec = scaling(shape, spec);
            (Kind::ScalableTarget, name)
        }
    };
    let Some(name) = name else {
        return nameless(match shape {
            Shape::TaskDefinition => "family",
            Shape::Service => "serviceName",
            _ => "name",
        });
    };
    let revision = spec.get("revision").and_then(Value::as_i64).filter(|_| kind == Kind::TaskDefinition);
    let object = json!({
        "apiVersion": kind.api_version(),
        "kind": kind.kind(),
        "metadata": { "name": ecs::name::dns_label(&name, LONGEST_NAME) },
        "spec": without_absent(spec),
    });
    Ok(Converted { kind, object, notes, revision })
}

fn text(document: &Map<String, Value>, member: &str) -> Option<String> {
    document.get(member).and_then(Value::as_str).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
}

fn put(document: &mut Map<String, Value>, member: &str, value: &str) {
    document.insert(member.to_owned(), Value::from(value));
}

/// `serviceName`, under which name ever the document has it, and members that only a described deployment shows.
fn service(spec: &mut Map<String, Value>, notes: &mut Vec<String>) -> Option<String> {
    let reference = spec.remove("service").and_then(|value| value.as_str().map(ToOwned::to_owned));
    let arn = text(spec, "serviceArn").or(reference.clone());
    let name = text(spec, "serviceName").or(arn.as_deref().map(last_segment).map(ToOwned::to_owned))?;
    put(spec, "serviceName", &name);
    if text(spec, "cluster").is_none() {
        // The long ARN: arn:aws:ecs:eu-west-1:123456789012:service/shop/web.
        let of_service =
            arn.as_deref().and_then(|arn| arn.split_once(":service/")?.1.split_once('/')).map(|(cluster, _)| cluster);
        let described = text(spec, "clusterArn");
        if let Some(cluster) = described.as_deref().map(last_segment).or(of_service) {
            put(spec, "cluster", cluster);
        }
    }
    let deployments = spec.get("deployments").and_then(Value::as_array).cloned().unwrap_or_default();
    let primary = deployments.iter().find(|one| one.get("status").and_then(Value::as_str) == Some("PRIMARY"));
    for member in ONLY_IN_DEPLOYMENTS {
        if let Some(value) = primary.and_then(|primary| primary.get(member)).filter(|value| !is_absent(value))
            && spec.get(member).is_none_or(is_absent)
        {
            notes.push(format!("spec.{member}: taken from the PRIMARY deployment"));
            spec.insert(member.to_owned(), value.clone());
        }
    }
    Some(name)
}

/// `clusterName`; a request that names none is about the cluster `default`.
fn cluster(spec: &mut Map<String, Value>) -> String {
    let reference = spec.remove("cluster").and_then(|value| value.as_str().map(ToOwned::to_owned));
    let arn = reference.or_else(|| text(spec, "clusterArn"));
    let name = text(spec, "clusterName").or(arn.as_deref().map(last_segment).map(ToOwned::to_owned));
    let name = name.unwrap_or_else(|| plan::core::world::DEFAULT_CLUSTER.to_owned());
    put(spec, "clusterName", &name);
    name
}

fn capacity_provider(spec: &mut Map<String, Value>) -> Option<String> {
    let arn = text(spec, "capacityProviderArn");
    let name = text(spec, "name").or(arn.as_deref().map(last_segment).map(ToOwned::to_owned))?;
    put(spec, "name", &name);
    Some(name)
}

/// A policy or action as a target that has nothing but it: what it says is merged into the target of the same resource.
fn scaling(shape: Shape, document: Map<String, Value>) -> Map<String, Value> {
    let list = match shape {
        Shape::ScalingPolicy => "ScalingPolicies",
        Shape::ScheduledAction => "ScheduledActions",
        _ => return document,
    };
    let mut item = document;
    let mut target = Map::new();
    // Those three say which target it is.
    for member in ["ResourceId", "ServiceNamespace", "ScalableDimension"] {
        if let Some(value) = item.remove(member) {
            target.insert(member.to_owned(), value);
        }
    }
    target.insert(list.to_owned(), Value::Array(vec![Value::Object(item)]));
    target
}

/// Whether a member says nothing where nothing is required. An empty mapping says something: `restartPolicy: {}` lacks a
/// required member.
fn is_absent(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// Removes what describe commands print for members that are not set: `null` anywhere, and empty lists in the document
/// itself and in its containers. Deeper down, as in `alarms`, a list may be required and empty.
fn without_absent(mut document: Map<String, Value>) -> Value {
    const REQUIRED: &str = "containerDefinitions";
    document.retain(|name, value| name == REQUIRED || !is_absent(value));
    for container in document.get_mut(REQUIRED).and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(container) = container.as_object_mut() {
            container.retain(|_, value| !is_absent(value));
        }
    }
    without_null(Value::Object(document))
}

fn without_null(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_null(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_null).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(shape: Shape, document: Value) -> Converted {
        let Value::Object(document) = document else { panic!("{document}") };
        manifest(&Origin::document("a", 1), shape, document).unwrap()
    }

    #[test]
    fn when_an_ecs_name_is_no_object_name_then_the_spec_keeps_it_and_the_object_gets_another() {
        let object = converted(Shape::TaskDefinition, json!({"family": "My_App", "containerDefinitions": []})).object;
        assert_eq!(object["spec"]["family"], "My_App");
        assert_eq!(object["metadata"]["name"], ecs::name::dns_label("My_App", 63));
        assert_ne!(object["metadata"]["name"], "my-app");
    }

    #[test]
    fn when_a_service_is_an_update_then_its_name_becomes_service_name() {
        let arn = "arn:aws:ecs:eu-west-1:123456789012:service/shop/web";
        for (service, cluster) in [("web", Value::Null), (arn, json!("shop"))] {
            let spec = converted(Shape::Service, json!({"service": service, "desiredCount": 2})).object["spec"].clone();
            assert_eq!(spec["serviceName"], "web");
            assert_eq!(spec["cluster"], cluster);
            assert_eq!(spec.get("service"), None);
        }
    }

    #[test]
    fn when_a_service_was_described_then_its_cluster_and_deployment_are_read() {
        let service = converted(
            Shape::Service,
            json!({
                "serviceName": "web",
                "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
                "loadBalancers": [],
                "deployments": [
                    {"status": "ACTIVE", "volumeConfigurations": [{"name": "old"}]},
                    {"status": "PRIMARY", "volumeConfigurations": [{"name": "new"}], "vpcLatticeConfigurations": []},
                ],
            }),
        );
        assert_eq!(service.object["spec"]["cluster"], "shop");
        assert_eq!(service.object["spec"]["volumeConfigurations"][0]["name"], "new");
        assert_eq!(service.object["spec"].get("loadBalancers"), None);
        assert_eq!(service.notes, ["spec.volumeConfigurations: taken from the PRIMARY deployment"]);
    }

    #[test]
    fn when_a_document_has_no_ecs_name_then_the_error_names_the_member() {
        let cases = [
            (Shape::TaskDefinition, json!({"containerDefinitions": []}), "family"),
            (Shape::Service, json!({"taskDefinition": "a"}), "serviceName"),
            (Shape::CapacityProvider, json!({"autoScalingGroupProvider": {}}), "name"),
            (Shape::ScalingPolicy, json!({"PolicyName": "a"}), "ResourceId"),
        ];
        for (shape, document, member) in cases {
            let error = manifest(&Origin::document("a", 1), shape, document.as_object().cloned().unwrap()).unwrap_err();
            assert_eq!(error.to_string(), format!("a#1: {}: {member} is required", shape.as_str()));
        }
    }

    #[test]
    fn when_a_cluster_is_not_named_then_it_is_the_default_one() {
        let cluster = converted(Shape::Cluster, json!({"capacityProviders": ["FARGATE"]})).object;
        assert_eq!(cluster["spec"]["clusterName"], "default");
        let cluster =
            converted(Shape::Cluster, json!({"cluster": "arn:aws:ecs:x:1:cluster/Shop", "settings": []})).object;
        assert_eq!(cluster["spec"]["clusterName"], "Shop");
    }

    #[test]
    fn when_members_are_null_or_empty_then_they_are_absent_unless_they_may_be_required() {
        let document = json!({
            "a": null, "b": [], "c": {"d": null, "e": []}, "f": "",
            "containerDefinitions": [{"links": [], "image": null, "healthCheck": {"command": []}}],
        });
        let kept = json!({
            "c": {"e": []}, "f": "", "containerDefinitions": [{"healthCheck": {"command": []}}],
        });
        assert_eq!(without_absent(document.as_object().cloned().unwrap()), kept);
        assert_eq!(
            without_absent(Map::from_iter([("containerDefinitions".to_owned(), json!([]))])),
            json!({"containerDefinitions": []})
        );
    }
}
