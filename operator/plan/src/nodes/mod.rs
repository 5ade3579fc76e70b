//! Nodes as container instances: what they are, which of them a task may be on, and how daemons leave them.

pub(crate) mod attribute;
pub mod constraint;
pub(crate) mod drain;
pub mod instance;
