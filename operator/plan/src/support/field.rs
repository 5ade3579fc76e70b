//! One field of the registry and the short forms that its tables are written in.

/// How a field acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As on ECS.
    Honoured,
    /// With a difference that is reported.
    Approximated,
    /// Accepted and reported; nothing follows from it.
    NoEffect,
    /// The object is not acted on, because ignoring the field would change safety or correctness.
    Refused,
    /// A member of `describe-…` output that is no input on ECS either: accepted so that the output pastes as it is.
    Ignored,
}

impl Level {
    /// The words of `docs/reference/support.md`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Honoured => "honoured",
            Self::Approximated => "approximated",
            Self::NoEffect => "no effect",
            Self::Refused => "refused",
            Self::Ignored => "ignored",
        }
    }
}

/// A value for which the level differs from the field's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// The value as JSON writes it, without quotes: `DAEMON`, `false`, `0`.
    pub value: &'static str,
    /// How the field acts with this value.
    pub level: Level,
    /// Why; empty only when honoured.
    pub why: &'static str,
}

/// One input field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Path below `spec`, with `[]` for list items.
    pub path: &'static str,
    /// How the field acts with any value that has no case of its own.
    pub level: Level,
    /// Why; a note or empty when honoured.
    pub why: &'static str,
    /// Values that act otherwise.
    pub cases: &'static [Case],
}

impl Field {
    /// The level and reason for a scalar value as JSON writes it.
    #[must_use]
    pub fn at(&self, value: &str) -> (Level, &'static str) {
        self.cases.iter().find(|case| case.value == value).map_or((self.level, self.why), |case| (case.level, case.why))
    }

    /// The same field with values that act otherwise.
    #[must_use]
    pub(super) const fn cases(mut self, cases: &'static [Case]) -> Self {
        self.cases = cases;
        self
    }
}

pub(super) const fn honoured(path: &'static str) -> Field {
    Field { path, level: Level::Honoured, why: "", cases: &[] }
}

/// Honoured, with something that the reference says about it.
pub(super) const fn with_note(path: &'static str, why: &'static str) -> Field {
    Field { path, level: Level::Honoured, why, cases: &[] }
}

pub(super) const fn approximated(path: &'static str, why: &'static str) -> Field {
    Field { path, level: Level::Approximated, why, cases: &[] }
}

pub(super) const fn no_effect(path: &'static str, why: &'static str) -> Field {
    Field { path, level: Level::NoEffect, why, cases: &[] }
}

pub(super) const fn refused(path: &'static str, why: &'static str) -> Field {
    Field { path, level: Level::Refused, why, cases: &[] }
}

/// A read-only member of `describe-…` output.
pub(super) const fn ignored(path: &'static str) -> Field {
    Field { path, level: Level::Ignored, why: "read-only: part of Describe output", cases: &[] }
}

/// A value that asks for what happens anyway.
pub(super) const fn fine(value: &'static str) -> Case {
    Case { value, level: Level::Honoured, why: "" }
}

/// A value that acts with a difference.
pub(super) const fn roughly(value: &'static str, why: &'static str) -> Case {
    Case { value, level: Level::Approximated, why }
}

/// A value that has no effect.
pub(super) const fn nothing(value: &'static str, why: &'static str) -> Case {
    Case { value, level: Level::NoEffect, why }
}

/// A value that is refused.
pub(super) const fn never(value: &'static str, why: &'static str) -> Case {
    Case { value, level: Level::Refused, why }
}
