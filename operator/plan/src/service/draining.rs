//! A service that is being deleted and still there: on ECS it is DRAINING until its last task has stopped.

use api::service::ServiceState;

use super::snapshot::ServiceSnapshot;
use crate::core::op::Plan;

/// Children have owner references: the garbage collector ends them with the service. What is left is to say how far it is.
pub(super) fn plan(snapshot: &ServiceSnapshot) -> Plan {
    let mut plan = Plan { previous_status: snapshot.previous_status.clone(), ..Plan::default() };
    if snapshot.status.observed_generation.is_none() {
        return plan;
    }
    let count = |counts: fn(&crate::pod::observe::Task) -> bool| {
        let tasks = snapshot.tasks.iter().filter(|task| !task.is_stopping && counts(task));
        Some(i32::try_from(tasks.count()).unwrap_or(i32::MAX))
    };
    let mut status = snapshot.status.clone();
    status.status = Some(ServiceState::Draining);
    status.desired_count = Some(0);
    status.running_count = count(|task| task.last_status.is_running());
    status.pending_count = count(|task| task.last_status.is_pending());
    plan.status = serde_json::to_value(status).ok();
    plan
}
