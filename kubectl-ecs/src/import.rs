//! `kubectl ecs import`: documents as manifests, with comments that say what is lost.

use documents::input::remove_read_only;
use documents::{Input, Inputs, line};
use plan::{support, validate};
use serde_json::Value;

use crate::print::{Format, Printed, print};
use crate::report::{Exit, Report};

/// Writes everything that was given as manifests.
#[must_use]
pub fn import(inputs: &Inputs, namespace: Option<&str>) -> Report {
    let mut lines = inputs.notes.clone();
    lines.extend(inputs.namespaces.iter().map(|namespace| {
        let name = namespace.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("?");
        format!("Namespace/{name} stays as it is: passed over")
    }));
    let mut exit = Exit::Fine;
    let mut printed = Vec::new();
    for input in &inputs.objects {
        let refusals = validate::object(input.kind, &input.object);
        for refusal in &refusals {
            exit = Exit::Refused;
            lines.push(format!("{}: {refusal}", input.label()));
        }
        let refused = refusals.iter().map(|refusal| format!("refused: {refusal}"));
        let mut comments = lost(input);
        comments.extend(refused);
        printed.push(Printed { comments, object: manifest(input, namespace) });
    }
    match print(Format::Yaml, &printed) {
        Ok(output) => Report { output, lines: lines.iter().map(|text| line(text)).collect(), exit },
        Err(error) => Report { output: String::new(), lines: vec![error], exit: Exit::Unusable },
    }
}

/// What does not act as on ECS, one line each.
fn lost(input: &Input) -> Vec<String> {
    let mut comments = input.notes.clone();
    comments.extend(input.unknown.iter().map(|path| format!("lost: {path}: not a field of {}", input.kind)));
    let spec = input.object.get("spec").cloned().unwrap_or_default();
    let findings =
        support::Document::of(input.kind).map(|document| support::findings(document, &spec)).unwrap_or_default();
    comments.extend(findings.iter().map(|finding| {
        let how = if finding.is_approximated { "approximated" } else { "no effect" };
        format!("{how}: spec.{}: {}", finding.path, finding.why)
    }));
    comments
}

/// The manifest as it should be kept: without what describe commands add, with its ECS name written out.
fn manifest(input: &Input, namespace: Option<&str>) -> Value {
    let mut object = input.object.clone();
    remove_read_only(input.kind, &mut object);
    let name = object.pointer("/metadata/name").cloned();
    let ecs_name = support::Document::of(input.kind).and_then(support::Document::name_member);
    if let (Some(member), Some(name), Some(spec)) =
        (ecs_name, name, object.get_mut("spec").and_then(Value::as_object_mut))
        && spec.get(member).is_none_or(|value| value.is_null() || value.as_str() == Some(""))
    {
        spec.insert(member.to_owned(), name);
    }
    // Where to is up to `kubectl apply -n`, unless somebody said it here or in the manifest.
    if namespace.is_none()
        && input.is_raw
        && let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
    {
        metadata.remove("namespace");
    }
    object
}
