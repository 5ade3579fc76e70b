//! Deployment strategies as data: the lifecycle stages that a deployment passes, in order, and what keeps it in each.
//!
//! [`super::next`] knows no strategy. It walks the steps of one and stops at the first whose gate is shut. A strategy that
//! shifts traffic is another list: more stages, with gates for traffic and hooks beside those of tasks and time.

/// `deploymentConfiguration.strategy`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strategy {
    /// Tasks of older deployments are replaced within `minimumHealthyPercent` and `maximumPercent`.
    #[default]
    Rolling,
}

/// A lifecycle stage of a deployment in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LifecycleStage {
    /// Tasks of the new revision are started, and in a rolling deployment those of older ones are stopped.
    ScaleUp,
    /// Everything is in place, and is watched for the bake time.
    BakeTime,
}

/// What keeps a deployment in a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    /// Until every task is of the new revision and healthy, or as many as the early success criteria ask for.
    Replaced,
    /// Until the bake time is over, and no alarm may still go off unseen.
    Baked,
}

/// One step of a strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The stage.
    pub stage: LifecycleStage,
    /// What it waits for.
    pub gate: Gate,
}

/// A task that fails while a rolling deployment bakes takes it back to the first step: its gates are asked in order each
/// time, and the bake time begins anew.
const ROLLING: [Step; 2] = [
    Step { stage: LifecycleStage::ScaleUp, gate: Gate::Replaced },
    Step { stage: LifecycleStage::BakeTime, gate: Gate::Baked },
];

impl Strategy {
    /// The steps, in order.
    pub const fn steps(self) -> &'static [Step] {
        match self {
            Self::Rolling => &ROLLING,
        }
    }
}
