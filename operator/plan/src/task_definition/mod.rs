//! A task definition family: registers a new immutable revision whenever its meaning changes.
//!
//! Revision numbers are never reused while anything remembers the family: revisions, the family's own status, services
//! and deployment records are all asked. Re-applying an equal document, or one that only differs in the order of keys or
//! of lists without order, registers nothing. Old revisions that nothing uses are removed beyond a bound.

mod collect;
mod content;
pub(crate) mod images;
mod revision;

use std::sync::Arc;

use api::conditions::Reason;
use api::revision::{StoredTaskDefinition, TaskDefinitionRevisionSpec};
use api::task_definition::{Compatibility, TaskDefinitionSpec, TaskDefinitionStatus};
use ecs::arn::task_definition_reference;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::metadata::Metadata;
use crate::core::object::{child, owner_reference};
use crate::core::op::{Op, Plan};
use crate::core::policy::NamespacePolicy;
use crate::core::report::{Conditions, Finding, Refusal};
use crate::core::root::Root;
use crate::core::settings::Settings;
use crate::core::world::{Term, World};
use crate::pod::{self, TaskInput};
use crate::support::{self, Document};
use crate::validate;

pub use revision::{Revision, newest_active_revision, revision, revisions};

/// Summaries of revisions kept in status, newest first.
const MOST_SUMMARIES: usize = 100;

/// What to do about one family now.
pub(crate) fn plan(world: &dyn World, root: &ObjectKey, settings: &Settings, now: Timestamp) -> Plan {
    let Some(root) = Root::open(world, root).filter(|root| !root.metadata.is_deleting()) else {
        return Plan::default();
    };
    let Root { metadata, document, .. } = &root;
    let family = root.ecs_name("family").to_owned();
    let namespace = metadata.namespace.as_str();
    let known = revisions(world, namespace, &family);
    let mut plan = root.plan();
    let previous: TaskDefinitionStatus = root.previous_status();

    let (refusals, findings) = judge(world, &root, &family, settings);
    let content = content::content_hash(document);
    let is_changed = known.last().is_none_or(|latest| latest.has_other_content(&content, metadata));
    let is_new = refusals.is_empty() && is_changed;
    let highest = highest_remembered(world, namespace, &family, &previous, &known);
    if is_new {
        let number = highest + 1;
        plan.ops.push(register(metadata, &family, number, document, &content));
    }
    for revision in &known {
        plan.ops.extend(revision.report(settings, now));
    }
    // What a refused document says of its history does not count.
    if !is_new && refusals.is_empty() {
        plan.ops.extend(collect::collect(world, namespace, document, &known));
    }
    let mut conditions = Conditions::new(&previous.conditions, metadata.generation, now);
    conditions.accept(&refusals);
    if refusals.is_empty() {
        conditions.fields(&findings);
        if is_new {
            conditions.progressing(Reason::Progressing, &format!("registering {family}:{}", highest + 1));
        } else {
            let latest = known.last().map(|revision| revision.reference()).unwrap_or_default();
            conditions.ready(Reason::ReconcileCompleted, &format!("{latest} is registered"));
        }
    }
    let latest_active = known.iter().rev().find(|revision| revision.is_active).map(|revision| revision.number);
    let latest = if is_new { Some(highest + 1) } else { known.last().map(|revision| revision.number) };
    let status = TaskDefinitionStatus {
        observed_generation: Some(metadata.generation),
        family: Some(family.clone()),
        // Never goes back: it is one of the places that remember which numbers were used.
        latest_revision: latest.max(previous.latest_revision),
        latest_active_revision: latest_active,
        task_definition_arn: latest_active.map(|number| settings.identity.task_definition_arn(&family, number)),
        revisions: known.iter().rev().take(MOST_SUMMARIES).map(|revision| revision.summary(settings, now)).collect(),
        conditions: conditions.finish(),
    };
    (plan.refusals, plan.findings) = (refusals, findings);
    plan.status = serde_json::to_value(status).ok();
    plan
}

/// Everything that can be said about the document without any service that uses it.
fn judge(world: &dyn World, root: &Root, family: &str, settings: &Settings) -> (Vec<Refusal>, Vec<Finding>) {
    let mut refusals = validate::stored(&root.stored, &root.object);
    // A family has one definition.
    if let Some(other) = root.older_namesake(world, &[Term::EcsName(family.to_owned())]) {
        let message = format!("ECSTaskDefinition {other} already has the family {family}");
        refusals.push(Refusal { path: "spec.family".to_owned(), exception: Reason::NameTaken, message });
    }
    let mut findings = support::findings(Document::TaskDefinition, &root.document);
    if refusals.is_empty() {
        match decode(&root.document) {
            Err(refusal) => refusals.push(refusal),
            Ok(spec) => {
                let compatibilities = spec.requires_compatibilities.as_deref().unwrap_or_default();
                let input = TaskInput {
                    task_definition: &spec,
                    volume_configurations: &[],
                    is_fargate: compatibilities.contains(&Compatibility::Fargate),
                    deployment: "",
                    namespace: &root.metadata.namespace,
                    facts: &settings.facts,
                    policy: &NamespacePolicy::of(world, &root.metadata.namespace),
                };
                match pod::pod(&input) {
                    Ok(pod) => {
                        findings = support::merge(findings, pod.findings);
                        findings.extend(images::findings(&spec, settings));
                    }
                    // What the service configures at launch is not known here, and not missing.
                    Err(found) => refusals.extend(
                        found
                            .into_iter()
                            .filter(|refusal| refusal.exception != Reason::VolumeConfigurationMissing)
                            .map(|refusal| Refusal { path: format!("spec.{}", refusal.path), ..refusal }),
                    ),
                }
            }
        }
    }
    findings.sort();
    findings.dedup();
    (refusals, findings)
}

fn decode(document: &Value) -> Result<TaskDefinitionSpec, Refusal> {
    serde_path_to_error::deserialize(document)
        .map_err(|error| Refusal::client(format!("spec.{}", error.path()), error.inner().to_string()))
}

/// The highest number that anything remembers: the next revision gets the one after it.
fn highest_remembered(
    world: &dyn World,
    namespace: &str,
    family: &str,
    previous: &TaskDefinitionStatus,
    known: &[Arc<Revision>],
) -> i64 {
    let term = Term::Family(family.to_owned());
    let used = |kind: Kind, pointer: &'static str| {
        world.find(kind, Some(namespace), &term).into_iter().filter_map(move |stored| {
            let value = stored.value();
            let reference = task_definition_reference(value.pointer(pointer)?.as_str()?).ok()?;
            (reference.family == family).then_some(reference.revision?)
        })
    };
    known
        .iter()
        .map(|revision| revision.number)
        .chain(previous.latest_revision.filter(|_| previous.family.as_deref() == Some(family)))
        .chain(used(Kind::Service, "/status/taskDefinition"))
        .chain(used(Kind::ServiceDeployment, "/spec/taskDefinition"))
        .max()
        .unwrap_or(0)
}

fn register(metadata: &Metadata, family: &str, number: i64, document: &Value, content: &str) -> Op {
    let name = ecs::name::child_name(&ecs::name::dns_label(family, 240), &number.to_string(), 253);
    let key = ObjectKey::namespaced(Kind::TaskDefinitionRevision, &metadata.namespace, name);
    let owner = owner_reference(Kind::TaskDefinition, metadata, true);
    let labels = std::collections::BTreeMap::from([
        (labels::FAMILY.to_owned(), ecs::name::label_value(family)),
        (labels::REVISION.to_owned(), number.to_string()),
    ]);
    let mut body = child(&key, &[owner], labels);
    let spec = TaskDefinitionRevisionSpec {
        family: family.to_owned(),
        revision: number,
        task_definition: StoredTaskDefinition(document.clone()),
        content_hash: content.to_owned(),
        family_generation: Some(metadata.generation),
    };
    if let Some(map) = body.as_object_mut() {
        map.insert("spec".to_owned(), json!(spec));
    }
    Op::Create { key, body }
}
