//! Rules of a task definition that CEL cannot say.

use api::conditions::Reason;
use api::task_definition::{
    Compatibility, ContainerCondition, ContainerDefinition, EfsAuthorizationConfigIam, EfsTransitEncryption,
    EfsVolumeConfiguration, Secret, TaskDefinitionSpec,
};
use ecs::Violation;
use ecs::dependency::{Condition, Dependency, DependentContainer, check_dependencies};
use ecs::secret::secret_reference;
use ecs::size::{ContainerSize, TaskSize, check_sizes, cpu_units, memory_mib};
use ecs::volume::{EfsVolume, check_efs};

use super::{from_violations, ports};
use crate::core::kind::Kind;
use crate::core::report::Refusal;
use crate::nodes::constraint;
use crate::pod::no_counterpart;

/// ECS takes no larger task definition, as JSON.
const MOST_BYTES: usize = 64 * 1024;

/// Sizes, circles of dependencies, placement expressions, secrets that do not parse, clashing ports, EFS volumes, tags, total length.
///
/// Paths start with `spec.`; the exception is that of RegisterTaskDefinition.
#[must_use]
pub fn task_definition(spec: &TaskDefinitionSpec) -> Vec<Refusal> {
    let mut violations = sizes(spec);
    violations.extend(check_dependencies(&dependents(&spec.container_definitions)));
    for (index, container) in spec.container_definitions.iter().enumerate() {
        secrets(&format!("containerDefinitions[{index}]"), container, &mut violations);
    }
    for (index, volume) in spec.volumes.iter().flatten().enumerate() {
        if let Some(configuration) = &volume.efs_volume_configuration {
            let prefix = format!("volumes[{index}].efsVolumeConfiguration");
            violations.extend(below(&prefix, check_efs(&efs(configuration))));
        }
    }
    let tags = spec.tags.iter().flatten();
    let pairs = tags.map(|tag| (tag.key.as_str(), tag.value.as_deref().unwrap_or_default()));
    violations.extend(ecs::tags::check_tags("tags", pairs));
    let mut refusals = from_violations(Kind::TaskDefinition, violations);
    refusals.extend(ports::check(spec));
    let constraints = spec.placement_constraints.iter().flatten();
    refusals.extend(constraint::check(constraints.map(|constraint| constraint.expression.as_ref())));
    refusals.extend(no_counterpart(spec).into_iter().map(|(path, message)| Refusal {
        path: format!("spec.{path}"),
        exception: Reason::UnsupportedFeatureException,
        message,
    }));
    refusals.extend(length(spec));
    refusals
}

fn sizes(spec: &TaskDefinitionSpec) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut read = |path: &str, text: Option<String>, parse: fn(&str) -> Result<i64, ecs::size::SizeError>| {
        // Empty means absent, as for every string of the ECS API.
        let text = text.filter(|text| !text.is_empty())?;
        parse(&text).map_err(|error| violations.push(Violation::new(path, error.to_string()))).ok()
    };
    let cpu = read("cpu", spec.cpu.as_ref().map(ToString::to_string), cpu_units);
    let memory = read("memory", spec.memory.as_ref().map(ToString::to_string), memory_mib);
    if !violations.is_empty() {
        return violations;
    }
    let containers: Vec<_> = spec
        .container_definitions
        .iter()
        .map(|container| ContainerSize {
            name: container.name.clone(),
            cpu: container.cpu.map(i64::from),
            memory: container.memory.map(i64::from),
            memory_reservation: container.memory_reservation.map(i64::from),
            essential: container.essential.unwrap_or(true),
        })
        .collect();
    let is_fargate = spec.requires_compatibilities.iter().flatten().any(|target| *target == Compatibility::Fargate);
    check_sizes(&TaskSize { cpu, memory }, &containers, is_fargate, is_windows(spec))
}

fn is_windows(spec: &TaskDefinitionSpec) -> bool {
    let family = spec.runtime_platform.as_ref().and_then(|platform| platform.operating_system_family);
    family.is_some_and(|family| format!("{family:?}").starts_with("Windows"))
}

fn dependents(containers: &[ContainerDefinition]) -> Vec<DependentContainer> {
    let condition = |condition| match condition {
        ContainerCondition::Start => Condition::Start,
        ContainerCondition::Healthy => Condition::Healthy,
        ContainerCondition::Complete => Condition::Complete,
        ContainerCondition::Success => Condition::Success,
    };
    containers
        .iter()
        .map(|container| DependentContainer {
            name: container.name.clone(),
            essential: container.essential.unwrap_or(true),
            has_health_check: container.health_check.is_some(),
            depends_on: container
                .depends_on
                .iter()
                .flatten()
                .map(|one| Dependency { container: one.container_name.clone(), condition: condition(one.condition) })
                .collect(),
            links: container
                .links
                .iter()
                .flatten()
                .map(|link| link.split(':').next().unwrap_or_default().to_owned())
                .collect(),
            volumes_from: container
                .volumes_from
                .iter()
                .flatten()
                .filter_map(|from| from.source_container.clone())
                .collect(),
            stop_timeout: container.stop_timeout.map(i64::from),
        })
        .collect()
}

fn secrets(path: &str, container: &ContainerDefinition, violations: &mut Vec<Violation>) {
    for (index, secret) in container.secrets.iter().flatten().enumerate() {
        reference(&format!("{path}.secrets[{index}]"), secret, violations);
    }
    let options = container.log_configuration.as_ref().and_then(|logs| logs.secret_options.as_ref());
    for (index, secret) in options.into_iter().flatten().enumerate() {
        reference(&format!("{path}.logConfiguration.secretOptions[{index}]"), secret, violations);
    }
}

fn reference(path: &str, secret: &Secret, violations: &mut Vec<Violation>) {
    if let Err(error) = secret_reference(&secret.value_from) {
        violations.push(Violation::new(format!("{path}.valueFrom"), error.to_string()));
    }
}

fn efs(configuration: &EfsVolumeConfiguration) -> EfsVolume {
    let authorization = configuration.authorization_config.as_ref();
    EfsVolume {
        file_system_id: configuration.file_system_id.clone(),
        root_directory: configuration.root_directory.clone(),
        transit_encryption: configuration.transit_encryption == Some(EfsTransitEncryption::Enabled),
        access_point_id: authorization.and_then(|authorization| authorization.access_point_id.clone()),
        iam: authorization.is_some_and(|authorization| authorization.iam == Some(EfsAuthorizationConfigIam::Enabled)),
    }
}

/// The length of the JSON that RegisterTaskDefinition would be sent.
fn length(spec: &TaskDefinitionSpec) -> Option<Refusal> {
    let sent = TaskDefinitionSpec { kubernetes: None, ..spec.clone() };
    let length = serde_json::to_vec(&sent).map_or(0, |json| json.len());
    (length > MOST_BYTES).then(|| {
        Refusal::client("spec", format!("actual length: '{length}'. Max allowed length is '{MOST_BYTES}' bytes."))
    })
}

/// The violations of a part, with paths from the whole.
pub(super) fn below(prefix: &str, violations: Vec<Violation>) -> impl Iterator<Item = Violation> {
    violations
        .into_iter()
        .map(move |violation| Violation::new(format!("{prefix}.{}", violation.path), violation.message))
}
