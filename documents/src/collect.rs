//! Documents as objects: recognised, converted, merged, named.

use std::collections::BTreeMap;

use api::names::GROUP;
use plan::{Kind, validate};
use serde_json::Value;

use crate::convert::{self, Converted};
use crate::error::InputError;
use crate::input::{Input, Inputs, remove_read_only};
use crate::merge;
use crate::origin::{Origin, line};
use crate::parse::Document;
use crate::paths;
use crate::shape::{self, Piece};

/// Members of `metadata` that only the server sets: the output of `kubectl get -o yaml` has them.
const SERVER_METADATA: [&str; 8] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
];

/// Takes in documents; objects without a namespace get `namespace`.
///
/// # Errors
/// Every document that cannot be used.
pub fn inputs(documents: Vec<Document>, namespace: &str) -> Result<Inputs, Vec<InputError>> {
    let mut inputs = Inputs::default();
    let mut errors = Vec::new();
    for document in documents {
        if let Err(error) = accept(document, &mut inputs) {
            errors.push(error);
        }
    }
    merge::clusters(&mut inputs);
    merge::families(&mut inputs);
    errors.extend(merge::scaling(&mut inputs));
    merge::pinned_revisions(&mut inputs);
    merge::names(&mut inputs);
    for input in &mut inputs.objects {
        settle(input, namespace);
    }
    errors.extend(twice(&inputs.objects));
    if errors.is_empty() { Ok(inputs) } else { Err(errors) }
}

fn accept(document: Document, inputs: &mut Inputs) -> Result<(), InputError> {
    let is_manifest = document.value.as_object().is_some_and(shape::is_manifest);
    // A manifest is read as kubectl reads it.
    let value = document.legacy.filter(|_| is_manifest).unwrap_or(document.value);
    for (origin, piece) in shape::pieces(&document.origin, value, &mut inputs.notes)? {
        match piece {
            Piece::Manifest(object) => manifest(origin, object, inputs)?,
            Piece::Ecs(shape, document) => {
                let Converted { kind, object, notes, revision } = convert::manifest(&origin, shape, document)?;
                let input = Input { origin, kind, object, is_raw: true, notes, unknown: Vec::new(), revision };
                if is_predefined(&input) {
                    let name = input.text("/spec/name").unwrap_or_default();
                    inputs.notes.push(format!("{}: {name} comes with the operator's chart", input.origin));
                } else {
                    inputs.objects.push(input);
                }
            }
        }
    }
    Ok(())
}

/// The two providers that every account has. There is nothing in them that somebody could have chosen.
fn is_predefined(input: &Input) -> bool {
    input.kind == Kind::CapacityProvider && matches!(input.text("/spec/name"), Some("FARGATE" | "FARGATE_SPOT"))
}

fn manifest(origin: Origin, mut object: Value, inputs: &mut Inputs) -> Result<(), InputError> {
    let text = |member: &str| object.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (api_version, kind_name) = (text("apiVersion"), text("kind"));
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("?").to_owned();
    if Kind::from_type(&api_version, &kind_name) == Some(Kind::Namespace) {
        inputs.namespaces.push(object);
        return Ok(());
    }
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let kind = Kind::from_type(&api_version, &kind_name).filter(|kind| kind.is_ours());
    let Some(kind) = kind else {
        if group == GROUP {
            let message = format!("there is no kind {kind_name} in {api_version}");
            return Err(InputError::unrecognised(&origin, message));
        }
        inputs.notes.push(line(&format!("{origin}: {kind_name}/{name} is not one of {GROUP}: passed over")));
        return Ok(());
    };
    if let Some(members) = object.as_object_mut() {
        members.remove("status");
        if let Some(metadata) = members.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|name, _| !SERVER_METADATA.contains(&name.as_str()));
            if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
            }
        }
    }
    let input = Input { origin, kind, object, is_raw: false, notes: Vec::new(), unknown: Vec::new(), revision: None };
    inputs.objects.push(input);
    Ok(())
}

/// Gives the object its namespace and takes away what the API server would not keep.
fn settle(input: &mut Input, namespace: &str) {
    let has_namespace = input.text("/metadata/namespace").is_some();
    if let Some(metadata) = input.object.get_mut("metadata").and_then(Value::as_object_mut)
        && input.kind.is_namespaced()
        && !has_namespace
    {
        metadata.insert("namespace".to_owned(), Value::from(namespace));
    }
    if input.is_raw {
        remove_read_only(input.kind, &mut input.object);
    }
    for path in validate::unknown_fields(input.kind, &input.object) {
        paths::remove(&mut input.object, &path);
        input.unknown.push(path);
    }
}

/// Objects that claim one name: which of them would win is up to the order of the files.
fn twice(objects: &[Input]) -> Vec<InputError> {
    let mut seen: BTreeMap<(Kind, &str, &str), &Input> = BTreeMap::new();
    let mut errors = Vec::new();
    for input in objects.iter().filter(|input| !input.name().is_empty()) {
        if let Some(first) = seen.insert((input.kind, input.namespace(), input.name()), input) {
            let message = format!("{}/{} is in {} too", input.kind, input.name(), first.origin);
            errors.push(InputError::unrecognised(&input.origin, message));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::inputs;
    use crate::input::Input;
    use crate::parse;

    fn objects(documents: &[serde_json::Value]) -> Vec<Input> {
        let text = serde_json::Value::from(documents).to_string();
        inputs(parse::documents("a.json", text.as_bytes()).unwrap(), "default").unwrap().objects
    }

    #[test]
    fn when_calls_are_about_one_cluster_then_they_are_one_object_and_later_ones_win() {
        let objects = objects(&[
            json!({"clusterName": "shop", "capacityProviders": ["FARGATE"], "tags": [{"key": "a", "value": "b"}]}),
            json!({"clusterName": "other"}),
            json!({"cluster": "shop", "capacityProviders": ["FARGATE_SPOT"], "defaultCapacityProviderStrategy": []}),
            json!({"cluster": "arn:aws:ecs:x:1:cluster/shop", "settings": [{"name": "containerInsights", "value": "enabled"}]}),
        ]);
        let names: Vec<&str> = objects.iter().map(Input::name).collect();
        assert_eq!(names, ["shop", "other"]);
        let expected = json!({
            "clusterName": "shop",
            "capacityProviders": ["FARGATE_SPOT"],
            "tags": [{"key": "a", "value": "b"}],
            "settings": [{"name": "containerInsights", "value": "enabled"}],
        });
        assert_eq!(objects[0].object["spec"], expected);
    }

    #[test]
    fn when_a_policy_is_put_twice_then_the_later_one_replaces_the_earlier() {
        let policy = |target: u32| {
            json!({"PolicyName": "cpu", "ResourceId": "service/shop/web", "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": {"TargetValue": target}})
        };
        let objects = objects(&[
            policy(50),
            json!({"ResourceId": "service/shop/web", "MinCapacity": 1, "MaxCapacity": 2}),
            policy(70),
        ]);
        assert_eq!(objects.len(), 1);
        let policies = objects[0].object["spec"]["ScalingPolicies"].as_array().unwrap();
        assert_eq!(policies.len(), 1);
        assert_eq!(policies[0]["TargetTrackingScalingPolicyConfiguration"]["TargetValue"], 70);
    }

    #[test]
    fn when_a_service_is_pinned_to_a_revision_that_is_not_among_the_inputs_then_the_pin_stays() {
        let task = json!({"family": "web", "revision": 4, "containerDefinitions": [{"name": "a", "image": "a"}]});
        let service = |revision: u32| json!({"serviceName": "web", "taskDefinition": format!("web:{revision}")});
        for (revision, written) in [(4, "web"), (3, "web:3")] {
            let objects = objects(&[task.clone(), service(revision)]);
            assert_eq!(objects[1].object["spec"]["taskDefinition"], written);
        }
    }
}
