//! ECS documents and manifests, from bytes to objects of ecs-operator.dev.
//!
//! ```text
//! files ─read─> bytes ─parse─> documents ─shape, convert─> one object each ─merge─> objects, named and placed
//! ```
//!
//! [`inputs`] goes the whole way from documents. Nothing here decides what a document becomes in a cluster: validation,
//! translation and status are the planner's. Everything that cannot be used is an [`InputError`], which names the document.

pub mod env_file;
pub mod error;
pub mod input;
pub mod origin;
pub mod parse;
pub mod read;
pub mod shape;

mod collect;
mod convert;
mod merge;
mod paths;

pub use collect::inputs;
pub use error::InputError;
pub use input::{Input, Inputs};
pub use origin::{Origin, line};
