//! One reason why ECS would refuse an input, with the field it is about.

use std::fmt;

/// A rule of ECS that an input breaks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The field in ECS spelling, relative to the object that was checked: `containerDefinitions[1].memory`.
    pub path: String,
    /// What is wrong and which values would be right, as a sentence part without a final stop.
    pub message: String,
}

impl Violation {
    /// A violation of the field at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.path, self.message)
    }
}
