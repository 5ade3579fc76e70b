//! Pure planning: what the operator would do about one root object, as a function of what is known and of the time.
//!
//! ```text
//! World ──gather──> snapshot ──validate──> plan(now) ──> Plan { ops, status, notices, questions, wake }
//! ```
//!
//! Nothing in this crate can reach the network: it links neither tokio nor hyper nor kube's client, and a test in
//! `tests/boundaries/main.rs` reads the dependency graph to prove it. The same [`plan()`] runs in the operator, in
//! `kubectl ecs render` and in every test.

pub mod capacity;
pub mod core;
mod decide;
mod launch;
pub mod nodes;
mod permission;
pub mod pod;
pub mod routes;
pub mod sandbox;
pub mod support;
pub mod validate;
pub mod views;

pub mod capacity_provider;
pub mod cluster;
pub mod persistent_volume;
pub mod scalable_target;
pub mod service;
mod storage_class;
pub mod task_definition;

pub use core::facts::ClusterFeatures;
pub use core::kind::{Kind, ObjectKey};
pub use core::op::{Notice, NoticeKind, Op, Plan};
pub use core::question::{AlarmQuery, AlarmState, Answers, Ask, ImageAnswer, ImageQuery, Question};
pub use core::settings::{AlarmSource, ImageResolution, Settings};
pub use core::store::Stored;
pub use core::world::World;
pub use decide::plan;
