//! A scalable target and its scheduled actions.

use super::field::{Field, fine, honoured, ignored, no_effect, roughly, with_note};
use super::{kubernetes, predictive_scaling, scaling_policy};

const TAGS: &str = "not applied by this version: tags stay in the spec and are not copied to child objects";
const SCHEDULED: &str = "not applied by this version: scheduled actions do not run";

/// Every field of a scalable target.
pub(super) const PARTS: &[&[Field]] =
    &[FIELDS, scaling_policy::FIELDS, predictive_scaling::FIELDS, kubernetes::SCALABLE_TARGET];

/// In the order of the model.
pub(super) const FIELDS: &[Field] = &[
    honoured("ServiceNamespace"),
    honoured("ResourceId"),
    honoured("ScalableDimension"),
    with_note("MinCapacity", "0 still keeps one task, which is reported"),
    honoured("MaxCapacity").cases(&[roughly("0", "a HorizontalPodAutoscaler keeps at least one task")]),
    no_effect("RoleARN", "nothing here calls Application Auto Scaling"),
    honoured("SuspendedState"),
    honoured("SuspendedState.DynamicScalingInSuspended"),
    honoured("SuspendedState.DynamicScalingOutSuspended"),
    no_effect(
        "SuspendedState.ScheduledScalingSuspended",
        "this version does not run scheduled actions, so there are none to suspend",
    )
    .cases(&[fine("false")]),
    no_effect("Tags", TAGS),
    no_effect("ScheduledActions", SCHEDULED),
    no_effect("ScheduledActions[].ServiceNamespace", SCHEDULED),
    no_effect("ScheduledActions[].Schedule", SCHEDULED),
    no_effect("ScheduledActions[].Timezone", SCHEDULED),
    no_effect("ScheduledActions[].ScheduledActionName", SCHEDULED),
    no_effect("ScheduledActions[].ResourceId", SCHEDULED),
    no_effect("ScheduledActions[].ScalableDimension", SCHEDULED),
    no_effect("ScheduledActions[].StartTime", SCHEDULED),
    no_effect("ScheduledActions[].EndTime", SCHEDULED),
    no_effect("ScheduledActions[].ScalableTargetAction", SCHEDULED),
    no_effect("ScheduledActions[].ScalableTargetAction.MinCapacity", SCHEDULED),
    no_effect("ScheduledActions[].ScalableTargetAction.MaxCapacity", SCHEDULED),
    ignored("ScalableTargetARN"),
    ignored("CreationTime"),
    ignored("PredictedCapacity"),
    ignored("ScheduledActions[].ScheduledActionARN"),
    ignored("ScheduledActions[].CreationTime"),
];
