//! Network, load balancers, discovery and gateways of a service.

use super::field::{Field, fine, honoured, no_effect, refused};

const LOAD_BALANCERS: &str = "not applied by this version: no targets are registered, and deployments do not wait for \
    their health";
const REGISTRIES: &str = "not applied by this version: no names are registered; use the name of the Kubernetes Service";
const LATTICE: &str = "not applied by this version: no targets are registered with VPC Lattice";
const GATEWAY: &str = "not applied by this version: no route is attached to a gateway";

/// In the order of the model.
pub(super) const FIELDS: &[Field] = &[
    no_effect("loadBalancers", LOAD_BALANCERS),
    no_effect("loadBalancers[].targetGroupArn", LOAD_BALANCERS),
    refused("loadBalancers[].loadBalancerName", "Classic load balancers have no counterpart"),
    no_effect("loadBalancers[].containerName", LOAD_BALANCERS),
    no_effect("loadBalancers[].containerPort", LOAD_BALANCERS),
    no_effect("loadBalancers[].advancedConfiguration", LOAD_BALANCERS),
    no_effect("loadBalancers[].advancedConfiguration.alternateTargetGroupArn", LOAD_BALANCERS),
    no_effect("loadBalancers[].advancedConfiguration.productionListenerRule", LOAD_BALANCERS),
    no_effect("loadBalancers[].advancedConfiguration.testListenerRule", LOAD_BALANCERS),
    no_effect("loadBalancers[].advancedConfiguration.roleArn", LOAD_BALANCERS),
    no_effect("serviceRegistries", REGISTRIES),
    no_effect("serviceRegistries[].registryArn", REGISTRIES),
    no_effect("serviceRegistries[].port", REGISTRIES),
    no_effect("serviceRegistries[].containerName", REGISTRIES),
    no_effect("serviceRegistries[].containerPort", REGISTRIES),
    honoured("networkConfiguration"),
    honoured("networkConfiguration.awsvpcConfiguration"),
    no_effect("networkConfiguration.awsvpcConfiguration.subnets", "a pod is in the network of its node"),
    no_effect(
        "networkConfiguration.awsvpcConfiguration.securityGroups",
        "NetworkPolicies restrict traffic here, and the operator does not derive any from security group ids",
    ),
    no_effect("networkConfiguration.awsvpcConfiguration.assignPublicIp", "a pod has no public IP address of its own")
        .cases(&[fine("DISABLED")]),
    no_effect("vpcLatticeConfigurations", LATTICE),
    no_effect("vpcLatticeConfigurations[].roleArn", LATTICE),
    no_effect("vpcLatticeConfigurations[].targetGroupArn", LATTICE),
    no_effect("vpcLatticeConfigurations[].portName", LATTICE),
    no_effect("vpcLatticeConfigurations[].advancedConfiguration", LATTICE),
    no_effect("vpcLatticeConfigurations[].advancedConfiguration.alternateTargetGroupArn", LATTICE),
    no_effect("vpcLatticeConfigurations[].advancedConfiguration.productionListenerRule", LATTICE),
    no_effect("vpcLatticeConfigurations[].advancedConfiguration.testListenerRule", LATTICE),
    no_effect("gatewayConnectors", GATEWAY),
    no_effect("gatewayConnectors[].portName", GATEWAY),
    no_effect("gatewayConnectors[].healthCheck", GATEWAY),
    no_effect("gatewayConnectors[].healthCheck.healthCheckProtocol", GATEWAY),
    no_effect("gatewayConnectors[].healthCheck.healthCheckPort", GATEWAY),
    no_effect("gatewayConnectors[].healthCheck.healthCheckPath", GATEWAY),
    no_effect("gatewayConnectors[].healthCheck.healthCheckTimeoutSeconds", GATEWAY),
    no_effect("gatewayConnectors[].healthCheck.healthCheckIntervalSeconds", GATEWAY),
    no_effect("gatewayConnectors[].healthCheck.healthyThresholdCount", GATEWAY),
    no_effect("gatewayConnectors[].healthCheck.unhealthyThresholdCount", GATEWAY),
    no_effect("gatewayConnectors[].healthCheck.matcher", GATEWAY),
    no_effect("gatewayConnectors[].healthCheck.matcher.httpCode", GATEWAY),
    no_effect("gatewayConnectors[].healthCheck.matcher.grpcCode", GATEWAY),
    no_effect("gatewayConnectors[].filters", GATEWAY),
    no_effect("gatewayConnectors[].filters.accessTypes", GATEWAY),
    no_effect("gatewayConnectors[].deregistrationDelay", GATEWAY),
    no_effect("gatewayConnectors[].deregistrationDelay.timeoutSeconds", GATEWAY),
];
