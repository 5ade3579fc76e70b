//! A cluster.

use super::field::{Field, fine, honoured, ignored, no_effect, with_note};
use super::kubernetes;

const TAGS: &str = "tags of the ECSCluster stay in its spec; as on ECS, tasks do not get the tags of their cluster: \
    propagateTags copies those of the service or task definition";
const SETTINGS: &str = "Container Insights is a feature of CloudWatch; the cluster's own metrics pipeline collects the \
    metrics of tasks and nodes";
const CONFIGURATION: &str =
    "the operator neither logs nor encrypts kubectl exec sessions; storage keys are set in StorageClasses";
const EXEC: &str = "commands run through the API server (kubectl exec), which encrypts the session and writes it to \
    its audit log if the administrator configures that; no copy goes to CloudWatch or S3";
const STORAGE: &str =
    "volume keys are a parameter of the StorageClass, and keys of ephemeral storage are a setting of the nodes";
const SERVICE_CONNECT_DEFAULTS: &str = "not applied by this version: Service Connect creates no aliases";

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
    with_note("capacityProviders", "a provider that you remove from the list stays associated while tasks run on it"),
    with_note(
        "defaultCapacityProviderStrategy",
        "may be empty: services without strategy and launch type then run on the nodes of the cluster",
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
