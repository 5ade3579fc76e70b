//! What a command has to say besides its output, and the exit code that follows.

/// Exit codes. A higher class of problem hides a lower one: [`Exit::Unusable`], [`Exit::Refused`], [`Exit::NotApplied`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything was taken.
    Fine,
    /// An object is refused.
    Refused,
    /// An input cannot be read or is no document, or the command line is wrong.
    Unusable,
    /// Only with `--strict`: a field does not act as it does on ECS.
    NotApplied,
}

impl Exit {
    /// The number a shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Refused => 1,
            Self::Unusable => 2,
            Self::NotApplied => 3,
        }
    }
}

/// The result of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Standard output.
    pub output: String,
    /// Standard error, one line each.
    pub lines: Vec<String>,
    /// Exit code.
    pub exit: Exit,
}
