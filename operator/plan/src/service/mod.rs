//! An ECS service: references, rollout, children, status.
//!
//! The plan of a service is the same every time, whatever woke it:
//!
//! 1. [`snapshot`]: gather everything the decision depends on;
//! 2. [`wanted`]: resolve what the spec asks for into a [`revision::ServiceRevision`], or say why that is not possible;
//! 3. [`images`]: if that is a new deployment, pin its images, or wait for what registries say;
//! 4. [`rollout`]: is that a new deployment, and how many tasks of which deployment should each workload run;
//! 5. [`children`]: the objects that make it so;
//! 6. [`verdict`]: which tasks failed, and whether the deployment is done or given up;
//! 7. [`stopping`]: which tasks are stopped because they failed or must go elsewhere;
//! 8. [`report`]: the status that is true of what was observed.

mod alarms;
mod children;
mod daemon;
mod draining;
mod guard;
mod identity;
mod images;
mod placement;
mod placement_pending;
mod primary;
mod rebalancing;
mod record;
mod report;
mod revision;
mod rollout;
mod scale_in;
mod secrets;
mod service_events;
mod snapshot;
mod stopping;
mod tags;
mod verdict;
mod wanted;
mod workload;

use jiff::Timestamp;

use crate::core::kind::ObjectKey;
use crate::core::op::Plan;
use crate::core::settings::Settings;
use crate::core::world::World;

pub use revision::{CapacityPart, Placement, ServiceRevision};

/// What to do about one service now.
#[must_use]
pub fn plan(world: &dyn World, root: &ObjectKey, settings: &Settings, now: Timestamp) -> Plan {
    let Some(mut snapshot) = snapshot::gather(world, root, now) else { return Plan::default() };
    if daemon::is_daemon(&snapshot) {
        // A daemon is not replaced elsewhere: its DaemonSet leaves draining instances out.
        snapshot.draining.clear();
    }
    if snapshot.metadata.is_deleting() {
        return draining::plan(&snapshot);
    }
    let mut wanted = wanted::resolve(world, &snapshot, settings);
    let mut plan = snapshot.plan.clone();
    plan.ask(images::pin(world, &snapshot, settings, &mut wanted));
    let rollout = if daemon::is_daemon(&snapshot) {
        rollout::decide_daemon(world, &snapshot, &wanted, now)
    } else {
        rollout::decide(world, &snapshot, &wanted, now, &mut plan)
    };
    let conflicts = children::ensure(world, &snapshot, &rollout, &settings.facts, &mut plan);
    let verdict = verdict::judge(world, &snapshot, &rollout, settings, now, &mut plan);
    let stopping = stopping::stop(&snapshot, &rollout, settings, now, &mut plan);
    report::report(&snapshot, &wanted, &rollout, &verdict, &stopping, &conflicts, settings, now, &mut plan);
    plan
}
