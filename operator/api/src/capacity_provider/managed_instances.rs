//! Capacity providers whose instances are managed: what is launched, and when it is taken away.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::InstanceRequirementsRequest;

/// ECS Managed Instances: instances that ECS launches and terminates for the tasks
/// (`CreateManagedInstancesProviderConfiguration`). No effect in this version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagedInstancesProvider {
    /// IAM role that ECS uses to launch instances. No effect.
    #[schemars(length(max = 2048))]
    pub infrastructure_role_arn: String,
    /// Launch template of the instances.
    pub instance_launch_template: InstanceLaunchTemplate,
    /// Source of the tags of instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propagate_tags: Option<PropagateMITags>,
    /// When idle instances are terminated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infrastructure_optimization: Option<InfrastructureOptimization>,
    /// Whether unhealthy instances are replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_repair_configuration: Option<AutoRepairConfiguration>,
}

/// Launch template of the instances.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceLaunchTemplate {
    /// Instance profile. No effect.
    #[serde(rename = "ec2InstanceProfileArn")]
    #[schemars(length(max = 2048))]
    pub ec2_instance_profile_arn: String,
    /// Subnets and security groups of the instances.
    pub network_configuration: ManagedInstancesNetworkConfiguration,
    /// Data volume of an instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_configuration: Option<ManagedInstancesStorageConfiguration>,
    /// Use of instance store volumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_storage_configuration: Option<ManagedInstancesLocalStorageConfiguration>,
    /// Detail of the metrics of the instances. Defaults to `BASIC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring: Option<ManagedInstancesMonitoringOptions>,
    /// Purchase option. Defaults to `ON_DEMAND`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_option_type: Option<CapacityOptionType>,
    /// Whether tags can be read from the instance metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_metadata_tags_propagation: Option<bool>,
    /// Instance types to launch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_requirements: Option<InstanceRequirementsRequest>,
    /// Whether instances run in FIPS mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fips_enabled: Option<bool>,
    /// Use of capacity reservations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_reservations: Option<CapacityReservationRequest>,
    /// Whether instances can run Nitro Enclaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nitro_enclaves_enabled: Option<bool>,
}

/// Subnets and security groups of managed instances.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagedInstancesNetworkConfiguration {
    /// Subnets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), inner(length(max = 255)))]
    pub subnets: Option<Vec<String>>,
    /// Security groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), inner(length(max = 255)))]
    pub security_groups: Option<Vec<String>>,
}

/// Data volume of a managed instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagedInstancesStorageConfiguration {
    /// Size in GiB.
    #[serde(rename = "storageSizeGiB", default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub storage_size_gib: Option<i32>,
}

/// Use of the instance store volumes of a managed instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagedInstancesLocalStorageConfiguration {
    /// Whether to use them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_local_storage: Option<bool>,
}

/// Detail of the metrics of managed instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ManagedInstancesMonitoringOptions {
    /// Every 5 minutes.
    Basic,
    /// Every minute.
    Detailed,
}

/// Purchase option of managed instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CapacityOptionType {
    /// On demand.
    OnDemand,
    /// Spot.
    Spot,
    /// From a capacity reservation.
    Reserved,
}

/// Use of capacity reservations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacityReservationRequest {
    /// Resource group of reservations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub reservation_group_arn: Option<String>,
    /// Whether to use reservations first, only or never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation_preference: Option<CapacityReservationPreference>,
}

/// Whether capacity reservations are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CapacityReservationPreference {
    /// Only reservations.
    ReservationsOnly,
    /// Reservations before anything else.
    ReservationsFirst,
    /// No reservations.
    ReservationsExcluded,
}

/// Source of the tags of managed instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PropagateMITags {
    /// The capacity provider.
    CapacityProvider,
    /// None.
    None,
}

/// When idle managed instances are terminated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InfrastructureOptimization {
    /// Seconds that an instance must be idle, 0 to 3600; -1 never terminates an instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1, max = 3600))]
    pub scale_in_after: Option<i32>,
}

/// Whether unhealthy managed instances are replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutoRepairConfiguration {
    /// Whether unhealthy instances are replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions_status: Option<AutoRepairActionsStatus>,
}

/// Whether unhealthy managed instances are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum AutoRepairActionsStatus {
    /// Enabled.
    Enabled,
    /// Disabled.
    Disabled,
}
