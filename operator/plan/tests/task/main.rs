//! Task definitions as pods: golden cases, properties, and pods read back as tasks.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::needless_pass_by_value)] // helpers of tests

mod ending;
mod firelens;
mod golden;
mod leaks;
mod observing;
mod properties;
mod walls;

use api::task_definition::TaskDefinitionSpec;
use plan::core::facts::ClusterFeatures;
use plan::core::policy::NamespacePolicy;
use plan::pod::TaskInput;

/// What a service without anything special starts tasks from, in the namespace `shop`.
fn input<'a>(
    definition: &'a TaskDefinitionSpec,
    facts: &'a ClusterFeatures,
    policy: &'a NamespacePolicy,
) -> TaskInput<'a> {
    TaskInput {
        task_definition: definition,
        volume_configurations: &[],
        is_fargate: false,
        deployment: "1234567890123456789",
        namespace: "shop",
        facts,
        policy,
    }
}
