//! What must hold at every moment of a tape, and at its end.

mod bounds;
mod breaker;
mod deployments;
mod status;

use std::time::Duration;

use super::recorder::{Event, Tape};
use super::world::{Change, World};

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// When.
    pub at: Duration,
    /// The rule in a few words; the same for all complaints about it.
    pub rule: &'static str,
    /// What is the case.
    pub text: String,
}

/// Where a check writes what it objects to.
#[derive(Default)]
struct Complaints(Vec<Complaint>);

impl Complaints {
    fn add(&mut self, world: &World, rule: &'static str, text: impl Into<String>) {
        let text = format!("{} | {}", text.into(), world.line());
        self.0.push(Complaint { at: world.now, rule, text });
    }
}

/// Something that looks at every event.
trait Check {
    /// The world as it is after an event.
    fn look(&mut self, world: &World, change: &Change, complaints: &mut Complaints);
    /// The world in a pause: nothing happens until `until`.
    fn pause(&mut self, _world: &World, _until: Duration, _complaints: &mut Complaints) {}
    /// After the last event.
    fn end(&mut self, _world: &World, _complaints: &mut Complaints) {}
}

/// What a tape shows.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Everything that is wrong, in order of time.
    pub complaints: Vec<Complaint>,
    /// What happened, for people.
    pub lines: Vec<(Duration, String)>,
    /// How much of it there was: a history in which nothing fails shows nothing of a circuit breaker.
    pub summary: String,
}

/// Looks at every moment of a tape.
#[must_use]
pub fn check(tape: &Tape) -> Report {
    let mut complaints = Complaints::default();
    let mut checks: Vec<Box<dyn Check>> = vec![
        Box::new(bounds::Bounds::new(tape)),
        Box::new(breaker::BreakerCheck::new(tape)),
        Box::new(deployments::Deployments::default()),
        Box::new(status::Status),
    ];
    let mut world = World::default();
    let mut lines: Vec<(Duration, String)> =
        tape.deeds.iter().map(|deed| (deed.at, format!("---- {}", deed.text))).collect();
    for event in &tape.events {
        let now = world.now;
        if event.at > now + Duration::from_secs(1) {
            for check in &mut checks {
                check.pause(&world, event.at, &mut complaints);
            }
        }
        let change = world.take(event);
        lines.extend(describe(&world, event, &change).map(|line| (world.now, line)));
        for check in &mut checks {
            check.look(&world, &change, &mut complaints);
        }
    }
    for check in &mut checks {
        check.end(&world, &mut complaints);
    }
    lines.sort_by_key(|(at, _)| *at);
    complaints.0.sort_by_key(|complaint| complaint.at);
    let all = || world.deployments.values();
    let summary = format!(
        "{} events, {} tasks, {} deployments, {} completed, {} failed tasks, {} breakers fired, {} rollbacks",
        tape.events.len(),
        world.tasks.len(),
        all().count(),
        all().filter(|one| one.rollout == "COMPLETED").count(),
        all().map(|one| one.failed_tasks).sum::<i64>(),
        all().filter(|one| one.breaker == "TRIGGERED").count(),
        all().filter(|one| !one.rollback_of.is_empty()).count(),
    );
    Report { complaints: complaints.0, lines, summary }
}

/// One line for an event that says something new.
fn describe(world: &World, event: &Event, change: &Change) -> Option<String> {
    let version = world.version;
    match change {
        Change::Task(before, after) => {
            let task = after.as_ref().or(before.as_ref())?;
            let said = |task: &super::world::Task| {
                let state = match task {
                    _ if task.is_stopping => "stopping",
                    _ if task.is_healthy => "healthy",
                    _ if task.has_started => "started",
                    _ => "pending",
                };
                let failed = task.failed.map(|(failure, _)| format!(" {failure:?}")).unwrap_or_default();
                format!("{state}{failed} {}", task.node)
            };
            let is = after.as_ref().map_or_else(|| "gone".to_owned(), said);
            let was = before.as_ref().map_or_else(|| "none".to_owned(), said);
            (is != was).then(|| {
                let digits = task.deployment.get(..4).unwrap_or_default();
                format!("{version} task {} {}/{digits}: {was} -> {is} | {}", task.name, task.revision, world.line())
            })
        }
        Change::Service => Some(format!("{version} service {}", service_line(event))),
        Change::Deployment(before, name) => {
            let after = world.deployments.get(name)?;
            let said = |one: &super::world::Deployment| {
                format!(
                    "{}/{} {} failed, {} {} of {}",
                    one.status, one.rollout, one.failed_tasks, one.breaker, one.failures, one.threshold
                )
            };
            let (was, is) = (before.as_ref().map(&said).unwrap_or_default(), said(after));
            let gone = if after.is_gone { " gone" } else { "" };
            (was != is || after.is_gone).then(|| {
                let digits = after.digits.get(..4).unwrap_or_default();
                format!("{version} deployment {}/{digits} of {name}: {was} -> {is}{gone}", after.revision)
            })
        }
        Change::Other if event.kind == "Deployment" => {
            let replicas = world.workloads.get(&event.name).map_or_else(|| "gone".to_owned(), i64::to_string);
            Some(format!("{version} workload {} replicas {replicas}", event.name))
        }
        Change::Other => None,
    }
}

fn service_line(event: &Event) -> String {
    use super::world::number;
    use crate::scenario::json::text;
    if event.is_deleted {
        return "gone".to_owned();
    }
    let object = &event.object;
    let list = object.pointer("/status/deployments").and_then(serde_json::Value::as_array);
    let list: Vec<_> = list
        .into_iter()
        .flatten()
        .map(|one| {
            format!(
                "{} {} {} of {}",
                text(one, "/status"),
                text(one, "/rolloutState"),
                number(one, "/runningCount"),
                number(one, "/desiredCount")
            )
        })
        .collect();
    let conditions = object.pointer("/status/conditions").and_then(serde_json::Value::as_array);
    let conditions: Vec<_> = conditions
        .into_iter()
        .flatten()
        .filter(|one| matches!(text(one, "/type"), "Ready" | "Accepted" | "DeploymentStuck"))
        .map(|one| format!("{}={}/{}", text(one, "/type"), text(one, "/status"), text(one, "/reason")))
        .collect();
    format!(
        "generation {} observed {} desired {} running {} pending {} [{}] {}",
        number(object, "/metadata/generation"),
        number(object, "/status/observedGeneration"),
        number(object, "/spec/desiredCount"),
        number(object, "/status/runningCount"),
        number(object, "/status/pendingCount"),
        list.join("; "),
        conditions.join(" "),
    )
}
