//! Where each container of a task goes in a Pod, so that dependencies hold.

use std::collections::BTreeMap;

use api::task_definition::{ContainerCondition, ContainerDefinition, LogDriver};
use ecs::dependency::{Condition, Dependency, DependentContainer, check_dependencies, start_order};
use ecs::name::dns_label;

pub(super) use super::arrangement::Place;
use super::arrangement::{Deviation, Placed, arrange as places, deviation};
use super::notes::Notes;

/// Longest name of a container in a Pod.
const LONGEST_NAME: usize = 63;

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

/// The containers of a task in the order of the Pod, see [`super::arrangement`]:
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
    let Ok(placed) = places(&dependents) else {
        notes.refuse("containerDefinitions", "circular dependency");
        return Vec::new();
    };
    let mut names = BTreeMap::new();
    for (index, definition) in definitions.iter().enumerate() {
        // Different names never give the same label, so this is the same name twice.
        if names.insert(dns_label(&definition.name, LONGEST_NAME), index).is_some() {
            notes.refuse(format!("containerDefinitions[{index}].name"), "container names must be unique");
            return Vec::new();
        }
    }
    let containers = placed.into_iter().filter_map(|Placed { index, place }| {
        let definition = definitions.get(index)?;
        Some(Container { index, definition, name: dns_label(&definition.name, LONGEST_NAME), place })
    });
    let containers: Vec<Container<'_>> = containers.collect();
    report(&containers, &dependents, notes);
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

/// What a Pod does otherwise with dependencies.
fn report(containers: &[Container<'_>], dependents: &[DependentContainer], notes: &mut Notes) {
    let mut listed: Vec<&Container<'_>> = containers.iter().collect();
    listed.sort_by_key(|container| container.index);
    for container in listed {
        for (index, item) in container.definition.depends_on.iter().flatten().enumerate() {
            let why = match deviation(&item.container_name, condition(item.condition), dependents) {
                None => continue,
                Some(Deviation::OnlyAfterSuccess) => {
                    "a non-zero exit code is retried before the dependent container starts, whereas ECS proceeds"
                }
                Some(Deviation::HealthNotLookedAt) => {
                    "another container waits for this one to exit, so this one waits for its exit instead of its health"
                }
            };
            notes.approximated(container.path(&format!("dependsOn[{index}].condition")), why);
        }
    }
}

/// How others wait for the container.
pub(super) fn waiting_for<'a>(
    name: &'a str,
    definitions: &'a [ContainerDefinition],
) -> impl Iterator<Item = Condition> + 'a {
    let items = definitions.iter().flat_map(|definition| definition.depends_on.iter().flatten());
    items.filter(move |item| item.container_name == name).map(|item| condition(item.condition))
}
