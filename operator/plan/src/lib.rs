//! Pure planning: what the operator would do about one root object, as a function of what is known and of the time.
//!
//! ```text
//! World ──gather──> snapshot ──validate──> plan(now) ──> Plan { ops, status, notices, images, alarms, wake }
//! ```
//!
//! Nothing in this crate can reach the network: it links neither tokio nor hyper nor kube's client, and a test in
//! `tests/boundaries.rs` reads the dependency graph to prove it. The same [`plan()`] runs in the operator, in
//! `kubectl ecs render` and in every test.

pub mod alarm;
mod attribute;
pub mod constraint;
pub mod container_instance;
mod decide;
pub mod diff;
pub mod facts;
pub mod image;
pub mod kind;
pub mod labels;
mod moment;
mod node;
pub mod object;
pub mod op;
pub mod policy;
pub mod quantity;
pub mod report;
mod root;
pub mod routes;
pub mod settings;
pub mod status;
pub mod store;
pub mod support;
pub mod task;
pub mod validate;
pub mod world;

pub mod capacity_provider;
pub mod cluster;
pub mod persistent_volume;
pub mod scalable_target;
pub mod service;
pub mod task_definition;

pub use alarm::{AlarmQuery, AlarmSource, AlarmState};
pub use decide::plan;
pub use facts::Facts;
pub use image::{ImageAnswer, ImageQuery, ImageResolution};
pub use kind::{Kind, ObjectKey};
pub use op::{Notice, NoticeKind, Op, Plan};
pub use settings::Settings;
pub use store::Stored;
pub use world::World;
