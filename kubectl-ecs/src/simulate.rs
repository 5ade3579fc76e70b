//! The planner, run over the inputs until it has nothing more to write, against a world that takes every write.
//!
//! Nothing but the operator acts in this world: no Deployment gets a pod, no autoscaler counts. What is left after the
//! last round is what the operator alone would bring about.

use std::collections::BTreeMap;

use documents::Input;
use jiff::Timestamp;
use plan::core::facts::KubernetesVersion;
use plan::core::report::{Finding, Refusal};
use plan::core::status;
use plan::core::world::MemoryWorld;
use plan::sandbox::Server;
use plan::{Kind, ObjectKey, Op, Settings, World};
use serde_json::{Value, json};

/// Each round brings one level of what depends on what: family, revision, service, autoscaler. Six are never needed.
const MOST_ROUNDS: usize = 10;

/// Providers that the operator's chart installs, as it installs them.
const PREDEFINED: [(&str, &str, &str); 2] =
    [("fargate", "FARGATE", "OnDemand"), ("fargate-spot", "FARGATE_SPOT", "Spot")];

/// The first server on which the chart's admission policy writes the count of a service that does not name it.
const WRITES_COUNTS: KubernetesVersion = KubernetesVersion { major: 1, minor: 36 };

/// What the operator would do.
#[derive(Debug)]
pub struct Outcome {
    /// Objects that it would create, in order, each with the root it is for.
    pub children: Vec<(ObjectKey, Value)>,
    /// Status of each root after the last round.
    pub statuses: BTreeMap<ObjectKey, Value>,
    /// Why each refused root is refused.
    pub refusals: BTreeMap<ObjectKey, Vec<Refusal>>,
    /// Fields of each accepted root that do not act as on ECS.
    pub findings: BTreeMap<ObjectKey, Vec<Finding>>,
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
    let mut simulation =
        Simulation { world: MemoryWorld::default(), server: Server::default(), now, created: Vec::new() };
    for namespace in namespaces {
        let name = namespace.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        simulation.put(&ObjectKey::cluster_scoped(Kind::Namespace, name), namespace.clone());
    }
    let mut roots = Vec::new();
    for input in inputs {
        let Some(key) = key(input) else { continue };
        let mut object = input.object.clone();
        if key.kind == Kind::Service && settings.facts.kubernetes >= WRITES_COUNTS {
            write_count(&mut object);
        }
        if simulation.put(&key, object) && key.kind.is_root() {
            roots.push(key);
        }
    }
    for (name, provider, capacity_type) in PREDEFINED {
        simulation.put_predefined(name, provider, capacity_type);
    }
    // Order of kinds, then of the inputs: a service finds the revision of its family in the first round already.
    roots.sort_by_key(|key| key.kind);
    let (mut statuses, mut refusals, mut findings) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut is_settled = false;
    for _ in 0..MOST_ROUNDS {
        let mut is_quiet = true;
        for root in &roots {
            let plan = plan::plan(&simulation.world, root, settings, now);
            refusals.insert(root.clone(), plan.refusals);
            findings.insert(root.clone(), plan.findings);
            for op in &plan.ops {
                simulation.carry_out(root, op);
                is_quiet = false;
            }
            if let Some(status) = plan.status {
                is_quiet &= status::same(&plan.previous_status, &status);
                // A root without an object has no plan either.
                let _ = simulation.server.apply_status(&mut simulation.world, root, &status, now);
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
    Outcome { children, statuses, refusals, findings, is_settled }
}

/// What the policy does with a new service.
fn write_count(service: &mut Value) {
    let Some(spec) = service.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let is_daemon = spec.get("schedulingStrategy").and_then(Value::as_str) == Some("DAEMON");
    if !is_daemon && spec.get("desiredCount").is_none_or(Value::is_null) {
        spec.insert("desiredCount".to_owned(), json!(1));
    }
}

struct Simulation {
    world: MemoryWorld,
    server: Server<ObjectKey>,
    now: Timestamp,
    /// Root and child, in order of creation.
    created: Vec<(ObjectKey, ObjectKey)>,
}

impl Simulation {
    /// Takes an object in as the server would; one that it would refuse is refused by validation too, with a path.
    fn put(&mut self, key: &ObjectKey, object: Value) -> bool {
        self.server.create(&mut self.world, key, object, self.now).is_ok()
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

    /// Carries an operation out. What is refused is planned again in the next round, as in a cluster.
    fn carry_out(&mut self, root: &ObjectKey, op: &Op) {
        let was_there = self.world.get(op.key()).is_some();
        let is_done = self.server.carry_out(&mut self.world, op, self.now).is_ok();
        let is_there = self.world.get(op.key()).is_some();
        if is_done && is_there && !was_there {
            self.created.push((root.clone(), op.key().clone()));
        }
        if !is_there {
            self.created.retain(|(_, created)| created != op.key());
        }
    }
}
