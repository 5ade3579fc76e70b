//! ECSService: keeps a number of tasks of one task definition running and replaces them when it changes. The spec is
//! the input of CreateService and UpdateService.

mod connect;
mod deployment_configuration;
mod gateway;
mod kubernetes;
mod load_balancer;
mod monitoring;
mod network;
mod placement;
pub mod rules;
mod status;
mod volume;

pub use connect::*;
pub use deployment_configuration::*;
pub use gateway::*;
pub use kubernetes::*;
pub use load_balancer::*;
pub use monitoring::*;
pub use network::*;
pub use placement::*;
pub use status::*;
pub use volume::*;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::capacity_provider::CapacityProviderStrategyItem;
use crate::schema::{Ignored, validations};
use crate::tags::Tag;
use rules::{SERVICE_RULES, SERVICE_STRATEGY_RULES};

/// A number of tasks that is kept running, as CreateService and UpdateService describe it.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "ecs-operator.dev",
    version = "v1alpha1",
    kind = "ECSService",
    plural = "ecsservices",
    shortname = "ecssvc",
    category = "ecs",
    namespaced,
    status = "ServiceStatus",
    derive = "PartialEq",
    doc = "Keeps a number of tasks of one task definition running and replaces them when it changes, as an Amazon ECS \
           service does. The spec is the input of CreateService and UpdateService.",
    scale(
        spec_replicas_path = ".spec.desiredCount",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    validation = kube::core::Rule::new(
        "(has(self.spec.serviceName) ? self.spec.serviceName : self.metadata.name) \
         == (has(oldSelf.spec.serviceName) ? oldSelf.spec.serviceName : self.metadata.name)"
    )
    .message("InvalidParameterException: serviceName cannot be changed after the service was created")
    .field_path(".spec.serviceName"),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.status",
        description = "ACTIVE, DRAINING or INACTIVE."
    ),
    printcolumn(
        name = "Desired",
        type_ = "integer",
        json_path = ".status.desiredCount",
        description = "Tasks that should run."
    ),
    printcolumn(
        name = "Running",
        type_ = "integer",
        json_path = ".status.runningCount",
        description = "Tasks in RUNNING."
    ),
    printcolumn(
        name = "Pending",
        type_ = "integer",
        json_path = ".status.pendingCount",
        description = "Tasks on their way to RUNNING."
    ),
    printcolumn(
        name = "Task definition",
        type_ = "string",
        json_path = ".status.taskDefinition",
        description = "Revision of the PRIMARY deployment."
    ),
    printcolumn(
        name = "Rollout",
        type_ = "string",
        json_path = ".status.deployments[?(@.status==\"PRIMARY\")].rolloutState",
        description = "How far the PRIMARY deployment is."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the service does what its spec asks for."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the object was made."
    ),
    printcolumn(
        name = "Service name",
        type_ = "string",
        json_path = ".status.serviceName",
        description = "ECS name of the service.",
        priority = 1
    ),
    printcolumn(
        name = "Cluster",
        type_ = "string",
        json_path = ".spec.cluster",
        description = "Cluster of the service; default when empty.",
        priority = 1
    ),
    printcolumn(
        name = "Launch type",
        type_ = "string",
        json_path = ".status.launchType",
        description = "Launch type in effect.",
        priority = 1
    ),
    printcolumn(
        name = "Scheduling",
        type_ = "string",
        json_path = ".spec.schedulingStrategy",
        description = "REPLICA or DAEMON; REPLICA when empty.",
        priority = 1
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        description = "Why the service is ready or not.",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(&[SERVICE_RULES, SERVICE_STRATEGY_RULES].concat())))]
pub struct ServiceSpec {
    /// Cluster, by short name or ARN: the ECSCluster of that name in the same namespace. `default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048), regex(pattern = r"^(arn:[^ ]+:cluster/)?[A-Za-z0-9_-]{1,255}$"))]
    pub cluster: Option<String>,
    /// ECS name, up to 255 letters, digits, `_` and `-`; `metadata.name` when absent. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub service_name: Option<String>,
    /// Name by which UpdateService addresses the service, short or ARN. Accepted so that its input pastes as it is;
    /// must not contradict `serviceName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub service: Option<String>,
    /// Task definition: `family` follows the latest ACTIVE revision, `family:N` stays; an ARN is fine too. Changing it
    /// starts a deployment.
    #[schemars(
        length(min = 1, max = 2048),
        regex(pattern = r"^(arn:[^ ]+:task-definition/)?[A-Za-z0-9_-]{1,255}(:[0-9]{1,10})?$")
    )]
    pub task_definition: String,
    /// Whether tasks are moved until every zone has as many. `ENABLED` when absent and the service is compatible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability_zone_rebalancing: Option<AvailabilityZoneRebalancing>,
    /// Target groups; at most 5. Changing them starts a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 5))]
    pub load_balancers: Option<Vec<LoadBalancer>>,
    /// Cloud Map registry; at most 1. Changing it starts a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1))]
    pub service_registries: Option<Vec<ServiceRegistry>>,
    /// Number of tasks to keep running; required for REPLICA, ignored for DAEMON. Changing it starts no deployment. An
    /// autoscaler changes it through the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "desired_count")]
    pub desired_count: Option<i32>,
    /// Idempotency token of CreateService, up to 36 characters. The object's name does its work here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 36))]
    pub client_token: Option<String>,
    /// Kind of capacity; not together with `capacityProviderStrategy`. Cannot be changed to another one: a strategy takes
    /// its place, as in UpdateService.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_type: Option<LaunchType>,
    /// How tasks are divided over capacity providers; at most 20. The cluster's default strategy when this and
    /// `launchType` are absent. Changing it starts no deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 20),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["capacityProvider"])
    )]
    pub capacity_provider_strategy: Option<Vec<CapacityProviderStrategyItem>>,
    /// Fargate platform version; recorded only. Changing it starts a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub platform_version: Option<String>,
    /// IAM role with which ECS calls the load balancer; no effect here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub role: Option<String>,
    /// How tasks are replaced. Changing it starts no deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_configuration: Option<DeploymentConfiguration>,
    /// Binding rules about nodes; at most 10 together with those of the task definition. Changing them starts no
    /// deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub placement_constraints: Option<Vec<PlacementConstraint>>,
    /// Best-effort rules about the distribution of tasks, in order; at most 5. Changing them starts no deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 5))]
    pub placement_strategy: Option<Vec<PlacementStrategy>>,
    /// Network of awsvpc tasks. Changing it starts a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_configuration: Option<NetworkConfiguration>,
    /// Seconds after the start of a task for which failing health checks are ignored, 0 to 2147483647; 0 when absent.
    /// Changing it starts no deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub health_check_grace_period_seconds: Option<i32>,
    /// A number of tasks or one task per node; `REPLICA` when absent. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduling_strategy: Option<SchedulingStrategy>,
    /// Who runs deployments; `ECS` when absent, the others are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_controller: Option<DeploymentController>,
    /// Tags of the service; at most 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["key"]))]
    pub tags: Option<Vec<Tag>>,
    /// Whether tasks carry the tags `aws:ecs:clusterName` and `aws:ecs:serviceName`; false when absent.
    #[serde(rename = "enableECSManagedTags", default, skip_serializing_if = "Option::is_none")]
    pub enable_ecs_managed_tags: Option<bool>,
    /// Where the tags of tasks are copied from when they are created; `NONE` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propagate_tags: Option<PropagateTags>,
    /// Whether commands may be run in the containers; false when absent. Changing it starts no deployment: tasks of the next
    /// one have it. Refusing commands where it is false takes the chart's `admission.executeCommand`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_execute_command: Option<bool>,
    /// Names and ports under which services reach each other. Changing it starts a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_connect_configuration: Option<ServiceConnectConfiguration>,
    /// Settings of the volume that the task definition declares as `configuredAtLaunch`; REPLICA only. Changing them
    /// starts a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 10),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub volume_configurations: Option<Vec<ServiceVolumeConfiguration>>,
    /// VPC Lattice target groups. Changing them starts a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub vpc_lattice_configurations: Option<Vec<VpcLatticeConfiguration>>,
    /// Gateway that sends traffic to a named port; at most 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1))]
    pub gateway_connectors: Option<Vec<GatewayConnector>>,
    /// Resolution of the service's metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring: Option<MonitoringConfiguration>,
    /// Member of UpdateService: true, where the newest deployment was started without it, starts one deployment.
    /// `kubernetes.forceNewDeployment` can be used again and again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_new_deployment: Option<bool>,
    /// What ECS does not have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<ServiceKubernetes>,

    /// Part of DescribeServices output: accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_arn: Option<Ignored>,
    /// Part of DescribeServices output: accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_arn: Option<Ignored>,
    /// Part of DescribeServices output: accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Ignored>,
    /// Part of DescribeServices output: accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_count: Option<Ignored>,
    /// Part of DescribeServices output: accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_count: Option<Ignored>,
    /// Part of DescribeServices output: accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_family: Option<Ignored>,
    /// Part of DescribeServices output: accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_sets: Option<Ignored>,
    /// Part of DescribeServices output: accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployments: Option<Ignored>,
    /// Part of DescribeServices output: accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<Ignored>,
    /// Part of DescribeServices output: accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Ignored>,
    /// Part of DescribeServices output: accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Ignored>,
    /// Part of DescribeServices output: accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<Ignored>,
    /// Part of DescribeServices output: accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_service_deployment: Option<Ignored>,
    /// Part of DescribeServices output: accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_service_revisions: Option<Ignored>,
    /// Part of DescribeServices output: accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_management_type: Option<Ignored>,
}

// Not nullable: the server fails to read the scale of an object whose replicas are null, and takes the null of a member
// that is not nullable away before it reads.
fn desired_count(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "integer", "format": "int32", "minimum": 0 })
}

/// Whether tasks are moved until every zone has as many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum AvailabilityZoneRebalancing {
    /// They are.
    Enabled,
    /// They are not.
    Disabled,
}

/// Kind of capacity that tasks run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LaunchType {
    /// Nodes of the cluster.
    Ec2,
    /// Fargate on-demand capacity.
    Fargate,
    /// Machines of one's own.
    External,
    /// Managed instances: only through a capacity provider strategy.
    ManagedInstances,
}

/// How the number of tasks is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum SchedulingStrategy {
    /// `desiredCount` tasks.
    Replica,
    /// One task on each node that meets the placement constraints.
    Daemon,
}

/// Where the tags of a task are copied from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PropagateTags {
    /// The task definition.
    TaskDefinition,
    /// The service.
    Service,
    /// Nowhere.
    None,
}
