//! `kubectl ecs`: what the operator would make of documents, without a cluster.
//!
//! ```text
//! files ─read─> documents ─shape, convert, merge─> manifests ─┬─import─> manifests, with comments
//!                                                             └─render─> the planner ─> children and conditions
//! ```
//!
//! Nothing here decides what a document becomes: validation, translation and status are the planner's, the same that the
//! operator runs.

pub mod env_file;
pub mod import;
pub mod input;
pub mod origin;
pub mod parse;
pub mod print;
pub mod read;
pub mod render;
pub mod report;
pub mod shape;
pub mod simulate;
pub mod task;

mod convert;
mod merge;
mod paths;
