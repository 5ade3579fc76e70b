//! Collects what is said about a task definition while it is being translated.

use std::fmt::Display;

use api::conditions::Reason;

use crate::core::report::{Finding, Refusal};
use crate::core::text::line;

/// Refusals and findings, in the order in which they were met. Paths are below `spec`. What a message repeats of the input
/// can neither break a line nor fill a status.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) refusals: Vec<Refusal>,
    pub(super) findings: Vec<Finding>,
}

impl Notes {
    /// ECS would refuse this, or a Pod cannot hold it: nothing is made of the definition.
    pub(super) fn refuse(&mut self, path: impl Display, message: impl Into<String>) {
        self.refusals.push(Refusal::client(line(&path.to_string()), line(&message.into())));
    }

    /// Kubernetes cannot do this, and doing without would change safety or correctness.
    pub(super) fn unsupported(&mut self, path: impl Display, message: impl Into<String>) {
        self.refuse_because(Reason::UnsupportedFeatureException, path, message);
    }

    /// A refusal with another reason.
    pub(super) fn refuse_because(&mut self, exception: Reason, path: impl Display, message: impl Into<String>) {
        self.refusals.push(Refusal { path: line(&path.to_string()), exception, message: line(&message.into()) });
    }

    /// The field acts, though not exactly as on ECS.
    pub(super) fn approximated(&mut self, path: impl Display, why: impl Into<String>) {
        self.findings.push(Finding { path: line(&path.to_string()), is_approximated: true, why: line(&why.into()) });
    }

    /// The field, with this value, does nothing.
    pub(super) fn no_effect(&mut self, path: impl Display, why: impl Into<String>) {
        self.findings.push(Finding { path: line(&path.to_string()), is_approximated: false, why: line(&why.into()) });
    }
}
