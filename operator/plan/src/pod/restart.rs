//! Which containers start again after they exited.
//!
//! ECS leaves a container stopped unless it has a restart policy. The pods of a Deployment restart all containers unless
//! a container says otherwise, which it can since Kubernetes 1.35.

use api::task_definition::EssentialContainerExit;
use serde_json::{Map, Value, json};

use super::json::Members;
use super::layout::{Container, Place};
use super::notes::Notes;

/// What decides about restarts beside the container itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Restarts {
    /// Whether a container can say that it is not started again, and after which exit codes.
    pub(super) has_rules: bool,
    /// Whether there is an essential main container.
    pub(super) has_anchor: bool,
    /// What becomes of the task when an essential container exits.
    pub(super) essential_exit: EssentialContainerExit,
}

impl Restarts {
    pub(super) fn of(containers: &[Container<'_>], has_rules: bool, stated: Option<EssentialContainerExit>) -> Self {
        let is_anchor = |container: &Container<'_>| container.is_essential() && container.place == Place::Main;
        let essential_exit = stated.unwrap_or(EssentialContainerExit::ReplaceTask);
        Self { has_rules, has_anchor: containers.iter().any(is_anchor), essential_exit }
    }

    /// Whether the container may stay stopped. A Pod whose main containers all may would end by itself: its ReplicaSet
    /// makes the next one at once and without any pause, for ever, and leaves the old ones lying about. So an essential
    /// container never stays stopped; the kubelet starts it again with its back-off, and the operator replaces the task.
    fn may_stay_stopped(self, container: &Container<'_>) -> bool {
        self.has_rules && self.has_anchor && !container.is_essential() && container.place == Place::Main
    }
}

/// Puts `restartPolicy` and `restartPolicyRules`.
///
/// | container | after an exit |
/// |---|---|
/// | essential, main | started again; the operator replaces the task if it is to |
/// | not essential, main | stays stopped (1.35) |
/// | not essential, main, restart policy with ignored codes | stays stopped after those (1.35), else started again |
/// | others wait for its start or health | started again |
/// | others wait for its end | started again until it ended with 0; the operator ends the task if others need success |
pub(super) fn put(spec: &mut Map<String, Value>, container: &Container<'_>, restarts: Restarts, notes: &mut Notes) {
    if matches!(container.place, Place::Sidecar { .. }) {
        spec.put("restartPolicy", "Always");
    }
    if container.place == Place::Init {
        return;
    }
    let policy = container.definition.restart_policy.as_ref().filter(|policy| policy.enabled);
    let ignored = policy.and_then(|policy| policy.ignored_exit_codes.as_deref()).unwrap_or_default();
    match policy {
        Some(_) if ignored.is_empty() => {}
        Some(_) if restarts.may_stay_stopped(container) => {
            spec.put("restartPolicy", "Never");
            let rule = json!({ "action": "Restart", "exitCodes": { "operator": "NotIn", "values": ignored } });
            spec.put_list("restartPolicyRules", vec![rule]);
        }
        Some(_) if container.is_essential() && restarts.essential_exit == EssentialContainerExit::ReplaceTask => {}
        Some(_) => {
            let why = "the container is also restarted after these exit codes";
            notes.approximated(container.path("restartPolicy.ignoredExitCodes"), why);
        }
        None if container.is_essential() => {}
        None if restarts.may_stay_stopped(container) => {
            spec.put("restartPolicy", "Never");
            let why = "when the container exits it stays stopped and the task continues, as on ECS, but the pod is \
                then not Ready and receives no traffic from its Service; set a restartPolicy to restart the container";
            notes.approximated(container.path("essential"), why);
        }
        None => {
            let why = "RestartSemanticsDiffer: when the container exits it is restarted, whereas ECS leaves it \
                stopped, and until then the pod is not Ready; if it is meant to end, let another container depend on \
                it with SUCCESS";
            notes.approximated(container.path("essential"), why);
        }
    }
}
