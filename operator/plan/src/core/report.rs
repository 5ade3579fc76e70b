//! What is said to the user: refusals, fields that do not act as on ECS, and conditions.

use std::fmt;

use api::conditions::{Condition, ConditionStatus, ConditionType, Reason, remove, set};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::core::text::clean;

/// Why an input is not acted on. Existing workloads keep running untouched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// Field path below the object, such as `spec.containerDefinitions[1].memory`.
    pub path: String,
    /// The exception ECS would answer with; becomes the condition's reason.
    pub exception: Reason,
    /// What is wrong, in words ECS would use, without the path.
    pub message: String,
}

impl Refusal {
    /// A refusal with ECS's `ClientException`.
    #[must_use]
    pub fn client(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), exception: Reason::ClientException, message: message.into() }
    }

    /// A refusal with ECS's `InvalidParameterException`.
    #[must_use]
    pub fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), exception: Reason::InvalidParameterException, message: message.into() }
    }
}

/// `spec.desiredCount: InvalidParameterException: …`
impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A path repeats keys that users chose.
        write!(formatter, "{}: {}: {}", clean(&self.path), self.exception.as_str(), clean(&self.message))
    }
}

/// A field that was accepted but does not act as it does on ECS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Field path below `spec`, such as `containerDefinitions[1].ulimits`.
    pub path: String,
    /// Whether it acts a little differently (`true`) or not at all (`false`).
    pub is_approximated: bool,
    /// Why.
    pub why: String,
}

/// `containerDefinitions[1].ulimits (no effect: …)`
impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.is_approximated { "approximated" } else { "no effect" };
        write!(formatter, "{} ({how}: {})", clean(&self.path), clean(&self.why))
    }
}

/// Collects the conditions of one object.
#[derive(Clone, Debug)]
pub struct Conditions {
    generation: i64,
    now: Timestamp,
    list: Vec<Condition>,
}

/// Messages longer than this are cut: a condition is read by people, and objects have a size limit.
const LONGEST_MESSAGE: usize = 4096;

impl Conditions {
    /// Starts from what the object says now, so that transition times only move with the status.
    #[must_use]
    pub fn new(previous: &[Condition], generation: i64, now: Timestamp) -> Self {
        Self { generation, now, list: previous.to_vec() }
    }

    /// Sets one condition.
    pub fn set(
        &mut self,
        kind: ConditionType,
        status: impl Into<ConditionStatus>,
        reason: Reason,
        message: impl AsRef<str>,
    ) {
        set(&mut self.list, condition(kind, status, reason, message.as_ref(), self.generation, self.now));
    }

    /// Says that nothing is known of what a refused input would come to: what was found of an earlier one is not about
    /// this one.
    pub fn unjudged(&mut self, kinds: &[ConditionType]) {
        for kind in kinds {
            self.set(*kind, ConditionStatus::Unknown, Reason::NotJudged, "the input is refused");
        }
    }

    /// Removes a condition that says nothing for this object any more.
    pub fn remove(&mut self, kind: ConditionType) {
        remove(&mut self.list, kind);
    }

    /// `Accepted`, and for a refused object `Ready` and `Stalled` too, and that nothing is known of its fields.
    pub fn accept(&mut self, refusals: &[Refusal]) {
        match refusals.first() {
            None => self.set(ConditionType::Accepted, true, Reason::Accepted, "the input is valid"),
            Some(first) => {
                let message = refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                self.set(ConditionType::Accepted, false, first.exception, &message);
                self.unjudged(&[ConditionType::FieldsNotApplied]);
                self.stalled(first.exception, &message);
            }
        }
    }

    /// kstatus: nothing will change until somebody acts.
    pub fn stalled(&mut self, reason: Reason, message: &str) {
        self.set(ConditionType::Ready, false, reason, message);
        self.set(ConditionType::Reconciling, false, reason, message);
        self.set(ConditionType::Stalled, true, reason, message);
    }

    /// kstatus: work is under way.
    pub fn progressing(&mut self, reason: Reason, message: &str) {
        self.set(ConditionType::Ready, false, reason, message);
        self.set(ConditionType::Reconciling, true, reason, message);
        self.set(ConditionType::Stalled, false, reason, message);
    }

    /// kstatus: all is as asked for.
    pub fn ready(&mut self, reason: Reason, message: &str) {
        self.set(ConditionType::Ready, true, reason, message);
        self.set(ConditionType::Reconciling, false, reason, message);
        self.set(ConditionType::Stalled, false, reason, message);
    }

    /// `FieldsNotApplied`: every field that does not act as on ECS, with its reason.
    pub fn fields(&mut self, findings: &[Finding]) {
        if findings.is_empty() {
            self.set(ConditionType::FieldsNotApplied, false, Reason::AllFieldsApplied, "every field acts as on ECS");
            return;
        }
        let message = findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        self.set(ConditionType::FieldsNotApplied, true, Reason::NoKubernetesEquivalent, message);
    }

    /// The conditions, sorted by type.
    #[must_use]
    pub fn finish(self) -> Vec<Condition> {
        self.list
    }
}

/// One condition, its message fit for people and logs.
#[must_use]
pub fn condition(
    type_: ConditionType,
    status: impl Into<ConditionStatus>,
    reason: Reason,
    message: &str,
    generation: i64,
    now: Timestamp,
) -> Condition {
    Condition {
        type_,
        status: status.into(),
        observed_generation: Some(generation),
        last_transition_time: Time(now),
        reason,
        message: shorten(message),
    }
}

/// One line of printable text, cut at a character boundary: user input cannot break a log line or an event.
fn shorten(message: &str) -> String {
    let clean = clean(message);
    if clean.len() <= LONGEST_MESSAGE {
        return clean;
    }
    let end = (0..=LONGEST_MESSAGE).rev().find(|end| clean.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", clean.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_message_joins_refusals_then_each_gets_its_line() {
        let refusals = [Refusal::client("spec.a", "one; two"), Refusal::invalid("spec.b[0]", "three")];
        assert_eq!(
            refusals.map(|refusal| refusal.to_string()),
            ["spec.a: ClientException: one; two", "spec.b[0]: InvalidParameterException: three"]
        );
    }

    #[test]
    fn when_a_path_repeats_a_key_that_turns_or_breaks_the_line_then_it_is_shown_harmless() {
        let refusal = Refusal::client("spec.labels[\u{202e}gpj\u{2028}x\n]", "bad \u{2066}key");
        assert_eq!(refusal.to_string(), "spec.labels[\u{fffd}gpj\u{fffd}x ]: ClientException: bad \u{fffd}key");
        let finding = Finding { path: "a[\u{200f}]".to_owned(), is_approximated: false, why: "b\u{202e}".to_owned() };
        assert_eq!(finding.to_string(), "a[\u{fffd}] (no effect: b\u{fffd})");
        assert_eq!(shorten("kubelet said\u{2028}ok\u{202d}"), "kubelet said\u{fffd}ok\u{fffd}");
    }
}
