//! Rules of a service that CEL cannot say.

use std::collections::BTreeSet;

use api::service::{SchedulingStrategy, ServiceManagedEbsVolumeConfiguration, ServiceSpec};
use ecs::Violation;
use ecs::arn::task_definition_reference;
use ecs::rolling::{Percentages, check_percentages};
use ecs::volume::{EbsVolume, check_ebs};
use serde::Serialize;
use serde_json::Value;

use super::capacity::strategy;
use super::from_violations;
use super::task_definition::below;
use crate::core::kind::Kind;
use crate::core::report::Refusal;
use crate::nodes::constraint;

/// The reference to the task definition, the capacity provider strategy, placement expressions, managed volumes, tags.
///
/// Paths start with `spec.`; the exception is that of CreateService.
#[must_use]
pub fn service(spec: &ServiceSpec) -> Vec<Refusal> {
    let mut violations = Vec::new();
    if let Err(error) = task_definition_reference(&spec.task_definition) {
        violations.push(Violation::new("taskDefinition", error.to_string()));
    }
    violations.extend(strategy("capacityProviderStrategy", spec.capacity_provider_strategy.as_deref()));
    let percentages = spec.deployment_configuration.as_ref();
    if spec.scheduling_strategy == Some(SchedulingStrategy::Daemon) {
        let minimum = percentages.and_then(|percentages| percentages.minimum_healthy_percent).unwrap_or(0);
        let maximum = percentages.and_then(|percentages| percentages.maximum_percent).unwrap_or(100);
        let percentages = Percentages { minimum_healthy: minimum.into(), maximum: maximum.into() };
        violations.extend(check_percentages(percentages, true));
    }
    let mut names = BTreeSet::new();
    for (index, configuration) in spec.volume_configurations.iter().flatten().enumerate() {
        let path = format!("volumeConfigurations[{index}]");
        if !names.insert(&configuration.name) {
            violations
                .push(Violation::new(format!("{path}.name"), format!("{:?} is listed twice", configuration.name)));
        }
        if let Some(volume) = &configuration.managed_ebs_volume {
            violations.extend(below(&format!("{path}.managedEBSVolume"), check_ebs(&ebs(volume))));
            for (number, specification) in volume.tag_specifications.iter().flatten().enumerate() {
                let tags = specification.tags.iter().flatten();
                let pairs = tags.map(|tag| (tag.key.as_str(), tag.value.as_deref().unwrap_or_default()));
                let path = format!("{path}.managedEBSVolume.tagSpecifications[{number}].tags");
                violations.extend(ecs::tags::check_tags(&path, pairs));
            }
        }
    }
    let tags = spec.tags.iter().flatten();
    let pairs = tags.map(|tag| (tag.key.as_str(), tag.value.as_deref().unwrap_or_default()));
    violations.extend(ecs::tags::check_tags("tags", pairs));
    let mut refusals = from_violations(Kind::Service, violations);
    let constraints = spec.placement_constraints.iter().flatten();
    refusals.extend(constraint::check(constraints.map(|constraint| constraint.expression.as_ref())));
    refusals
}

fn ebs(volume: &ServiceManagedEbsVolumeConfiguration) -> EbsVolume {
    EbsVolume {
        volume_type: spelling(volume.volume_type),
        size_gib: volume.size_in_gib.map(i64::from),
        snapshot_id: volume.snapshot_id.clone(),
        iops: volume.iops.map(i64::from),
        throughput: volume.throughput.map(i64::from),
        filesystem: spelling(volume.filesystem_type),
        encrypted: volume.encrypted,
        kms_key_id: volume.kms_key_id.clone(),
        volume_initialization_rate: volume.volume_initialization_rate.map(i64::from),
    }
}

/// An enum value as ECS spells it.
fn spelling<T: Serialize>(value: Option<T>) -> Option<String> {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => Some(text),
        _ => None,
    }
}
