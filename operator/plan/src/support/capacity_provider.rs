//! A capacity provider.

use super::field::{Field, approximated, fine, honoured, ignored, no_effect};
use super::kubernetes;

const TAGS: &str = "not applied by this version: tags stay in the spec and are not copied to child objects";
const MANAGED_SCALING: &str = "not applied by this version: the node autoscaler of the cluster adds and removes nodes";
const MANAGED_INSTANCES: &str = "not applied by this version: the node autoscaler of the cluster launches nodes";

/// Every field of a capacity provider.
pub(super) const PARTS: &[&[Field]] = &[FIELDS, kubernetes::CAPACITY_PROVIDER];

/// In the order of the model.
pub(super) const FIELDS: &[Field] = &[
    honoured("name"),
    no_effect("cluster", "capacityProviders of each ECSCluster decides which clusters may use the provider"),
    honoured("autoScalingGroupProvider"),
    approximated(
        "autoScalingGroupProvider.autoScalingGroupArn",
        "the nodes of the group are those with the label ecs-operator.dev/capacity-provider, or those that \
            kubernetes.nodeSelector selects",
    ),
    no_effect("autoScalingGroupProvider.managedScaling", MANAGED_SCALING),
    no_effect("autoScalingGroupProvider.managedScaling.status", MANAGED_SCALING).cases(&[fine("DISABLED")]),
    no_effect("autoScalingGroupProvider.managedScaling.targetCapacity", MANAGED_SCALING),
    no_effect("autoScalingGroupProvider.managedScaling.minimumScalingStepSize", MANAGED_SCALING),
    no_effect("autoScalingGroupProvider.managedScaling.maximumScalingStepSize", MANAGED_SCALING),
    no_effect("autoScalingGroupProvider.managedScaling.instanceWarmupPeriod", MANAGED_SCALING),
    no_effect(
        "autoScalingGroupProvider.managedTerminationProtection",
        "not applied by this version: nodes with tasks are not protected from scale-in",
    )
    .cases(&[fine("DISABLED")]),
    no_effect(
        "autoScalingGroupProvider.managedDraining",
        "the component that removes a node drains it, within the PodDisruptionBudget of each service",
    )
    .cases(&[fine("ENABLED")]),
    no_effect("managedInstancesProvider", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.infrastructureRoleArn", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.instanceLaunchTemplate", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.ec2InstanceProfileArn", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.networkConfiguration", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.networkConfiguration.subnets", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.networkConfiguration.securityGroups", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.storageConfiguration", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.storageConfiguration.storageSizeGiB", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.localStorageConfiguration", MANAGED_INSTANCES),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.localStorageConfiguration.useLocalStorage",
        MANAGED_INSTANCES,
    ),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.monitoring", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.capacityOptionType", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.instanceMetadataTagsPropagation", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.instanceRequirements", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.vCpuCount", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.vCpuCount.min", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.vCpuCount.max", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.memoryMiB", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.memoryMiB.min", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.memoryMiB.max", MANAGED_INSTANCES),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.cpuManufacturers",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.memoryGiBPerVCpu",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.memoryGiBPerVCpu.min",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.memoryGiBPerVCpu.max",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.excludedInstanceTypes",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.instanceGenerations",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.spotMaxPricePercentageOverLowestPrice",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.onDemandMaxPricePercentageOverLowestPrice",
        MANAGED_INSTANCES,
    ),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.bareMetal", MANAGED_INSTANCES),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.burstablePerformance",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.requireHibernateSupport",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.networkInterfaceCount",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.networkInterfaceCount.min",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.networkInterfaceCount.max",
        MANAGED_INSTANCES,
    ),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.localStorage", MANAGED_INSTANCES),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.localStorageTypes",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.totalLocalStorageGB",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.totalLocalStorageGB.min",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.totalLocalStorageGB.max",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.baselineEbsBandwidthMbps",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.baselineEbsBandwidthMbps.min",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.baselineEbsBandwidthMbps.max",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.acceleratorTypes",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.acceleratorCount",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.acceleratorCount.min",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.acceleratorCount.max",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.acceleratorManufacturers",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.acceleratorNames",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.acceleratorTotalMemoryMiB",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.acceleratorTotalMemoryMiB.min",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.acceleratorTotalMemoryMiB.max",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.networkBandwidthGbps",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.networkBandwidthGbps.min",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.networkBandwidthGbps.max",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.allowedInstanceTypes",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.instanceRequirements.maxSpotPriceAsPercentageOfOptimalOnDemandPrice",
        MANAGED_INSTANCES,
    ),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.fipsEnabled", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.capacityReservations", MANAGED_INSTANCES),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.capacityReservations.reservationGroupArn",
        MANAGED_INSTANCES,
    ),
    no_effect(
        "managedInstancesProvider.instanceLaunchTemplate.capacityReservations.reservationPreference",
        MANAGED_INSTANCES,
    ),
    no_effect("managedInstancesProvider.instanceLaunchTemplate.nitroEnclavesEnabled", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.propagateTags", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.infrastructureOptimization", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.infrastructureOptimization.scaleInAfter", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.autoRepairConfiguration", MANAGED_INSTANCES),
    no_effect("managedInstancesProvider.autoRepairConfiguration.actionsStatus", MANAGED_INSTANCES),
    no_effect("tags", TAGS),
    no_effect("tags[].key", TAGS),
    no_effect("tags[].value", TAGS),
    ignored("capacityProviderArn"),
    ignored("status"),
    ignored("updateStatus"),
    ignored("updateStatusReason"),
    ignored("type"),
];
