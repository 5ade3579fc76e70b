//! The ECS rules of a whole service, in the order in which ECS would complain.

use crate::capacity_provider::strategy::strategy_rules;
use crate::schema::Rule;

/// Rules about the capacity provider strategy of a service.
pub const SERVICE_STRATEGY_RULES: &[Rule] = &strategy_rules!("capacityProviderStrategy");

/// Rules that the spec of one service must meet by itself.
pub const SERVICE_RULES: &[Rule] = &[
    Rule {
        path: ".service",
        message: "InvalidParameterException: service and serviceName must be the same when both are given",
        cel: "!has(self.service) || !has(self.serviceName) || self.service == self.serviceName || \
              self.service.endsWith('/' + self.serviceName)",
    },
    Rule {
        path: ".schedulingStrategy",
        message: "InvalidParameterException: schedulingStrategy cannot be changed after the service was created",
        cel: "(has(self.schedulingStrategy) ? self.schedulingStrategy : 'REPLICA') == (has(oldSelf.schedulingStrategy) \
              ? oldSelf.schedulingStrategy : 'REPLICA')",
    },
    Rule {
        path: ".cluster",
        message: "InvalidParameterException: cluster cannot be changed after the service was created",
        cel: "(has(self.cluster) ? self.cluster : 'default') == (has(oldSelf.cluster) ? oldSelf.cluster : 'default') \
              || (has(self.cluster) && self.cluster.endsWith('/' + (has(oldSelf.cluster) ? oldSelf.cluster : \
              'default'))) || (has(oldSelf.cluster) && oldSelf.cluster.endsWith('/' + (has(self.cluster) ? \
              self.cluster : 'default')))",
    },
    // UpdateService has no launchType. A capacity provider strategy takes its place, and an empty one brings it back.
    Rule {
        path: ".launchType",
        message: "InvalidParameterException: launchType cannot be changed after the service was created; use a \
                  capacityProviderStrategy instead",
        cel: "!has(self.launchType) || !has(oldSelf.launchType) || self.launchType == oldSelf.launchType",
    },
    Rule {
        path: ".desiredCount",
        message: "InvalidParameterException: The daemon scheduling strategy does not support a desired count for \
                  services. Remove the desired count and try again",
        cel: "!has(self.desiredCount) || !has(self.schedulingStrategy) || self.schedulingStrategy != 'DAEMON'",
    },
    // Counts of tasks have 32 bits on Kubernetes. ECS's quota, 5,000 tasks of a service, can be raised.
    Rule {
        path: ".desiredCount",
        message: "InvalidParameterException: desiredCount and maximumPercent (200 if not given) come to more than \
                  2147483647 tasks",
        cel: "!has(self.desiredCount) || \
              self.desiredCount * (has(self.deploymentConfiguration) && \
              has(self.deploymentConfiguration.maximumPercent) ? self.deploymentConfiguration.maximumPercent : 200) < \
              214748364800",
    },
    Rule {
        path: ".launchType",
        message: "InvalidParameterException: specifying both a launch type and capacity provider strategy is not \
                  supported; remove one and try again",
        cel: "!has(self.launchType) || !has(self.capacityProviderStrategy) || self.capacityProviderStrategy.size() == \
              0",
    },
    Rule {
        path: ".launchType",
        message: "InvalidParameterException: MANAGED_INSTANCES needs a capacityProviderStrategy and no launchType",
        cel: "!has(self.launchType) || self.launchType != 'MANAGED_INSTANCES'",
    },
    Rule {
        path: ".platformVersion",
        message: "InvalidParameterException: the platform version must be null when specifying an EC2 or EXTERNAL \
                  launch type",
        cel: "!has(self.platformVersion) || self.platformVersion == '' || !has(self.launchType) || self.launchType == \
              'FARGATE'",
    },
    Rule {
        path: ".networkConfiguration",
        message: "InvalidParameterException: assign public IP is not supported for this launch type",
        cel: "!has(self.launchType) || self.launchType == 'FARGATE' || !has(self.networkConfiguration) || \
              !has(self.networkConfiguration.awsvpcConfiguration) || \
              !has(self.networkConfiguration.awsvpcConfiguration.assignPublicIp) || \
              self.networkConfiguration.awsvpcConfiguration.assignPublicIp == 'DISABLED'",
    },
    Rule {
        path: ".schedulingStrategy",
        message: "InvalidParameterException: the daemon scheduling strategy is not supported on Fargate",
        cel: "!has(self.schedulingStrategy) || self.schedulingStrategy != 'DAEMON' || ((!has(self.launchType) || \
              self.launchType != 'FARGATE') && (!has(self.capacityProviderStrategy) || \
              !self.capacityProviderStrategy.exists(i, i.capacityProvider in ['FARGATE', 'FARGATE_SPOT'])))",
    },
    Rule {
        path: ".placementStrategy",
        message: "InvalidParameterException: the daemon scheduling strategy does not support placement strategies",
        cel: "!has(self.schedulingStrategy) || self.schedulingStrategy != 'DAEMON' || !has(self.placementStrategy) || \
              self.placementStrategy.size() == 0",
    },
    Rule {
        path: ".deploymentConfiguration.maximumPercent",
        message: "InvalidParameterException: the daemon scheduling strategy needs a maximumPercent of 100",
        cel: "!has(self.schedulingStrategy) || self.schedulingStrategy != 'DAEMON' || \
              !has(self.deploymentConfiguration) || !has(self.deploymentConfiguration.maximumPercent) || \
              self.deploymentConfiguration.maximumPercent == 100",
    },
    Rule {
        path: ".deploymentConfiguration.strategy",
        message: "InvalidParameterException: the daemon scheduling strategy supports deployment strategy ROLLING only",
        cel: "!has(self.schedulingStrategy) || self.schedulingStrategy != 'DAEMON' || \
              !has(self.deploymentConfiguration) || !has(self.deploymentConfiguration.strategy) || \
              self.deploymentConfiguration.strategy == 'ROLLING'",
    },
    Rule {
        path: ".volumeConfigurations",
        message: "InvalidParameterException: the daemon scheduling strategy does not support volumeConfigurations",
        cel: "!has(self.schedulingStrategy) || self.schedulingStrategy != 'DAEMON' || !has(self.volumeConfigurations) \
              || self.volumeConfigurations.size() == 0",
    },
    Rule {
        path: ".deploymentConfiguration",
        message: "InvalidParameterException: both maximumPercent and minimumHealthyPercent cannot be 100 as this will \
                  block deployments",
        cel: "(has(self.schedulingStrategy) && self.schedulingStrategy == 'DAEMON') || \
              !has(self.deploymentConfiguration) || !has(self.deploymentConfiguration.maximumPercent) || \
              self.deploymentConfiguration.maximumPercent != 100 || \
              (has(self.deploymentConfiguration.minimumHealthyPercent) && \
              self.deploymentConfiguration.minimumHealthyPercent != 100)",
    },
    Rule {
        path: ".placementConstraints",
        message: "InvalidParameterException: placement constraints are not supported on Fargate",
        cel: "!has(self.placementConstraints) || self.placementConstraints.size() == 0 || ((!has(self.launchType) || \
              self.launchType != 'FARGATE') && (!has(self.capacityProviderStrategy) || \
              !self.capacityProviderStrategy.exists(i, i.capacityProvider in ['FARGATE', 'FARGATE_SPOT'])))",
    },
    Rule {
        path: ".placementStrategy",
        message: "InvalidParameterException: placement strategies are not supported on Fargate",
        cel: "!has(self.placementStrategy) || self.placementStrategy.size() == 0 || ((!has(self.launchType) || \
              self.launchType != 'FARGATE') && (!has(self.capacityProviderStrategy) || \
              !self.capacityProviderStrategy.exists(i, i.capacityProvider in ['FARGATE', 'FARGATE_SPOT'])))",
    },
    Rule {
        path: ".availabilityZoneRebalancing",
        message: "InvalidParameterException: Availability Zone rebalancing does not support the daemon scheduling \
                  strategy",
        cel: "!has(self.availabilityZoneRebalancing) || self.availabilityZoneRebalancing != 'ENABLED' || \
              !has(self.schedulingStrategy) || self.schedulingStrategy != 'DAEMON'",
    },
    Rule {
        path: ".availabilityZoneRebalancing",
        message: "InvalidParameterException: Availability Zone rebalancing needs a maximumPercent greater than 100",
        cel: "!has(self.availabilityZoneRebalancing) || self.availabilityZoneRebalancing != 'ENABLED' || \
              !has(self.deploymentConfiguration) || !has(self.deploymentConfiguration.maximumPercent) || \
              self.deploymentConfiguration.maximumPercent > 100",
    },
    Rule {
        path: ".availabilityZoneRebalancing",
        message: "InvalidParameterException: Availability Zone rebalancing needs no placement strategy or spread over \
                  attribute:ecs.availability-zone as the first one",
        cel: "!has(self.availabilityZoneRebalancing) || self.availabilityZoneRebalancing != 'ENABLED' || \
              !has(self.placementStrategy) || self.placementStrategy.size() == 0 || \
              (has(self.placementStrategy[0].type) && self.placementStrategy[0].type == 'spread' && \
              has(self.placementStrategy[0].field) && self.placementStrategy[0].field == \
              'attribute:ecs.availability-zone')",
    },
    Rule {
        path: ".availabilityZoneRebalancing",
        message: "InvalidParameterException: Availability Zone rebalancing does not support placement constraints on \
                  attribute:ecs.availability-zone",
        cel: "!has(self.availabilityZoneRebalancing) || self.availabilityZoneRebalancing != 'ENABLED' || \
              !has(self.placementConstraints) || !self.placementConstraints.exists(c, has(c.expression) && \
              c.expression.contains('attribute:ecs.availability-zone'))",
    },
    Rule {
        path: ".kubernetes.priorityClassName",
        message: "InvalidParameterException: kubernetes.priorityClassName cannot be a class of the system, whose names \
                  begin with system-",
        cel: "!has(self.kubernetes) || !has(self.kubernetes.priorityClassName) || \
              !self.kubernetes.priorityClassName.startsWith('system-')",
    },
    Rule {
        path: ".role",
        message: "InvalidParameterException: an IAM role can be specified for services with load balancers only",
        cel: "!has(self.role) || self.role == '' || (has(self.loadBalancers) && self.loadBalancers.size() > 0)",
    },
    Rule {
        path: ".role",
        message: "InvalidParameterException: an IAM role cannot be specified for services that require a service \
                  linked role",
        cel: "!has(self.role) || self.role == '' || (!has(self.networkConfiguration) && (!has(self.serviceRegistries) \
              || self.serviceRegistries.size() == 0))",
    },
];
