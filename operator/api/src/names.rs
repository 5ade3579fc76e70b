//! Names that are part of the contract with users and other tools: group and version.

/// API group of every kind.
pub const GROUP: &str = "ecs-operator.dev";
/// API version of every kind.
pub const VERSION: &str = "v1alpha1";
