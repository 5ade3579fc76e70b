//! Scaling policies of a scalable target.

use super::field::{Field, approximated, fine, honoured, ignored, no_effect, nothing, roughly, with_note};

const STEP: &str = "not applied by this version: step scaling policies do not scale";
const PREDICTIVE: &str = "load is not forecast";
const CUSTOMIZED: &str =
    "not applied by this version: only the average CPU and memory utilization of the service are tracked";
const ALB_REQUESTS: &str = "not applied by this version: requests per target are not counted";
const HIGH_RESOLUTION: &str = "metrics have the resolution of the cluster's metrics pipeline";

/// In the order of the model.
pub(super) const FIELDS: &[Field] = &[
    honoured("ScalingPolicies"),
    honoured("ScalingPolicies[].PolicyName"),
    honoured("ScalingPolicies[].ServiceNamespace"),
    honoured("ScalingPolicies[].ResourceId"),
    honoured("ScalingPolicies[].ScalableDimension"),
    honoured("ScalingPolicies[].PolicyType")
        .cases(&[nothing("StepScaling", STEP), nothing("PredictiveScaling", PREDICTIVE)]),
    no_effect("ScalingPolicies[].StepScalingPolicyConfiguration", STEP),
    no_effect("ScalingPolicies[].StepScalingPolicyConfiguration.AdjustmentType", STEP),
    no_effect("ScalingPolicies[].StepScalingPolicyConfiguration.StepAdjustments", STEP),
    no_effect("ScalingPolicies[].StepScalingPolicyConfiguration.StepAdjustments[].MetricIntervalLowerBound", STEP),
    no_effect("ScalingPolicies[].StepScalingPolicyConfiguration.StepAdjustments[].MetricIntervalUpperBound", STEP),
    no_effect("ScalingPolicies[].StepScalingPolicyConfiguration.StepAdjustments[].ScalingAdjustment", STEP),
    no_effect("ScalingPolicies[].StepScalingPolicyConfiguration.MinAdjustmentMagnitude", STEP),
    no_effect("ScalingPolicies[].StepScalingPolicyConfiguration.Cooldown", STEP),
    no_effect("ScalingPolicies[].StepScalingPolicyConfiguration.MetricAggregationType", STEP),
    honoured("ScalingPolicies[].TargetTrackingScalingPolicyConfiguration"),
    with_note(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.TargetValue",
        "a fraction of a percent is rounded, which is reported",
    ),
    honoured("ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification"),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification.PredefinedMetricType",
        "services have no such metric here",
    )
    .cases(&[
        fine("ECSServiceAverageCPUUtilization"),
        fine("ECSServiceAverageMemoryUtilization"),
        roughly("ECSServiceAverageCPUUtilizationHighResolution", HIGH_RESOLUTION),
        roughly("ECSServiceAverageMemoryUtilizationHighResolution", HIGH_RESOLUTION),
        nothing("ALBRequestCountPerTarget", ALB_REQUESTS),
    ]),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification.ResourceLabel",
        ALB_REQUESTS,
    ),
    no_effect("ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification", CUSTOMIZED),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.MetricName",
        CUSTOMIZED,
    ),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Namespace",
        CUSTOMIZED,
    ),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Dimensions",
        CUSTOMIZED,
    ),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Dimensions[].Name",
        CUSTOMIZED,
    ),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Dimensions[].Value",
        CUSTOMIZED,
    ),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Statistic",
        CUSTOMIZED,
    ),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Unit",
        CUSTOMIZED,
    ),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics",
        CUSTOMIZED,
    ),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics[].Expression",
        CUSTOMIZED,
    ),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics[].Id",
        CUSTOMIZED,
    ),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics[].Label",
        CUSTOMIZED,
    ),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics[].MetricStat",
        CUSTOMIZED,
    ),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics[].MetricStat.Metric",
        CUSTOMIZED,
    ),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics[].MetricStat.Metric.Dimensions",
        CUSTOMIZED,
    ),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics[].MetricStat.Metric.Dimensions[].Name",
        CUSTOMIZED,
    ),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics[].MetricStat.Metric.Dimensions[].Value",
        CUSTOMIZED,
    ),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics[].MetricStat.Metric.MetricName",
        CUSTOMIZED,
    ),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics[].MetricStat.Metric.Namespace",
        CUSTOMIZED,
    ),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics[].MetricStat.Stat",
        CUSTOMIZED,
    ),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics[].MetricStat.Unit",
        CUSTOMIZED,
    ),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics[].ReturnData",
        CUSTOMIZED,
    ),
    no_effect(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.ScaleOutCooldown",
        "the HorizontalPodAutoscaler adds tasks as soon as the metric asks for more",
    )
    .cases(&[fine("0")]),
    approximated(
        "ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.ScaleInCooldown",
        "becomes the time within which at most a tenth of the tasks is removed; the longest cooldown of all policies \
            applies",
    ),
    honoured("ScalingPolicies[].TargetTrackingScalingPolicyConfiguration.DisableScaleIn"),
    ignored("ScalingPolicies[].PolicyARN"),
    ignored("ScalingPolicies[].Alarms"),
    ignored("ScalingPolicies[].CreationTime"),
];
