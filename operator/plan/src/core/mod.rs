//! The vocabulary of plans: kinds and objects, the world they are found in, operations, conditions and settings.

pub mod alarm;
pub mod diff;
pub mod facts;
pub mod image;
pub mod kind;
pub mod labels;
pub(crate) mod moment;
pub mod object;
pub mod op;
pub mod policy;
pub mod quantity;
pub mod report;
pub(crate) mod root;
pub mod settings;
pub mod status;
pub mod store;
pub mod world;
