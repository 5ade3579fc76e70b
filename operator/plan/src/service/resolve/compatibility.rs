//! What needs both the service and its task definition to be judged. All of it heals when either changes.

use api::conditions::Reason;
use api::service::ServiceSpec;
use api::task_definition::{Compatibility, NetworkMode, TaskDefinitionSpec};

use super::Missing;

/// Whether the service can run tasks of the task definition.
pub(super) fn check(spec: &ServiceSpec, task_definition: &TaskDefinitionSpec, is_fargate: bool) -> Result<(), Missing> {
    let containers: Vec<&str> =
        task_definition.container_definitions.iter().map(|container| container.name.as_str()).collect();
    let named = spec.load_balancers.as_deref().unwrap_or_default().iter().map(|balancer| &balancer.container_name);
    let registered =
        spec.service_registries.as_deref().unwrap_or_default().iter().map(|registry| &registry.container_name);
    for (list, index, name) in named
        .enumerate()
        .map(|(index, name)| ("loadBalancers", index, name))
        .chain(registered.enumerate().map(|(index, name)| ("serviceRegistries", index, name)))
    {
        if let Some(name) = name.as_deref().filter(|name| !containers.contains(name)) {
            let message = format!(
                "spec.{list}[{index}].containerName: The container {name} does not exist in the task definition."
            );
            return Err(Missing::new(Reason::ContainerNotFound, message));
        }
    }
    let invalid = |message: &str| Err(Missing::new(Reason::InvalidParameterException, message));
    let is_awsvpc = task_definition.network_mode == Some(NetworkMode::Awsvpc);
    match (is_awsvpc, &spec.network_configuration) {
        (true, None) => {
            return invalid(
                "spec.networkConfiguration: Network Configuration must be provided when networkMode 'awsvpc' is specified.",
            );
        }
        (false, Some(_)) => {
            return invalid(
                "spec.networkConfiguration: Network Configuration is not valid for the given networkMode of this task definition.",
            );
        }
        _ => {}
    }
    let compatibilities = task_definition.requires_compatibilities.as_deref().unwrap_or_default();
    if is_fargate && !compatibilities.contains(&Compatibility::Fargate) {
        return invalid("spec.taskDefinition: Task definition does not support launch_type FARGATE.");
    }
    check_volumes(spec, task_definition)
}

fn check_volumes(spec: &ServiceSpec, task_definition: &TaskDefinitionSpec) -> Result<(), Missing> {
    let configured: Vec<&str> =
        spec.volume_configurations.as_deref().unwrap_or_default().iter().map(|volume| volume.name.as_str()).collect();
    let volumes = task_definition.volumes.as_deref().unwrap_or_default();
    let at_launch: Vec<&str> = volumes
        .iter()
        .filter(|volume| volume.configured_at_launch == Some(true))
        .map(|volume| volume.name.as_str())
        .collect();
    let wrong = |message: String| Err(Missing::new(Reason::VolumeConfigurationMissing, message));
    if let Some(name) = at_launch.iter().find(|name| !configured.contains(name)) {
        return wrong(format!(
            "spec.volumeConfigurations: volume {name} is configured at launch and has no configuration"
        ));
    }
    if let Some(name) = configured.iter().find(|name| !at_launch.contains(name)) {
        return wrong(format!(
            "spec.volumeConfigurations: the task definition has no volume {name} with configuredAtLaunch"
        ));
    }
    Ok(())
}
