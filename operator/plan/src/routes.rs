//! Which roots have to be looked at again when an object changes: a pure mapping, with the world's index behind it.

use std::collections::BTreeSet;

use api::cluster::ContainerInstanceStatus;
use serde_json::Value;

use crate::core::kind::{Kind, ObjectKey};
use crate::core::store::Stored;
use crate::core::world::{Term, World};
use crate::nodes::drain::services_on;
use crate::nodes::instance::Instance;

/// The roots that may decide differently because `changed` appeared, changed or went away. Call it with the old and with
/// the new copy of an object: a service that moves to another cluster concerns both.
#[must_use]
pub fn affected(world: &dyn World, changed: &Stored) -> BTreeSet<ObjectKey> {
    let mut roots = BTreeSet::new();
    let namespace = changed.key.namespace.as_deref();
    let found = |kind: Kind, namespace: Option<&str>, term: &Term| {
        world.find(kind, namespace, term).into_iter().map(|stored| stored.key.clone())
    };
    if changed.key.kind.is_root() {
        roots.insert(changed.key.clone());
        // Whoever claims the same ECS name has it when this object gives it up.
        for term in changed.terms.iter().filter(|term| matches!(term, Term::EcsName(_) | Term::ScaledService(_))) {
            roots.extend(found(changed.key.kind, namespace, term));
        }
    }
    match changed.key.kind {
        Kind::Cluster => {
            for name in names(changed) {
                roots.extend(found(Kind::Service, namespace, &Term::Cluster(name.to_owned())));
                roots.extend(found(Kind::ScalableTarget, namespace, &Term::Cluster(name.to_owned())));
            }
            for term in changed.terms.iter().filter(|term| matches!(term, Term::CapacityProvider(_))) {
                if let Term::CapacityProvider(name) = term {
                    roots.extend(found(Kind::CapacityProvider, None, &Term::EcsName(name.clone())));
                }
            }
        }
        Kind::CapacityProvider => {
            for name in names(changed) {
                roots.extend(found(Kind::Service, None, &Term::CapacityProvider(name.to_owned())));
                for cluster in world.find(Kind::Cluster, None, &Term::CapacityProvider(name.to_owned())) {
                    roots.insert(cluster.key.clone());
                    // Services without a strategy follow their cluster's default.
                    for name in names(&cluster) {
                        let services = world.find(
                            Kind::Service,
                            cluster.key.namespace.as_deref(),
                            &Term::Cluster(name.to_owned()),
                        );
                        roots.extend(services.iter().map(|service| service.key.clone()));
                    }
                }
            }
        }
        Kind::TaskDefinition => {
            for name in names(changed) {
                roots.extend(found(Kind::Service, namespace, &Term::Family(name.to_owned())));
            }
        }
        Kind::TaskDefinitionRevision => {
            for term in changed.terms.iter().filter(|term| matches!(term, Term::Family(_))) {
                roots.extend(found(Kind::Service, namespace, term));
                if let Term::Family(family) = term {
                    roots.extend(found(Kind::TaskDefinition, namespace, &Term::EcsName(family.clone())));
                }
            }
        }
        Kind::Service => {
            for term in &changed.terms {
                match term {
                    Term::Cluster(name) => roots.extend(found(Kind::Cluster, namespace, &Term::EcsName(name.clone()))),
                    Term::EcsName(name) => {
                        roots.extend(found(Kind::ScalableTarget, namespace, &Term::ScaledService(name.clone())));
                    }
                    Term::CapacityProvider(name) => {
                        roots.extend(found(Kind::CapacityProvider, None, &Term::EcsName(name.clone())));
                    }
                    _ => {}
                }
            }
        }
        Kind::Node => {
            let lists = [Kind::Cluster, Kind::CapacityProvider].map(|kind| world.list(kind, None));
            roots.extend(lists.into_iter().flatten().map(|stored| stored.key.clone()));
            roots.extend(found(Kind::Service, None, &Term::Daemon));
            roots.extend(found(Kind::Service, None, &Term::Rebalanced));
            // Tasks on a node that is draining, or was, are replaced, or not any more.
            if Instance::read(changed).is_some_and(|node| node.status() == ContainerInstanceStatus::Draining) {
                let services = services_on(world, &changed.key.name).into_iter();
                roots.extend(services.filter_map(|(namespace, label)| labelled(world, &namespace, &label)));
            }
        }
        Kind::Namespace => roots.extend(
            [Kind::TaskDefinition, Kind::Service]
                .into_iter()
                .flat_map(|kind| world.list(kind, Some(&changed.key.name)))
                .map(|stored| stored.key.clone()),
        ),
        Kind::PersistentVolumeClaim => {
            let claim = format!("{}/{}", namespace.unwrap_or_default(), changed.key.name);
            roots.extend(found(Kind::PersistentVolume, None, &Term::Claim(claim)));
            roots.extend(owning_roots(changed));
        }
        Kind::VolumeSnapshot => {
            let snapshot = format!("{}/{}", namespace.unwrap_or_default(), changed.key.name);
            roots.extend(found(Kind::VolumeSnapshotContent, None, &Term::Claim(snapshot)));
            roots.extend(owning_roots(changed));
        }
        Kind::ServiceDeployment | Kind::Pod => roots.extend(service_of(world, changed)),
        _ => {
            roots.extend(owning_roots(changed));
            roots.extend(service_of(world, changed));
        }
    }
    roots
}

fn names(stored: &Stored) -> impl Iterator<Item = &str> {
    stored.terms.iter().filter_map(|term| match term {
        Term::EcsName(name) => Some(name.as_str()),
        _ => None,
    })
}

/// The service that an object's label or spec names. A label value is the service's object name unless that is too long
/// for a label, so candidates are compared by what their label would be.
fn service_of(world: &dyn World, changed: &Stored) -> Option<ObjectKey> {
    let named = changed.terms.iter().find_map(|term| match term {
        Term::Service(name) => Some(name.as_str()),
        _ => None,
    })?;
    labelled(world, changed.key.namespace.as_deref()?, named)
}

fn labelled(world: &dyn World, namespace: &str, named: &str) -> Option<ObjectKey> {
    let key = ObjectKey::namespaced(Kind::Service, namespace, named);
    if world.get(&key).is_some() {
        return Some(key);
    }
    let services = world.list(Kind::Service, Some(namespace));
    services
        .iter()
        .find(|service| ecs::name::label_value(&service.key.name) == named)
        .map(|service| service.key.clone())
}

/// Owners that are roots of ours.
fn owning_roots(changed: &Stored) -> Vec<ObjectKey> {
    let Some(namespace) = changed.key.namespace.as_deref() else { return Vec::new() };
    let value = changed.value();
    let owners = value.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners
        .into_iter()
        .flatten()
        .filter_map(|owner| {
            let text = |name: &str| owner.get(name).and_then(Value::as_str);
            let kind = Kind::from_type(text("apiVersion")?, text("kind")?)?;
            kind.is_root().then(|| ObjectKey::namespaced(kind, namespace, text("name").unwrap_or_default()))
        })
        .collect()
}
