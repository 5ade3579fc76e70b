//! An ECS service: references, deployments, counts, children, status.
//!
//! The plan of a service is the same every time, whatever woke it. Each step takes values and returns values, and nothing of an
//! earlier step is changed by a later one:
//!
//! 1. [`snapshot`]: gather everything the decision depends on;
//! 2. [`judged`]: judge the facts about each task;
//! 3. [`resolve`]: resolve what the spec asks for into a [`resolve::ResolvedService`], or say why that is not possible;
//! 4. [`identify`]: which deployment is the newest, is it a new one, and which records are still needed;
//! 5. [`stage`]: how far every deployment is, on the [`parts`] that there are;
//! 6. [`counts`]: how many tasks of which deployment each workload should run;
//! 7. [`children`]: the objects that make it so;
//! 8. [`stopping`]: which tasks are stopped because they failed or must go elsewhere;
//! 9. [`report`]: the status that is true of what was observed and decided.
//!
//! The writes of these steps are carried out in this order, the record of a new deployment first: whatever a process that ends in
//! between has left behind is explained by what was stored before.

mod alarms;
mod children;
mod context;
mod counts;
mod daemon;
mod draining;
mod identify;
mod identity;
mod judged;
mod parts;
mod places;
mod record;
mod report;
mod resolve;
mod revision;
mod snapshot;
mod stage;
mod stopping;
mod workload;

use jiff::Timestamp;

use crate::core::kind::ObjectKey;
use crate::core::moment::earliest;
use crate::core::op::Plan;
use crate::core::settings::Settings;
use crate::core::world::World;
use context::Context;
use report::Outcome;

pub(crate) use record::{Record, names_storage_class};
pub use revision::ServiceRevision;
pub(crate) use snapshot::CheckedSpec;
pub(crate) use workload::{DaemonSetView, WorkloadView};

/// What to do about one service now.
#[must_use]
pub fn plan(world: &dyn World, root: &ObjectKey, settings: &Settings, now: Timestamp) -> Plan {
    let Some(snapshot) = snapshot::gather(world, root, now) else { return Plan::default() };
    if snapshot.metadata.is_deleting() {
        return draining::plan(&snapshot);
    }
    let context = Context { world, snapshot: &snapshot, settings, now };
    let tasks = judged::judge(context);
    let resolution = resolve::resolve(context);
    let deployments = identify::identify(context, &resolution);
    let parts = parts::observe(context, &tasks, &resolution, &deployments);
    let stages = stage::decide(context, &tasks, &resolution, &deployments, &parts);
    let counts = counts::decide(context, &tasks, &resolution, &deployments, parts, &stages);
    let children = children::plan(context, &resolution, &deployments, &counts);
    let stopping = stopping::stop(context, &tasks, &resolution, &counts, &stages);
    let report = report::report(&Outcome {
        context,
        tasks: &tasks,
        resolution: &resolution,
        deployments: &deployments,
        stages: &stages,
        counts: &counts,
        conflicts: &children.conflicts,
        not_permitted: &children.not_permitted,
        stopping: &stopping,
    });

    let begun = children::record(context, &deployments);
    let wakes = [stages.wake, counts.rebalancing.wake, stopping.wake, report.wake];
    let steps = begun.into_iter().chain(stages.ops).chain(counts.marks).chain(children.ops).chain(stopping.ops);
    let steps = steps.chain(snapshot.places.ops(world, &snapshot.namespace, &snapshot.tasks));
    let ops = steps.collect();
    let (refusals, findings) = resolution.into_said();
    let mut plan = Plan {
        ops,
        refusals,
        findings,
        status: serde_json::to_value(report.status).ok(),
        previous_status: snapshot.previous_status.clone(),
        notices: report.notices,
        wake: wakes.into_iter().fold(None, earliest),
        ..Plan::default()
    };
    plan.ask(deployments.questions.into_iter().chain(stages.questions));
    plan
}
