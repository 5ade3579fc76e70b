//! What objects of each kind say that leads to others: the one table from which the index of a [`super::world::World`] is
//! made and from which [`crate::routes`] tells which roots a change concerns.
//!
//! A row says what is read of an object, which [`Term`] each name becomes (the object is found by it), and which roots the
//! change of such an object concerns (they are found by the same name).

use ecs::arn::{last_segment, task_definition_reference};
use ecs::name::label_value;
use serde_json::Value;

use crate::core::kind::Kind;
use crate::core::labels;
use crate::core::term::{DEFAULT_CLUSTER, Named, Term, active_revision};

/// One row.
#[derive(Clone, Copy)]
pub(crate) struct Relation {
    reads: fn(&Value) -> Vec<String>,
    /// The term that each name becomes.
    pub(crate) term: Named,
    /// Whom a change concerns.
    pub(crate) concerns: &'static [Way],
}

/// A way from a name to roots. Roots of a kind with namespaces are looked for in the namespace of the object; where that
/// has none, in all.
#[derive(Clone, Copy)]
pub(crate) struct Way {
    pub(crate) step: Step,
    /// Whether the roots read the status of the object. If not, a change of nothing else does not concern them.
    pub(crate) reads_status: bool,
}

/// How roots are found.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// Those of a kind that carry the name in a term, or a term without any.
    To(Kind, Named),
    /// All of a kind.
    Each(Kind),
    /// All of a kind in the namespace of that name.
    In(Kind),
    /// Those to which other objects lead: objects of a kind that carry the name in a term …
    Through {
        via: (Kind, Named),
        /// … and what they carry in this one …
        carries: Named,
        /// … is carried in that one by roots of a kind.
        to: (Kind, Named),
    },
}

/// A way for any change of the object.
const fn way(step: Step) -> Way {
    Way { step, reads_status: true }
}

/// A way for any change but one of nothing but the object's status.
const fn way_of_spec(step: Step) -> Way {
    Way { step, reads_status: false }
}

const fn row(reads: fn(&Value) -> Vec<String>, term: Named, concerns: &'static [Way]) -> Relation {
    Relation { reads, term, concerns }
}

/// The terms that an object of a kind is found by.
#[must_use]
pub fn terms(kind: Kind, object: &Value) -> Vec<Term> {
    let rows = relations(kind).iter();
    let mut terms: Vec<Term> = rows.flat_map(|row| (row.reads)(object).into_iter().map(row.term)).collect();
    terms.sort();
    terms.dedup();
    terms
}

/// The rows of a kind.
pub(crate) const fn relations(kind: Kind) -> &'static [Relation] {
    match kind {
        Kind::Cluster => CLUSTER,
        Kind::CapacityProvider => CAPACITY_PROVIDER,
        Kind::TaskDefinition => TASK_DEFINITION,
        Kind::TaskDefinitionRevision => TASK_DEFINITION_REVISION,
        Kind::Service => SERVICE,
        Kind::ServiceDeployment => SERVICE_DEPLOYMENT,
        Kind::ScalableTarget => SCALABLE_TARGET,
        Kind::Deployment | Kind::DaemonSet => WORKLOAD,
        Kind::KubernetesService
        | Kind::PodDisruptionBudget
        | Kind::ServiceAccount
        | Kind::NetworkPolicy
        | Kind::ConfigMap
        | Kind::ExternalSecret
        | Kind::SecretProviderClass => CHILD_OF_SERVICE,
        Kind::Pod => POD,
        Kind::PersistentVolumeClaim => PERSISTENT_VOLUME_CLAIM,
        Kind::PersistentVolume => PERSISTENT_VOLUME,
        Kind::VolumeSnapshot => VOLUME_SNAPSHOT,
        Kind::VolumeSnapshotContent => VOLUME_SNAPSHOT_CONTENT,
        Kind::HorizontalPodAutoscaler => HORIZONTAL_POD_AUTOSCALER,
        Kind::Node => NODE,
        Kind::Namespace => NAMESPACE,
        Kind::StorageClass => STORAGE_CLASS,
    }
}

// A cluster's status only counts what is in it, and what it says of providers follows from its spec and theirs.
const CLUSTER: &[Relation] = &[
    row(uid, Term::Uid, &[]),
    row(
        |object| own_name(object, "/spec/clusterName"),
        Term::EcsName,
        &[
            way_of_spec(Step::To(Kind::Cluster, Term::EcsName)),
            way_of_spec(Step::To(Kind::Service, Term::Cluster)),
            way_of_spec(Step::To(Kind::ScalableTarget, Term::Cluster)),
        ],
    ),
    row(
        |object| {
            let listed = array(object, "/spec/capacityProviders").iter().filter_map(Value::as_str);
            let listed = listed.map(|name| last_segment(name).to_owned());
            listed.chain(strategy_providers(object, "/spec/defaultCapacityProviderStrategy")).collect()
        },
        Term::CapacityProvider,
        &[way_of_spec(Step::To(Kind::CapacityProvider, Term::EcsName))],
    ),
];

// Nobody reads how many nodes a provider's status counts: they come and go all day where nodes are autoscaled.
const CAPACITY_PROVIDER: &[Relation] = &[
    row(uid, Term::Uid, &[]),
    row(
        |object| own_name(object, "/spec/name"),
        Term::EcsName,
        &[
            way_of_spec(Step::To(Kind::CapacityProvider, Term::EcsName)),
            way_of_spec(Step::To(Kind::Service, Term::CapacityProvider)),
            way_of_spec(Step::To(Kind::Cluster, Term::CapacityProvider)),
            // Services without a strategy follow their cluster's default.
            way_of_spec(Step::Through {
                via: (Kind::Cluster, Term::CapacityProvider),
                carries: Term::EcsName,
                to: (Kind::Service, Term::Cluster),
            }),
        ],
    ),
];

// Services start from revisions; of the family they only ask whether there is one.
const TASK_DEFINITION: &[Relation] = &[
    row(uid, Term::Uid, &[]),
    row(
        |object| own_name(object, "/spec/family"),
        Term::EcsName,
        &[
            way_of_spec(Step::To(Kind::TaskDefinition, Term::EcsName)),
            way_of_spec(Step::To(Kind::Service, Term::Family)),
        ],
    ),
];

const TASK_DEFINITION_REVISION: &[Relation] = &[
    row(
        |object| text(object, "/spec/family").map(ToOwned::to_owned).into_iter().collect(),
        Term::Family,
        &[way(Step::To(Kind::Service, Term::Family)), way(Step::To(Kind::TaskDefinition, Term::EcsName))],
    ),
    row(
        |object| revision(object).map(|(family, number)| format!("{family}:{number}")).into_iter().collect(),
        Term::Revision,
        &[],
    ),
    row(active, Term::ActiveRevision, &[]),
];

// A family keeps the revisions that services name. One that is named no longer is removed when the family is looked at for
// another reason: there is no hurry.
const SERVICE: &[Relation] = &[
    row(uid, Term::Uid, &[]),
    row(
        |object| own_name(object, "/spec/serviceName"),
        Term::EcsName,
        &[
            way_of_spec(Step::To(Kind::Service, Term::EcsName)),
            way(Step::To(Kind::ScalableTarget, Term::ScaledService)),
        ],
    ),
    row(
        |object| vec![text(object, "/spec/cluster").map_or(DEFAULT_CLUSTER, last_segment).to_owned()],
        Term::Cluster,
        &[way(Step::To(Kind::Cluster, Term::EcsName))],
    ),
    // A running service also remembers the family it was started from.
    row(|object| families(object, &["/spec/taskDefinition", "/status/taskDefinition"]), Term::Family, &[]),
    row(
        |object| {
            // The predefined provider behind launch type FARGATE; the other launch types use none.
            let is_fargate = text(object, "/spec/launchType") == Some("FARGATE");
            let providers = strategy_providers(object, "/spec/capacityProviderStrategy");
            providers.chain(is_fargate.then(|| "FARGATE".to_owned())).collect()
        },
        Term::CapacityProvider,
        &[way_of_spec(Step::To(Kind::CapacityProvider, Term::EcsName))],
    ),
    row(
        |object| marker(text(object, "/spec/schedulingStrategy") == Some(labels::DAEMON)),
        |_| Term::Daemon,
        &[way_of_spec(Step::To(Kind::Node, |_| Term::Draining))],
    ),
    row(
        |object| marker(text(object, "/spec/availabilityZoneRebalancing") == Some("ENABLED")),
        |_| Term::Rebalanced,
        &[],
    ),
    row(|object| vec![label_value(text(object, "/metadata/name").unwrap_or_default())], Term::Service, &[]),
];

const SERVICE_DEPLOYMENT: &[Relation] = &[
    row(owners, Term::Owner, &[way(Step::To(Kind::Service, Term::Uid))]),
    row(
        |object| text(object, "/spec/service").map(label_value).into_iter().collect(),
        Term::Service,
        &[way(Step::To(Kind::Service, Term::Service))],
    ),
    row(|object| families(object, &["/spec/taskDefinition"]), Term::Family, &[]),
    // The newest deployment of a service keeps its classes.
    row(
        |object| text(object, "/metadata/namespace").map(ToOwned::to_owned).into_iter().collect(),
        Term::Namespace,
        &[way_of_spec(Step::To(Kind::StorageClass, Term::Namespace))],
    ),
];

// What the status says follows from the spec, the service and the autoscaler.
const SCALABLE_TARGET: &[Relation] = &[
    row(uid, Term::Uid, &[]),
    row(|object| scaled(object, |(cluster, _)| cluster), Term::Cluster, &[]),
    row(
        |object| scaled(object, |(_, service)| service),
        Term::ScaledService,
        &[way_of_spec(Step::To(Kind::ScalableTarget, Term::ScaledService))],
    ),
];

const OWNER_IS_A_SERVICE: Relation = row(owners, Term::Owner, &[way(Step::To(Kind::Service, Term::Uid))]);
const LABEL_OF_A_SERVICE: Relation = row(
    |object| label(object, labels::SERVICE).map(ToOwned::to_owned).into_iter().collect(),
    Term::Service,
    &[way(Step::To(Kind::Service, Term::Service))],
);
const CHILD_OF_SERVICE: &[Relation] = &[OWNER_IS_A_SERVICE, LABEL_OF_A_SERVICE];

// Pods are made with the classes of their template.
const WORKLOAD: &[Relation] = &[
    OWNER_IS_A_SERVICE,
    LABEL_OF_A_SERVICE,
    row(classes, Term::StorageClass, &[way_of_spec(Step::To(Kind::StorageClass, Term::StorageClass))]),
];

// A service makes one that is gone again.
const STORAGE_CLASS: &[Relation] = &[
    row(name, Term::StorageClass, &[]),
    row(
        |object| label(object, labels::NAMESPACE).map(ToOwned::to_owned).into_iter().collect(),
        Term::Namespace,
        &[way(Step::In(Kind::Service))],
    ),
];

// The owner of a pod is a ReplicaSet, which is of no interest.
const POD: &[Relation] = &[
    LABEL_OF_A_SERVICE,
    row(
        |object| text(object, "/spec/nodeName").map(ToOwned::to_owned).into_iter().collect(),
        Term::Node,
        &[way(Step::To(Kind::Node, Term::DrainingNode))],
    ),
    row(|object| marker(is_unplaced(object)), |_| Term::Unplaced, &[]),
    // The cluster counts what its services say of their tasks.
    row(|object| label(object, labels::CLUSTER).map(ToOwned::to_owned).into_iter().collect(), Term::Cluster, &[]),
];

const PERSISTENT_VOLUME_CLAIM: &[Relation] = &[
    OWNER_IS_A_SERVICE,
    LABEL_OF_A_SERVICE,
    row(itself, Term::Claim, &[way_of_spec(Step::To(Kind::PersistentVolume, Term::Claim))]),
];

const PERSISTENT_VOLUME: &[Relation] = &[row(|object| named(object, "/spec/claimRef"), Term::Claim, &[])];

const VOLUME_SNAPSHOT: &[Relation] = &[
    OWNER_IS_A_SERVICE,
    LABEL_OF_A_SERVICE,
    row(itself, Term::Claim, &[way_of_spec(Step::To(Kind::VolumeSnapshotContent, Term::Claim))]),
];

const VOLUME_SNAPSHOT_CONTENT: &[Relation] =
    &[row(|object| named(object, "/spec/volumeSnapshotRef"), Term::Claim, &[])];

const HORIZONTAL_POD_AUTOSCALER: &[Relation] =
    &[row(owners, Term::Owner, &[way(Step::To(Kind::ScalableTarget, Term::Uid))])];

// Clusters and providers count nodes. Services look at nodes while tasks wait whose constraints compare values that nodes have.
const NODE: &[Relation] = &[
    row(
        name,
        Term::Node,
        &[
            way(Step::Each(Kind::Cluster)),
            way(Step::Each(Kind::CapacityProvider)),
            way(Step::To(Kind::Service, |_| Term::Daemon)),
            way(Step::To(Kind::Service, |_| Term::Rebalanced)),
            way_of_spec(Step::Through {
                via: (Kind::Pod, |_| Term::Unplaced),
                carries: Term::Service,
                to: (Kind::Service, Term::Service),
            }),
        ],
    ),
    row(|object| marker(is_draining(object)), |_| Term::Draining, &[]),
    row(
        |object| name(object).into_iter().filter(|_| is_draining(object)).collect(),
        Term::DrainingNode,
        // Tasks on it are replaced, or, when it was the old copy that was draining, not any more.
        &[way(Step::Through {
            via: (Kind::Pod, Term::Node),
            carries: Term::Service,
            to: (Kind::Service, Term::Service),
        })],
    ),
    row(node_labels, Term::Label, &[]),
];

const NAMESPACE: &[Relation] = &[row(
    name,
    Term::Namespace,
    &[way(Step::In(Kind::Cluster)), way(Step::In(Kind::TaskDefinition)), way(Step::In(Kind::Service))],
)];

fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn label<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.pointer("/metadata/labels").and_then(|map| map.get(name)).and_then(Value::as_str)
}

fn array<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn name(object: &Value) -> Vec<String> {
    text(object, "/metadata/name").map(ToOwned::to_owned).into_iter().collect()
}

fn uid(object: &Value) -> Vec<String> {
    text(object, "/metadata/uid").map(ToOwned::to_owned).into_iter().collect()
}

fn owners(object: &Value) -> Vec<String> {
    let owners = array(object, "/metadata/ownerReferences").iter();
    owners.filter_map(|owner| owner.get("uid").and_then(Value::as_str)).map(ToOwned::to_owned).collect()
}

/// The ECS name of an object: a member of `spec`, or the object's own name without it.
fn own_name(object: &Value, pointer: &str) -> Vec<String> {
    text(object, pointer).map_or_else(|| name(object), |name| vec![name.to_owned()])
}

/// `namespace/name` of a reference.
fn named(object: &Value, pointer: &str) -> Vec<String> {
    let namespace = text(object, &format!("{pointer}/namespace"));
    let name = text(object, &format!("{pointer}/name"));
    namespace.zip(name).map(|(namespace, name)| format!("{namespace}/{name}")).into_iter().collect()
}

/// `namespace/name` of the object.
fn itself(object: &Value) -> Vec<String> {
    named(object, "/metadata")
}

/// One name, which is not read, for a term without any.
fn marker(is_there: bool) -> Vec<String> {
    if is_there { vec![String::new()] } else { Vec::new() }
}

/// Whether the operator says of a pod which nodes it may be on, and it is on none yet.
fn is_unplaced(object: &Value) -> bool {
    let annotations = object.pointer("/metadata/annotations");
    let is_gate = |gate: &Value| text(gate, "/name") == Some(labels::PLACEMENT_GATE);
    text(object, "/spec/nodeName").is_none()
        && (array(object, "/spec/schedulingGates").iter().any(is_gate)
            || annotations.is_some_and(|annotations| annotations.get(labels::PLACED_BY).is_some()))
}

/// Classes of the volumes that come and go with the pods of a template.
fn classes(object: &Value) -> Vec<String> {
    let volumes = array(object, "/spec/template/spec/volumes").iter();
    let class = |volume| text(volume, "/ephemeral/volumeClaimTemplate/spec/storageClassName");
    volumes.filter_map(class).map(ToOwned::to_owned).collect()
}

fn families(object: &Value, pointers: &[&str]) -> Vec<String> {
    let references = pointers.iter().filter_map(|pointer| task_definition_reference(text(object, pointer)?).ok());
    references.map(|reference| reference.family).collect()
}

fn strategy_providers<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = String> + 'a {
    array(object, pointer)
        .iter()
        .filter_map(|item| item.get("capacityProvider").and_then(Value::as_str))
        .map(|name| last_segment(name).to_owned())
}

fn scaled<'a>(object: &'a Value, part: fn((&'a str, &'a str)) -> &'a str) -> Vec<String> {
    let resource = text(object, "/spec/ResourceId").and_then(ecs::arn::service_resource);
    resource.map(|resource| part(resource).to_owned()).into_iter().collect()
}

fn revision(object: &Value) -> Option<(&str, i64)> {
    text(object, "/spec/family").zip(object.pointer("/spec/revision").and_then(Value::as_i64))
}

/// An INACTIVE revision, one that a user deregisters and one on its way out are for nothing new.
fn active(object: &Value) -> Vec<String> {
    let is_inactive = text(object, "/status/status") == Some("INACTIVE");
    let annotations = object.pointer("/metadata/annotations");
    let deregister = annotations.and_then(|map| map.get(labels::DEREGISTER)).and_then(Value::as_str);
    let is_deleting = object.pointer("/metadata/deletionTimestamp").is_some();
    let namespace = text(object, "/metadata/namespace").unwrap_or_default();
    let revision = revision(object).filter(|_| !is_inactive && deregister != Some("true") && !is_deleting);
    revision.map(|(family, number)| active_revision(namespace, family, number)).into_iter().collect()
}

/// Whether a Node, as the server has it, is DRAINING: cordoned or labelled.
fn is_draining(node: &Value) -> bool {
    let is_cordoned = node.pointer("/spec/unschedulable").and_then(Value::as_bool) == Some(true);
    is_cordoned || label(node, labels::CONTAINER_INSTANCE_STATUS) == Some(labels::DRAINING)
}

/// Every label but the one that only says the name.
fn node_labels(node: &Value) -> Vec<String> {
    let labels = node.pointer("/metadata/labels").and_then(Value::as_object);
    let labels = labels.into_iter().flatten().filter(|(key, _)| *key != labels::HOSTNAME);
    labels.filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect()
}
