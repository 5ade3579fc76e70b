//! Service Connect: names and ports under which the services of a namespace reach each other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{Rule, validations};
use crate::task_definition::LogConfiguration;

/// Service Connect of a service. No aliases are created in this version. A service with `enabled` and no `services` is
/// a client only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceConnectConfiguration {
    /// Whether Service Connect is on.
    pub enabled: bool,
    /// Cloud Map namespace, by name or ARN. Defaults to `serviceConnectDefaults.namespace` of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub namespace: Option<String>,
    /// Ports that other services can connect to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub services: Option<Vec<ServiceConnectService>>,
    /// Log configuration of the proxy. No effect: there is no proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_configuration: Option<LogConfiguration>,
    /// Access log of the proxy. No effect: there is no proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_log_configuration: Option<ServiceConnectAccessLogConfiguration>,
    /// Settings of the proxy container; at most 10. No effect: there is no proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub container_configurations: Option<Vec<ServiceConnectContainerConfiguration>>,
}

/// Rules that one [`ServiceConnectService`] must meet by itself.
pub const SERVICE_CONNECT_SERVICE_RULES: &[Rule] = &[Rule {
    path: ".clientAliases",
    message: "InvalidParameterException: a Service Connect service needs exactly one client alias",
    cel: "has(self.clientAliases) && self.clientAliases.size() == 1",
}];

/// A port of the tasks that clients connect to by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validations(SERVICE_CONNECT_SERVICE_RULES)))]
pub struct ServiceConnectService {
    /// Name of the port mapping in the task definition.
    #[schemars(length(min = 1, max = 255))]
    pub port_name: String,
    /// Name of the service in the namespace, unique there. Defaults to the port name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = r"^[a-z0-9_][a-z0-9_-]*$"))]
    pub discovery_name: Option<String>,
    /// Name and port that clients use; exactly one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub client_aliases: Option<Vec<ServiceConnectClientAlias>>,
    /// Port that the proxy listens on. No effect: there is no proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 65535))]
    pub ingress_port_override: Option<i32>,
    /// Timeouts of the proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<TimeoutConfiguration>,
    /// TLS between proxies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ServiceConnectTlsConfiguration>,
}

/// Name and port that clients use for a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceConnectClientAlias {
    /// Port that clients connect to.
    #[schemars(range(min = 0, max = 65535))]
    pub port: i32,
    /// DNS name that clients use, up to 127 characters. Defaults to `discoveryName.namespace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 127))]
    pub dns_name: Option<String>,
    /// Requests that count as test traffic in a blue/green deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_traffic_rules: Option<ServiceConnectTestTrafficRules>,
}

/// Requests that count as test traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceConnectTestTrafficRules {
    /// Header of a test request.
    pub header: ServiceConnectTestTrafficHeaderRules,
}

/// Header that marks a request as test traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceConnectTestTrafficHeaderRules {
    /// Name of the header.
    #[schemars(length(max = 255))]
    pub name: String,
    /// Value of the header. Defaults to any value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ServiceConnectTestTrafficHeaderMatchRules>,
}

/// How to compare the value of a header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceConnectTestTrafficHeaderMatchRules {
    /// The exact value.
    #[schemars(length(max = 4096))]
    pub exact: String,
}

/// Timeouts of the Service Connect proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimeoutConfiguration {
    /// Seconds that an idle connection stays open; 0 disables the timeout. Defaults to 300 for HTTP, HTTP/2 and gRPC,
    /// and to 3600 for TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub idle_timeout_seconds: Option<i32>,
    /// Seconds to wait for a response; 0 disables the timeout. Not for TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub per_request_timeout_seconds: Option<i32>,
}

/// TLS between Service Connect proxies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceConnectTlsConfiguration {
    /// Certificate authority.
    pub issuer_certificate_authority: ServiceConnectTlsCertificateAuthority,
    /// KMS key that encrypts the private key of the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub kms_key: Option<String>,
    /// IAM role that ECS uses to issue certificates. No effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub role_arn: Option<String>,
}

/// Certificate authority of Service Connect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceConnectTlsCertificateAuthority {
    /// ARN of the AWS Private Certificate Authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub aws_pca_authority_arn: Option<String>,
}

/// Access log of the Service Connect proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceConnectAccessLogConfiguration {
    /// Format of a line.
    pub format: ServiceConnectAccessLoggingFormat,
    /// Whether to log query parameters. Defaults to `DISABLED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_query_parameters: Option<ServiceConnectIncludeQueryParameters>,
}

/// Format of an access log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ServiceConnectAccessLoggingFormat {
    /// Text.
    Text,
    /// JSON.
    Json,
}

/// Whether the access log includes query parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ServiceConnectIncludeQueryParameters {
    /// Without query parameters.
    Disabled,
    /// With query parameters.
    Enabled,
}

/// Settings of the Service Connect proxy container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceConnectContainerConfiguration {
    /// Log level of the proxy. Defaults to `info`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_level: Option<ServiceConnectContainerLogLevel>,
}

/// Log level of the Service Connect proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ServiceConnectContainerLogLevel {
    /// Debug.
    Debug,
    /// Info.
    Info,
}
