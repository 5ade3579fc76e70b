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

/// A number of tasks to keep running: the input of CreateService and UpdateService.
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
    doc = "Keeps a number of tasks of one task definition running and replaces them when it changes, like an Amazon \
           ECS service. The spec is the input of CreateService and UpdateService.",
    selectable = ".spec.cluster",
    selectable = ".spec.serviceName",
    selectable = ".spec.taskDefinition",
    selectable = ".spec.launchType",
    selectable = ".spec.schedulingStrategy",
    selectable = ".status.status",
    selectable = ".status.taskDefinition",
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
        description = "Rollout state of the PRIMARY deployment."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the service is in the state that its spec asks for."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the object was created."
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
        description = "Cluster of the service; empty means default.",
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
        description = "REPLICA or DAEMON; empty means REPLICA.",
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
    /// Cluster, by short name or ARN: the ECSCluster with that ECS name in the same namespace. Defaults to `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048), regex(pattern = r"^(arn:[^ ]+:cluster/)?[A-Za-z0-9_-]{1,255}$"))]
    pub cluster: Option<String>,
    /// ECS name, up to 255 letters, digits, `_` and `-`. Defaults to `metadata.name`. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub service_name: Option<String>,
    /// Service that UpdateService addresses, by short name or ARN. Accepted so that you can paste UpdateService input
    /// unchanged; must not contradict `serviceName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub service: Option<String>,
    /// Task definition: `family` follows the latest ACTIVE revision, `family:N` pins one; ARNs are accepted too.
    /// Changing it starts a deployment.
    #[schemars(
        length(min = 1, max = 2048),
        regex(pattern = r"^(arn:[^ ]+:task-definition/)?[A-Za-z0-9_-]{1,255}(:[0-9]{1,10})?$")
    )]
    pub task_definition: String,
    /// Whether a steady service moves tasks, one at a time, until the number of tasks per Availability Zone differs by
    /// at most one. Defaults to `DISABLED`, unlike on ECS, where a new compatible service defaults to `ENABLED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability_zone_rebalancing: Option<AvailabilityZoneRebalancing>,
    /// Target groups; at most 5. No targets are registered in this version: use `kubernetes.service` or an Ingress.
    /// Changing them starts a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 5))]
    pub load_balancers: Option<Vec<LoadBalancer>>,
    /// Cloud Map registry; at most 1. No names are registered in this version: use the name of the Kubernetes Service.
    /// Changing it starts a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1))]
    pub service_registries: Option<Vec<ServiceRegistry>>,
    /// Number of tasks to keep running; refused for DAEMON. Absent means unchanged, and 1 for a new service, where ECS
    /// requires it: leave it out where an autoscaler sets it. Changing it does not start a deployment. A
    /// HorizontalPodAutoscaler and `kubectl scale` set it through the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "desired_count")]
    pub desired_count: Option<i32>,
    /// Idempotency token of CreateService, up to 36 characters. No effect: the name of the object makes applying it
    /// idempotent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 36))]
    pub client_token: Option<String>,
    /// Launch type; mutually exclusive with `capacityProviderStrategy`. Cannot be changed to another launch type, only
    /// replaced by a strategy, as with UpdateService.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_type: Option<LaunchType>,
    /// How to divide the tasks among capacity providers; at most 20 items. Each provider becomes a Deployment with
    /// required node affinity. Defaults to the strategy of the cluster if `launchType` is absent too. Changing it does
    /// not start a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 20),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["capacityProvider"])
    )]
    pub capacity_provider_strategy: Option<Vec<CapacityProviderStrategyItem>>,
    /// Fargate platform version; recorded, without effect. Changing it starts a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub platform_version: Option<String>,
    /// IAM role that ECS uses to call the load balancer. No effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub role: Option<String>,
    /// How deployments replace tasks. Changing it does not start a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_configuration: Option<DeploymentConfiguration>,
    /// Constraints on the nodes that may run the tasks; at most 10, including those of the task definition. They become
    /// node affinity and pod anti-affinity of the tasks. Changing them does not start a deployment: they apply from the
    /// next deployment on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub placement_constraints: Option<Vec<PlacementConstraint>>,
    /// Best-effort rules for distributing tasks across nodes; at most 5. `spread` becomes topology spread constraints,
    /// `binpack` a scheduler profile. Changing them does not start a deployment: they apply from the next deployment
    /// on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 5))]
    pub placement_strategy: Option<Vec<PlacementStrategy>>,
    /// Network of tasks with network mode `awsvpc`. Subnets and security groups have no effect on a pod. Changing it
    /// starts a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_configuration: Option<NetworkConfiguration>,
    /// Seconds after the start of a task during which failing health checks are ignored, 0 to 2147483647. Defaults to
    /// 0. Changing it does not start a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub health_check_grace_period_seconds: Option<i32>,
    /// `REPLICA` keeps `desiredCount` tasks running; `DAEMON` becomes a DaemonSet that runs one task on each eligible
    /// node. Defaults to `REPLICA`. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduling_strategy: Option<SchedulingStrategy>,
    /// Deployment controller. Defaults to `ECS`; all others are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_controller: Option<DeploymentController>,
    /// Tags of the service; at most 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["key"]))]
    pub tags: Option<Vec<Tag>>,
    /// Whether tasks carry the tags `aws:ecs:clusterName` and `aws:ecs:serviceName` in the pod annotation
    /// `ecs-operator.dev/tags`. Defaults to false.
    #[serde(rename = "enableECSManagedTags", default, skip_serializing_if = "Option::is_none")]
    pub enable_ecs_managed_tags: Option<bool>,
    /// Source of the tags that new tasks carry in the pod annotation `ecs-operator.dev/tags`. Defaults to `NONE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propagate_tags: Option<PropagateTags>,
    /// Whether users may run commands in the containers (`kubectl exec`). Defaults to false. Changing it does not start
    /// a deployment: it applies to tasks of the next one. It is enforced only if `admission.executeCommand` is set in
    /// the Helm chart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_execute_command: Option<bool>,
    /// Service Connect: names and ports under which services reach each other. No aliases are created in this version:
    /// use the name of the Kubernetes Service. Changing it starts a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_connect_configuration: Option<ServiceConnectConfiguration>,
    /// Settings of the volume that the task definition declares as `configuredAtLaunch`; REPLICA only. The volume
    /// becomes an ephemeral PersistentVolumeClaim per task. Changing them starts a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 10),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub volume_configurations: Option<Vec<ServiceVolumeConfiguration>>,
    /// VPC Lattice target groups. No targets are registered in this version. Changing them starts a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub vpc_lattice_configurations: Option<Vec<VpcLatticeConfiguration>>,
    /// Gateway that routes traffic to a named port; at most 1. No effect in this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1))]
    pub gateway_connectors: Option<Vec<GatewayConnector>>,
    /// Resolution of the service's metrics. No effect: the metrics pipeline of the cluster decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring: Option<MonitoringConfiguration>,
    /// Member of UpdateService: true starts one deployment, unless the newest deployment was started with it. To force
    /// deployments repeatedly, change `kubernetes.forceNewDeployment`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_new_deployment: Option<bool>,
    /// Settings without an ECS counterpart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<ServiceKubernetes>,

    /// Returned by DescribeServices; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
    pub service_arn: Option<Ignored>,
    /// Returned by DescribeServices; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
    pub cluster_arn: Option<Ignored>,
    /// Returned by DescribeServices; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
    pub status: Option<Ignored>,
    /// Returned by DescribeServices; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::integer")]
    pub running_count: Option<Ignored>,
    /// Returned by DescribeServices; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::integer")]
    pub pending_count: Option<Ignored>,
    /// Returned by DescribeServices; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
    pub platform_family: Option<Ignored>,
    /// Returned by DescribeServices; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::list")]
    pub task_sets: Option<Ignored>,
    /// Returned by DescribeServices; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::list")]
    pub deployments: Option<Ignored>,
    /// Returned by DescribeServices; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
    pub role_arn: Option<Ignored>,
    /// Returned by DescribeServices; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::list")]
    pub events: Option<Ignored>,
    /// Returned by DescribeServices; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Ignored>,
    /// Returned by DescribeServices; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
    pub created_by: Option<Ignored>,
    /// Returned by DescribeServices; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
    pub current_service_deployment: Option<Ignored>,
    /// Returned by DescribeServices; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::list")]
    pub current_service_revisions: Option<Ignored>,
    /// Returned by DescribeServices; accepted and ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Ignored::text")]
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
    /// Enabled.
    Enabled,
    /// Disabled.
    Disabled,
}

/// Launch type: the kind of capacity that tasks run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LaunchType {
    /// Nodes of the cluster.
    Ec2,
    /// Fargate on-demand capacity.
    Fargate,
    /// External (on-premises) instances.
    External,
    /// ECS Managed Instances, selected through a capacity provider strategy only.
    ManagedInstances,
}

/// How many tasks a service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum SchedulingStrategy {
    /// `desiredCount` tasks.
    Replica,
    /// One task on each node that meets the placement constraints.
    Daemon,
}

/// Source of the tags of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PropagateTags {
    /// The task definition.
    TaskDefinition,
    /// The service.
    Service,
    /// None.
    None,
}
