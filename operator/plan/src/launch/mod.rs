//! What every launch of tasks adds to the pods of a task definition, whoever launches them: where they are placed, and the tags
//! that they carry.

pub(crate) mod placement;
pub(crate) mod tags;
