//! A cluster.

use super::field::{Field, fine, honoured, ignored, no_effect, with_note};
use super::kubernetes;

const TAGS: &str = "describe the ECSCluster and stay in its spec; as on ECS no task has the tags of its cluster: propagateTags copies those of the service or task definition";
const SETTINGS: &str = "Container Insights is a feature of CloudWatch; metrics of tasks and nodes are collected by the cluster's own metrics pipeline";
const CONFIGURATION: &str =
    "sessions of kubectl exec are not logged or encrypted by this operator, and storage keys are set in StorageClasses";
const EXEC: &str = "commands run through the API server (kubectl exec), which encrypts the session itself and writes it to its audit log where the administrator asks for it; no copy goes to CloudWatch or S3";
const STORAGE: &str =
    "keys of volumes are a parameter of their StorageClass, and those of ephemeral storage belong to the nodes";
const SERVICE_CONNECT_DEFAULTS: &str = "not applied by this version: Service Connect makes no alias";

/// Every field of a cluster.
pub(super) const PARTS: &[&[Field]] = &[FIELDS, kubernetes::CLUSTER];

/// In the order of the model.
pub(super) const FIELDS: &[Field] = &[
    honoured("clusterName"),
    honoured("cluster"),
    with_note("tags", TAGS),
    with_note("tags[].key", TAGS),
    with_note("tags[].value", TAGS),
    no_effect("settings", SETTINGS),
    no_effect("settings[].name", SETTINGS),
    no_effect("settings[].value", SETTINGS).cases(&[fine("disabled")]),
    no_effect("configuration", CONFIGURATION),
    no_effect("configuration.executeCommandConfiguration", EXEC),
    no_effect("configuration.executeCommandConfiguration.kmsKeyId", EXEC),
    no_effect("configuration.executeCommandConfiguration.logging", EXEC).cases(&[fine("NONE")]),
    no_effect("configuration.executeCommandConfiguration.logConfiguration", EXEC),
    no_effect("configuration.executeCommandConfiguration.logConfiguration.cloudWatchLogGroupName", EXEC),
    no_effect("configuration.executeCommandConfiguration.logConfiguration.cloudWatchEncryptionEnabled", EXEC),
    no_effect("configuration.executeCommandConfiguration.logConfiguration.s3BucketName", EXEC),
    no_effect("configuration.executeCommandConfiguration.logConfiguration.s3EncryptionEnabled", EXEC),
    no_effect("configuration.executeCommandConfiguration.logConfiguration.s3KeyPrefix", EXEC),
    no_effect("configuration.managedStorageConfiguration", STORAGE),
    no_effect("configuration.managedStorageConfiguration.kmsKeyId", STORAGE),
    no_effect("configuration.managedStorageConfiguration.fargateEphemeralStorageKmsKeyId", STORAGE),
    with_note("capacityProviders", "one that is taken off the list stays associated while tasks run on it"),
    with_note(
        "defaultCapacityProviderStrategy",
        "may be empty: services that name nothing run on the cluster's own nodes",
    ),
    honoured("defaultCapacityProviderStrategy[].capacityProvider"),
    honoured("defaultCapacityProviderStrategy[].weight"),
    honoured("defaultCapacityProviderStrategy[].base"),
    no_effect("serviceConnectDefaults", SERVICE_CONNECT_DEFAULTS),
    no_effect("serviceConnectDefaults.namespace", SERVICE_CONNECT_DEFAULTS),
    ignored("clusterArn"),
    ignored("status"),
    ignored("registeredContainerInstancesCount"),
    ignored("runningTasksCount"),
    ignored("pendingTasksCount"),
    ignored("activeServicesCount"),
    ignored("statistics"),
    ignored("attachments"),
    ignored("attachmentsStatus"),
];
