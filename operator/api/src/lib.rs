//! The custom resources of `ecs-operator.dev/v1alpha1`: what users write and what the operator reports.
//!
//! `spec` of each kind has the field names, nesting and enum spelling of the ECS API, so that the JSON of `aws ecs …
//! --cli-input-json` and of `aws ecs describe-…` is a valid `spec`. Everything without an ECS counterpart lives under
//! one `kubernetes` object per kind. The types carry the ECS limits as schema bounds and, where one object is enough to
//! decide, the ECS rules as CEL.
//!
//! Types are named after the shapes of the ECS API model, so `ContainerDefinition` here is `ContainerDefinition` there.

#![allow(clippy::duplicated_attributes, reason = "every printcolumn of a kind has its own `type_` and `priority`")]

pub mod capacity_provider;
pub mod cluster;
pub mod conditions;
pub mod crds;
pub mod names;
pub mod revision;
pub mod scalable_target;
pub mod schema;
pub mod service;
pub mod service_deployment;
pub mod tags;
pub mod task_definition;
