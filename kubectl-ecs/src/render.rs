//! `kubectl ecs render`: what the operator would create, and the status it would report.

use std::collections::BTreeMap;

use documents::input::families_in_use;
use documents::{Input, Inputs, line};
use jiff::Timestamp;
use plan::core::labels;
use plan::core::report::{Finding, Refusal};
use plan::{AlarmSource, ClusterFeatures, ImageResolution, Kind, ObjectKey, Settings, validate};
use serde_json::{Map, Value, json};

use crate::print::{Format, Printed, print};
use crate::report::{Exit, Report};
use crate::simulate::{self, Outcome, key};
use crate::task;

/// How to render.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Form of the output.
    pub format: Format,
    /// Whether a field that does not act as on ECS is a failure.
    pub is_strict: bool,
    /// The time of the pass; with `None` the output has no times and is the same every time.
    pub now: Option<Timestamp>,
    /// What the cluster offers that the objects are for.
    pub facts: ClusterFeatures,
}

/// Members that hold times.
const TIMES: [&str; 6] =
    ["lastTransitionTime", "createdAt", "updatedAt", "registeredAt", "deregisteredAt", "creationTimestamp"];

/// Renders everything that was given.
#[must_use]
pub fn render(inputs: &Inputs, options: &Options) -> Report {
    let objects = &inputs.objects;
    let settings = Settings {
        facts: options.facts.clone(),
        images: ImageResolution::LeftToOperator,
        alarms: AlarmSource::LeftToOperator,
        ..Settings::default()
    };
    let outcome =
        simulate::simulate(objects, &inputs.namespaces, &settings, options.now.unwrap_or(Timestamp::UNIX_EPOCH));
    let mut lines = inputs.notes.clone();
    let mut exit = Exit::Fine;
    for input in objects {
        let unknown = input.unknown.iter().map(|path| format!("{path}: is not a field of {}", input.kind));
        lines.extend(unknown.map(|text| format!("{}: {text}", input.label())));
        if options.is_strict {
            let fields = findings(input, &outcome);
            if exit == Exit::Fine && !(fields.is_empty() && input.unknown.is_empty()) {
                exit = Exit::NotApplied;
            }
            lines.extend(fields.iter().map(|finding| format!("{}: not applied: {finding}", input.label())));
        }
    }
    for input in objects {
        for refusal in refusals(input, &outcome) {
            exit = Exit::Refused;
            lines.push(format!("{}: {refusal}", input.label()));
        }
    }
    if objects.is_empty() {
        lines.push("no object of ecs-operator.dev is among the inputs".to_owned());
    }
    if !outcome.is_settled {
        lines.push("the plan still changes after ten rounds; what is printed is the tenth".to_owned());
    }
    let mut printed = children(objects, &outcome);
    printed.extend(lone_tasks(inputs, &options.facts, &outcome, &mut lines));
    printed.extend(objects.iter().filter_map(|input| status(input, &outcome)));
    for document in &mut printed {
        tidy(&mut document.object, options.now.is_some());
    }
    match print(options.format, &printed) {
        Ok(output) => Report { output, lines: lines.iter().map(|text| line(text)).collect(), exit },
        Err(error) => Report { output: String::new(), lines: vec![error], exit: Exit::Unusable },
    }
}

/// Everything the planner refuses about an object: by itself, or together with what it refers to.
fn refusals(input: &Input, outcome: &Outcome) -> Vec<Refusal> {
    let own = validate::object(input.kind, &input.object);
    if !own.is_empty() {
        return own;
    }
    key(input).and_then(|key| outcome.refusals.get(&key).cloned()).unwrap_or_default()
}

/// Fields of an accepted object that do not act as on ECS.
fn findings<'a>(input: &Input, outcome: &'a Outcome) -> &'a [Finding] {
    let found = key(input).filter(|_| refusals(input, outcome).is_empty()).and_then(|key| outcome.findings.get(&key));
    found.map(Vec::as_slice).unwrap_or_default()
}

fn children(objects: &[Input], outcome: &Outcome) -> Vec<Printed> {
    let sources: BTreeMap<ObjectKey, &Input> = objects.iter().filter_map(|input| Some((key(input)?, input))).collect();
    outcome
        .children
        .iter()
        .map(|(root, object)| {
            let place = sources.get(root).map_or_else(|| root.to_string(), |input| input.label());
            let mut object = object.clone();
            if let Some(members) = object.as_object_mut() {
                // A child's status is somebody else's to write.
                members.remove("status");
            }
            let mut comments = vec![format!("from {place}")];
            if has_tags(&object) {
                comments.push("the operator pins image tags to digests when a deployment starts, unless versionConsistency is disabled".to_owned());
            }
            Printed { comments, object }
        })
        .collect()
}

/// Whether an image is named by its tag. Which digest it is only a registry knows.
fn has_tags(object: &Value) -> bool {
    let lists = ["/spec/template/spec/initContainers", "/spec/template/spec/containers"];
    let containers = lists.iter().filter_map(|list| object.pointer(list)?.as_array()).flatten();
    containers.filter_map(|container| container.get("image")?.as_str()).any(|image| !image.contains('@'))
}

/// Pods of task definitions that no service among the inputs runs.
fn lone_tasks(inputs: &Inputs, facts: &ClusterFeatures, outcome: &Outcome, lines: &mut Vec<String>) -> Vec<Printed> {
    let objects = &inputs.objects;
    let in_use = families_in_use(objects);
    let mut printed = Vec::new();
    for input in objects.iter().filter(|input| input.kind == Kind::TaskDefinition) {
        let family = input.text("/spec/family").unwrap_or(input.name()).to_owned();
        let is_used = in_use.contains(&(input.namespace().to_owned(), family));
        if is_used || !refusals(input, outcome).is_empty() {
            continue;
        }
        match task::pod(input, &inputs.namespaces, facts) {
            Ok(bodies) => {
                let comments = vec![format!("a task of {}", input.label())];
                printed.extend(bodies.into_iter().map(|object| Printed { comments: comments.clone(), object }));
            }
            Err(reasons) => {
                lines.extend(reasons.into_iter().map(|reason| format!("{}: no Pod: {reason}", input.label())));
            }
        }
    }
    printed
}

/// An input with its status instead of its spec.
fn status(input: &Input, outcome: &Outcome) -> Option<Printed> {
    let status = outcome.statuses.get(&key(input)?)?;
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), Value::from(input.name()));
    if input.kind.is_namespaced() {
        metadata.insert("namespace".to_owned(), Value::from(input.namespace()));
    }
    let object = json!({
        "apiVersion": input.kind.api_version(),
        "kind": input.kind.kind(),
        "metadata": metadata,
        "status": status,
    });
    let mut comments = vec![format!("status of {}", input.label())];
    comments.extend(input.notes.iter().cloned());
    comments.extend(input.unknown.iter().map(|path| format!("not applied: {path} is not a field of {}", input.kind)));
    Some(Printed { comments, object })
}

/// Removes what only a server gives: identities, versions, and times unless somebody asked for a time.
fn tidy(object: &mut Value, has_time: bool) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for member in ["uid", "resourceVersion", "generation", "creationTimestamp"] {
            metadata.remove(member);
        }
        for owner in metadata.get_mut("ownerReferences").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(owner) = owner.as_object_mut() {
                owner.remove("uid");
            }
        }
        // The hash covers the owner's uid.
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(labels::APPLIED);
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    if !has_time {
        for part in ["status", "spec"] {
            if let Some(part) = object.get_mut(part) {
                without_times(part);
            }
        }
    }
}

fn without_times(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, value| !(TIMES.contains(&name.as_str()) && is_time(value)));
            members.values_mut().for_each(without_times);
        }
        Value::Array(items) => items.iter_mut().for_each(without_times),
        _ => {}
    }
}

fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.parse::<Timestamp>().is_ok())
}
