//! What can be wrong with an input before any planning.

use std::fmt;

use crate::origin::{Origin, line};

/// An input that cannot be used at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// A file, folder or stream that cannot be read.
    #[error("{file}: {message}")]
    Unreadable {
        /// Its path as the user gave it.
        file: String,
        /// What the system or the parser said, in one line.
        message: String,
    },
    /// A document of an unknown type, or one that fits more than one type.
    #[error("{origin}: {message}")]
    Unrecognised {
        /// Which document.
        origin: Origin,
        /// What was looked for, in one line.
        message: String,
    },
    /// An ARN that names no environment file.
    #[error("{arn} is not the ARN of a .env object in S3: arn:aws:s3:::BUCKET/KEY.env")]
    NotAnEnvironmentFile {
        /// The ARN, on one line.
        arn: String,
    },
}

impl InputError {
    pub(crate) fn unreadable(file: &str, message: impl fmt::Display) -> Self {
        Self::Unreadable { file: line(file), message: line(&message.to_string()) }
    }

    pub(crate) fn unrecognised(origin: &Origin, message: impl fmt::Display) -> Self {
        Self::Unrecognised { origin: origin.clone(), message: line(&message.to_string()) }
    }
    pub(crate) fn not_an_environment_file(arn: &str) -> Self {
        Self::NotAnEnvironmentFile { arn: line(arn) }
    }
}
