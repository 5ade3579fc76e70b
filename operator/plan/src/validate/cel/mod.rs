//! The part of the Common Expression Language that the rules of the CRDs are written in.
//!
//! The API server evaluates the rules of a schema when somebody writes an object. They are evaluated here again, from the
//! same text, because admission can be bypassed and because `kubectl ecs render` has no server. A second set of rules,
//! written by hand, would sooner or later say something else.
//!
//! Not the whole language: what a rule may use is what [`Expression::parse`] accepts, and a test parses every rule of every
//! CRD. As on the server, a null member of an object is absent.

mod evaluate;
mod parse;
#[cfg(test)]
mod tests;
mod token;
mod value;

use serde_json::Value;

use parse::Node;

/// A rule that was read.
#[derive(Debug)]
pub(super) struct Expression {
    root: Node,
}

/// Why a rule cannot be read or evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CelError {
    /// The text is not in the part of the language that is understood.
    #[error("cannot read the rule at byte {0}")]
    Syntax(usize),
    /// A member that is not there, operands that do not go together, an index outside of a list.
    #[error("cannot evaluate the rule: {0}")]
    Evaluation(&'static str),
}

impl Expression {
    /// Reads a rule.
    ///
    /// # Errors
    /// [`CelError::Syntax`] for what is not understood.
    pub(super) fn parse(text: &str) -> Result<Self, CelError> {
        parse::parse(text).map(|root| Self { root })
    }

    /// Whether the rule compares with the object as it was before: there is no such object here.
    pub(super) fn is_transition(&self) -> bool {
        self.root.mentions("oldSelf")
    }

    /// Whether `this`, named `self` in the rule, meets it.
    ///
    /// # Errors
    /// [`CelError::Evaluation`]; the server refuses the object then.
    pub(super) fn holds(&self, this: &Value) -> Result<bool, CelError> {
        evaluate::holds(&self.root, this)
    }

    /// Whether `this` may take the place of `before`, which the rule calls `oldSelf`.
    #[cfg(test)]
    pub(super) fn allows(&self, this: &Value, before: &Value) -> Result<bool, CelError> {
        evaluate::allows(&self.root, this, before)
    }
}
