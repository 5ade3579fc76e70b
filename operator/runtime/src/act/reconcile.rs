//! One reconcile, as a table of contents: gate, plan, execute, report, publish. Nothing is decided here.

use std::sync::Arc;
use std::time::Duration;

use plan::core::status::Failure;
use plan::core::world::MemoryWorld;
use plan::{ObjectKey, Plan, Settings, Stored, World};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use crate::act::execute::{Executor, Failed, Seen, Session};
use crate::act::gate::GateState;
use crate::act::queue::{Finish, Job};
use crate::answer::Answerer;
use crate::api_server::execute_error::{ExecuteError, Recovery};
use crate::backoff::spread;
use crate::clock::Clock;
use crate::notices::{Notices, Regarding};
use crate::serve::metrics::{Metrics, ReconcileResult};
use crate::watch::intake::Intake;

/// A write that keeps failing is reported in the status after this many tries.
const PATIENCE: u32 = 4;
/// Wake-ups come up to this much later than asked, never earlier: a thousand services that wait for the same instant
/// are spread out, and a rule like "40 seconds have passed" holds when it is looked at.
const WAKE_SPREAD: Duration = Duration::from_millis(100);

/// A write that was refused is tried again after this time: a quota may be raised, a policy removed; neither tells us.
const REFUSED_AGAIN: Duration = Duration::from_mins(1);

/// A plan that takes longer is told by name while it runs. The slowest of those that are measured, a cluster of ten thousand
/// services, takes a tenth of it.
const SLOW_PLAN: Duration = Duration::from_secs(2);

/// What a reconcile needs.
#[derive(Clone, Debug)]
pub struct Reconciler {
    /// What is known.
    pub intake: Arc<Intake>,
    /// What writes.
    pub executor: Executor,
    /// What tells people.
    pub notices: Notices,
    /// What an administrator set.
    pub settings: Arc<Settings>,
    /// What time it is.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What answers the questions of plans.
    pub answerers: Vec<Arc<dyn Answerer>>,
}

/// A plan with what it was made on.
struct Planned {
    plan: Plan,
    world: MemoryWorld,
    known: Option<Arc<Stored>>,
}

impl Planned {
    /// Objects read from files in tests have no uid.
    fn uid(&self) -> Option<String> {
        self.known.as_ref().map(|stored| stored.uid.clone()).filter(|uid| !uid.is_empty())
    }

    fn generation(&self) -> i64 {
        let value = self.known.as_ref().map(|stored| stored.value());
        value
            .as_ref()
            .and_then(|value| value.pointer("/metadata/generation"))
            .and_then(Value::as_i64)
            .unwrap_or_default()
    }
}

impl Reconciler {
    /// Reconciles one root, once.
    pub async fn reconcile(&self, job: &Job) -> Finish {
        let root = &job.key;
        let _timer = self.metrics.reconcile(root.kind);
        if let Some(object) = self.waits_for(root).await {
            debug!(kind = root.kind.kind(), name = root.name.as_str(), step = "gate", waits_for = object.to_string());
            self.metrics.reconciled(root.kind, ReconcileResult::Requeue);
            return Finish::Gated;
        }
        let planned = self.plan(root).await;
        for answerer in &self.answerers {
            answerer.want(root, &planned.plan.questions);
        }
        let seen = Seen::of(planned.known.as_deref());
        let session = self.executor.session(root, seen, &self.intake.gate);
        let executed = self.execute(&session, &planned).await;
        let reported = self.report(&session, &planned, &executed, job.failures).await;
        if may_publish(&executed, &reported) {
            self.publish(root, &planned);
        }
        self.finish(root, &planned.plan, executed.and(reported.map(drop)))
    }

    /// What the root wrote and the cache does not show yet. The server is asked about what is late: a plan on a cache that is
    /// behind would decide again what was decided, however long it is behind.
    async fn waits_for(&self, root: &ObjectKey) -> Option<ObjectKey> {
        let gate = &self.intake.gate;
        loop {
            let late = match gate.check(root, &self.intake.store.snapshot()) {
                GateState::Open => return None,
                GateState::Waiting(object) => return Some(object),
                GateState::Late(object) => object,
            };
            match self.executor.session(root, Seen::default(), gate).shown(&late).await {
                Ok(shown) => gate.was_asked(&late, &shown, &self.intake.store.snapshot()),
                Err(error) => {
                    info!(kind = root.kind.kind(), step = "gate", category = error.category(), "cannot ask");
                    gate.was_not_answered(&late);
                }
            }
        }
    }

    /// Plans on a copy of everything known, on a thread of its own: events, the lease and probes wait for no plan.
    async fn plan(&self, root: &ObjectKey) -> Planned {
        let started = Instant::now();
        let now = self.clock.now();
        let (world, settings, key) = (self.intake.store.snapshot(), Arc::clone(&self.settings), root.clone());
        let planning = tokio::task::spawn_blocking(move || {
            let plan = plan::plan(&world, &key, &settings, now);
            Planned { plan, known: world.get(&key), world }
        });
        let planned = watched(planning, SLOW_PLAN, || {
            let (ns, name) = (root.namespace.as_deref().unwrap_or_default(), root.name.as_str());
            self.metrics.slow_plan(root.kind);
            warn!(kind = root.kind.kind(), ns, name, step = "plan", "takes longer than {SLOW_PLAN:?}");
        });
        let planned = planned.await;
        self.metrics.step("plan", started.elapsed());
        planned
    }

    async fn execute(&self, session: &Session<'_>, planned: &Planned) -> Result<(), Failed> {
        if planned.plan.ops.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        let seen = |key: &ObjectKey| Seen::of(planned.world.get(key).as_deref());
        let executed = session.run(&planned.plan.ops, seen).await;
        self.metrics.step("execute", started.elapsed());
        executed
    }

    /// Writes the status, if it differs from the last one. Returns whether it was written. A failed write that people
    /// should know of becomes a part of it.
    async fn report(
        &self,
        session: &Session<'_>,
        planned: &Planned,
        executed: &Result<(), Failed>,
        failures: u32,
    ) -> Result<bool, Failed> {
        let Some(mut status) = planned.plan.status.clone() else { return Ok(false) };
        if let Err(failed) = executed {
            let tells = match failed.error.recovery() {
                // Whatever else the plan wanted has happened.
                _ if failed.is_rest_done => true,
                Recovery::Tell => true,
                Recovery::Soon | Recovery::Later => failures >= PATIENCE,
                Recovery::Quiet => false,
            };
            if !tells {
                // What the plan computed is only true if its writes happened.
                return Ok(false);
            }
            let failure = Failure {
                op: failed.op.clone(),
                message: failed.error.to_string(),
                is_name_taken: failed.error.is_name_taken(),
                is_transient: failed.error.is_transient(),
            };
            plan::core::status::amend(&mut status, &failure, planned.generation(), self.clock.now());
        }
        if plan::core::status::same(&status, &without_null(&planned.plan.previous_status)) {
            return Ok(false);
        }
        let started = Instant::now();
        let reported = session.report(&status).await;
        self.metrics.step("report", started.elapsed());
        reported.map(|()| true)
    }

    fn publish(&self, root: &ObjectKey, planned: &Planned) {
        for notice in &planned.plan.notices {
            let regarding = Regarding { key: root.clone(), uid: planned.uid().unwrap_or_default() };
            self.notices.publish(regarding, notice.clone(), self.clock.now());
        }
    }

    fn finish(&self, root: &ObjectKey, plan: &Plan, result: Result<(), Failed>) -> Finish {
        let (kind, ns, name) = (root.kind.kind(), root.namespace.as_deref().unwrap_or_default(), root.name.as_str());
        let Err(failed) = result else {
            let wake = plan.wake.map(|time| self.instant(root, time));
            let outcome = if wake.is_some() { ReconcileResult::RequeueAfter } else { ReconcileResult::Success };
            self.metrics.reconciled(root.kind, outcome);
            return Finish::Done { wake };
        };
        let (op, text, category) = (failed.op.as_str(), failed.error.to_string(), failed.error.category());
        match failed.error.recovery() {
            Recovery::Quiet => debug!(kind, ns, name, step = "execute", op, category, error = text, "left alone"),
            Recovery::Soon => info!(kind, ns, name, step = "execute", op, category, error = text, "looking again"),
            Recovery::Later => warn!(kind, ns, name, step = "execute", op, category, error = text, "trying again"),
            Recovery::Tell => error!(kind, ns, name, step = "execute", op, category, error = text, "refused"),
        }
        self.metrics.reconciled(root.kind, ReconcileResult::Error);
        if failed.is_rest_done {
            // What follows from the rest does not wait for a quota to be raised.
            let again = Instant::now() + REFUSED_AGAIN;
            let wake = plan.wake.map_or(again, |time| self.instant(root, time).min(again));
            return Finish::Done { wake: Some(wake) };
        }
        Finish::Failed { backoff: failed.error.backoff() }
    }

    fn instant(&self, root: &ObjectKey, time: jiff::Timestamp) -> Instant {
        let until = Duration::try_from(time.duration_since(self.clock.now())).unwrap_or_default();
        // Timers have a resolution of a millisecond; one more keeps "never earlier" true.
        Instant::now() + until + Duration::from_millis(1) + spread(WAKE_SPREAD, (root, time.as_nanosecond()))
    }
}

/// Awaits a task and tells once when it takes longer than `limit`. Its panic goes on here.
async fn watched<T>(task: JoinHandle<T>, limit: Duration, tell: impl FnOnce()) -> T {
    tokio::pin!(task);
    let ended = if let Ok(ended) = tokio::time::timeout(limit, &mut task).await {
        ended
    } else {
        tell();
        task.await
    };
    match ended {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going away, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Whether the notices of a plan may be published: together with the status that has what they say, also one that
/// reports a failure, so that the next plan finds it there and does not say it again. If the outcome of that write is
/// not known, rather twice than never.
fn may_publish(executed: &Result<(), Failed>, reported: &Result<bool, Failed>) -> bool {
    match reported {
        Ok(is_written) => *is_written || executed.is_ok(),
        Err(failed) => matches!(failed.error, ExecuteError::Deadline(_) | ExecuteError::Transport(_)),
    }
}

/// An object without a status reads as `null`; that is the same as an empty one.
fn without_null(previous: &Value) -> Value {
    if previous.is_null() { Value::Object(serde_json::Map::new()) } else { previous.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn when_a_plan_is_slow_then_it_is_told_once_while_it_runs_and_its_result_counts() {
        for (seconds, expected) in [(1, 0), (3, 1), (3_600, 1)] {
            let mut told = 0;
            let task = tokio::spawn(tokio::time::sleep(Duration::from_secs(seconds)));
            watched(task, SLOW_PLAN, || told += 1).await;
            assert_eq!(told, expected, "{seconds} s");
        }
    }

    #[tokio::test]
    #[should_panic(expected = "a plan")]
    async fn when_a_plan_panics_then_so_does_its_reconcile() {
        watched(tokio::task::spawn_blocking(|| panic!("a plan")), SLOW_PLAN, || {}).await;
    }
}
