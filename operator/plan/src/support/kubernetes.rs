//! Members that ECS does not have: `kubernetes` of each kind.

use super::field::{Field, approximated, fine, honoured};

/// `ECSTaskDefinition`
pub(super) const TASK_DEFINITION: &[Field] = &[
    honoured("kubernetes"),
    honoured("kubernetes.podLabels"),
    honoured("kubernetes.podAnnotations"),
    honoured("kubernetes.serviceAccountName"),
    honoured("kubernetes.imagePullPolicy"),
    honoured("kubernetes.essentialContainerExit"),
    honoured("kubernetes.revisionHistory"),
    honoured("kubernetes.environmentFiles"),
    honoured("kubernetes.metadataEnvironment"),
    honoured("kubernetes.runtimeClassName"),
    honoured("kubernetes.acceleratorsPerNode"),
    honoured("kubernetes.deviceResources"),
];

/// `ECSService`
pub(super) const SERVICE: &[Field] = &[
    honoured("kubernetes"),
    honoured("kubernetes.taskDefinitionResolution"),
    honoured("kubernetes.forceNewDeployment"),
    approximated(
        "kubernetes.deletionPolicy",
        "the admission policy of the Helm chart refuses the deletion; without it the service is deleted",
    )
    .cases(&[fine("Force")]),
    honoured("kubernetes.service"),
    honoured("kubernetes.service.enabled"),
    honoured("kubernetes.service.type"),
    honoured("kubernetes.service.annotations"),
    honoured("kubernetes.service.labels"),
    honoured("kubernetes.podDisruptionBudget"),
    honoured("kubernetes.podDisruptionBudget.enabled"),
    honoured("kubernetes.priorityClassName"),
    honoured("kubernetes.podAnnotations"),
    honoured("kubernetes.podLabels"),
    honoured("kubernetes.deploymentHistoryLimit"),
    honoured("kubernetes.serviceRevision"),
    honoured("kubernetes.stopServiceDeployment"),
    honoured("kubernetes.stopServiceDeployment.serviceDeployment"),
    honoured("kubernetes.stopServiceDeployment.stopType"),
];

/// `ECSCluster`
pub(super) const CLUSTER: &[Field] = &[honoured("kubernetes"), honoured("kubernetes.nodeSelector")];

/// `ECSCapacityProvider`
pub(super) const CAPACITY_PROVIDER: &[Field] = &[
    honoured("kubernetes"),
    honoured("kubernetes.nodeSelector"),
    honoured("kubernetes.nodeAffinity"),
    honoured("kubernetes.nodeAffinity[].matchExpressions"),
    honoured("kubernetes.nodeAffinity[].matchExpressions[].key"),
    honoured("kubernetes.nodeAffinity[].matchExpressions[].operator"),
    honoured("kubernetes.nodeAffinity[].matchExpressions[].values"),
    honoured("kubernetes.tolerations"),
    honoured("kubernetes.tolerations[].key"),
    honoured("kubernetes.tolerations[].operator"),
    honoured("kubernetes.tolerations[].value"),
    honoured("kubernetes.tolerations[].effect"),
    honoured("kubernetes.tolerations[].tolerationSeconds"),
    honoured("kubernetes.capacityType"),
    honoured("kubernetes.allowedNamespaces"),
    honoured("kubernetes.predefined"),
];

/// `ECSScalableTarget`
pub(super) const SCALABLE_TARGET: &[Field] =
    &[honoured("kubernetes"), honoured("kubernetes.autoscaler"), honoured("kubernetes.scaleInStabilizationSeconds")];
