//! What can go wrong with a write, and what follows from it.

use std::time::Duration;

use kube::core::Status;
use plan::ObjectKey;

use crate::api_server::request::RequestError;
use crate::backoff::Backoff;
use crate::error_chain::chain;

/// Why a write did not happen, or may not have happened.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// This process does not lead (any more).
    #[error("this process does not lead")]
    NotLeader,
    /// A write or the whole reconcile took too long. Whether the last write happened is not known.
    #[error("no answer within {} s", .0.as_secs())]
    Deadline(Duration),
    /// The object is not what it was when it was read.
    #[error("{0}")]
    Conflict(String),
    /// An object of that name exists although it must not.
    #[error("{0}")]
    AlreadyExists(String),
    /// A delete was to happen only in the absence of this object, which exists.
    #[error("{0} exists")]
    StillThere(ObjectKey),
    /// The root is not there any more, or is going: nothing is made for it.
    #[error("{0} is gone")]
    RootGone(ObjectKey),
    /// The object, or something that the write needs, is not there.
    #[error("{0}")]
    NotFound(String),
    /// The namespace is being deleted: nothing can be created in it, and nothing needs to be.
    #[error("{0}")]
    NamespaceTerminating(String),
    /// Permission, admission policy or quota.
    #[error("{0}")]
    Forbidden(String),
    /// The server refuses the object as such.
    #[error("{0}")]
    Invalid(String),
    /// A name that cannot be part of a URL, or an object outside the root's namespace.
    #[error("{0}")]
    Unsafe(String),
    /// Too many requests, or the server failed.
    #[error("{code}: {message}")]
    Server {
        /// HTTP status.
        code: u16,
        /// The server's words.
        message: String,
    },
    /// The server was not reached, or its answer not understood. Whether the write happened is not known.
    #[error("{0}")]
    Transport(String),
}

/// What to do about a failed write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Retry soon: our cached copy is stale. Nothing is reported.
    Soon,
    /// Retry; report it if it keeps failing.
    Later,
    /// Report it at once: a retry alone does not help.
    Tell,
    /// Nothing: the object or its namespace is going away, or another process leads.
    Quiet,
}

impl ExecuteError {
    /// Reads what the client says.
    #[must_use]
    pub fn read(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::from_status(&status),
            other => Self::Transport(chain(&other)),
        }
    }

    fn from_status(status: &Status) -> Self {
        let has_cause = |name: &str| {
            let causes = status.details.iter().flat_map(|details| &details.causes);
            causes.into_iter().any(|cause| cause.reason == name)
        };
        let message = status.message.clone();
        match (status.code, status.reason.as_str()) {
            (403, _) if has_cause("NamespaceTerminating") => Self::NamespaceTerminating(message),
            (409, "AlreadyExists") => Self::AlreadyExists(message),
            (409, _) => Self::Conflict(message),
            (404, _) => Self::NotFound(message),
            (401 | 403, _) => Self::Forbidden(message),
            (400 | 405 | 406 | 413 | 415 | 422, _) => Self::Invalid(message),
            (code, _) => Self::Server { code, message },
        }
    }

    /// One word for metrics and logs.
    #[must_use]
    pub const fn category(&self) -> &'static str {
        match self {
            Self::NotLeader => "not-leader",
            Self::Deadline(_) => "deadline",
            Self::Conflict(_) => "conflict",
            Self::AlreadyExists(_) => "already-exists",
            Self::StillThere(_) => "still-there",
            Self::RootGone(_) => "root-gone",
            Self::NotFound(_) => "not-found",
            Self::NamespaceTerminating(_) => "namespace-terminating",
            Self::Forbidden(_) => "forbidden",
            Self::Invalid(_) => "invalid",
            Self::Unsafe(_) => "unsafe",
            Self::Server { .. } => "server",
            Self::Transport(_) => "transport",
        }
    }

    /// What follows from it.
    #[must_use]
    pub const fn recovery(&self) -> Recovery {
        match self {
            Self::NotLeader | Self::RootGone(_) | Self::NamespaceTerminating(_) => Recovery::Quiet,
            Self::Conflict(_) | Self::AlreadyExists(_) | Self::StillThere(_) | Self::NotFound(_) => Recovery::Soon,
            Self::Deadline(_) | Self::Server { .. } | Self::Transport(_) => Recovery::Later,
            Self::Forbidden(_) | Self::Invalid(_) | Self::Unsafe(_) => Recovery::Tell,
        }
    }

    /// Whether trying again may help by itself.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        !matches!(self.recovery(), Recovery::Tell)
    }

    /// How long to wait before trying again.
    #[must_use]
    pub const fn backoff(&self) -> Backoff {
        let (first, longest) = match self.recovery() {
            Recovery::Soon => (100, 30),
            Recovery::Later => (500, 60),
            // A quota may be raised, a policy removed; neither tells us.
            Recovery::Tell => (2_000, 300),
            Recovery::Quiet => (5_000, 60),
        };
        Backoff { first: Duration::from_millis(first), longest: Duration::from_secs(longest) }
    }
}

impl From<RequestError> for ExecuteError {
    fn from(error: RequestError) -> Self {
        Self::Unsafe(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn when_the_server_refuses_then_its_words_are_kept_and_the_consequence_fits() {
        let table = [
            (json!({"code": 409, "reason": "AlreadyExists"}), "already-exists", Recovery::Soon),
            (json!({"code": 409, "reason": "Conflict"}), "conflict", Recovery::Soon),
            (json!({"code": 404, "reason": "NotFound"}), "not-found", Recovery::Soon),
            (json!({"code": 403, "reason": "Forbidden"}), "forbidden", Recovery::Tell),
            (
                json!({"code": 403, "reason": "Forbidden", "details": {"causes": [{"reason": "NamespaceTerminating"}]}}),
                "namespace-terminating",
                Recovery::Quiet,
            ),
            (json!({"code": 401, "reason": "Unauthorized"}), "forbidden", Recovery::Tell),
            (json!({"code": 422, "reason": "Invalid"}), "invalid", Recovery::Tell),
            (json!({"code": 400, "reason": "BadRequest"}), "invalid", Recovery::Tell),
            (json!({"code": 413, "reason": "RequestEntityTooLarge"}), "invalid", Recovery::Tell),
            (json!({"code": 429, "reason": "TooManyRequests"}), "server", Recovery::Later),
            (json!({"code": 500, "reason": "InternalError"}), "server", Recovery::Later),
            (json!({"code": 503, "reason": "ServiceUnavailable"}), "server", Recovery::Later),
        ];
        for (mut status, category, recovery) in table {
            status["message"] = json!("the server's words");
            let status: Status = serde_json::from_value(status).unwrap();
            let error = ExecuteError::read(kube::Error::Api(Box::new(status)));
            assert_eq!((error.category(), error.recovery()), (category, recovery));
            assert_eq!(error.is_transient(), recovery != Recovery::Tell);
            assert!(error.to_string().ends_with("the server's words"));
        }
    }
}
