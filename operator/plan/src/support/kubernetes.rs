//! Members that ECS does not have: `kubernetes` of each kind.

use super::field::{Field, approximated, fine, honoured, with_note};

const ALLOWED: &str = "refused unless an annotation of the Namespace allows it";

/// `ECSTaskDefinition`
pub(super) const TASK_DEFINITION: &[Field] = &[
    honoured("kubernetes"),
    honoured("kubernetes.podLabels"),
    honoured("kubernetes.podAnnotations"),
    with_note("kubernetes.serviceAccountName", "the names of the ServiceAccounts of task roles are refused"),
    honoured("kubernetes.imagePullPolicy"),
    honoured("kubernetes.essentialContainerExit"),
    honoured("kubernetes.revisionHistory"),
    honoured("kubernetes.environmentFiles"),
    honoured("kubernetes.metadataEnvironment"),
    with_note("kubernetes.runtimeClassName", ALLOWED),
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
    with_note(
        "kubernetes.service.type",
        "LoadBalancer and NodePort are refused unless an annotation of the Namespace allows them",
    ),
    with_note("kubernetes.service.annotations", ALLOWED),
    honoured("kubernetes.service.labels"),
    honoured("kubernetes.podDisruptionBudget"),
    honoured("kubernetes.podDisruptionBudget.enabled"),
    with_note("kubernetes.priorityClassName", ALLOWED),
    honoured("kubernetes.podAnnotations"),
    honoured("kubernetes.podLabels"),
    honoured("kubernetes.deploymentHistoryLimit"),
    honoured("kubernetes.serviceRevision"),
    honoured("kubernetes.stopServiceDeployment"),
    honoured("kubernetes.stopServiceDeployment.serviceDeployment"),
    honoured("kubernetes.stopServiceDeployment.stopType"),
];

/// `ECSCluster`
pub(super) const CLUSTER: &[Field] = &[honoured("kubernetes"), with_note("kubernetes.nodeSelector", ALLOWED)];

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
