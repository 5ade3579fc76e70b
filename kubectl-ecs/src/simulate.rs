//! The planner, run over the inputs until it has nothing more to write, against a world that takes every write.
//!
//! Nothing but the operator acts in this world: no Deployment gets a pod, no autoscaler counts. What is left after the
//! last round is what the operator alone would bring about.

use std::collections::BTreeMap;

use documents::Input;
use jiff::Timestamp;
use plan::core::status;
use plan::core::world::MemoryWorld;
use plan::{Kind, ObjectKey, Op, Settings, Stored, World};
use serde_json::{Value, json};

/// Each round brings one level of what depends on what: family, revision, service, autoscaler. Six are never needed.
const MOST_ROUNDS: usize = 10;

/// Providers that the operator's chart installs, as it installs them.
const PREDEFINED: [(&str, &str, &str); 2] =
    [("fargate", "FARGATE", "OnDemand"), ("fargate-spot", "FARGATE_SPOT", "Spot")];

/// What the operator would do.
#[derive(Debug)]
pub struct Outcome {
    /// Objects that it would create, in order, each with the root it is for.
    pub children: Vec<(ObjectKey, Value)>,
    /// Status of each root after the last round.
    pub statuses: BTreeMap<ObjectKey, Value>,
    /// Whether the last round had nothing to write.
    pub is_settled: bool,
}

/// The key of an input; `None` when it has no name.
#[must_use]
pub fn key(input: &Input) -> Option<ObjectKey> {
    let name = Some(input.name()).filter(|name| !name.is_empty())?;
    Some(if input.kind.is_namespaced() {
        ObjectKey::namespaced(input.kind, input.namespace(), name)
    } else {
        ObjectKey::cluster_scoped(input.kind, name)
    })
}

/// Runs the planner over `inputs` as if the time were `now` all along.
#[must_use]
pub fn simulate(inputs: &[Input], namespaces: &[Value], settings: &Settings, now: Timestamp) -> Outcome {
    let mut simulation = Simulation { world: MemoryWorld::default(), now, created: Vec::new() };
    for namespace in namespaces {
        let name = namespace.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        simulation.put(&ObjectKey::cluster_scoped(Kind::Namespace, name), namespace.clone());
    }
    let mut roots = Vec::new();
    for input in inputs {
        let Some(key) = key(input) else { continue };
        if simulation.put(&key, input.object.clone()) && key.kind.is_root() {
            roots.push(key);
        }
    }
    for (name, provider, capacity_type) in PREDEFINED {
        simulation.put_predefined(name, provider, capacity_type);
    }
    // Order of kinds, then of the inputs: a service finds the revision of its family in the first round already.
    roots.sort_by_key(|key| key.kind);
    let mut statuses = BTreeMap::new();
    let mut is_settled = false;
    for _ in 0..MOST_ROUNDS {
        let mut is_quiet = true;
        for root in &roots {
            let plan = plan::plan(&simulation.world, root, settings, now);
            for op in plan.ops {
                simulation.apply(root, op);
                is_quiet = false;
            }
            if let Some(status) = plan.status {
                is_quiet &= status::same(&plan.previous_status, &status);
                simulation.set_status(root, status.clone());
                statuses.insert(root.clone(), status);
            }
        }
        if is_quiet {
            is_settled = true;
            break;
        }
    }
    let children = simulation
        .created
        .iter()
        .filter_map(|(root, key)| Some((root.clone(), simulation.world.get(key)?.value())))
        .collect();
    Outcome { children, statuses, is_settled }
}

struct Simulation {
    world: MemoryWorld,
    now: Timestamp,
    /// Root and child, in order of creation.
    created: Vec<(ObjectKey, ObjectKey)>,
}

impl Simulation {
    /// Takes an object in as the server would: with an identity and a time.
    fn put(&mut self, key: &ObjectKey, mut object: Value) -> bool {
        let place = format!("{}/{}/{}", key.kind, key.namespace.as_deref().unwrap_or_default(), key.name);
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.entry("uid").or_insert_with(|| Value::from(ecs::name::short_hash(&place)));
            metadata.entry("resourceVersion").or_insert_with(|| Value::from("1"));
            metadata.entry("generation").or_insert_with(|| Value::from(1));
            metadata.entry("creationTimestamp").or_insert_with(|| Value::from(self.now.to_string()));
        }
        match Stored::accept(key.kind, object) {
            Ok(stored) => {
                self.world.insert(stored);
                true
            }
            // Refused by validation, which says it with a path.
            Err(_) => false,
        }
    }

    fn put_predefined(&mut self, name: &str, provider: &str, capacity_type: &str) {
        let term = plan::core::world::Term::EcsName(provider.to_owned());
        if !self.world.find(Kind::CapacityProvider, None, &term).is_empty() {
            return;
        }
        let key = ObjectKey::cluster_scoped(Kind::CapacityProvider, name);
        let object = json!({
            "apiVersion": key.kind.api_version(),
            "kind": key.kind.kind(),
            "metadata": { "name": name },
            "spec": { "name": provider, "kubernetes": { "predefined": true, "capacityType": capacity_type } },
        });
        self.put(&key, object);
    }

    fn apply(&mut self, root: &ObjectKey, op: Op) {
        match op {
            Op::Create { key, body } => {
                self.put(&key, body);
                self.created.push((root.clone(), key));
            }
            Op::Apply { key, body, .. } => {
                if let Some(live) = self.world.get(&key) {
                    let mut object = live.value();
                    merge(&mut object, body);
                    self.put(&key, object);
                } else {
                    self.put(&key, body);
                    self.created.push((root.clone(), key));
                }
            }
            Op::ApplyStatus { key, status } => self.set_status(&key, status),
            // There are no pods here, and nothing else is annotated.
            Op::Annotate { .. } => {}
            Op::Delete { key, .. } => {
                self.world.remove(&key);
                self.created.retain(|(_, created)| *created != key);
            }
            Op::AddFinalizer { key, finalizers, .. } | Op::RemoveFinalizer { key, finalizers, .. } => {
                self.change(&key, |object| {
                    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                        metadata.insert("finalizers".to_owned(), json!(finalizers));
                    }
                });
            }
        }
    }

    fn set_status(&mut self, key: &ObjectKey, status: Value) {
        self.change(key, |object| {
            if let Some(members) = object.as_object_mut() {
                members.insert("status".to_owned(), status);
            }
        });
    }

    fn change(&mut self, key: &ObjectKey, change: impl FnOnce(&mut Value)) {
        if let Some(live) = self.world.get(key) {
            let mut object = live.value();
            change(&mut object);
            self.put(key, object);
        }
    }
}

/// What server-side apply does with the bodies that plans have: mappings are merged, owners are added, and any other
/// list or value is replaced.
fn merge(live: &mut Value, body: Value) {
    let (Value::Object(live), Value::Object(body)) = (&mut *live, &body) else {
        *live = body;
        return;
    };
    for (name, value) in body {
        match live.get_mut(name) {
            Some(Value::Array(owners)) if name == "ownerReferences" => {
                for owner in value.as_array().into_iter().flatten() {
                    if !owners.iter().any(|known| known.get("uid") == owner.get("uid")) {
                        owners.push(owner.clone());
                    }
                }
            }
            Some(known) if known.is_object() && value.is_object() => merge(known, value.clone()),
            _ => {
                live.insert(name.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_second_owner_applies_a_shared_object_then_both_own_it() {
        let mut live = json!({"metadata": {"name": "a", "ownerReferences": [{"uid": "1"}]}, "list": [1, 2]});
        merge(&mut live, json!({"metadata": {"ownerReferences": [{"uid": "2"}, {"uid": "1"}]}, "list": [3]}));
        let owners = json!([{"uid": "1"}, {"uid": "2"}]);
        assert_eq!(live, json!({"metadata": {"name": "a", "ownerReferences": owners}, "list": [3]}));
    }
}
