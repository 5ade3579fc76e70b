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
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The object is larger than what the server keeps. It would be refused again as it is.
    #[error("the object has {bytes} bytes, more than the API server keeps: {message}")]
    TooLarge {
        /// Bytes of the request.
        bytes: usize,
        /// The server's words.
        message: String,
    },
    /// The server was not reached, or its answer not understood. Whether the write happened is not known.
    #[error("{0}")]
    Transport(String),
}

/// What a server may ask for: as long as the longest backoff that we choose ourselves.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

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
            (code, _) => {
                let seconds = status.details.as_ref().map(|details| details.retry_after_seconds);
                let retry_after =
                    seconds.filter(|seconds| *seconds > 0).map(|seconds| Duration::from_secs(seconds.into()));
                Self::Server { code, message, retry_after }
            }
        }
    }

    /// The same, told with the size of the request where that is what is wrong. The API server says so with a 413, its
    /// storage in the words of two layers.
    #[must_use]
    pub fn of_size(self, bytes: usize) -> Self {
        const WORDS: [&str; 3] = ["request is too large", "Request entity too large", "larger than max"];
        match self {
            Self::Invalid(message) | Self::Server { message, .. }
                if WORDS.iter().any(|words| message.contains(words)) =>
            {
                Self::TooLarge { bytes, message }
            }
            other => other,
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
            Self::TooLarge { .. } => "too-large",
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
            Self::Forbidden(_) | Self::Invalid(_) | Self::TooLarge { .. } | Self::Unsafe(_) => Recovery::Tell,
        }
    }

    /// Whether the server understood the write and does not want it: a quota, an admission policy, a missing right, a field,
    /// or a name that somebody else has.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Forbidden(_) | Self::Invalid(_) | Self::TooLarge { .. } | Self::AlreadyExists(_))
    }

    /// Whether another object has the name.
    #[must_use]
    pub const fn is_name_taken(&self) -> bool {
        matches!(self, Self::AlreadyExists(_))
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
        let (first, longest) = (Duration::from_millis(first), Duration::from_secs(longest));
        match self {
            Self::Server { retry_after: Some(pause), .. } => {
                let pause = if pause.as_secs() > LONGEST_PAUSE.as_secs() { LONGEST_PAUSE } else { *pause };
                Backoff { first: if pause.as_millis() > first.as_millis() { pause } else { first }, longest }
            }
            _ => Backoff { first, longest },
        }
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

    #[test]
    fn when_the_server_says_when_to_come_back_then_that_is_the_least_backoff() {
        for (code, seconds, first) in [(429, 0, 500), (429, 7, 7_000), (503, 1, 1_000), (503, 600, 60_000)] {
            let status = json!({"code": code, "details": {"retryAfterSeconds": seconds}});
            let error = ExecuteError::from_status(&serde_json::from_value(status).unwrap());
            assert_eq!(error.backoff().first, Duration::from_millis(first), "{code} {seconds}");
        }
    }

    #[test]
    fn when_an_object_is_larger_than_the_server_keeps_then_its_size_is_told_at_once() {
        for (code, message) in [
            (413, "Request entity too large: limit is 3145728"),
            (500, "etcdserver: request is too large"),
            (
                500,
                "rpc error: code = ResourceExhausted desc = trying to send message larger than max (2500000 vs. 2097152)",
            ),
        ] {
            let status = serde_json::from_value(json!({"code": code, "message": message})).unwrap();
            let error = ExecuteError::from_status(&status).of_size(2_500_000);
            assert_eq!((error.category(), error.recovery()), ("too-large", Recovery::Tell), "{message}");
            assert!(error.to_string().starts_with("the object has 2500000 bytes, more than"), "{error}");
        }
        let other = serde_json::from_value(json!({"code": 500, "message": "etcdserver: no leader"})).unwrap();
        assert_eq!(ExecuteError::from_status(&other).of_size(1).category(), "server");
    }
}
