//! Dependencies between the containers of a task: what may depend on what, the order of starting, and the time that
//! stopping needs.

use std::collections::{BTreeMap, BTreeSet};

use crate::violation::Violation;

/// What a container waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// The other one runs, or has run.
    Start,
    /// Its health check reports healthy.
    Healthy,
    /// It exited.
    Complete,
    /// It exited with 0.
    Success,
}

impl Condition {
    /// The condition in the spelling of ECS.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "START" => Some(Self::Start),
            "HEALTHY" => Some(Self::Healthy),
            "COMPLETE" => Some(Self::Complete),
            "SUCCESS" => Some(Self::Success),
            _ => None,
        }
    }

    /// The spelling of ECS.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Healthy => "HEALTHY",
            Self::Complete => "COMPLETE",
            Self::Success => "SUCCESS",
        }
    }

    /// Whether the other container must have ended.
    pub fn needs_exit(self) -> bool {
        matches!(self, Self::Complete | Self::Success)
    }
}

/// One item of `dependsOn`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Name of the other container.
    pub container: String,
    /// What to wait for.
    pub condition: Condition,
}

/// What dependencies know of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DependentContainer {
    /// Name of the container.
    pub name: String,
    /// Whether the task ends with it.
    pub essential: bool,
    /// Whether it has a health check.
    pub has_health_check: bool,
    /// `dependsOn`
    pub depends_on: Vec<Dependency>,
    /// Names from `links`, without aliases: each implies START.
    pub links: Vec<String>,
    /// Names from `volumesFrom`: each is created before this one.
    pub volumes_from: Vec<String>,
    /// `stopTimeout` in seconds.
    pub stop_timeout: Option<i64>,
}

/// Seconds between the stop signal and SIGKILL where a container states none.
pub const DEFAULT_STOP_TIMEOUT_SECONDS: i64 = 30;

/// A dependency of one container.
#[derive(Clone, Copy, Debug)]
struct Edge {
    /// Index of the other container.
    to: usize,
    /// The field that names it.
    field: &'static str,
}

/// Every rule that the dependencies break: unknown names, a container that waits for itself, HEALTHY without a health
/// check, COMPLETE or SUCCESS of an essential container, and circles.
pub fn check_dependencies(containers: &[DependentContainer]) -> Vec<Violation> {
    let index = index_of(containers);
    let mut violations = Vec::new();
    for (position, container) in containers.iter().enumerate() {
        for (item, dependency) in container.depends_on.iter().enumerate() {
            let path = format!("containerDefinitions[{position}].dependsOn[{item}]");
            check_dependency(container, dependency, containers, &index, &path, &mut violations);
        }
        for (field, names) in [("links", &container.links), ("volumesFrom", &container.volumes_from)] {
            for (item, name) in names.iter().enumerate() {
                let path = format!("containerDefinitions[{position}].{field}[{item}]");
                if !index.contains_key(name.as_str()) {
                    violations.push(Violation::new(path, format!("there is no container {name:?}")));
                } else if *name == container.name {
                    violations.push(Violation::new(path, format!("{name} refers to itself")));
                }
            }
        }
    }
    violations.extend(circle(containers));
    violations
}

fn check_dependency(
    container: &DependentContainer,
    dependency: &Dependency,
    containers: &[DependentContainer],
    index: &BTreeMap<&str, usize>,
    path: &str,
    violations: &mut Vec<Violation>,
) {
    let name = &dependency.container;
    let Some(other) = index.get(name.as_str()).and_then(|&position| containers.get(position)) else {
        violations.push(Violation::new(format!("{path}.containerName"), format!("there is no container {name:?}")));
        return;
    };
    if *name == container.name {
        violations.push(Violation::new(format!("{path}.containerName"), format!("{name} depends on itself")));
        return;
    }
    let condition = dependency.condition;
    if condition == Condition::Healthy && !other.has_health_check {
        let message = format!("HEALTHY needs a healthCheck on container {name}");
        violations.push(Violation::new(format!("{path}.condition"), message));
    }
    if condition.needs_exit() && other.essential {
        let message =
            format!("{} cannot be set on the essential container {name}: its exit ends the task", condition.as_str());
        violations.push(Violation::new(format!("{path}.condition"), message));
    }
}

/// The containers in an order in which each comes after everything it depends on; otherwise as listed. Unknown names
/// and a container that waits for itself are left out of account.
///
/// # Errors
/// The circle, spelled with its names.
pub fn start_order(containers: &[DependentContainer]) -> Result<Vec<usize>, Violation> {
    let graph = Graph::new(containers);
    let order = graph.order();
    if order.len() == containers.len() {
        return Ok(order);
    }
    Err(circle(containers).unwrap_or_else(|| Violation::new("containerDefinitions", "circular dependency")))
}

/// The longest time that stopping takes, in seconds: the largest sum of stop timeouts along a chain of dependencies.
///
/// A container gets its stop signal only after everything that depends on it has stopped. With `web` (30 s) depending
/// on `proxy` (20 s) and an independent `log` (40 s) that is max(30 + 20, 40) = 50. With a circle, which
/// [`check_dependencies`] refuses, it is the sum of all.
pub fn stop_chain_seconds(containers: &[DependentContainer], default_timeout: i64) -> i64 {
    let timeout = |container: &DependentContainer| container.stop_timeout.unwrap_or(default_timeout).max(0);
    let graph = Graph::new(containers);
    let order = graph.order();
    if order.len() < containers.len() {
        return containers.iter().map(timeout).fold(0, i64::saturating_add);
    }
    let mut chains = vec![0_i64; containers.len()];
    for position in order {
        let below = graph.needs(position).filter_map(|edge| chains.get(edge.to).copied()).max().unwrap_or(0);
        let own = containers.get(position).map_or(0, timeout);
        if let Some(chain) = chains.get_mut(position) {
            *chain = own.saturating_add(below);
        }
    }
    chains.into_iter().max().unwrap_or(0)
}

/// `terminationGracePeriodSeconds` of the Pod: the time that connections drain before the stop signal, and then the
/// longest chain of stop timeouts.
pub fn grace_period_seconds(containers: &[DependentContainer], drain_seconds: i64, default_timeout: i64) -> i64 {
    drain_seconds.max(0).saturating_add(stop_chain_seconds(containers, default_timeout))
}

fn index_of(containers: &[DependentContainer]) -> BTreeMap<&str, usize> {
    // Of equal names the first counts; that names are unique is checked elsewhere.
    containers.iter().enumerate().rev().map(|(position, container)| (container.name.as_str(), position)).collect()
}

/// What each container needs. Work is in proportion to the number of containers and dependencies, since a task
/// definition may name many of both before anything refuses it.
struct Graph {
    /// By container: the ones it waits for.
    needs: Vec<Vec<Edge>>,
    /// By container: the ones that wait for it, once per dependency.
    needed_by: Vec<Vec<usize>>,
}

impl Graph {
    fn new(containers: &[DependentContainer]) -> Self {
        let index = index_of(containers);
        let mut needed_by = vec![Vec::new(); containers.len()];
        let needs = containers.iter().enumerate().map(|(from, container)| {
            let depends = container.depends_on.iter().map(|dependency| ("dependsOn", &dependency.container));
            let links = container.links.iter().map(|name| ("links", name));
            let volumes = container.volumes_from.iter().map(|name| ("volumesFrom", name));
            let named = depends.chain(links).chain(volumes);
            let known = named.filter_map(|(field, name)| index.get(name.as_str()).map(|&to| Edge { to, field }));
            let edges: Vec<Edge> = known.filter(|edge| edge.to != from).collect();
            for edge in &edges {
                if let Some(waiting) = needed_by.get_mut(edge.to) {
                    waiting.push(from);
                }
            }
            edges
        });
        Self { needs: needs.collect(), needed_by }
    }

    fn needs(&self, position: usize) -> impl Iterator<Item = &Edge> {
        self.needs.get(position).into_iter().flatten()
    }

    /// All containers that can start, each behind what it needs and otherwise as listed. Members of a circle and
    /// whatever needs them are missing.
    fn order(&self) -> Vec<usize> {
        let mut missing: Vec<usize> = self.needs.iter().map(Vec::len).collect();
        let mut ready: BTreeSet<usize> = (0..missing.len()).filter(|&at| missing.get(at) == Some(&0)).collect();
        let mut order = Vec::with_capacity(missing.len());
        while let Some(next) = ready.pop_first() {
            order.push(next);
            for &waiting in self.needed_by.get(next).into_iter().flatten() {
                if let Some(count) = missing.get_mut(waiting) {
                    *count -= 1;
                    if *count == 0 {
                        ready.insert(waiting);
                    }
                }
            }
        }
        order
    }
}

/// The first circle of two or more containers, if there is one: `a → b → a`.
fn circle(containers: &[DependentContainer]) -> Option<Violation> {
    let graph = Graph::new(containers);
    let order: BTreeSet<usize> = graph.order().into_iter().collect();
    // Every container that is left needs another one that is left, so walking on comes back to a place seen before.
    let mut position = (0..containers.len()).find(|position| !order.contains(position))?;
    let mut walk: Vec<usize> = Vec::new();
    let mut seen = BTreeSet::new();
    while seen.insert(position) {
        walk.push(position);
        position = graph.needs(position).find(|edge| !order.contains(&edge.to))?.to;
    }
    let members = walk.iter().skip_while(|&&member| member != position).chain([&position]);
    let names: Vec<&str> =
        members.filter_map(|&member| containers.get(member).map(|container| container.name.as_str())).collect();
    let field = graph.needs(position).find(|edge| !order.contains(&edge.to))?.field;
    let path = format!("containerDefinitions[{position}].{field}");
    Some(Violation::new(path, format!("circular dependency: {}", names.join(" → "))))
}

#[cfg(test)]
#[path = "dependency_tests.rs"]
mod tests;
