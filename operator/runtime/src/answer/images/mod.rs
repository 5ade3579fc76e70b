//! Asks registries which digests image tags name.
//!
//! ```text
//! ImageQuery ──> line: namespaces take turns, few at a time, what nobody wants to know any more is withdrawn
//!                  └──> resolver: asks, again after passing failures ──> store ──> root again
//!                     │
//!                     ├── credentials: pull Secrets of the pod (if allowed), the operator's own docker config
//!                     └── registry: HEAD of the manifest, Basic and token authentication, guarded addresses
//! ```

mod challenge;
mod credentials;
mod line;
mod registry;
mod resolver;

use std::fmt;

use ecs::image::ImageReference;
use futures::future::BoxFuture;

use crate::http_client::TransportError;

pub use crate::http_client::{AddressRange, NoRange};
pub use credentials::{Credential, DockerConfig};
pub use registry::{Registry, RegistryError, RegistryOptions};
pub use resolver::Resolver;

/// Something that knows which digest a tag names: a registry, or a table in a simulation.
pub trait Lookup: fmt::Debug + Send + Sync {
    /// Asks once.
    fn digest<'a>(
        &'a self,
        reference: &'a ImageReference,
        credentials: &'a [Credential],
    ) -> BoxFuture<'a, Result<String, LookupError>>;

    /// Credentials that everybody's images are asked with, after those of the pod.
    fn own_credentials(&self, reference: &ImageReference) -> Vec<Credential>;
}

/// Why a registry did not say. The text goes into conditions that users read: it holds no answer of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// The address is one that must not be asked.
    #[error("{0}")]
    Refused(String),
    /// 401 or 403.
    #[error("{registry} refuses {with}")]
    Unauthorized {
        /// Host.
        registry: String,
        /// `anonymous access` or `the credentials`.
        with: &'static str,
    },
    /// 404.
    #[error("{0} does not have it")]
    NotFound(String),
    /// The answer is not one that a registry gives.
    #[error("{0}")]
    Protocol(String),
    /// 429 or 5xx.
    #[error("{registry} answered {status}")]
    Busy {
        /// Host.
        registry: String,
        /// HTTP status.
        status: u16,
    },
    /// No connection, or one that broke.
    #[error("{0}")]
    Unreachable(String),
    /// Nothing within the deadline.
    #[error("{0} did not answer within 10 seconds")]
    TimedOut(String),
}

impl From<TransportError> for LookupError {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Refused(why) => Self::Refused(why),
            TransportError::Url(why) => Self::Protocol(why),
            TransportError::Unreachable(why) => Self::Unreachable(why),
        }
    }
}

impl LookupError {
    /// Whether asking again may help by itself.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Unreachable(_) | Self::TimedOut(_))
    }

    /// One word for metrics.
    #[must_use]
    pub const fn category(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Unauthorized { .. } => "unauthorized",
            Self::NotFound(_) => "not-found",
            Self::Protocol(_) => "protocol",
            Self::Busy { .. } => "busy",
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut(_) => "timed-out",
        }
    }
}
