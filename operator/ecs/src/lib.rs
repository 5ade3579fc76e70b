//! What Amazon ECS means, as functions of plain values.
//!
//! Every rule of ECS that needs a calculation or a decision is here once, without any Kubernetes type, clock or
//! network: the same input always gives the same answer. What a rule *becomes* on Kubernetes is decided by the crate
//! `plan`, which calls into this one.
//!
//! Numbers are integers throughout: units of CPU, MiB, seconds, tasks, percent.

pub mod arn;
pub mod capacity;
pub mod dependency;
pub mod deployment;
pub mod environment_file;
pub mod event;
pub mod hash;
pub mod health;
pub mod image;
pub mod lifecycle;
pub mod name;
pub mod pattern;
pub mod query;
pub mod rebalance;
pub mod rolling;
pub mod rollout;
pub mod scale_in;
pub mod secret;
pub mod size;
pub mod tags;
pub mod violation;
pub mod volume;

pub use violation::Violation;
