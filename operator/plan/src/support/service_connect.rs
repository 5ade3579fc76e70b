//! Service Connect of a service.

use super::field::{Field, no_effect};

const SERVICE_CONNECT: &str =
    "not applied by this version: no aliases are created; use the name of the Kubernetes Service";

/// In the order of the model.
pub(super) const FIELDS: &[Field] = &[
    no_effect("serviceConnectConfiguration", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.enabled", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.namespace", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.services", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.services[].portName", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.services[].discoveryName", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.services[].clientAliases", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.services[].clientAliases[].port", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.services[].clientAliases[].dnsName", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.services[].clientAliases[].testTrafficRules", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.services[].clientAliases[].testTrafficRules.header", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.services[].clientAliases[].testTrafficRules.header.name", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.services[].clientAliases[].testTrafficRules.header.value", SERVICE_CONNECT),
    no_effect(
        "serviceConnectConfiguration.services[].clientAliases[].testTrafficRules.header.value.exact",
        SERVICE_CONNECT,
    ),
    no_effect("serviceConnectConfiguration.services[].ingressPortOverride", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.services[].timeout", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.services[].timeout.idleTimeoutSeconds", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.services[].timeout.perRequestTimeoutSeconds", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.services[].tls", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.services[].tls.issuerCertificateAuthority", SERVICE_CONNECT),
    no_effect(
        "serviceConnectConfiguration.services[].tls.issuerCertificateAuthority.awsPcaAuthorityArn",
        SERVICE_CONNECT,
    ),
    no_effect("serviceConnectConfiguration.services[].tls.kmsKey", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.services[].tls.roleArn", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.logConfiguration", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.logConfiguration.logDriver", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.logConfiguration.options", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.logConfiguration.secretOptions", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.logConfiguration.secretOptions[].name", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.logConfiguration.secretOptions[].valueFrom", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.accessLogConfiguration", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.accessLogConfiguration.format", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.accessLogConfiguration.includeQueryParameters", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.containerConfigurations", SERVICE_CONNECT),
    no_effect("serviceConnectConfiguration.containerConfigurations[].logLevel", SERVICE_CONNECT),
];
