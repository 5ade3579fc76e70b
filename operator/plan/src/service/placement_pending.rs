//! The condition about placement settings that changed after the deployment started.

use api::conditions::{ConditionType, Reason};

use super::placement::pending;
use super::rollout::Rollout;
use super::snapshot::ServiceSnapshot;
use crate::core::report::Conditions;

/// None while there is no deployment.
pub(super) fn report(snapshot: &ServiceSnapshot, rollout: &Rollout, conditions: &mut Conditions) {
    let Some(primary) = &rollout.primary else {
        return conditions.remove(ConditionType::PlacementPending);
    };
    if let Some(message) = pending(&snapshot.document, &primary.revision) {
        conditions.set(ConditionType::PlacementPending, true, Reason::PlacementPendingNextDeployment, message);
    } else {
        let message = "tasks are placed by the constraints and the strategy that the service has now";
        conditions.set(ConditionType::PlacementPending, false, Reason::PlacementApplied, message);
    }
}
