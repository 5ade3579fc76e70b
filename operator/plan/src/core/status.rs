//! Comparing statuses, and saying in one that a write failed.

use api::conditions::{Condition, ConditionType, Reason, set};
use jiff::Timestamp;
use serde_json::Value;

use crate::core::report::condition;

/// Fields that hold a time: a status that differs only in these says nothing new.
const TIMES: [&str; 4] = ["lastTransitionTime", "lastUpdateTime", "updatedAt", "lastProbeTime"];

/// Whether two statuses say the same, leaving times aside.
#[must_use]
pub fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let relevant = |name: &&String| !TIMES.contains(&name.as_str());
            one.keys().filter(relevant).count() == other.keys().filter(relevant).count()
                && one
                    .iter()
                    .filter(|(name, _)| relevant(name))
                    .all(|(name, value)| other.get(name).is_some_and(|value_there| same(value, value_there)))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        _ => one == other,
    }
}

/// A count as statuses have it: counts of ECS are 32-bit.
#[must_use]
pub fn narrow(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// What the server said when it refused a write that the plan needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which write, in one line.
    pub op: String,
    /// The server's message.
    pub message: String,
    /// Whether another object has the name.
    pub is_name_taken: bool,
    /// Whether trying again later may help by itself.
    pub is_transient: bool,
}

/// Puts a failed write into the status the plan computed: `Ready` is false with the server's own words and, unless
/// trying again may help, the object is stalled (otherwise Helm and Argo CD would wait for ever).
pub fn amend(status: &mut Value, failure: &Failure, generation: i64, now: Timestamp) {
    let Some(map) = status.as_object_mut() else { return };
    let list = map.entry("conditions").or_insert_with(|| Value::Array(Vec::new()));
    let Ok(mut conditions) = serde_json::from_value::<Vec<Condition>>(list.clone()) else { return };
    let message = format!("{}: {}", failure.op, failure.message);
    let reason = if failure.is_name_taken { Reason::ConflictingObject } else { Reason::AdmissionDenied };
    let denied = |kind, is_true: bool| condition(kind, is_true, reason, &message, generation, now);
    set(&mut conditions, denied(ConditionType::Ready, false));
    if !failure.is_transient {
        set(&mut conditions, denied(ConditionType::Stalled, true));
        // Tools that read both, such as kstatus, know no object that is on its way and stuck.
        set(&mut conditions, denied(ConditionType::Reconciling, false));
    }
    if let Ok(value) = serde_json::to_value(conditions) {
        *list = value;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn when_only_a_time_differs_then_the_statuses_are_the_same() {
        let one = json!({"conditions": [{"type": "Ready", "lastTransitionTime": "a"}], "runningCount": 1});
        let other = json!({"conditions": [{"type": "Ready", "lastTransitionTime": "b"}], "runningCount": 1});
        assert!(same(&one, &other));
        assert!(!same(&one, &json!({"conditions": [{"type": "Ready"}], "runningCount": 2})));
        assert!(!same(&one, &json!({"runningCount": 1})));
    }
}
