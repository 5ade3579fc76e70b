//! Where each container of a task goes in a Pod, so that dependencies hold.

use api::task_definition::{ContainerCondition, ContainerDefinition, LogDriver};
use ecs::dependency::{Condition, Dependency, DependentContainer, check_dependencies, start_order};
use ecs::name::dns_label;

use super::notes::Notes;

/// Longest name of a container in a Pod.
const LONGEST_NAME: usize = 63;

/// The place of a container in a Pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// An init container: it ends before what depends on it starts.
    Init,
    /// A native sidecar, an init container with `restartPolicy: Always`: it starts before what depends on it, runs on
    /// beside it, and stops after it.
    Sidecar {
        /// Whether others wait until it is healthy, and not only until it has started.
        is_waited_for: bool,
    },
    /// A main container: nothing depends on it.
    Main,
}

/// One container of the task definition.
#[derive(Clone, Debug)]
pub(super) struct Container<'a> {
    /// Position in `containerDefinitions`.
    pub(super) index: usize,
    /// The definition.
    pub(super) definition: &'a ContainerDefinition,
    /// Name in the Pod.
    pub(super) name: String,
    /// Place in the Pod.
    pub(super) place: Place,
}

impl Container<'_> {
    /// The path of one of its fields.
    pub(super) fn path(&self, field: &str) -> String {
        format!("containerDefinitions[{}].{field}", self.index)
    }

    /// Whether the task ends with it; true when not stated.
    pub(super) fn is_essential(&self) -> bool {
        self.definition.essential != Some(false)
    }

    /// Whether it runs as long as the task, and not to its end before others start.
    pub(super) fn is_long_running(&self) -> bool {
        self.place != Place::Init
    }
}

/// The containers of a task in the order of the Pod: init containers and sidecars by dependency, then the main ones as
/// they are listed.
///
/// Whatever another container waits for goes among the init containers, one after the other: what must end as a plain
/// one, what must run or be healthy as a native sidecar. That holds for essential containers too: under a Deployment a
/// sidecar restarts and decides readiness exactly as a main container does, and the Pod stops it after its dependents,
/// as ECS would. There is always a main container, because dependencies have no circle.
///
/// | `app` (essential) depends on | init containers | main |
/// |---|---|---|
/// | `migrate` SUCCESS, `proxy` HEALTHY | migrate, proxy (sidecar, startup probe) | app |
/// | `migrate` SUCCESS, which depends on `db` START | db (sidecar), migrate | app |
/// | nothing | | app and all others |
pub(super) fn arrange<'a>(definitions: &'a [ContainerDefinition], notes: &mut Notes) -> Vec<Container<'a>> {
    let mut dependents: Vec<DependentContainer> = definitions.iter().map(dependent).collect();
    let before = notes.refusals.len();
    for violation in check_dependencies(&dependents) {
        notes.refuse(violation.path, violation.message);
    }
    if notes.refusals.len() > before {
        return Vec::new();
    }
    depend_on_router(definitions, &mut dependents);
    let Ok(order) = start_order(&dependents) else {
        notes.refuse("containerDefinitions", "circular dependency");
        return Vec::new();
    };
    let mut containers = Vec::with_capacity(definitions.len());
    for (index, definition) in definitions.iter().enumerate() {
        let name = dns_label(&definition.name, LONGEST_NAME);
        // Different names never give the same label, so this is the same name twice.
        if containers.iter().any(|other: &Container<'_>| other.name == name) {
            notes.refuse(format!("containerDefinitions[{index}].name"), "container names must be unique");
            return Vec::new();
        }
        containers.push(Container { index, definition, name, place: place(&definition.name, &dependents) });
    }
    for container in &containers {
        report(container, notes);
    }
    containers.sort_by_key(|container| match container.place {
        Place::Main => (true, container.index),
        _ => (false, order.iter().position(|&index| index == container.index).unwrap_or(container.index)),
    });
    containers
}

/// The definition as the rules about dependencies see it.
pub(super) fn dependent(definition: &ContainerDefinition) -> DependentContainer {
    let name_of_link = |link: &String| link.split(':').next().unwrap_or_default().to_owned();
    DependentContainer {
        name: definition.name.clone(),
        essential: definition.essential != Some(false),
        has_health_check: definition.health_check.is_some(),
        depends_on: definition
            .depends_on
            .iter()
            .flatten()
            .map(|item| Dependency { container: item.container_name.clone(), condition: condition(item.condition) })
            .collect(),
        links: definition.links.iter().flatten().map(name_of_link).collect(),
        volumes_from: definition
            .volumes_from
            .iter()
            .flatten()
            .filter_map(|from| from.source_container.clone())
            .collect(),
        stop_timeout: definition.stop_timeout.map(i64::from),
    }
}

fn condition(condition: ContainerCondition) -> Condition {
    match condition {
        ContainerCondition::Start => Condition::Start,
        ContainerCondition::Healthy => Condition::Healthy,
        ContainerCondition::Complete => Condition::Complete,
        ContainerCondition::Success => Condition::Success,
    }
}

/// Containers that log to the FireLens router start after it, as the agent of ECS has it. A router that itself waits
/// for such a container starts as the definition says.
fn depend_on_router(definitions: &[ContainerDefinition], dependents: &mut Vec<DependentContainer>) {
    let Some(router) = definitions.iter().find(|definition| definition.firelens_configuration.is_some()) else {
        return;
    };
    let mut with_router = dependents.clone();
    for (definition, dependent) in definitions.iter().zip(&mut with_router) {
        let driver = definition.log_configuration.as_ref().map(|configuration| configuration.log_driver);
        if driver == Some(LogDriver::Awsfirelens) && definition.name != router.name {
            dependent.depends_on.push(Dependency { container: router.name.clone(), condition: Condition::Start });
        }
    }
    if start_order(&with_router).is_ok() {
        *dependents = with_router;
    }
}

/// An end that somebody waits for decides over a start that somebody else waits for: the container will end.
fn place(name: &str, dependents: &[DependentContainer]) -> Place {
    let waiting = || dependents.iter().flat_map(|other| &other.depends_on).filter(|item| item.container == name);
    if waiting().any(|item| item.condition.needs_exit()) {
        return Place::Init;
    }
    let is_linked = dependents.iter().any(|other| other.links.iter().any(|link| link == name));
    let is_waited_for = waiting().any(|item| item.condition == Condition::Healthy);
    if is_waited_for || is_linked || waiting().next().is_some() {
        Place::Sidecar { is_waited_for }
    } else {
        Place::Main
    }
}

/// What a Pod of a Deployment does otherwise than a task.
fn report(container: &Container<'_>, notes: &mut Notes) {
    let definition = container.definition;
    let restarts = definition.restart_policy.as_ref().is_some_and(|policy| policy.enabled);
    if !container.is_essential() && container.is_long_running() && !restarts {
        let why = "RestartSemanticsDiffer: when it exits it is started again, where ECS leaves it stopped, and until then \
                   the Pod is not Ready; if it is meant to end, let another container depend on it with SUCCESS";
        notes.approximated(container.path("essential"), why);
    }
    for (index, item) in definition.depends_on.iter().flatten().enumerate() {
        if item.condition == ContainerCondition::Complete {
            let why = "an exit code other than 0 is tried again before the container starts, where ECS goes on";
            notes.approximated(container.path(&format!("dependsOn[{index}].condition")), why);
        }
    }
}
