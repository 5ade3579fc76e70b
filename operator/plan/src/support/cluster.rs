//! A cluster.

use super::field::{Field, honoured, ignored, no_effect};
use super::kubernetes;

const TAGS: &str = "not applied by this version: tags stay in the spec and are not copied to any child";
const SETTINGS: &str = "metrics are collected by the cluster's own metrics pipeline";
const CONFIGURATION: &str =
    "sessions of kubectl exec are not logged or encrypted by this operator, and storage keys are set in StorageClasses";
const SERVICE_CONNECT_DEFAULTS: &str = "not applied by this version: Service Connect makes no alias";

/// Every field of a cluster.
pub(super) const PARTS: &[&[Field]] = &[FIELDS, kubernetes::CLUSTER];

/// In the order of the model.
pub(super) const FIELDS: &[Field] = &[
    honoured("clusterName"),
    honoured("cluster"),
    no_effect("tags", TAGS),
    no_effect("tags[].key", TAGS),
    no_effect("tags[].value", TAGS),
    no_effect("settings", SETTINGS),
    no_effect("settings[].name", SETTINGS),
    no_effect("settings[].value", SETTINGS),
    no_effect("configuration", CONFIGURATION),
    no_effect("configuration.executeCommandConfiguration", CONFIGURATION),
    no_effect("configuration.executeCommandConfiguration.kmsKeyId", CONFIGURATION),
    no_effect("configuration.executeCommandConfiguration.logging", CONFIGURATION),
    no_effect("configuration.executeCommandConfiguration.logConfiguration", CONFIGURATION),
    no_effect("configuration.executeCommandConfiguration.logConfiguration.cloudWatchLogGroupName", CONFIGURATION),
    no_effect("configuration.executeCommandConfiguration.logConfiguration.cloudWatchEncryptionEnabled", CONFIGURATION),
    no_effect("configuration.executeCommandConfiguration.logConfiguration.s3BucketName", CONFIGURATION),
    no_effect("configuration.executeCommandConfiguration.logConfiguration.s3EncryptionEnabled", CONFIGURATION),
    no_effect("configuration.executeCommandConfiguration.logConfiguration.s3KeyPrefix", CONFIGURATION),
    no_effect("configuration.managedStorageConfiguration", CONFIGURATION),
    no_effect("configuration.managedStorageConfiguration.kmsKeyId", CONFIGURATION),
    no_effect("configuration.managedStorageConfiguration.fargateEphemeralStorageKmsKeyId", CONFIGURATION),
    honoured("capacityProviders"),
    honoured("defaultCapacityProviderStrategy"),
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
