//! Dependencies between the containers of a task: what may depend on what, the order of starting, and the time that
//! stopping needs.

use std::collections::BTreeMap;

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

/// A dependency as indices into the list of containers.
#[derive(Clone, Debug)]
struct Edge {
    from: usize,
    to: usize,
    path: String,
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
/// are left out of account.
///
/// # Errors
/// The circle, spelled with its names.
pub fn start_order(containers: &[DependentContainer]) -> Result<Vec<usize>, Violation> {
    let edges = edges(containers);
    let mut order: Vec<usize> = Vec::with_capacity(containers.len());
    let mut placed = vec![false; containers.len()];
    while order.len() < containers.len() {
        let is_placed = |position: usize| placed.get(position).copied().unwrap_or(true);
        let next = (0..containers.len()).find(|&candidate| {
            !is_placed(candidate) && edges.iter().all(|edge| edge.from != candidate || is_placed(edge.to))
        });
        let Some(next) = next else {
            let names = "containerDefinitions".to_owned();
            return Err(circle(containers).unwrap_or_else(|| Violation::new(names, "circular dependency")));
        };
        if let Some(slot) = placed.get_mut(next) {
            *slot = true;
        }
        order.push(next);
    }
    Ok(order)
}

/// The longest time that stopping takes, in seconds: the largest sum of stop timeouts along a chain of dependencies.
///
/// A container gets its stop signal only after everything that depends on it has stopped. With `web` (30 s) depending
/// on `proxy` (20 s) and an independent `log` (40 s) that is max(30 + 20, 40) = 50. With a circle, which
/// [`check_dependencies`] refuses, it is the sum of all.
pub fn stop_chain_seconds(containers: &[DependentContainer], default_timeout: i64) -> i64 {
    let timeout = |container: &DependentContainer| container.stop_timeout.unwrap_or(default_timeout).max(0);
    let Ok(order) = start_order(containers) else {
        return containers.iter().map(timeout).fold(0, i64::saturating_add);
    };
    let edges = edges(containers);
    let mut chains = vec![0_i64; containers.len()];
    for position in order {
        let below = edges
            .iter()
            .filter(|edge| edge.from == position)
            .filter_map(|edge| chains.get(edge.to).copied())
            .max()
            .unwrap_or(0);
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

fn edges(containers: &[DependentContainer]) -> Vec<Edge> {
    let index = index_of(containers);
    let mut edges = Vec::new();
    for (from, container) in containers.iter().enumerate() {
        let depends = container.depends_on.iter().map(|dependency| ("dependsOn", &dependency.container));
        let links = container.links.iter().map(|name| ("links", name));
        let volumes = container.volumes_from.iter().map(|name| ("volumesFrom", name));
        for (field, name) in depends.chain(links).chain(volumes) {
            if let Some(&to) = index.get(name.as_str()) {
                edges.push(Edge { from, to, path: format!("containerDefinitions[{from}].{field}") });
            }
        }
    }
    edges
}

/// The first circle of two or more containers, if there is one: `a → b → a`.
fn circle(containers: &[DependentContainer]) -> Option<Violation> {
    let edges: Vec<Edge> = edges(containers).into_iter().filter(|edge| edge.from != edge.to).collect();
    // Whatever has no dependency left in the rest is not part of a circle; what cannot be taken away this way is, or
    // leads to one.
    let mut rest: Vec<bool> = vec![true; containers.len()];
    let within = |rest: &[bool], position: usize| rest.get(position).copied().unwrap_or(false);
    loop {
        let free = (0..containers.len()).find(|&candidate| {
            within(&rest, candidate) && !edges.iter().any(|edge| edge.from == candidate && within(&rest, edge.to))
        });
        match free.and_then(|position| rest.get_mut(position)) {
            Some(slot) => *slot = false,
            None => break,
        }
    }
    // From any container of the rest there is always a next one, so walking on comes back to a place seen before.
    let mut walk = vec![rest.iter().position(|&inside| inside)?];
    loop {
        let last = *walk.last()?;
        let edge = edges.iter().find(|edge| edge.from == last && within(&rest, edge.to))?;
        if let Some(start) = walk.iter().position(|&position| position == edge.to) {
            let members = walk.get(start..)?;
            let first = members.first()?;
            let names: Vec<&str> = members
                .iter()
                .chain([first])
                .filter_map(|&position| containers.get(position).map(|container| container.name.as_str()))
                .collect();
            let path = edges.iter().find(|edge| edge.from == *first && within(&rest, edge.to))?.path.clone();
            return Some(Violation::new(path, format!("circular dependency: {}", names.join(" → "))));
        }
        walk.push(edge.to);
    }
}

#[cfg(test)]
#[path = "dependency_tests.rs"]
mod tests;
