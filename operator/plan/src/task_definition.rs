//! A task definition family: registers a new immutable revision whenever its meaning changes.
//!
//! Revision numbers are never reused while anything remembers the family: revisions, the family's own status, services
//! and deployment records are all asked. Re-applying an equal document, or one that only differs in the order of keys or
//! of lists without order, registers nothing.

use api::conditions::{ConditionType, Reason};
use api::revision::{RevisionState, StoredTaskDefinition, TaskDefinitionRevisionSpec};
use api::schema::Time;
use api::task_definition::{Compatibility, RevisionStatus, RevisionSummary, TaskDefinitionSpec, TaskDefinitionStatus};
use ecs::arn::task_definition_reference;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::diff;
use crate::kind::{Kind, ObjectKey};
use crate::labels;
use crate::object::{Metadata, child, owner_reference, without_nothing};
use crate::op::{Op, Plan};
use crate::policy::NamespacePolicy;
use crate::report::{Conditions, Finding, Refusal};
use crate::root::Root;
use crate::settings::Settings;
use crate::status;
use crate::store::DecodeError;
use crate::support::{self, Document};
use crate::task::{self, TaskInput};
use crate::validate;
use crate::world::{Term, World};

/// Summaries of revisions kept in status, newest first.
const MOST_SUMMARIES: usize = 100;

/// Members that ECS only ever writes: they say nothing about the tasks.
const READ_ONLY: [&str; 9] = [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "deregisteredAt",
    "deleteRequestedAt",
    "registeredBy",
];

/// One registered revision.
#[derive(Clone, Debug)]
pub struct Revision {
    /// The family.
    pub family: String,
    /// The number in the family, from 1.
    pub number: i64,
    /// Whether something new may use it. A revision is ACTIVE until it is deregistered.
    pub is_active: bool,
    key: ObjectKey,
    metadata: Metadata,
    spec: TaskDefinitionRevisionSpec,
    state: RevisionState,
    previous_status: Value,
}

#[derive(Deserialize)]
struct Whole {
    spec: TaskDefinitionRevisionSpec,
    #[serde(default)]
    status: Option<RevisionState>,
}

impl Revision {
    /// `family:N`
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}:{}", self.family, self.number)
    }

    /// The document it was registered with.
    ///
    /// # Errors
    /// When another version of the operator stored a document that this one cannot read.
    pub fn task_definition(&self) -> Result<TaskDefinitionSpec, DecodeError> {
        serde_path_to_error::deserialize(&self.spec.task_definition.0).map_err(|error| DecodeError::Form {
            path: error.path().to_string(),
            message: error.into_inner().to_string(),
        })
    }

    fn is_deregistered(&self) -> bool {
        self.metadata.annotations.get(labels::DEREGISTER).is_some_and(|value| value == "true")
    }
}

/// All registered revisions of a family, oldest first.
#[must_use]
pub fn revisions(world: &dyn World, namespace: &str, family: &str) -> Vec<Revision> {
    let mut revisions: Vec<Revision> = world
        .find(Kind::TaskDefinitionRevision, Some(namespace), &Term::Family(family.to_owned()))
        .iter()
        .filter_map(|stored| {
            let whole: Whole = stored.decode().ok()?;
            let metadata = Metadata::of(stored);
            if metadata.is_deleting() {
                return None;
            }
            let state = whole.status.unwrap_or_default();
            let mut revision = Revision {
                family: whole.spec.family.clone(),
                number: whole.spec.revision,
                is_active: state.status != Some(RevisionStatus::Inactive),
                key: stored.key.clone(),
                metadata,
                spec: whole.spec,
                previous_status: stored.value().get("status").cloned().unwrap_or_default(),
                state,
            };
            revision.is_active &= !revision.is_deregistered();
            Some(revision)
        })
        .collect();
    revisions.sort_by_key(|revision| revision.number);
    revisions
}

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
    let content = content_hash(document);
    let is_new = refusals.is_empty() && known.last().is_none_or(|latest| latest.spec.content_hash != content);
    let highest = highest_remembered(world, namespace, &family, &previous, &known);
    if is_new {
        let number = highest + 1;
        plan.ops.push(register(metadata, &family, number, document, &content));
    }
    for revision in &known {
        plan.ops.extend(revision_status(revision, settings, now));
    }
    let mut conditions = Conditions::new(&previous.conditions, metadata.generation, now);
    conditions.accept(&refusals);
    if refusals.is_empty() {
        conditions.fields(&findings);
        if is_new {
            conditions.progressing(Reason::Progressing, &format!("registering {family}:{}", highest + 1));
        } else {
            let latest = known.last().map(Revision::reference).unwrap_or_default();
            conditions.ready(Reason::ReconcileCompleted, &format!("{latest} is registered"));
        }
    } else {
        conditions.remove(ConditionType::FieldsNotApplied);
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
        revisions: known.iter().rev().take(MOST_SUMMARIES).map(|revision| summary(revision, settings, now)).collect(),
        conditions: conditions.finish(),
    };
    plan.status = Some(serde_json::to_value(status).unwrap_or_default());
    plan
}

/// Everything that can be said about the document without any service that uses it.
fn judge(world: &dyn World, root: &Root, family: &str, settings: &Settings) -> (Vec<Refusal>, Vec<Finding>) {
    let mut refusals = validate::object(Kind::TaskDefinition, &root.object);
    // A family has one definition.
    if let Some(other) = root.older_namesake(world, &[Term::EcsName(family.to_owned())]) {
        let message = format!("family {family} belongs to ECSTaskDefinition {other} already");
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
                    namespace: &root.metadata.namespace,
                    facts: &settings.facts,
                    policy: &NamespacePolicy::of(world, &root.metadata.namespace),
                };
                match task::pod(&input) {
                    Ok(pod) => findings = support::merge(findings, pod.findings),
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
    known: &[Revision],
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
    };
    if let Some(map) = body.as_object_mut() {
        map.insert("spec".to_owned(), json!(spec));
    }
    Op::Create { key, body }
}

/// Lists whose order means nothing in a task definition.
const UNORDERED: [&str; 9] = [
    "environment",
    "secrets",
    "ulimits",
    "systemControls",
    "extraHosts",
    "volumes",
    "requiresCompatibilities",
    "tags",
    "add",
];

/// Hash of what the document means for tasks: without what ECS only writes, without tags (on ECS they belong to the
/// resource and starting to use other tags starts no deployment), and without the order of unordered lists.
fn content_hash(document: &Value) -> String {
    let mut content = without_nothing(document);
    if let Some(map) = content.as_object_mut() {
        for name in READ_ONLY.iter().chain(&["tags"]) {
            map.remove(*name);
        }
    }
    sort_unordered(&mut content);
    diff::hash(&content)
}

fn sort_unordered(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, value) in map.iter_mut() {
                sort_unordered(value);
                if let Some(items) = value.as_array_mut().filter(|_| UNORDERED.contains(&name.as_str())) {
                    items.sort_by_key(ToString::to_string);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(sort_unordered),
        _ => {}
    }
}

/// Status of a revision: registered once, and deregistered when its annotation says so.
fn revision_status(revision: &Revision, settings: &Settings, now: Timestamp) -> Option<Op> {
    let state = RevisionState {
        observed_generation: Some(revision.metadata.generation),
        status: Some(if revision.is_active { RevisionStatus::Active } else { RevisionStatus::Inactive }),
        task_definition_arn: Some(settings.identity.task_definition_arn(&revision.family, revision.number)),
        registered_at: Some(registered_at(revision, now)),
        deregistered_at: (!revision.is_active).then(|| revision.state.deregistered_at.clone().unwrap_or(Time(now))),
        compatibilities: compatibilities(&revision.spec.task_definition.0),
        conditions: Vec::new(),
    };
    let status = serde_json::to_value(state).ok()?;
    (!status::same(&status, &revision.previous_status)).then(|| Op::ApplyStatus { key: revision.key.clone(), status })
}

fn registered_at(revision: &Revision, now: Timestamp) -> Time {
    let created = revision.metadata.creation_timestamp.unwrap_or(now);
    revision.state.registered_at.clone().unwrap_or(Time(created))
}

/// EC2 always, and whatever else the document was validated for.
fn compatibilities(document: &Value) -> Vec<Compatibility> {
    let listed = document.get("requiresCompatibilities").cloned().unwrap_or_default();
    let mut all: Vec<Compatibility> = serde_json::from_value(listed).unwrap_or_default();
    all.push(Compatibility::Ec2);
    all.sort();
    all.dedup();
    all
}

fn summary(revision: &Revision, settings: &Settings, now: Timestamp) -> RevisionSummary {
    RevisionSummary {
        revision: revision.number,
        status: if revision.is_active { RevisionStatus::Active } else { RevisionStatus::Inactive },
        task_definition_arn: Some(settings.identity.task_definition_arn(&revision.family, revision.number)),
        registered_at: Some(registered_at(revision, now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_only_order_tags_or_read_only_members_differ_then_the_content_is_the_same() {
        let one = json!({
            "family": "web", "tags": [{"key": "a", "value": "1"}], "revision": 7, "status": "ACTIVE",
            "containerDefinitions": [{"name": "web", "image": "nginx", "links": [],
                "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}],
        });
        let other = json!({
            "family": "web",
            "containerDefinitions": [{"image": "nginx", "name": "web",
                "environment": [{"value": "2", "name": "B"}, {"name": "A", "value": "1"}], "cpu": null}],
        });
        assert_eq!(content_hash(&one), content_hash(&other));
    }

    #[test]
    fn when_the_order_of_arguments_differs_then_the_content_differs() {
        let with = |command: Value| json!({"containerDefinitions": [{"name": "a", "command": command}]});
        assert_ne!(content_hash(&with(json!(["a", "b"]))), content_hash(&with(json!(["b", "a"]))));
    }
}
