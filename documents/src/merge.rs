//! Documents that are one object together, and names that would meet.

use std::collections::{BTreeMap, BTreeSet};

use ecs::arn::{last_segment, task_definition_reference};
use plan::Kind;
use plan::support::Document;
use serde_json::{Map, Value};

use crate::error::InputError;
use crate::input::{Input, Inputs, LONGEST_NAME};

/// CreateCluster, PutClusterCapacityProviders and UpdateCluster are about one cluster: members of later documents win, as
/// later calls do.
pub(crate) fn clusters(inputs: &mut Inputs) {
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    let mut kept: Vec<Input> = Vec::new();
    for mut input in std::mem::take(&mut inputs.objects) {
        let name = input.text("/spec/clusterName").map(ToOwned::to_owned);
        let (Kind::Cluster, true, Some(name)) = (input.kind, input.is_raw, name) else {
            kept.push(input);
            continue;
        };
        let Some(target) = first.get(&name).and_then(|index| kept.get_mut(*index)) else {
            first.insert(name, kept.len());
            kept.push(input);
            continue;
        };
        target.notes.push(format!("with the members of {}", input.origin));
        target.notes.append(&mut input.notes);
        let members = input.spec_mut().map(std::mem::take).unwrap_or_default();
        if let Some(spec) = target.spec_mut() {
            spec.extend(members);
        }
    }
    inputs.objects = kept;
}

/// An object is a family: of several described revisions of one, the highest is kept.
pub(crate) fn families(inputs: &mut Inputs) {
    let mut highest: BTreeMap<String, (i64, String)> = BTreeMap::new();
    for input in &inputs.objects {
        if let (Some(revision), Some(family)) = (input.revision, input.text("/spec/family")) {
            let known = highest.entry(family.to_owned()).or_insert((revision, input.origin.to_string()));
            if revision > known.0 {
                *known = (revision, input.origin.to_string());
            }
        }
    }
    let mut notes = Vec::new();
    inputs.objects.retain(|input| {
        let (Some(revision), Some(family)) = (input.revision, input.text("/spec/family")) else { return true };
        let Some((latest, place)) = highest.get(family).filter(|(latest, _)| *latest > revision) else { return true };
        notes.push(format!("{}: {family}:{revision} is passed over for {family}:{latest} in {place}", input.origin));
        false
    });
    inputs.notes.append(&mut notes);
}

/// Members of what [`crate::convert`] makes of a policy or scheduled action.
const PART_OF_TARGET: [&str; 5] =
    ["ResourceId", "ServiceNamespace", "ScalableDimension", "ScalingPolicies", "ScheduledActions"];

/// Policies and scheduled actions go into the target of the same resource; those without one are errors.
pub(crate) fn scaling(inputs: &mut Inputs) -> Vec<InputError> {
    let is_part = |input: &Input| {
        let spec = input.object.get("spec").and_then(Value::as_object);
        input.is_raw && spec.is_some_and(|spec| spec.keys().all(|member| PART_OF_TARGET.contains(&member.as_str())))
    };
    let is_target = |input: &Input| input.kind == Kind::ScalableTarget && !is_part(input);
    let (mut objects, parts): (Vec<Input>, Vec<Input>) = std::mem::take(&mut inputs.objects)
        .into_iter()
        .partition(|input| input.kind != Kind::ScalableTarget || is_target(input));
    let mut errors = Vec::new();
    for mut part in parts {
        let resource = part.text("/spec/ResourceId").unwrap_or_default().to_owned();
        let fits = |input: &&mut Input| is_target(input) && input.text("/spec/ResourceId") == Some(resource.as_str());
        let Some(target) = objects.iter_mut().find(fits) else {
            let message = format!(
                "no scalable target of {resource} is among the inputs: add the RegisterScalableTarget input or what \
                 describe-scalable-targets prints"
            );
            errors.push(InputError::unrecognised(&part.origin, message));
            continue;
        };
        let members = part.spec_mut().map(std::mem::take).unwrap_or_default();
        target.notes.push(format!("with {} of {}", lists(&members), part.origin));
        if let Some(spec) = target.spec_mut() {
            merge_list(spec, &members, "ScalingPolicies", "PolicyName");
            merge_list(spec, &members, "ScheduledActions", "ScheduledActionName");
        }
    }
    inputs.objects = objects;
    errors
}

fn lists(members: &Map<String, Value>) -> &'static str {
    if members.contains_key("ScheduledActions") { "the scheduled action" } else { "the policy" }
}

/// Puts items into a list; one of the same name is replaced, as PutScalingPolicy does.
fn merge_list(spec: &mut Map<String, Value>, members: &Map<String, Value>, list: &str, key: &str) {
    let Some(items) = members.get(list).and_then(Value::as_array) else { return };
    let Some(all) = spec.entry(list).or_insert_with(|| Value::Array(Vec::new())).as_array_mut() else { return };
    for item in items {
        match all.iter_mut().find(|known| known.get(key).is_some() && known.get(key) == item.get(key)) {
            Some(known) => *known = item.clone(),
            None => all.push(item.clone()),
        }
    }
}

/// Revisions count from 1 here, so `family:41` of a described service would name nothing. When the inputs have that very
/// revision, the service is written to follow the family, whose first revision here it is.
pub(crate) fn pinned_revisions(inputs: &mut Inputs) {
    let described: BTreeSet<(String, i64)> = inputs
        .objects
        .iter()
        .filter_map(|input| Some((input.text("/spec/family")?.to_owned(), input.revision?)))
        .collect();
    for input in inputs.objects.iter_mut().filter(|input| input.is_raw && input.kind == Kind::Service) {
        let reference = input.text("/spec/taskDefinition").and_then(|text| task_definition_reference(text).ok());
        let Some((family, Some(revision))) = reference.map(|reference| (reference.family, reference.revision)) else {
            continue;
        };
        if !described.contains(&(family.clone(), revision)) {
            continue;
        }
        input.notes.push(format!(
            "spec.taskDefinition: {family} instead of {family}:{revision}, because revisions count from 1 here"
        ));
        if let Some(spec) = input.spec_mut() {
            spec.insert("taskDefinition".to_owned(), Value::from(family));
        }
    }
}

/// Services of one name in two clusters are two objects: both get the cluster's name behind theirs.
pub(crate) fn names(inputs: &mut Inputs) {
    let mut claims: BTreeMap<(Kind, String), BTreeSet<String>> = BTreeMap::new();
    for input in inputs.objects.iter().filter(|input| input.is_raw) {
        if let Some((name, cluster)) = place(input) {
            claims.entry((input.kind, name)).or_default().insert(cluster);
        }
    }
    for input in inputs.objects.iter_mut().filter(|input| input.is_raw) {
        let Some((name, cluster)) = place(input) else { continue };
        if claims.get(&(input.kind, name.clone())).is_some_and(|clusters| clusters.len() > 1) {
            let unique = ecs::name::child_name(&name, &cluster, LONGEST_NAME);
            if let Some(object_name) = input.object.pointer_mut("/metadata/name") {
                *object_name = Value::from(unique);
            }
        }
    }
}

/// Name of the service and of the cluster it is in.
fn place(input: &Input) -> Option<(String, String)> {
    match Document::of(input.kind)? {
        Document::Service => {
            let cluster = input.text("/spec/cluster").map_or(plan::core::world::DEFAULT_CLUSTER, last_segment);
            Some((input.text("/spec/serviceName")?.to_owned(), cluster.to_owned()))
        }
        Document::ScalableTarget => {
            let (cluster, service) = ecs::arn::service_resource(input.text("/spec/ResourceId")?)?;
            Some((service.to_owned(), cluster.to_owned()))
        }
        Document::TaskDefinition | Document::Cluster | Document::CapacityProvider => None,
    }
}
