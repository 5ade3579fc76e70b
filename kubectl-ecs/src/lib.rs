//! `kubectl ecs`: what the operator would make of documents, without a cluster.
//!
//! ```text
//! files ─documents─> objects ─┬─import─> manifests, with comments
//!                             └─render─> the planner ─> children and conditions
//! ```
//!
//! Nothing here decides what a document becomes: the crate `documents` reads, and validation, translation and status are
//! the planner's, the same that the operator runs.

pub mod env_file;
pub mod import;
pub mod print;
pub mod render;
pub mod report;
pub mod simulate;
pub mod task;
