//! Conditions as scenarios expect them, in the operator's own words: one that does not exist does not compile.

use std::fmt;

use api::conditions::{ConditionType, Reason};

/// A condition with its status and reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Which one.
    pub type_: ConditionType,
    /// `True` or `False`.
    pub status: &'static str,
    /// Why.
    pub reason: Reason,
}

/// A condition that is `True` for this reason.
#[must_use]
pub const fn is_true(type_: ConditionType, reason: Reason) -> Expected {
    Expected { type_, status: "True", reason }
}

/// A condition that is `False` for this reason.
#[must_use]
pub const fn is_false(type_: ConditionType, reason: Reason) -> Expected {
    Expected { type_, status: "False", reason }
}

impl fmt::Display for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}/{}", self.type_, self.status, self.reason)
    }
}
