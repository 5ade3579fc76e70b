//! ECSCluster: a group of services with its capacity providers and defaults. The spec is the input of CreateCluster and
//! PutClusterCapacityProviders.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::capacity_provider::CapacityProviderStrategyItem;
use crate::capacity_provider::strategy::strategy_rules;
use crate::conditions::Condition;
use crate::schema::{Ignored, MicroTime, Rule, validations};
use crate::tags::Tag;

/// Rules about the default capacity provider strategy of a cluster.
pub const CLUSTER_STRATEGY_RULES: &[Rule] = &strategy_rules!("defaultCapacityProviderStrategy");

/// Rules that the spec of one cluster must meet by itself.
pub const CLUSTER_RULES: &[Rule] = &[
    Rule {
        path: ".cluster",
        message: "InvalidParameterException: cluster and clusterName must be the same when both are given",
        cel: "!has(self.cluster) || !has(self.clusterName) || self.cluster == self.clusterName || \
              self.cluster.endsWith('/' + self.clusterName)",
    },
    Rule {
        path: ".defaultCapacityProviderStrategy",
        message: "InvalidParameterException: the default capacity provider strategy cannot contain a capacity provider \
                  that is not associated with the cluster",
        // FARGATE and FARGATE_SPOT too. Each name may be given as an ARN, of which the last segment counts.
        cel: "!has(self.defaultCapacityProviderStrategy) || self.defaultCapacityProviderStrategy.all(i, \
              has(self.capacityProviders) && self.capacityProviders.exists(p, p == i.capacityProvider || \
              p.endsWith('/' + i.capacityProvider) || i.capacityProvider.endsWith('/' + p)))",
    },
];

/// A group of services with its capacity providers and defaults: the input of CreateCluster and
/// PutClusterCapacityProviders.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "ecs-operator.dev",
    version = "v1alpha1",
    kind = "ECSCluster",
    plural = "ecsclusters",
    shortname = "ecsc",
    category = "ecs",
    namespaced,
    status = "ClusterStatus",
    derive = "PartialEq",
    doc = "A group of services with its capacity providers and defaults, like an Amazon ECS cluster. The spec is the \
           input of CreateCluster and PutClusterCapacityProviders.",
    validation = kube::core::Rule::new(
        "(has(self.spec.clusterName) ? self.spec.clusterName : self.metadata.name) \
         == (has(oldSelf.spec.clusterName) ? oldSelf.spec.clusterName : self.metadata.name)"
    )
    .message("InvalidParameterException: clusterName cannot be changed after the cluster was created")
    .field_path(".spec.clusterName"),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.status",
        description = "PROVISIONING, ACTIVE, DEPROVISIONING, FAILED or INACTIVE."
    ),
    printcolumn(
        name = "Services",
        type_ = "integer",
        json_path = ".status.activeServicesCount",
        description = "Services in ACTIVE."
    ),
    printcolumn(
        name = "Running",
        type_ = "integer",
        json_path = ".status.runningTasksCount",
        description = "Tasks in RUNNING."
    ),
    printcolumn(
        name = "Pending",
        type_ = "integer",
        json_path = ".status.pendingTasksCount",
        description = "Tasks on their way to RUNNING."
    ),
    printcolumn(
        name = "Instances",
        type_ = "integer",
        json_path = ".status.registeredContainerInstancesCount",
        description = "Nodes of the cluster."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the cluster is in the state that its spec asks for."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the object was created."
    ),
    printcolumn(
        name = "Cluster name",
        type_ = "string",
        json_path = ".status.clusterName",
        description = "ECS name of the cluster.",
        priority = 1
    ),
    printcolumn(
        name = "Capacity providers",
        type_ = "string",
        json_path = ".spec.capacityProviders",
        description = "Associated capacity providers.",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(&[CLUSTER_RULES, CLUSTER_STRATEGY_RULES].concat())))]
pub struct ClusterSpec {
    /// ECS name, up to 255 letters, digits, `_` and `-`. Defaults to `metadata.name`. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub cluster_name: Option<String>,
    /// Cluster that PutClusterCapacityProviders addresses, by short name or ARN. Accepted so that you can paste its
    /// input unchanged; must not contradict `clusterName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub cluster: Option<String>,
    /// Tags of the cluster; at most 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["key"]))]
    pub tags: Option<Vec<Tag>>,
    /// Cluster settings: `containerInsights`. No effect: the metrics pipeline of the Kubernetes cluster collects
    /// metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub settings: Option<Vec<ClusterSetting>>,
    /// Exec and storage settings. No effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<ClusterConfiguration>,
    /// Names of the capacity providers that services of the cluster may use, including `FARGATE` and `FARGATE_SPOT`; at
    /// most 100. A provider that you remove stays associated until its last task has stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 255)), extend("x-kubernetes-list-type" = "set"))]
    pub capacity_providers: Option<Vec<String>>,
    /// Strategy of services that have neither a strategy nor a launch type; at most 20 items, each with a provider in
    /// `capacityProviders`. If empty, such services run on any node of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 20),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["capacityProvider"])
    )]
    pub default_capacity_provider_strategy: Option<Vec<CapacityProviderStrategyItem>>,
    /// Default namespace of services that enable Service Connect without naming one. No effect in this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_connect_defaults: Option<ClusterServiceConnectDefaults>,
    /// Settings without an ECS counterpart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<ClusterKubernetes>,

    /// Returned by DescribeClusters; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
    pub cluster_arn: Option<Ignored>,
    /// Returned by DescribeClusters; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
    pub status: Option<Ignored>,
    /// Returned by DescribeClusters; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::integer")]
    pub registered_container_instances_count: Option<Ignored>,
    /// Returned by DescribeClusters; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::integer")]
    pub running_tasks_count: Option<Ignored>,
    /// Returned by DescribeClusters; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::integer")]
    pub pending_tasks_count: Option<Ignored>,
    /// Returned by DescribeClusters; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::integer")]
    pub active_services_count: Option<Ignored>,
    /// Returned by DescribeClusters; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::list")]
    pub statistics: Option<Ignored>,
    /// Returned by DescribeClusters; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::list")]
    pub attachments: Option<Ignored>,
    /// Returned by DescribeClusters; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
    pub attachments_status: Option<Ignored>,
}

/// A setting of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSetting {
    /// Name of the setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ClusterSettingName>,
    /// Value of the setting. `containerInsights`: `enabled`, `enhanced` or `disabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ContainerInsights>,
}

/// Name of a cluster setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ClusterSettingName {
    /// CloudWatch Container Insights.
    ContainerInsights,
}

/// Value of the cluster setting `containerInsights`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ContainerInsights {
    /// On.
    Enabled,
    /// On, with more detail.
    Enhanced,
    /// Off.
    Disabled,
}

/// Exec and storage settings of a cluster. No effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterConfiguration {
    /// Encryption and logging of commands in containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execute_command_configuration: Option<ExecuteCommandConfiguration>,
    /// KMS keys of managed storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_storage_configuration: Option<ManagedStorageConfiguration>,
}

/// Rules that one [`ExecuteCommandConfiguration`] must meet by itself.
pub const EXECUTE_COMMAND_CONFIGURATION_RULES: &[Rule] = &[Rule {
    path: ".logConfiguration",
    message: "InvalidParameterException: logConfiguration is required when logging is OVERRIDE",
    cel: "!has(self.logging) || self.logging != 'OVERRIDE' || has(self.logConfiguration)",
}];

/// Encryption and logging of commands in containers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(EXECUTE_COMMAND_CONFIGURATION_RULES)))]
pub struct ExecuteCommandConfiguration {
    /// KMS key that encrypts the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub kms_key_id: Option<String>,
    /// Where to log sessions. Defaults to `DEFAULT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logging: Option<ExecuteCommandLogging>,
    /// Log configuration for `logging: OVERRIDE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_configuration: Option<ExecuteCommandLogConfiguration>,
}

/// Where exec sessions are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExecuteCommandLogging {
    /// None.
    None,
    /// To the log configuration of the task definition.
    Default,
    /// To the destination in `logConfiguration`.
    Override,
}

/// Log destination of exec sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExecuteCommandLogConfiguration {
    /// Name of the CloudWatch log group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub cloud_watch_log_group_name: Option<String>,
    /// Whether the log group is encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_watch_encryption_enabled: Option<bool>,
    /// Name of the S3 bucket.
    #[serde(rename = "s3BucketName", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub s3_bucket_name: Option<String>,
    /// Whether the S3 bucket is encrypted.
    #[serde(rename = "s3EncryptionEnabled", default, skip_serializing_if = "Option::is_none")]
    pub s3_encryption_enabled: Option<bool>,
    /// Key prefix in the S3 bucket.
    #[serde(rename = "s3KeyPrefix", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub s3_key_prefix: Option<String>,
}

/// KMS keys of managed storage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagedStorageConfiguration {
    /// KMS key of managed volumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub kms_key_id: Option<String>,
    /// KMS key of the ephemeral storage of Fargate tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub fargate_ephemeral_storage_kms_key_id: Option<String>,
}

/// Rules that one [`ClusterServiceConnectDefaults`] must meet by itself.
pub const SERVICE_CONNECT_DEFAULTS_RULES: &[Rule] = &[Rule {
    path: ".namespace",
    message: "InvalidParameterException: the name of a namespace has at most 1024 characters",
    cel: "self.namespace.startsWith('arn:') || self.namespace.size() <= 1024",
}];

/// Service Connect defaults of a cluster. No effect in this version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(SERVICE_CONNECT_DEFAULTS_RULES)))]
pub struct ClusterServiceConnectDefaults {
    /// Cloud Map namespace: a name of at most 1024 characters without `<`, `>`, `"` and `/`, or an ARN. An empty string
    /// removes the default.
    #[schemars(length(max = 2048), regex(pattern = r#"^(arn:.*|[^<>"/]*)$"#))]
    pub namespace: String,
}

/// Settings of a cluster without an ECS counterpart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterKubernetes {
    /// Labels of the nodes that are container instances of the cluster. An administrator must list each in the annotation
    /// `ecs-operator.dev/allowed-placement` of the Namespace, as `node-labels=KEY=VALUE`. Defaults to every node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 100))]
    pub node_selector: Option<BTreeMap<String, String>>,
}

/// State of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ClusterState {
    /// Associating capacity providers.
    Provisioning,
    /// Ready for services.
    Active,
    /// Being deleted.
    Deprovisioning,
    /// The association of capacity providers failed.
    Failed,
    /// Deleted.
    Inactive,
}

/// Observed state of a cluster, in the spelling of DescribeClusters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatus {
    /// `metadata.generation` of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// Current conditions of the cluster.
    #[serde(default, deserialize_with = "crate::conditions::known", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// ARN of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub cluster_arn: Option<String>,
    /// ECS name of the cluster: `spec.clusterName`, or `metadata.name` when that is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub cluster_name: Option<String>,
    /// State of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ClusterState>,
    /// Number of nodes of the cluster, ACTIVE or DRAINING, Ready or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub registered_container_instances_count: Option<i32>,
    /// Number of those nodes that are DRAINING.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub draining_container_instances_count: Option<i32>,
    /// Nodes of the cluster, DRAINING ones first, then by name; at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub container_instances: Vec<ContainerInstance>,
    /// Number of further nodes that are not listed in `containerInstances`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub more_container_instances_count: Option<i32>,
    /// Tasks in RUNNING.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub running_tasks_count: Option<i32>,
    /// Tasks on their way to RUNNING.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub pending_tasks_count: Option<i32>,
    /// Services in ACTIVE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub active_services_count: Option<i32>,
    /// Tasks and services by launch type, as DescribeClusters returns them with STATISTICS: `runningEC2TasksCount`,
    /// `drainingFargateServiceCount` and so on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub statistics: Vec<ClusterStatistic>,
    /// Associated capacity providers, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub capacity_providers: Vec<ClusterCapacityProvider>,
}

/// State of a container instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ContainerInstanceStatus {
    /// Accepts tasks.
    Active,
    /// Accepts no new tasks; services replace their tasks on other nodes.
    Draining,
}

/// A node as a container instance, without fields that change with every task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerInstance {
    /// Name of the Node.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Id of the EC2 instance: the last part of the Node's `spec.providerID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub ec2_instance_id: Option<String>,
    /// ACTIVE or DRAINING.
    pub status: ContainerInstanceStatus,
    /// Whether the Node is Ready.
    pub agent_connected: bool,
    /// Time when the Node joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<MicroTime>,
}

/// A statistic of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatistic {
    /// Name of the statistic.
    #[schemars(length(max = 64))]
    pub name: String,
    /// Value of the statistic, as text.
    #[schemars(length(max = 20))]
    pub value: String,
}

/// State of the association of a capacity provider with a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ClusterCapacityProviderState {
    /// Associated and usable.
    Associated,
    /// No ECSCapacityProvider has this name.
    NotFound,
    /// The ECSCapacityProvider does not allow this namespace.
    NotAllowed,
    /// Removed from the list while services still use it; stays associated until they no longer do.
    InUse,
}

/// A capacity provider of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterCapacityProvider {
    /// Name of the capacity provider.
    #[schemars(length(max = 255))]
    pub name: String,
    /// Whether services can use it.
    pub state: ClusterCapacityProviderState,
}
