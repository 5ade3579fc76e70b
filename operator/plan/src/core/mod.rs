//! The vocabulary of plans: kinds and objects, the world they are found in, operations, conditions and settings.

pub mod diff;
pub mod facts;
pub mod history;
pub mod integration;
pub(crate) mod json;
pub mod kind;
pub mod labels;
pub mod metadata;
pub(crate) mod moment;
pub mod object;
pub mod op;
pub mod policy;
pub mod quantity;
pub mod question;
pub mod relation;
pub mod report;
pub mod right;
pub(crate) mod root;
pub mod settings;
pub mod shared_set;
pub mod status;
pub mod store;
pub mod term;
pub(crate) mod text;
pub mod world;
