//! What is known of the cluster: a read-only view that plans gather their snapshots from.
//!
//! The runtime's stores, the files given to `kubectl ecs render` and the tables of a test all are a [`World`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ecs::arn::{last_segment, task_definition_reference};
use serde_json::Value;

use crate::core::kind::{Kind, ObjectKey};
use crate::core::labels;
use crate::core::question::Answers;
use crate::core::store::Stored;
use crate::nodes::instance;

/// A property by which objects of a kind are found without looking at all of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Term {
    /// The `metadata.uid` of an owner.
    Owner(String),
    /// The ECS name of the object itself: `serviceName`, `clusterName`, `family`, a provider's `name`.
    EcsName(String),
    /// A task definition family that the object refers to.
    Family(String),
    /// A cluster (ECS name) that the object refers to.
    Cluster(String),
    /// A capacity provider (ECS name) that the object refers to.
    CapacityProvider(String),
    /// The ECSService (object name) that the object belongs to.
    Service(String),
    /// The ECS name of the service that a scalable target scales.
    ScaledService(String),
    /// The service runs one task on each eligible node.
    Daemon,
    /// The service moves tasks between zones, so that nodes that come or go concern it.
    Rebalanced,
    /// A PersistentVolumeClaim a volume is bound to, `namespace/name`.
    Claim(String),
    /// A node that takes no new tasks, see [`crate::nodes::instance`].
    Draining,
}

/// Read access to everything known. Answers are ordered by namespace and name, so that plans are deterministic.
pub trait World {
    /// One object.
    fn get(&self, key: &ObjectKey) -> Option<Arc<Stored>>;
    /// Objects of a kind that carry a term; `namespace: None` looks everywhere.
    fn find(&self, kind: Kind, namespace: Option<&str>, term: &Term) -> Vec<Arc<Stored>>;
    /// All objects of a kind; `namespace: None` looks everywhere.
    fn list(&self, kind: Kind, namespace: Option<&str>) -> Vec<Arc<Stored>>;
    /// What the outside last answered to the questions of plans.
    fn answers(&self) -> &Answers;
}

/// A world in memory: the index behind the runtime's stores, `render` and tests alike.
#[derive(Debug, Default)]
pub struct MemoryWorld {
    objects: BTreeMap<ObjectKey, Arc<Stored>>,
    /// One flat set: most terms lead to a single object, and a set of its own for each would cost ten times its content.
    found_by: BTreeSet<(Kind, Term, ObjectKey)>,
    answers: Answers,
}

impl MemoryWorld {
    /// Takes an object in; returns the copy it replaces.
    pub fn insert(&mut self, stored: Stored) -> Option<Arc<Stored>> {
        let previous = self.remove(&stored.key);
        for term in &stored.terms {
            self.found_by.insert((stored.key.kind, term.clone(), stored.key.clone()));
        }
        self.objects.insert(stored.key.clone(), Arc::new(stored));
        previous
    }

    /// Forgets an object.
    pub fn remove(&mut self, key: &ObjectKey) -> Option<Arc<Stored>> {
        let previous = self.objects.remove(key)?;
        for term in &previous.terms {
            self.found_by.remove(&(key.kind, term.clone(), key.clone()));
        }
        Some(previous)
    }

    /// What the outside answered, to take in more of it or to forget some.
    pub fn answers_mut(&mut self) -> &mut Answers {
        &mut self.answers
    }

    /// Keys of all objects of a kind.
    pub fn keys(&self, kind: Kind) -> impl Iterator<Item = &ObjectKey> {
        self.objects.keys().filter(move |key| key.kind == kind)
    }

    /// How many objects are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
}

impl World for MemoryWorld {
    fn get(&self, key: &ObjectKey) -> Option<Arc<Stored>> {
        self.objects.get(key).cloned()
    }

    fn find(&self, kind: Kind, namespace: Option<&str>, term: &Term) -> Vec<Arc<Stored>> {
        let first = ObjectKey { kind, namespace: namespace.map(ToOwned::to_owned), name: String::new() };
        self.found_by
            .range((kind, term.clone(), first)..)
            .take_while(|(found, by, key)| {
                *found == kind && by == term && (namespace.is_none() || key.namespace.as_deref() == namespace)
            })
            .filter_map(|(_, _, key)| self.objects.get(key).cloned())
            .collect()
    }

    fn list(&self, kind: Kind, namespace: Option<&str>) -> Vec<Arc<Stored>> {
        let from = ObjectKey { kind, namespace: namespace.map(ToOwned::to_owned), name: String::new() };
        self.objects
            .range(from..)
            .take_while(|(key, _)| key.kind == kind && (namespace.is_none() || key.namespace.as_deref() == namespace))
            .map(|(_, stored)| stored.clone())
            .collect()
    }

    fn answers(&self) -> &Answers {
        &self.answers
    }
}

/// The terms an object is found by.
#[must_use]
pub fn terms(kind: Kind, object: &Value) -> Vec<Term> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let name = text("/metadata/name").unwrap_or_default();
    let mut terms = Vec::new();
    for owner in array(object, "/metadata/ownerReferences") {
        terms.extend(owner.get("uid").and_then(Value::as_str).map(|uid| Term::Owner(uid.to_owned())));
    }
    let ecs_name = |pointer: &str| Term::EcsName(text(pointer).unwrap_or(name).to_owned());
    match kind {
        Kind::Cluster => {
            terms.push(ecs_name("/spec/clusterName"));
            for provider in array(object, "/spec/capacityProviders") {
                terms.extend(provider.as_str().map(|name| Term::CapacityProvider(last_segment(name).to_owned())));
            }
            terms.extend(strategy_providers(object, "/spec/defaultCapacityProviderStrategy"));
        }
        Kind::CapacityProvider => terms.push(ecs_name("/spec/name")),
        Kind::TaskDefinition => terms.push(ecs_name("/spec/family")),
        Kind::TaskDefinitionRevision => {
            terms.extend(text("/spec/family").map(|family| Term::Family(family.to_owned())));
        }
        Kind::Service => {
            terms.push(ecs_name("/spec/serviceName"));
            let cluster = text("/spec/cluster").map_or(DEFAULT_CLUSTER, last_segment);
            terms.push(Term::Cluster(cluster.to_owned()));
            if let Some(Ok(reference)) = text("/spec/taskDefinition").map(task_definition_reference) {
                terms.push(Term::Family(reference.family));
            }
            // A running service also remembers the family it was started from.
            if let Some(Ok(reference)) = text("/status/taskDefinition").map(task_definition_reference) {
                terms.push(Term::Family(reference.family));
            }
            terms.extend(strategy_providers(object, "/spec/capacityProviderStrategy"));
            terms.extend(launch_type_provider(text("/spec/launchType")));
            terms.extend((text("/spec/schedulingStrategy") == Some(labels::DAEMON)).then_some(Term::Daemon));
            let is_rebalanced = text("/spec/availabilityZoneRebalancing") == Some("ENABLED");
            terms.extend(is_rebalanced.then_some(Term::Rebalanced));
        }
        Kind::ServiceDeployment => {
            terms.extend(text("/spec/service").map(|name| Term::Service(name.to_owned())));
            if let Some(Ok(reference)) = text("/spec/taskDefinition").map(task_definition_reference) {
                terms.push(Term::Family(reference.family));
            }
        }
        Kind::ScalableTarget => {
            if let Some((cluster, service)) = text("/spec/ResourceId").and_then(ecs::arn::service_resource) {
                terms.push(Term::Cluster(cluster.to_owned()));
                terms.push(Term::ScaledService(service.to_owned()));
            }
        }
        Kind::Node => terms.extend(instance::is_draining(object).then_some(Term::Draining)),
        Kind::PersistentVolume => {
            if let (Some(namespace), Some(name)) = (text("/spec/claimRef/namespace"), text("/spec/claimRef/name")) {
                terms.push(Term::Claim(format!("{namespace}/{name}")));
            }
        }
        Kind::VolumeSnapshotContent => {
            let reference = ("/spec/volumeSnapshotRef/namespace", "/spec/volumeSnapshotRef/name");
            if let (Some(namespace), Some(name)) = (text(reference.0), text(reference.1)) {
                terms.push(Term::Claim(format!("{namespace}/{name}")));
            }
        }
        _ => {
            let service = object.pointer("/metadata/labels").and_then(|map| map.get(labels::SERVICE));
            terms.extend(service.and_then(Value::as_str).map(|name| Term::Service(name.to_owned())));
        }
    }
    terms.sort();
    terms.dedup();
    terms
}

/// The cluster that ECS assumes when a request names none.
pub const DEFAULT_CLUSTER: &str = "default";

/// The predefined provider behind launch type FARGATE; the other launch types use none.
#[must_use]
pub fn launch_type_provider(launch_type: Option<&str>) -> Option<Term> {
    (launch_type == Some("FARGATE")).then(|| Term::CapacityProvider("FARGATE".to_owned()))
}

fn array<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn strategy_providers<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = Term> + 'a {
    array(object, pointer)
        .iter()
        .filter_map(|item| item.get("capacityProvider").and_then(Value::as_str))
        .map(|name| Term::CapacityProvider(last_segment(name).to_owned()))
}
