//! What Helm, Flux and others make of an object: the rule of kstatus (cli-utils, `pkg/kstatus/status`) for kinds that it
//! has no rule of its own for, written again from its description.

use serde_json::Value;

/// What a tool that waits thinks of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is being deleted.
    Terminating,
    /// The tool goes on waiting.
    InProgress,
    /// The tool gives up.
    Failed,
    /// The tool has what it waited for.
    Current,
}

/// The verdict about an object as the server returns it.
pub fn verdict(object: &Value) -> Verdict {
    if object.pointer("/metadata/deletionTimestamp").is_some() {
        return Verdict::Terminating;
    }
    let generation = object.pointer("/metadata/generation");
    let observed = object.pointer("/status/observedGeneration");
    if generation.is_some() && observed.is_some() && generation != observed {
        return Verdict::InProgress;
    }
    let conditions = || object.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    // The first of the two that is True decides, in the order of the list.
    for condition in conditions().filter(|condition| condition["status"] == "True") {
        match condition["type"].as_str() {
            Some("Reconciling") => return Verdict::InProgress,
            Some("Stalled") => return Verdict::Failed,
            _ => {}
        }
    }
    match conditions().find(|condition| condition["type"] == "Ready") {
        Some(ready) if ready["status"] == "True" => Verdict::Current,
        Some(_) => Verdict::InProgress,
        None => Verdict::Current,
    }
}

/// Whether a status says that work is under way and that nothing will happen, which no tool can make sense of.
pub fn contradicts_itself(status: &Value) -> bool {
    let is_true = |type_: &str| {
        let conditions = status["conditions"].as_array().into_iter().flatten();
        conditions.into_iter().any(|condition| condition["type"] == type_ && condition["status"] == "True")
    };
    let claims = [is_true("Reconciling"), is_true("Stalled"), is_true("Ready")];
    claims.into_iter().filter(|claim| *claim).count() > 1
}
